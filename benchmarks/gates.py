"""The nine gates for programs that do not read cytocar's templates: detectors in place of markers, plain lists.

Bounds of fluorescence go out on the logicle scale, where those programs want them, polygons on the linear axes that
they are drawn on: every program draws its lines at the same values.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cytocar.regions.boxes import QuadrantGate, RangeGate, RectangleGate
from cytocar.regions.polygon import PolygonGate
from cytocar.signals.scales import LinearScale
from cytocar.template.load import load_template
from cytocar.template.model import Template

TEMPLATE = Path(__file__).with_name("nine-gates.toml")


def plain_gates() -> dict[str, Any]:
    """Return the scatter detectors, which are neither compensated nor transformed, and the gates, parents first."""
    template = load_template(TEMPLATE)
    scatter = [name for name in template.panel if isinstance(template.scale(name), LinearScale)]
    gates = []
    for population in template.populations:
        gate = population.gate
        plain: dict[str, Any] = {"name": population.name, "parent": population.parent, "axes": [], "bounds": {}}
        if isinstance(gate, PolygonGate):
            plain |= {"axes": [gate.x, gate.y], "vertices": gate.vertices}
        else:
            plain["bounds"] = {
                _detector(template, marker): [_place(template, marker, edge) for edge in edges]
                for marker, edges in _sides(gate).items()
            }
        gates.append(plain)
    return {"scatter": scatter, "gates": gates}


def _sides(gate: object) -> dict[str, tuple[float | None, float | None]]:
    if not isinstance(gate, RangeGate | QuadrantGate | RectangleGate):
        raise TypeError(f"the nine gates hold no {gate!r}")
    return gate.sides()


def _detector(template: Template, marker: str) -> str:
    return next(iter(template.panel[marker].detectors), marker)


def _place(template: Template, marker: str, edge: float | None) -> float | None:
    return None if edge is None else float(template.scale(marker).forward(edge))
