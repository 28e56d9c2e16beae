"""A fixed gate as a line on a picture: its shadow on the picture's two axes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cytocar.figures.gate_pictures.axis import Floats, PictureAxis
from cytocar.template.gate_kinds import (
    BooleanGate,
    EllipseGate,
    FixedGate,
    PolygonGate,
    QuadrantGate,
    RangeGate,
    RectangleGate,
)

BEYOND = 0.05
"""How far outside the picture an open side of a gate is drawn, so that only its closed sides are seen."""
ELLIPSE_CORNERS = 48


@dataclass(frozen=True, slots=True)
class Outline:
    """The corners of a gate's shadow on a picture, shape (n, 2), 0 to 1 from end to end of each axis, and its name."""

    population: str
    corners: Floats


def outline(population: str, gate: FixedGate, x: PictureAxis, y: PictureAxis | None) -> Outline | None:
    """Return a gate as it is drawn on two axes (or on one); ``None`` where it does not bound either of them."""
    match gate:
        case BooleanGate():
            return None
        case PolygonGate():
            corners = _polygon(gate, x, y)
        case EllipseGate():
            corners = _ellipse(gate, x, y)
        case RangeGate() | RectangleGate() | QuadrantGate():
            corners = _box(gate, x, y)
    return None if corners is None else Outline(population, corners)


def _box(gate: RangeGate | RectangleGate | QuadrantGate, x: PictureAxis, y: PictureAxis | None) -> Floats | None:
    markers = {x.marker, y.marker if y else x.marker}
    if markers.isdisjoint(gate.markers()):
        return None
    left, right = _side(gate, x)
    bottom, top = _side(gate, y) if y else (-BEYOND, 1 + BEYOND)
    return np.array([[left, bottom], [right, bottom], [right, top], [left, top]])


def _side(gate: RangeGate | RectangleGate | QuadrantGate, axis: PictureAxis) -> tuple[float, float]:
    """Return where a gate begins and ends on an axis."""
    if axis.marker not in gate.markers():
        return -BEYOND, 1 + BEYOND
    if isinstance(gate, RangeGate):
        low, high = gate.min, gate.max
    else:
        side = (gate.bounds() if isinstance(gate, QuadrantGate) else gate.bounds)[axis.marker]
        low, high = side.min, side.max
    place = axis.place_on_scale if gate.units == "scale" else axis.place_exactly
    ends = [
        otherwise if bound is None else float(np.nan_to_num(place(bound), nan=otherwise))
        for bound, otherwise in ((low, -BEYOND), (high, 1 + BEYOND))
    ]
    left, right = np.clip(ends, -BEYOND, 1 + BEYOND)
    return float(left), float(right)


def _polygon(gate: PolygonGate, x: PictureAxis, y: PictureAxis | None) -> Floats | None:
    if y is None or {gate.x, gate.y} != {x.marker, y.marker}:
        return None
    vertices = np.array(gate.vertices, dtype=np.float64)
    columns = dict(zip((gate.x, gate.y), vertices.T, strict=True))
    sides = []
    for axis in (x, y):
        place = axis.place_on_scale if gate.units == "scale" else axis.place_exactly
        sides.append(np.nan_to_num(place(columns[axis.marker]), nan=-BEYOND, neginf=-9.0, posinf=9.0))
    return np.stack(sides, axis=1)


def _ellipse(gate: EllipseGate, x: PictureAxis, y: PictureAxis | None) -> Floats | None:
    """Return the shadow of an ellipse, or of an ellipsoid: that of its covariance on the axes shown."""
    shown = [axis for axis in (x, y) if axis is not None and axis.marker in gate.axes]
    if not shown:
        return None
    rows = [gate.axes.index(axis.marker) for axis in shown]
    center = np.array(gate.center)[rows]
    covariance = np.array(gate.covariance)[np.ix_(rows, rows)] * gate.distance_square
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
