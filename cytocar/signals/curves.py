"""Logicle and hyperlog: data values in closed form, places on the scale from a table and one step of Halley's method.

The step gives full precision, because the table's guess is good to 1e-6 and the method is cubic.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import exp, log

import numpy as np
import numpy.typing as npt
from msgspec import Struct

Floats = npt.NDArray[np.float64]

TABLE_NODES = 8193  # linear interpolation between them is good to 1e-7 of the scale
TABLE_TOP = 16.0  # the table reaches to this multiple of T, beyond what compensation makes of a saturated signal
SERIES_LENGTH = 16  # terms of the Taylor series near zero, where the closed form loses digits


class Logicle(Struct, frozen=True):
    """Data values as a function of the place on the scale, odd around ``zero``.

    ``a exp(b y) - c exp(-d y) + f`` (Moore and Parks, Cytometry A 2012; Gating-ML 2.0, 6.4).
    """

    T: float
    a: float
    b: float
    c: float
    d: float
    f: float
    zero: float
    series_below: float
    series: tuple[float, ...]

    @classmethod
    @lru_cache(maxsize=64)
    def of(cls, *, T: float, W: float, M: float, A: float) -> Logicle:
        """Return the curve of a scale's parameters."""
        width = W / (M + A)
        lowest = A / (M + A)
        zero = lowest + width
        b = (M + A) * log(10.0)
        d = _logicle_d(b, width)
        c_over_a = exp((lowest + 2 * width) * (b + d))
        minus_f_over_a = exp(b * zero) - c_over_a * exp(-d * zero)
        a = T / (exp(b) - minus_f_over_a - c_over_a * exp(-d))
        c = c_over_a * a
        series = _series(a * exp(b * zero), b, -c * exp(-d * zero), -d)
        # The condition that defines logicle: the second derivative is zero at data value zero.
        series = (series[0], 0.0, *series[2:])
        return cls(T, a, b, c, d, -minus_f_over_a * a, zero, zero + width / 4, series)

    def value(self, y: Floats) -> Floats:
        """Return the data values at places ``y``."""
        above = np.abs(y - self.zero)
        place = self.zero + above
        with np.errstate(over="ignore"):
            far = (self.a * np.exp(self.b * place) + self.f) - self.c * np.exp(-self.d * place)
        near = place < self.series_below
        magnitude = np.where(near, _sum_series(self.series, np.where(near, above, 0.0)), far)
        return np.copysign(magnitude, y - self.zero)

    def derivatives(self, y: Floats) -> tuple[Floats, Floats]:
        """Return the first and second derivative at places ``y >= zero``."""
        rising = self.a * self.b * np.exp(self.b * y)
        falling = self.c * self.d * np.exp(-self.d * y)
        return rising + falling, self.b * rising - self.d * falling


class Hyperlog(Struct, frozen=True):
    """Data values as a function of the place on the scale, odd around ``zero``.

    ``a exp(b y) + c y - f`` (Bagwell, Cytometry A 2005; Gating-ML 2.0, 6.5).
    """

    T: float
    a: float
    b: float
    c: float
    f: float
    zero: float
    series_below: float
    series: tuple[float, ...]

    @classmethod
    @lru_cache(maxsize=64)
    def of(cls, *, T: float, W: float, M: float, A: float) -> Hyperlog:
        """Return the curve of a scale's parameters."""
        width = W / (M + A)
        lowest = A / (M + A)
        zero = lowest + width
        b = (M + A) * log(10.0)
        c_over_a = exp(b * (lowest + 2 * width)) / width
        f_over_a = exp(b * zero) + c_over_a * zero
        a = T / (exp(b) + c_over_a - f_over_a)
        c = c_over_a * a
        series = _series(a * exp(b * zero), b, 0.0, 0.0)
        return cls(T, a, b, c, f_over_a * a, zero, zero + width / 4, (series[0] + c, *series[1:]))

    def value(self, y: Floats) -> Floats:
        """Return the data values at places ``y``."""
        above = np.abs(y - self.zero)
        place = self.zero + above
        with np.errstate(over="ignore"):
            far = (self.a * np.exp(self.b * place) + self.c * place) - self.f
        near = place < self.series_below
        magnitude = np.where(near, _sum_series(self.series, np.where(near, above, 0.0)), far)
        return np.copysign(magnitude, y - self.zero)

    def derivatives(self, y: Floats) -> tuple[Floats, Floats]:
        """Return the first and second derivative at places ``y >= zero``."""
        rising = self.a * self.b * np.exp(self.b * y)
        return rising + self.c, self.b * rising


Curve = Logicle | Hyperlog


class PlaceTable:
    """Places of a scale at data values that are evenly spaced in ``asinh(x / unit)``.

    In this warp logicle and hyperlog are nearly straight, so that linear interpolation is good to 1e-7 of the scale.
    """

    def __init__(self, curve: Curve) -> None:
        self.curve = curve
        self.slope_at_zero = float(curve.derivatives(np.array([curve.zero]))[0][0])
        at_top, beyond = curve.value(np.array([1.0, 1.5]))
        self.rate_at_top = log(beyond / at_top) / 0.5
        self.unit = self.slope_at_zero / self.rate_at_top
        self.top = TABLE_TOP * curve.T
        warped = np.linspace(0.0, np.arcsinh(self.top / self.unit), TABLE_NODES)
        self.per_unit = (TABLE_NODES - 1) / warped[-1]
        self.places = self._solve(np.sinh(warped) * self.unit)
        self.steps = np.diff(self.places, append=self.places[-1])

    def look_up(self, x: Floats) -> Floats:
        """Return places by linear interpolation; exact ones beyond the table."""
        return self._reflect(x, self._interpolate)

    def forward(self, x: Floats) -> Floats:
        """Return places to full precision: one step of Halley's method from the table's guess."""
        return self._reflect(x, self._polish)

    def _interpolate(self, magnitude: Floats) -> Floats:
        position = magnitude / self.unit
        np.arcsinh(position, out=position)
        position *= self.per_unit
        node = position.astype(np.intp)
        position -= node
        position *= self.steps.take(node)
        position += self.places.take(node)
        return position

    def _polish(self, magnitude: Floats) -> Floats:
        return _halley(self.curve, self._interpolate(magnitude), magnitude)

    def _reflect(self, x: Floats, above_zero: Callable[[Floats], Floats]) -> Floats:
        """Apply a rule for 0 <= x < top to any values: the scale is odd, the far ones are solved, NaN and inf stay."""
        magnitude = np.abs(np.atleast_1d(x))
        if not magnitude.size or magnitude.max() < self.top:  # false where one is NaN
            places = above_zero(magnitude)
        else:
            places = magnitude
            within = magnitude < self.top
            far = ~within & np.isfinite(magnitude)
            places[within] = above_zero(magnitude[within])
            places[far] = self._solve(magnitude[far])
        places = places.reshape(x.shape)
        return np.where(x < 0, 2 * self.curve.zero - places, places)

    def _solve(self, x: Floats) -> Floats:
        """Return places of values >= 0 from a plain first guess, by as many steps as it takes."""
        small = self.curve.zero + x / self.slope_at_zero
        large = 1.0 + np.log(np.maximum(x, self.unit) / self.curve.T) / self.rate_at_top
        places = np.where(x < self.unit, small, large)
        for _ in range(40):
            better = np.maximum(_halley(self.curve, places, x), self.curve.zero)
            if np.allclose(better, places, rtol=0, atol=1e-15):
                return better
            places = better
        return places


def _halley(curve: Curve, y: Floats, x: Floats) -> Floats:
    """Return places that are one step of Halley's method closer to where the curve has the values ``x``."""
    excess = curve.value(y) - x
    slope, bend = curve.derivatives(y)
    newton = excess / slope
    return np.asarray(y - newton / (1.0 - 0.5 * newton * bend / slope))


def _logicle_d(b: float, width: float) -> float:
    """Return d of ``2 (ln d - ln b) + width (b + d) = 0``, by Newton's method inside a shrinking bracket."""
    low, high, d = 0.0, b, b / 2
    for _ in range(200):
        excess = 2 * (log(d) - log(b)) + width * (b + d)
        if excess > 0:
            high = d
        else:
            low = d
        step = d - excess / (2 / d + width)
        step = step if low < step < high else (low + high) / 2
        if step == d:
            break
        d = step
    return d if width else b


def _series(rising: float, b: float, falling: float, d: float) -> tuple[float, ...]:
    """Return the Taylor coefficients, from the first power up, of ``rising exp(b x) + falling exp(d x)`` around 0."""
    coefficients = []
    for power in range(1, SERIES_LENGTH + 1):
        rising *= b / power
        falling *= d / power
        coefficients.append(rising + falling)
    return tuple(coefficients)


def _sum_series(series: tuple[float, ...], x: Floats) -> Floats:
    total = np.full_like(x, series[-1])
    for coefficient in reversed(series[:-1]):
        total = total * x + coefficient
    return total * x


@lru_cache(maxsize=64)
def table_of(curve: Curve) -> PlaceTable:
    """Return the table of a curve, worked out once."""
    return PlaceTable(curve)
