"""The two figures of the published case, drawn from ``sample_data``, hold what its legend names, point by point.

``docs/published-case.md`` lays the same points beside the pictures.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from cytocar.counting.limits import CarResult
from cytocar.course.clinical import ClinicalRecord, read_record
from cytocar.course.series import CoursePoint
from cytocar.figures.patient import acute_figure, long_term_figure
from cytocar.figures.style import GREY, INK, figure_style
from cytocar.statistics.estimate import Estimate
from tests.figures.reading import overlapping_texts, shown_texts

SAMPLE = Path(__file__).resolve().parents[2] / "sample_data"
REPORTED = {9: 1064, 91: 2.22, 182: 1.56, 274: 1.46, 730: 0.2}
DRAWN = {1: 0.9, 3: 9.5, 5: 92, 7: 480, 11: 590, 14: 190, 21: 33, 28: 11} | REPORTED
POINTS = [
    CoursePoint(
        "P01", day, f"d{day}", car_result=CarResult.QUANTIFIED, car_per_ul=Estimate(n, n * 0.9, n * 1.1),
        car_lod_per_ul=0.1, car_lloq_per_ul=0.12, car_cd4_cd8_ratio=Estimate(0.47, 0.4, 0.5),
    )
    for day, n in sorted(DRAWN.items())
]  # fmt: skip


@pytest.fixture(scope="module")
def record() -> ClinicalRecord:
    return read_record(SAMPLE / "clinical.csv", SAMPLE / "interventions.csv", subjects={"P01"})


@pytest.fixture(scope="module")
def weeks(record: ClinicalRecord) -> Figure:
    with figure_style():
        return acute_figure(POINTS, record, title="P01", window=(0, 26))


@pytest.fixture(scope="module")
def months(record: ClinicalRecord) -> Figure:
    with figure_style():
        return long_term_figure(POINTS, record, title="P01")


def panel(figure: Figure, label: str) -> Axes:
    """Return the panel whose axis says this."""
    return next(axes for axes in figure.axes if label in axes.get_ylabel().replace("\n", " "))


def lanes(figure: Figure, name: str) -> list[str]:
    """Return the names of the lanes among which this one is."""
    named = [[label.get_text() for label in axes.get_yticklabels()] for axes in figure.axes]
    return next(names for names in named if name in names)


def curve(axes: Axes, day: float, value: float) -> Line2D:
    """Return the line of a panel that passes through a point."""
    for line in axes.lines:
        x, y = np.asarray(line.get_xdata(), dtype=float), np.asarray(line.get_ydata(), dtype=float)
        if x.shape == y.shape and np.any(np.isclose(x, day) & np.isclose(y, value)):
            return line
    raise AssertionError(f"no line through day {day}, {value}")


def test_temperature_and_pressures_are_on_top_on_two_axes_in_the_colours_of_the_case(weeks: Figure) -> None:
    assert weeks.axes[0] is panel(weeks, "Temperature")
    curve(panel(weeks, "Temperature"), 0, 38.1)
    pressures = panel(weeks, "Pressure")
    assert curve(pressures, 3, 82).get_color() == INK
    assert curve(pressures, 3, 44).get_color() == GREY


def test_ferritin_and_il6_have_their_maxima_on_day_5_and_their_normal_ranges_are_bands(weeks: Figure) -> None:
    biomarkers = panel(weeks, "Biomarkers")
    assert biomarkers.get_yscale() == "log"
    for highest in (77_945, 15_777):
        line = curve(biomarkers, 5, highest)
        assert max(np.asarray(line.get_ydata(), dtype=float)) == highest
    assert len(biomarkers.patches) >= 2


def test_the_cells_peak_on_day_9_on_the_same_day_axis(weeks: Figure) -> None:
    cells = panel(weeks, "CAR-T cells/µL")
    curve(cells, 9, 1064)
    assert len({axes.get_xlim() for axes in weeks.axes}) == 1
    assert "1,064 on day 9" in {text.get_text() for text in shown_texts(weeks)}


def test_every_drug_of_the_case_has_a_bar_and_its_dose(weeks: Figure, record: ClinicalRecord) -> None:
    assert lanes(weeks, "dasatinib") == ["tocilizumab", "dexamethasone", "siltuximab", "dasatinib", "levetiracetam"]
    with figure_style():
        before = acute_figure(POINTS, record)
    assert lanes(before, "dasatinib")[:2] == ["bendamustine", "fludarabine"]
    texts = {text.get_text() for text in shown_texts(weeks)}
    assert {"1–80 mg/day, 602 mg in all", "8 mg/kg, 40 mg/kg in all", "100 mg/day, 700 mg in all", "1 dose"} <= texts
    doses = [c for c in record.interventions if c.name == "tocilizumab"]
    assert [course.start_day for course in doses] == [0, 1, 2, 3, 4]
    assert overlapping_texts(weeks) == []


def test_intensive_care_stands_apart_from_the_drugs_and_ends_as_reported(weeks: Figure, record: ClinicalRecord) -> None:
    assert lanes(weeks, "ICU") == ["ICU", "CVVHDF", "intubation"]
    ends = {course.name: course.end_day for course in record.interventions if course.is_event}
    assert (ends["intubation"], ends["ICU"]) == (8, 13)


def test_grades_are_those_reported(record: ClinicalRecord) -> None:
    grades = {(v.variable, v.day): v.value for v in record.values if v.note == "reported"}
    assert (grades["crs_grade", 0], grades["crs_grade", 3], grades["icans_grade", 7]) == (2, 3, 4)
    assert (grades["crp", -6], grades["ferritin", -6]) == (19.5, 2598)


def test_five_months_of_blood_counts_and_cells_share_one_time_axis(months: Figure) -> None:
    for label in ("Haemoglobin (g/L)", "Platelets (G/L)", "ANC (/µL)", "CAR-T cells/µL"):
        panel(months, label)
    assert len({axes.get_xlim() for axes in months.axes}) == 1
    curve(panel(months, "Platelets"), 14, 22)
    curve(panel(months, "CAR-T cells/µL"), 91, 2.22)
    assert {"dashed: 20 and 50 G/L", "dashed: 500 /µL"} <= {text.get_text() for text in shown_texts(months)}
