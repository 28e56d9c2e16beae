"""Doubling time and half-life of one curve: log-linear regression, with the interval of the slope."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from cytocar.errors.tree import counted
from cytocar.kinetics.curve import Point

FEWEST_FOR_HALF_LIFE = 3
"""Samples after the peak: two points always lie on a line."""
_R2_TIE = 1e-4  # adjusted R2 closer than this are equal, and more points win: the rule of Phoenix WinNonlin


class Rate(Struct, frozen=True):
    days: float | None = None
    points: int | None = None
    adjusted_r2: float | None = None
    reason: str = ""
    low: float | None = None
    high: float | None = None


class Line(Struct, frozen=True):
    """A line through logarithms; ``half_width`` is that of the slope's 95 % interval, ``None`` where nothing tells.

    ``residual`` is the sum of squares about it.
    """

    slope: float
    adjusted_r2: float
    half_width: float | None
    residual: float = 0.0

    def days(self, direction: Literal[-1, 1]) -> tuple[float, float | None, float | None] | None:
        """Return the time of a doubling (1) or halving (-1) with its limits; None where the slope may be 0."""
        slope, half_width = direction * self.slope, self.half_width
        if half_width is None:
            return math.log(2) / slope, None, None
        if slope <= half_width:
            return None
        return tuple(math.log(2) / one for one in (slope, slope + half_width, slope - half_width))  # type: ignore[return-value]  # three of them


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


def _half_width(points: Sequence[Point], n: int, sxx: float, residual: float) -> float | None:
    """Return the half width of a slope's interval: of the scatter about the line, or of the counts, if that is wider.

    Three values may lie on a line by chance, and many that were counted well may scatter: the larger of Student's
    interval from the residuals (n - 2 degrees of freedom) and the normal one from the counts' own intervals holds.
    """
    from scipy.special import stdtrit

    scattered = float(stdtrit(n - 2, 0.975)) * math.sqrt(residual / (n - 2) / sxx) if n > 2 else None
    errors = [
        math.log(point.high / point.low) / 2
        for point in points
        if point.low is not None and point.high is not None and 0 < point.low < point.high
    ]
    counted = math.sqrt(math.fsum(error**2 for error in errors) / n / sxx) if len(errors) == n else None
    known = [half for half in (scattered, counted) if half is not None]
    return max(known) if known else None


def doubling_time(quantified: Sequence[Point], peak: Point | None) -> Rate:
    if peak is None:
        return Rate(reason="no sample is quantified")
    rise = [point for point in quantified if point.day <= peak.day]
    if len(rise) < 2:
        return Rate(reason="no quantified sample before the peak")
    line = log_line(rise)
    if line.slope <= 0:
        return Rate(reason="the curve does not rise before the peak")
    return _rate(line, len(rise), 1, "rise before")


def half_life(quantified: Sequence[Point], peak: Point | None) -> Rate:
    if peak is None:
        return Rate(reason="no sample is quantified")
    fall = [point for point in quantified if point.day > peak.day]
    if len(fall) < FEWEST_FOR_HALF_LIFE:
        return Rate(
            reason=f"{counted(len(fall), 'quantified sample')} after the peak, {FEWEST_FOR_HALF_LIFE} are needed"
        )
    lines: list[tuple[Line, int]] = []
    for count in range(FEWEST_FOR_HALF_LIFE, len(fall) + 1):
        line = log_line(fall[-count:])
        # A slope of 0 in all but rounding has no half-life.
        if line.slope < -1e-12:
            lines.append((line, count))
    if not lines:
        return Rate(reason="the curve does not fall after the peak")
    best = max(line.adjusted_r2 for line, _ in lines)
    line, count = [one for one in lines if one[0].adjusted_r2 >= best - _R2_TIE][-1]
    return _rate(line, count, -1, "fall after")


def _rate(line: Line, points: int, direction: Literal[-1, 1], what: str) -> Rate:
    """Return the time of a doubling or halving with its interval; none where the slope may be 0."""
    interval = line.days(direction)
    if interval is None:
        return Rate(reason=f"unknown: the {what} the peak is not told from none ({points} samples)")
    days, low, high = interval
    return Rate(days, points, line.adjusted_r2, low=low, high=high)
