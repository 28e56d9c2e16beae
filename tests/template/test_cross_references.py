"""What a template may refer to."""

from __future__ import annotations

import pytest

from cytocar.tables.columns import COUNTS
from cytocar.template.cross_references import reference_faults


def test_every_number_of_counts_csv_may_be_held_against_a_limit() -> None:
    refused = [column.name for column in COUNTS if any(reference_faults({"acceptance": [{"check": column.name}]}))]
    assert refused == [column.name for column in COUNTS if column.type == "string"]


GATES: tuple[dict[str, object], ...] = (
    {"kind": "range", "marker": "X"},
    {"kind": "rectangle", "bounds": {"X": {"min": 1}}},
    {"kind": "polygon", "x": "CD3", "y": "X"},
    {"kind": "ellipse", "axes": ["CD3", "X"]},
    {"kind": "quadrant", "x": {"marker": "X"}, "y": {"marker": "CD3"}},
    {"kind": "quadrant", "axes": [{"marker": "X"}]},
    {"kind": "valley", "marker": "X"},
    {"kind": "reference", "marker": "X"},
    {"kind": "singlets", "area": "CD3", "height": "X"},
    {"kind": "singlets", "area": "X", "width": "CD3"},
    {"kind": "cluster", "x": "X", "y": "CD3"},
    {"kind": "cluster", "x": "CD3", "y": "CD3", "core": {"X": [1, 2]}},
)


@pytest.mark.parametrize("gate", GATES)
def test_every_kind_of_gate_is_held_to_the_markers_of_the_panel(gate: dict[str, object]) -> None:
    document = {"panel": {"CD3": {}}, "populations": [{"name": "p", "gate": gate}]}
    ((place, message),) = reference_faults(document)
    assert place[:3] == ("populations", 0, "gate")
    assert message == "no marker 'X' (there are: CD3)"
