"""Whole tubes: what happens to beads and to the flow does not change what is counted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cytocar.errors.findings import Severity
from cytocar.gates.walk import walk
from cytocar.sample.analysis import quantify
from cytocar.simulate import Preparation, blood_tube
from cytocar.template.load import load_template

TEMPLATE = load_template("cart-cd19fc")


def test_pairs_of_beads_count_as_two() -> None:
    preparation = Preparation(sample_volume_ul=20, bead_doublet_share=0.20)
    tube = blood_tube(car_per_ul=100, preparation=preparation, seed=3)
    result = quantify(tube.events, TEMPLATE, beads_added=20_000, sample_volume_ul=20)
    t_cells = result.population("t_cells")
    assert t_cells is not None
    assert t_cells.per_ul.value == pytest.approx(tube.truth.cells_per_ul["t_cells"], rel=0.04)
    assert "BEAD_DOUBLETS" in {finding.code for finding in result.findings}


@pytest.mark.parametrize("method", ["beads", "volumetric"])
def test_a_clog_of_a_tenth_of_the_events_leaves_counts_right(method: str) -> None:
    tube = blood_tube(car_per_ul=100, preparation=Preparation(sample_volume_ul=20), seed=3)
    n = len(tube.origin)
    inside = (np.arange(n) > 0.4 * n) & (np.arange(n) < 0.5 * n)
    steps = np.diff(tube.columns["Time"], prepend=0)
    columns = {name: column * np.where(inside, 0.7, 1.0) for name, column in tube.columns.items()}
    columns["Time"] = np.cumsum(np.where(inside, 8 * steps, steps))
    clogged = type(tube.events).from_columns(columns, markers=tube.markers, keywords=tube.keywords)
    numbers = {
        "beads": {"beads_added": 20_000, "sample_volume_ul": 20},
        "volumetric": {"acquired_volume_ul": tube.drawn.acquired_volume_ul, "dilution_factor": 500 / 20},
    }[method]
    clean = quantify(tube.events, TEMPLATE, count_method=method, **numbers)  # type: ignore[arg-type]  # all are numbers
    cut = quantify(clogged, TEMPLATE, count_method=method, **numbers)  # type: ignore[arg-type]  # all are numbers
    assert "W282" in {finding.code for finding in cut.findings}
    for name in ("t_cells", "car_t"):
        before, after = clean.population(name), cut.population(name)
        assert before is not None
        assert after is not None
        assert after.events < 0.92 * before.events
        # The kept nine tenths are a draw from all: cells and beads each vary by a tenth of their Poisson noise squared.
        noise = np.sqrt(0.12 / before.events + (0.12 / 18_000 if method == "beads" else 0))
        assert after.per_ul.value == pytest.approx(before.per_ul.value, rel=4 * noise)


@pytest.mark.parametrize(("share", "outcome"), [(0.3, Severity.NOTE), (0.02, Severity.REVIEW)])
def test_few_t_cells_without_a_car_t_cell_ask_for_a_look_where_the_limit_is_far_from_the_aim(
    share: float, outcome: Severity
) -> None:
    preparation = Preparation(sample_volume_ul=50, drawn_share=share)
    tube = blood_tube(car_per_ul=0, preparation=preparation, seed=3)
    result = quantify(tube.events, TEMPLATE, beads_added=50_000, sample_volume_ul=50)
    (said,) = (finding for finding in result.findings if finding.code == "W222")
    assert said.outcome is outcome


def test_a_result_shows_itself_in_one_line_and_a_templates_name_is_no_template() -> None:
    tube = blood_tube(car_per_ul=100, preparation=Preparation(sample_volume_ul=20), seed=3)
    result = quantify(tube.events, TEMPLATE, beads_added=20_000, sample_volume_ul=20, sample_id="d9")
    number = result.row()["car_report"]
    assert repr(result) == f"<SampleResult d9: ok, CAR-T {number}/µL, {tube.events.n_events:,} events>"
    with pytest.raises(TypeError, match=r"load_template\('cart-cd19fc'\)"):
        quantify(tube.events, "cart-cd19fc")  # type: ignore[arg-type]  # as somebody may try


def test_a_files_name_is_no_events_and_text_no_number() -> None:
    tube = blood_tube(car_per_ul=100, preparation=Preparation(drawn_share=0.02), seed=3)
    with pytest.raises(TypeError, match=r"open_fcs\('day9.fcs'\)"):
        quantify("day9.fcs", TEMPLATE)  # type: ignore[arg-type]  # as somebody may try
    with pytest.raises(TypeError, match=r"load_template\('cart-cd19fc'\)"):
        walk(tube.events, "cart-cd19fc")  # type: ignore[arg-type]  # as somebody may try
    with pytest.raises(TypeError, match="a number is needed, not the text '20000'"):
        quantify(tube.events, TEMPLATE, beads_added="20000")  # type: ignore[arg-type]  # as somebody may try
    with pytest.raises(TypeError, match=r"column\('PE-A'\)"):
        tube.events.columns("PE-A")


def test_numbers_of_numpy_give_what_plain_ones_give() -> None:
    tube = blood_tube(car_per_ul=100, preparation=Preparation(drawn_share=0.02), seed=3)
    numbers: dict[str, Any] = {"beads_added": np.int64(20_000), "sample_volume_ul": np.float32(50)}
    plain = quantify(tube.events, TEMPLATE, beads_added=20_000, sample_volume_ul=50)
    assert quantify(tube.events, TEMPLATE, **numbers).row() == plain.row()
