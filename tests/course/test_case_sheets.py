"""The tables of ``shared/cases/sheets`` on a course: what came out wrong once, whole, as a user meets it."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

from cytocar.counting.limits import CarResult
from cytocar.course.clinical import read_record
from cytocar.course.series import Course, CoursePoint, Series
from cytocar.report.course.folder import CourseOptions, write_course
from cytocar.statistics.estimate import Estimate
from tests.courses import draw_no_figures

SHEETS = (
    Path(os.environ.get("CYTOCAR_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data")).parent / "cases/sheets"
)
POINTS = tuple(
    CoursePoint("P01", day, f"d{day}", car_result=CarResult.QUANTIFIED, car_per_ul=Estimate(n, n * 0.9, n * 1.1))
    for day, n in ((1, 0.9), (3, 9.5), (5, 92.0), (7, 480.0), (9, 1064.0), (14, 190.0), (21, 33.0), (28, 11.0))
)


def written(folder: Path, *, clinical: str = "", interventions: str = "") -> Path:
    """Write the course with tables of the cases; the options are those that show everything."""
    tables = [SHEETS / f"{name}.csv" if name else None for name in (clinical, interventions)]
    for table in tables:
        if table is not None and not table.is_file():
            pytest.skip(f"{table} is not here: it is not part of the repository")
    record = read_record(*tables, subjects={"P01"})
    options = CourseOptions(every_variable=True, b_cell_threshold_per_ul=10)
    return write_course(Series((Course("P01", POINTS),)), record, folder, options=options).parent


def rows(table: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(table.read_text("utf-8").splitlines()))


def test_a_drug_given_twice_events_and_late_drugs_are_measured_and_drawn(tmp_path: Path) -> None:
    out = written(tmp_path / "out", interventions="s7_interventions")
    twice = {
        (row["start_day"], row["end_day"]) for row in rows(out / "responses.csv") if row["intervention"] == "dasatinib"
    }
    assert twice == {("3", "5"), ("11", "14")}
    page = (out / "course.html").read_text("utf-8")
    for name in ("ICU", "CVVHDF", "intubation", "G-CSF", "immunoglobulin", "ruxolitinib"):
        assert name in page
    assert (out / "figures" / "P01_months.svg").is_file()  # immunoglobulin on day 60


def test_no_unit_and_no_zero_is_lost(tmp_path: Path) -> None:
    out = written(tmp_path / "out", clinical="s9_units_clinical")
    values = {(row["variable"], row["day"]): (row["value"], row["unit"]) for row in rows(out / "covariates.csv")}
    assert len(values) == 19
    assert values["b_cells", "28"] == ("0", "/uL")
    assert values["anti_dsdna", "5"] == ("820", "IU/mL")
    assert values["elastase", "9"] == ("500", "RFU")
    (b_cells,) = [row for row in rows(out / "reconstitution.csv") if row["cells"] == "b_cells"]
    assert (b_cells["nadir_day"], b_cells["nadir_per_ul"], b_cells["recovered_day"]) == ("28", "0", "730")
    assert (b_cells["shortest_days"], b_cells["longest_days"]) == ("246", "736")
    sheet = (out / "figures" / "P01_values_1.svg").read_text("utf-8")
    assert "anti-dsDNA" in sheet and "CitH3 (AU)" in sheet


def test_negative_values_words_and_bounds_are_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw_no_figures(monkeypatch)
    out = written(tmp_path / "out", clinical="npx2")
    found = {
        (row["variable"], row["day"]): (row["value"], row["bound"], row["text"]) for row in rows(out / "covariates.csv")
    }
    assert found["mpo", "0"] == ("-1.25", "", "")
    assert found["response", "0"] == ("", "", "CR")
    assert found["il6", "5"] == ("1.5", "<", "")
    assert found["il6", "6"] == ("50000", ">", "")
