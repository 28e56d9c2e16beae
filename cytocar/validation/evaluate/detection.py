"""Detection: limits of blank and detection by EP17 and by events, and the lowest level that meets CV and bias."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from statistics import mean, median, stdev

from cytocar.statistics.ep17 import blank_limit, detection_limit, event_limits, lowest_that_meets
from cytocar.statistics.estimate import UNKNOWN, Estimate
from cytocar.statistics.intervals import Share
from cytocar.statistics.normal import mean_interval, sd_interval
from cytocar.validation.designs import BLANK
from cytocar.validation.evaluate.statistic import (
    Found,
    Settings,
    Statistic,
    groups,
    missing,
    numbers,
    require_cells,
    without_numbers,
)
from cytocar.validation.study import Study, Tube

FEWEST_TO_VERIFY = 20
"""Blanks, and low tubes, that verify a limit (EP17-A2, 5.4); 60 of each establish one."""
BY_CAR_EVENTS = ("car_percent_of_t_cells", "car_per_ul", "car_percent_net", "car_per_ul_net")
"""Measurands for which CAR+ events of T cells are counted."""


def detection(study: Study, measurand: str, settings: Settings) -> Found:
    """Return limits of blank, detection and quantitation of a measurand."""
    require_cells(study, "val_level")
    levels = groups([tube for tube in study.used if tube.number(measurand) is not None], lambda tube: tube.level)
    blanks = levels.pop(BLANK, [])
    low = {level: tubes for level, tubes in levels.items() if len(tubes) >= 2}
    if len(blanks) < 3 or not low:
        raise missing(
            study,
            f"{len(blanks)} blank tubes and {len(low)} low levels with two tubes have {measurand}",
            hint=f"tubes without CAR-T cells have val_level = {BLANK}, low samples have levels of their own",
        )
    n_low = sum(map(len, low.values()))
    notes = list(without_numbers(study, measurand))
    notes += [f"level {level} has one tube and is left out" for level in levels if level not in low]
    if len(blanks) < FEWEST_TO_VERIFY or n_low < FEWEST_TO_VERIFY:
        notes.append(
            f"{len(blanks)} blanks, {n_low} low tubes: EP17 asks for {FEWEST_TO_VERIFY} of each to verify a limit"
        )
    blank = blank_limit(numbers(blanks, measurand))
    limit = detection_limit(blank.limit, [numbers(tubes, measurand) for tubes in low.values()])
    statistics = [
        Statistic("lob", blank.limit, len(blanks), blank.method),
        Statistic("lod", limit.limit, n_low, limit.method),
        *(_by_events(blanks, low) if measurand in BY_CAR_EVENTS else ()),
        *_of_levels(low, measurand, blank.limit.value or 0.0, settings),
    ]
    return Found(tuple(statistics), tuple(notes))


def _by_events(blanks: list[Tube], low: Mapping[str, list[Tube]]) -> Iterator[Statistic]:
    events, of = (int(sum(numbers(blanks, column))) for column in ("car_events", "t_cell_events"))
    parents = [value for tubes in low.values() for value in numbers(tubes, "t_cell_events")]
    typical = int(median(parents)) if parents else 0
    if not of or not typical:
        return
    blank, limit = event_limits(events, of, typical)
    how = f"Poisson; {events} CAR+ of {of:,} T cells in the blanks, for {typical:,} T cells (median of low tubes)"
    yield Statistic("lob_events", blank, len(blanks), how)
    yield Statistic("lod_events", limit, len(blanks), how)
    yield Statistic("lod_percent_by_events", limit.scaled(100 / typical), len(blanks), how)


def _of_levels(low: Mapping[str, list[Tube]], measurand: str, blank: float, settings: Settings) -> Iterator[Statistic]:
    """Yield CV, bias and share detected of each level, and the lowest level that meets CV and bias."""
    met: list[tuple[float, float, float]] = []
    for level, tubes in low.items():
        values = numbers(tubes, measurand)
        n, cv, bias = len(values), _cv(values), _bias(tubes, measurand)
        yield Statistic("cv", cv, n, "tubes of a level", level)
        yield Statistic("bias", bias, n, "against val_expected", level)
        above = sum(value > blank for value in values)
        yield Statistic("detected", Share(above, n).estimate(), n, "above the limit of blank", level)
        if cv.value is not None:
            met.append((mean(values), cv.value, math.nan if bias.value is None else bias.value))
    lloq, below = lowest_that_meets(met, cv=settings.lloq_cv_percent, bias=settings.lloq_bias_percent)
    how = f"CV at most {settings.lloq_cv_percent:g} %, bias {settings.lloq_bias_percent:g} %; " + (
        "every level meets them" if below is None else f"{below:.3g} does not meet them"
    )
    yield Statistic("lloq", UNKNOWN if lloq is None else Estimate(lloq, below, lloq), len(met), how)


def _cv(values: list[float]) -> Estimate:
    middle = mean(values)
    if middle <= 0:
        return UNKNOWN
    return Estimate(*sd_interval(stdev(values), len(values) - 1)).scaled(100 / middle)


def _bias(tubes: list[Tube], measurand: str) -> Estimate:
    """Return the mean of (found - expected) in percent of what was expected."""
    pairs = [(tube.number(measurand), tube.sample.val_expected) for tube in tubes]
    off = [100 * (value / expected - 1) for value, expected in pairs if value is not None and expected]
    if not off:
        return UNKNOWN
    return Estimate(*mean_interval(mean(off), stdev(off) if len(off) > 1 else 0.0, len(off)))
