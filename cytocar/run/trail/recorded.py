"""Whether a file of a run is what the run recorded: asked before a number in it is used or handed on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from cytocar.errors.tree import IntegrityError
from cytocar.files.places import whole_bytes
from cytocar.run.trail.journal import Manifest, read_manifest

SHOWN = 5
"""Files that a message names: `cytocar verify` names all."""

_taken: ContextVar[list[str] | None] = ContextVar("taken_unverified", default=None)


@contextmanager
def unverified() -> Iterator[list[str]]:
    """Take files that are not what was recorded all the same, inside; yield the list of what was taken so."""
    taken: list[str] = []
    token = _taken.set(taken)
    try:
        yield taken
    finally:
        _taken.reset(token)


def taken_unverified() -> tuple[str, ...]:
    """The files that were read though their hashes differ from the record, for the mark on a page or in the trail."""
    return tuple(dict.fromkeys(_taken.get() or ()))


def require_recorded(run: Path, manifest: Manifest, *names: str) -> Path:
    """Refuse files of a run that are not what its manifest recorded, and return the last one's path.

    Raises
    ------
    IntegrityError
        E123 with the files' names, and what seems to have become of them.
    """
    changed = [(name, why) for name in names if (why := _why_other(run / name, manifest.get("files", {}).get(name)))]
    if changed:
        listed = "; ".join(f"{name} {why}" for name, why in changed[:SHOWN]) + (" ..." if len(changed) > SHOWN else "")
        taken = _taken.get()
        if taken is not None:
            taken.append(f"in {run}: {listed}")
            return run / names[-1]
        raise IntegrityError(
            f"in {run}: {listed}",
            code="E123",
            hint=f"`cytocar verify {run}` names each place; restore the folder from a backup, or count again",
        )
    return run / names[-1]


def require_table(path: Path) -> None:
    """Refuse a table that lies in a run folder and is not what the run recorded; tables without a run pass.

    Raises
    ------
    IntegrityError
        E123 if it is another, E125 if the manifest cannot be read.
    """
    manifest = read_manifest(path.parent)
    if manifest is not None and path.exists():
        require_recorded(path.parent, manifest, path.name)


def _why_other(path: Path, digest: str | None) -> str:
    """Why a file is not what was recorded; nothing where it is."""
    if digest is None:
        return "was not recorded by this run"
    try:
        content = whole_bytes(path)
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if hashlib.sha256(content).hexdigest() == digest:
        return ""
    return "was saved again by a spreadsheet" if saved_by_spreadsheet(path.name, content) else "was changed"


def saved_by_spreadsheet(name: str, content: bytes) -> bool:
    """True if a table has what spreadsheets leave and cytocar never writes: BOM, CRLF, semicolons.

    >>> saved_by_spreadsheet("counts.csv", b"a,b\\r\\n1,2\\r\\n"), saved_by_spreadsheet("counts.csv", b"a,b\\n1,2\\n")
    (True, False)
    """
    if not name.endswith(".csv"):
        return False
    head = content.split(b"\n", 1)[0]
    return content.startswith(b"\xef\xbb\xbf") or head.endswith(b"\r") or (b";" in head and b"," not in head)


def plain_again(content: bytes) -> bytes:
    """Return a table with the line ends and the mark at its start taken back that a spreadsheet leaves."""
    return content.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n")
