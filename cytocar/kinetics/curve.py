"""The points of one curve and the area under them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

from msgspec import Struct

from cytocar.counting.limits import CarResult
from cytocar.statistics.estimate import UNKNOWN, Estimate


class Point(Struct, frozen=True):
    """One sample of the curve. ``value`` counts only where it is ``quantified``; else it lies below ``limit``."""

    day: float
    value: float | None
    result: CarResult
    low: float | None = None
    high: float | None = None
    limit: float | None = None

    @property
    def quantified(self) -> float | None:
        """The value, where it may be used as a number."""
        return self.value if self.result is CarResult.QUANTIFIED else None


def points_of(
    days: Sequence[float],
    values: Sequence[float | None],
    results: Sequence[CarResult | str] | None,
    intervals: Sequence[Estimate] | None,
    limits: Sequence[float | None] | None = None,
) -> list[Point]:
    """Return the points of a curve in order of days."""
    if results is None:
        results = [CarResult.QUANTIFIED if value else CarResult.NOT_DETECTED for value in values]
    if intervals is None:
        intervals = [UNKNOWN] * len(days)
    if limits is None:
        limits = [None] * len(days)
    if not len(days) == len(values) == len(results) == len(intervals) == len(limits):
        raise ValueError("days, cells_per_ul, results, intervals and limits must have the same length")
    points = []
    for day, value, result, interval, limit in zip(days, values, results, intervals, limits, strict=True):
        if not math.isfinite(day):
            raise ValueError(f"not a day: {day}")
        if value is not None and not (math.isfinite(value) and value >= 0):
            raise ValueError(f"not a concentration: {value} on day {day:g}")
        state = CarResult(result)
        if state is CarResult.QUANTIFIED and not value:
            raise ValueError(f"quantified without a concentration on day {day:g}")
        below = limit if state in (CarResult.NOT_DETECTED, CarResult.BELOW_LLOQ) else None
        number = None if value is None else float(value)
        points.append(Point(float(day), number, state, interval.low, interval.high, below))
    points.sort(key=lambda point: point.day)
    for earlier, later in pairwise(points):
        if earlier.day == later.day:
            raise ValueError(f"two values for day {later.day:g}: combine replicates first")
    return points


def curve_of(evaluable: Sequence[Point], *, to_the_end: bool = False) -> list[tuple[float, float]]:
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


def area_under(curve: Sequence[tuple[float, float]], end: float = math.inf) -> float:
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


def log_interpolated(before: Point, after: Point, day: float) -> float:
    """Return the value on a day of the line through the logarithms of two quantified points."""
    first, second = before.quantified or math.nan, after.quantified or math.nan
    return float(first * (second / first) ** ((day - before.day) / (after.day - before.day)))
