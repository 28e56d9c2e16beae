"""``cytocar.plot``: channels by any of their names, gates as a run places them, several files as a grid."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import cytocar
from cytocar.errors.tree import PanelError, UsageError
from cytocar.fcs.events import EventTable
from cytocar.figures.events import compensated_signal, find_channel
from cytocar.simulate import Preparation, blood_tube


@pytest.fixture(scope="module")
def events() -> EventTable:
    """A small tube."""
    small = Preparation(sample_volume_ul=50, drawn_share=0.05)
    return blood_tube(car_per_ul=300, preparation=small, seed=2).events


@pytest.mark.parametrize(
    ("name", "detector"), [("FITC-A", "FITC-A"), ("CD3", "FITC-A"), ("CAR", "PE-A"), ("viability", "PerCP-Cy5-5-A")]
)
def test_a_channel_goes_by_detector_label_or_marker(events: EventTable, name: str, detector: str) -> None:
    assert find_channel(events, name).detector == detector


def test_a_name_of_no_channel_is_an_error_with_the_list(events: EventTable) -> None:
    with pytest.raises(PanelError, match="FITC-A") as caught:
        find_channel(events, "CD99")
    assert caught.value.code == "E211"


def test_each_file_has_a_panel_and_the_axes_name_marker_and_detector(events: EventTable) -> None:
    figure = cytocar.plot([events, events], "CD4", "CD8")
    assert len(figure.axes) == 2
    assert figure.axes[0].get_xlabel() == "CD4 (V450-A)"


def test_signals_are_those_that_gates_see(events: EventTable) -> None:
    populations = cytocar.gate(events, cytocar.load_template("cart-cd19fc"))
    for marker in ("CD3", "CAR", "SSC-A"):
        np.testing.assert_allclose(
            compensated_signal(events, marker), populations.values("all", marker), rtol=1e-6, atol=1e-3
        )


def test_a_gate_is_drawn_on_its_parents_events_with_its_count(events: EventTable) -> None:
    figure = cytocar.plot(events, template="cart-cd19fc", population="t_cells")
    counted = cytocar.gate(events, cytocar.load_template("cart-cd19fc"))["t_cells"].events
    assert f"t_cells {counted:,}" in figure.axes[0].get_title(loc="left")
    assert figure.axes[0].lines


def test_what_cannot_be_drawn_is_said(events: EventTable) -> None:
    for options in (
        {"x": "CD3"},
        {"template": "cart-cd19fc", "population": "cd4"},
        {"template": "cart-cd19fc", "population": "t-cells"},
        {"x": "CD3", "y": "CD4", "out": "a.jpg"},
    ):
        with pytest.raises(UsageError) as caught:
            cytocar.plot(events, **options)
        assert caught.value.code == "E210"


def test_a_picture_has_the_same_bytes_each_time(events: EventTable, tmp_path: Path) -> None:
    for name in ("a.svg", "b.svg"):
        cytocar.plot(events, "CD3", "SSC-A", out=tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_populations_and_results_are_tables_in_notebooks(events: EventTable) -> None:
    populations = cytocar.gate(events, cytocar.load_template("cart-cd19fc"))
    html = populations._repr_html_()
    assert f"<td>t_cells</td><td>bright_cd45</td><td>{populations['t_cells'].events:,}</td>" in html
    result = cytocar.quantify(events, cytocar.load_template("cart-cd19fc"), beads_added=20_000, sample_volume_ul=50)
    assert "<th>car_per_ul</th>" in result._repr_html_()
    assert np.isfinite(float(result.row()["car_per_ul"] or "nan"))
