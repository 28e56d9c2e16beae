"""A fixed gate with some of its numbers replaced, named as in ``gates.csv``: how a person moves one sample's gate.

Data-driven gates stand as the fixed gates that they became on the sample. Of these, ``threshold`` is the one bound of a
range, and ``center_MARKER`` moves a whole cluster along that marker, on its log scale.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from pydantic import ValidationError

from cytocar.errors.tree import UsageError
from cytocar.gates.decision import Decision
from cytocar.gates.fixed.place import ScaleOf, numbers, sides
from cytocar.template.gate_kinds import (
    Bounds,
    EllipseGate,
    FixedGate,
    PolygonGate,
    QuadrantGate,
    RangeGate,
    RectangleGate,
)

Numbers = Mapping[str, float]


def move_gate(gate: FixedGate, replaced: Numbers, *, decisions: Sequence[Decision], scale_of: ScaleOf) -> FixedGate:
    """Return the gate with new numbers.

    Parameters
    ----------
    gate : FixedGate
        As applied to the sample.
    replaced : mapping of str to float
        New numbers, compensated data units, by the names of the rows of ``gates.csv``.
    decisions : sequence of Decision
        The rows of this gate: where a cluster's center was.
    scale_of : callable
        Marker to the scale of its axis.

    Raises
    ------
    UsageError
        E115 if the gate has no such number, or cannot take it.

    Examples
    --------
    >>> from cytocar.signals.scales import LinearScale
    >>> gate = RangeGate(kind="range", marker="CD3", min=1200)
    >>> move_gate(gate, {"CD3 min": 1350}, decisions=(), scale_of=lambda marker: LinearScale()).min
    1350.0
    """
    unknown = [name for name in replaced if name not in movable(gate, decisions, scale_of)]
    if unknown:
        known = ", ".join(movable(gate, decisions, scale_of)) or "none"
        raise UsageError(
            f"this gate has no number {unknown[0]!r}", code="E115", hint=f"numbers that can be moved: {known}"
        )
    try:
        return _moved(gate, replaced, {row.parameter: row.value for row in decisions}, scale_of)
    except ValidationError as error:
        raise UsageError(
            f"the gate cannot be moved there: {error.errors()[0]['msg']}",
            code="E115",
            hint="look at its other numbers in gates.csv",
        ) from error


def movable(gate: FixedGate, decisions: Sequence[Decision], scale_of: ScaleOf) -> tuple[str, ...]:
    """Return the names of the numbers of a gate that can be replaced."""
    named = {name for name, value in numbers(gate, scale_of) if value is not None}
    said = [row.parameter for row in decisions if row.value is not None]
    if isinstance(gate, RangeGate):
        named |= {"threshold"} & set(said)
    if isinstance(gate, PolygonGate):
        named |= {f"center_{gate.x}", f"center_{gate.y}"} & set(said)
    return tuple(dict.fromkeys([name for name in said if name in named] + sorted(named)))


def _moved(gate: FixedGate, replaced: Numbers, before: Mapping[str, float | None], scale_of: ScaleOf) -> FixedGate:
    known = dict(numbers(gate, scale_of))

    def number(name: str) -> float | None:
        return replaced.get(name, known.get(name))

    match gate:
        case RangeGate(marker=marker):
            end = "min" if gate.min is not None else "max"
            bounds = {side: number(f"{marker} {side}") for side in ("min", "max")}
            bounds |= {end: replaced["threshold"]} if "threshold" in replaced else {}
            return RangeGate(kind="range", marker=marker, min=bounds["min"], max=bounds["max"])
        case RectangleGate() | QuadrantGate():
            box = {name: Bounds(min=number(f"{name} min"), max=number(f"{name} max")) for name in sides(gate)}
            return RectangleGate(kind="rectangle", bounds=box)
        case PolygonGate(x=x, y=y, vertices=vertices):
            axes = [_axis(marker, len(vertices), number, _factor(marker, replaced, before)) for marker in (x, y)]
            return PolygonGate(kind="polygon", x=x, y=y, vertices=tuple(zip(*axes, strict=True)))
        case EllipseGate(axes=markers):
            places = ((name, number(f"{name} center")) for name in markers)
            center = tuple(float(scale_of(name).forward(at)) for name, at in places if at is not None)
            distance = replaced.get("distance_square", gate.distance_square)
            return EllipseGate.model_validate({**gate.model_dump(), "center": center, "distance_square": distance})
        case _:
            return gate  # a boolean gate has no numbers


def _axis(marker: str, corners: int, number: Callable[[str], float | None], factor: float) -> list[float]:
    places = (number(f"{marker} corner {corner}") for corner in range(1, corners + 1))
    return [place * factor for place in places if place is not None]


def _factor(marker: str, replaced: Numbers, before: Mapping[str, float | None]) -> float:
    """Return by how much a cluster moves along a marker: a cluster is placed on the log of its signals."""
    center, was = replaced.get(f"center_{marker}"), before.get(f"center_{marker}")
    return center / was if center is not None and was else 1.0
