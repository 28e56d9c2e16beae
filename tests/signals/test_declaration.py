"""A table that is no declaration is refused with every fault at once, each at its key."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pytest

from cytocar.regions.boxes import Bounds, QuadrantGate, RangeGate
from cytocar.regions.polygon import PolygonGate
from cytocar.signals.declaration import Declaration, NotDeclaredError, declare
from cytocar.signals.marker import Marker
from cytocar.signals.scales import LogicleScale
from cytocar.template.model import Population, Uncertainty

CORNER = {"x": {"marker": "CD4", "at": 1}, "y": {"marker": "CD8", "at": [1, 2]}}


@pytest.mark.parametrize(
    ("kind", "table", "faults"),
    [
        (Bounds, {"min": 2, "max": 1}, ["min (2) must be below max (1)"]),
        (
            Bounds,
            {"min": "2", "mx": 1},
            ["min: must be a number, not the text '2'", "mx: unknown key, did you mean 'max'?"],
        ),
        (Bounds, {"min": math.nan, "max": 10**400}, ["min: must be a finite number, not nan", "max: must be a finite"]),
        (Marker, {"aliases": "CD3"}, ["aliases: must be a list in [ ], not the text 'CD3'"]),
        (Marker, {"ratio": {"numerator": "A", "denominator": "B", "A": 0}}, ["ratio: A must not be 0"]),
        (RangeGate, {}, ["marker: is missing"]),
        (QuadrantGate, {**CORNER, "keep": "+"}, ['keep: must be "--", "-+", "+-" or "++", or a list']),
        (QuadrantGate, {**CORNER, "keep": [0, 3]}, ["keep says interval 3 on 'CD8', which has 0 to 2"]),
        (QuadrantGate, {"x": {"marker": "CD4", "at": [2, 1]}, "keep": []}, ["x: the values of at must rise"]),
        (LogicleScale, {"W": 3, "T": -1}, ["T: must be above 0, not -1"]),
        (LogicleScale, {"W": 3}, ["W (3) must not be above M / 2 (2.25); A (0) must lie between -W and M - 2 W"]),
        (Population, {"name": "p", "gate": {"kind": "rnge"}}, ["gate: unknown kind 'rnge', did you mean 'range'?"]),
        (Population, {"name": "p", "gate": {}}, ["gate: needs a kind (kinds: range, "]),
        (Uncertainty, {"components": {"beads": 5}}, ["components.beads: must be below 1, not 5; 5 % is written 0.05"]),
    ],
)
def test_every_fault_is_told_at_its_key(kind: type[Declaration], table: Mapping[str, Any], faults: list[str]) -> None:
    with pytest.raises(NotDeclaredError) as refused:
        declare(kind, table)
    told = [str(fault) for fault in refused.value.faults]
    assert len(told) == len(faults)
    assert all(one.startswith(start) for one, start in zip(told, faults, strict=True)), told


def test_a_table_and_a_declaration_that_it_makes_are_read_alike() -> None:
    gate = declare(RangeGate, {"kind": "range", "marker": "CD3", "min": 1200})
    table = {"name": "t_cells", "gate": gate.beyond_defaults()}
    assert declare(Population, table) == declare(Population, {"name": "t_cells", "gate": gate})
    assert table["gate"] == {"kind": "range", "marker": "CD3", "min": 1200.0}


def test_a_value_that_a_declaration_alone_refuses_is_refused_in_code_too() -> None:
    with pytest.raises(ValueError, match=r"min \(2\) must be below max"):
        Bounds(min=2, max=1)


def test_places_of_lists_are_counted_from_one() -> None:
    with pytest.raises(NotDeclaredError, match=r"vertices\[2\]: needs at least 2 numbers"):
        declare(PolygonGate, {"x": "A", "y": "B", "vertices": [[0, 0], [1], [1, 1]]})
