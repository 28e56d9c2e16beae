"""The area under a course to a day, with an interval that carries counts, scatter, and what lies between samples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from msgspec import Struct

from cytocar.kinetics.between_samples import corner_beside, peak_is_met, scatter_of
from cytocar.kinetics.curve import Point, area_under, curve_of
from cytocar.statistics.estimate import UNKNOWN, Estimate
from cytocar.tables.columns import day_text

Curve = Sequence[tuple[float, float]]


class AreaTo(Struct, frozen=True):
    end: float
    estimate: Estimate
    reason: str = ""


def area_to(evaluable: Sequence[Point], end: float) -> AreaTo:
    """Return the AUC from day 0 to ``end`` with its interval.

    The limits are combined by MOVER (Zou and Donner 2008, Stat Med 27:1693): each value's distance to its limit, times
    the slope of the AUC in that value, added in quadrature. The values' limits are widened by the scatter of the days
    about the course; what other lines between the samples would make of the area is added (``between``).
    """
    quantified = [point for point in evaluable if point.quantified]
    if not quantified:
        return AreaTo(end, UNKNOWN, "no sample is quantified")
    if evaluable[-1].day < end:
        return AreaTo(end, UNKNOWN, f"the last sample is of day {day_text(evaluable[-1].day)}")
    curve = curve_of(evaluable)
    area = area_under(curve, end)
    limits = {point.day: point for point in evaluable}
    scatter = scatter_of(quantified)
    below, above = between(curve, quantified, end)
    for index, (day, value) in enumerate(curve):
        if value == 0 or day not in limits:
            continue
        low, high = limits[day].low, limits[day].high
        if low is None or high is None:
            return AreaTo(end, Estimate(area, None, None))
        wide = Estimate(value, max(low, 0.0), high).widened(math.sqrt(math.expm1(scatter**2)))
        step = 1e-5 * value
        moved = [(d, v + step) if i == index else (d, v) for i, (d, v) in enumerate(curve)]
        slope = (area_under(moved, end) - area) / step
        below = math.hypot(below, slope * (value - (wide.low or 0.0)))
        above = math.hypot(above, slope * ((wide.high or high) - value))
    peak = max(quantified, key=lambda point: point.quantified or 0.0)
    known = peak.day > end or peak_is_met(evaluable, peak)
    below += area * -math.expm1(-(scatter**2) / 2)  # by so much values that scatter lie above their course on average
    return AreaTo(end, Estimate(area, max(area - below, 0.0), area + above if known else None))


def between(curve: Curve, quantified: Sequence[Point], end: float) -> tuple[float, float]:
    """How much smaller and larger the area may be by what the course did between its samples.

    A rise may follow its logarithm as a fall does, a fall a straight line; a rise from 0 may have been steep or late;
    the peak may lie beside the highest sample. Stretches differ for reasons of their own: they add in quadrature.
    """
    below = above = 0.0
    for (start, first), (stop, second) in pairwise(curve):
        if start >= end:
            break
        area = area_under([(start, first), (stop, second)], end)
        if first == 0:
            below, above = math.hypot(below, area / 2), math.hypot(above, area / 2)
        elif stop <= end:
            straight = (stop - start) * (first + second) / 2
            by_logarithm = area_under([(start, max(first, second)), (stop, min(first, second))])
            if second > first:
                below = math.hypot(below, straight - by_logarithm)
            else:
                above = math.hypot(above, straight - by_logarithm)
    peak = max(quantified, key=lambda point: point.quantified or 0.0)
    corner = corner_beside(quantified, peak)
    if corner and corner.height > 0 and corner.day < end:
        top = (corner.day, (peak.quantified or 0.0) * math.exp(corner.height))
        above = math.hypot(above, area_under(sorted([*curve, top]), end) - area_under(curve, end))
    return below, above
