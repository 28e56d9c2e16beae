"""``open_fcs``: the one way into an FCS file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from cytocar.errors import ReadError
from cytocar.events import EventSource, EventTable
from cytocar.fcs.channels import Description, describe_channels
from cytocar.fcs.decode import DataSource, Stored, TextSource, layout_of
from cytocar.fcs.segments import (
    Claim,
    Header,
    Question,
    claim,
    locate_data,
    read_header,
    read_segment,
    whole_number,
)
from cytocar.fcs.text import MAXIMUM_BYTES, Text, flowio_objection, parse_text
from cytocar.findings import Finding, Outcome


def open_fcs(path: str | Path, *, data_set: int | None = None) -> EventTable:
    """Return the events of an FCS file as a table that decodes only what it is asked for.

    HEADER and TEXT are read now; DATA only when columns are asked for.

    Parameters
    ----------
    path : str or Path
        An FCS 2.0, 3.0, 3.1 or 3.2 list-mode file.
    data_set : int, optional
        Which data set of the file, from 1. Default: the first.

    Raises
    ------
    ReadError
        If the file cannot be read correctly (E010 to E022).
    """
    path = Path(path)
    try:
        with path.open("rb") as handle:
            size = handle.seek(0, os.SEEK_END)
            if size == 0:
                raise ReadError(
                    "the file is empty (0 bytes)",
                    code="E011",
                    hint="nothing was acquired or copied: copy the file again from the cytometer's computer",
                )
            return _table(path, _read(handle, 0, 1), size)
    except OSError as why:
        raise ReadError(
            f"{path.name} cannot be opened: {why.strerror or why}",
            code="E010",
            hint="check the name, and that you may read the file",
        ) from why


@dataclass(frozen=True, slots=True)
class _DataSet:
    """HEADER and TEXT of one data set, as read."""

    number: int
    base: int
    header: Header
    text: Text


def _read(handle: BinaryIO, base: int, number: int) -> _DataSet:
    header = read_header(handle, base)
    segment = read_segment(handle, base, header.text, name="TEXT", limit=MAXIMUM_BYTES)
    text = parse_text(segment)
    return _DataSet(number, base, header, _with_supplement(handle, base, header, text))


def _with_supplement(handle: BinaryIO, base: int, header: Header, text: Text) -> Text:
    """Return TEXT with the keywords of supplemental TEXT, which add but never replace (FCS 3.1, section 3.2.3)."""
    where = claim("TEXT", text.keywords.get("$BEGINSTEXT", ""), text.keywords.get("$ENDSTEXT", ""))
    if where is None or where.length < 2 or where.first == header.text.first:
        return text
    try:
        more = parse_text(read_segment(handle, base, where, name="supplemental TEXT", limit=MAXIMUM_BYTES))
    except ReadError as why:
        return Text(text.keywords, (*text.repairs, f"supplemental TEXT left out: {why.message}"))
    return Text({**more.keywords, **text.keywords}, (*text.repairs, *more.repairs))


def _table(path: Path, found: _DataSet, size: int) -> EventTable:
    keywords = found.text.keywords
    description = describe_channels(keywords)
    source, findings = _source(path, found, description, size)
    repairs = [Finding("read", "W210", Outcome.NOTE, repair) for repair in found.text.repairs]
    objection = flowio_objection(path, found.base, keywords)
    if objection is not None:
        repairs.append(
            Finding("read", "W201", Outcome.NOTE, f"TEXT was read by cytocar's own rules: FlowIO {objection}")
        )
    if source.n_events == 0:
        repairs.append(Finding("read", "W213", Outcome.REVIEW, "the file holds no events"))
    return EventTable(
        source=source,
        channels=description.channels,
        keywords=keywords,
        path=path,
        data_set=found.number,
        version=found.header.version,
        findings=(*repairs, *findings, *description.findings),
    )


def _source(
    path: Path, found: _DataSet, description: Description, size: int
) -> tuple[EventSource, tuple[Finding, ...]]:
    keywords = found.text.keywords
    in_text = claim("TEXT", keywords.get("$BEGINDATA", ""), keywords.get("$ENDDATA", ""))
    claims = tuple(place for place in (found.header.data, in_text) if place is not None)
    total = whole_number(keywords.get("$TOT", ""))
    if description.stored is Stored.ASCII:
        return _text_source(path, found, description, claims, size), ()
    layouts = [layout_of(fields) for fields in description.layouts]
    place = locate_data(
        Question(
            claims=claims,
            declared_events=total,
            sizes=tuple(layout.event_bytes for layout in layouts),
            text=found.header.text,
            available=size - found.base,
        )
    )
    padded: tuple[Finding, ...] = ()
    if place.layout > 0:
        bits = sorted({channel.bits for channel in description.channels})
        said = f"values of {', '.join(map(str, bits))} bits are stored in wider words, as the length of DATA shows"
        padded = (Finding("read", "W205", Outcome.NOTE, said),)
    source = DataSource(path, found.base + place.first, place.n_events, layouts[place.layout])
    return source, (*place.findings, *padded)


def _text_source(
    path: Path, found: _DataSet, description: Description, claims: tuple[Claim, ...], size: int
) -> TextSource:
    total = whole_number(found.text.keywords.get("$TOT", ""))
    inside = [place for place in claims if found.base + place.last <= size]
    if not inside or total is None:
        raise ReadError(
            "DATA is written as text, and HEADER and TEXT do not say where it lies and how many events it holds",
            code="E018",
            hint="the file is cut short or damaged: copy it again",
        )
    place = inside[0]
    source = TextSource(path, found.base + place.first, place.length, total, description.widths, description.channels)
    return source
