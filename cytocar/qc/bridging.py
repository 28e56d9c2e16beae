"""From one lot to the next: the same specimens with both lots, and whether results stay within a limit.

Source: CLSI EP26-A (variation between reagent lots): specimens are measured with both lots, and the difference is held
against what may change without consequence.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import mean

from msgspec import Struct

from cytocar.errors.tree import UsageError
from cytocar.run.finished.recorded_plan import recorded_plan
from cytocar.run.parts import PARTS, Parts, require_parts
from cytocar.run.trail.journal import finished_manifest
from cytocar.sample.result import SampleResult
from cytocar.statistics.estimate import Estimate
from cytocar.statistics.normal import mean_fold
from cytocar.tables.columns import Row, parse_columns

MEASURANDS = ("car_per_ul", "car_percent_of_t_cells", "t_cells_per_ul", "cd4_cd8_ratio")
"""Numbers of counts.csv that are bridged, beside the median fluorescence of CAR-T cells and T cells."""
FEWEST_PAIRS = 3
"""Fewer specimens have no interval that could tell anything."""

BRIDGING = parse_columns("""
by             str - | column of the sheet that names the lot
old_lot        str - | lot before
new_lot        str - | lot after
measurand      str - | number of counts.csv, or median fluorescence of a population
n              int - | specimens measured with both lots
percent_of_old num % | new lot in percent of the old one, geometric mean of specimens
low            num % | its 95 % interval, lower bound
high           num % | its 95 % interval, upper bound
limit          num % | largest difference that may be
verdict        str - | pass, fail, crosses (the limit lies in the interval)
specimens      str - | subject and day of each, separated by blanks
""")


class Bridge(Struct, frozen=True):
    """One number with the new lot, in percent of the old one."""

    by: str
    old: str
    new: str
    measurand: str
    specimens: tuple[str, ...]
    percent: Estimate
    limit: float

    @property
    def verdict(self) -> str:
        """Whether the whole interval lies within the limit around 100 %, beyond it, or across."""
        low, high = self.percent.low or 0.0, self.percent.high or float("inf")
        if low >= 100 - self.limit and high <= 100 + self.limit:
            return "pass"
        return "fail" if low > 100 + self.limit or high < 100 - self.limit else "crosses"

    def row(self) -> Row:
        """Return its line of the table."""
        return {
            "by": self.by,
            "old_lot": self.old,
            "new_lot": self.new,
            "measurand": self.measurand,
            "n": len(self.specimens),
            "percent_of_old": self.percent.value,
            "low": self.percent.low,
            "high": self.percent.high,
            "limit": self.limit,
            "verdict": self.verdict,
            "specimens": " ".join(self.specimens),
        }


Numbers = dict[str, float]


def bridges(
    runs: Sequence[Path], *, by: str, limit: float, old: str | None = None, new: str | None = None
) -> tuple[Bridge, ...]:
    """How results with a new lot compare with those of the old one on the same specimens.

    Parameters
    ----------
    runs : sequence of Path
        Finished runs, in their order: the first lot met is the old one.
    by : str
        ``bead_lot``, or a column ``x_*`` of the sheet such as ``x_lot_CD3``.
    limit : float
        Largest difference that may be, percent.
    old, new : str, optional
        The two lots, where the runs hold more.

    Raises
    ------
    UsageError
        E265 without two lots, or with fewer than three specimens that were measured with both; E252 counted with two
        templates, E256 the same data with both lots.
    """
    numbers_of: dict[str, dict[str, list[Numbers]]] = defaultdict(lambda: defaultdict(list))
    results_of: dict[str, list[SampleResult]] = defaultdict(list)
    columns = {"bead_lot": None}
    for result in (one for run in runs for one in _samples(run)):
        lot = result.sample.bead_lot if by == "bead_lot" else result.sample.extra.get(by)
        columns |= dict.fromkeys(result.sample.extra)
        if lot:
            numbers_of[lot][_specimen(result)].append(dict(_numbers(result)))
            results_of[lot].append(result)
    if by not in columns:
        raise UsageError(
            f"no sample has a column {by}", code="E265", hint=f"--by names one of these: {', '.join(columns)}"
        )
    before, after = _two(list(numbers_of), by, old, new)
    _refuse_what_hides_a_lot(results_of[before], results_of[after])
    both = [specimen for specimen in numbers_of[before] if specimen in numbers_of[after]]
    bridged = tuple(_bridges(numbers_of[before], numbers_of[after], both, by=by, lots=(before, after), limit=limit))
    if not bridged:
        raise UsageError(
            f"{len(both)} specimens were measured with lot {before} and lot {after}",
            code="E265",
            hint=f"measure {FEWEST_PAIRS} specimens at least with both lots: a row for each, with the same subject_id "
            "and day",
        )
    return bridged


def _refuse_what_hides_a_lot(before: Sequence[SampleResult], after: Sequence[SampleResult]) -> None:
    """Refuse tubes that would agree, or differ, for another reason than the lot."""
    names = {_data(result): result.sample.sample_id for result in before if result.file_sha256}
    if same := [f"{names[_data(one)]} = {one.sample.sample_id}" for one in after if _data(one) in names]:
        raise UsageError(
            f"the same data stand with both lots: {', '.join(same[:3])}",
            code="E256",
            hint="a tube is made with one lot: name each file once",
        )
    stamps = dict.fromkeys(f"{one.template.name} {one.template.sha256[:12]}" for one in (*before, *after))
    if len(stamps) > 1:
        raise UsageError(
            f"the tubes of both lots were counted with {len(stamps)} templates: {', '.join(stamps)}",
            code="E252",
            hint="count them with one template: its difference would be taken for the lot's",
        )


def _data(result: SampleResult) -> tuple[str | None, int]:
    return result.file_sha256, result.sample.data_set or 1


def _bridges(
    before: dict[str, list[Numbers]],
    after: dict[str, list[Numbers]],
    both: Sequence[str],
    *,
    by: str,
    lots: tuple[str, str],
    limit: float,
) -> Iterator[Bridge]:
    names = dict.fromkeys(name for specimen in both for numbers in before[specimen] for name in numbers)
    for name in names:
        ratios = {
            specimen: _mean(after[specimen], name) / _mean(before[specimen], name)
            for specimen in both
            if _mean(after[specimen], name) > 0 and _mean(before[specimen], name) > 0
        }
        if len(ratios) >= FEWEST_PAIRS:
            yield Bridge(by, *lots, name, tuple(ratios), mean_fold(list(ratios.values())), limit)


def _mean(several: Sequence[Numbers], name: str) -> float:
    values = [numbers[name] for numbers in several if name in numbers]
    return mean(values) if values else 0.0


def _two(lots: Sequence[str], by: str, old: str | None, new: str | None) -> tuple[str, str]:
    wanted = [lot for lot in (old, new) if lot is not None]
    missing = [lot for lot in wanted if lot not in lots]
    if old is not None and old == new:
        raise UsageError(f"--old and --new are both {old}", code="E265", hint="name two lots")
    if missing or (len(wanted) < 2 and len(lots) != 2):
        raise UsageError(
            f"{by} names {len(lots)} lots ({', '.join(lots) or 'none'})" + (f", not {missing[0]}" if missing else ""),
            code="E265",
            hint="two lots are compared: name them with --old and --new where there are more",
        )
    before = old or next(lot for lot in lots if lot != new)
    return before, new or next(lot for lot in lots if lot != before)


def _samples(run: Path) -> Iterator[SampleResult]:
    manifest = finished_manifest(run)
    plan = recorded_plan(manifest, run)
    require_parts(run, manifest, plan.sample_ids)
    for outcome in Parts(run / PARTS).every(plan.sample_ids):
        if isinstance(outcome, SampleResult):
            yield outcome


def _specimen(result: SampleResult) -> str:
    sample = result.sample
    day = "" if sample.day is None else f"@{sample.day:g}"
    return f"{sample.subject_id or sample.sample_id}{day}"


def _numbers(result: SampleResult) -> Iterator[tuple[str, float]]:
    row = result.row()
    for name in MEASURANDS:
        value = row.get(name)
        if isinstance(value, int | float):
            yield name, float(value)
    for role in (result.roles.car, result.roles.t_cells):
        population = result.population(role)
        for marker, median in (population.medians if population else {}).items():
            if median is not None:
                yield f"median_{marker} of {role}", median
