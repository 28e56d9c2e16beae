"""Beads tell the detector's gain: negatives that moved otherwise changed themselves."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest

import cytocar
from cytocar.gates.decision import Decision, ReferenceEvents, Source
from cytocar.gates.populations import Population, Populations
from cytocar.sample.bead_gain import gain_findings
from cytocar.sheet.rows import SampleType
from cytocar.simulate import Preparation, blood_tube

SMALL = Preparation(sample_volume_ul=50, beads_added=20_000, drawn_share=0.9)
TEMPLATE = cytocar.load_template("cart-cd19fc")


class Gated(dict[str, Population]):
    """A gated tube as far as the check looks: beads with a CAR signal, and the gain of the CAR gate."""

    def __init__(self, *, negatives: float, beads: float, events: int = 5000) -> None:
        super().__init__(beads=Population("beads", "all", events, cast(Any, None)))
        self.decisions = (Decision("car_t", "reference", "gain", negatives, Source.REFERENCE),)
        self._beads = beads

    def median(self, population: str, marker: str) -> float:
        assert (population, marker) == ("beads", "CAR")
        return 60_000 * self._beads


def found(gated: Gated, *, top: float = np.inf) -> list[str]:
    signals = np.sort(np.minimum(np.random.default_rng(1).normal(60_000, 3000, 4000), top))
    control = ReferenceEvents("B", SampleType.BASELINE, "beads", {"CAR": signals})
    return [one.code for one in gain_findings(cast(Populations, gated), TEMPLATE, {"beads": [control]})]


@pytest.mark.parametrize(("negatives", "beads"), [(1.0, 1.0), (1.3, 1.3), (0.7, 0.7), (0.87, 0.7), (1.0, 1.1)])
def test_a_gain_of_the_detector_moves_negatives_and_beads_alike(negatives: float, beads: float) -> None:
    assert found(Gated(negatives=negatives, beads=beads)) == []


@pytest.mark.parametrize("negatives", [0.6, 1.5])
def test_negatives_that_changed_while_the_beads_did_not_ask_for_a_look(negatives: float) -> None:
    assert found(Gated(negatives=negatives, beads=1.0)) == ["W322"]


def test_beads_at_the_end_of_the_range_or_too_few_tell_nothing() -> None:
    assert found(Gated(negatives=1.5, beads=1.0), top=60_000) == []
    assert found(Gated(negatives=1.5, beads=1.0, events=50)) == []


def test_a_clean_tube_with_its_baseline_is_left_alone() -> None:
    tube, control = (blood_tube(car_per_ul=10, preparation=SMALL, seed=seed) for seed in (1, 2))
    result = cytocar.quantify(tube.events, TEMPLATE, beads_added=20_000, sample_volume_ul=50, controls=[control.events])
    assert "W322" not in str(result.row()["status_codes"])
