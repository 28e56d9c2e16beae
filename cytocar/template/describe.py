"""Gates in words, for people who read a template on a screen or in a report."""

from __future__ import annotations

from cytocar.template.gate_kinds import (
    BooleanGate,
    ClusterGate,
    Divider,
    EllipseGate,
    Gate,
    PolygonGate,
    QuadrantGate,
    RangeGate,
    RectangleGate,
    ReferenceGate,
    SingletsGate,
    ValleyGate,
)


def bounds_in_words(marker: str, low: float | None, high: float | None) -> str:
    """Return a range as people write it.

    Examples
    --------
    >>> bounds_in_words("CD3", 1200, None), bounds_in_words("CD3", 1, 2)
    ('CD3 from 1200', 'CD3 from 1 to below 2')
    """
    if low is None and high is None:
        return f"any {marker}"
    if high is None:
        return f"{marker} from {low:g}"
    return f"{marker} below {high:g}" if low is None else f"{marker} from {low:g} to below {high:g}"


def _divider(divider: Divider) -> str:
    values = divider.at if isinstance(divider.at, tuple) else (divider.at,)
    return f"{divider.marker} at {', '.join(f'{value:g}' for value in values)}"


def _boolean(gate: BooleanGate) -> str:
    parts = [
        f"{words} {', '.join(names)}"
        for words, names in (("in all of", gate.all_of), ("in any of", gate.any_of), ("in none of", gate.none_of))
        if names
    ]
    return " and ".join(parts)


def gate_in_words(gate: Gate) -> str:  # noqa: PLR0911 -- one line per kind of gate
    """Return what a gate keeps, in one line."""
    match gate:
        case RangeGate():
            return bounds_in_words(gate.marker, gate.min, gate.max)
        case RectangleGate():
            return ", ".join(bounds_in_words(marker, side.min, side.max) for marker, side in gate.bounds.items())
        case PolygonGate():
            return f"polygon of {len(gate.vertices)} corners on {gate.x} and {gate.y}"
        case EllipseGate():
            return f"ellipse on {', '.join(gate.axes)}"
        case QuadrantGate():
            axes = gate.axes or tuple(axis for axis in (gate.x, gate.y) if axis is not None)
            return f"quadrant {gate.keep} of {' and '.join(map(_divider, axes))}"
        case BooleanGate():
            return _boolean(gate)
        case ValleyGate():
            low, high = gate.window
            return f"{gate.marker} {gate.keep} the valley in {low:g}-{high:g} (else {gate.fallback:g})"
        case ReferenceGate():
            low, high = gate.window
            return f"{gate.marker} above the controls' threshold in {low:g}-{high:g} (else {gate.fallback:g})"
        case SingletsGate():
            return f"single events by {gate.area} and {gate.height or gate.width}"
        case ClusterGate():
            return f"cluster near {gate.near[0]:g}, {gate.near[1]:g} on {gate.x} and {gate.y}"
