"""A place on a picture and a number of a gate are the same thing, both ways."""

from __future__ import annotations

import pytest

from cytocar.errors.tree import UsageError
from cytocar.figures.gate_pictures.axis import PictureAxis
from cytocar.figures.gate_pictures.views import View
from cytocar.gates.move import move_gate
from cytocar.regions.boxes import RangeGate, RectangleGate
from cytocar.regions.ellipse import EllipseGate
from cytocar.regions.kinds import FixedGate
from cytocar.regions.polygon import PolygonGate
from cytocar.review.handles import GateField, Handle, changed, dragged, handles
from cytocar.signals.declaration import declare
from cytocar.signals.scales import AnyScale, LinearScale, LogicleScale

LOGICLE = LogicleScale(T=262144, W=0.5, M=4.5, A=0)
SCALES: dict[str, AnyScale] = {"CD3": LOGICLE, "CD4": LOGICLE, "SSC-A": LinearScale()}
AXES = {name: PictureAxis.of(name, scale, top=262144) for name, scale in SCALES.items()}
VIEW = View("all", (), "CD3", "SSC-A", ("gate",))
SQUARE = PolygonGate(
    x="CD3",
    y="SSC-A",
    vertices=((1000.0, 50000.0), (20000.0, 50000.0), (20000.0, 150000.0), (1000.0, 150000.0)),
)


def of(gate: FixedGate, values: dict[str, float], view: View = VIEW) -> tuple[Handle, ...]:
    return handles(gate, values, view, AXES)


def corners() -> dict[str, float]:
    return {
        f"{marker} corner {number}": value
        for number, vertex in enumerate(SQUARE.vertices, start=1)
        for marker, value in zip(("CD3", "SSC-A"), vertex, strict=True)
    }


@pytest.mark.parametrize("value", [-300.0, 0.0, 12.0, 866.0, 30000.0])
def test_a_handle_left_where_it_is_gives_its_own_number_back(value: float) -> None:
    (edge,) = of(RangeGate(marker="CD3", min=value), {"threshold": value})
    assert (edge.x_name, edge.y) == ("threshold", None)
    text = dragged(edge, (edge.x or 0.0, 0.9), {}, VIEW, AXES)["threshold"]
    assert float(text) == pytest.approx(value, rel=2e-3, abs=0.6)


def test_an_edge_moves_along_its_own_axis_and_not_beyond_the_ends() -> None:
    (edge,) = of(RangeGate(marker="CD3", min=900), {"CD3 min": 900.0})
    right = float(dragged(edge, (0.9, 0.1), {}, VIEW, AXES)["CD3 min"])
    assert right > 900
    assert dragged(edge, (7.0, 0.1), {}, VIEW, AXES) == dragged(edge, (1.0, 0.9), {}, VIEW, AXES)
    assert float(dragged(edge, (1.0, 0.5), {}, VIEW, AXES)["CD3 min"]) == pytest.approx(262144, rel=1e-3)


def test_a_box_has_an_edge_for_each_bound_that_the_picture_shows() -> None:
    box = declare(
        RectangleGate,
        {"kind": "rectangle", "bounds": {"CD3": {"min": 900}, "SSC-A": {"max": 90000}, "CD4": {"min": 5}}},
    )
    values = {"CD3 min": 900.0, "SSC-A max": 90000.0, "CD4 min": 5.0}
    found = of(box, values)
    assert [(one.x_name, one.y_name) for one in found] == [("CD3 min", None), (None, "SSC-A max")]


def test_a_gate_on_another_axis_has_nothing_to_take_hold_of() -> None:
    assert of(RangeGate(marker="CD4", min=900), {"CD4 min": 900.0}) == ()


def test_a_corner_moves_alone_and_the_whole_polygon_together() -> None:
    found = of(SQUARE, corners())
    assert [one.id for one in found] == [*(f"point CD3 corner {number}" for number in range(1, 5)), "whole"]
    one = dragged(found[0], (0.5, 0.5), corners(), VIEW, AXES)
    assert set(one) == {"CD3 corner 1", "SSC-A corner 1"}
    whole = found[-1]
    all_of_it = dragged(whole, (whole.x or 0, (whole.y or 0) + 0.1), corners(), VIEW, AXES)
    assert set(all_of_it) == set(corners())
    gate = move_gate(SQUARE, {name: float(text) for name, text in all_of_it.items()}, decisions=(), scale_of=SCALES.get)  # type: ignore[arg-type]
    assert isinstance(gate, PolygonGate)
    for (x, y), (was_x, was_y) in zip(gate.vertices, SQUARE.vertices, strict=True):
        assert x == pytest.approx(was_x, rel=1e-4)
        assert y - was_y == pytest.approx(0.1 * 1.02 * 262144, rel=1e-3)


def test_an_ellipse_is_taken_at_its_center() -> None:
    ellipse = EllipseGate(
        axes=("CD3", "SSC-A"),
        center=(0.5, 80000.0),
        covariance=((0.01, 0.0), (0.0, 1e8)),
        distance_square=4,
    )
    values = {"CD3 center": 800.0, "SSC-A center": 80000.0, "distance_square": 4.0}
    (center,) = of(ellipse, values)
    assert (center.x_name, center.y_name) == ("CD3 center", "SSC-A center")


def test_only_what_was_typed_anew_is_a_change() -> None:
    known = (GateField("CD3 min", "866.156", False, None), GateField("CD3 max", "9000", False, None))
    assert changed(known, {"CD3 min": "866.156", "CD3 max": " 8000 "}) == {"CD3 max": 8000.0}
    assert changed(known, {"CD3 min": "−12"}) == {"CD3 min": -12.0}
    with pytest.raises(UsageError, match=r"'1500,5' is written with a decimal comma: write 1500\.5"):
        changed(known, {"CD3 min": "1500,5"})
    for text in ("", "1,5", "inf", "nan", "8e999"):
        with pytest.raises(UsageError):
            changed(known, {"CD3 min": text})
