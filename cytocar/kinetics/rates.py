"""Doubling time and half-life of one curve: log-linear regression, with the interval of the slope."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from cytocar.errors.tree import counted
from cytocar.kinetics.curve import Point

FEWEST_FOR_HALF_LIFE = 3
"""Samples after the peak: two points always lie on a line."""
FEWEST_ON_A_RISE = 3
"""Samples up to the peak from which the straightest line is looked for: through two every line is straight."""
_R2_TIE = 1e-4  # adjusted R2 closer than this are equal, and more points win: the rule of Phoenix WinNonlin
USUAL_SD, USUAL_FREEDOM = 0.25, 2
"""Scatter of a value about its course, natural logarithm, and the degrees of freedom with which it is believed.

Days scatter by a quarter or so. Three samples lie on a line by chance, the more so as the straightest are chosen: of
their own scatter alone intervals of 95 % hold a half-life in 87 % of courses, with this in 96 (docs/validity.md).
"""


class Rate(Struct, frozen=True):
    days: float | None = None
    points: int | None = None
    adjusted_r2: float | None = None
    reason: str = ""
    low: float | None = None
    high: float | None = None


class Line(Struct, frozen=True):
    """A line through logarithms; ``half_width`` is that of the slope's 95 % interval.

    ``residual`` is the sum of squares about it.
    """

    slope: float
    adjusted_r2: float
    half_width: float
    residual: float = 0.0

    def days(self, direction: Literal[-1, 1]) -> tuple[float, float, float] | None:
        """Return the time of a doubling (1) or halving (-1) with its limits; None where the slope may be 0."""
        slope = direction * self.slope
        if slope <= self.half_width:
            return None
        return math.log(2) / slope, math.log(2) / (slope + self.half_width), math.log(2) / (slope - self.half_width)


def scatter_about(residual: float, n: int) -> float:
    """Return the scatter (SD) of ``n`` values about their line: their own, and the usual one with its weight.

    ``n - 2 + USUAL_FREEDOM`` degrees of freedom stand behind it.

    Examples
    --------
    >>> round(scatter_about(0.0, 3), 3), round(scatter_about(4.5, 52), 3)
    (0.204, 0.298)
    """
    return math.sqrt((USUAL_FREEDOM * USUAL_SD**2 + residual) / (n - 2 + USUAL_FREEDOM))


def log_line(points: Sequence[Point]) -> Line:
    """Return the least-squares line through the natural logarithms of two or more values."""
    n = len(points)
    logs = [math.log(point.quantified or math.nan) for point in points]
    day = math.fsum(point.day for point in points) / n
    log = math.fsum(logs) / n
    sxx = math.fsum((point.day - day) ** 2 for point in points)
    sxy = math.fsum((point.day - day) * (value - log) for point, value in zip(points, logs, strict=True))
    syy = math.fsum((value - log) ** 2 for value in logs)
    left = max(syy - sxy * sxy / sxx, 0.0)
    r2 = sxy * sxy / (sxx * syy) if syy > 0 else 0.0
    return Line(
        slope=sxy / sxx,
        adjusted_r2=1 - (1 - r2) * (n - 1) / (n - 2) if n > 2 else r2,
        half_width=_half_width(points, n, sxx, left),
        residual=left,
    )


def _half_width(points: Sequence[Point], n: int, sxx: float, residual: float) -> float:
    """Return the half width of a slope's interval: of the scatter about the line, or of the counts, if that is wider.

    Few values may lie on a line by chance, and many that were counted well may scatter: the larger of Student's
    interval from ``scatter_about`` and the normal one from the counts' own intervals holds.
    """
    from scipy.special import stdtrit

    scattered = float(stdtrit(n - 2 + USUAL_FREEDOM, 0.975)) * scatter_about(residual, n) / math.sqrt(sxx)
    errors = [
        math.log(point.high / point.low) / 2
        for point in points
        if point.low is not None and point.high is not None and 0 < point.low < point.high
    ]
    counted = math.sqrt(math.fsum(error**2 for error in errors) / n / sxx) if len(errors) == n else 0.0
    return max(scattered, counted)


def doubling_time(quantified: Sequence[Point], peak: Point | None) -> Rate:
    """Return the doubling time of the rise: the first samples up to the peak, the straightest three or more.

    Where the peak is one of them it may lie behind the end of the growth, which then was faster than the line: the
    lower limit is that of the line without it too, and unknown where that takes one sample.
    """
    if peak is None:
        return Rate(reason="no sample is quantified")
    rise = [point for point in quantified if point.day <= peak.day]
    if len(rise) < 2:
        return Rate(reason="no quantified sample before the peak")
    count, line = _straightest([rise[:n] for n in range(min(FEWEST_ON_A_RISE, len(rise)), len(rise) + 1)], 1)
    if line is None:
        return Rate(reason="the curve does not rise before the peak")
    rate = _rate(line, count, 1, "rise before")
    if rate.low is None or count < len(rise):
        return rate
    before = log_line(rise[:-1]) if len(rise) > 2 else None
    fastest = None if before is None else math.log(2) / max(before.slope + before.half_width, math.log(2) / rate.low)
    return replace(rate, low=fastest)


def half_life(quantified: Sequence[Point], peak: Point | None) -> Rate:
    """Return the half-life of the fall: the last samples after the peak, the straightest three or more."""
    if peak is None:
        return Rate(reason="no sample is quantified")
    fall = [point for point in quantified if point.day > peak.day]
    if len(fall) < FEWEST_FOR_HALF_LIFE:
        return Rate(
            reason=f"{counted(len(fall), 'quantified sample')} after the peak, {FEWEST_FOR_HALF_LIFE} are needed"
        )
    count, line = _straightest([fall[-n:] for n in range(FEWEST_FOR_HALF_LIFE, len(fall) + 1)], -1)
    if line is None:
        return Rate(reason="the curve does not fall after the peak")
    return _rate(line, count, -1, "fall after")


def _straightest(windows: Sequence[Sequence[Point]], direction: Literal[-1, 1]) -> tuple[int, Line | None]:
    """Return the number of samples and the line of the best adjusted R2 that runs that way; no line where none does."""
    lines = [(len(window), log_line(window)) for window in windows]
    # A slope of 0 in all but rounding has no half-life.
    lines = [(count, line) for count, line in lines if direction * line.slope > 1e-12]
    if not lines:
        return 0, None
    best = max(line.adjusted_r2 for _, line in lines)
    return [one for one in lines if one[1].adjusted_r2 >= best - _R2_TIE][-1]


def _rate(line: Line, points: int, direction: Literal[-1, 1], what: str) -> Rate:
    """Return the time of a doubling or halving with its interval; none where the slope may be 0."""
    interval = line.days(direction)
    if interval is None:
        return Rate(reason=f"unknown: the {what} the peak is not told from none ({points} samples)")
    days, low, high = interval
    return Rate(days, points, line.adjusted_r2, low=low, high=high)
