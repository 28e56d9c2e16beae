"""Two methods on the same samples: Passing-Bablok and Deming lines, limits of agreement, the intraclass correlation."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from msgspec import Struct

from cytocar.statistics.estimate import LEVEL, UNKNOWN, Estimate
from cytocar.statistics.normal import mean_interval, quantile_interval

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

FEWEST_PAIRS = 5
"""Below this no line through pairs has an interval worth a name; CLSI EP09-A3 asks for 40 to 100."""
AGREEMENT = 1.959963984540054
"""Standard deviations from the mean difference to a limit of agreement: 95 % of differences lie between the two."""


class Line(Struct, frozen=True):
    """A line y = intercept + slope x with intervals of both."""

    n: int
    slope: Estimate
    intercept: Estimate


class Agreement(Struct, frozen=True):
    """Mean difference, and the limits between which 95 % of differences lie (Bland and Altman 1986)."""

    n: int
    bias: Estimate
    low: Estimate
    high: Estimate


def passing_bablok(x: ArrayLike, y: ArrayLike) -> Line:
    """Return the line of Passing and Bablok 1983 (J Clin Chem Clin Biochem 21:709).

    Parameters
    ----------
    x, y : array_like, (n,)
        One sample each, by the comparative and by the new method.

    Notes
    -----
    The slope is the median of the slopes between any two samples, shifted by the number of those below -1; a slope of
    exactly -1, and samples that agree in both, say nothing. Limits are order statistics of the same slopes. The
    intercept is the median of y - slope x; its limits join those of 1983, which carry the slope's uncertainty alone and
    hold the truth in 92 of 100 studies of 20 to 40 samples, with those of that median (MOVER; Zou, Donner 2008, Stat
    Med 27:1693), and hold it in 95.

    Examples
    --------
    >>> line = passing_bablok([1, 2, 3, 4, 5, 6], [3, 5, 7, 9, 11, 13])
    >>> line.slope.value, line.intercept.value
    (2.0, 1.0)
    """
    import numpy as np

    first, second = _pairs(x, y)
    n = len(first)
    i, j = np.triu_indices(n, 1)
    dx, dy = first[i] - first[j], second[i] - second[j]
    distinct = (dx != 0) | (dy != 0)
    dx, dy = dx[distinct], dy[distinct]
    slopes = np.divide(dy, dx, out=np.full(len(dx), math.inf), where=dx != 0)
    slopes = np.sort(slopes[slopes != -1])
    shift, count = int(np.sum(slopes < -1)), len(slopes)
    spread = AGREEMENT * math.sqrt(n * (n - 1) * (2 * n + 5) / 18)
    outer = round((count - spread) / 2)

    def ranked(place: int) -> float | None:
        slope = float(slopes[place + shift - 1]) if 1 <= place + shift <= count else math.inf
        return slope if math.isfinite(slope) else None

    middle = (count + 1) // 2
    here, there = ranked(middle), ranked(middle if count % 2 else middle + 1)
    if here is None or there is None:
        return Line(n, Estimate(None, None, None), Estimate(None, None, None))
    value = (here + there) / 2
    slope = Estimate(value, ranked(outer) if outer > 0 else None, ranked(count + 1 - outer))
    left = np.sort(second - value * first)
    middle_value = float(np.median(left))
    return Line(n, slope, Estimate(middle_value, *_intercept_limits(first, second, slope, left, middle_value)))


def _intercept_limits(
    x: NDArray[np.float64], y: NDArray[np.float64], slope: Estimate, left: NDArray[np.float64], value: float
) -> tuple[float | None, float | None]:
    """Return the limits of an intercept from those of the slope and of the median of ``left`` = sorted y - slope x."""
    import numpy as np
    from scipy.stats import binom

    outside = int(binom.ppf((1 - LEVEL) / 2, len(left), 0.5))
    low = high = None
    if slope.high is not None:
        low = value - math.hypot(value - float(np.median(y - slope.high * x)), value - float(left[outside]))
    if slope.low is not None:
        high = value + math.hypot(float(np.median(y - slope.low * x)) - value, float(left[-1 - outside]) - value)
    return low, high


def deming(x: ArrayLike, y: ArrayLike, *, ratio: float = 1.0) -> Line:
    """Return Deming's line, both methods in error, with the jackknife's t intervals (Linnet 1990, Stat Med 9:1463).

    Parameters
    ----------
    ratio : float
        Variance of the error of x over that of y.

    Examples
    --------
    >>> line = deming([1, 2, 3, 4, 5], [3, 5, 7, 9, 11])
    >>> round(line.slope.value, 9), round(line.intercept.value, 9)
    (2.0, 1.0)
    """
    import numpy as np

    first, second = _pairs(x, y)
    n = len(first)
    whole = _deming(first, second, ratio)
    without = [_deming(np.delete(first, k), np.delete(second, k), ratio) for k in range(n)]
    if whole is None or None in without:
        return Line(n, UNKNOWN, UNKNOWN)
    left = np.array(without, float)
    pseudo = n * np.array(whole) - (n - 1) * left  # (n, 2): slope, intercept
    slope, intercept = (
        Estimate(float(value), *mean_interval(float(mean), float(sd), n, df=n - 2)[1:])
        for value, mean, sd in zip(whole, whole, pseudo.std(axis=0, ddof=1), strict=True)
    )
    return Line(n, slope, intercept)


def bland_altman(x: ArrayLike, y: ArrayLike, *, relative: bool = False) -> Agreement:
    """Return the mean of y - x, and the limits of agreement, each with its exact interval.

    Parameters
    ----------
    relative : bool
        Differences in percent of the mean of both.

    Notes
    -----
    A limit is a quantile of normal differences; its interval is that of a noncentral t (Carkeet 2015, Optom Vis Sci
    92:e71), not the approximation of 1986, which is too narrow in small samples.
    """
    import numpy as np

    first, second = _pairs(x, y)
    differences = second - first
    if relative:
        middle = (first + second) / 2
        differences = 100 * differences[middle > 0] / middle[middle > 0]
    n, mean, sd = len(differences), float(np.mean(differences)), float(np.std(differences, ddof=1))
    low, high = (Estimate(*quantile_interval(mean, sd, n, sign * AGREEMENT)) for sign in (-1, 1))
    return Agreement(n, Estimate(*mean_interval(mean, sd, n)), low, high)


def icc_2_1(table: ArrayLike) -> Estimate:
    """Return ICC(2,1): how far one measurement by one of many operators tells samples apart, with its interval.

    Parameters
    ----------
    table : array_like, (samples, operators)
        Each sample measured by each operator once (or the mean of replicates).

    Notes
    -----
    Two-way random effects, absolute agreement (Shrout and Fleiss 1979, Psychol Bull 86:420); the interval of McGraw
    and Wong 1996 (Psychol Methods 1:30, ICC(A,1)).

    Examples
    --------
    >>> table = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
    >>> round(icc_2_1(table).value, 4)
    0.2898
    """
    import numpy as np
    from scipy.stats import f

    y = np.asarray(table, float)
    if y.ndim != 2 or min(y.shape) < 2:
        raise ValueError(f"two samples and two operators at least, not {y.shape}")
    n, k = y.shape
    rows, columns = y.mean(axis=1), y.mean(axis=0)
    msr = k * float(rows.var(ddof=1))
    msc = n * float(columns.var(ddof=1))
    left = y - rows[:, None] - columns[None, :] + y.mean()
    mse = float((left**2).sum()) / ((n - 1) * (k - 1))
    of_all = msr + (k - 1) * mse + k * (msc - mse) / n
    if of_all <= 0:
        return UNKNOWN  # every result is the same
    value = (msr - mse) / of_all
    if value == 1:
        return Estimate(1.0, None, None)  # operators agree exactly: nothing is left to make an interval from
    a, b = k * value / (n * (1 - value)), 1 + k * value * (n - 1) / (n * (1 - value))
    df = (a * msc + b * mse) ** 2 / ((a * msc) ** 2 / (k - 1) + (b * mse) ** 2 / ((n - 1) * (k - 1)))
    tail = (1 - LEVEL) / 2
    down, up = float(f.isf(tail, n - 1, df)), float(f.isf(tail, df, n - 1))
    low = n * (msr - down * mse) / (down * (k * msc + (k * n - k - n) * mse) + n * msr)
    high = n * (up * msr - mse) / (k * msc + (k * n - k - n) * mse + n * up * msr)
    return Estimate(float(value), float(low), float(high))


def _pairs(x: ArrayLike, y: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    import numpy as np

    first, second = np.asarray(x, float), np.asarray(y, float)
    if first.shape != second.shape or len(first) < FEWEST_PAIRS:
        raise ValueError(f"{len(first)} and {len(second)} values: as many of both, {FEWEST_PAIRS} at least")
    return first, second


def _deming(x: NDArray[np.float64], y: NDArray[np.float64], ratio: float) -> tuple[float, float] | None:
    """Return slope and intercept; None where x and y do not vary together."""
    u, q, p = (float(part) for part in (x.var(), y.var(), ((x - x.mean()) * (y - y.mean())).mean()))
    if p == 0:
        return None
    slope = (ratio * q - u + math.sqrt((u - ratio * q) ** 2 + 4 * ratio * p * p)) / (2 * ratio * p)
    return slope, float(y.mean()) - slope * float(x.mean())
