"""The registry of fixed gates: every kind that a template can declare with numbers of its own."""

from __future__ import annotations

from cytocar.regions.boolean import BooleanGate
from cytocar.regions.boxes import QuadrantGate, RangeGate, RectangleGate
from cytocar.regions.ellipse import EllipseGate
from cytocar.regions.polygon import PolygonGate

RegionGate = RangeGate | RectangleGate | PolygonGate | EllipseGate | QuadrantGate
FixedGate = RegionGate | BooleanGate
