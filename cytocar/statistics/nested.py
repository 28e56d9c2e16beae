"""Variance components of nested designs: within run, between runs, between days; balanced or not.

Sums of squares are taken level by level, expected mean squares from the numbers of values (Searle, Casella, McCulloch,
Variance Components, 1992, chapter 5); in a balanced design this is the analysis of variance of CLSI EP05-A3.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from cytocar.statistics.estimate import LEVEL, Estimate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Component(Struct, frozen=True):
    """One source of variation, or a sum of several: variance, degrees of freedom, standard deviation and CV.

    ``df`` are Satterthwaite's for what is a combination of mean squares; ``None`` where the estimate is 0. ``cv`` is in
    percent of the mean.
    """

    name: str
    variance: float
    df: float | None
    sd: Estimate
    cv: Estimate


class Nested(Struct, frozen=True):
    """A nested analysis of variance: components from the outermost factor to the values within the innermost.

    ``balanced`` tells whether every cell holds as many values; ``total`` is the sum of the components that are not 0.
    """

    n: int
    mean: float
    components: tuple[Component, ...]
    total: Component
    balanced: bool


def nested_anova(values: Sequence[float], factors: Mapping[str, Sequence[Hashable]], *, within: str) -> Nested:
    """Return the variance components of values in groups within groups.

    Parameters
    ----------
    values : sequence of float, (n,)
        In any unit.
    factors : mapping of str to sequence, each (n,)
        From the outermost to the innermost; a label counts within its outer group only (run 1 of day 1 is not run 1
        of day 2).
    within : str
        Name of the component of values in one innermost group.

    Raises
    ------
    ValueError
        If a factor has one level only, or no innermost group holds two values.

    Notes
    -----
    Each component is a combination of mean squares, and its interval that of Ting, Burdick, Graybill, Jeyaratnam and Lu
    1990 (J Stat Comput Simul 35:135). For one mean square it is the exact one, ``df x s2 / chi2``; for combinations it
    holds the truth in 94 to 96 of 100 studies where Satterthwaite's (EP05-A3) falls to 92 for the total of 5 x 3. A
    negative estimate is 0, and the total the sum of the others (EP05-A3): it is never below what varies within.

    Examples
    --------
    >>> found = nested_anova([1.0, 3.0, 7.0, 9.0], {"run": [1, 1, 2, 2]}, within="repeatability")
    >>> [(part.name, part.variance) for part in found.components], found.total.variance
    ([('run', 17.0), ('repeatability', 2.0)], 19.0)
    """
    import numpy as np

    y = np.asarray(values, float)
    cells = _cells(factors, len(y))
    squares, df, expected = _table(y, cells)
    mean_squares = squares / df
    weights = np.linalg.inv(expected)  # row: one component as a combination of mean squares
    variances = weights @ mean_squares
    mean = float(y.mean())
    names = (*factors, within)
    parts = tuple(_component(name, row, mean_squares, df, mean) for name, row in zip(names, weights, strict=True))
    total = _component("total", weights[variances > 0].sum(axis=0), mean_squares, df, mean)
    sizes = [np.unique(cell, return_counts=True)[1] for cell in cells]
    balanced = all(len(set(size.tolist())) == 1 for size in sizes)
    return Nested(len(y), mean, parts, total, balanced)


def _cells(factors: Mapping[str, Sequence[Hashable]], n: int) -> list[NDArray[np.int64]]:
    """Return the number of each value's group, level by level."""
    import numpy as np

    cells: list[NDArray[np.int64]] = []
    for depth, name in enumerate(factors):
        keys = list(zip(*list(factors.values())[: depth + 1], strict=True))
        numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
        cells.append(np.array([numbers[key] for key in keys]))
        if len(numbers) <= (len(set(cells[-2].tolist())) if depth else 1):
            raise ValueError(f"every group has one {name} only")
    if not cells or cells[-1].max() + 1 >= n:
        raise ValueError("no group holds two values")
    return cells


def _table(
    y: NDArray[np.float64], cells: Sequence[NDArray[np.int64]]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return sums of squares, degrees of freedom and expected mean squares, (k,), (k,), (k, k).

    Row i, column j of the last: the coefficient of component j in the expectation of mean square i. A sum of squares is
    the difference of two uncorrected ones, T_i = sum over groups of total^2 / n, and T_i holds component j with
    sum over groups of level i of (sum of n^2 of the groups of level j in it) / n.
    """
    import numpy as np

    n = len(y)
    levels = [np.zeros(n, int), *cells, np.arange(n)]
    held = np.array([[_held(levels[i], levels[j]) for j in range(1, len(levels))] for i in range(len(levels))])
    raw = np.array([float(np.sum(np.bincount(level, y - y.mean()) ** 2 / np.bincount(level))) for level in levels])
    df = np.diff([float(level.max()) for level in levels])
    return np.diff(raw), df, np.diff(held, axis=0) / df[:, None]


def _held(outer: NDArray[np.int64], inner: NDArray[np.int64]) -> float:
    import numpy as np

    pairs, counts = np.unique(np.column_stack([outer, inner]), axis=0, return_counts=True)
    sizes = np.bincount(outer)
    return float(np.sum(counts**2 / sizes[pairs[:, 0]]))


def _component(
    name: str, weights: NDArray[np.float64], mean_squares: NDArray[np.float64], df: NDArray[np.float64], mean: float
) -> Component:
    """Return a combination of mean squares with its interval."""
    used = abs(weights) > 1e-12
    c, s, f = weights[used], mean_squares[used], df[used]
    variance = float(c @ s)
    if variance <= 0:
        high = math.sqrt(max(_ting(c, s, f)[1], 0.0))
        sd = Estimate(0.0, 0.0, high)
        return Component(name, 0.0, None, sd, _in_percent(sd, mean))
    freedom = variance**2 / float(((c * s) ** 2 / f).sum())
    low, high = _ting(c, s, f)
    sd = Estimate(math.sqrt(variance), math.sqrt(max(low, 0.0)), math.sqrt(high))
    return Component(name, variance, freedom, sd, _in_percent(sd, mean))


def _in_percent(sd: Estimate, mean: float) -> Estimate:
    return sd.scaled(100 / mean) if mean > 0 else Estimate(None, None, None)


def _ting(c: NDArray[np.float64], s: NDArray[np.float64], f: NDArray[np.float64]) -> tuple[float, float]:
    """Return the modified large-sample interval of sum(c x s) with coefficients of both signs (Ting et al. 1990)."""
    tail = (1 - LEVEL) / 2
    up, down = c > 0, c < 0
    plus: Iterable[tuple[float, float]] = list(zip((c * s)[up].tolist(), f[up].tolist(), strict=True))
    minus: Iterable[tuple[float, float]] = list(zip((-c * s)[down].tolist(), f[down].tolist(), strict=True))
    value = float(c @ s)
    low = value - math.sqrt(max(_spread(plus, minus, tail, upper=False), 0.0))
    return low, value + math.sqrt(max(_spread(plus, minus, tail, upper=True), 0.0))


def _spread(
    plus: Iterable[tuple[float, float]], minus: Iterable[tuple[float, float]], tail: float, *, upper: bool
) -> float:
    from scipy.stats import chi2
    from scipy.stats import f as fisher

    def g(df: float) -> float:  # towards smaller variances
        return float(1 - df / chi2.isf(tail, df))

    def h(df: float) -> float:  # towards larger ones
        return float(df / chi2.ppf(tail, df) - 1)

    out, back = (h, g) if upper else (g, h)
    spread = sum((a * out(df)) ** 2 for a, df in plus) + sum((b * back(df)) ** 2 for b, df in minus)
    for a, i in plus:
        for b, j in minus:
            at = float(fisher.ppf(tail, i, j) if upper else fisher.isf(tail, i, j))
            cross = ((1 - at) ** 2 - (out(i) * at) ** 2 - back(j) ** 2) / at
            spread += cross * a * b
    return float(spread)
