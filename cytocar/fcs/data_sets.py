"""The data sets of one file: reading HEADER and TEXT of each, and telling which of them hold the same events.

``$NEXTDATA`` chains data sets. A Coulter LMD file holds one acquisition twice, as FCS 2.0 with 10 bits and as FCS 3.0
with 20 (``coulter.lmd``); a Guava file holds a well in each. The first must not be counted twice, the second not once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
from msgspec import Struct
from msgspec.structs import replace

from cytocar.errors.tree import ReadError
from cytocar.fcs.events import EventTable
from cytocar.fcs.segments import Claim, Header, claim, read_header, read_segment, whole_number
from cytocar.fcs.text import MAXIMUM_BYTES, Text, parse_text

MAXIMUM_DATA_SETS = 4096
"""In one file: a chain that is longer leads in a circle or nowhere; two plates of 384 wells are far below it."""
COMPARED_EVENTS = 8192
"""Of either data set, to tell a second copy of the same events: more take longer."""
FEWEST_EVENTS = 20
"""With fewer events a rank correlation proves nothing."""

SAME_EVENTS = 0.98
"""Rank correlation of one channel at two resolutions. Scatter gives 1.00 in ``coulter.lmd``; chance stays below 0.1."""


NEIGHBOURS = 4
"""Acquisitions before it that a data set is compared with. Instruments write the resolutions of one acquisition one
after the other; comparing each data set with all others took 22 s for 400 of them in 262 kB."""


class DataSet(Struct, frozen=True):
    """HEADER and TEXT of one data set: ``number`` counts from 1, ``base`` is its first byte in the file."""

    number: int
    base: int
    header: Header
    text: Text


class Acquisition(Struct, frozen=True):
    """The data sets that hold the same events; ``finest`` is the one to read."""

    finest: EventTable
    others: tuple[EventTable, ...] = ()


def says_it_is_alone(handle: BinaryIO) -> bool:
    """True if TEXT says in so many words that no data set follows: ``$NEXTDATA`` once, and it is zero.

    Most files do, and need not be parsed to learn it; any other may have a chain, which ``read_data_sets`` follows.

    Raises
    ------
    ReadError
        If HEADER cannot be read, or TEXT is not there (E012 to E014).
    """
    header = read_header(handle, 0)
    segment = read_segment(handle, 0, header.text, name="TEXT", limit=MAXIMUM_BYTES).upper()
    mark = re.escape(segment[:1])
    zero = re.search(mark + rb"\$NEXTDATA" + mark + rb"\s*0+\s*" + mark, segment)
    return zero is not None and segment.count(b"$NEXTDATA") == 1


def read_data_sets(handle: BinaryIO) -> Iterator[DataSet]:
    """Yield HEADER and TEXT of every data set, in the order of the chain.

    Raises
    ------
    ReadError
        If HEADER or TEXT of a data set cannot be read (E012 to E014). The ones before it have been yielded.
    """
    base = 0
    for number in range(1, MAXIMUM_DATA_SETS + 1):
        header = read_header(handle, base)
        text = _read_text(handle, base, header)
        yield DataSet(number, base, header, text)
        following = _next_base(handle, base, text)
        if following is None:
            return
        base = following
    raise ReadError(
        f"the file chains more than {MAXIMUM_DATA_SETS:,} data sets",
        code="E014",
        hint="the file is damaged: export it again from the acquisition software",
    )


def _next_base(handle: BinaryIO, base: int, text: Text) -> int | None:
    """Where the next data set starts; ``$NEXTDATA`` counts from this one's start, in some files from the file's.

    Zero means that this is the last one. An offset that leads to no HEADER is ignored: the data set before it is whole.
    """
    step = whole_number(text.keywords.get("$NEXTDATA", "")) or 0
    for place in (base + step, step):
        if step and place > base:
            handle.seek(place)
            if handle.read(3) == b"FCS":
                return place
    return None


def _read_text(handle: BinaryIO, base: int, header: Header) -> Text:
    segment = read_segment(handle, base, header.text, name="TEXT", limit=MAXIMUM_BYTES)
    text = parse_text(segment)
    where = claim("TEXT", text.keywords.get("$BEGINSTEXT", ""), text.keywords.get("$ENDSTEXT", ""))
    if where is None or where.length < 2 or where.first == header.text.first:
        return text
    return _with_supplement(handle, base, where, text)


def _with_supplement(handle: BinaryIO, base: int, where: Claim, text: Text) -> Text:
    """Return TEXT with the keywords of supplemental TEXT, which add but never replace (FCS 3.1, section 3.2.3).

    Its delimiter may be another one, it may start without any (Bio-Rad, FlowCal's issue 247), and may be no text at all
    (``cyflow_cube_8.fcs`` keeps a ZIP archive there); then it is left out.
    """
    try:
        segment = read_segment(handle, base, where, name="supplemental TEXT", limit=MAXIMUM_BYTES)
        more = parse_text(segment, delimiter=_delimiter_of(segment) or text.delimiter)
    except ReadError as why:
        return text.with_repair(f"supplemental TEXT left out: {why.message}")
    return replace(
        text,
        keywords={**more.keywords, **text.keywords},
        repairs=(*text.repairs, *more.repairs),
        has_supplement=True,
    )


def _delimiter_of(segment: bytes) -> bytes | None:
    """Return the delimiter of supplemental TEXT where it has one of its own: it begins and ends with it.

    >>> _delimiter_of(b"!$P1S!CD3!"), _delimiter_of(b"$P1S/CD3/")
    (b'!', None)
    """
    text = segment.strip(b" \x00\r\n")
    first = text[:1]
    return first if len(text) > 1 and first == text[-1:] and not first.isalnum() and first != b"$" else None


def group_acquisitions(tables: Sequence[EventTable]) -> tuple[Acquisition, ...]:
    """Return the acquisitions in the order of their first data set."""
    groups: list[list[EventTable]] = []
    for table in tables:
        group = next((group for group in groups[-NEIGHBOURS:] if same_events(group[0], table)), None)
        if group is None:
            groups.append([table])
        else:
            group.append(table)
    return tuple(_acquisition(group) for group in groups)


def _acquisition(group: list[EventTable]) -> Acquisition:
    finest = max(group, key=_resolution)  # the first one where they are equal
    return Acquisition(finest, tuple(table for table in group if table is not finest))


def _resolution(table: EventTable) -> float:
    return max(channel.range for channel in table.channels)


def same_events(one: EventTable, other: EventTable) -> bool:
    """True if two data sets hold the same events at two resolutions.

    They must have as many events, another resolution, and a channel whose order of events is the same in both. A clock
    or a constant is no proof.
    """
    if one.n_events != other.n_events or one.n_events < FEWEST_EVENTS or _resolution(one) == _resolution(other):
        return False
    left, right = _ranks(one), _ranks(other)
    if left.shape[1] == 0 or right.shape[1] == 0:
        return False
    correlation = np.corrcoef(left, right, rowvar=False)[: left.shape[1], left.shape[1] :]
    return bool((correlation >= SAME_EVENTS).any())


def _ranks(table: EventTable) -> npt.NDArray[np.float64]:
    """Return the ranks of the first events, ties averaged, of the channels that are no clock and no constant."""
    block = next(iter(islice(table.blocks(COMPARED_EVENTS), 1)))
    columns = [block.column(channel.index) for channel in table.channels]
    telling = [column for column in columns if (np.diff(column) < 0).any()]
    if not telling:
        return np.empty((block.n_events, 0))
    return np.column_stack([_average_ranks(column) for column in telling])


def _average_ranks(column: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    _, place, count = np.unique(column, return_inverse=True, return_counts=True)
    ends = np.cumsum(count)
    return np.asarray((ends - (count - 1) / 2)[place.reshape(-1)])
