"""Whether results follow what was expected on a straight line (CLSI EP06), or are proportional to it (ISO 20391-2)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from msgspec import Struct

from cytocar.statistics.estimate import LEVEL, Estimate
from cytocar.statistics.normal import pooled_sd, sd_interval

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

FEWEST_LEVELS = 5
"""For a polynomial of the third order and a test of it (EP06 asks for 5 to 9)."""
FEWEST_FRACTIONS = 4
"""Dilutions that ISO 20391-2 asks for."""
SIGNIFICANT = 0.05
"""Level of the test of a curved term (EP06-A)."""
EXACT = 1e-24
"""Of the mean square of the results: less is the rounding of results that lie on a polynomial exactly."""


class Linear(Struct, frozen=True):
    """A weighted straight line through results, and how far they leave it.

    ``order`` is that of the polynomial that fits best: 1 where no curved term is significant. ``deviations`` belong to
    ``levels``: mean of the results there minus the line, in percent of the line, each with its interval.
    ``nonlinearity`` is the largest distance of the best polynomial from the line where that is above 0, in percent; 0
    where no polynomial is better.
    """

    n: int
    levels: tuple[float, ...]
    slope: Estimate
    intercept: Estimate
    order: int
    p_curved: float
    deviations: tuple[Estimate, ...]
    nonlinearity: float


class Proportional(Struct, frozen=True):
    """A line through the origin: result = slope x fraction (ISO 20391-2).

    ``r2`` is its coefficient of determination over the fractions' means, None where these are all the same;
    ``scaled_sse`` the sum of squared distances of those means from the line, each in parts of the line; ``cv`` the
    scatter of replicates, percent.
    """

    n: int
    levels: tuple[float, ...]
    slope: Estimate
    r2: float | None
    scaled_sse: float
    cv: Estimate
    deviations: tuple[Estimate, ...]


def linearity(expected: ArrayLike, measured: ArrayLike, *, power: float | None = None) -> Linear:
    """Return the straight line of results against what was expected, and the deviations from it.

    Parameters
    ----------
    expected, found : array_like, (n,)
        Of each tube; replicates have the same ``expected``.
    power : float, optional
        Weights are 1 / expected^power: 2 where the CV is constant, 1 where counting decides, 0 for none; by default
        that of the three under which the scatter of the replicates is likeliest. A level of 0 has the weight of the
        lowest level above it.

    Notes
    -----
    Polynomials of the second and third order are fitted with the same weights; a curved term counts if its t test is
    significant at 5 % (EP06-A, 5.2). Intervals of deviations rest on the scatter of replicates, and so does not the
    deviation itself: they hold the deviation of the means' expectation, straight or not (EP06-2020).

    Examples
    --------
    >>> line = linearity([1, 1, 2, 2, 3, 3, 4, 4, 5, 5], [2, 2.1, 4, 4.1, 6, 6.1, 8, 8.1, 10, 10.1])
    >>> round(line.slope.value, 3), line.order
    (2.0, 1)
    """
    import numpy as np
    from scipy.stats import t

    x, y = np.asarray(expected, float), np.asarray(measured, float)
    levels = np.unique(x)
    if len(levels) < FEWEST_LEVELS:
        raise ValueError(f"{len(levels)} levels: {FEWEST_LEVELS} at least")
    weights = _weights(x, likeliest_power(x, y) if power is None else power)
    design = np.column_stack([np.ones_like(x), x])
    fit, cover = _least_squares(design, y, weights)
    noise, df = _pure_error(x, y, weights)
    p_curved, curve = _curve(x, y, weights)
    line_at = fit[0] + fit[1] * levels
    scale = float(t.isf((1 - LEVEL) / 2, df)) * noise if df else math.nan
    deviations = tuple(
        _relative(y[x == level].mean() - line, _contrast(design, weights, x == level), line, scale)
        for level, line in zip(levels, line_at, strict=True)
    )
    left = y - design @ fit
    spread = float(t.isf((1 - LEVEL) / 2, len(x) - 2)) * math.sqrt(float((weights * left**2).sum()) / (len(x) - 2))
    intercept, slope = (
        Estimate(float(b), float(b) - spread * math.sqrt(v), float(b) + spread * math.sqrt(v))
        for b, v in zip(fit, np.diag(cover), strict=True)
    )
    order, apart = 1, 0.0
    if curve is not None:
        order, seen = curve.degree(), line_at > 0
        apart = float(np.max(np.abs(100 * (curve(levels) - line_at)[seen] / line_at[seen])))
    return Linear(len(x), tuple(levels.tolist()), slope, intercept, order, p_curved, deviations, apart)


def proportionality(fraction: ArrayLike, measured: ArrayLike, *, power: float | None = None) -> Proportional:
    """Return the line through the origin of results against dilution fractions.

    Notes
    -----
    Weighted by 1 / fraction^power, as ``linearity``. R2 is 1 - SSE / SST of the fractions'
    means, SST about their mean; an interval of the slope rests on the means' scatter about the line, so that a curved
    relation widens it.

    Examples
    --------
    >>> line = proportionality([0.25, 0.25, 0.5, 0.5, 0.75, 0.75, 1, 1], [25, 26, 50, 51, 75, 76, 100, 101])
    >>> round(line.slope.value, 2), round(line.r2, 4)
    (100.67, 0.9999)
    """
    import numpy as np
    from scipy.stats import t

    x, y = np.asarray(fraction, float), np.asarray(measured, float)
    levels = np.unique(x[x > 0])
    if len(levels) < FEWEST_FRACTIONS:
        raise ValueError(f"{len(levels)} fractions above 0: {FEWEST_FRACTIONS} at least")
    y, x = y[x > 0], x[x > 0]
    weights = _weights(x, likeliest_power(x, y) if power is None else power)
    slope, cover = _least_squares(x[:, None], y, weights)
    b = float(slope[0])
    means = np.array([y[x == level].mean() for level in levels])
    held = np.array([weights[x == level].sum() for level in levels])
    sse_w = float((held * (means - b * levels) ** 2).sum()) / (len(levels) - 1)
    half = float(t.isf((1 - LEVEL) / 2, len(levels) - 1)) * math.sqrt(sse_w * float(cover[0, 0]))
    noise, df = _pure_error(x, y, weights)
    scale = float(t.isf((1 - LEVEL) / 2, df)) * noise if df else math.nan
    deviations = tuple(
        _relative(mean - b * level, _contrast(x[:, None], weights, x == level), b * level, scale)
        for mean, level in zip(means, levels, strict=True)
    )
    relative_sd, freedom = pooled_sd(
        [(y[x == level] / mean).tolist() for level, mean in zip(levels, means, strict=True) if mean > 0]
    )
    cv = (
        Estimate(*(100 * part for part in sd_interval(relative_sd, freedom))) if freedom else Estimate(None, None, None)
    )
    spread = float(((means - means.mean()) ** 2).sum())
    r2 = 1 - float(((means - b * levels) ** 2).sum()) / spread if spread > 0 else None
    scaled = float((((means - b * levels) / (b * levels)) ** 2).sum())
    return Proportional(len(x), tuple(levels.tolist()), Estimate(b, b - half, b + half), r2, scaled, cv, deviations)


POWERS = (0, 1, 2)
"""Variance of replicates constant, as the level (counting), as its square (pipette, lot)."""


def likeliest_power(x: NDArray[np.float64], y: NDArray[np.float64]) -> int:
    """Return with which power of the level the variance of replicates grows, by the normal likelihood.

    Without replicates: 1, as for counts.
    """
    import numpy as np

    levels = np.unique(x)
    df = np.array([float((x == level).sum() - 1) for level in levels])
    squares = np.array([float(((y[x == level] - y[x == level].mean()) ** 2).sum()) for level in levels])
    if df.sum() == 0 or squares.sum() == 0:
        return 1
    growth = np.log(np.maximum(levels, levels[levels > 0].min()))

    def misfit(power: int) -> float:
        return float(df.sum() * math.log((squares * np.exp(-power * growth)).sum()) + power * (df * growth).sum())

    return min(POWERS, key=misfit)


def _weights(x: NDArray[np.float64], power: float) -> NDArray[np.float64]:
    import numpy as np

    weights = np.maximum(x, x[x > 0].min()) ** -float(power)
    scaled: NDArray[np.float64] = weights / weights.mean()
    return scaled


def _least_squares(
    design: NDArray[np.float64], y: NDArray[np.float64], weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return coefficients and, for unit variance at unit weight, their covariance."""
    import numpy as np

    cover = np.asarray(np.linalg.inv(design.T @ (weights[:, None] * design)), float)
    return cover @ design.T @ (weights * y), cover


def _pure_error(x: NDArray[np.float64], y: NDArray[np.float64], weights: NDArray[np.float64]) -> tuple[float, int]:
    """Return the weighted standard deviation of replicates, and its degrees of freedom."""
    import numpy as np

    levels = np.unique(x)
    squares = sum(float((weights[x == level] * (y[x == level] - y[x == level].mean()) ** 2).sum()) for level in levels)
    df = len(x) - len(levels)
    return (math.sqrt(squares / df) if df else 0.0), df


def _contrast(design: NDArray[np.float64], weights: NDArray[np.float64], here: NDArray[np.bool_]) -> float:
    """Return the standard deviation of (mean here - line here) at unit variance and weight."""
    import numpy as np

    _, cover = _least_squares(design, np.zeros(len(design)), weights)
    of_line = design[here][0] @ cover @ (design * weights[:, None]).T
    contrast = here / here.sum() - of_line
    return math.sqrt(float((contrast**2 / weights).sum()))


def _relative(apart: float, sd: float, line: float, scale: float) -> Estimate:
    if line <= 0:
        return Estimate(None, None, None)
    value = 100 * float(apart) / float(line)
    half = 100 * scale * sd / float(line)
    return Estimate(value, value - half, value + half) if math.isfinite(half) else Estimate(value, None, None)


def _curve(
    x: NDArray[np.float64], y: NDArray[np.float64], weights: NDArray[np.float64]
) -> tuple[float, np.polynomial.Polynomial | None]:
    """Return the smallest p of a curved term, and the polynomial that fits better than a line, if one does."""
    import numpy as np
    from scipy.stats import t

    smallest, curve, residual = 1.0, None, math.inf
    centred = (x - x.mean()) / x.std()
    for degree in (1, 2, 3):
        design = np.vander(centred, degree + 1, increasing=True)
        fit, cover = _least_squares(design, y, weights)
        df = len(x) - degree - 1
        variance = float((weights * (y - design @ fit) ** 2).sum()) / df
        exact = variance <= EXACT * float((y**2).mean())
        if degree > 1:
            p = 0.0 if exact else 2 * float(t.sf(abs(fit[degree]) / math.sqrt(variance * cover[degree, degree]), df))
            smallest = min(smallest, p)
            if p < SIGNIFICANT and variance < residual:
                residual = variance
                curve = np.polynomial.Polynomial.fit(x, y, degree, w=np.sqrt(weights))
        if exact:
            break
    return smallest, curve
