"""CAR-T cells in tubes that have none by what their rows say."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from cytocar.sample.analysis import quantify
from cytocar.sample.quality.negative_tubes import car_in_negative_tube
from cytocar.sample.result import SampleResult
from cytocar.sheet.rows import SampleRow, SampleType
from cytocar.sheet.tube import Specimen
from cytocar.simulate import Preparation, blood_tube
from cytocar.template.load import load_template

ROW = SampleRow(file=Path("a.fcs"), file_as_given="a.fcs", sample_id="a")


def _counted(car_per_ul: float, sticky_share: float = 0.0001) -> SampleResult:
    preparation = Preparation(sample_volume_ul=20, sticky_share=sticky_share)
    tube = blood_tube(car_per_ul=car_per_ul, preparation=preparation, seed=5)
    return quantify(tube.events, load_template("cart-cd19fc-fixed"), beads_added=20_000, sample_volume_ul=20)


@pytest.fixture(scope="module")
def positive() -> SampleResult:
    return _counted(40)


@pytest.mark.parametrize(
    ("row", "where"),
    [
        (replace(ROW, sample_type=SampleType.BASELINE), "a baseline"),
        (replace(ROW, sample_type=SampleType.HEALTHY), "a healthy donor"),
        (replace(ROW, day=-6.0), "before the infusion"),
        (replace(ROW, day=-6.0, specimen=Specimen.PRODUCT), None),
        (replace(ROW, day=0.0), None),
        (ROW, None),
    ],
)
def test_quantified_cells_are_told_where_there_can_be_none(
    row: SampleRow, where: str | None, positive: SampleResult
) -> None:
    findings = list(car_in_negative_tube(row, positive.car))
    assert [finding.code for finding in findings] == (["W266"] if where else [])
    assert all(where in finding.message for finding in findings if where)


def test_what_a_reagent_stains_of_negative_cells_is_no_finding() -> None:
    baseline = replace(ROW, sample_type=SampleType.BASELINE)
    assert list(car_in_negative_tube(baseline, _counted(0).car)) == []
    assert list(car_in_negative_tube(baseline, _counted(0, sticky_share=0.002).car)) == []
    assert list(car_in_negative_tube(baseline, None)) == []
