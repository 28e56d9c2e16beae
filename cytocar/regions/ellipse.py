"""The ellipse gate, in any dimension."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Self

import numpy as np
from msgspec import Meta, to_builtins
from msgspec.structs import replace

from cytocar.regions.gate import BEYOND, DrawnAxis, FixedGateBase, Floats, PlacedRegion, ScaleOf, in_data_units
from cytocar.regions.geometry import Ellipse
from cytocar.signals.declaration import declare

ELLIPSE_CORNERS = 48  # of its outline: no corner is seen on a picture of 200 pixels


class EllipseGate(FixedGateBase, frozen=True, kw_only=True, tag_field="kind", tag="ellipse"):
    """``(v - center)' covariance^-1 (v - center) <= distance_square`` on the axes' scales, in any dimension.

    ``as_formula`` takes a covariance that bounds no ellipse (not symmetric, or not positive definite) at its word: the
    formula decides, as Gating-ML 2.0 (5.1.3) says. The compliance suite of the standard has such a gate.
    """

    axes: Annotated[tuple[str, ...], Meta(min_length=1)]
    center: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    distance_square: Annotated[float, Meta(ge=0)]
    as_formula: bool = False

    def markers(self) -> tuple[str, ...]:
        """Return the axes."""
        return self.axes

    def placed(self, scale_of: ScaleOf) -> PlacedRegion:
        """Return the ellipse on the scales of a file's axes."""
        scales = [scale_of(axis) for axis in self.axes]
        return PlacedRegion(self.axes, Ellipse.of(scales, self.center, self.covariance, self.distance_square))

    def numbers(self, scale_of: ScaleOf) -> Iterator[tuple[str, float | None]]:
        """Yield ``MARKER center`` of each axis in data units, and the squared distance."""
        for marker, value in zip(self.axes, self.center, strict=True):
            yield f"{marker} center", in_data_units(value, scale_of(marker), "scale")
        yield "distance_square", self.distance_square

    def with_numbers(
        self,
        replaced: Mapping[str, float],
        before: Mapping[str, float | None],
        scale_of: ScaleOf,
    ) -> EllipseGate:
        """Return an ellipse of the same covariance with another centre or distance."""
        known = {**dict(self.numbers(scale_of)), **replaced}
        places = ((marker, known[f"{marker} center"]) for marker in self.axes)
        center = tuple(float(scale_of(marker).forward(at)) for marker, at in places if at is not None)
        return declare(
            EllipseGate, {**to_builtins(self), "center": center, "distance_square": known["distance_square"]}
        )

    def with_markers(self, name_of: Callable[[str], str]) -> Self:
        """Return a copy on other panel entries."""
        return replace(self, axes=tuple(name_of(marker) for marker in self.axes))

    def outline(self, x: DrawnAxis, y: DrawnAxis | None) -> Floats | None:
        """Return the shadow of an ellipse, or of an ellipsoid: that of its covariance on the axes shown."""
        if not _is_positive_definite(self.covariance):
            return None  # no ellipse to draw
        shown = [axis for axis in (x, y) if axis is not None and axis.marker in self.axes]
        if not shown:
            return None
        rows = [self.axes.index(axis.marker) for axis in shown]
        center = np.array(self.center)[rows]
        covariance = np.array(self.covariance)[np.ix_(rows, rows)] * self.distance_square
        if len(shown) == 1:
            reach = float(np.sqrt(covariance[0, 0]))
            ends = shown[0].place_on_scale([center[0] - reach, center[0] + reach])
            beyond = np.array([-BEYOND, 1 + BEYOND])
            left, right, bottom, top = (*ends, *beyond) if shown[0] is x else (*beyond, *ends)
            return np.array([[left, bottom], [right, bottom], [right, top], [left, top]])
        angle = np.linspace(0, 2 * np.pi, ELLIPSE_CORNERS, endpoint=False)
        circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        edge = center + circle @ np.linalg.cholesky(covariance).T
        return np.stack([axis.place_on_scale(edge[:, column]) for column, axis in enumerate(shown)], axis=1)

    def words(self) -> str:
        """Return its axes."""
        return f"ellipse on {', '.join(self.axes)}"

    def faults(self) -> Iterator[str]:
        """Yield what does not go together."""
        size = len(self.axes)
        reasons = []
        if len(set(self.axes)) < size:
            reasons.append("an axis is named twice")
        if len(self.center) != size:
            reasons.append(f"center needs {size} numbers, one per axis, and has {len(self.center)}")
        if len(self.covariance) != size or any(len(row) != size for row in self.covariance):
            reasons.append(f"covariance must be square, {size} rows of {size} numbers")
        elif self.as_formula:
            if np.linalg.matrix_rank(np.array(self.covariance)) < size:
                reasons.append("covariance must have an inverse")
        elif not _is_positive_definite(self.covariance):
            reasons.append("covariance must be symmetric and positive definite (otherwise it bounds no ellipse)")
        yield from reasons


def bounds_no_ellipse(rows: Sequence[Sequence[float]]) -> bool:
    """True if a square matrix is no covariance, but has an inverse, so that a gate's formula still decides."""
    matrix = np.array(rows, dtype=np.float64)
    is_square = matrix.ndim == 2 and matrix.shape[0] == matrix.shape[1]
    if not is_square or np.linalg.matrix_rank(matrix) < matrix.shape[0]:
        return False
    return not _is_positive_definite(tuple(map(tuple, matrix.tolist())))


def _is_positive_definite(rows: tuple[tuple[float, ...], ...]) -> bool:
    matrix = np.array(rows)
    if not np.allclose(matrix, matrix.T, rtol=1e-4, atol=0):
        return False
    try:
        np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        return False
    return True
