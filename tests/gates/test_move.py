"""Gates moved by a person: numbers named as in gates.csv."""

from __future__ import annotations

import numpy as np
import pytest

from cytocar.errors.tree import UsageError
from cytocar.gates.decision import Decision, Source
from cytocar.gates.move import movable, move_gate
from cytocar.regions.boolean import BooleanGate
from cytocar.regions.boxes import Bounds, Divider, QuadrantGate, RangeGate, RectangleGate
from cytocar.regions.ellipse import EllipseGate
from cytocar.regions.kinds import FixedGate
from cytocar.regions.polygon import PolygonGate
from cytocar.signals.scales import AnyScale, LinearScale, LogicleScale


def linear(_marker: str) -> AnyScale:
    return LinearScale()


def logicle(_marker: str) -> AnyScale:
    return LogicleScale()


def rows(**values: float) -> list[Decision]:
    return [Decision("p", "cluster", name, value, Source.CLUSTER) for name, value in values.items()]


GATES: list[FixedGate] = [
    RangeGate(marker="CD3", min=1200),
    RangeGate(marker="CD3", min=100, max=1200),
    RangeGate(marker="CD3", max=0.5, units="scale"),
    RectangleGate(bounds={"CD3": Bounds(min=100), "CAR": Bounds(min=1, max=900)}),
    QuadrantGate(x=Divider(marker="CD4", at=1500), y=Divider(marker="CD8", at=2000), keep="+-"),
    PolygonGate(x="CD4", y="CD8", vertices=((1, 1), (100, 1), (100, 50))),
    EllipseGate(axes=("CD4", "CD8"), center=(0.5, 0.6), covariance=((0.1, 0.0), (0.0, 0.1)), distance_square=1),
]


@pytest.mark.parametrize("gate", GATES, ids=lambda gate: str(gate.kind))
def test_every_number_of_every_kind_can_be_replaced_and_the_others_stay(gate: FixedGate) -> None:
    before = {name: value for name, value in gate.numbers(logicle) if value is not None}
    for name, value in before.items():
        after = dict(move_gate(gate, {name: value * 1.01}, decisions=(), scale_of=logicle).numbers(logicle))
        assert after.keys() == before.keys()
        for other, was in before.items():
            wanted = was * 1.01 if other == name else was
            assert after[other] == pytest.approx(wanted, rel=1e-9), other


def test_a_threshold_is_the_one_bound_of_a_range() -> None:
    above = move_gate(GATES[0], {"threshold": 1350}, decisions=rows(threshold=1200), scale_of=linear)
    assert above == RangeGate(marker="CD3", min=1350)
    below = RangeGate(marker="7-AAD", max=900)
    assert move_gate(below, {"threshold": 800}, decisions=rows(threshold=900), scale_of=linear) == RangeGate(
        marker="7-AAD", max=800
    )


def test_a_cluster_moves_as_a_whole_on_its_log_scale() -> None:
    gate = GATES[5]
    shifted = move_gate(gate, {"center_CD4": 100}, decisions=rows(center_CD4=50, center_CD8=20), scale_of=linear)
    assert isinstance(shifted, PolygonGate)
    assert np.allclose(shifted.vertices, [(2, 1), (200, 1), (200, 50)])


def test_a_number_that_a_gate_does_not_have_is_refused_with_those_that_it_has() -> None:
    with pytest.raises(UsageError, match="has no number 'CD4 min'") as error:
        move_gate(GATES[0], {"CD4 min": 1}, decisions=(), scale_of=linear)
    assert "CD3 min" in error.value.hint
    boolean = BooleanGate(all_of=("cd4",))
    assert movable(boolean, (), linear) == ()
    with pytest.raises(UsageError, match="has no number"):
        move_gate(boolean, {"x": 1}, decisions=(), scale_of=linear)


def test_a_value_that_turns_a_gate_inside_out_is_refused() -> None:
    with pytest.raises(UsageError, match="must be below max"):
        move_gate(GATES[1], {"CD3 min": 5000}, decisions=(), scale_of=linear)
