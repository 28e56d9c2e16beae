"""Where the segments of a data set lie: HEADER, TEXT and, where the two disagree about it, DATA.

Offsets in real files are wrong more often than ``$TOT`` is, so the length decides: DATA is where ``$TOT`` events fit
exactly. Each rule below names the file that taught it; the files are public (FlowIO, fcsparser, ISAC reference set).
"""

from __future__ import annotations

import re
from typing import BinaryIO

from msgspec import Struct
from msgspec.structs import replace

from cytocar.errors.findings import Finding, Severity
from cytocar.errors.tree import ReadError

HEADER_BYTES = 58
"""FCS 3.1, section 3.1: version, four blanks, six offsets of eight characters."""

CRC_BYTES = 8
"""FCS 3.1, section 3.6: what may follow the last segment."""

LARGEST_IN_HEADER = 99_999_999
"""A field of HEADER has eight digits (FCS 3.1, 3.1)."""
DISK_BLOCK = 512
"""Bytes: what is left over of DATA and shorter than a block of a disk is padding."""
LARGEST = 1 << 62
"""No file is longer, and no offset beyond it can be sought."""

_SIGNATURE = re.compile(rb"FCS\d\.\d")


class Claim(Struct, frozen=True):
    """What HEADER or TEXT says about a segment: first and last byte, counted from the start of the data set."""

    source: str
    first: int
    last: int

    @property
    def length(self) -> int:
        """Bytes from first to last, both included."""
        return self.last - self.first + 1


class Header(Struct, frozen=True):
    """The first 58 bytes of a data set. A segment that HEADER does not place (blank or 0) is None."""

    version: str
    text: Claim
    data: Claim | None
    analysis: Claim | None


class Place(Struct, frozen=True):
    """Where DATA was found, how many events it holds, and what had to be said about it."""

    first: int
    n_events: int
    layout: int
    findings: tuple[Finding, ...] = ()


def whole_number(text: str) -> int | None:
    """Return the whole number that an FCS value spells, or None where it spells none that a file could mean.

    Blank and zero padding are common, and FCS 2.0 files of one vendor write ``1280F`` (``float-1_event.fcs``).

    Examples
    --------
    >>> [whole_number(text) for text in ("  1280F", "0000000000036123", "118   ", "1024.0", "", "-1", "1e3")]
    [1280, 36123, 118, 1024, None, None, 1000]
    """
    spelled = re.match(r"\s*(\d{1,30})(?:\.0*)?(?:[eE]\+?(\d{1,2}))?", text)
    if spelled is None:
        return None
    value = int(spelled[1]) * int(10 ** int(spelled[2] or 0))
    return value if value < LARGEST else None


def claim(source: str, first: str, last: str) -> Claim | None:
    """Return the segment that two spelled offsets name, or None where they name none."""
    begin, end = whole_number(first), whole_number(last)
    if begin is None or end is None or begin == 0 or end < begin - 1:
        return None
    return Claim(source, begin, end)


def read_header(handle: BinaryIO, base: int) -> Header:
    """Return the HEADER of the data set that starts at byte ``base``.

    Raises
    ------
    ReadError
        If the bytes are not an FCS HEADER (E012) or do not say where TEXT lies (E013).
    """
    handle.seek(base)
    raw = handle.read(HEADER_BYTES)
    if not _SIGNATURE.match(raw):
        raise ReadError(
            f"not an FCS file: it starts with {raw[:6].decode('latin-1')!r} instead of a version such as 'FCS3.1'",
            code="E012",
            hint="check that this is the file the cytometer exported, and not a table, a workspace or a report",
        )
    fields = [raw[start : start + 8].decode("latin-1") for start in range(10, HEADER_BYTES, 8)]
    fields += [""] * (6 - len(fields))
    text = claim("HEADER", fields[0], fields[1])
    if text is None or text.length < 2:
        raise ReadError(
            f"HEADER does not say where TEXT lies (it says {fields[0]!r} to {fields[1]!r})",
            code="E013",
            hint="the file is damaged: export it again from the acquisition software, or copy it again",
        )
    return Header(
        version=raw[:6].decode("ascii"),
        text=text,
        data=claim("HEADER", fields[2], fields[3]) or _start_alone(fields[2], fields[3]),
        analysis=claim("HEADER", fields[4], fields[5]),
    )


def _start_alone(first: str, last: str) -> Claim | None:
    """Return a claim of no length where HEADER says where DATA begins, and an end before that."""
    begin, end = whole_number(first), whole_number(last)
    return Claim("HEADER", begin, begin - 1) if begin and end else None


def read_segment(handle: BinaryIO, base: int, where: Claim, *, name: str, limit: int) -> bytes:
    """Return a segment's bytes.

    Raises
    ------
    ReadError
        If the file ends before the segment does, or the segment is longer than ``limit`` (E014).
    """
    if where.length > limit:
        raise ReadError(
            f"{name} would be {where.length:,} bytes long (bytes {where.first:,} to {where.last:,})",
            code="E014",
            hint="the offsets are damaged: export the file again from the acquisition software, or copy it again",
        )
    handle.seek(base + where.first)
    segment = handle.read(where.length)
    if len(segment) < where.length:
        raise ReadError(
            f"the file ends inside {name} ({len(segment):,} of {where.length:,} bytes are there)",
            code="E014",
            hint="the file was cut short: copy it again from the cytometer's computer",
        )
    return segment


class Question(Struct, frozen=True):
    """All that decides where DATA lies.

    Parameters
    ----------
    claims : tuple of Claim
        What HEADER and TEXT say.
    declared_events : int, optional
        ``$TOT``.
    sizes : tuple of int
        Bytes of one event, for each way in which events may be stored; the declared way first.
    text : Claim
        Where TEXT lies, which DATA cannot overlap.
    available : int
        Bytes from the start of the data set to the end of the file.
    may_be_padded : bool
        Whether nothing else speaks for events that are longer than declared.
    """

    claims: tuple[Claim, ...]
    declared_events: int | None
    sizes: tuple[int, ...]
    text: Claim
    available: int
    may_be_padded: bool = True

    def fits(self, first: int, length: int) -> bool:
        """Whether bytes of that length lie inside the file and outside TEXT."""
        outside_text = first > self.text.last or first + length <= self.text.first
        return first + length <= self.available and (outside_text or length == 0)

    def ends_file(self, end: int) -> bool:
        """Whether nothing but a CRC follows that byte."""
        return self.available - end in (0, CRC_BYTES)


def locate_data(question: Question) -> Place:
    """Where DATA lies and how many events it holds.

    Rules, in order:

    1. The claim whose length is exactly ``$TOT`` events, or one byte more (an end given as the byte after the last),
       wins, whichever of HEADER and TEXT makes it: HEADER is right in ``int-10_events_8_parameters.fcs``, TEXT in
       ``int-10000_events_random.fcs``. Where both fit at different places (BD Accuri), the one that ends with the
       file, else HEADER.
    2. The declared bits are tried first, then values stored in the next wider word (10 bits in 16).
    3. Without ``$TOT`` (optional in FCS 2.0) the length of DATA gives the number of events, if it divides evenly and
       HEADER and TEXT do not contradict each other.
    4. DATA that is longer by less than a disk block (512 bytes), and by no whole number of events, is padded. HEADER
       and TEXT must agree on it, and TEXT must not describe more channels than ``$PAR`` counts.
    5. DATA whose end cannot be is accepted where ``$TOT`` events end exactly with the file (or its CRC): an end equal
       to the start (Intellicyt iQue), an end of 99,999,999 (FlowJo beyond 100 MB), or one that leaves part of an event.
       So is an end that lost the digits above its eighth.

    Raises
    ------
    ReadError
        If no claim is there (E018), the file is cut short (E018), or nothing fits ``$TOT`` (E019).
    """
    if not question.claims:
        if question.declared_events == 0:
            return Place(first=question.text.last + 1, n_events=0, layout=0)
        raise ReadError(
            "neither HEADER nor TEXT says where DATA lies",
            code="E018",
            hint="the file holds no events that can be found: export it again from the acquisition software",
        )
    if question.declared_events:
        place = _exactly(question, question.declared_events) or _nearly(question, question.declared_events)
    else:
        place = _by_length(question)
    if place is None:
        raise _refusal(question)
    return place


def _exactly(question: Question, events: int) -> Place | None:
    for surplus in (0, 1):
        for layout, event_bytes in enumerate(question.sizes):
            needed = events * event_bytes
            fitting = [
                place
                for place in question.claims
                if place.length == needed + surplus and question.fits(place.first, needed)
            ]
            if fitting:
                ending = [place for place in fitting if question.ends_file(place.first + needed)]
                chosen = (ending or fitting)[0]
                return Place(chosen.first, events, layout, _said(question, chosen))
    return None


def _nearly(question: Question, events: int) -> Place | None:
    event_bytes = question.sizes[0]
    needed = events * event_bytes
    for place in question.claims:
        if not question.fits(place.first, needed):
            continue
        end = place.first + needed
        impossible = place.length <= 1 or place.last == LARGEST_IN_HEADER or place.length % event_bytes
        lost_digits = end - 1 > LARGEST_IN_HEADER and (end - 1 - place.last) % (LARGEST_IN_HEADER + 1) == 0
        if lost_digits or (impossible and question.ends_file(end)):
            return Place(place.first, events, 0, (_wrong_end(place, needed), *_said(question, place)))
        agreed = all((other.first, other.length) == (place.first, place.length) for other in question.claims)
        padded = 0 < place.length - needed < DISK_BLOCK and place.length % event_bytes
        if padded and agreed and len(question.claims) > 1 and question.may_be_padded:
            return Place(place.first, events, 0, (_padding(place, needed), *_said(question, place)))
    return None


def _by_length(question: Question) -> Place | None:
    for layout, event_bytes in enumerate(question.sizes):
        counted = [
            Place(place.first, place.length // event_bytes, layout, _said(question, place))
            for place in question.claims
            if place.length % event_bytes <= 1 and question.fits(place.first, place.length // event_bytes * event_bytes)
        ]
        if len({(place.first, place.n_events) for place in counted}) == 1:  # two answers are none
            chosen = counted[0]
            silent = chosen.n_events == 0 and question.declared_events == 0
            notes = () if silent else (_no_total(question, chosen.n_events),)
            return replace(chosen, findings=(*notes, *chosen.findings))
    return None


def _said(question: Question, chosen: Claim) -> tuple[Finding, ...]:
    others = [
        other
        for other in question.claims
        if other.first != chosen.first or abs(other.length - chosen.length) > 1  # an end one too far is everyday
    ]
    return tuple(
        Finding(
            check="read",
            code="W202",
            outcome=Severity.REVIEW if _as_likely(question, other, chosen) else Severity.NOTE,
            message=f"{other.source} places DATA at {other.first:,} to {other.last:,}; read from {chosen.source}, "
            f"{chosen.first:,} to {chosen.last:,}, because that length fits the number of events",
        )
        for other in others
    )


def _as_likely(question: Question, other: Claim, chosen: Claim) -> bool:
    """True if only the end of the other claim need be damaged: as many bytes could begin where it begins.

    One damaged byte in HEADER left a CyAn file with an end before its start; TEXT placed DATA 46 bytes too far.
    """
    return other.length == 0 and other.first != chosen.first and question.fits(other.first, chosen.length)


def _padding(place: Claim, needed: int) -> Finding:
    return Finding(
        check="read",
        code="W203",
        outcome=Severity.NOTE,
        message=f"DATA is said to be {place.length:,} bytes long, $TOT events take {needed:,}; the rest is padding",
    )


def _wrong_end(place: Claim, needed: int) -> Finding:
    return Finding(
        check="read",
        code="W202",
        outcome=Severity.NOTE,
        message=f"{place.source} ends DATA at byte {place.last:,}, which cannot be; $TOT events take {needed:,} bytes",
    )


def _no_total(question: Question, events: int) -> Finding:
    missing = question.declared_events is None
    return Finding(
        check="read",
        code="W204",
        outcome=Severity.NOTE if missing else Severity.REVIEW,
        message=f"$TOT is {'missing' if missing else '0'}; the length of DATA gives {events:,} events",
    )


def _refusal(question: Question) -> ReadError:
    event_bytes = question.sizes[0]
    beyond = [place for place in question.claims if place.last >= question.available + 1]
    if beyond:
        place = beyond[0]
        there = max(0, question.available - place.first)
        events = question.declared_events or place.length // event_bytes
        return ReadError(
            f"the file is cut short: DATA should end at byte {place.last:,}, the file ends at {question.available:,} "
            f"({there // event_bytes:,} of {events:,} events are there)",
            code="E018",
            hint="copy the file again from the cytometer's computer; a part of its events would give a wrong count",
        )
    lengths = ", ".join(f"{place.source} gives {place.length:,} bytes" for place in question.claims)
    wanted = (
        f"{question.declared_events:,} events of {event_bytes:,} bytes need {question.declared_events * event_bytes:,}"
        if question.declared_events
        else f"one event takes {event_bytes:,} bytes"
    )
    return ReadError(
        f"the length of DATA and the number of events disagree: {wanted}, {lengths}",
        code="E019",
        hint="the file cannot be read for certain: export it again from the acquisition software",
    )
