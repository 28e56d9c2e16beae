"""The run as a whole: each file's names, voltages, gains and spillover against those of the others.

One file alone cannot show that its labels were exchanged or a voltage was moved; the others of the same template and
instrument can. Headers only are read, before the first event. What a laboratory did to all of its files is by design,
and no finding.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from operator import itemgetter

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from cytocar.errors.findings import Finding, Severity
from cytocar.errors.tree import SampleError
from cytocar.fcs.keywords import acquired_at, cytometer
from cytocar.fcs.reader import open_fcs
from cytocar.files.places import Address
from cytocar.run.beside_dates import DATES_CHECK, date_findings
from cytocar.run.beside_names import NAMES_CHECK, Identifiers, names_in
from cytocar.run.workers import Workers, run_tasks
from cytocar.sample.protocol import Protocol
from cytocar.sheet.rows import SampleRow, SampleType
from cytocar.signals.compensation import SpilloverMatrix, carried
from cytocar.signals.panel import resolve
from cytocar.statistics.order import median, medians

Floats = npt.NDArray[np.float64]

CHECK = "run"
CHECKS = frozenset({CHECK, NAMES_CHECK, DATES_CHECK})
"""Of findings that come from the other files' headers and rows."""
COMPARED = frozenset({SampleType.SAMPLE, SampleType.BASELINE, SampleType.HEALTHY, SampleType.PROCESS_CONTROL})
"""Tubes that are stained with the whole panel; controls leave something out, and may be acquired otherwise."""

FEWEST_OTHERS = 3
"""With fewer nobody can say which file is the odd one out."""

MAJORITY = 0.75
"""Of the files must agree before one that differs is the odd one: two settings of a study are two settings."""

VOLTAGE_MOVES = 0.01
"""A photomultiplier's gain goes with the 7th to 8th power of its voltage: 1 % moves a signal by 8 %."""

GAIN_MOVES = 0.05
"""An amplifier's gain moves a signal by as much: half of what a tube-to-tube difference in staining does."""

SPILLOVER_MOVES = 0.02
"""An entry that is off by 2 % moves a dim cell beside a bright one (50,000) by 1000, the width of a negative peak."""

HEADERS_OF_A_TASK = 24
"""Files whose headers a worker reads at a time, and up to which none is started: 40 ms of work, 20 ms to start."""
HEADERS_AT_A_TIME = 16
"""At addresses: nearly all of the time is waiting."""


class Settings(Struct, frozen=True, eq=False):
    """What a file's header says that should be the same in all files of its kind."""

    sample_id: str
    kind: tuple[str, ...]
    day: str | None
    detectors: Mapping[str, str]
    usual: frozenset[str]
    voltages: Mapping[str, float]
    gains: Mapping[str, float]
    matrix: SpilloverMatrix | None
    names: tuple[tuple[str, str], ...] = ()

    @property
    def instrument(self) -> str:
        """The cytometer and its number."""
        return " ".join(self.kind[-2:])


def compare_files(
    samples: Sequence[SampleRow], protocols: Mapping[str, Protocol], workers: Workers | None = None
) -> Mapping[str, tuple[Finding, ...]]:
    """What about each file differs from the others of the run, or that nothing does, by sample_id.

    Files that cannot be read are left out: their own analysis says why. With ``workers`` these read the headers of
    many files.
    """
    rows = [row for row in samples if row.sample_type in COMPARED and not row.exclude]
    if len(rows) <= FEWEST_OTHERS and all(row.day is None and row.collected_at is None for row in rows):
        return {}
    kinds: dict[tuple[str, ...], list[Settings]] = defaultdict(list)
    for settings in _all_settings(rows, protocols, workers):
        if settings is not None:
            kinds[settings.kind].append(settings)
    groups = [(group, Common.of(group)) for group in kinds.values() if len(group) > FEWEST_OTHERS]
    findings = {one.sample_id: tuple(_against(one, common)) for group, common in groups for one in group}
    read = [one for group in kinds.values() for one in group]
    identifiers = Identifiers(rows, {one.sample_id: one.names for one in read})
    for one in read if len(rows) > FEWEST_OTHERS else ():
        named = identifiers.finding(one.sample_id, one.names)
        if named is not None:
            findings[one.sample_id] = (*findings.get(one.sample_id, ()), named)
    acquired = {one.sample_id: date.fromisoformat(one.day) for one in read if one.day}
    for name, dated in date_findings(rows, acquired, {one.sample_id: one.instrument for one in read}):
        findings[name] = (*findings.get(name, ()), dated)
    return findings


def _all_settings(
    rows: Sequence[SampleRow], protocols: Mapping[str, Protocol], workers: Workers | None
) -> Iterator[Settings | None]:
    """What each file's header says; at addresses, where nearly all of the time is waiting, many at a time."""
    if any(isinstance(row.file, Address) for row in rows):
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(HEADERS_AT_A_TIME) as threads:
            yield from threads.map(lambda row: _settings(row, protocols[row.sample_id]), rows)
        return
    tasks = [
        _Headers(start, tuple((row, protocols[row.sample_id]) for row in rows[start : start + HEADERS_OF_A_TASK]))
        for start in range(0, len(rows), HEADERS_OF_A_TASK)
    ]
    answers = run_tasks(_settings_of, tasks, workers if len(tasks) > 1 else None, killed=_unread)
    yield from (settings for _, of_task in sorted(answers, key=itemgetter(0)) for settings in of_task)


class _Headers(Struct, frozen=True, eq=False):
    """Some files in a row of a run, whose headers a worker reads; ``start`` is the place of the first."""

    start: int
    files: tuple[tuple[SampleRow, Protocol], ...]


def _settings_of(headers: _Headers) -> tuple[int, list[Settings | None]]:
    return headers.start, [_settings(row, protocol) for row, protocol in headers.files]


def _unread(headers: _Headers) -> tuple[int, list[Settings | None]]:
    return headers.start, [None] * len(headers.files)


def _settings(row: SampleRow, protocol: Protocol) -> Settings | None:
    template = protocol.template
    try:
        events = open_fcs(row.file, data_set=row.data_set)
        panel = resolve(template.panel, events.channels, overrides=protocol.markers)
        of_file = carried(events.keywords).matrix if template.compensation.source == "file" else None
    except SampleError:
        return None
    moment = acquired_at(events)
    channels = panel.values()
    usual = {marker for marker, channel in panel.items() if channel.detector in template.panel[marker].detectors}
    return Settings(
        sample_id=row.sample_id,
        kind=(template.name, template.version, cytometer(events) or "", events.keywords.get("$CYTSN", "")),
        day=moment.date().isoformat() if moment else None,
        detectors={marker: channel.detector for marker, channel in panel.items()},
        usual=frozenset(usual),
        voltages={channel.detector: channel.voltage for channel in channels if channel.voltage is not None},
        gains={channel.detector: channel.gain for channel in channels if channel.gain is not None},
        matrix=of_file,
        names=names_in(events.keywords),
    )


# ---------------------------------------------------------------- what most files have


class Common(Struct, frozen=True, eq=False):
    """What most files of a kind have in common; what they do not agree on is left out.

    ``names`` holds for each marker its commonest detector and how many files have it there.
    """

    files: int
    days: Mapping[str | None, int]
    names: Mapping[str, tuple[str, int]]
    voltages: Mapping[str, float]
    gains: Mapping[str, float]
    matrices: Mapping[tuple[str, ...], Floats]

    @classmethod
    def of(cls, group: Sequence[Settings]) -> Common:
        """What a group of files has in common."""
        places: dict[str, Counter[str]] = defaultdict(Counter)
        matrices: dict[tuple[str, ...], list[Floats]] = defaultdict(list)
        for one in group:
            for marker, detector in one.detectors.items():
                places[marker][detector] += 1
            if one.matrix is not None:
                matrices[one.matrix.detectors].append(one.matrix.values)
        usual = {marker: counter.most_common(1)[0] for marker, counter in places.items()}
        middles = {names: _agreed(np.array(values), SPILLOVER_MOVES) for names, values in matrices.items()}
        return cls(
            files=len(group),
            days=Counter(one.day for one in group),
            names={marker: (place, files) for marker, (place, files) in usual.items() if 2 * files > len(group)},
            voltages=_agreed_numbers([one.voltages for one in group], VOLTAGE_MOVES),
            gains=_agreed_numbers([one.gains for one in group], GAIN_MOVES),
            matrices={names: middle for names, middle in middles.items() if middle is not None},
        )


def _agreed_numbers(files: Sequence[Mapping[str, float]], share: float) -> dict[str, float]:
    numbers: dict[str, list[float]] = defaultdict(list)
    for one in files:
        for detector, value in one.items():
            numbers[detector].append(value)
    middles = {name: _agreed(np.array(values), share * median(np.array(values))) for name, values in numbers.items()}
    return {name: float(middle) for name, middle in middles.items() if middle is not None}


def _agreed(values: Floats, within: float) -> Floats | None:
    """Return the middle of values (files, ...) where most files lie near it and enough files there are; else None."""
    if len(values) <= FEWEST_OTHERS:
        return None
    middle = medians(np.moveaxis(values, 0, -1))
    away = np.abs(values - middle).reshape(len(values), -1).max(axis=1)
    return middle if np.mean(away <= within) >= MAJORITY else None


# ---------------------------------------------------------------- one file against the others


def _against(one: Settings, common: Common) -> Iterator[Finding]:
    findings = [*_names(one, common), *_amplifiers(one, common), *_spillover(one, common)]
    yield from findings
    if not findings:
        known = {"voltages": common.voltages, "gains": common.gains, "spillover": common.matrices}
        compared = ", ".join(["names", *(name for name, numbers in known.items() if numbers)])
        message = f"{compared} as in most of the {common.files} files of this template and instrument"
        yield Finding(CHECK, "", Severity.PASS, message)


def _names(one: Settings, common: Common) -> Iterator[Finding]:
    """Yield markers that lie on another detector than in most files; a template's own detectors are by design."""
    moved = [
        f"{marker} is on {detector}, in {files} of {common.files} files on {usual}"
        for marker, detector in one.detectors.items()
        for usual, files in [common.names.get(marker, (detector, 0))]
        if usual != detector and marker not in one.usual
    ]
    if moved:
        yield Finding(CHECK, "W250", Severity.REVIEW, "; ".join(moved), float(len(moved)), 0.0)


def _amplifiers(one: Settings, common: Common) -> Iterator[Finding]:
    """Yield detectors whose voltage or gain is not that of the other files."""
    moved = [
        *_moved(one.voltages, common.voltages, VOLTAGE_MOVES, " V"),
        *_moved(one.gains, common.gains, GAIN_MOVES, ""),
    ]
    if moved:
        message = f"other settings than most files: {', '.join(moved)}"
        yield Finding(CHECK, "W251", _outcome(one, common), message, float(len(moved)), 0.0)


def _moved(numbers: Mapping[str, float], usual: Mapping[str, float], share: float, unit: str) -> Iterator[str]:
    for detector, value in numbers.items():
        middle = usual.get(detector, value)
        if abs(value - middle) > share * abs(middle):
            yield f"{detector} {value:g}{unit} (others {middle:g})"


def _spillover(one: Settings, common: Common) -> Iterator[Finding]:
    """Yield the entry of a file's matrix that differs most from the middle of the others'."""
    middle = common.matrices.get(one.matrix.detectors) if one.matrix is not None else None
    if one.matrix is None or middle is None:
        return
    away = np.abs(one.matrix.values - middle)
    row, column = np.unravel_index(int(away.argmax()), away.shape)
    names = one.matrix.detectors
    if away[row, column] > SPILLOVER_MOVES:
        message = (
            f"another spillover matrix than most files: {names[row]} into {names[column]} "
            f"{one.matrix.values[row, column]:.3g}, others {middle[row, column]:.3g}"
        )
        yield Finding(CHECK, "W252", _outcome(one, common), message, float(away[row, column]), SPILLOVER_MOVES)


def _outcome(one: Settings, common: Common) -> Severity:
    """Return a note for a file of another day: settings are checked and moved each morning."""
    others = common.days[one.day] - 1
    return Severity.REVIEW if one.day is None or others >= FEWEST_OTHERS else Severity.NOTE
