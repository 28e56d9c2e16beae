"""A copy of an FCS file without what may identify a person, its events untouched to the bit.

Nothing moves: what is removed is overwritten by as many characters, so that every offset stays true. HEADER's offsets
and DATA are copied; of TEXT and supplemental TEXT the keywords whose values have the form that ``identity`` lists.
Removed words are looked for in the names that stay, over all segments and data sets of the file. ANALYSIS, undeclared
gaps (Coulter's acquisition protocol lies in one) and the CRC are blanked. The copy is read again before it gets its
name.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct
from msgspec.structs import replace

from cytocar.errors.tree import ReadError
from cytocar.fcs.data_sets import DataSet, read_data_sets
from cytocar.fcs.decode import DataSource, TextSource
from cytocar.fcs.events import Channel, EventTable
from cytocar.fcs.reader import list_data_sets
from cytocar.fcs.scrub.dates import Dates, rewrite_date
from cytocar.fcs.scrub.identity import (
    Role,
    is_standard,
    role,
    unfamiliar_words,
    without_record_numbers,
    without_strange_words,
    without_words,
    words_of,
)
from cytocar.fcs.segments import HEADER_BYTES, claim, whole_number
from cytocar.fcs.text import split_pairs
from cytocar.files.places import Place, readable

CHUNK = 1 << 20
"""Bytes copied at once: it changes no byte of the copy."""


class ScrubRule(Struct, frozen=True):
    """What to keep: dates as ``dates`` says, and the keywords ``keep`` (upper case), whatever they hold.

    ``hide`` are words (lower case) that are overwritten wherever they stand in what stays.
    """

    dates: Dates = Dates.YEAR
    shift_days: int = 0
    keep: frozenset[str] = frozenset()
    hide: frozenset[str] = frozenset()


class Scrubbed(Struct, frozen=True):
    """What was done to one file: names of keywords, never their values.

    ``unfamiliar`` are words of the copy's channel labels that are in no list of markers and dyes.
    """

    source: Path
    copy: Path
    events: int
    removed: tuple[str, ...]
    source_sha256: str
    copy_sha256: str
    unfamiliar: tuple[str, ...] = ()


class _Piece(Struct, frozen=True):
    """Bytes of the file that stay: as they are (``content`` None) or rewritten."""

    first: int
    length: int
    content: bytes | None = None


class _Text(Struct, frozen=True):
    """A TEXT segment: its first byte in the file, its bytes, its delimiter, and ``$PAR``."""

    first: int
    content: bytes
    mark: bytes
    channels: int


class _Segment(Struct, frozen=True):
    """A TEXT segment rewritten, with the names of the keywords that were."""

    first: int
    content: bytes
    removed: tuple[str, ...]


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
        data_sets = list(read_data_sets(handle))
        segments = _scrub_texts(handle, data_sets, rule)
        pieces = _pieces(data_sets, tables, segments)
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
    return Scrubbed(
        source=path,
        copy=copy,
        events=sum(table.n_events for table in tables),
        removed=_unique(name for segment in segments for name in segment.removed),
        source_sha256=_sha256(path),
        copy_sha256=digest,
        unfamiliar=unfamiliar_words(pair for table in list_data_sets(copy) for pair in table.keywords.items()),
    )


def identifying(path: Place, rule: ScrubRule) -> tuple[str, ...]:
    """Return the names of the keywords of a file that scrubbing by this rule would still change."""
    with readable(path), path.open("rb") as handle:
        segments = _scrub_texts(handle, list(read_data_sets(handle)), rule)
    return _unique(name for segment in segments for name in segment.removed)


def _scrub_texts(handle: BinaryIO, data_sets: Sequence[DataSet], rule: ScrubRule) -> list[_Segment]:
    """Return every TEXT and supplemental TEXT of a file, scrubbed.

    Words that one segment loses are looked for in all of them.
    """
    texts = [text for each in data_sets for text in _texts(handle, each)]
    words = rule.hide | words_of(value for text in texts for value in _removed_values(text, rule))
    return [scrub_text(text, rule, words) for text in texts]


def _texts(handle: BinaryIO, data_set: DataSet) -> Iterator[_Text]:
    keywords, mark = data_set.text.keywords, data_set.text.delimiter
    channels = whole_number(keywords.get("$PAR", "")) or 0
    places = [(data_set.base + data_set.header.text.first, data_set.text.length)]
    extra = claim("TEXT", keywords.get("$BEGINSTEXT", ""), keywords.get("$ENDSTEXT", ""))
    if extra is not None and extra.first != data_set.header.text.first and data_set.text.has_supplement:
        places.append((data_set.base + extra.first, extra.length))
    for first, length in places:
        handle.seek(first)
        yield _Text(first, handle.read(length), mark, channels)


def _removed_values(text: _Text, rule: ScrubRule) -> Iterator[str]:
    """Yield the keys and values of a segment that go as a whole."""
    for pair in split_pairs(text.content, text.mark)[0]:
        key = text.content[pair.key].decode("latin-1").strip().upper()
        value = text.content[pair.value].decode("latin-1")
        if key not in rule.keep and role(key, value, channels=text.channels) is Role.REMOVED:
            yield value


def scrub_text(text: _Text, rule: ScrubRule, words: frozenset[str]) -> _Segment:
    """Return a TEXT segment of the same length without the values, and unknown keys, that may identify a person.

    Examples
    --------
    >>> text = _Text(58, b"/$SRC/Jane Doe/$PAR/2/MRN/4711/$P1S/CD3 jane/", b"/", 2)
    >>> scrub_text(text, ScrubRule(), words_of(["Jane Doe", "4711"])).content
    b'/$SRC/xxxxxxxx/$PAR/2/xxx/xxxx/$P1S/CD3 xxxx/'
    """
    filler = "x" if text.mark != b"x" else "-"
    content = bytearray(text.content)
    pairs, rest = split_pairs(text.content, text.mark)
    content[rest] = b" " * len(content[rest])
    removed = []
    for pair in pairs:
        key = text.content[pair.key].decode("latin-1")
        value = text.content[pair.value].decode("latin-1")
        name = key.strip().upper()
        if name in rule.keep:
            continue
        kind = role(name, value, channels=text.channels)
        new = _new_value(name, value, kind, rule=rule, filler=filler, words=words)
        new_key = filler * len(key) if kind is Role.REMOVED and not is_standard(name) else key
        content[pair.key], content[pair.value] = new_key.encode("latin-1"), new.encode("latin-1")
        if (new_key, new) != (key, value):
            removed.append(name)
    return _Segment(text.first, bytes(content), tuple(removed))


def _new_value(key: str, value: str, kind: Role, *, rule: ScrubRule, filler: str, words: frozenset[str]) -> str:
    """Return the value that stands in the copy, of the same length."""
    overwritten = filler * len(value)
    if kind is Role.KEPT or not value.strip():
        return value
    if kind is Role.LABEL:
        return without_record_numbers(without_words(value, words, filler), filler)
    if kind is Role.NAME:
        return without_words(value, words, filler)
    if kind is Role.INSTRUMENT:
        return without_words(without_strange_words(value, filler), words, filler)
    if kind is Role.DATE:
        rewritten = rewrite_date(value, dates=rule.dates, shift_days=rule.shift_days)
        return overwritten if rewritten is None else rewritten
    return overwritten


def _pieces(data_sets: Sequence[DataSet], tables: Sequence[EventTable], segments: Sequence[_Segment]) -> list[_Piece]:
    pieces = [_Piece(segment.first, len(segment.content), segment.content) for segment in segments]
    for data_set, table in zip(data_sets, tables, strict=True):
        pieces.append(_Piece(data_set.base, HEADER_BYTES))
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
    """Raise unless both read the same channels, their names aside, and the same bytes of events."""
    same = len(before) == len(after) and all(
        _nameless(one) == _nameless(other) and one.n_events == other.n_events and _data_of(one) == _data_of(other)
        for one, other in zip(before, after, strict=False)
    )
    if not same or any(_events_sha256(one) != _events_sha256(other) for one, other in zip(before, after, strict=True)):
        raise ReadError(
            "the scrubbed copy would not read the same, so none was written",
            code="E151",
            hint="export the file again from the acquisition software as FCS 3.1, then scrub it",
        )


def _nameless(table: EventTable) -> list[Channel]:
    return [replace(channel, detector="", marker=None) for channel in table.channels]


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
