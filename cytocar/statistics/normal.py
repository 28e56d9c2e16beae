"""Intervals of what normal values are described by: mean, standard deviation, quantile, ratio of two means."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cytocar.statistics.estimate import LEVEL, UNKNOWN, Estimate

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

_TAIL = (1 - LEVEL) / 2


def mean_interval(mean: float, sd: float, n: int, *, df: int | None = None) -> tuple[float, float | None, float | None]:
    """Return a mean with Student's interval; no limits from a single value.

    Examples
    --------
    >>> [round(x, 3) for x in mean_interval(10.0, 1.0, 4)]
    [10.0, 8.409, 11.591]
    """
    from scipy.stats import t

    freedom = n - 1 if df is None else df
    if freedom < 1:
        return mean, None, None
    half = float(t.isf(_TAIL, freedom)) * sd / math.sqrt(n)
    return mean, mean - half, mean + half


def sd_interval(sd: float, df: int) -> tuple[float, float, float]:
    """Return a standard deviation with its interval by chi square.

    Examples
    --------
    >>> [round(x, 4) for x in sd_interval(1.0, 19)]
    [1.0, 0.7605, 1.4606]
    """
    from scipy.stats import chi2

    return sd, sd * math.sqrt(df / float(chi2.isf(_TAIL, df))), sd * math.sqrt(df / float(chi2.ppf(_TAIL, df)))


def quantile_interval(mean: float, sd: float, n: int, z: float) -> tuple[float, float, float]:
    """Return ``mean + z sd`` with the exact interval of the normal quantile that it estimates (noncentral t).

    Source: Hahn, Meeker, Statistical Intervals, 1991, section 4.4.

    Examples
    --------
    >>> [round(x, 3) for x in quantile_interval(0.0, 1.0, 20, 1.645)]
    [1.645, 1.096, 2.576]
    """
    from scipy.stats import nct

    root = math.sqrt(n)
    low, high = (float(nct.ppf(at, n - 1, z * root)) / root for at in (_TAIL, 1 - _TAIL))
    return mean + z * sd, mean + low * sd, mean + high * sd


def ratio_of_paired_means(above: ArrayLike, below: ArrayLike) -> Estimate:
    """Return mean(above) / mean(below) of pairs with Fieller's interval (1954, J R Stat Soc B 16:175).

    One pair has no interval; where the denominator is not clearly above 0 there is none either.

    Examples
    --------
    >>> ratio_of_paired_means([1.0, 1.0, 1.0], [2.0, 2.0, 2.0])
    Estimate(value=0.5, low=0.5, high=0.5)
    """
    import numpy as np
    from scipy.stats import t

    a, b = np.asarray(above, float), np.asarray(below, float)
    n, top, bottom = len(a), float(a.mean()), float(b.mean())
    if bottom == 0:
        return UNKNOWN
    if n < 2:
        return Estimate(top / bottom, None, None)
    spread = np.cov(a, b) / n * float(t.isf(_TAIL, n - 1)) ** 2
    # (top - r bottom)^2 <= var(top) - 2 r cov + r^2 var(bottom), each times t^2: a quadratic in r
    p = bottom**2 - float(spread[1, 1])
    q, s = top * bottom - float(spread[0, 1]), top**2 - float(spread[0, 0])
    if p <= 0:
        return Estimate(top / bottom, None, None)
    root = math.sqrt(max(q * q - p * s, 0.0))  # above 0 but for rounding: the value itself solves it
    return Estimate(top / bottom, (q - root) / p, (q + root) / p)


def pooled_sd(groups: Sequence[Sequence[float]]) -> tuple[float, int]:
    """Return the standard deviation within groups, and its degrees of freedom.

    >>> pooled_sd([[1.0, 3.0], [5.0, 5.0], [7.0]])
    (1.0, 2)
    """
    import numpy as np

    df = sum(len(group) - 1 for group in groups if group)
    squares = sum(float(((np.asarray(group) - np.mean(group)) ** 2).sum()) for group in groups if group)
    return (math.sqrt(squares / df) if df else 0.0), df


def fold_of_first(groups: Sequence[Sequence[float]]) -> list[Estimate]:
    """Return each group's level in percent of the first, with intervals from the scatter of logarithms in all groups.

    Parameters
    ----------
    groups : sequence of sequences of float
        Replicates at each time, all above 0.

    Examples
    --------
    >>> [round(one.value, 3) for one in fold_of_first([[10.0, 10.1], [8.0, 8.08]])]
    [100.0, 80.0]
    """
    import numpy as np
    from scipy.stats import t

    logs = [np.log(np.asarray(group, float)) for group in groups]
    sd, df = pooled_sd([log.tolist() for log in logs])
    first = logs[0]
    folds = [Estimate(100.0, None, None)]
    for log in logs[1:]:
        middle = float(log.mean() - first.mean())
        if not df:
            folds.append(Estimate(100 * math.exp(middle), None, None))
            continue
        half = float(t.isf(_TAIL, df)) * sd * math.sqrt(1 / len(log) + 1 / len(first))
        folds.append(Estimate(*(100 * math.exp(middle + side * half) for side in (0, -1, 1))))
    return folds


def mean_fold(ratios: ArrayLike) -> Estimate:
    """Return the geometric mean of ratios, in percent, with Student's interval of their logarithms."""
    import numpy as np

    logs = np.log(np.asarray(ratios, float))
    sd = float(logs.std(ddof=1)) if len(logs) > 1 else 0.0
    limits = mean_interval(float(logs.mean()), sd, len(logs))
    return Estimate(*(None if limit is None else 100 * math.exp(limit) for limit in limits))
