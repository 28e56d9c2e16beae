"""What can be dragged of a gate, and what it becomes.

Fixed gates are taken hold of as on the review page. Of a gate that adapts, the window and the fallback are: the line
itself is found in each file. Of single events both are ratios to the line of the file that is shown; of a cluster it is
the place where it is looked for, and how far it may lie from there.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from msgspec import Struct

from cytocar.editor.stage import GateTable, Stage, not_drawn, number_at
from cytocar.errors.tree import UsageError
from cytocar.figures.gate_pictures.axis import PictureAxis
from cytocar.gates.move import move_gate
from cytocar.regions.boxes import QuadrantGate, RangeGate, RectangleGate
from cytocar.regions.ellipse import EllipseGate
from cytocar.regions.kinds import FixedGate
from cytocar.review.handles import EDGE_DIGITS, Handle, Place, as_text, dragged, handles, value_at
from cytocar.template.gate_kinds import ClusterGate, Gate, ReferenceGate, SingletsGate, ValleyGate
from cytocar.template.model import Template

WINDOW_ENDS = ("window low", "window high")
FALLBACK = "fallback"
RATIOS = ("window low", "window high", "fallback low", "fallback high")
PLACE, REACH = "place", "reach of the window"
HELD_AT = 0.6
"""Of the area's axis: where the limits of single events are taken hold of, among large cells but inside the picture."""
SMALLEST_REACH = 1.01


class Grip(Struct, frozen=True):
    """Something to drag, and the data value that it stands at, for those who do not see it.

    ``shape`` is a line that goes with it, as places relative to it; ``span`` the part of a line, along the other axis,
    that is the side of a box.
    """

    handle: Handle
    value: str
    shape: tuple[Place, ...] = ()
    span: Place | None = None


def grips(gate: Gate, stage: Stage) -> tuple[Grip, ...]:
    """Return the grips of a gate on one picture."""
    x, y = stage.sides
    grips_so_far: list[Handle] = []
    if isinstance(gate, FixedGate):
        grips_so_far += handles(gate, _numbers(gate, stage.template), stage.view, stage.axes)
        if isinstance(gate, RangeGate | RectangleGate) and (whole := _whole(gate, stage)):
            grips_so_far.append(whole)
        if isinstance(gate, EllipseGate) and (rim := _rim(gate, x, y)):
            grips_so_far.append(rim)
    elif isinstance(gate, ValleyGate | ReferenceGate):
        ends = dict(zip((*WINDOW_ENDS, FALLBACK), (*gate.window, gate.fallback), strict=True))
        axis = x if gate.marker == x.marker else y if y is not None and gate.marker == y.marker else None
        if axis is not None:
            grips_so_far += [
                _line(name, float(axis.place([value])[0]), upright=axis is x) for name, value in ends.items()
            ]
    elif isinstance(gate, SingletsGate):
        return tuple(_ratio_grips(gate, stage))
    elif isinstance(gate, ClusterGate):
        return tuple(_cluster_grips(gate, stage))
    return tuple(Grip(handle, _value_of(handle, x, y), span=_span(gate, handle, stage)) for handle in grips_so_far)


def _span(gate: Gate, handle: Handle, stage: Stage) -> Place | None:
    """Return from where to where the side of a box reaches on the picture; None for what is no such side."""
    x, y = stage.sides
    if not isinstance(gate, RectangleGate) or y is None or (handle.x is None) == (handle.y is None):
        return None
    along = y if handle.y is None else x
    numbers = _numbers(gate, stage.template)
    low, high = (numbers.get(f"{along.marker} {end}") for end in ("min", "max"))
    places = (
        0.0 if low is None else float(along.place([low])[0]),
        1.0 if high is None else float(along.place([high])[0]),
    )
    return (min(max(places[0], 0.0), 1.0), min(max(places[1], 0.0), 1.0))


def _line(name: str, place: float, *, upright: bool) -> Handle:
    at = round(place, 5)
    if upright:
        return Handle(f"edge {name}", name, None, at, None)
    return Handle(f"edge {name}", None, name, None, at)


def _ratio_grips(gate: SingletsGate, stage: Stage) -> Iterator[Grip]:
    """Yield the limits of single events where they pass a middle area, each with its line over all areas."""
    pulse = gate.height or gate.width or ""
    if not stage.single_line or {gate.area, pulse} != set(stage.view.markers):
        return
    areas, pulses = (np.array(column) for column in zip(*stage.single_line, strict=True))
    along = stage.axes[gate.area].place(areas)
    held = int(np.abs(along - HELD_AT).argmin())
    swapped = stage.view.x == pulse
    for name, ratio in zip(RATIOS, (*gate.window, *gate.fallback), strict=True):
        heights = stage.axes[pulse].place(pulses * ratio if gate.height else pulses / ratio)
        line = np.stack([heights, along] if swapped else [along, heights], axis=1)
        x, y = (round(float(value), 5) for value in line[held])
        x_name, y_name = (name, None) if swapped else (None, name)
        shape = tuple((float(across), float(up)) for across, up in line - line[held])
        yield Grip(Handle(f"point {name}", x_name, y_name, x, y), f"{ratio:.4g} of the line of single events", shape)


def _cluster_grips(gate: ClusterGate, stage: Stage) -> Iterator[Grip]:
    """Yield the place where a cluster is looked for and its reach, and the windows of its core's markers."""
    for marker, ends in gate.core.items():
        for axis, upright in zip(stage.sides, (True, False), strict=True):
            if axis is not None and axis.marker == marker:
                for name, value in zip(WINDOW_ENDS, ends, strict=True):
                    line = _line(f"{marker} {name}", float(axis.place([value])[0]), upright=upright)
                    yield Grip(line, _value_of(line, *stage.sides))
    x, y = stage.sides
    if y is None or {gate.x, gate.y} != {x.marker, y.marker}:
        return
    near = dict(zip((gate.x, gate.y), gate.near, strict=True))
    middle = [float(axis.place([near[axis.marker]])[0]) for axis in (x, y)]
    place = Handle(PLACE, PLACE, PLACE, round(middle[0], 5), round(middle[1], 5))
    yield Grip(place, _value_of(place, x, y))
    lows, highs = (
        [float(axis.place([near[axis.marker] * factor])[0]) for axis in (x, y)]
        for factor in (1 / gate.within, gate.within)
    )
    corners = [(highs[0], lows[1]), (lows[0], lows[1]), (lows[0], highs[1]), (highs[0], highs[1]), (highs[0], lows[1])]
    reach = Handle(REACH, REACH, None, round(highs[0], 5), round(middle[1], 5))
    shape = tuple((across - highs[0], up - middle[1]) for across, up in corners)
    yield Grip(reach, f"a factor of {gate.within:.4g} either way", shape)


def _whole(gate: RangeGate | RectangleGate, stage: Stage) -> Handle | None:
    """Return the middle of a box, which moves all of it, where two sides at least are closed on one axis."""
    numbers = _numbers(gate, stage.template)
    middles: list[float | None] = []
    for axis in stage.sides:
        ends = [numbers.get(f"{axis.marker} {end}") for end in ("min", "max")] if axis is not None else [None]
        closed = [end for end in ends if end is not None]
        middles.append(float(axis.place(closed).mean()) if axis is not None and len(closed) == 2 else None)
    if middles == [None, None]:
        return None
    across, up = (0.5 if middle is None else round(middle, 5) for middle in middles)
    return Handle("whole", None, None, across, up, whole=True)


def _rim(gate: EllipseGate, x: PictureAxis, y: PictureAxis | None) -> Handle | None:
    """Return the rightmost point of an ellipse: dragging it makes the ellipse larger or smaller."""
    if y is None or set(gate.axes) != {x.marker, y.marker}:
        return None
    row = gate.axes.index(x.marker)
    reach = math.sqrt(gate.covariance[row][row] * gate.distance_square)
    right = float(x.place_on_scale(gate.center[row] + reach))
    up = float(y.place_on_scale(gate.center[1 - row]))
    return Handle("size", "size", "size", round(min(right, 1.0), 5), round(up, 5))


def _value_of(handle: Handle, x: PictureAxis, y: PictureAxis | None) -> str:
    parts = []
    for axis, place in ((x, handle.x), (y, handle.y)):
        if axis is not None and place is not None:
            parts.append(f"{axis.marker} {as_text(value_at(axis, place), EDGE_DIGITS)}")
    return ", ".join(parts)


def _numbers(gate: FixedGate, template: Template) -> dict[str, float]:
    return {name: value for name, value in gate.numbers(template.scale) if value is not None}


def moved(gate: Gate, grip: Grip, to: Place, stage: Stage) -> GateTable:
    """Return a gate with one of its grips at another place.

    Raises
    ------
    UsageError
        E115 if the gate cannot take it.
    """
    handle, template = grip.handle, stage.template
    if not isinstance(gate, FixedGate):
        change = {"singlets": _ratio_moved, "cluster": _cluster_moved}.get(gate.kind, _window_moved)
        return change(gate, handle, to, stage)
    if handle.id == "size" and isinstance(gate, EllipseGate):
        return _resized(gate, to, stage.sides[0])
    numbers = dragged(handle, to, _numbers(gate, template), stage.view, stage.axes)
    values = {name: float(text) for name, text in numbers.items()}
    if isinstance(gate, QuadrantGate):
        return _quadrant_moved(gate, values)
    return move_gate(gate, values, decisions=(), scale_of=template.scale).beyond_defaults()


def _resized(gate: EllipseGate, to: Place, axis: PictureAxis) -> GateTable:
    row = gate.axes.index(axis.marker)
    reach = max(axis.low + to[0] * (axis.high - axis.low) - gate.center[row], 1e-3)
    return {**gate.beyond_defaults(), "distance_square": float(f"{reach**2 / gate.covariance[row][row]:.6g}")}


def _quadrant_moved(gate: QuadrantGate, numbers: Mapping[str, float]) -> GateTable:
    table = gate.beyond_defaults()
    for key in ("x", "y"):
        for name, value in numbers.items():
            if key in table and name.rpartition(" ")[0] == table[key]["marker"]:
                table[key] = {**table[key], "at": value}
    return table


def _window_moved(gate: Gate, handle: Handle, to: Place, stage: Stage) -> GateTable:
    table = gate.beyond_defaults()
    name = handle.x_name or handle.y_name or ""
    x, y = stage.sides
    axis, place = (x, to[0]) if handle.x_name or y is None else (y, to[1])
    value = number_at(axis, min(max(place, 0.0), 1.0), EDGE_DIGITS)
    low, high = table["window"]
    if name == FALLBACK:
        table["fallback"] = min(max(value, low), high)
        return table
    low, high = table["window"] = _risen(table["window"], name == WINDOW_ENDS[1], value)
    table["fallback"] = min(max(table["fallback"], low), high)
    return table


def _risen(ends: Sequence[float], upper: bool, value: float) -> list[float]:
    """Return a window with one end moved; it must rise."""
    moved_ends = [ends[0], value] if upper else [value, ends[1]]
    if moved_ends[0] >= moved_ends[1]:
        raise UsageError("the window must rise", code="E115", hint="drag its ends apart")
    return moved_ends


def _ratio_moved(gate: Gate, handle: Handle, to: Place, stage: Stage) -> GateTable:
    """Return a gate of single events with a limit at the ratio that a pulse has to the line, where it is held."""
    table = gate.beyond_defaults()
    name = handle.x_name or handle.y_name or ""
    pulse = table.get("height") or table["width"]
    areas = stage.axes[table["area"]].place([area for area, _ in stage.single_line])
    line = stage.single_line[int(np.abs(areas - HELD_AT).argmin())][1]
    value = value_at(stage.axes[pulse], min(max(to[0] if handle.x_name else to[1], 0.0), 1.0))
    if value <= 0:
        raise UsageError("a ratio is above 0", code="E115", hint="drag it back over the events")
    ratio = float(as_text(value / line if table.get("height") else line / value, EDGE_DIGITS))
    which, _, end = name.partition(" ")
    table[which] = _risen(table[which], end == "high", ratio)
    low, high = table["window"]
    table["fallback"] = [min(max(one, low), high) for one in table["fallback"]]
    if table["fallback"][0] == table["fallback"][1]:
        table["fallback"] = [low, high]
    return table


def _cluster_moved(gate: Gate, handle: Handle, to: Place, stage: Stage) -> GateTable:
    """Return a cluster that is looked for at another place, farther around it, or by another core."""
    table = gate.beyond_defaults()
    x, y = stage.sides
    if handle.id.startswith("edge "):
        axis, place = (x, to[0]) if handle.x_name or y is None else (y, to[1])
        value = number_at(axis, min(max(place, 0.0), 1.0), EDGE_DIGITS)
        ends = _risen(table["core"][axis.marker], handle.id.endswith("high"), value)
        return {**table, "core": {**table["core"], axis.marker: ends}}
    if y is None:
        raise not_drawn("a cluster needs two axes")
    places = {axis.marker: value_at(axis, min(max(at, 0.0), 1.0)) for axis, at in zip((x, y), to, strict=True)}
    near = dict(zip((table["x"], table["y"]), table["near"], strict=True))
    if min(places.values()) <= 0:
        raise UsageError("a cluster lies above 0 on both axes", code="E115", hint="drag it back over the events")
    if handle.id == PLACE:
        return {**table, "near": [float(as_text(places[table[key]], EDGE_DIGITS)) for key in ("x", "y")]}
    factor = places[x.marker] / near[x.marker]
    return {**table, "within": float(as_text(max(factor, 1 / factor, SMALLEST_REACH), EDGE_DIGITS))}
