"""Outlines: the line that a reader sees is the border that events were judged by."""

import numpy as np
import pytest

from cytocar.figures.gate_pictures.axis import PictureAxis
from cytocar.figures.gate_pictures.outline import outline
from cytocar.regions.boolean import BooleanGate
from cytocar.regions.boxes import Bounds, Divider, QuadrantGate, RangeGate, RectangleGate
from cytocar.regions.ellipse import EllipseGate
from cytocar.regions.gate import BEYOND
from cytocar.regions.geometry import inside_polygon
from cytocar.regions.kinds import FixedGate
from cytocar.regions.polygon import PolygonGate
from cytocar.signals.scales import AnyScale, LinearScale, LogicleScale

SCALES: dict[str, AnyScale] = {"CD3": LogicleScale(), "SSC-A": LinearScale()}
X, Y = (PictureAxis.of(marker, scale, top=262_144) for marker, scale in SCALES.items())
GATES: list[FixedGate] = [
    RangeGate(marker="CD3", min=1200),
    RangeGate(marker="SSC-A", min=30_000, max=110_000),
    RectangleGate(bounds={"CD3": Bounds(max=5000), "SSC-A": Bounds(min=20_000)}),
    QuadrantGate(x=Divider(marker="CD3", at=900), y=Divider(marker="SSC-A", at=(20_000, 90_000)), keep=(1, 1)),
    PolygonGate(x="SSC-A", y="CD3", vertices=((10_000, -50), (150_000, 100), (90_000, 60_000))),
    PolygonGate(x="CD3", y="SSC-A", vertices=((0.2, 10_000), (0.8, 20_000), (0.5, 200_000)), units="scale"),
    EllipseGate(
        axes=("CD3", "SSC-A"),
        center=(0.5, 90_000),
        covariance=((0.01, 500.0), (500.0, 4e8)),
        distance_square=4,
    ),
]


@pytest.mark.parametrize("gate", GATES, ids=lambda gate: gate.kind)
def test_the_events_inside_the_line_are_the_events_of_the_gate(gate: FixedGate) -> None:
    assert not isinstance(gate, BooleanGate)
    random = np.random.default_rng(7)
    events = {
        "CD3": np.exp(random.uniform(3, 12, 4000)) * random.choice([1, 1, -0.01], 4000),
        "SSC-A": random.uniform(0, 262_000, 4000),
    }
    region = gate.placed(SCALES.__getitem__)
    inside = region.region.contains(*(events[marker] for marker in region.markers))
    drawn = outline("t_cells", gate, X, Y)
    assert drawn is not None
    seen = inside_polygon(drawn.corners, X.place(events["CD3"]), Y.place(events["SSC-A"]))
    assert inside.any()
    assert np.count_nonzero(seen != inside) <= 12  # an ellipse is drawn with 48 corners


def test_an_open_side_is_drawn_outside_the_picture() -> None:
    drawn = outline("t_cells", RangeGate(marker="CD3", min=1200), X, Y)
    assert drawn is not None
    assert drawn.corners[:, 0].max() == 1 + BEYOND
    assert drawn.corners[:, 1].tolist() == [-BEYOND, -BEYOND, 1 + BEYOND, 1 + BEYOND]


def test_a_gate_without_a_side_on_the_picture_has_no_line() -> None:
    assert outline("a", BooleanGate(all_of=("b",)), X, Y) is None
    assert outline("a", RangeGate(marker="CAR", min=1), X, Y) is None


def test_an_ellipsoid_throws_its_shadow_on_the_axes_that_are_shown() -> None:
    gate = EllipseGate(
        axes=("FSC-A", "CD3"),
        center=(0.5, 0.5),
        covariance=((0.01, 0.0), (0.0, 0.04)),
        distance_square=1,
    )
    drawn = outline("a", gate, X, Y)
    assert drawn is not None
    shown = X.place_on_scale([0.3, 0.7])
    assert (drawn.corners[:, 0].min(), drawn.corners[:, 0].max()) == pytest.approx(tuple(shown))
