"""Precision: how far results of one sample scatter within a run, between runs and days, and in all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from statistics import mean, stdev

from cytocar.statistics.estimate import Estimate
from cytocar.statistics.nested import nested_anova
from cytocar.statistics.normal import mean_interval
from cytocar.validation.designs import Design
from cytocar.validation.evaluate.statistic import (
    Found,
    Settings,
    Statistic,
    groups,
    missing,
    numbers,
    require_cells,
    uneven,
    without_numbers,
)
from cytocar.validation.study import Study, Tube

ASKED = {Design.PRECISION_20X2X2.value: (20, 2, 2), Design.PRECISION_5X3.value: (5, 1, 3)}
"""Days, runs of a day, and tubes of a run that a design names."""


def precision(study: Study, measurand: str, _settings: Settings) -> Found:
    """Return mean and CVs of each level by nested analysis of variance; unbalanced data are evaluated, and said."""
    require_cells(study, "val_level", "val_day", "val_run")
    statistics: list[Statistic] = []
    notes = list(without_numbers(study, measurand))
    for level, tubes in groups(study.used, lambda tube: tube.level).items():
        measured = [tube for tube in tubes if tube.number(measurand) is not None]
        statistics += _of_level(study, level, measured, measurand)
        notes += [f"{level}: {note}" for note in _notes(study, measured)]
    return Found(tuple(statistics), tuple(notes))


def _of_level(study: Study, level: str, tubes: list[Tube], measurand: str) -> Iterator[Statistic]:
    days, runs = _day_and_run(tubes)
    values = numbers(tubes, measurand)
    several_days, runs_in_all = len(set(days)) > 1, len(set(zip(days, runs, strict=True)))
    factors: dict[str, list[str]] = {}
    if several_days and runs_in_all > len(set(days)):
        factors = {"cv_between_day": days, "cv_between_run": runs}
    elif several_days or runs_in_all > 1:
        factors = {"cv_between_run": days if several_days else runs}
    if not factors or runs_in_all == len(values):
        raise missing(
            study,
            f"level {level} has {len(values)} results of {measurand} in {runs_in_all} runs",
            hint="precision needs two runs at least, and two tubes in one of them",
        )
    anova = nested_anova(values, factors, within="cv_within_run")
    how = f"nested analysis of variance, {'balanced' if anova.balanced else 'unbalanced'}"
    yield Statistic("mean", _mean(values, next(iter(factors.values()))), anova.n, "mean of runs' means", level)
    for part in reversed(anova.components):
        yield Statistic(part.name, part.cv, anova.n, how, level, part.df)
    yield Statistic("cv_total", anova.total.cv, anova.n, how, level, anova.total.df)


def _day_and_run(tubes: list[Tube]) -> tuple[list[str], list[str]]:
    return [tube.sample.val_day or "" for tube in tubes], [tube.sample.val_run or "" for tube in tubes]


def _mean(values: list[float], labels: list[str]) -> Estimate:
    """Return the mean with an interval that rests on independent days, or runs."""
    by_label: dict[str, list[float]] = {}
    for value, label in zip(values, labels, strict=True):
        by_label.setdefault(label, []).append(value)
    means = [mean(group) for group in by_label.values()]
    return Estimate(*mean_interval(mean(means), stdev(means), len(means)))


def _notes(study: Study, tubes: list[Tube]) -> Iterator[str]:
    """Yield that the design is unbalanced, and what is missing of the one that the study names."""
    cells = Counter(zip(*_day_and_run(tubes), strict=True))
    yield from uneven({f"day {day} run {run}": size for (day, run), size in cells.items()})
    days = Counter(day for day, _ in cells)
    there = (len(days), max(days.values()), max(cells.values()))
    names = ("days", "runs a day", "tubes a run")
    for name, wanted, present in zip(names, ASKED.get(study.name.partition("/")[0], (0, 0, 0)), there, strict=True):
        if present < wanted:
            yield f"the design asks for {wanted} {name}, there are {present}"
