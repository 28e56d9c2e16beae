"""Levey-Jennings charts: each quantity over the runs, against a mean and a standard deviation.

Source: Levey, Jennings, The use of control charts in the clinical laboratory, Am J Clin Pathol 1950;20:1059-66. Mean
and standard deviation are a laboratory's own (a table of targets), or those of the first runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from statistics import mean, stdev

from msgspec import Struct

from cytocar.errors.boundary import boundary
from cytocar.errors.near_names import did_you_mean
from cytocar.errors.tree import UsageError
from cytocar.qc.measures import SETTINGS, Measured, Quantity
from cytocar.qc.westgard import WARNING, broken_rules
from cytocar.tables.columns import Row, parse_columns
from cytocar.tables.delimited import read_delimited

FEWEST_RUNS = 3
"""Below this a standard deviation says nothing."""
USUAL_BASELINE = 20
"""Runs from which mean and standard deviation are usually taken (CLSI C24)."""
CHANGED = "changed"
"""In place of a rule where the standard deviation is 0, as for a setting: any other value is a change."""

LEVEY_JENNINGS = parse_columns("""
measure str - | what is watched
control str - | control sample, population or detector that it is of; empty for the whole run
unit    str - | unit of value, mean and sd
run     str - | run folder
value   num - | the run's value
mean    num - | mean to compare with
sd      num - | standard deviation to compare with
z       num - | (value - mean) / sd
rules   str - | Westgard rules that the point breaks, separated by blanks
verdict str - | ok, warning, out, no_limits
""")


class Verdict(StrEnum):
    """What a point says; ``out`` rejects the run for this quantity."""

    OK = "ok"
    WARNING = "warning"
    OUT = "out"
    NO_LIMITS = "no_limits"


class Target(Struct, frozen=True):
    """Mean and standard deviation that a quantity is compared with."""

    mean: float
    sd: float


class Point(Struct, frozen=True):
    """One run on a chart. ``z`` is None without limits, or where the standard deviation is 0."""

    run: str
    value: float
    z: float | None
    rules: tuple[str, ...]
    verdict: Verdict


class Chart(Struct, frozen=True):
    """One quantity over the runs; ``target`` is None where there are too few of them."""

    quantity: Quantity
    target: Target | None
    points: tuple[Point, ...]

    def rows(self) -> Iterator[Row]:
        """Yield the chart's lines of levey_jennings.csv."""
        for point in self.points:
            yield {
                "measure": self.quantity.measure,
                "control": self.quantity.control,
                "unit": self.quantity.unit,
                "run": point.run,
                "value": point.value,
                "mean": self.target.mean if self.target else None,
                "sd": self.target.sd if self.target else None,
                "z": point.z,
                "rules": " ".join(point.rules),
                "verdict": point.verdict,
            }


def charts(
    runs: Sequence[Measured], *, baseline: int = USUAL_BASELINE, targets: Mapping[tuple[str, str], Target] | None = None
) -> tuple[Chart, ...]:
    """Return a chart for every quantity of the runs.

    Parameters
    ----------
    runs : sequence of Measured
        In the order in which they were made.
    baseline : int
        Mean and standard deviation come from the first so many points of a quantity, or from all if there are fewer.
    targets : mapping, optional
        A laboratory's own, by measure and control; they go before.
    """
    quantities = sorted({quantity for run in runs for quantity in run.values})
    return tuple(_chart(quantity, runs, baseline, targets or {}) for quantity in quantities)


def _chart(
    quantity: Quantity, runs: Sequence[Measured], baseline: int, targets: Mapping[tuple[str, str], Target]
) -> Chart:
    names = [run.run for run in runs if quantity in run.values]
    values = [run.values[quantity] for run in runs if quantity in run.values]
    own = targets.get((quantity.measure, quantity.control))
    target = own or (Target(values[0], 0.0) if quantity.measure in SETTINGS else _target(values[:baseline]))
    return Chart(quantity, target, tuple(judged(names, values, target)))


def _target(values: Sequence[float]) -> Target | None:
    return Target(mean(values), stdev(values)) if len(values) >= FEWEST_RUNS else None


def judged(names: Sequence[str], values: Sequence[float], target: Target | None) -> Iterator[Point]:
    """Yield the points of a chart, each with the rules that it breaks."""
    if target is None:
        yield from (Point(*pair, None, (), Verdict.NO_LIMITS) for pair in zip(names, values, strict=True))
    elif target.sd == 0:
        for name, value in zip(names, values, strict=True):
            same = value == target.mean
            yield Point(name, value, None, () if same else (CHANGED,), Verdict.OK if same else Verdict.OUT)
    else:
        z = [(value - target.mean) / target.sd for value in values]
        for name, value, distance, rules in zip(names, values, z, broken_rules(z), strict=True):
            yield Point(name, value, distance, rules, _verdict(rules))


def _verdict(rules: Sequence[str]) -> Verdict:
    if not rules:
        return Verdict.OK
    return Verdict.WARNING if set(rules) == {WARNING} else Verdict.OUT


def read_targets(path: Path) -> dict[tuple[str, str], Target]:
    """Return a laboratory's own means and standard deviations from a table ``measure,control,mean,sd``.

    Raises
    ------
    UsageError
        E168 with every fault of the table.
    """
    with boundary(
        lambda why: UsageError(f"{path} cannot be read: {why}", code="E168", hint="give a CSV file in UTF-8")
    ):
        table = read_delimited(path)
    missing = [name for name in ("measure", "mean", "sd") if name not in table.columns]
    faults = [f"column {name} is missing" for name in missing] + table.misfits(("measure", "control", "mean", "sd"))
    targets: dict[tuple[str, str], Target] = {}
    for row in table.rows if not missing else ():
        key = row.cells["measure"], row.cells.get("control", "")
        mean, sd = table.number(row.cells["mean"]), table.number(row.cells["sd"])
        doubtful = [name for name in ("mean", "sd") if table.number(row.cells[name]) is None]
        faults += [f"row {row.line}: {name}: {table.no_number(row.cells[name])}" for name in doubtful]
        if mean is None or sd is None:
            continue
        if sd < 0:
            faults.append(f"row {row.line}: sd {row.cells['sd']!r} is below 0")
        elif key in targets:
            faults.append(f"row {row.line}: {' of '.join(filter(None, key))} comes twice")
        else:
            targets[key] = Target(mean, sd)
    if faults:
        raise UsageError(f"{path.name}: {'; '.join(faults)}", code="E168", hint="columns: measure, control, mean, sd")
    return targets


def without_chart(targets: Iterable[tuple[str, str]], drawn: Iterable[Chart]) -> Iterator[str]:
    """Yield what to write of each target that no quantity of the runs has: nothing is held against it."""
    controls: dict[str, list[str]] = {}
    for chart in drawn:
        controls.setdefault(chart.quantity.measure, []).append(chart.quantity.control)
    for measure, control in targets:
        if measure not in controls:
            yield f"no chart of {measure!r}{did_you_mean(measure, controls)}"
        elif control not in controls[measure]:
            there = ", ".join(one or "without a control" for one in controls[measure])
            yield f"no chart of {measure} with the control {control!r}; there are: {there}"
