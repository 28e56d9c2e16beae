"""The audit trail of a run, ``audit.jsonl``: who did what to which data, when and why, in a chain that shows a cut.

Each line is one entry as canonical JSON. It holds the hash of the entry before it, the hash of the manifest as it
stands after the change, and its own hash; the manifest in turn holds the last entry. So a byte changed anywhere, a line
removed, added or swapped, and an end cut off all show. The trail supports good records; it is no electronic signature.

Clock and user are arguments: ``trail`` works on values alone, ``read_trail`` reads a file, nothing here writes.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict, replace

from cytocar.files.json_object import json_object
from cytocar.files.places import whole_bytes

AUDIT = "audit.jsonl"
NOTHING_BEFORE = "0" * 64
"""What the first entry of a trail holds in place of the hash of the entry before it."""


class Action(StrEnum):
    """What may stand in a trail."""

    RUN_STARTED = "run started"
    RUN_RESUMED = "run resumed"
    RUN_FINISHED = "run finished"
    SAMPLE_FAILED = "sample failed"
    OVERRIDE = "override"
    OVERRIDE_UNDONE = "override undone"
    REPORT_BUILT = "report built"
    EXPORTED = "exported"
    SIGNED = "signed"
    TORN_LINE_SET_ASIDE = "torn line set aside"


CHANGES_RESULTS = (Action.RUN_FINISHED, Action.OVERRIDE, Action.OVERRIDE_UNDONE)
"""Actions after which results are not those that were signed, or drawn, before."""


class Meaning(StrEnum):
    """What a person who signs says about a run."""

    REVIEWED = "reviewed"
    APPROVED = "approved"
    REJECTED = "rejected"


class Author(Struct, frozen=True):
    """Who acts: the name that a person gave, and the account that the operating system knows."""

    operator: str
    os_user: str


class Act(Struct, frozen=True):
    """One thing done: ``what`` it was done to, the values ``before`` and ``after``, and ``why``."""

    action: Action
    what: str
    before: str = ""
    after: str = ""
    why: str = ""


class Entry(Struct, frozen=True):
    """One line of a trail.

    ``number`` counts from 1, ``utc`` is ISO 8601, ``clock_set_back`` tells that the clock showed less than at the entry
    before: the order is the chain's, not the clock's. ``manifest_sha256`` is the hash of the manifest's body.
    """

    number: int
    previous: str
    utc: str
    clock_set_back: bool
    operator: str
    os_user: str
    action: str
    what: str
    before: str
    after: str
    why: str
    manifest_sha256: str
    sha256: str

    @property
    def line(self) -> bytes:
        """The entry as it is written, with its line end."""
        return _canonical(asdict(self)) + b"\n"

    def content_sha256(self) -> str:
        """Return the hash of all that the entry says, its own hash left out."""
        content = {name: value for name, value in asdict(self).items() if name != "sha256"}
        return hashlib.sha256(_canonical(content)).hexdigest()


def _canonical(content: dict[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


# ---------------------------------------------------------------- writing


def trail(
    acts: Iterable[Act], author: Author, *, after: Entry | None, now: datetime, manifest_sha256: str
) -> tuple[Entry, ...]:
    """Return the entries of some acts, chained to the entry before them.

    Parameters
    ----------
    acts : iterable of Act
        What was done, in order.
    author : Author
        Who did it.
    after : Entry, optional
        The last entry of the trail so far; None for a new trail.
    now : datetime
        The clock's time, with its zone.
    manifest_sha256 : str
        Hash of the manifest's body after these acts.

    Examples
    --------
    >>> me = Author("A. Muster", "muster")
    >>> noon = datetime(2026, 3, 9, 12, tzinfo=UTC)
    >>> first, second = trail(
    ...     [Act(Action.RUN_STARTED, "3 samples"), Act(Action.RUN_FINISHED, "3 samples")],
    ...     me, after=None, now=noon, manifest_sha256="00",
    ... )
    >>> second.previous == first.sha256, second.utc
    (True, '2026-03-09T12:00:00Z')
    """
    entries: list[Entry] = []
    for act in acts:
        after = _entry(act, author, after=after, now=now, manifest_sha256=manifest_sha256)
        entries.append(after)
    return tuple(entries)


def _entry(act: Act, author: Author, *, after: Entry | None, now: datetime, manifest_sha256: str) -> Entry:
    utc = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    open_entry = Entry(
        number=after.number + 1 if after else 1,
        previous=after.sha256 if after else NOTHING_BEFORE,
        utc=utc,
        clock_set_back=after is not None and utc < after.utc,
        operator=_storable(author.operator),
        os_user=_storable(author.os_user),
        action=act.action,
        what=_storable(act.what),
        before=_storable(act.before),
        after=_storable(act.after),
        why=_storable(act.why),
        manifest_sha256=manifest_sha256,
        sha256="",
    )
    return replace(open_entry, sha256=open_entry.content_sha256())


def _storable(text: str) -> str:
    """Return text that UTF-8 can hold: a name that the operating system could not decode must not stop a run."""
    return text.encode("utf-8", "replace").decode()


# ---------------------------------------------------------------- reading


class Break(Struct, frozen=True):
    """One place where a trail is not what was written: the line, counted from 1, and what is wrong with it."""

    line: int
    message: str

    def __str__(self) -> str:
        return f"{AUDIT} line {self.line}: {self.message}"


class Trail(Struct, frozen=True):
    """A trail as found: the entries that can be read, where it is broken, and bytes after the last line end."""

    entries: tuple[Entry, ...]
    breaks: tuple[Break, ...]
    torn: bytes = b""

    @property
    def last(self) -> Entry | None:
        """The newest entry."""
        return self.entries[-1] if self.entries else None


def read_trail(folder: Path) -> Trail:
    """Return the trail of a run folder; an empty one where there is none."""
    try:
        content = whole_bytes(folder / AUDIT)
    except FileNotFoundError:
        return Trail((), ())
    except OSError as error:
        return Trail((), (Break(1, f"the trail cannot be read: {error.strerror}"),))
    return parse_trail(content)


def parse_trail(content: bytes) -> Trail:
    """Return the trail in a file's bytes, with every place where it is broken."""
    *lines, torn = content.split(b"\n")
    entries: list[Entry] = []
    breaks: list[Break] = []
    places: list[int] = []
    for place, line in enumerate(lines, start=1):
        entry = parse_entry(line)
        if entry is None:
            breaks.append(Break(place, "is not an entry as cytocar writes it"))
            continue
        if entry.sha256 != entry.content_sha256():
            breaks.append(Break(place, f"entry {entry.number} was changed: its hash does not fit what it says"))
        entries.append(entry)
        places.append(place)
    if torn:
        breaks.append(Break(len(lines) + 1, "the line is torn: it has no end"))
    breaks += _out_of_chain(entries, places)
    return Trail(tuple(entries), tuple(sorted(breaks, key=lambda fault: fault.line)), torn)


def parse_entry(line: bytes) -> Entry | None:
    """Return the entry in a line; None unless the line is byte for byte what such an entry is written as."""
    try:
        entry = Entry(**json_object(line))
    except (ValueError, TypeError):
        return None
    well_typed = all(
        type(getattr(entry, name)).__name__ == kind for name, kind in Entry.__annotations__.items()
    )  # True for 1, or 1.0, would pass as equal
    return entry if well_typed and entry.line == line + b"\n" else None


def _out_of_chain(entries: Sequence[Entry], places: Sequence[int]) -> list[Break]:
    """Where an entry does not follow the one before it, in the words of what happened to it."""
    times = Counter(entry.number for entry in entries)
    breaks = []
    number, sha256 = 0, NOTHING_BEFORE
    for entry, place in zip(entries, places, strict=True):
        if entry.previous != sha256 or entry.number != number + 1:
            breaks.append(Break(place, _misfit(entry, number + 1, times)))
        number, sha256 = entry.number, entry.sha256
    return breaks


def _misfit(entry: Entry, expected: int, times: Counter[int]) -> str:
    if times[entry.number] > 1:
        return f"entry {entry.number} stands {times[entry.number]} times: a line was added"
    if entry.number == expected:
        return f"entry {entry.number} does not follow the entry before it: one of the two was changed or added"
    if entry.number > expected and not any(expected <= there < entry.number for there in times):
        missing = f"entry {expected}" if entry.number == expected + 1 else f"entries {expected} to {entry.number - 1}"
        return f"{missing} is not there: a line was removed or changed before entry {entry.number}"
    return f"entry {entry.number} stands where entry {expected} belongs: lines were swapped"


# ---------------------------------------------------------------- signatures

RUN = "run"
"""What a signature of the whole run was given to."""


class Signature(Struct, frozen=True):
    """The last signature of a run, and how often results were changed since."""

    entry: Entry
    changes_since: int

    @property
    def is_stale(self) -> bool:
        """Whether results are not those that were signed."""
        return self.changes_since > 0

    def __str__(self) -> str:
        given = f"{self.entry.after} by {self.entry.operator} on {self.entry.utc[:10]} (entry {self.entry.number})"
        if not self.is_stale:
            return given
        times = "once" if self.changes_since == 1 else f"{self.changes_since} times"
        return f"the run was {given}, and results were changed {times} since: sign it again"


def last_signature(trail: Trail) -> Signature | None:
    """Return the last signature of the whole run, ``None`` where there is none."""
    signed = [entry for entry in trail.entries if entry.action == Action.SIGNED and entry.what == RUN]
    if not signed:
        return None
    since = [entry for entry in trail.entries if entry.number > signed[-1].number and entry.action in CHANGES_RESULTS]
    return Signature(signed[-1], len(since))
