"""What is drawn on a picture as a gate.

Places are 0 to 1 from end to end of each axis; a side at an end of the picture is open.
"""

from __future__ import annotations

from collections.abc import Sequence

from cytocar.editor.stage import GateTable, Stage, not_drawn, number_at
from cytocar.figures.gate_pictures.axis import PictureAxis
from cytocar.review.handles import CORNER_DIGITS, EDGE_DIGITS, Place

SMALLEST = 0.01
"""Of the picture's side: what is drawn smaller was a click."""
RIM = 0.01
"""Of the picture's side: what is drawn to its rim is meant to be open there."""


def drawn_gate(tool: str, points: Sequence[Place], stage: Stage) -> GateTable:
    """Return the gate that somebody has drawn.

    Parameters
    ----------
    tool : str
        ``rectangle``, ``ellipse``, ``range`` (two opposite corners), ``polygon`` (its corners).

    Raises
    ------
    UsageError
        E221 if the shape is too small, or needs another picture.
    """
    x, y = stage.sides
    if tool != "polygon" and len(points) != 2:
        raise not_drawn("two opposite corners are needed")
    low = (min(point[0] for point in points), min(point[1] for point in points))
    high = (max(point[0] for point in points), max(point[1] for point in points))
    if tool == "range" or (tool == "rectangle" and y is None):
        if high[0] - low[0] < SMALLEST:
            raise not_drawn("it is too narrow")
        return {"kind": "range", "marker": x.marker, **_bounds(x, low[0], high[0])}
    if y is None:
        raise not_drawn("a histogram takes ranges only")
    if high[0] - low[0] < SMALLEST or high[1] - low[1] < SMALLEST:
        raise not_drawn("it is too small")
    if tool == "rectangle":
        sides = {x.marker: _bounds(x, low[0], high[0]), y.marker: _bounds(y, low[1], high[1])}
        return {"kind": "rectangle", "bounds": {marker: side for marker, side in sides.items() if side}}
    if tool == "polygon":
        corners = [[number_at(x, at, CORNER_DIGITS), number_at(y, up, CORNER_DIGITS)] for at, up in points]
        return {"kind": "polygon", "x": x.marker, "y": y.marker, "vertices": corners}
    if tool == "ellipse":
        return _ellipse(x, y, low, high)
    raise not_drawn(f"there is no tool {tool!r}")


def quadrants(point: Place, stage: Stage) -> dict[str, GateTable]:
    """Return the four gates of a quadrant that meet at a place, by names such as ``CD4+ CD8-``."""
    x, y = stage.sides
    if y is None:
        raise not_drawn("a quadrant needs two axes")
    sides = [
        {"marker": axis.marker, "at": number_at(axis, at, EDGE_DIGITS)} for axis, at in zip((x, y), point, strict=True)
    ]
    return {
        f"{x.marker}{signs[0]} {y.marker}{signs[1]}": {"kind": "quadrant", "x": sides[0], "y": sides[1], "keep": signs}
        for signs in ("+-", "-+", "++", "--")
    }


def _ellipse(x: PictureAxis, y: PictureAxis, low: Place, high: Place) -> GateTable:
    """Return the ellipse that touches the sides of a box; it is round on the axes' scales."""
    center, spread = [], []
    for axis, first, last in zip((x, y), low, high, strict=True):
        length = axis.high - axis.low
        center.append(float(f"{axis.low + (first + last) / 2 * length:.6g}"))
        spread.append(float(f"{((last - first) / 2 * length) ** 2:.6g}"))
    covariance = [[spread[0], 0.0], [0.0, spread[1]]]
    return {
        "kind": "ellipse",
        "axes": [x.marker, y.marker],
        "center": center,
        "covariance": covariance,
        "distance_square": 1.0,
    }


def _bounds(axis: PictureAxis, low: float, high: float) -> dict[str, float]:
    ends = {}
    if low > RIM:
        ends["min"] = number_at(axis, low, EDGE_DIGITS)
    if high < 1 - RIM:
        ends["max"] = number_at(axis, high, EDGE_DIGITS)
    return ends
