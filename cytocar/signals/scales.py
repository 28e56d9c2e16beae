"""The scales of gate axes: linear, log, asinh, logicle and hyperlog; how each is declared, and what it does.

Formulas, parameter names and their limits are those of Gating-ML 2.0, section 6 (flin, flog, fasinh, logicle,
hyperlog): ``T`` is the value at the top of the scale (which maps to 1), ``M`` the decades that it spans, ``W`` the
decades of its linear part, ``A`` additional decades of negative values.

Linear, log and asinh are closed forms both ways; logicle and hyperlog have a closed inverse only (:mod:`curves`). Gates
avoid ``forward`` where they can: they move their edges to data units once (``edge``) and leave the events alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import log
from typing import Annotated, ClassVar

import numpy as np
import numpy.typing as npt
from msgspec import Meta

from cytocar.signals.curves import Curve, Floats, Hyperlog, Logicle, table_of
from cytocar.signals.declaration import Declaration

LEAST_ABOVE_ZERO = float(np.nextafter(0.0, 1.0))


class ScaleBase(Declaration, frozen=True, kw_only=True):
    """What every scale may carry: values beyond a bound are drawn, and gated, at the bound (boundMin, boundMax)."""

    is_curved: ClassVar[bool] = True  # straight lines on the scale are not straight in data units

    bound_min: float | None = None
    bound_max: float | None = None

    def faults(self) -> Iterator[str]:
        """Yield what does not go together."""
        if self.bound_min is not None and self.bound_max is not None and self.bound_min > self.bound_max:
            yield f"bound_min ({self.bound_min:g}) must not be above bound_max ({self.bound_max:g})"

    def unbounded(self, x: npt.ArrayLike) -> Floats:
        """Return data values on the scale, its bounds, if any, set aside: where the corners of a gate stand."""
        raise NotImplementedError

    def inverse(self, y: npt.ArrayLike) -> Floats:
        """Return the data values that stand at places of the scale: the exact inverse of ``unbounded``.

        Examples
        --------
        >>> round(float(AsinhScale().inverse(1.0)), 6)
        262144.0
        """
        raise NotImplementedError

    def forward(self, x: npt.ArrayLike) -> Floats:
        """Return data values on the scale of an axis.

        Parameters
        ----------
        x : array_like
            Compensated data values, any shape.

        Returns
        -------
        ndarray of float64, shape of x
            Places beyond the scale's bounds are moved to the bound (boundMin, boundMax). NaN stays NaN, infinities stay
            infinite without a bound; on a log scale 0 is -inf and negative values are NaN, but at the bound where there
            is a lower one, as FlowJo draws them.

        Examples
        --------
        >>> LogicleScale().forward([0.0, 262144.0]).round(12).tolist()
        [0.111111111111, 1.0]
        """
        return self._bounded(self.unbounded(x))

    def approximate(self, x: Floats) -> Floats:
        """Return data values on the scale to about 1e-7 of its length; for a curved one far faster than ``forward``.

        For pictures, densities, and the decisions of gates that are far from an edge.
        """
        return self.forward(x)

    def edge(self, y: float) -> float:
        """Return the smallest data value whose place on the scale is at least ``y``.

        ``x >= scale.edge(y)`` and ``scale.forward(x) >= y`` are the same decision for every float64 ``x``, also where
        the closed-form inverse is off by a rounding error; but for values whose place differs from ``y`` by no more
        than the rounding of ``forward`` itself (1e-16 of the scale).

        Examples
        --------
        >>> LinearScale(T=100.0).edge(0.07)  # 0.07 * 100 is 7.000000000000001 in floating point
        7.0
        """
        if self.bound_min is not None and y <= self.bound_min:
            return -np.inf
        if self.bound_max is not None and y > self.bound_max:
            return np.inf
        middle = float(self.inverse(y))
        if not np.isfinite(middle):
            return middle
        reach = 1e-9 * abs(middle) + 1e-12
        low, high = middle - reach, middle + reach
        while np.nextafter(low, high) < high:
            grid = np.unique(np.linspace(low, high, 65))
            above = np.flatnonzero(self.unbounded(grid) >= y)
            if not above.size:
                return high
            if above[0] == 0:
                return float(grid[0])
            low, high = float(grid[above[0] - 1]), float(grid[above[0]])
        return high

    def lowest(self) -> float:
        """Return the lowest data value that has a place on the scale."""
        return -float(np.finfo(np.float64).max)

    def _bounded(self, y: Floats) -> Floats:
        if self.bound_min is None and self.bound_max is None:
            return y
        return np.asarray(np.clip(y, self.bound_min, self.bound_max))


class LinearScale(ScaleBase, frozen=True, kw_only=True, tag_field="kind", tag="linear"):
    """``(x + A) / (T + A)`` (flin); without T the identity."""

    is_curved: ClassVar[bool] = False

    T: Annotated[float, Meta(gt=0)] | None = None
    A: float = 0.0

    def faults(self) -> Iterator[str]:
        """Yield what does not go together."""
        yield from super().faults()
        if self.T is None and self.A != 0:
            yield "A needs T beside it"
        if self.T is not None and self.T + self.A <= 0:
            yield f"T + A must be above 0, it is {self.T + self.A:g}"

    def unbounded(self, x: npt.ArrayLike) -> Floats:
        """Return data values on the scale, its bounds set aside."""
        x = np.asarray(x, dtype=np.float64)
        return x if self.T is None else (x + self.A) / (self.T + self.A)

    def inverse(self, y: npt.ArrayLike) -> Floats:
        """Return the data values at places of the scale."""
        y = np.asarray(y, dtype=np.float64)
        return y if self.T is None else y * (self.T + self.A) - self.A


class LogScale(ScaleBase, frozen=True, kw_only=True, tag_field="kind", tag="log"):
    """``log10(x / T) / M + 1`` (flog)."""

    T: Annotated[float, Meta(gt=0)] = 262144.0
    M: Annotated[float, Meta(gt=0)] = 4.5

    def unbounded(self, x: npt.ArrayLike) -> Floats:
        """Return data values on the scale, its bounds set aside."""
        x = np.asarray(x, dtype=np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.log10(x / self.T) / self.M + 1.0)

    def forward(self, x: npt.ArrayLike) -> Floats:
        """Return data values on the scale; those of 0 and below at the lower bound, if there is one."""
        y = self.unbounded(x)
        if self.bound_min is not None:
            x = np.asarray(x, dtype=np.float64)
            y = np.where((x <= 0) & (x > -np.inf), self.bound_min, y)
        return self._bounded(y)

    def inverse(self, y: npt.ArrayLike) -> Floats:
        """Return the data values at places of the scale."""
        return np.asarray(self.T * 10.0 ** ((np.asarray(y, dtype=np.float64) - 1.0) * self.M))

    def lowest(self) -> float:
        """Return the lowest data value that has a place: above 0, but where a lower bound takes all below it."""
        return LEAST_ABOVE_ZERO if self.bound_min is None else super().lowest()


class AsinhScale(ScaleBase, frozen=True, kw_only=True, tag_field="kind", tag="asinh"):
    """``(asinh(x sinh(M ln 10) / T) + A ln 10) / ((M + A) ln 10)`` (fasinh)."""

    T: Annotated[float, Meta(gt=0)] = 262144.0
    M: Annotated[float, Meta(gt=0)] = 4.5
    A: Annotated[float, Meta(ge=0)] = 0.0

    def unbounded(self, x: npt.ArrayLike) -> Floats:
        """Return data values on the scale, its bounds set aside."""
        x, T, M, A = np.asarray(x, dtype=np.float64), self.T, self.M, self.A
        return np.asarray((np.arcsinh(x * (np.sinh(M * log(10)) / T)) + A * log(10)) / ((M + A) * log(10)))

    def inverse(self, y: npt.ArrayLike) -> Floats:
        """Return the data values at places of the scale."""
        y, T, M, A = np.asarray(y, dtype=np.float64), self.T, self.M, self.A
        return np.asarray(np.sinh(y * ((M + A) * log(10)) - A * log(10)) * (T / np.sinh(M * log(10))))


class _TabledScale(ScaleBase, frozen=True, kw_only=True):
    """A scale with a closed inverse only: its places come from the table of its curve."""

    def curve(self) -> Curve:
        """Return data values as a function of the place, worked out once for all scales of the same parameters."""
        raise NotImplementedError

    def unbounded(self, x: npt.ArrayLike) -> Floats:
        """Return data values on the scale, its bounds set aside."""
        return table_of(self.curve()).forward(np.asarray(x, dtype=np.float64))

    def approximate(self, x: Floats) -> Floats:
        """Return data values on the scale to about 1e-7 of its length: the table's guess as it is."""
        return self._bounded(table_of(self.curve()).look_up(x))

    def inverse(self, y: npt.ArrayLike) -> Floats:
        """Return the data values at places of the scale."""
        return self.curve().value(np.asarray(y, dtype=np.float64))


def _linear_part_fits(scale: LogicleScale | HyperlogScale) -> Iterator[str]:
    if scale.W > scale.M / 2:
        yield f"W ({scale.W:g}) must not be above M / 2 ({scale.M / 2:g})"
    if not -scale.W <= scale.A <= scale.M - 2 * scale.W:
        yield f"A ({scale.A:g}) must lie between -W and M - 2 W ({-scale.W:g} to {scale.M - 2 * scale.W:g})"


class LogicleScale(_TabledScale, frozen=True, kw_only=True, tag_field="kind", tag="logicle"):
    """Logicle (Parks 2006; Moore and Parks 2012)."""

    T: Annotated[float, Meta(gt=0)] = 262144.0
    W: Annotated[float, Meta(ge=0)] = 0.5
    M: Annotated[float, Meta(gt=0)] = 4.5
    A: float = 0.0

    def faults(self) -> Iterator[str]:
        """Yield what does not go together."""
        yield from super().faults()
        yield from _linear_part_fits(self)

    def curve(self) -> Logicle:
        """Return data values as a function of the place."""
        return Logicle.of(T=self.T, W=self.W, M=self.M, A=self.A)


class HyperlogScale(_TabledScale, frozen=True, kw_only=True, tag_field="kind", tag="hyperlog"):
    """Hyperlog (Bagwell 2005) as Gating-ML 2.0 states it."""

    T: Annotated[float, Meta(gt=0)] = 262144.0
    W: Annotated[float, Meta(gt=0)] = 0.5
    M: Annotated[float, Meta(gt=0)] = 4.5
    A: float = 0.0

    def faults(self) -> Iterator[str]:
        """Yield what does not go together."""
        yield from super().faults()
        yield from _linear_part_fits(self)

    def curve(self) -> Hyperlog:
        """Return data values as a function of the place."""
        return Hyperlog.of(T=self.T, W=self.W, M=self.M, A=self.A)


AnyScale = LinearScale | LogScale | AsinhScale | LogicleScale | HyperlogScale
