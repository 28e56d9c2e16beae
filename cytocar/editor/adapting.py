"""A gate that is fixed made one that adapts, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cytocar.editor.stage import GateTable
from cytocar.errors.tree import UsageError
from cytocar.regions.boxes import RangeGate, RectangleGate
from cytocar.regions.kinds import FixedGate
from cytocar.regions.polygon import PolygonGate
from cytocar.review.handles import CORNER_DIGITS, EDGE_DIGITS, as_text
from cytocar.template.gate_kinds import Gate

WIDENED = 2.5
"""How far the window of a new adaptive gate reaches, as a factor below and above its line: as `template fit` has it
from one file."""


def switched(gate: Gate, fitted: FixedGate | None, panel: Sequence[str]) -> GateTable:
    """Return a fixed gate as one that adapts, or an adaptive one as the fixed gate that it is on a file.

    Parameters
    ----------
    fitted : FixedGate, optional
        The gate as it lies on the file that is looked at.
    panel : sequence of str
        The markers of the template.

    Raises
    ------
    UsageError
        E221 if the gate has no other form.
    """
    if not isinstance(gate, FixedGate):
        if fitted is None:
            raise UsageError("the gate lies on no file", code="E221", hint="open a file that has its channels")
        return _rounded(fitted.beyond_defaults())
    if isinstance(gate, RangeGate) and (gate.min is None) != (gate.max is None) and gate.units == "data":
        keep, at = ("above", gate.min) if gate.min is not None else ("below", gate.max)
        return {"kind": "valley", "marker": gate.marker, "keep": keep, **_around(at or 0.0)}
    measures = [marker.casefold() for marker in gate.markers()]
    if isinstance(gate, PolygonGate | RectangleGate) and len(measures) == 2:
        pulses = {marker.casefold()[-2:]: marker for marker in gate.markers()}
        area, other = pulses.get("-a"), pulses.get("-h") or pulses.get("-w")
        if area and other and area in panel and {name[:3] for name in measures} in ({"fsc"}, {"ssc"}):
            measure = "height" if other.casefold().endswith("-h") else "width"
            return {"kind": "singlets", "area": area, measure: other}
    raise UsageError(
        f"a {gate.kind} gate like this has no adaptive form",
        code="E221",
        hint="a range with one open side becomes a valley; a polygon or rectangle on FSC-A and FSC-H becomes singlets",
    )


def _around(at: float) -> dict[str, Any]:
    reach = abs(at) * (WIDENED - 1) or 1.0
    ends = (at / WIDENED, at * WIDENED) if at > 0 else (at - reach, at + reach)
    return {"fallback": at, "window": [float(as_text(end, EDGE_DIGITS)) for end in ends]}


def _rounded(table: GateTable) -> GateTable:
    """Return a gate of a file with numbers as a person would write them."""

    def plain(value: Any) -> Any:
        if isinstance(value, float):
            return float(as_text(value, CORNER_DIGITS))
        if isinstance(value, list):
            return [plain(one) for one in value]
        return {key: plain(one) for key, one in value.items()} if isinstance(value, dict) else value

    rounded: GateTable = plain(table)
    return rounded
