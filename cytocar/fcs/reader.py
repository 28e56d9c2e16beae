"""``open_fcs``: the one way into an FCS file.

HEADER and TEXT of every data set are read (``data_sets``), the right one is chosen, its channels described
(``channels``), its DATA found (``segments``); decoding (``decode``) waits until somebody asks for a column.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import BinaryIO

from cytocar.errors.boundary import about
from cytocar.errors.findings import Finding, Severity
from cytocar.errors.tree import ReadError
from cytocar.fcs.channels import Description, describe_channels
from cytocar.fcs.data_sets import DataSet, group_acquisitions, read_data_sets, says_it_is_alone
from cytocar.fcs.decode import DataSource, Stored, TextSource, layout_of
from cytocar.fcs.events import EventSource, EventTable
from cytocar.fcs.segments import Claim, Question, claim, locate_data, whole_number
from cytocar.fcs.text import flowio_objection
from cytocar.files.places import Address, Place, is_there, place_of, require_regular, unreadable


def open_fcs(path: str | Place, *, data_set: int | None = None) -> EventTable:
    """Return the events of an FCS file as a table that decodes only what it is asked for.

    HEADER and TEXT are read now, DATA when columns are asked for.

    Parameters
    ----------
    path : str, Path or Address
        An FCS 2.0, 3.0, 3.1 or 3.2 list-mode file. ``plate.fcs#2`` means its second data set. An address
        (``s3://bucket/day9.fcs``) is read in ranges, with the extra ``cytocar[remote]``.
    data_set : int, optional
        Which data set of the file, from 1. Default: the only one; the finest where all hold the same events (LMD); the
        first, with a finding, where they are different acquisitions.

    Raises
    ------
    ReadError
        If the file cannot be read correctly (E010 to E022, E190, E191), or was cut short in any data set.
    """
    path, numbered = split_data_set(path)
    wanted = numbered if data_set is None else data_set
    with _opened(path) as (handle, size):
        if wanted is not None:
            return _table(path, _numbered(handle, wanted), size)
        return _chosen(*_tables(path, read_data_sets(handle), size))


def samples_in(path: str | Place) -> tuple[int | None, ...]:
    """Return the data sets that are samples of their own, for a file that holds several acquisitions.

    ``(None,)`` for a file with one sample, which ``open_fcs(path)`` opens; else the numbers for ``data_set``, as in
    ``plate.fcs#2``. A damaged data set is a sample too: opening it says why. Histograms are none.

    Raises
    ------
    ReadError
        If the file is no FCS file at all.
    """
    path, numbered = split_data_set(path)
    if numbered is not None:
        return (numbered,)
    with _opened(path) as (handle, size):
        if says_it_is_alone(handle):
            return (None,)
        chain = list(read_data_sets(handle))
        if len(chain) == 1:
            return (None,)
        tables, broken = _tables(path, chain, size, strict=False)
    damaged = [number for number, refusal in broken.items() if refusal.code != HISTOGRAM]
    acquisitions = group_acquisitions(tables)
    if len(acquisitions) == 1 and not damaged:
        return (None,)
    return tuple(sorted([*(each.finest.data_set for each in acquisitions), *damaged]))


def list_data_sets(path: str | Place, *, readable_only: bool = False) -> tuple[EventTable, ...]:
    """Return every data set of a file as a table, whatever they hold.

    Raises
    ------
    ReadError
        If one of them cannot be read; with ``readable_only`` if none can.
    """
    path, numbered = split_data_set(path)
    if numbered is not None:
        return (open_fcs(path, data_set=numbered),)
    with _opened(path) as (handle, size):
        tables, broken = _tables(path, read_data_sets(handle), size, strict=False)
    if broken and not (readable_only and tables):
        raise next(iter(broken.values()))
    return tuple(tables)


def split_data_set(path: str | Place) -> tuple[Place, int | None]:
    """Return a file and the data set that ``file.fcs#2`` names; a file whose own name ends so is itself.

    >>> split_data_set("plate.fcs#2")[1], split_data_set("plate.fcs")[1]
    (2, None)
    """
    place = place_of(path)
    named = re.fullmatch(r"(.+)#([1-9]\d{0,3})", place.url if isinstance(place, Address) else str(place))
    if named is None or is_there(place):
        return place, None
    return place_of(named[1]), int(named[2])


@contextmanager
def _opened(path: Place) -> Iterator[tuple[BinaryIO, int]]:
    """Yield a file and its size in bytes; what is refused inside carries the file's name."""
    with about(path), _handle(path) as opened:
        yield opened


@contextmanager
def _handle(path: Place) -> Iterator[tuple[BinaryIO, int]]:
    try:
        require_regular(path)
        with path.open("rb") as handle:
            size = handle.seek(0, os.SEEK_END)
            if size == 0:
                raise ReadError(
                    f"{path.name} is empty (0 bytes)",
                    code="E011",
                    hint="nothing was acquired or copied: copy the file again from the cytometer's computer",
                )
            yield handle, size
    except OSError as why:
        if isinstance(path, Address) or isinstance(why, FileNotFoundError):
            raise unreadable(path, why) from why
        raise ReadError(
            f"{path.name} cannot be opened: {why.strerror or why}",
            code="E010",
            hint="check the name, and that you may read the file",
        ) from why


def _numbered(handle: BinaryIO, wanted: int) -> DataSet:
    last = 0
    for data_set in read_data_sets(handle):
        if data_set.number == wanted:
            return data_set
        last = data_set.number
    raise ReadError(
        f"there is no data set {wanted}: the file has {last}",
        code="E021",
        hint="run `cytocar inspect FILE` to see its data sets",
    )


CUT_SHORT, HISTOGRAM = "E018", "E017"


def _tables(
    path: Place, chain: Iterable[DataSet], size: int, *, strict: bool = True
) -> tuple[list[EventTable], dict[int, ReadError]]:
    """Return the data sets that can be read, and by their numbers those that cannot.

    With ``strict``, a file whose first data set is damaged, or that was cut short in any of them, is an error: another
    data set must not pass for the one that was meant.
    """
    tables: list[EventTable] = []
    broken: dict[int, ReadError] = {}
    for data_set in chain:
        try:
            tables.append(_table(path, data_set, size))
        except ReadError as error:
            broken[data_set.number] = error
    for number, refusal in broken.items():
        stands_first = not tables or (number < tables[0].data_set and refusal.code != HISTOGRAM)
        if strict and (stands_first or refusal.code == CUT_SHORT):
            raise refusal
    return tables, broken


def _chosen(tables: list[EventTable], broken: dict[int, ReadError]) -> EventTable:
    """Return the table of the first acquisition at its finest, and say what else the file holds."""
    first, *more = group_acquisitions(tables)
    findings = []
    if first.others:
        listed = ", ".join(f"{table.data_set} ({table.version})" for table in first.others)
        message = f"data set {first.finest.data_set} ({first.finest.version}) was read; the same events less finely:"
        findings.append(Finding("read", "W206", Severity.NOTE, f"{message} data set {listed}"))
    if more:
        message = f"the file holds {len(more) + 1} acquisitions, this is the first; the others are data sets"
        others = ", ".join(str(each.finest.data_set) for each in more)
        findings.append(Finding("read", "W207", Severity.REVIEW, f"{message} {others}"))
    for number, error in broken.items():
        message = f"data set {number} of the file cannot be read ({error.code}: {error.message})"
        findings.append(Finding("read", "W216", Severity.REVIEW, message))
    return first.finest.with_findings(*findings)


def _table(path: Place, data_set: DataSet, size: int) -> EventTable:
    """Return one data set as a table.

    Raises
    ------
    ReadError
        If its channels or its DATA cannot be made out.
    """
    try:
        description = describe_channels(data_set.text.keywords)
        source, findings = _source(path, data_set, description, size)
    except ReadError as error:
        if data_set.number > 1:
            error.add_note(
                f"this is data set {data_set.number} of the file; each other one can be opened by its number"
            )
        raise
    repairs = [Finding("read", "W210", Severity.NOTE, repair) for repair in data_set.text.repairs]
    objection = flowio_objection(path, data_set.base, data_set.text.keywords)
    if objection is not None:
        repairs.append(
            Finding("read", "W201", Severity.NOTE, f"TEXT was read by cytocar's own rules: FlowIO {objection}")
        )
    if source.n_events == 0:
        repairs.append(Finding("read", "W213", Severity.REVIEW, "the file holds no events"))
    return EventTable(
        source=source,
        channels=description.channels,
        keywords=data_set.text.keywords,
        path=path,
        data_set=data_set.number,
        version=data_set.header.version,
        findings=(*repairs, *findings, *description.findings),
    )


def _source(
    path: Place, data_set: DataSet, description: Description, size: int
) -> tuple[EventSource, tuple[Finding, ...]]:
    keywords = data_set.text.keywords
    in_text = claim("TEXT", keywords.get("$BEGINDATA", ""), keywords.get("$ENDDATA", ""))
    claims = tuple(place for place in (data_set.header.data, in_text) if place is not None)
    if description.stored is Stored.ASCII:
        return _text_source(path, data_set, description, claims, size), ()
    layouts = [layout_of(fields) for fields in description.layouts]
    text_first = data_set.header.text.first
    place = locate_data(
        Question(
            claims=claims,
            declared_events=whole_number(keywords.get("$TOT", "")),
            sizes=tuple(layout.event_bytes for layout in layouts),
            text=Claim("HEADER", text_first, text_first + data_set.text.length - 1),
            available=size - data_set.base,
            may_be_padded=not description.describes_more,
        )
    )
    fields = description.layouts[place.layout]
    widened = sorted({field.channel.bits for field in fields if field.is_widened})
    padded: tuple[Finding, ...] = ()
    if widened:
        message = (
            f"values of {', '.join(map(str, widened))} bits are stored in wider words, as the length of DATA shows"
        )
        padded = (Finding("read", "W205", Severity.NOTE, message),)
    source = DataSource(path, data_set.base + place.first, place.n_events, layouts[place.layout])
    return source, (*place.findings, *padded)


def _is_whole(path: Place, base: int, place: Claim, *, size: int, needed: int) -> bool:
    """True if DATA that is written as text lies in the file to its last character.

    An end one byte too far is everyday. With numbers of fixed width their count tells it from a byte that is missing;
    else the last character does: behind a digit there could have been another.
    """
    last = base + place.last
    if last < size or last > size:
        return last < size
    if needed:
        return base + place.first + needed <= size
    with path.open("rb") as handle:
        handle.seek(size - 1)
        return not handle.read(1).isdigit()


def _text_source(
    path: Place, data_set: DataSet, description: Description, claims: tuple[Claim, ...], size: int
) -> TextSource:
    total = whole_number(data_set.text.keywords.get("$TOT", ""))
    needed = total * sum(description.widths) if total and description.widths else 0
    inside = [place for place in claims if _is_whole(path, data_set.base, place, size=size, needed=needed)]
    if not inside or total is None:
        raise ReadError(
            "DATA is written as text, and HEADER and TEXT do not say where it lies and how many events it holds",
            code="E018",
            hint="the file is cut short or damaged: copy it again",
        )
    place = inside[0]
    return TextSource(path, data_set.base + place.first, place.length, total, description.widths, description.channels)
