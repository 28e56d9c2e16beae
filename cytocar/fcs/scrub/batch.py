"""Scrubbing many files: new names, one shift of dates for each subject, and the map that links copies to files.

The map is the only thing that leads back to a person. It lies apart from the copies, readable by its owner alone.
"""

from __future__ import annotations

import csv
import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from io import StringIO
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from cytocar.errors.boundary import boundary, one_of_many
from cytocar.errors.tree import CytocarError, UsageError
from cytocar.fcs.scrub.dates import Dates
from cytocar.fcs.scrub.file import Scrubbed, ScrubRule, identifying, scrub_file
from cytocar.files.places import Place, whole_bytes
from cytocar.files.source import at_hand

FCS_SUFFIXES = (".fcs", ".lmd")
LARGEST_SHIFT_DAYS = 182
"""Half a year to either side: seasons blur, and intervals within a subject stay."""


class Link(Struct, frozen=True):
    """One line of the linkage map."""

    copy: str
    file: str
    subject_id: str
    shift_days: int
    file_sha256: str
    copy_sha256: str


class Refused(Struct, frozen=True):
    """A file that has no copy, and why."""

    file: Place
    error: CytocarError


class Outcome(Struct, frozen=True):
    """What became of the files: copies made, files refused."""

    scrubbed: tuple[Scrubbed, ...]
    refused: tuple[Refused, ...]


def scrub_files(
    files: Sequence[Place],
    out: Path,
    *,
    rule: ScrubRule,
    linkage: Path,
    subjects: Mapping[Place, str] | None = None,
    keep_names: bool = False,
) -> Outcome:
    """Write scrubbed copies of files into a new folder, and the map that links them.

    Parameters
    ----------
    files : sequence of Path
        In the order in which copies are numbered: ``0001.fcs`` and on, unless ``keep_names``.
    out : Path
        A folder that does not exist or is empty; for one file also the copy's own name, ending in ``.fcs`` or ``.lmd``.
    rule : ScrubRule
        With ``Dates.SHIFT`` each subject's dates move by days of its own; ``shift_days`` is not used.
    linkage : Path
        The map. Where it exists, its subjects keep their shifts, and the new lines are added.
    subjects : mapping of Path to str, optional
        Whose files these are, by resolved path. Files of nobody share one shift.

    Raises
    ------
    UsageError
        If there is nothing to scrub or the folder is not empty (E152), or the map cannot be used (E153).
    """
    one_copy = len(files) == 1 and out.suffix.lower() in FCS_SUFFIXES
    _check_room(files, out, one_copy=one_copy)
    links = list(read_linkage(linkage)) if linkage.exists() else []
    shifts = {link.subject_id: link.shift_days for link in links}
    (out.parent if one_copy else out).mkdir(parents=True, exist_ok=True)
    scrubbed, refused = [], []
    for number, file in enumerate(files, len(links) + 1):
        subject = (subjects or {}).get(file.resolve(), "")
        if rule.dates is Dates.SHIFT:
            shifts.setdefault(subject, _random_shift())
        shift = shifts.get(subject, 0) if rule.dates is Dates.SHIFT else 0
        copy = out if one_copy else out / (file.name if keep_names else f"{number:04d}{file.suffix.lower()}")
        try:
            with one_of_many(), at_hand(file) as original:
                done = scrub_file(original, copy, replace(rule, shift_days=shift))
        except CytocarError as error:
            refused.append(Refused(file, error))
            continue
        scrubbed.append(done)
        links.append(Link(copy.name, str(file.resolve()), subject, shift, done.source_sha256, done.copy_sha256))
        write_linkage(linkage, links)
    return Outcome(tuple(scrubbed), tuple(refused))


def _check_room(files: Sequence[Place], out: Path, *, one_copy: bool) -> None:
    taken = out.exists() if one_copy else out.is_dir() and any(out.iterdir())
    if not files or taken:
        raise UsageError(
            f"{out} {'exists' if one_copy else 'is not empty'}" if files else "there is no FCS file to scrub",
            code="E152",
            hint="name a folder with FCS files, and with -o a new folder outside it",
        )


def still_identifying(files: Sequence[Place], rule: ScrubRule) -> dict[Place, tuple[str, ...] | CytocarError]:
    """Return, for each file that is not clean, the names of its keywords that scrubbing would change, or its error."""
    remaining: dict[Place, tuple[str, ...] | CytocarError] = {}
    for file in files:
        try:
            with one_of_many():
                names = identifying(file, rule)
        except CytocarError as error:
            remaining[file] = error
            continue
        if names:
            remaining[file] = names
    return remaining


def read_linkage(path: Path) -> tuple[Link, ...]:
    """Return the lines of a linkage map.

    Raises
    ------
    UsageError
        If it is none (E153).
    """
    with boundary(lambda why: _unusable(path, why)):
        rows = list(csv.DictReader(StringIO(whole_bytes(path).decode("utf-8", "surrogateescape"))))
        return tuple(_link(row) for row in rows)


def _link(row: Mapping[str, str]) -> Link:
    days = int(row["shift_days"])
    return Link(row["copy"], row["file"], row["subject_id"], days, row["file_sha256"], row["copy_sha256"])


def write_linkage(path: Path, links: Sequence[Link]) -> None:
    """Write a linkage map as a whole or not at all, readable by its owner alone.

    Raises
    ------
    UsageError
        If it cannot be written (E153).
    """
    text = StringIO()
    names = Link.__struct_fields__
    table = csv.writer(text, lineterminator="\n")
    table.writerow(names)
    table.writerows([getattr(link, name) for name in names] for link in links)
    temporary = path.with_name(f".{path.name}.new")
    try:
        temporary.unlink(missing_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape", newline="") as handle:
            handle.write(text.getvalue())
            handle.flush()
            os.fsync(handle.fileno())
        temporary.replace(path)
    except OSError as why:
        raise _unusable(path, why.strerror or str(why)) from why


def _random_shift(draw: Callable[[int], int] = secrets.randbelow) -> int:
    """Return days that nobody can guess, and never 0."""
    days = draw(2 * LARGEST_SHIFT_DAYS) - LARGEST_SHIFT_DAYS
    return days if days < 0 else days + 1


def _unusable(path: Path, why: str) -> UsageError:
    return UsageError(
        f"the linkage map {path} cannot be used: {why}",
        code="E153",
        hint="name a new file with --linkage, or the map of an earlier scrub",
    )
