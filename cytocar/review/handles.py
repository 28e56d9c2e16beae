"""A gate as somebody can take hold of it: its numbers in fields, its edges and corners on a picture.

A place on a picture is 0 to 1 from end to end of each axis. What it stands for is rounded as the eye reads it; the text
in the field is the number that is counted, shown and saved.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from msgspec import Struct

from cytocar.errors.tree import UsageError
from cytocar.figures.gate_pictures.axis import PictureAxis
from cytocar.figures.gate_pictures.views import View
from cytocar.gates.decision import Decision
from cytocar.gates.move import movable
from cytocar.regions.boxes import RangeGate
from cytocar.regions.ellipse import EllipseGate
from cytocar.regions.kinds import FixedGate
from cytocar.regions.polygon import PolygonGate
from cytocar.sample.result import SampleResult
from cytocar.sheet.spelling import number
from cytocar.template.model import Template

FEW_CORNERS = 12
"""A polygon of more corners is moved as a whole."""
EDGE_DIGITS, CORNER_DIGITS = 4, 6
Place = tuple[float, float]


class GateField(Struct, frozen=True):
    """A number of a gate that can be typed: its name in ``gates.csv``, and its value as the tables print it."""

    name: str
    value: str
    corner: bool
    window: tuple[float, float] | None


class Handle(Struct, frozen=True):
    """Something to drag on a picture: an edge (one name on one axis), or a point (one name on each).

    ``whole`` moves every corner of a polygon alike. ``x`` and ``y`` are the place; None along which it does not move.
    ``value`` is what stands there, in words for those who do not see it.
    """

    id: str
    x_name: str | None
    y_name: str | None
    x: float | None
    y: float | None
    whole: bool = False
    value: str = ""

    @property
    def label(self) -> str:
        """What it moves, for those who do not see it."""
        return "whole gate" if self.whole else " and ".join(name for name in (self.x_name, self.y_name) if name)


def fields(result: SampleResult, population: str, template: Template) -> tuple[GateField, ...]:
    """Return the numbers of a gate that can be typed, corners last and in their order."""
    gate = result.gates[population]
    rows = [row for row in result.decisions if row.population == population]
    row_of = {row.parameter: row for row in rows}
    values = dict(gate.numbers(template.scale)) | {row.parameter: row.value for row in rows if row.value is not None}
    names = movable(gate, rows, template.scale)
    if isinstance(gate, RangeGate) and "threshold" in names:
        names = tuple(name for name in names if name == "threshold" or values[name] != values["threshold"])
    made = [_field(name, values[name], row_of.get(name)) for name in names]
    return tuple(sorted(made, key=lambda one: (one.corner, _corner_number(one.name))))


def _field(name: str, value: float | None, row: Decision | None) -> GateField:
    corner = _corner_number(name) > 0
    return GateField(name, f"{value:.6g}", corner, row.window if row else None)


def _corner_number(name: str) -> int:
    match = re.search(r" corner (\d+)$", name)
    return int(match[1]) if match else 0


def changed(known: Sequence[GateField], typed: Mapping[str, str]) -> dict[str, float]:
    """Return the numbers that somebody has typed anew.

    Raises
    ------
    UsageError
        E115 for what is no number, and for a number that the gate does not have.
    """
    if unknown := sorted(set(typed) - {one.name for one in known}):
        raise UsageError(
            f"this gate has no number {unknown[0]!r}",
            code="E115",
            hint=f"numbers that can be moved: {', '.join(one.name for one in known) or 'none'}",
        )
    new = {}
    for one in known:
        text = typed.get(one.name, one.value).strip().replace("−", "-")
        if text == one.value:
            continue
        try:
            new[one.name] = number(text, False)
        except ValueError as error:
            raise UsageError(f"{error} ({one.name})", code="E115", hint="type a number such as 1350") from None
    return new


# ---------------------------------------------------------------- on a picture


def handles(
    gate: FixedGate, values: Mapping[str, float], view: View, axes: Mapping[str, PictureAxis]
) -> tuple[Handle, ...]:
    """What can be dragged of a gate on one picture; ``values`` are its numbers, by the names of its fields."""
    x, y = axes[view.x], axes[view.y] if view.y is not None else None
    return tuple(_handles(gate, values, x, y))


def _handles(gate: FixedGate, values: Mapping[str, float], x: PictureAxis, y: PictureAxis | None) -> Iterator[Handle]:
    match gate:
        case PolygonGate() | EllipseGate() if y is not None:
            yield from _points(gate, values, x, y)
        case RangeGate(marker=marker):
            axis = "x" if marker == x.marker else "y" if y is not None and marker == y.marker else None
            for name in values if axis else ():
                yield _edge(name, values[name], x, y if axis == "y" else None)
        case _:
            for name, value in values.items():
                marker, _, end = name.rpartition(" ")
                if end in ("min", "max") and marker == x.marker:
                    yield _edge(name, value, x, None)
                elif end in ("min", "max") and y is not None and marker == y.marker:
                    yield _edge(name, value, x, y)


def _edge(name: str, value: float, x: PictureAxis, y: PictureAxis | None) -> Handle:
    marker, text = (x if y is None else y).marker, as_text(value, EDGE_DIGITS)
    words = f"{marker} {text}"
    if y is None:
        return Handle(f"edge {name}", name, None, _seen(x, value), None, value=words)
    return Handle(f"edge {name}", None, name, None, _seen(y, value), value=words)


def _points(
    gate: PolygonGate | EllipseGate, values: Mapping[str, float], x: PictureAxis, y: PictureAxis
) -> Iterator[Handle]:
    if isinstance(gate, EllipseGate):
        pairs = [(f"{x.marker} center", f"{y.marker} center")]
    else:
        pairs = [(f"center_{x.marker}", f"center_{y.marker}")]
        if len(gate.vertices) <= FEW_CORNERS:
            pairs += [(f"{x.marker} corner {at}", f"{y.marker} corner {at}") for at in range(1, 1 + len(gate.vertices))]
    there = [(first, second) for first, second in pairs if first in values and second in values]
    for first, second in there:
        places = _seen(x, values[first]), _seen(y, values[second])
        words = f"{x.marker} {as_text(values[first], EDGE_DIGITS)}, {y.marker} {as_text(values[second], EDGE_DIGITS)}"
        yield Handle(f"point {first}", first, second, *places, value=words)
    if isinstance(gate, PolygonGate) and not any(first.startswith("center_") for first, _ in there):
        middle = _middle(values, x, y)
        at = [as_text(value_at(axis, place), EDGE_DIGITS) for axis, place in zip((x, y), middle, strict=True)]
        words = f"middle at {x.marker} {at[0]}, {y.marker} {at[1]}"
        yield Handle("whole", None, None, middle[0], middle[1], whole=True, value=words)


def _middle(values: Mapping[str, float], x: PictureAxis, y: PictureAxis) -> Place:
    places = [
        np.mean(
            axis.place_exactly([value for name, value in values.items() if name.startswith(f"{axis.marker} corner ")])
        )
        for axis in (x, y)
    ]
    return float(places[0]), float(places[1])


def _seen(axis: PictureAxis, value: float) -> float:
    return round(float(axis.place([value])[0]), 5)


# ---------------------------------------------------------------- a place becomes numbers


def dragged(
    handle: Handle, to: Place, values: Mapping[str, float], view: View, axes: Mapping[str, PictureAxis]
) -> dict[str, str]:
    """Return the numbers, as text for their fields, when a handle is dragged to a place.

    Parameters
    ----------
    values : mapping of str to float
        The gate's numbers as the handle was taken, for a gate that moves as a whole.
    """
    x, y = axes[view.x], axes[view.y] if view.y is not None else axes[view.x]
    if handle.whole:
        return {
            name: as_text(value_at(axis, float(axis.place_exactly([value])[0]) + by), CORNER_DIGITS)
            for axis, by in ((x, to[0] - (handle.x or 0.0)), (y, to[1] - (handle.y or 0.0)))
            for name, value in values.items()
            if re.fullmatch(rf"{re.escape(axis.marker)} (corner \d+|min|max)", name)
        }
    digits = EDGE_DIGITS if handle.id.startswith("edge") else CORNER_DIGITS
    pairs = ((handle.x_name, x, to[0]), (handle.y_name, y, to[1]))
    return {name: as_text(value_at(axis, min(max(at, 0.0), 1.0)), digits) for name, axis, at in pairs if name}


def value_at(axis: PictureAxis, place: float) -> float:
    """Return the data value at a place of an axis: the inverse of ``PictureAxis.place_exactly``."""
    return float(axis.scale.inverse(axis.low + place * (axis.high - axis.low)))


def as_text(value: float, digits: int) -> str:
    """Return a value as a reader of the axis would write it.

    Examples
    --------
    >>> as_text(866.1562, 4), as_text(-1e-12, 4), as_text(113107.9, 4)
    ('866.2', '0', '113100')
    """
    if abs(value) < 1e-9:
        return "0"
    rounded = round(value, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{rounded:.10g}"
