"""What may be claimed about the CAR-T cells of a sample whose gate was placed by controls."""

from __future__ import annotations

import pytest

import cytocar
from cytocar.gates.adaptive import reference
from cytocar.simulate import Preparation, blood_tube

SMALL = Preparation(sample_volume_ul=50, beads_added=20_000, drawn_share=0.9)


def counted() -> cytocar.SampleResult:
    tube, baseline = (blood_tube(car_per_ul=car, preparation=SMALL, seed=seed) for car, seed in ((100, 1), (0, 2)))
    template = cytocar.load_template("cart-cd19fc")
    about = {"beads_added": 20_000.0, "sample_volume_ul": 50.0}
    return cytocar.quantify(tube.events, template, controls=[baseline.events], **about)  # type: ignore[arg-type]


def test_positives_that_cannot_be_told_from_negatives_are_not_quantified(monkeypatch: pytest.MonkeyPatch) -> None:
    assert counted().row()["car_result"] == "quantified"
    monkeypatch.setattr(reference, "SMALLEST_STAIN_INDEX", 1e6)
    row = counted().row()
    assert row["car_result"] == "not_evaluable"
    assert row["status"] == "review"
    assert row["car_per_ul"] is not None  # the estimate stays
