"""Area and half-life with values below a limit counted as such: somewhere below it, neither left out nor 0.

The likelihood of such a value is the probability to lie below its limit (M3 of Beal 2001, J Pharmacokinet Pharmacodyn
28:481), with lognormal scatter.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from msgspec.structs import replace

from cytocar.counting.limits import CarResult
from cytocar.kinetics.curve import Point, log_interpolated
from cytocar.kinetics.exposure import area_to
from cytocar.kinetics.rates import USUAL_FREEDOM, USUAL_SD, Rate, log_line, scatter_about
from cytocar.statistics.estimate import UNKNOWN, Estimate

Floats = npt.NDArray[np.float64]

HALF = 0.5
"""Of its limit: what stands for a value below it where no neighbours tell more (M5 of Beal 2001)."""
FASTEST_PER_DAY = 10.0
"""Rate of a fall beyond which no cells die, per day."""


def area_with_censored(evaluable: Sequence[Point], end: float) -> Estimate:
    """Return the area from day 0 to ``end`` with each value below a limit at what is expected of it.

    Between two quantified values it is expected where the line through their logarithms lies, so far as that is below
    the limit: the mean of a lognormal value (SD 25 %) that is known to be smaller. Elsewhere half its limit stands for
    it. The interval lets it lie anywhere from 0 to its limit. Values without a limit are left out.
    """
    if not any(point.limit is not None for point in evaluable):
        return area_to(evaluable, end).estimate
    known = [point for point in evaluable if point.quantified is not None or point.limit is not None]
    filled = [_filled(point, known) for point in known]
    return area_to(filled, end).estimate


def _filled(point: Point, known: Sequence[Point]) -> Point:
    if point.quantified is not None or point.limit is None:
        return point
    before = [one for one in known if one.day < point.day and one.quantified is not None]
    after = [one for one in known if one.day > point.day and one.quantified is not None]
    value = HALF * point.limit
    if before and after:
        value = _mean_below(point.limit, log_interpolated(before[-1], after[0], point.day))
    return replace(point, value=value, result=CarResult.QUANTIFIED, low=0.0, high=point.limit)


def _mean_below(limit: float, median: float) -> float:
    """Return the mean of a lognormal value of this median and 25 % of scatter that lies below a limit.

    Examples
    --------
    >>> round(_mean_below(1.0, 0.2), 3), round(_mean_below(1.0, 50.0), 3)
    (0.206, 0.984)
    """
    from scipy.special import log_ndtr

    place = math.log(limit / median) / USUAL_SD
    share = math.exp(float(log_ndtr(place - USUAL_SD)) - float(log_ndtr(place)))
    return min(median * math.exp(USUAL_SD**2 / 2) * share, limit)


def half_life_with_censored(evaluable: Sequence[Point], peak: Point | None, alone: Rate) -> Estimate:
    """Return the half-life after the peak, values below a limit counted as such, with its profile interval.

    Of the samples from the first one behind the half-life that quantified values give alone, or from the peak where
    they give none. Unknown with fewer than two quantified values, or three in all, or where the curve may be flat.
    """
    if peak is None:
        return UNKNOWN
    after = [point for point in evaluable if point.day > peak.day]
    if not any(point.limit is not None for point in after):
        return Estimate(alone.days, alone.low, alone.high)
    numbers = [point for point in after if point.quantified is not None]
    start = numbers[-alone.points].day if alone.points else peak.day
    window = [point for point in (peak, *after) if point.day >= start]
    numbers = [point for point in window if point.quantified is not None]
    below = [point for point in window if point.quantified is None and point.limit is not None]
    if len(numbers) < 2 or len(numbers) + len(below) < 3:
        return UNKNOWN
    sd = scatter_about(log_line(numbers).residual, len(numbers))
    return _profile(_cost(numbers, below, sd), freedom=len(numbers) - 2 + USUAL_FREEDOM)


def _cost(numbers: Sequence[Point], below: Sequence[Point], sd: float) -> Callable[[float], float]:
    """Return the function from a rate per day to the smallest -2 log likelihood that any level of the line has."""
    from scipy.optimize import minimize_scalar
    from scipy.special import log_ndtr

    days, logs = np.array([(point.day, math.log(point.quantified or 1.0)) for point in numbers]).T
    late = np.array([(point.day, math.log(point.limit or 1.0)) for point in below]).reshape(-1, 2).T

    def cost(rate: float) -> float:
        def at(level: float) -> float:
            own = ((logs - level + rate * days) / sd) ** 2
            return float(own.sum() - 2 * log_ndtr((late[1] - level + rate * late[0]) / sd).sum())

        middle = float(np.mean(logs + rate * days))
        return float(minimize_scalar(at, bracket=(middle - 1.0, middle)).fun)

    return cost


def _profile(cost: Callable[[float], float], *, freedom: int) -> Estimate:
    from scipy.optimize import brentq, minimize_scalar
    from scipy.special import fdtri

    best = minimize_scalar(cost, bounds=(-FASTEST_PER_DAY, FASTEST_PER_DAY), method="bounded", options={"xatol": 1e-9})
    rate = float(best.x)
    allowed = float(best.fun) + float(fdtri(1, freedom, 0.95))
    if rate <= 0 or cost(0.0) <= allowed:
        return UNKNOWN
    slowest = brentq(lambda one: cost(one) - allowed, 0.0, rate)
    open_end = cost(FASTEST_PER_DAY) <= allowed
    fastest = None if open_end else brentq(lambda one: cost(one) - allowed, rate, FASTEST_PER_DAY)
    return Estimate(math.log(2) / rate, None if fastest is None else math.log(2) / fastest, math.log(2) / slowest)
