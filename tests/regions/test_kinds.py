"""The contract of the registry: whatever kind a fixed gate is, it can do all of this."""

from __future__ import annotations

from typing import get_args

import numpy as np
import numpy.typing as npt
import pytest

from cytocar.figures.gate_pictures.axis import PictureAxis
from cytocar.regions.boolean import BooleanGate
from cytocar.regions.boxes import Bounds, Divider, QuadrantGate, RangeGate, RectangleGate
from cytocar.regions.ellipse import EllipseGate
from cytocar.regions.geometry import inside_polygon
from cytocar.regions.kinds import FixedGate, RegionGate
from cytocar.regions.polygon import PolygonGate
from cytocar.signals.scales import AnyScale, LinearScale, LogicleScale

SCALES: dict[str, AnyScale] = {"CD3": LogicleScale(), "SSC-A": LinearScale()}
EVENTS = 3000
REGIONS: list[RegionGate] = [
    RangeGate(marker="CD3", min=1200),
    RangeGate(marker="CD3", min=0.3, max=0.7, units="scale"),
    RectangleGate(bounds={"CD3": Bounds(max=5000), "SSC-A": Bounds(min=20_000)}),
    QuadrantGate(x=Divider(marker="CD3", at=900), y=Divider(marker="SSC-A", at=90_000), keep="+-"),
    PolygonGate(x="CD3", y="SSC-A", vertices=((-50, 10_000), (50_000, 20_000), (900, 200_000))),
    PolygonGate(x="SSC-A", y="CD3", vertices=((9000, 0.2), (2e5, 0.3), (9e4, 0.9)), units="scale"),
    EllipseGate(
        axes=("CD3", "SSC-A"),
        center=(0.5, 90_000),
        covariance=((0.01, 500.0), (500.0, 4e8)),
        distance_square=4,
    ),
]
EVERY: list[FixedGate] = [*REGIONS, BooleanGate(all_of=("t_cells",), none_of=("beads", "debris"))]


def events() -> dict[str, npt.NDArray[np.float64]]:
    """Return signals of both signs over all of both axes."""
    rng = np.random.default_rng(11)
    cd3 = np.exp(rng.uniform(3, 12, EVENTS)) * rng.choice([1, 1, -0.01], EVENTS)
    return {"CD3": cd3, "SSC-A": rng.uniform(0, 262_000, EVENTS)}


def members(gate: RegionGate) -> npt.NDArray[np.bool_]:
    signals = events()
    placed = gate.placed(SCALES.__getitem__)
    return placed.region.contains(*(signals[marker] for marker in placed.markers))


def on_scale(gate: RegionGate) -> dict[str, npt.NDArray[np.float64]]:
    """Return the events on the scales of a gate's own numbers: its axes' scales, or data units."""
    signals = events()
    scaled = getattr(gate, "units", "scale") == "scale"
    return {name: SCALES[name].forward(values) if scaled else values for name, values in signals.items()}


def expected(gate: RegionGate) -> npt.NDArray[np.bool_]:
    """Return the members by the definition of each kind, event by event on the scale, without bitmaps or edges."""
    places = on_scale(gate)
    if isinstance(gate, PolygonGate):
        scales = [SCALES[marker] for marker in gate.markers()]
        corners = np.array(gate.vertices)
        if gate.units == "data":
            corners = np.column_stack([scale.unbounded(corners[:, at]) for at, scale in enumerate(scales)])
        signals = events()
        x, y = (scale.forward(signals[marker]) for scale, marker in zip(scales, gate.markers(), strict=True))
        return inside_polygon(corners, x, y)
    if isinstance(gate, EllipseGate):
        away = np.column_stack([places[axis] for axis in gate.axes]) - np.array(gate.center)
        distance = np.einsum("ni,ij,nj->n", away, np.linalg.inv(gate.covariance), away)
        return np.asarray(distance <= gate.distance_square)
    inside = np.ones(EVENTS, dtype=np.bool_)
    for marker, (low, high) in gate.sides().items():
        inside &= (places[marker] >= (-np.inf if low is None else low)) & (
            places[marker] < (np.inf if high is None else high)
        )
    return inside


def test_every_kind_that_a_template_can_declare_is_under_this_contract() -> None:
    lacking = set(get_args(FixedGate)) - {type(gate) for gate in EVERY}
    assert lacking == set(), "give one of each in REGIONS, and its definition in expected()"


@pytest.mark.parametrize("gate", REGIONS, ids=lambda gate: str(gate.kind))
def test_a_gate_holds_the_events_that_its_definition_holds(gate: RegionGate) -> None:
    assert 0 < np.count_nonzero(members(gate)) < EVENTS
    np.testing.assert_array_equal(members(gate), expected(gate))


@pytest.mark.parametrize("gate", EVERY, ids=lambda gate: str(gate.kind))
def test_a_copy_with_its_own_numbers_is_the_same_gate(gate: FixedGate) -> None:
    own = {name: value for name, value in gate.numbers(SCALES.__getitem__) if value is not None}
    for replaced in ({}, own):
        copy = gate.with_numbers(replaced, {}, SCALES.__getitem__)
        assert dict(copy.numbers(SCALES.__getitem__)).keys() == dict(gate.numbers(SCALES.__getitem__)).keys()
        again = {name: value for name, value in copy.numbers(SCALES.__getitem__) if value is not None}
        assert again == pytest.approx(own, rel=1e-9)
        if not isinstance(gate, BooleanGate) and not isinstance(copy, BooleanGate):
            # A number that goes to data units and back may pass an event that lies on the edge to a rounding error.
            assert np.count_nonzero(members(copy) != members(gate)) <= 1


@pytest.mark.parametrize("gate", REGIONS, ids=lambda gate: str(gate.kind))
def test_the_outline_encloses_the_members(gate: RegionGate) -> None:
    x, y = (PictureAxis.of(marker, scale, top=262_144) for marker, scale in SCALES.items())
    corners = gate.outline(x, y)
    assert corners is not None
    signals = events()
    seen = inside_polygon(corners, x.place(signals["CD3"]), y.place(signals["SSC-A"]))
    # An ellipse is drawn with 48 corners, a data-unit polygon with straight lines; edges of 3,000 events stay few.
    assert np.count_nonzero(seen != members(gate)) <= EVENTS * 0.004


@pytest.mark.parametrize("gate", EVERY, ids=lambda gate: str(gate.kind))
def test_a_gate_has_words_that_name_what_it_looks_at(gate: FixedGate) -> None:
    for name in (*gate.markers(), *gate.references()):
        assert name in gate.words()


@pytest.mark.parametrize("gate", EVERY, ids=lambda gate: str(gate.kind))
def test_other_panel_entries_go_there_and_back(gate: FixedGate) -> None:
    there = gate.with_markers(lambda marker: f"{marker}'")
    assert there.markers() == tuple(f"{marker}'" for marker in gate.markers())
    assert there.with_markers(lambda marker: marker.removesuffix("'")) == gate
