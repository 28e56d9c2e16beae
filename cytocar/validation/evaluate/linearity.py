"""Linearity: whether results of dilutions lie on a line (EP06), and on one through the origin (ISO 20391-2)."""

from __future__ import annotations

from collections.abc import Iterator

from cytocar.statistics.estimate import Estimate
from cytocar.statistics.linearity import FEWEST_FRACTIONS, FEWEST_LEVELS, linearity, proportionality
from cytocar.validation.evaluate.statistic import (
    Found,
    Settings,
    Statistic,
    groups,
    missing,
    require_cells,
    uneven,
    without_numbers,
)
from cytocar.validation.study import Study

TUBES_OF_A_FRACTION = 3
"""ISO 20391-2 asks for three tubes of each dilution."""


def dilutions(study: Study, measurand: str, _settings: Settings) -> Found:
    """Return the line of results against ``val_expected``, deviations from it, and proportionality."""
    require_cells(study, "val_level", "val_expected")
    pairs = [
        (tube.sample.val_expected, value)
        for tube in study.used
        if (value := tube.number(measurand)) is not None and tube.sample.val_expected is not None
    ]
    expected, measured = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    levels = {level: expected.count(level) for level in sorted(set(expected))}
    if len(levels) < FEWEST_LEVELS:
        raise missing(
            study,
            f"{len(levels)} levels of {measurand} ({', '.join(f'{level:g}' for level in levels)})",
            hint=f"a line is tested on {FEWEST_LEVELS} levels at least; look for dilutions that were not counted",
        )
    gone = set(groups(study.tubes, lambda tube: tube.sample.val_expected)) - set(levels)
    notes = [*without_numbers(study, measurand), *uneven({f"level {at:g}": size for at, size in levels.items()})]
    notes += [f"level {level:g} has no result" for level in sorted(one for one in gone if one is not None)]
    statistics = list(_straight(expected, measured))
    if sum(level > 0 for level in levels) >= FEWEST_FRACTIONS and sum(measured) > 0:
        statistics += _through_origin(expected, measured)
        if min(levels.values()) < TUBES_OF_A_FRACTION:
            notes.append(f"ISO 20391-2 asks for {TUBES_OF_A_FRACTION} tubes of each dilution")
    return Found(tuple(statistics), tuple(notes))


def _straight(expected: list[float], measured: list[float]) -> Iterator[Statistic]:
    line = linearity(expected, measured)
    how = "weighted least squares, weights by the scatter of replicates"
    yield Statistic("slope", line.slope, line.n, how)
    yield Statistic("intercept", line.intercept, line.n, how)
    yield Statistic("order", Estimate(float(line.order), None, None), line.n, "t tests of curved terms at 5 %")
    yield Statistic("nonlinearity", Estimate(line.nonlinearity, None, None), line.n, "best polynomial minus line")
    for level, one in zip(line.levels, line.deviations, strict=True):
        yield Statistic("deviation", one, line.n, f"{how}; interval from replicates", f"{level:g}")


def _through_origin(expected: list[float], measured: list[float]) -> Iterator[Statistic]:
    line = proportionality(expected, measured)
    how = "line through the origin (ISO 20391-2)"
    yield Statistic("proportionality_r2", Estimate(line.r2, None, None), line.n, how)
    yield Statistic("proportionality_sse", Estimate(line.scaled_sse, None, None), line.n, how)
    yield Statistic("cv_replicates", line.cv, line.n, "pooled over levels")
    for level, one in zip(line.levels, line.deviations, strict=True):
        yield Statistic("proportionality_deviation", one, line.n, f"{how}; interval from replicates", f"{level:g}")
