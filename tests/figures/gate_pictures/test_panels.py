"""Pictures of a simulated tube."""

import zlib
from base64 import b64decode

import numpy as np
import pytest
from msgspec.structs import replace

import cytocar
from cytocar.fcs.events import EventTable
from cytocar.figures.gate_pictures.axis import CELLS, PictureAxis
from cytocar.figures.gate_pictures.panels import FEW_EVENTS, Picture, draw_gate_pictures
from cytocar.figures.gate_pictures.views import View, views
from cytocar.gates.walk import GatedSample, replay
from cytocar.regions.boxes import RangeGate
from cytocar.signals.marker import Marker
from cytocar.signals.scales import LinearScale
from cytocar.simulate import blood_tube
from cytocar.template.model import Compensation, Population, Template

ONE_GATE = Template(
    name="one",
    version="1.0.0",
    panel={"CD3": Marker(), "SSC-A": Marker()},
    compensation=Compensation(source="none"),
    scales={"default": LinearScale(T=1000.0)},
    populations=(Population(name="t_cells", gate=RangeGate(marker="CD3", min=500)),),
)
AXES = {marker: PictureAxis.of(marker, ONE_GATE.scale(marker), top=1000) for marker in ONE_GATE.panel}


def gated(events: EventTable, template: Template = ONE_GATE) -> GatedSample:
    return replay(events, template, cytocar.gate(events, template).fitted)


def table(cd3: list[float], ssc: list[float]) -> EventTable:
    return EventTable.from_columns({"CD3": cd3, "SSC-A": ssc})


def pixels(picture: Picture) -> np.ndarray:
    png = b64decode(picture.png)
    start = png.index(b"IDAT")
    length = int.from_bytes(png[start - 4 : start], "big")
    packed = np.frombuffer(zlib.decompress(png[start + 4 : start + 4 + length]), np.uint8)
    packed = packed.reshape(CELLS, 1 + CELLS // 2)[:, 1:]
    return np.stack([packed >> 4, packed & 15], axis=-1).reshape(CELLS, CELLS)


def test_few_events_are_drawn_one_by_one() -> None:
    (picture,) = draw_gate_pictures(gated(table([500.0, 980.0], [0.0, 490.0])), views(ONE_GATE), AXES).pictures
    assert (picture.events, picture.png) == (2, "")
    assert picture.dots == "m131 251h0m120-123h0"  # steps from dot to dot; the axis starts at -20


def test_many_events_become_a_density_whose_darkest_cell_is_the_densest() -> None:
    crowd, few = [250.0] * (FEW_EVENTS + 100), [900.0]
    (picture,) = draw_gate_pictures(gated(table(crowd + few, crowd + few)), views(ONE_GATE), AXES).pictures
    levels = pixels(picture)
    assert picture.events == FEW_EVENTS + 101
    assert sorted(levels[levels > 0].tolist()) == [1, 6]
    row, column = np.unravel_index(int(levels.argmax()), levels.shape)
    assert (int(column), int(row)) == (int(270 / 1020 * CELLS), CELLS - 1 - int(270 / 1020 * CELLS))


def test_the_picture_of_a_gate_shows_its_parents_events_without_those_set_aside() -> None:
    template = cytocar.load_template("cart-cd19fc")
    events = blood_tube(car_per_ul=100, seed=2).events
    populations = cytocar.gate(events, template)
    chosen = views(template)
    axes = {name: PictureAxis.of(name, template.scale(name), top=262_144) for view in chosen for name in view.markers}
    drawing = draw_gate_pictures(gated(events, template), chosen, axes, car="car_t")
    assert drawing.counts == {name: population.events for name, population in populations.items() if name != "all"}
    for view, picture in zip(chosen, drawing.pictures, strict=True):
        left = populations[view.parent].mask.copy()
        for aside in view.exclude:
            left &= ~populations[aside].mask
        assert picture.events == left.sum()
        assert [gate.population for gate in picture.gates] == list(view.populations)
        assert picture.car_dots.count("m") <= 30


def test_gates_that_share_events_and_axes_share_a_picture() -> None:
    shown = views(cytocar.load_template("cart-cd19fc-fixed"))
    assert View("t_cells", (), "CD4", "CD8", ("cd4", "cd8")) in shown
    assert [view for view in shown if view.car] == [View("t_cells", (), "CD3", "CAR", ("car_t",), car=True)]


def test_a_template_of_a_single_marker_is_shown_as_a_histogram() -> None:
    alone = replace(ONE_GATE, panel={"CD3": Marker()})
    (view,) = views(alone)
    assert view.y is None
    (picture,) = draw_gate_pictures(
        gated(EventTable.from_columns({"CD3": [1.0, 600.0]}), alone), (view,), AXES
    ).pictures
    assert picture.bars.startswith("M0 256V")
    assert len(picture.gates) == 1


def test_the_flow_of_a_file_with_a_clock_is_drawn_and_of_one_without_is_not() -> None:
    seconds = np.concatenate([np.linspace(0, 50, 500), np.linspace(50, 100, 2000)])
    columns = {"CD3": np.ones(2500), "SSC-A": np.ones(2500), "Time": seconds}
    events = EventTable.from_columns(columns, keywords={"$TIMESTEP": "0.5"})
    trace = draw_gate_pictures(gated(events), views(ONE_GATE), AXES).time
    assert trace is not None
    assert trace.seconds == pytest.approx(50)
    assert trace.unevenness > 1.5
    assert draw_gate_pictures(gated(table([1.0], [1.0])), views(ONE_GATE), AXES).time is None


@pytest.mark.filterwarnings("error")
def test_events_whose_time_is_no_number_are_left_out_of_the_flow() -> None:
    seconds = np.linspace(0, 100, 1000)
    seconds[[3, 500, 700]] = np.nan, np.inf, -np.inf
    columns = {"CD3": np.ones(1000), "SSC-A": np.ones(1000)}
    trace = draw_gate_pictures(gated(EventTable.from_columns({**columns, "Time": seconds})), views(ONE_GATE), AXES).time
    assert trace is not None
    assert trace.unevenness < 1.2
    lost = EventTable.from_columns({**columns, "Time": np.full(1000, np.nan)})
    assert draw_gate_pictures(gated(lost), views(ONE_GATE), AXES).time is None
