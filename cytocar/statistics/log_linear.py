"""Straight lines through logarithms of a curve: the rate per day, with what is below a limit used for what it is.

A value below its limit is known to be smaller, and no more: the line is fitted by maximum likelihood with normal
residuals of the logarithm (Tobin 1958, Econometrica 26:24). Without such values this is least squares.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FEWEST_FOR_A_TEST = 4
"""Values for the test of a bend: the bent line has three parameters, and one degree of freedom must be left."""


class LogValue(Struct, frozen=True):
    """One value of a curve on a day. ``below`` tells that it is smaller than ``value``, its limit.

    ``sd`` is the standard deviation of its logarithm by counting, for lines through two values.
    """

    day: float
    value: float
    below: bool = False
    sd: float | None = None


class Rate(Struct, frozen=True):
    """The slope of the natural logarithm per day with its 95 % interval; ``None`` where the values do not give it."""

    per_day: float | None
    low: float | None
    high: float | None
    n_values: int
    n_below: int
    method: str


def rate_per_day(values: Sequence[LogValue]) -> Rate:
    """Return the rate at which a stretch of a curve grows or falls.

    Notes
    -----
    Three values and more above their limits: maximum likelihood, with a t interval of n - 2 degrees of freedom on the
    observed information (least squares, exactly, where nothing is below a limit). Two: the line through them, with the
    interval of their counts. One, with a later value below its limit: the rate is at most that of the line between
    them.

    Examples
    --------
    >>> found = rate_per_day([LogValue(day, 2.0**day) for day in (0, 1, 2)])
    >>> round(found.per_day, 4), found.method
    (0.6931, 'least squares')
    >>> rate_per_day([LogValue(0, 100), LogValue(5, 1, below=True)]).high
    -0.921...
    """
    measured = [value for value in values if not value.below]
    n, below = len(values), len(values) - len(measured)
    days = {value.day for value in measured}
    if len(days) >= 3:
        slope, spread = _least_squares(measured) if not below else _censored(measured, [v for v in values if v.below])
        method = "maximum likelihood, censored" if below else "least squares"
        return Rate(slope, slope - spread, slope + spread, n, below, method)
    if len(days) == 2 and len(measured) == 2:
        first, last = sorted(measured, key=lambda value: value.day)
        slope = math.log(last.value / first.value) / (last.day - first.day)
        if first.sd is None or last.sd is None:
            return Rate(slope, None, None, n, below, "two values")
        spread = 1.96 * math.hypot(first.sd, last.sd) / (last.day - first.day)
        return Rate(slope, slope - spread, slope + spread, n, below, "two values, interval of their counts")
    bounds = [
        math.log(limit.value / value.value) / (limit.day - value.day)
        for value in measured
        for limit in values
        if limit.below and limit.day > value.day
    ]
    if bounds:
        return Rate(None, None, min(bounds), n, below, "bound: below the limit later")
    return Rate(None, None, None, n, below, "too few values")


def bend_p(values: Sequence[LogValue], day: float) -> float | None:
    """Return the p value of a change of slope on a day that is known beforehand.

    Notes
    -----
    F test of a line that bends on that day against a straight one, on the logarithms of what is above its limit.
    ``None`` with fewer than four values, or none on one of the sides.
    """
    import numpy as np
    from scipy.special import fdtrc

    measured = [value for value in values if not value.below]
    sides = [sum(value.day < day for value in measured), sum(value.day > day for value in measured)]
    if len(measured) < FEWEST_FOR_A_TEST or min(sides) == 0:
        return None
    x = np.array([value.day for value in measured])
    y = np.log([value.value for value in measured])
    straight = np.column_stack([np.ones_like(x), x])
    bent = np.column_stack([straight, np.maximum(x - day, 0)])
    left = [float(np.sum((y - m @ np.linalg.lstsq(m, y, rcond=None)[0]) ** 2)) for m in (straight, bent)]
    freedom = len(measured) - 3
    if left[1] <= 1e-12 * max(left[0], 1e-300):
        return 0.0 if left[0] > 1e-12 else None
    return float(fdtrc(1, freedom, (left[0] - left[1]) / (left[1] / freedom)))


def _least_squares(values: Sequence[LogValue]) -> tuple[float, float]:
    """Return the slope, and half the width of its 95 % interval."""
    import numpy as np
    from scipy.special import stdtrit

    x, y = np.array([value.day for value in values]), np.log([value.value for value in values])
    slope, level = _straight(x, y)
    freedom = len(values) - 2
    error = math.sqrt(float(np.sum((y - level - slope * x) ** 2)) / freedom / float(np.sum((x - x.mean()) ** 2)))
    return slope, float(stdtrit(freedom, 0.975)) * error


def _straight(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float]:
    """Return the slope of the least-squares line, and its value at 0.

    ``scipy.stats`` has it too, and takes half a second to load.
    """
    from_middle = x - x.mean()
    slope = float(from_middle @ (y - y.mean()) / (from_middle @ from_middle))
    return slope, float(y.mean() - slope * x.mean())


def _censored(measured: Sequence[LogValue], below: Sequence[LogValue]) -> tuple[float, float]:
    """Return the slope and half its interval by maximum likelihood, the values ``below`` entering as such."""
    import numpy as np
    from scipy.optimize import minimize
    from scipy.special import log_ndtr, stdtrit

    days = np.array([value.day for value in measured])
    centre = days.mean()
    x, y = days - centre, np.log([value.value for value in measured])
    x_below = np.array([value.day for value in below]) - centre
    limits = np.log([value.value for value in below])

    def loss(parameters: NDArray[np.float64]) -> float:
        level, slope, log_sd = parameters
        sd = math.exp(log_sd)
        residuals = (y - level - slope * x) / sd
        surely = log_ndtr((limits - level - slope * x_below) / sd)
        return float(len(y) * log_sd + 0.5 * residuals @ residuals - surely.sum())

    slope, level = _straight(x, y)
    sd = max(float(np.std(y - level - slope * x)), 0.05)
    optimum = minimize(
        loss,
        [level, slope, math.log(sd)],
        method="L-BFGS-B",
        bounds=[(None, None), (None, None), (math.log(_SMALLEST_SD), None)],
    )
    variance = np.linalg.inv(_curvature(loss, optimum.x))[1, 1]
    n = len(measured) + len(below)
    return float(optimum.x[1]), float(stdtrit(n - 2, 0.975) * math.sqrt(abs(variance) * n / (n - 2)))


_SMALLEST_SD = 0.01
"""A curve does not repeat to better than 1 %: it keeps the likelihood of three values on a line finite."""


def _curvature(loss: Callable[[NDArray[np.float64]], float], at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the matrix of second derivatives, by central differences."""
    import numpy as np

    n = len(at)
    steps = np.eye(n) * 1e-4
    rows = [
        [
            (
                loss(at + steps[i] + steps[j])
                - loss(at + steps[i] - steps[j])
                - loss(at - steps[i] + steps[j])
                + loss(at - steps[i] - steps[j])
            )
            / 4e-8
            for j in range(n)
        ]
        for i in range(n)
    ]
    return np.array(rows)
