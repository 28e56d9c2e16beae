from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from cytocar import gate, load_template, open_fcs
from cytocar.course.clinical import read_record
from cytocar.files.bundled import sample_data_folder
from cytocar.simulate import sample_course, simulate_sheet
from cytocar.simulate.course import read_scenario

PUBLISHED = {"day09": 1064, "month03": 2.22, "month06": 1.56, "month09": 1.46, "month24": 0.2}


def rows_of(sheet: Path) -> list[dict[str, str]]:
    with sheet.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sample_course(tmp_path_factory.mktemp("course"))


def test_the_course_is_laid_out_with_everything_that_a_series_needs(course: Path) -> None:
    names = {row["file"] for row in rows_of(course)}

    assert names == {path.name for path in course.parent.glob("*.fcs")}
    assert {path.name for path in course.parent.glob("*.csv")} == {"sheet.csv", "clinical.csv", "interventions.csv"}
    assert len(list(course.parent.glob("*.truth.json"))) == len(names)


def test_the_truth_is_the_published_course() -> None:
    tubes = read_scenario().tubes

    assert {name: tubes[name].car_per_ul for name in PUBLISHED} == PUBLISHED
    assert tubes["day09"].car_cd4_cd8 == 0.47
    assert max(tubes.values(), key=lambda tube: tube.car_per_ul) is tubes["day09"]


@pytest.mark.parametrize("sample_id", PUBLISHED)
def test_fixed_gates_read_the_published_numbers_off_the_course(course: Path, sample_id: str) -> None:
    row = next(row for row in rows_of(course) if row["sample_id"] == sample_id)
    populations = gate(open_fcs(course.parent / row["file"]), load_template("cart-cd19fc-fixed"))
    beads_per_ul = float(row["beads_added"]) / float(row["sample_volume_ul"])

    car_per_ul = populations["car_t"].events / populations["beads"].events * beads_per_ul

    assert car_per_ul == pytest.approx(PUBLISHED[sample_id], rel=0.1 if sample_id == "month24" else 0.02)
    assert populations["car_t"].events > max(22, 0.001 * populations["t_cells"].events)


def test_the_baseline_has_enough_t_cells_for_a_reference_and_hardly_one_that_looks_like_car(course: Path) -> None:
    populations = gate(open_fcs(course.parent / "baseline.fcs"), load_template("cart-cd19fc-fixed"))

    assert populations["t_cells"].events > 50_000
    assert populations["car_t"].events < 0.0005 * populations["t_cells"].events


def test_tubes_carry_the_date_of_their_day(course: Path) -> None:
    assert open_fcs(course.parent / "baseline.fcs").keywords["$DATE"] == "28-FEB-2024"
    assert open_fcs(course.parent / "day09.fcs").keywords["$DATE"] == "14-MAR-2024"


def test_clinical_tables_are_without_fault_and_add_up_to_the_published_doses() -> None:
    folder = sample_data_folder()
    record = read_record(folder / "clinical.csv", folder / "interventions.csv", subjects={"P01"})

    dexamethasone = sum(
        (course.dose or 0) * ((course.end_day or 0) - course.start_day + 1)
        for course in record.interventions
        if course.name == "dexamethasone"
    )
    assert dexamethasone == 602
    assert max(value.value for value in record.series("ferritin")) == 77_945
    assert sum(course.name == "tocilizumab" for course in record.interventions) == 5


def test_the_small_files_are_what_the_scenario_makes_of_their_sheet(tmp_path: Path) -> None:
    shipped = sample_data_folder() / "small"

    simulate_sheet(shipped / "sheet.csv", tmp_path)

    assert sum(path.stat().st_size for path in shipped.glob("*.fcs")) < 3_000_000
    for truth in shipped.glob("*.truth.json"):
        assert json.loads((tmp_path / truth.name).read_text()) == json.loads(truth.read_text())
