"""Sampled events answer each question once, with the masks that the gates themselves give."""

from __future__ import annotations

import numpy as np
import pytest

import cytocar
from cytocar.gates.sampled_events import SampledEvents, sampled_events
from cytocar.gates.walk import walk
from cytocar.regions.geometry import Box
from cytocar.sample.quality.relative import in_medians


@pytest.fixture(scope="module")
def sampled() -> SampledEvents:
    tube = cytocar.simulate.blood_tube(car_per_ul=100, seed=1)
    return sampled_events(walk(tube.events, cytocar.load_template("cart-cd19fc-fixed"), watch=True).gated)


def test_a_box_holds_the_events_that_all_its_sides_hold(sampled: SampledEvents) -> None:
    boxes = [name for name, placed in sampled.regions.items() if isinstance(placed.region, Box)]
    assert any(len(sampled.regions[name].markers) > 1 for name in boxes)
    for name in boxes:
        placed = sampled.regions[name]
        for axis, marker in enumerate(placed.markers):
            signals = [sampled.signal(one) * (1.05 if one == marker else 1.0) for one in placed.markers]
            brighter = sampled.in_region(name, axis=axis, factor=1.05)
            assert (brighter == placed.region.contains(*signals)).all()


def test_what_was_asked_before_is_not_worked_out_again(sampled: SampledEvents) -> None:
    assert sampled.by_colour("t_cells") is sampled.by_colour("t_cells")
    assert in_medians(sampled, "SSC-A", "t_cells") is in_medians(sampled, "SSC-A", "t_cells")
    assert in_medians(sampled, "SSC-A", "t_cells") is not in_medians(sampled, "FSC-A", "t_cells")
    assert sampled.behind("t_cells") == sampled.behind("t_cells", aside=True)


def test_an_event_at_the_end_of_a_channel_is_found_by_its_recorded_value(sampled: SampledEvents) -> None:
    channel, end = sampled.channels["FSC-A"]
    recorded = sampled.chosen.column(channel)
    assert np.array_equal(sampled.at_the_end("FSC-A"), recorded >= 0.999 * end)
