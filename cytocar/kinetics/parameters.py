"""Cellular kinetics of one subject from its curve: peak, exposure, persistence, doubling time, half-life.

Noncompartmental, as for a drug (Gabrielsson and Weiner 2012, Methods Mol Biol 929:377), with the rules that a living
drug asks for. Cells/µL and transgene copies/µg are never mixed: one call, one unit.

A number that the data do not support is ``None``, and ``Kinetics.reasons`` says why. Models of the whole curve stand in
``expansion``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Literal

from cytocar.counting.limits import CarResult
from cytocar.statistics.estimate import UNKNOWN, Estimate

BLQ_RULE = "before first quantified: 0; between: left out; after last: AUC ends at Tlast"
"""What is done with values below the limit of quantification; written beside every result."""

FEWEST_FOR_HALF_LIFE = 3
"""Samples after the peak: two points always lie on a line."""
_R2_TIE = 1e-4  # adjusted R2 closer than this are equal, and more points win: the rule of Phoenix WinNonlin
_IN_CELLS = frozenset({CarResult.QUANTIFIED, CarResult.BELOW_LLOQ})


@dataclass(frozen=True, slots=True)
class Point:
    """One sample of the curve. ``value`` counts only where the result is ``quantified``."""

    day: float
    value: float | None
    result: CarResult
    low: float | None = None
    high: float | None = None

    @property
    def quantified(self) -> float | None:
        """The value, where it may be used as a number."""
        return self.value if self.result is CarResult.QUANTIFIED else None


@dataclass(frozen=True, slots=True)
class Kinetics:
    """One row of ``kinetics.csv``; days since infusion, cells/µL, cells/µL x days.

    ``tlast_day`` is the last quantified day, ``persistence_days`` the last day with cells detected, quantified or not.
    ``auc_0_last`` ends at ``tlast_day``; ``auc_0_end`` goes on to the last sample, with 0 for what is below the limit.
    ``reasons`` pairs the name of a column with why it is empty, or with what to keep in mind.
    """

    subject_id: str
    cmax_per_ul: float | None
    tmax_day: float | None
    auc_0_28: float | None
    auc_0_84: float | None
    clast_per_ul: float | None
    tlast_day: float | None
    persistence_days: float | None
    doubling_time_days: float | None
    half_life_days: float | None
    half_life_points: int | None
    half_life_adjusted_r2: float | None
    n_timepoints: int
    n_quantified: int
    blq_rule: str
    auc_0_last: float | None
    auc_0_end: float | None
    cmax_per_ul_low: float | None
    cmax_per_ul_high: float | None
    auc_0_28_low: float | None
    auc_0_28_high: float | None
    auc_0_84_low: float | None
    auc_0_84_high: float | None
    reasons: tuple[tuple[str, str], ...]
    doubling_time_days_low: float | None = None
    doubling_time_days_high: float | None = None
    doubling_time_points: int | None = None
    doubling_time_adjusted_r2: float | None = None
    half_life_days_low: float | None = None
    half_life_days_high: float | None = None

    @classmethod
    def columns(cls) -> tuple[str, ...]:
        """Return the columns of ``kinetics.csv``, in order."""
        return tuple(column.name for column in fields(cls))

    def reason(self, column: str) -> str | None:
        """Return why a column is empty, or what to keep in mind about it."""
        return dict(self.reasons).get(column)


def noncompartmental(
    days: Sequence[float],
    cells_per_ul: Sequence[float | None],
    *,
    results: Sequence[CarResult | str] | None = None,
    intervals: Sequence[Estimate] | None = None,
    subject_id: str = "",
) -> Kinetics:
    """Return peak, exposure and decline of one curve, as in ``kinetics.csv``.

    Parameters
    ----------
    days : sequence of float
        Days since infusion, in any order, each once. Samples before day 0 are not part of the kinetics.
    cells_per_ul : sequence of float or None
        Concentrations; ``None`` or 0 where nothing could be quantified.
    results : sequence of CarResult, optional
        What may be said of each value; ``not_evaluable`` samples are left out. Without it, what is above 0 is
        quantified.
    intervals : sequence of Estimate, optional
        The interval of each value; gives the intervals of Cmax and the AUCs.

    Raises
    ------
    ValueError
        If the sequences differ in length, a number is negative or not finite, or a day comes twice.

    Notes
    -----
    AUC: linear where the curve rises, logarithmic where it falls, interpolated by the same rule at day 28 and 84, from
    0 at infusion where day 0 has no sample; no AUC beyond the last sample. Doubling time: log-linear regression over
    the quantified samples up to the peak. Half-life: log-linear regression over the last 3 or more quantified samples
    after the peak, as many as give the best adjusted R2. Both are given with the interval of the slope, and not at all
    where that holds 0: the curve may be flat. Values below the limit of quantification: see ``blq_rule``.

    Examples
    --------
    >>> course = noncompartmental([0, 1, 2, 3, 4, 5, 8], [0, 2.5, 3, 2, 1.5, 1.2, 1.1])
    >>> course.cmax_per_ul, course.tmax_day, round(course.auc_0_last, 6)
    (3.0, 2.0, 12.996584)
    >>> course.reason("auc_0_28")
    'the last sample is of day 8'
    """
    points = _points(days, cells_per_ul, results, intervals)
    evaluable = [point for point in points if point.day >= 0 and point.result is not CarResult.NOT_EVALUABLE]
    quantified = [point for point in evaluable if point.quantified is not None]
    reasons: list[tuple[str, str]] = []
    early = sum(point.result in _IN_CELLS for point in points if point.day < 0)
    if early:
        reasons.append(("n_timepoints", f"cells detected in {early} sample(s) before infusion, which are left out"))
    peak = max(quantified, key=lambda point: point.quantified or 0.0, default=None)
    last = quantified[-1] if quantified else None
    areas = {end: _area_to(evaluable, end) for end in (28.0, 84.0)}
    doubling = _doubling_time(quantified, peak)
    half_life = _half_life(quantified, peak)
    reasons += _reasons(evaluable, peak, areas, doubling, half_life)
    return Kinetics(
        subject_id=subject_id,
        cmax_per_ul=peak.value if peak else None,
        tmax_day=peak.day if peak else None,
        auc_0_28=areas[28.0].estimate.value,
        auc_0_84=areas[84.0].estimate.value,
        clast_per_ul=last.value if last else None,
        tlast_day=last.day if last else None,
        persistence_days=max((point.day for point in evaluable if point.result in _IN_CELLS), default=None),
        doubling_time_days=doubling.days,
        half_life_days=half_life.days,
        half_life_points=half_life.points,
        half_life_adjusted_r2=half_life.adjusted_r2,
        n_timepoints=len(evaluable),
        n_quantified=len(quantified),
        blq_rule=BLQ_RULE,
        auc_0_last=_area(_curve(evaluable)) if last else None,
        auc_0_end=_area(_curve(evaluable, to_the_end=True)) if last else None,
        cmax_per_ul_low=peak.low if peak else None,
        cmax_per_ul_high=peak.high if peak else None,
        auc_0_28_low=areas[28.0].estimate.low,
        auc_0_28_high=areas[28.0].estimate.high,
        auc_0_84_low=areas[84.0].estimate.low,
        auc_0_84_high=areas[84.0].estimate.high,
        reasons=tuple(reasons),
        doubling_time_days_low=doubling.low,
        doubling_time_days_high=doubling.high,
        doubling_time_points=doubling.points,
        doubling_time_adjusted_r2=doubling.adjusted_r2,
        half_life_days_low=half_life.low,
        half_life_days_high=half_life.high,
    )


def _points(
    days: Sequence[float],
    values: Sequence[float | None],
    results: Sequence[CarResult | str] | None,
    intervals: Sequence[Estimate] | None,
) -> list[Point]:
    if results is None:
        results = [CarResult.QUANTIFIED if value else CarResult.NOT_DETECTED for value in values]
    if intervals is None:
        intervals = [UNKNOWN] * len(days)
    if not len(days) == len(values) == len(results) == len(intervals):
        raise ValueError("days, cells_per_ul, results and intervals must have the same length")
    points = []
    for day, value, result, interval in zip(days, values, results, intervals, strict=True):
        if not math.isfinite(day):
            raise ValueError(f"not a day: {day}")
        if value is not None and not (math.isfinite(value) and value >= 0):
            raise ValueError(f"not a concentration: {value} on day {day:g}")
        state = CarResult(result)
        if state is CarResult.QUANTIFIED and not value:
            raise ValueError(f"quantified without a concentration on day {day:g}")
        points.append(Point(float(day), None if value is None else float(value), state, interval.low, interval.high))
    points.sort(key=lambda point: point.day)
    for earlier, later in pairwise(points):
        if earlier.day == later.day:
            raise ValueError(f"two values for day {later.day:g}: combine replicates first")
    return points


# ---------------------------------------------------------------- area under the curve


@dataclass(frozen=True, slots=True)
class _AreaTo:
    end: float
    estimate: Estimate
    reason: str = ""


def _curve(evaluable: Sequence[Point], *, to_the_end: bool = False) -> list[tuple[float, float]]:
    """Return (day, value) from infusion on, below-limit values placed as ``BLQ_RULE`` says."""
    numbers = [index for index, point in enumerate(evaluable) if point.quantified is not None]
    if not numbers:
        return []
    first, last = numbers[0], numbers[-1]
    curve = [(0.0, 0.0)] if evaluable[0].day > 0 else []
    for index, point in enumerate(evaluable):
        if point.quantified is not None:
            curve.append((point.day, point.quantified))
        elif index < first or (index > last and to_the_end):
            curve.append((point.day, 0.0))
    return curve


def _area(curve: Sequence[tuple[float, float]], end: float = math.inf) -> float:
    """Return the area under (day, value) pairs up to day ``end``: linear up, log down."""
    return math.fsum(_segments(curve, end))


def _segments(curve: Sequence[tuple[float, float]], end: float) -> Iterator[float]:
    for (start, first), (stop, second) in pairwise(curve):
        if start >= end:
            return
        if stop > end:
            second = _interpolated(first, second, (end - start) / (stop - start))  # noqa: PLW2901 -- cut at the end
            stop = end  # noqa: PLW2901
        # The logarithmic rule is 0/0 for equal values, and loses all its digits just beside them.
        if 0 < second < first * (1 - 1e-9):
            yield (stop - start) * (first - second) / math.log(first / second)
        else:
            yield (stop - start) * (first + second) / 2


def _interpolated(first: float, second: float, part: float) -> float:
    if 0 < second < first:
        return float(first * (second / first) ** part)
    return first + (second - first) * part


def _area_to(evaluable: Sequence[Point], end: float) -> _AreaTo:
    """Return the AUC from day 0 to ``end``, with the interval that the values' intervals give.

    The limits are combined by MOVER (Zou and Donner 2008, Stat Med 27:1693): each value's distance to its limit, times
    the slope of the AUC in that value, added in quadrature.
    """
    if not any(point.quantified for point in evaluable):
        return _AreaTo(end, UNKNOWN, "no sample is quantified")
    if evaluable[-1].day < end:
        return _AreaTo(end, UNKNOWN, f"the last sample is of day {evaluable[-1].day:g}")
    curve = _curve(evaluable)
    area = _area(curve, end)
    limits = {point.day: point for point in evaluable}
    below = above = 0.0
    for index, (day, value) in enumerate(curve):
        if value == 0 or day not in limits:
            continue
        low, high = limits[day].low, limits[day].high
        if low is None or high is None:
            return _AreaTo(end, Estimate(area, None, None))
        step = 1e-5 * value
        moved = [(d, v + step) if i == index else (d, v) for i, (d, v) in enumerate(curve)]
        slope = (_area(moved, end) - area) / step
        below = math.hypot(below, slope * (value - low))
        above = math.hypot(above, slope * (high - value))
    return _AreaTo(end, Estimate(area, max(area - below, 0.0), area + above))


# ---------------------------------------------------------------- rise and fall


@dataclass(frozen=True, slots=True)
class _Rate:
    days: float | None = None
    points: int | None = None
    adjusted_r2: float | None = None
    reason: str = ""
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class _Line:
    """A line through logarithms; ``half_width`` is that of the slope's 95 % interval, ``None`` where nothing tells."""

    slope: float
    adjusted_r2: float
    half_width: float | None

    def days(self, direction: Literal[-1, 1]) -> tuple[float, float | None, float | None] | None:
        """Return the time of a doubling (1) or halving (-1) with its limits; None where the slope may be 0."""
        slope, half_width = direction * self.slope, self.half_width
        if half_width is None:
            return math.log(2) / slope, None, None
        if slope <= half_width:
            return None
        return tuple(math.log(2) / one for one in (slope, slope + half_width, slope - half_width))  # type: ignore[return-value]  # three of them


def _log_line(points: Sequence[Point]) -> _Line:
    """Return the least-squares line through the natural logarithms of two or more values."""
    n = len(points)
    logs = [math.log(point.quantified or math.nan) for point in points]
    day = math.fsum(point.day for point in points) / n
    log = math.fsum(logs) / n
    sxx = math.fsum((point.day - day) ** 2 for point in points)
    sxy = math.fsum((point.day - day) * (value - log) for point, value in zip(points, logs, strict=True))
    syy = math.fsum((value - log) ** 2 for value in logs)
    r2 = sxy * sxy / (sxx * syy) if syy > 0 else 0.0
    return _Line(
        slope=sxy / sxx,
        adjusted_r2=1 - (1 - r2) * (n - 1) / (n - 2) if n > 2 else r2,
        half_width=_half_width(points, n, sxx, max(syy - sxy * sxy / sxx, 0.0)),
    )


def _half_width(points: Sequence[Point], n: int, sxx: float, residual: float) -> float | None:
    """Return the half width of a slope's interval: of the scatter about the line, or of the counts, if that is wider.

    Three values may lie on a line by chance, and many that were counted well may scatter: the larger of Student's
    interval from the residuals (n - 2 degrees of freedom) and the normal one from the counts' own intervals holds.
    """
    from scipy.special import stdtrit

    scattered = float(stdtrit(n - 2, 0.975)) * math.sqrt(residual / (n - 2) / sxx) if n > 2 else None
    errors = [
        math.log(point.high / point.low) / 2
        for point in points
        if point.low is not None and point.high is not None and 0 < point.low < point.high
    ]
    counted = math.sqrt(math.fsum(error**2 for error in errors) / n / sxx) if len(errors) == n else None
    known = [half for half in (scattered, counted) if half is not None]
    return max(known) if known else None


def _doubling_time(quantified: Sequence[Point], peak: Point | None) -> _Rate:
    if peak is None:
        return _Rate(reason="no sample is quantified")
    rise = [point for point in quantified if point.day <= peak.day]
    if len(rise) < 2:
        return _Rate(reason="no quantified sample before the peak")
    line = _log_line(rise)
    if line.slope <= 0:
        return _Rate(reason="the curve does not rise before the peak")
    return _rate(line, len(rise), 1, "rise before")


def _half_life(quantified: Sequence[Point], peak: Point | None) -> _Rate:
    if peak is None:
        return _Rate(reason="no sample is quantified")
    fall = [point for point in quantified if point.day > peak.day]
    if len(fall) < FEWEST_FOR_HALF_LIFE:
        return _Rate(reason=f"{len(fall)} quantified samples after the peak, {FEWEST_FOR_HALF_LIFE} are needed")
    lines: list[tuple[_Line, int]] = []
    for count in range(FEWEST_FOR_HALF_LIFE, len(fall) + 1):
        line = _log_line(fall[-count:])
        # A slope of 0 in all but rounding has no half-life.
        if line.slope < -1e-12:
            lines.append((line, count))
    if not lines:
        return _Rate(reason="the curve does not fall after the peak")
    best = max(line.adjusted_r2 for line, _ in lines)
    line, count = [one for one in lines if one[0].adjusted_r2 >= best - _R2_TIE][-1]
    return _rate(line, count, -1, "fall after")


def _rate(line: _Line, points: int, direction: Literal[-1, 1], what: str) -> _Rate:
    """Return the time of a doubling or halving with its interval; none where the slope may be 0."""
    found = line.days(direction)
    if found is None:
        return _Rate(reason=f"unknown: the {what} the peak is not told from none ({points} samples)")
    days, low, high = found
    return _Rate(days, points, line.adjusted_r2, low=low, high=high)


def _reasons(
    evaluable: Sequence[Point], peak: Point | None, areas: dict[float, _AreaTo], doubling: _Rate, half_life: _Rate
) -> Iterator[tuple[str, str]]:
    if peak is None:
        text = "no sample is quantified" if evaluable else "no sample can be evaluated"
        yield from ((column, text) for column in ("cmax_per_ul", "tmax_day", "clast_per_ul", "tlast_day"))
    elif len(evaluable) == 1:
        yield "cmax_per_ul", "the only sample"
    elif peak is evaluable[-1]:
        yield "cmax_per_ul", "the peak is the last sample: the curve may rise further"
    for end, area in areas.items():
        if area.reason:
            yield f"auc_0_{end:g}", area.reason
    detected = [point for point in evaluable if point.result in _IN_CELLS]
    if not detected:
        yield "persistence_days", "cells were never detected"
    elif detected[-1] is evaluable[-1]:
        yield "persistence_days", "cells are still detected in the last sample: at least this long"
    if doubling.reason:
        yield "doubling_time_days", doubling.reason
    if half_life.reason:
        yield "half_life_days", half_life.reason
