"""Granulocytes of sample and control in the CAR's detector: levels of known truth, and drawn tubes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from cytocar.errors.findings import Severity
from cytocar.fcs.events import EventTable
from cytocar.gates.decision import Decision, Flag, ReferenceEvents, Source
from cytocar.sample.analysis import count_sample, quantify
from cytocar.sample.control_signals import GRANULOCYTES, references_from
from cytocar.sample.missing_reagent import missing_reagent
from cytocar.sample.protocol import Protocol, unlocked
from cytocar.sample.quality.acceptance import gate_findings, left_out_of
from cytocar.sample.quality.stain_levels import StainLevel
from cytocar.sheet.rows import SampleRow, SampleType
from cytocar.simulate import Preparation, blood_tube
from cytocar.template.load import load_template

TEMPLATE = load_template("cart-cd19fc")
LEVEL = StainLevel("car_t", "CAR", 0.0, negatives=35.0, spread=88.0, granulocytes=154.0, beads=60_000.0)


def control(granulocytes: float, beads: float) -> Mapping[str, Sequence[ReferenceEvents]]:
    lights = {GRANULOCYTES: granulocytes, "beads": beads}
    return {
        name: [ReferenceEvents("baseline", SampleType.BASELINE, name, {"CAR": np.full(300, light)})]
        for name, light in lights.items()
    }


@pytest.mark.parametrize(
    ("level", "granulocytes", "beads", "code"),
    [
        (LEVEL, 150.0, 60_000.0, ""),
        (replace(LEVEL, granulocytes=60.0), 150.0, 60_000.0, "W260"),
        (replace(LEVEL, granulocytes=60.0, positive_percent=3.0), 150.0, 60_000.0, ""),  # the reagent shows
        (replace(LEVEL, granulocytes=60.0, beads=24_000.0), 150.0, 60_000.0, ""),  # another gain
        (replace(LEVEL, beads=120_000.0), 150.0, 60_000.0, ""),  # another lot of beads
        (replace(LEVEL, positive_percent=3.0), 60.0, 60_000.0, "W260"),  # the control lacks it
    ],
)
def test_sample_and_control_hold_as_much_reagent(
    level: StainLevel, granulocytes: float, beads: float, code: str
) -> None:
    (finding,) = missing_reagent([level], TEMPLATE, control(granulocytes, beads))
    assert finding.code == code


def test_drawn_tubes_with_the_reagent_pass_and_without_granulocytes_nothing_is_told() -> None:
    few = Preparation(drawn_share=0.25, sample_volume_ul=50)
    references = references_from([blood_tube(car_per_ul=0, preparation=few, seed=1).events], TEMPLATE)
    tube = blood_tube(car_per_ul=0, preparation=few, seed=2)
    result = quantify(tube.events, TEMPLATE, beads_added=20_000, sample_volume_ul=50, references=references)
    (finding,) = (one for one in result.findings if one.check == "car_reagent")
    assert finding.code == ""
    assert finding.value == pytest.approx(1, abs=0.1)
    assert list(missing_reagent([replace(LEVEL, granulocytes=None)], TEMPLATE, references)) == []


def test_what_is_left_out_of_a_control_on_purpose_is_no_finding() -> None:
    few = Preparation(drawn_share=0.25, sample_volume_ul=50)
    references = references_from([blood_tube(car_per_ul=0, preparation=few, seed=1).events], TEMPLATE)
    tube = blood_tube(car_per_ul=0, preparation=few, seed=2)
    cells = ~tube.is_kind(*(kind for kind in tube.kinds if kind.startswith("bead")))
    dark = np.random.default_rng(3).normal(60, 70, (len(tube.columns), np.count_nonzero(cells)))

    def codes(kind: SampleType, detectors: Sequence[str]) -> set[str]:
        columns = {name: np.array(column, dtype=float) for name, column in tube.columns.items()}
        for values, name in zip(dark, detectors, strict=False):
            columns[name][cells] = values
        events = EventTable.from_columns(columns, markers=tube.markers, keywords=tube.keywords)
        row = SampleRow(
            file=Path("x.fcs"), file_as_given="x.fcs", sample_id="x", sample_type=kind, beads_added=20_000,
            sample_volume_ul=50,
        )  # fmt: skip
        result = count_sample(events, row, Protocol(TEMPLATE, unlocked(TEMPLATE)), references=references)
        return {one.code for one in result.findings if one.outcome is Severity.REVIEW}

    stains = [name for name in tube.markers if name not in ("FSC-A", "SSC-A")]
    assert "W260" in codes(SampleType.SAMPLE, ["PE-A"])
    assert codes(SampleType.FMO, ["PE-A"]) == {"W253"}  # darkened before its neighbours' light was taken away
    assert "W285" in codes(SampleType.SAMPLE, stains)
    assert codes(SampleType.UNSTAINED, stains) == set()


@pytest.mark.parametrize(
    ("kind", "target", "judged"),
    [("sample", None, True), ("fmo", None, False), ("fmo", "CAR", False), ("fmo", "CD4", True)],
)
def test_the_gate_of_what_was_left_out_of_an_fmo_is_not_judged(kind: str, target: str | None, judged: bool) -> None:
    row = SampleRow(
        file=Path("x.fcs"), file_as_given="x.fcs", sample_id="x", sample_type=SampleType(kind), stain_target=target
    )
    decision = Decision("car_t", "reference", "threshold", 500.0, Source.REFERENCE, flags=(Flag.GAIN_SHIFT,))
    found = gate_findings([decision], TEMPLATE, by_beads=True, left_out=left_out_of(row, TEMPLATE))
    assert bool(found) is judged
