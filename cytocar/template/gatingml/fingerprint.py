"""What a gate of a document is, whatever its dimensions are called: to see whether somebody edited it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any, assert_never

from cytocar.template.canonical import declared
from cytocar.template.gate_kinds import (
    BooleanGate,
    EllipseGate,
    FixedGate,
    PolygonGate,
    QuadrantGate,
    RangeGate,
    RectangleGate,
)
from cytocar.template.model import Template


def with_markers(gate: FixedGate, name_of: Callable[[str], str]) -> FixedGate:
    """Return a gate on other panel entries."""
    match gate:
        case RangeGate():
            return gate.model_copy(update={"marker": name_of(gate.marker)})
        case RectangleGate():
            return gate.model_copy(update={"bounds": {name_of(marker): side for marker, side in gate.bounds.items()}})
        case PolygonGate():
            return gate.model_copy(update={"x": name_of(gate.x), "y": name_of(gate.y)})
        case EllipseGate():
            return gate.model_copy(update={"axes": tuple(name_of(marker) for marker in gate.axes)})
        case QuadrantGate(x=x, y=y):
            renamed = {
                key: divider and divider.model_copy(update={"marker": name_of(divider.marker)})
                for key, divider in (("x", x), ("y", y))
            }
            axes = tuple(divider.model_copy(update={"marker": name_of(divider.marker)}) for divider in gate.axes)
            return gate.model_copy(update={**renamed, "axes": axes})
        case BooleanGate():
            return gate
        case _:
            assert_never(gate)


def axis_description(template: Template, marker: str, *, with_scale: bool = True) -> str:
    """Return what an axis of an imported document looks at: channel or dye, matrix, ratio, and its scale."""
    entry = template.panel[marker]
    described: dict[str, Any] = {"channel": entry.fluorochrome or entry.detectors}
    if entry.ratio is not None:
        operands = (entry.ratio.numerator, entry.ratio.denominator)
        described["ratio"] = [axis_description(template, operand) for operand in operands]
        described["constants"] = [entry.ratio.A, entry.ratio.B, entry.ratio.C]
    else:
        source = entry.compensation or template.compensation.source
        matrix = template.compensation.matrices.get(source)
        described["compensation"] = source if matrix is None else declared(matrix)
    if with_scale:
        described["scale"] = declared(template.scale(marker))
    return _text(described)


def fingerprints(template: Template) -> dict[str, str]:
    """Return a digest of each gate of an imported document, by its id.

    Numbers count to nine digits: a program that only writes them in another way has edited nothing.
    """
    digests = {}
    for population in template.populations:
        if not isinstance(population.gate, FixedGate):
            raise TypeError(f"{population.name!r} of an imported document is not fixed")
        gate = with_markers(population.gate, lambda marker: axis_description(template, marker))
        text = _text({"parent": population.parent, "gate": declared(gate)})
        digests[population.name] = hashlib.sha256(text.encode("utf-8")).hexdigest()[:16]
    return digests


def _text(value: Any) -> str:
    return json.dumps(_rounded(value), sort_keys=True)


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return f"{value:.9g}"
    if isinstance(value, dict):
        return {key: _rounded(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(entry) for entry in value]
    return value
