"""One gate of a FlowJo workspace: numbers to data units, what ends at the display's end left open."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from cytocar.errors.tree import TemplateError
from cytocar.regions.boxes import RectangleGate
from cytocar.regions.ellipse import EllipseGate
from cytocar.regions.kinds import FixedGate
from cytocar.regions.polygon import PolygonGate
from cytocar.template.flowjo.panel import Axis
from cytocar.template.flowjo.scales import STEPS
from cytocar.template.gatingml.xml import child, children, declaration, faulty, local_name, number, optional_number

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

AxisOf = Callable[["Element"], Axis]


def read_gate(region: Element, axis_of: AxisOf) -> FixedGate:
    """Return a gate.

    Parameters
    ----------
    region : Element
        What stands in a population's ``<Gate>``.
    axis_of : callable
        ``<dimension>`` to its axis.

    Raises
    ------
    TemplateError
        E142 it is not as FlowJo writes it, E146 there is no equivalent: the message says of what.
    """
    kind = local_name(region)
    if kind not in _READERS:
        raise without_equivalent(f"{kind} has no equivalent")
    return _READERS[kind](region, [(dimension, axis_of(dimension)) for dimension in children(region, "dimension")])


def without_equivalent(why: str) -> TemplateError:
    """Return the error for what FlowJo draws and a template cannot declare."""
    return TemplateError(why, code="E146", hint="draw the gate another way in FlowJo, or go on without it")


def _rectangle(region: Element, axes: list[tuple[Element, Axis]]) -> FixedGate:
    bounds: dict[str, dict[str, float]] = {}
    for dimension, axis in axes:
        side = bounds.setdefault(axis.marker, {})
        for key, low_end in (("min", True), ("max", False)):
            stored = optional_number(dimension, key)
            if stored is None:
                continue
            value = axis.display.value(stored)
            if not axis.display.ends_at(value)[0 if low_end else 1]:
                side[key] = value
    return declaration(region, RectangleGate, {"kind": "rectangle", "bounds": bounds})


def _polygon(region: Element, axes: list[tuple[Element, Axis]]) -> FixedGate:
    x, y = _two(region, axes)
    vertices = []
    for vertex in children(region, "vertex"):
        stored = _coordinates(vertex)
        values = [axis.display.value(place) for axis, place in zip((x, y), stored, strict=True)]
        for axis, value in zip((x, y), values, strict=True):
            axis.mark_ends(*axis.display.ends_at(value))
        vertices.append([axis.display.corner(value) for axis, value in zip((x, y), values, strict=True)])
    return declaration(region, PolygonGate, {"kind": "polygon", "x": x.marker, "y": y.marker, "vertices": vertices})


def _ellipse(region: Element, axes: list[tuple[Element, Axis]]) -> FixedGate:
    """Read an ellipse: two foci and the ends of its axes, in steps of the display.

    With half the distance of the foci c and the long half-axis a, the short one is sqrt(a^2 - c^2).
    """
    pair = _two(region, axes)
    ends = [(axis.display.low, axis.display.high) for axis in pair]
    lows, highs = [low for low, _ in ends if low is not None], [high for _, high in ends if high is not None]
    if len(lows) != 2 or len(highs) != 2:
        raise without_equivalent("an ellipse on an axis whose display is not in the workspace")
    foci = np.array([_coordinates(vertex) for vertex in children(child(region, "foci"), "vertex")])
    edge = np.array([_coordinates(vertex) for vertex in children(child(region, "edge"), "vertex")])
    if foci.shape != (2, 2) or edge.shape != (4, 2):
        raise faulty(region, "needs two foci and the four ends of its axes")
    center = foci.mean(axis=0)
    long = np.linalg.norm(edge - center, axis=1).max()
    along = (foci[1] - foci[0]) / 2
    if not np.linalg.norm(along):  # a circle has its foci in one place; any direction will do
        along = np.array([1e-9, 0.0])
    short = math.sqrt(max(long**2 - float(along @ along), 0.0))
    unit = along / np.linalg.norm(along)
    across = np.array([-unit[1], unit[0]])
    shape = long**2 * np.outer(unit, unit) + short**2 * np.outer(across, across)
    steps = np.diag([(high - low) / STEPS for low, high in zip(lows, highs, strict=True)])
    covariance = steps @ shape @ steps
    for axis, middle, half in zip(pair, center, np.sqrt(np.diagonal(shape)), strict=True):
        axis.mark_ends(bool(middle - half <= 0), bool(middle + half >= STEPS))
    declared = {
        "kind": "ellipse",
        "axes": [axis.marker for axis in pair],
        "center": (np.array(lows) + steps @ center).tolist(),
        "covariance": ((covariance + covariance.T) / 2).tolist(),
        "distance_square": 1.0,
    }
    return declaration(region, EllipseGate, declared)


_READERS = {"RectangleGate": _rectangle, "PolygonGate": _polygon, "EllipsoidGate": _ellipse}


def _two(region: Element, axes: list[tuple[Element, Axis]]) -> tuple[Axis, Axis]:
    if len(axes) != 2:
        raise faulty(region, "needs two dimensions")
    x, y = axes[0][1], axes[1][1]
    for axis in (x, y):
        if axis.display.scale is None:
            raise without_equivalent(
                f"its edge is drawn on {axis.marker}'s scale {axis.display.kind!r}, which has no equivalent"
            )
    return x, y


def _coordinates(vertex: Element) -> tuple[float, float]:
    values = [number(entry, "value") for entry in children(vertex, "coordinate")]
    if len(values) != 2:
        raise faulty(vertex, "needs two coordinates")
    return values[0], values[1]
