"""Physics of a tube: what a count is checked against once it is made."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from cytocar.errors.findings import Severity
from cytocar.sample.result import SampleResult
from tests.reference_tube import CAR_PER_UL, codes, count, reference_tube

TUBE = reference_tube()


@pytest.fixture(scope="module")
def ref(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return TUBE.write(tmp_path_factory.mktemp("ref") / "ref.fcs")


def _no_count(result: SampleResult) -> set[str]:
    assert result.status == "no_count"
    assert result.row()["car_per_ul"] is None
    assert result.row()["t_cell_events"]
    return codes(result, Severity.NO_COUNT)


@pytest.mark.parametrize("beads_added", [5000, 1000.5, 6773])
def test_fewer_beads_added_than_counted_is_no_count(ref: Path, beads_added: float) -> None:
    assert _no_count(count(ref, beads_added=beads_added)) == {"E070"}


def test_all_beads_of_the_tube_may_have_been_counted(ref: Path) -> None:
    assert count(ref, beads_added=6774).status == "ok"


@pytest.mark.parametrize("numbers", [{"sample_volume_ul": 0.05}, {"dilution_factor": 0.5}, {"beads_added": 20}])
def test_a_number_that_cannot_be_is_no_count(ref: Path, numbers: dict[str, float]) -> None:
    assert _no_count(count(ref, **numbers)) <= {"E070", "E072"}


def test_more_volume_acquired_than_the_tube_held_is_no_count(ref: Path) -> None:
    numbers = {"beads_added": None, "count_method": "volumetric", "sample_volume_ul": 50}
    assert _no_count(count(ref, acquired_volume_ul=100, **numbers)) == {"E071"}
    diluted = count(ref, acquired_volume_ul=100, dilution_factor=2, **numbers)
    assert diluted.row()["car_per_ul"] == pytest.approx(18_235 / 50)


def test_beads_in_a_tube_that_is_counted_by_volume_unasked_ask_for_a_look(ref: Path) -> None:
    numbers = {"beads_added": None, "sample_volume_ul": 50, "acquired_volume_ul": 100, "dilution_factor": 2}
    forgotten = count(ref, **numbers)
    assert "W224" in codes(forgotten, Severity.REVIEW)
    assert forgotten.counting.method == "volumetric"
    assert "W224" not in codes(count(ref, **numbers, count_method="volumetric"))
    refused = count(ref, **{**numbers, "dilution_factor": None})
    assert _no_count(refused) == {"E071"}
    (hint,) = [one.hint for one in refused.findings if one.code == "E071"]
    assert hint.startswith("give beads_added")


def test_more_t_cells_than_blood_holds_is_no_count(ref: Path) -> None:
    assert _no_count(count(ref, beads_added=20_000 * 43)) == {"E073"}
    assert count(ref, beads_added=20_000 * 42).status == "ok"


def test_what_was_checked_and_passed_is_a_row_of_its_own(ref: Path) -> None:
    result = count(ref)
    assert result.row()["car_per_ul"] == pytest.approx(CAR_PER_UL, abs=0.005)
    passed = {one.check: one for one in result.findings if one.outcome is Severity.PASS}
    assert passed["tube"].value == pytest.approx(6774 / 20_000)
    assert passed["t_cells_per_ul"].limit == 50_000


def test_a_volume_of_the_sheet_that_is_not_the_files_is_for_review(tmp_path: Path) -> None:
    keywords = {**TUBE.keywords, "$CYT": "Aurora", "$VOL": "30.4", "$BTIM": "10:00:00", "$ETIM": "10:01:00"}
    path = replace(TUBE, keywords=keywords).write(tmp_path / "aurora.fcs")
    numbers = {"beads_added": None, "count_method": "volumetric", "dilution_factor": 10}
    assert "W249" in codes(count(path, acquired_volume_ul=40, **numbers), Severity.REVIEW)
    assert "W249" not in codes(count(path, acquired_volume_ul=31, **numbers))


def test_the_analysers_lymphocytes_bear_out_a_count_by_beads_or_contradict_it(ref: Path) -> None:
    def analyser(**numbers: float) -> tuple[str, str]:
        result = count(ref, count_method="beads", **numbers)
        (row,) = [one for one in result.findings if one.check == "analyser"]
        return row.code, str(result.status)

    lymphocytes = next(one for one in count(ref).populations if one.name == "lymphocytes").per_ul.value
    assert lymphocytes is not None
    assert analyser(lymphocytes_per_ul=1.3 * lymphocytes) == ("", "ok")
    assert analyser(lymphocytes_per_ul=lymphocytes / 1.6) == ("W259", "review")  # half of the beads were lost
    assert analyser(lymphocytes_per_ul=2 * lymphocytes) == ("W259", "review")  # half of the cells were
    few = {"sample_volume_ul": 50 * lymphocytes / 70}  # 70/µL, where the analyser prints 0.1e9/L
    assert analyser(lymphocytes_per_ul=150, **few) == ("", "ok")
    assert analyser(lymphocytes_per_ul=200, **few)[0] == "W259"
    assert "analyser" not in {one.check for one in count(ref).findings}
