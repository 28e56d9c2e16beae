"""What the place of borders leaves open: nil in gaps, as much as is lost where a border cuts, for what it cuts only."""

from __future__ import annotations

import numpy as np
import pytest

from cytocar.fcs.events import EventTable
from cytocar.gates.sampled_events import sampled_events
from cytocar.gates.walk import walk
from cytocar.sample.analysis import quantify
from cytocar.sample.quality.gate_doubt import gate_doubts
from cytocar.simulate import blood_tube
from cytocar.template.load import load_template, parse_template

TEMPLATE = """
format = 1
name = "two"
version = "1.0.0"
[panel]
CD3 = { detectors = ["FITC-A"] }
CD4 = { detectors = ["PE-A"] }
[compensation]
source = "file"
missing = "none"
[scales]
default = { kind = "logicle", T = 262144, W = 0.5, M = 4.5, A = 0 }
[[populations]]
name = "t_cells"
parent = "all"
gate = { kind = "range", marker = "CD3", min = 1000 }
[[populations]]
name = "cd4"
parent = "t_cells"
gate = { kind = "range", marker = "CD4", min = 1000 }
[[populations]]
name = "not_cd4"
parent = "t_cells"
gate = { kind = "boolean", none_of = ["cd4"] }
[report]
t_cells = "t_cells"
cd4 = "cd4"
"""


def doubts(median_cd3: float, spread: float, median_cd4: float) -> dict[str, float]:
    """Return the doubts of 20,000 T cells, half of them CD4+, with log-normal stains."""
    random, n = np.random.default_rng(1), 20_000
    cd4 = np.where(np.arange(n) < n // 2, median_cd4 * np.exp(random.normal(0, spread, n)), random.normal(0, 60, n))
    columns = {"FITC-A": median_cd3 * np.exp(random.normal(0, spread, n)), "PE-A": cd4}
    template = parse_template(TEMPLATE, source="test")
    populations = walk(EventTable.from_columns(columns), template, watch=True)
    found = gate_doubts(
        sampled_events(populations.gated), [one.name for one in template.populations], populations.decisions
    )
    return dict(found)


def test_borders_in_gaps_leave_nothing_open() -> None:
    assert doubts(10_000, 0.2, 10_000) == {"t_cells": 0, "cd4": 0, "not_cd4": 0}


@pytest.mark.parametrize("z", [1.0, 1.5, 2.0])
def test_a_border_that_cuts_leaves_open_about_what_lies_beyond_it(z: float) -> None:
    from scipy.special import ndtr

    lost = float(ndtr(-z)) / float(ndtr(z))
    found = doubts(1000 * np.exp(z * 0.4), 0.4, 10_000)
    assert 0.7 * lost < found["t_cells"] < 2.5 * lost
    assert found["cd4"] == pytest.approx(found["t_cells"], rel=0.2)  # what T cells lose their subsets lose too


def test_a_border_counts_on_either_side_of_it_and_nowhere_else() -> None:
    found = doubts(10_000, 0.4, 1000 * np.exp(0.6))
    assert found["t_cells"] == 0
    assert found["cd4"] > 0.04
    assert found["not_cd4"] > 0.02


def test_the_gates_are_in_the_interval_and_in_its_name() -> None:
    tube = blood_tube(car_per_ul=100, seed=1)
    dim = {**tube.columns, "FITC-A": tube.columns["FITC-A"] * 0.25}
    template = load_template("cart-cd19fc-fixed")
    events = [EventTable.from_columns(c, markers=tube.markers, keywords=tube.keywords) for c in (tube.columns, dim)]
    clean, cut = (quantify(one, template, beads_added=50_000, sample_volume_ul=50) for one in events)
    widths = [
        (row["t_cells_per_ul_high"] - row["t_cells_per_ul_low"]) / row["t_cells_per_ul"]  # type: ignore[operator]
        for row in (clean.row(), cut.row())
    ]
    assert widths[1] > 1.5 * widths[0]
    assert "gates" in str(cut.row()["ci_method"])
    assert {"gates_percent"} <= set(next(iter(clean.population_rows())))
