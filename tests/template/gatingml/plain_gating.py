"""Gating as the standard puts it, without any of our shortcuts: transform every event, then compare.

An oracle for the tests: whole columns, matrices inverted by NumPy, polygons by flowutils.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from flowutils.gating import points_in_polygon

from cytocar.fcs.events import EventTable
from cytocar.regions.boolean import BooleanGate
from cytocar.regions.boxes import Bounds, QuadrantGate, RangeGate, RectangleGate
from cytocar.regions.ellipse import EllipseGate
from cytocar.regions.kinds import FixedGate
from cytocar.regions.polygon import PolygonGate
from cytocar.template.model import Template
from tests.template.gatingml.documents import PANEL, SPECTRA

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


def signals(events: EventTable) -> dict[str, Floats]:
    """Return every axis of the tests' panel."""
    fitc, pe, apc = (events.column(name) for name in ("FITC-A", "PE-A", "APC-A"))
    spillover = np.array([[1, 0.2, 0.01], [0.05, 1, 0.02], [0, 0.1, 1]])
    compensated = np.linalg.solve(spillover.T, np.vstack([fitc, pe, apc]))
    unmixed = np.linalg.lstsq(np.array(SPECTRA.values).T, np.vstack([fitc, pe, apc]), rcond=None)[0]
    axes = {
        "FSC-A": events.column("FSC-A"),
        "CD3": compensated[0],
        "CAR": compensated[1],
        "raw PE": pe,
        "FITC dye": unmixed[0],
    }
    for name, marker in PANEL.items():
        if (ratio := marker.ratio) is not None:
            with np.errstate(divide="ignore", invalid="ignore"):
                axes[name] = ratio.A * (axes[ratio.numerator] - ratio.B) / (axes[ratio.denominator] - ratio.C)
    return axes


def masks(template: Template, events: EventTable) -> dict[str, Bools]:
    """Return which events are in each population."""
    axes = signals(events)
    found: dict[str, Bools] = {"all": np.ones(events.n_events, dtype=np.bool_)}
    for population in template.populations:
        inside = found[population.parent].copy()
        for other in population.exclude:
            inside &= ~found[other]
        found[population.name] = inside & _region(population.gate, template, axes, found)
    return found


def _region(gate: object, template: Template, axes: dict[str, Floats], found: dict[str, Bools]) -> Bools:
    assert isinstance(gate, FixedGate)

    def on_scale(marker: str) -> Floats:
        return template.scale(marker).forward(axes[marker])

    with np.errstate(invalid="ignore"):
        match gate:
            case RangeGate(marker=marker, min=low, max=high):
                return _between({marker: Bounds(min=low, max=high)}, gate.units, axes, on_scale)
            case RectangleGate(bounds=bounds):
                return _between(bounds, gate.units, axes, on_scale)
            case QuadrantGate():
                bounds = {marker: Bounds(min=low, max=high) for marker, (low, high) in gate.sides().items()}
                return _between(bounds, gate.units, axes, on_scale)
            case PolygonGate(x=x, y=y):
                corners = np.array(gate.vertices)
                if gate.units == "data":
                    for column, marker in enumerate((x, y)):
                        corners[:, column] = template.scale(marker).unbounded(corners[:, column])
                points = np.column_stack([on_scale(x), on_scale(y)])
                finite = np.isfinite(points).all(axis=1) & np.isfinite(axes[x]) & np.isfinite(axes[y])
                inside = np.zeros(len(points), dtype=np.bool_)
                if np.isfinite(corners).all():
                    inside[finite] = points_in_polygon(corners, points[finite])
                return inside
            case EllipseGate(axes=markers):
                away = np.column_stack([on_scale(marker) for marker in markers]) - np.array(gate.center)
                distance = np.einsum("ni,ij,nj->n", away, np.linalg.inv(np.array(gate.covariance)), away)
                return np.asarray((distance <= gate.distance_square) & np.isfinite(distance))
            case BooleanGate(all_of=every, any_of=some, none_of=none):
                inside = np.ones_like(found["all"])
                for name in every:
                    inside &= found[name]
                for name in none:
                    inside &= ~found[name]
                if some:
                    inside &= np.logical_or.reduce([found[name] for name in some])
                return inside


def _between(bounds: dict[str, Bounds], units: str, axes: dict[str, Floats], on_scale: object) -> Bools:
    assert callable(on_scale)
    inside = np.ones_like(next(iter(axes.values())), dtype=np.bool_)
    for marker, side in bounds.items():
        values = on_scale(marker) if units == "scale" else axes[marker]
        inside &= np.isfinite(values) & np.isfinite(axes[marker])
        if side.min is not None:
            inside &= values >= side.min
        if side.max is not None:
            inside &= values < side.max
    return inside
