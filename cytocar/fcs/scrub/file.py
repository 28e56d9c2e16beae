"""A copy of an FCS file without what may identify a person, its events untouched to the bit.

Nothing moves: what is removed is overwritten by as many characters, so that every offset stays true. HEADER's offsets
and DATA are copied; of TEXT and supplemental TEXT the keywords that reading and gating need (``identity``); ANALYSIS,
undeclared gaps (Coulter's acquisition protocol lies in one) and the CRC are blanked. The copy is read again before it
gets its name.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

from cytocar.errors.tree import ReadError
from cytocar.fcs.data_sets import DataSet, read_data_sets
from cytocar.fcs.decode import DataSource, TextSource
from cytocar.fcs.events import EventTable
from cytocar.fcs.reader import list_data_sets
from cytocar.fcs.scrub.dates import Dates, rewrite_date
from cytocar.fcs.scrub.identity import Role, is_suspicious, role
from cytocar.fcs.segments import HEADER_BYTES, claim
from cytocar.fcs.text import split_pairs
from cytocar.files.places import Place, readable

CHUNK = 1 << 20
SHORTEST = 4
"""Characters of a removed value that is looked for elsewhere: shorter ones stand everywhere by chance."""


@dataclass(frozen=True, slots=True)
class ScrubRule:
    """What to keep: dates as told, and, unless ``strict``, keywords that only describe the instrument."""

    dates: Dates = Dates.YEAR
    shift_days: int = 0
    strict: bool = False


@dataclass(frozen=True, slots=True)
class Scrubbed:
    """What was done to one file: names of keywords, never their values.

    ``repeated`` are keywords that had to stay and hold a value that was removed elsewhere, such as a tube's name that
    is also a marker's.
    """

    source: Path
    copy: Path
    events: int
    removed: tuple[str, ...]
    repeated: tuple[str, ...]
    source_sha256: str
    copy_sha256: str


@dataclass(frozen=True, slots=True)
class _Piece:
    """Bytes of the file that stay: as they are (``content`` None) or rewritten."""

    first: int
    length: int
    content: bytes | None = None


@dataclass(frozen=True, slots=True)
class _Segment:
    """A TEXT segment rewritten, with what was removed from it."""

    content: bytes
    removed: tuple[str, ...]
    values: tuple[bytes, ...]
    repeated: tuple[str, ...] = ()


def scrub_file(path: Path, copy: Path, rule: ScrubRule) -> Scrubbed:
    """Write a scrubbed copy of an FCS file and return what was removed.

    Raises
    ------
    ReadError
        If the file cannot be read (E010 to E022), if its segments overlap so that scrubbing one would change another
        (E150), or if the copy would not read the same (E151). Then there is no copy.
    """
    tables = list_data_sets(path)
    with path.open("rb") as handle:
        found = list(read_data_sets(handle))
        segments = [_scrub_texts(handle, each, rule) for each in found]
        pieces = _pieces(found, tables, segments)
        length = handle.seek(0, os.SEEK_END)
        temporary = _temporary(copy)
        try:
            with temporary.open("wb") as out:
                _write(handle, out, pieces, length)
            _check_same(tables, list_data_sets(temporary))
            digest = _sha256(temporary)
            temporary.replace(copy)
        finally:
            temporary.unlink(missing_ok=True)
    texts = [text for each in segments for _, text in each]
    return Scrubbed(
        source=path,
        copy=copy,
        events=sum(table.n_events for table in tables),
        removed=_unique(name for text in texts for name in text.removed),
        repeated=_unique(name for text in texts for name in text.repeated),
        source_sha256=_sha256(path),
        copy_sha256=digest,
    )


def identifying(path: Place, rule: ScrubRule) -> tuple[str, ...]:
    """Return the names of the keywords of a file that scrubbing by this rule would still change."""
    with readable(path), path.open("rb") as handle:
        texts = [text for each in read_data_sets(handle) for _, text in _scrub_texts(handle, each, rule)]
    return _unique(name for text in texts for name in text.removed)


def _scrub_texts(handle: BinaryIO, found: DataSet, rule: ScrubRule) -> list[tuple[int, _Segment]]:
    """Return the first byte and the scrubbed content of TEXT and of supplemental TEXT."""
    keywords, mark = found.text.keywords, found.text.delimiter
    places = [(found.base + found.header.text.first, found.text.length)]
    extra = claim("TEXT", keywords.get("$BEGINSTEXT", ""), keywords.get("$ENDSTEXT", ""))
    if extra is not None and extra.first != found.header.text.first and found.text.has_supplement:
        places.append((found.base + extra.first, extra.length))
    scrubbed = []
    for first, length in places:
        handle.seek(first)
        scrubbed.append((first, scrub_text(handle.read(length), mark, rule)))
    return scrubbed


def scrub_text(segment: bytes, mark: bytes, rule: ScrubRule) -> _Segment:
    """Return a TEXT segment of the same length without the values, and unknown keys, that may identify a person.

    Examples
    --------
    >>> scrub_text(b"/$SRC/Jane Doe/$PAR/2/MRN/4711/", b"/", ScrubRule()).content
    b'/$SRC/xxxxxxxx/$PAR/2/xxx/xxxx/'
    """
    filler = next(sign for sign in (b"x", b"-") if sign != mark)
    content = bytearray(segment)
    pairs, rest = split_pairs(segment, mark)
    content[rest] = b" " * len(content[rest])
    removed, values, technical = [], [], []
    for pair in pairs:
        key = segment[pair.key].decode("latin-1").strip().upper()
        value = segment[pair.value]
        new = _new_value(key, value, filler, rule)
        if new == value:
            technical += [pair.value] if role(key) is Role.TECHNICAL else []
            continue
        content[pair.value] = new
        values += [value.strip()] if role(key) is not Role.TECHNICAL else []
        if role(key) is Role.PERSONAL and not is_suspicious(key):
            content[pair.key] = filler * len(segment[pair.key])
        removed.append(key)
    known = tuple(value for value in values if len(value) >= SHORTEST)
    for place in technical:
        content[place] = _without(bytes(content[place]), known, filler)
    kept = [(segment[pair.key], bytes(content[pair.value])) for pair in pairs]
    repeated = [key.decode("latin-1").strip().upper() for key, value in kept if any(each in value for each in known)]
    return _Segment(bytes(content), tuple(removed), known, tuple(repeated))


def _new_value(key: str, value: bytes, filler: bytes, rule: ScrubRule) -> bytes:
    """Return the value that stands in the copy, of the same length."""
    kept = role(key)
    overwritten = filler * len(value)
    if kept is Role.NEEDED or not value.strip() or value == overwritten:
        return value
    if kept is Role.TECHNICAL:
        return overwritten if rule.strict else value
    if kept is Role.DATE and rule.dates is Dates.KEEP:
        return value
    if key in ("$DATE", "$BEGINDATETIME", "$ENDDATETIME"):
        rewritten = rewrite_date(value.decode("latin-1"), dates=rule.dates, shift_days=rule.shift_days)
        return overwritten if rewritten is None else rewritten.encode("latin-1")
    return overwritten


def _without(value: bytes, known: Sequence[bytes], filler: bytes) -> bytes:
    for each in known:
        value = value.replace(each, filler * len(each))
    return value


def _pieces(
    found: Sequence[DataSet], tables: Sequence[EventTable], segments: Sequence[list[tuple[int, _Segment]]]
) -> list[_Piece]:
    pieces = []
    for data_set, table, texts in zip(found, tables, segments, strict=True):
        pieces.append(_Piece(data_set.base, HEADER_BYTES))
        pieces += [_Piece(first, len(text.content), text.content) for first, text in texts]
        first, length = _data_of(table)
        pieces += [_Piece(first, length)] if length else []
    pieces.sort(key=lambda piece: piece.first)
    for before, after in pairwise(pieces):
        if before.first + before.length > after.first:
            raise ReadError(
                f"two segments overlap at byte {after.first:,}, so that scrubbing one would change the other",
                code="E150",
                hint="export the file again from the acquisition software, then scrub it",
            )
    return pieces


def _data_of(table: EventTable) -> tuple[int, int]:
    source = table.source
    if isinstance(source, DataSource):
        return source.first, source.n_events * source.layout.event_bytes
    if isinstance(source, TextSource):
        return source.first, source.length
    raise TypeError(f"an FCS file has no {type(source).__name__}")


def _write(handle: BinaryIO, out: BinaryIO, pieces: Sequence[_Piece], length: int) -> None:
    """Write the pieces where they stood, with blanks between them."""
    for piece in pieces:
        _blank(out, piece.first - out.tell())
        if piece.content is not None:
            out.write(piece.content)
            continue
        handle.seek(piece.first)
        for start in range(0, piece.length, CHUNK):
            out.write(handle.read(min(CHUNK, piece.length - start)))
    _blank(out, length - out.tell())


def _blank(out: BinaryIO, length: int) -> None:
    for start in range(0, length, CHUNK):
        out.write(b" " * min(CHUNK, length - start))


def _temporary(copy: Path) -> Path:
    descriptor, name = tempfile.mkstemp(prefix=".scrub-", suffix=copy.suffix, dir=copy.parent)
    os.close(descriptor)
    return Path(name)


def _check_same(before: Sequence[EventTable], after: Sequence[EventTable]) -> None:
    """Raise unless both read the same channels and the same bytes of events."""
    same = len(before) == len(after) and all(
        one.channels == other.channels and one.n_events == other.n_events and _data_of(one) == _data_of(other)
        for one, other in zip(before, after, strict=False)
    )
    if not same or any(_events_sha256(one) != _events_sha256(other) for one, other in zip(before, after, strict=True)):
        raise ReadError(
            "the scrubbed copy would not read the same, so none was written",
            code="E151",
            hint="export the file again from the acquisition software as FCS 3.1, then scrub it",
        )


def _events_sha256(table: EventTable) -> str:
    first, length = _data_of(table)
    assert table.path is not None
    with table.path.open("rb") as handle:
        handle.seek(first)
        return _digest(handle, length)


def _sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return _digest(handle, path.stat().st_size)


def _digest(handle: BinaryIO, length: int) -> str:
    digest = hashlib.sha256()
    for start in range(0, length, CHUNK):
        digest.update(handle.read(min(CHUNK, length - start)))
    return digest.hexdigest()


def _unique(names: Iterator[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
