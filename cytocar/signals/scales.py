"""The maps of gate axes: linear, log, asinh, logicle and hyperlog, forward and inverse.

Formulas and parameter names are those of Gating-ML 2.0, section 6 (flin, flog, fasinh, logicle, hyperlog): T is the top
of the linear scale, M the decades of the scale, W the decades of its linear part, A additional negative decades.

Linear, log and asinh are closed forms both ways. Logicle and hyperlog have a closed inverse only: ``forward`` looks up
a first guess in a table of the scale and polishes it by one step of Halley's method, which gives full precision because
the guess is good to 1e-6 and the method is cubic. Gates avoid ``forward`` where they can: they move their edges to data
units once (``edge``) and leave the events alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from math import exp, log
from typing import Literal

import numpy as np
import numpy.typing as npt

from cytocar.signals.scale_kinds import AnyScale, AsinhScale, HyperlogScale, LinearScale, LogicleScale, LogScale

Floats = npt.NDArray[np.float64]

TABLE_NODES = 8193
TABLE_TOP = 16.0  # the table reaches to this multiple of T, beyond what compensation makes of a saturated signal
SERIES_LENGTH = 16


def forward(scale: AnyScale, x: npt.ArrayLike) -> Floats:
    """Return data values on the scale of an axis.

    Parameters
    ----------
    scale : AnyScale
        One of the template's scales.
    x : array_like
        Compensated data values, any shape.

    Returns
    -------
    ndarray of float64, shape of x
        Places beyond the scale's bounds are moved to the bound (boundMin, boundMax). NaN stays NaN, infinities stay
        infinite without a bound; on a log scale 0 is -inf and negative values are NaN, but at the bound where there is
        a lower one, as FlowJo draws them.

    Examples
    --------
    >>> forward(LogicleScale(kind="logicle"), [0.0, 262144.0]).round(12).tolist()
    [0.111111111111, 1.0]
    """
    y = unbounded(scale, x)
    if isinstance(scale, LogScale) and scale.bound_min is not None:
        x = np.asarray(x, dtype=np.float64)
        y = np.where((x <= 0) & (x > -np.inf), scale.bound_min, y)
    return _bounded(scale, y)


def unbounded(scale: AnyScale, x: npt.ArrayLike) -> Floats:
    """Return data values on a scale whose bounds, if any, are set aside: where the corners of a gate stand."""
    x = np.asarray(x, dtype=np.float64)
    match scale:
        case LinearScale(T=T, A=A):
            return x if T is None else (x + A) / (T + A)
        case LogScale(T=T, M=M):
            with np.errstate(divide="ignore", invalid="ignore"):
                return np.asarray(np.log10(x / T) / M + 1.0)
        case AsinhScale(T=T, M=M, A=A):
            return np.asarray((np.arcsinh(x * (np.sinh(M * log(10)) / T)) + A * log(10)) / ((M + A) * log(10)))
    return _table(scale).forward(x)


def inverse(scale: AnyScale, y: npt.ArrayLike) -> Floats:
    """Return the data values that stand at places of a scale: the exact inverse of ``unbounded``.

    Examples
    --------
    >>> round(float(inverse(AsinhScale(kind="asinh"), 1.0)), 6)
    262144.0
    """
    y = np.asarray(y, dtype=np.float64)
    match scale:
        case LinearScale(T=T, A=A):
            return y if T is None else y * (T + A) - A
        case LogScale(T=T, M=M):
            return np.asarray(T * 10.0 ** ((y - 1.0) * M))
        case AsinhScale(T=T, M=M, A=A):
            return np.asarray(np.sinh(y * ((M + A) * log(10)) - A * log(10)) * (T / np.sinh(M * log(10))))
    return _curve(scale).value(y)


def approximate(scale: AnyScale, x: Floats) -> Floats:
    """Return data values on a scale to about 1e-7 of its length, several times faster than ``forward``.

    For pictures, densities, and the decisions of gates that are far from an edge.
    """
    if isinstance(scale, LogicleScale | HyperlogScale):
        return _bounded(scale, _table(scale).look_up(x))
    return forward(scale, x)


def edge(scale: AnyScale, y: float) -> float:
    """Return the smallest data value whose place on the scale is at least ``y``.

    ``x >= edge(scale, y)`` and ``forward(scale, x) >= y`` are the same decision for every float64 ``x``, also where the
    closed-form inverse is off by a rounding error; but for values whose place differs from ``y`` by no more than the
    rounding of ``forward`` itself (1e-16 of the scale).

    Examples
    --------
    >>> edge(LinearScale(T=100.0), 0.07)  # 0.07 * 100 is 7.000000000000001 in floating point
    7.0
    """
    if scale.bound_min is not None and y <= scale.bound_min:
        return -np.inf
    if scale.bound_max is not None and y > scale.bound_max:
        return np.inf
    middle = float(inverse(scale, y))
    if not np.isfinite(middle):
        return middle
    reach = 1e-9 * abs(middle) + 1e-12
    low, high = middle - reach, middle + reach
    while np.nextafter(low, high) < high:
        grid = np.unique(np.linspace(low, high, 65))
        above = np.flatnonzero(unbounded(scale, grid) >= y)
        if not above.size:
            return high
        if above[0] == 0:
            return float(grid[0])
        low, high = float(grid[above[0] - 1]), float(grid[above[0]])
    return high


def _bounded(scale: AnyScale, y: Floats) -> Floats:
    if scale.bound_min is None and scale.bound_max is None:
        return y
    return np.asarray(np.clip(y, scale.bound_min, scale.bound_max))


# ---------------------------------------------------------------- logicle and hyperlog


@dataclass(frozen=True, slots=True)
class _Logicle:
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
    def of(cls, scale: LogicleScale) -> _Logicle:
        width = scale.W / (scale.M + scale.A)
        lowest = scale.A / (scale.M + scale.A)
        zero = lowest + width
        b = (scale.M + scale.A) * log(10.0)
        d = _logicle_d(b, width)
        c_over_a = exp((lowest + 2 * width) * (b + d))
        minus_f_over_a = exp(b * zero) - c_over_a * exp(-d * zero)
        a = scale.T / (exp(b) - minus_f_over_a - c_over_a * exp(-d))
        c = c_over_a * a
        series = _series(a * exp(b * zero), b, -c * exp(-d * zero), -d)
        # The condition that defines logicle: the second derivative is zero at data value zero.
        series = (series[0], 0.0, *series[2:])
        return cls(scale.T, a, b, c, d, -minus_f_over_a * a, zero, zero + width / 4, series)

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


@dataclass(frozen=True, slots=True)
class _Hyperlog:
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
    def of(cls, scale: HyperlogScale) -> _Hyperlog:
        width = scale.W / (scale.M + scale.A)
        lowest = scale.A / (scale.M + scale.A)
        zero = lowest + width
        b = (scale.M + scale.A) * log(10.0)
        c_over_a = exp(b * (lowest + 2 * width)) / width
        f_over_a = exp(b * zero) + c_over_a * zero
        a = scale.T / (exp(b) + c_over_a - f_over_a)
        c = c_over_a * a
        series = _series(a * exp(b * zero), b, 0.0, 0.0)
        return cls(scale.T, a, b, c, f_over_a * a, zero, zero + width / 4, (series[0] + c, *series[1:]))

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


_Curve = _Logicle | _Hyperlog


class _Table:
    """Places of a scale at data values that are evenly spaced in ``asinh(x / unit)``.

    In this warp logicle and hyperlog are nearly straight, so that linear interpolation is good to 1e-7 of the scale.
    """

    def __init__(self, curve: _Curve) -> None:
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
        position = np.arcsinh(magnitude / self.unit) * self.per_unit
        node = position.astype(np.intp)
        return np.asarray(self.places[node] + self.steps[node] * (position - node))

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


def _halley(curve: _Curve, y: Floats, x: Floats) -> Floats:
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
def _curve_of(kind: Literal["logicle", "hyperlog"], T: float, W: float, M: float, A: float) -> _Curve:
    if kind == "logicle":
        return _Logicle.of(LogicleScale(kind=kind, T=T, W=W, M=M, A=A))
    return _Hyperlog.of(HyperlogScale(kind=kind, T=T, W=W, M=M, A=A))


def _curve(scale: LogicleScale | HyperlogScale) -> _Curve:
    return _curve_of(scale.kind, scale.T, scale.W, scale.M, scale.A)


@lru_cache(maxsize=64)
def _table_of(curve: _Curve) -> _Table:
    return _Table(curve)


def _table(scale: LogicleScale | HyperlogScale) -> _Table:
    return _table_of(_curve(scale))
