"""Limits of blank, detection and quantitation from measured tubes (CLSI EP17-A2)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from msgspec import Struct

from cytocar.statistics.detection import limit_of_blank, limit_of_detection
from cytocar.statistics.estimate import Estimate
from cytocar.statistics.intervals import poisson_interval
from cytocar.statistics.normal import pooled_sd, quantile_interval, sd_interval

Z = 1.6448536269514722
"""95th percentile of a standard normal: 5 % of blanks above the limit of blank, 5 % of low samples below it."""
NORMAL_P = 0.05
"""Blanks whose Shapiro-Wilk p is below this are not taken for normal: the limit of blank is then a ranked value."""


class Limit(Struct, frozen=True):
    """A limit with its interval, and how it was found."""

    limit: Estimate
    method: str


def blank_limit(blanks: Sequence[float]) -> Limit:
    """Return the limit of blank: what 95 % of blank tubes do not exceed.

    Parameters
    ----------
    blanks : sequence of float, (B,)
        Results of tubes without the analyte.

    Notes
    -----
    Normal blanks: mean + c SD, c = 1.645 / (1 - 1 / (4 (B - 1))) (EP17-A2, 5.3.3.2), with the exact interval of a
    normal quantile. Others: the value of rank 0.5 + 0.95 B, between two values by their distance (5.3.3.1); its
    interval is that of order statistics, open where there are too few tubes for a limit.

    Examples
    --------
    >>> blank_limit([0, 0, 0, 0, 0, 0, 0, 0, 0, 10.0]).method
    'ranked blanks'
    """
    import numpy as np
    from scipy.stats import binom, shapiro

    values = np.sort(np.asarray(blanks, float))
    n = len(values)
    if n < 3:
        raise ValueError(f"{n} blanks: 3 at least")
    sd = float(values.std(ddof=1))
    if sd > 0 and float(shapiro(values).pvalue) >= NORMAL_P:
        mean = float(values.mean())
        value = mean + _unbiased(n - 1) * sd
        _, low, high = quantile_interval(mean, sd, n, Z)
        return Limit(Estimate(value, low, high), "normal blanks")
    rank = min(0.5 + 0.95 * n, n)
    below = math.floor(rank)
    above = min(below, n - 1)
    value = float(values[below - 1] + (rank - below) * (values[above] - values[below - 1]))
    first, last = int(binom.ppf(0.025, n, 0.95)), int(binom.ppf(0.975, n, 0.95)) + 1
    return Limit(
        Estimate(value, float(values[first - 1]), float(values[last - 1]) if last <= n else None),
        "ranked blanks",
    )


def detection_limit(blank: Estimate, low_samples: Sequence[Sequence[float]]) -> Limit:
    """Return the limit of detection: what exceeds the limit of blank in 95 of 100 tubes.

    Parameters
    ----------
    blank : Estimate
        The limit of blank.
    low_samples : sequence of sequences
        Results of each sample of low concentration.

    Notes
    -----
    LoB + c SD, SD pooled over the samples, c = 1.645 / (1 - 1 / (4 df)) (EP17-A2, 5.3.3.3). Its interval joins those of
    the two parts, which rest on different tubes (MOVER; Zou, Donner 2008, Stat Med 27:1693).
    """
    sd, df = pooled_sd(low_samples)
    if not df or blank.value is None:
        raise ValueError("no low sample with two tubes")
    value = blank.value + _unbiased(df) * sd
    _, sd_low, sd_high = sd_interval(sd, df)
    low = None if blank.low is None else blank.value + Z * sd - math.hypot(blank.value - blank.low, Z * (sd - sd_low))
    high = (
        None if blank.high is None else blank.value + Z * sd + math.hypot(blank.high - blank.value, Z * (sd_high - sd))
    )
    return Limit(Estimate(value, low, high), f"limit of blank + scatter of low samples, {df} degrees of freedom")


def event_limits(blank_events: int, blank_of: int, tube_of: int) -> tuple[Estimate, Estimate]:
    """Return limits of blank and of detection in events of a tube, from events counted in blanks.

    Parameters
    ----------
    blank_events, blank_of : int
        Events in the gate, and in its parent, over all blank tubes together.
    tube_of : int
        Events of the parent in a tube for which the limits hold.

    Notes
    -----
    The background of the tube is Poisson with the blanks' rate; both limits grow with it, so that the exact interval of
    the rate gives theirs. ``statistics.detection`` holds the formulas.

    Examples
    --------
    >>> blank, detection = event_limits(50, 100_000, 2_000)
    >>> blank.value, round(detection.value, 2)
    (3, 7.75)
    """
    rates = (blank_events, *poisson_interval(blank_events))
    expected = [rate * tube_of / blank_of for rate in rates]
    return Estimate(*map(limit_of_blank, expected)), Estimate(*map(limit_of_detection, expected))


def lowest_that_meets(
    levels: Sequence[tuple[float, float, float]], *, cv: float, bias: float | None
) -> tuple[float | None, float | None]:
    """Return the lowest level from which on every level meets a CV and a bias, and the level below it that does not.

    Parameters
    ----------
    levels : sequence of (level, CV percent, bias percent)
        In any order; bias is NaN where nothing was expected.

    Examples
    --------
    >>> lowest_that_meets([(1, 40, 0), (5, 18, 3), (10, 9, 1)], cv=20, bias=15)
    (5, 1)
    """
    met: float | None = None
    for level, found_cv, found_bias in sorted(levels, reverse=True):
        if found_cv > cv or (bias is not None and not math.isnan(found_bias) and abs(found_bias) > bias):
            return met, level
        met = level
    return met, None


def _unbiased(df: int) -> float:
    return Z / (1 - 1 / (4 * df))
