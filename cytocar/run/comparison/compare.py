"""Two sides' counts, population by population: the difference, a verdict at a tolerance, and what explains it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from enum import StrEnum

import numpy as np
from msgspec import Struct, to_builtins

from cytocar.errors.near_names import each_did_you_mean
from cytocar.errors.tree import counted
from cytocar.regions.kinds import FixedGate
from cytocar.run.comparison.counts import TOTAL, Counts, SampleCounts
from cytocar.signals.compensation import SAME
from cytocar.tables.columns import Value, csv_text, neutral, parse_columns
from cytocar.template.model import Population, Template

TOLERANCE_PERCENT = 1.0
"""Of 44 populations of real workspaces 42 lie within it, though FlowJo decides polygons by steps of its display."""
BINNED_SHARE, BINNED_EVENTS = 0.1, 10
"""What binned edges can explain: of 44 populations of real workspaces 42 differ by at most 1 %; a few events of a small
population are more percent, and tell nothing."""
ROUNDED = 1e-6
"""Numbers of gates agree to this share: programs write them with seven to nine digits."""

COLUMNS = parse_columns("""
sample_id    str -      | sample of the run
population   str -      | population
path         str -      | its path in the other program
events       int events | events in the run
other_events int events | events on the other side
difference   int events | the run's minus the other's
percent      num %      | difference in percent of the other's
verdict      str -      | exact, within, beyond, not counted or missing
cause        str -      | what is different on the way to this population
""")


class Verdict(StrEnum):
    """What a difference is worth."""

    EXACT = "exact"
    WITHIN = "within"
    BEYOND = "beyond"
    NOT_COUNTED = "not counted"
    MISSING = "missing"


class Compared(Struct, frozen=True):
    """One population of one sample on both sides."""

    sample_id: str
    population: str
    path: str
    events: int | None
    other_events: int | None
    verdict: Verdict
    cause: str = ""

    @property
    def difference(self) -> int | None:
        """The run's events minus the other's."""
        if self.events is None or self.other_events is None:
            return None
        return self.events - self.other_events

    @property
    def percent(self) -> float | None:
        """The difference in percent of the other's events; None where the other has none."""
        difference = self.difference
        if difference is None or not self.other_events:
            return 0.0 if difference == 0 else None
        return 100.0 * difference / self.other_events


class Comparison(Struct, frozen=True):
    """All populations of all samples that are on both sides, and the samples that are on one."""

    title: str
    other_title: str
    tolerance_percent: float
    rows: tuple[Compared, ...]
    only_here: tuple[str, ...]
    only_there: tuple[str, ...]
    left_out: tuple[str, ...]

    @property
    def agrees(self) -> bool:
        """Whether something was compared, and nothing is beyond the tolerance or missing."""
        verdicts = {row.verdict for row in self.rows}
        compared = verdicts & {Verdict.EXACT, Verdict.WITHIN}
        return bool(compared) and not verdicts & {Verdict.BEYOND, Verdict.MISSING} and not self.only_there

    def csv(self) -> str:
        """Return the comparison as a table."""
        return csv_text(COLUMNS, map(_row, self.rows))

    def line(self) -> str:
        """Return the result in one line."""
        times = Counter(row.verdict for row in self.rows if row.population != TOTAL)
        compared = sum(times[one] for one in (Verdict.EXACT, Verdict.WITHIN, Verdict.BEYOND))
        samples = len({row.sample_id for row in self.rows})
        parts = [f"{counted(samples, 'sample')}: {times[Verdict.EXACT]} of {compared} populations equal"]
        if times[Verdict.WITHIN]:
            parts.append(f"{times[Verdict.WITHIN]} within {self.tolerance_percent:g} %")
        if times[Verdict.BEYOND]:
            parts.append(f"{times[Verdict.BEYOND]} beyond")
        worst = max((row for row in self.rows if row.difference), key=lambda row: abs(row.percent or 1e9), default=None)
        if worst is not None:
            parts.append(
                f"largest {worst.difference:+,} of {worst.other_events:,} ({worst.sample_id} / {worst.population}; "
                f"{worst.cause})"
            )
        for verdict, words in ((Verdict.NOT_COUNTED, "not counted there"), (Verdict.MISSING, "missing in the run")):
            if times[verdict]:
                parts.append(f"{times[verdict]} {words}")
        if self.only_there:
            parts.append(f"{counted(len(self.only_there), 'sample')} only there")
        return ", ".join(parts)


def _row(row: Compared) -> dict[str, Value]:
    return {
        "sample_id": neutral(row.sample_id),
        "population": neutral(row.population),
        "path": neutral(row.path),
        "events": row.events,
        "other_events": row.other_events,
        "difference": row.difference,
        "percent": row.percent,
        "verdict": str(row.verdict),
        "cause": neutral(row.cause),
    }


def compare(ours: Counts, other: Counts, *, tolerance_percent: float = TOLERANCE_PERCENT) -> Comparison:
    """Return every population of the other side beside the run's.

    A count is within the tolerance where it differs by at most that many percent of the other's.
    """
    pairs = {}
    for name, sample in other.samples.items():
        here = ours.of(name, sample.files)
        if here is not None:
            pairs[name] = here
    rows = [
        row
        for name, here in pairs.items()
        for row in _sample(here, ours.samples[here], other.samples[name], tolerance_percent)
    ]
    return Comparison(
        ours.title,
        other.title,
        tolerance_percent,
        tuple(rows),
        tuple(name for name in ours.samples if name not in pairs.values()),
        tuple(name for name in other.samples if name not in pairs),
        other.left_out,
    )


def _sample(name: str, ours: SampleCounts, other: SampleCounts, tolerance: float) -> Iterator[Compared]:
    by_path = {path: population for population, path in ours.paths.items()}
    here_of = {one: _here(one, other.paths.get(one, ""), ours, by_path) for one in other.events}
    near = dict(each_did_you_mean((one for one, here in here_of.items() if here is None), ours.events))
    for population, expected in other.events.items():
        path, here = other.paths.get(population, ""), here_of[population]
        if here is None and expected is None:
            yield Compared(name, population, path, None, None, Verdict.NOT_COUNTED)
            continue
        if here is None:
            cause = f"the run has no such population{near[population]}"
            yield Compared(name, population, path, None, expected, Verdict.MISSING, cause)
            continue
        events = ours.events[here]
        verdict = _verdict(events, expected, tolerance)
        cause = _cause(here, population, ours, other) if verdict in (Verdict.WITHIN, Verdict.BEYOND) else ""
        yield Compared(name, here, path or ours.paths.get(here, ""), events, expected, verdict, cause)


def _here(population: str, path: str, ours: SampleCounts, by_path: Mapping[str, str]) -> str | None:
    """Return the run's population that another side's name, or path, stands for."""
    return next((one for one in (population, by_path.get(path), by_path.get(population)) if one in ours.events), None)


def _verdict(events: int | None, expected: int | None, tolerance: float) -> Verdict:
    if events is None or expected is None:
        return Verdict.NOT_COUNTED
    if events == expected:
        return Verdict.EXACT
    return Verdict.WITHIN if abs(events - expected) <= tolerance / 100 * expected else Verdict.BEYOND


# ---------------------------------------------------------------- causes


def _cause(here: str, there: str, ours: SampleCounts, other: SampleCounts) -> str:
    """The differences on the way from all events to a population, the strongest first."""
    totals = ours.events.get(TOTAL), other.events.get(TOTAL)
    if None not in totals and totals[0] != totals[1]:
        return f"other file: {totals[0]:,} events in the run, {totals[1]:,} on the other side"
    causes = []
    if ours.template is not None and other.template is not None:
        causes = list(_differences(ours.template, other.template, here, there))
    way = _way(ours.template, here) if ours.template is not None else (here,)
    binned = [one for one in way if one in other.binned or (one == here and there in other.binned)]
    if binned and not causes and _too_far_for_bins(ours.events[here], other.events[there]):
        return "not known: more than binned edges explain; the other side's count may be older than its gates"
    if binned:
        causes.append(f"binned polygon or ellipse: {', '.join(binned)}")
    elsewhere = [one for one in way if _placed_apart(ours.placed.get(one), other.placed.get(one))]
    if elsewhere:
        causes.append(f"gate placed elsewhere by the data: {', '.join(elsewhere)}")
    return "; ".join(causes) or "not known"


def _placed_apart(ours: FixedGate | None, other: FixedGate | None) -> bool:
    """True if a gate that the data place lies elsewhere on the other side."""
    return ours is not None and other is not None and not _alike(to_builtins(ours), to_builtins(other))


def _too_far_for_bins(events: int | None, other: int | None) -> bool:
    """True if two counts differ by more than the events that one step of a display can hold."""
    if events is None or other is None:
        return False
    return abs(events - other) > max(BINNED_EVENTS, BINNED_SHARE * max(events, other))


def _way(template: Template, name: str) -> tuple[str, ...]:
    """Return a population and all that it stands on: parents, operands, what is set aside first."""
    declared = {population.name: population for population in template.populations}
    waiting, way = [name], {}
    while waiting:
        one = waiting.pop(0)
        if one in declared and one not in way:
            way[one] = declared[one]
            waiting += [declared[one].parent, *declared[one].gate.references(), *declared[one].exclude]
    return tuple(way)


def _differences(ours: Template, other: Template, here: str, there: str) -> Iterator[str]:
    names = dict(zip(_way(ours, here), _way(other, there), strict=False)) if here != there else {}
    way = _way(ours, here)
    theirs = {population.name: population for population in other.populations}
    pairs = [(ours.population(one), theirs.get(names.get(one, one))) for one in way]
    compensated = any(
        ours.panel[marker].compensation != "none" for population, _ in pairs for marker in population.gate.markers()
    )
    if compensated and not _same_matrix(ours, other):
        yield "other matrix"
    moved = [one.name for one, two in pairs if two is not None and not _same_gate(one, two)]
    if moved:
        yield f"moved gate: {', '.join(moved)}"
    scaled = {
        marker
        for one, _ in pairs
        if isinstance(one.gate, FixedGate) and one.gate.depends_on_scale
        for marker in one.gate.markers()
        if ours.scale(marker) != other.scale(marker)
    }
    if scaled:
        yield f"other scale: {', '.join(sorted(scaled))}"


def _same_gate(one: Population, two: Population) -> bool:
    first, second = to_builtins(one.gate), to_builtins(two.gate)
    for gate in (first, second):
        gate.pop("note", None)
    return _alike(first, second)


def _alike(one: object, two: object) -> bool:
    if isinstance(one, dict) and isinstance(two, dict):
        return one.keys() == two.keys() and all(_alike(one[key], two[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(two, list | tuple):
        return len(one) == len(two) and all(map(_alike, one, two))
    if isinstance(one, float | int) and isinstance(two, float | int):
        return abs(one - two) <= ROUNDED * max(abs(one), abs(two))
    return one == two


def _same_matrix(ours: Template, other: Template) -> bool:
    one = ours.compensation.matrices.get(ours.compensation.source)
    two = other.compensation.matrices.get(other.compensation.source)
    if one is None or two is None:
        return one is two and ours.compensation.source == other.compensation.source
    if set(one.detectors) != set(two.detectors) or len(one.values) != len(two.values):
        return False
    order = [two.detectors.index(detector) for detector in one.detectors]
    values = np.array(two.values)[np.ix_(order, order)]
    return bool(np.abs(np.array(one.values) - values).max() <= SAME)
