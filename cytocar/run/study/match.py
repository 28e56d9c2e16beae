"""Which FCS file is which sample of a study: by what the study remembers of the file's header, never by name alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from urllib.parse import unquote

from msgspec import Struct

from cytocar.errors.tree import CountingError, SampleError
from cytocar.fcs.events import EventTable
from cytocar.fcs.keywords import acquired_volume
from cytocar.fcs.reader import open_fcs
from cytocar.files.places import Place
from cytocar.template.flowjo.samples import WorkspaceSample


class Match(StrEnum):
    """How sure it is that a file is a sample's."""

    EXACT = "exact"
    LIKELY = "likely"
    AMBIGUOUS = "ambiguous"
    MISSING = "missing"


class Header(Struct, frozen=True, eq=False):
    """What the header of a file says that tells it from others."""

    file: Place
    events: int
    keywords: Mapping[str, str]
    channels: frozenset[str]
    acquired_ul: float | None = None

    @classmethod
    def of(cls, file: Place, table: EventTable) -> Header:
        """Return the header of an open file."""
        channels = frozenset(channel.detector for channel in table.channels)
        try:
            volume = acquired_volume(table)
        except CountingError:
            volume = None  # a count will say why it cannot be used
        return cls(file, table.n_events, table.keywords, channels, volume.ul if volume is not None else None)


class Matched(Struct, frozen=True, eq=False):
    """A sample with its file, how sure that is, and why."""

    sample: WorkspaceSample
    match: Match
    file: Header | None
    why: str


class _Evidence(Struct, frozen=True):
    """What speaks for a file, and what speaks against it."""

    header: Header
    agree: tuple[str, ...] = ()
    differ: tuple[str, ...] = ()

    @property
    def level(self) -> Match | None:
        """How sure the evidence makes it; None where the file is another, or nothing tells."""
        if self.differ or "$TOT" not in self.agree:
            return None
        if "GUID" in self.agree or {"name", "$BTIM"} <= set(self.agree):
            return Match.EXACT
        return Match.LIKELY if {"name", "$BTIM"} & set(self.agree) else None


def read_headers(files: Iterable[Place]) -> tuple[tuple[Header, ...], tuple[str, ...]]:
    """Return the headers of files, and in words which files cannot be read."""
    headers, unread = [], []
    for file in files:
        try:
            headers.append(Header.of(file, open_fcs(file)))
        except SampleError as error:
            unread.append(f"{file.name}: {error.message} [{error.code}]")
    return tuple(headers), tuple(unread)


def match_samples(samples: Sequence[WorkspaceSample], headers: Sequence[Header]) -> tuple[Matched, ...]:
    """Return the file of each sample.

    A file is a sample's only if it has as many events, as early a begin and the same GUID as the study remembers, where
    both say so, and the channels of the gates. ``exact``: GUID, or name and begin agree; ``likely``: name or begin
    agrees; ``ambiguous``: several files do, so that none is taken; ``missing``: none does. A file that is the only one
    for several samples is theirs only where its name agrees too.
    """
    matched = [_match(sample, headers) for sample in samples]
    claims = Counter(id(one.file) for one in matched if one.file is not None)
    return tuple(one if one.file is None or claims[id(one.file)] == 1 else _shared(one) for one in matched)


def _shared(matched: Matched) -> Matched:
    if matched.file is None or "name" in matched.why.partition(" agree")[0].split(", "):
        return matched
    why = f"{matched.file.file.name} may be this sample or another one of the study"
    return Matched(matched.sample, Match.AMBIGUOUS, None, why)


def _match(sample: WorkspaceSample, headers: Sequence[Header]) -> Matched:
    weighed = [_weigh(sample, header) for header in headers]
    for level in (Match.EXACT, Match.LIKELY):
        best = [evidence for evidence in weighed if evidence.level is level]
        if len(best) == 1:
            return Matched(sample, level, best[0].header, f"{', '.join(best[0].agree)} agree")
        if best:
            by_name = [evidence for evidence in best if "name" in evidence.agree]
            if len(by_name) == 1 and level is Match.EXACT:
                return Matched(sample, level, by_name[0].header, f"{', '.join(by_name[0].agree)} agree")
            names = ", ".join(evidence.header.file.name for evidence in best[:4])
            return Matched(sample, Match.AMBIGUOUS, None, f"{len(best)} files agree: {names}")
    others = [evidence for evidence in weighed if evidence.differ and "name" in evidence.agree]
    why = f"{others[0].header.file.name} is another file: {'; '.join(others[0].differ)}" if others else "no such file"
    return Matched(sample, Match.MISSING, None, why)


def _weigh(sample: WorkspaceSample, header: Header) -> _Evidence:
    agree: list[str] = []
    differ: list[str] = []
    total = sample.keywords.get("$TOT", "")
    events = int(total) if total.isdecimal() else sample.total
    if events is not None:
        if events == header.events:
            agree.append("$TOT")
        else:
            differ.append(f"{header.events:,} events, the study's has {events:,}")
    names = {sample.name, unquote(sample.file_name), sample.keywords.get("$FIL", "")} - {""}
    own = {header.file.name.casefold(), header.file.stem.casefold(), header.keywords.get("$FIL", "").casefold()} - {""}
    if header.file.name.casefold() in {name.casefold() for name in names} or (sample.name.casefold() in own):
        agree.append("name")
    for keyword in ("$BTIM", "GUID"):
        remembered, read = sample.keywords.get(keyword, "").strip(), header.keywords.get(keyword, "").strip()
        if not remembered or not read:
            continue
        if remembered == read and (keyword != "$BTIM" or _same_day(sample, header)):
            agree.append(keyword)
        elif keyword == "$BTIM":
            differ.append(f"begun {read} on {header.keywords.get('$DATE', '?')}, the study's at {remembered}")
        # another GUID alone is no other file: programs that save a file again give it a new one
    lacking = sorted(
        detector for marker in sample.panel.values() for detector in marker.detectors if detector not in header.channels
    )
    if lacking:
        differ.append(f"no channel {', '.join(lacking)}")
    return _Evidence(header, tuple(agree), tuple(differ))


def _same_day(sample: WorkspaceSample, header: Header) -> bool:
    days = {one.keywords.get("$DATE", "").strip().casefold() for one in (sample, header)} - {""}
    return len(days) < 2
