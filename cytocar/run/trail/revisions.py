"""Runs that ``--force`` has set aside: numbered folders under ``revisions``, moved there as a whole or not at all."""

from __future__ import annotations

from pathlib import Path

REVISIONS = "revisions"
_MOVING = ".moving"
"""Ending of a revision's folder while files are moved into it."""


def set_aside(folder: Path, *, last: str, stay: frozenset[str]) -> None:
    """Move everything in a run folder into a numbered revision.

    Parameters
    ----------
    folder : Path
        The run folder; without entries besides those that stay, nothing is done.
    last : str
        The file that makes it a run: while it stands in its place, an interrupted move can be undone.
    stay : frozenset of str
        Names that are not part of the run.
    """
    entries = [entry for entry in folder.iterdir() if entry.name not in {REVISIONS, *stay}]
    if not entries:
        return
    revisions = folder / REVISIONS
    revisions.mkdir(exist_ok=True)
    number = 1 + max((int(entry.name) for entry in revisions.iterdir() if entry.name.isdecimal()), default=0)
    moving = revisions / f"{number}{_MOVING}"
    moving.mkdir(exist_ok=True)
    for entry in sorted(entries, key=lambda entry: entry.name == last):
        entry.rename(moving / entry.name)
    moving.rename(revisions / str(number))


def settle_interrupted_move(folder: Path, *, last: str) -> None:
    """Undo a move that was interrupted before its last file went, and end one that was interrupted after it."""
    for moving in folder.glob(f"{REVISIONS}/*{_MOVING}"):
        if (moving / last).is_file():
            moving.rename(moving.with_suffix(""))
            continue
        for entry in moving.iterdir():
            entry.rename(folder / entry.name)
        moving.rmdir()


def is_interrupted(folder: Path, *, last: str) -> bool:
    """True if a move was interrupted so that the run lies in two places."""
    return (folder / last).is_file() and any(
        entry for moving in folder.glob(f"{REVISIONS}/*{_MOVING}") for entry in moving.iterdir()
    )
