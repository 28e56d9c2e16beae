"""The figures of one patient: panels when their data are there, twelve drugs without a collision."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from msgspec.structs import replace

from cytocar.counting.limits import CarResult
from cytocar.course.clinical import ClinicalRecord, ClinicalValue, Intervention, read_record
from cytocar.course.draws import CellCount
from cytocar.course.series import CoursePoint
from cytocar.course.units import VARIABLES
from cytocar.figures.lanes import dose_summary, lanes
from cytocar.figures.patient import acute_figure, has_long_term, long_term_figure
from cytocar.figures.style import COLUMN_MM, FONT_PT, FORMATS, GREY, PAGE_MM, figure_style, save_all
from cytocar.statistics.estimate import Estimate
from tests.figures.reading import overlapping_texts, shown_texts, smallest_font

POINTS = [
    CoursePoint(
        "P1",
        day,
        f"d{day}",
        car_result=CarResult.QUANTIFIED if per_ul else CarResult.NOT_DETECTED,
        car_per_ul=Estimate(per_ul, per_ul * 0.9, per_ul * 1.1),
        car_lod_per_ul=0.3,
        car_lloq_per_ul=0.5,
    )
    for day, per_ul in ((-5, 0), (3, 4), (7, 510), (9, 1064), (14, 150), (28, 8.5), (91, 2.2))
]
DRUGS = [
    Intervention("P1", name, start, end, dose, "mg/day")
    for name, start, end, dose in (
        ("fludarabine", -4, -2, 25),
        ("bendamustine", -4, -3, 90),
        ("tocilizumab", 0, 4, 700),
        ("dexamethasone", 3, 23, 40),
        ("siltuximab", 6, 6, 11),
        ("levetiracetam", 7, None, 1000),
        ("dasatinib", 7, 13, 100),
        ("meropenem", 1, 10, 3000),
        ("noradrenaline", 3, 7, None),
        ("propofol", 7, 8, 2),
        ("aciclovir", -7, None, 800),
        ("a drug with a name that is longer than any label", -7, 28, 1),
    )
]


def values(variable: str, *pairs: tuple[float, float]) -> list[ClinicalValue]:
    return [ClinicalValue("P1", day, variable, value, VARIABLES[variable].unit) for day, value in pairs]


RECORD = ClinicalRecord(
    (
        *values("temperature", (0, 38.1), (3, 40.1), (7, 37.9), (20, 36.6)),
        *values("systolic", (0, 110), (3, 82), (20, 124)),
        *values("diastolic", (0, 66), (3, 44), (20, 72)),
        *values("ferritin", (-1, 2598), (5, 77945), (20, 3500)),
        *values("il6", (0, 60), (5, 15777), (20, 9)),
        *values("crp", (-1, 19.5), (3, 160), (20, 2)),
        *values("crs_grade", *((day, grade) for day, grade in enumerate((2, 2, 2, 3, 3, 3, 2, 1, 0)))),
        *values("icans_grade", (7, 4), (8, 3), (9, 2), (10, 1)),
        *values("haemoglobin", (0, 88), (60, 95), (150, 110)),
        *values("platelets", (0, 40), (60, 90), (150, 170)),
        *values("anc", (0, 900), (60, 1500), (150, 3600)),
        *values("b_cells", (0, 30), (60, 0.1), (150, 3)),
    ),
    tuple(DRUGS),
)


@pytest.mark.parametrize("width_mm", [COLUMN_MM, PAGE_MM])
def test_no_text_of_the_first_weeks_is_small_or_overlaps_with_twelve_drugs(width_mm: float) -> None:
    with figure_style():
        figure = acute_figure(POINTS, RECORD, title="P1", width_mm=width_mm)
        assert smallest_font(figure) >= FONT_PT
        assert overlapping_texts(figure) == []


@pytest.mark.parametrize("width_mm", [COLUMN_MM, PAGE_MM])
def test_no_text_of_the_months_is_small_or_overlaps(width_mm: float) -> None:
    with figure_style():
        figure = long_term_figure(POINTS, RECORD, title="P1", width_mm=width_mm)
        assert smallest_font(figure) >= FONT_PT
        assert overlapping_texts(figure) == []


@pytest.mark.parametrize("figure", [acute_figure, long_term_figure])
def test_the_same_patient_gives_the_same_bytes(tmp_path: Path, figure: Callable[..., Figure]) -> None:
    with figure_style():
        for name in "ab":
            save_all(figure(POINTS, RECORD, title="P1"), tmp_path, name)
    for kind in FORMATS:
        assert (tmp_path / f"a.{kind}").read_bytes() == (tmp_path / f"b.{kind}").read_bytes()


def test_panels_appear_when_their_data_are_there() -> None:
    with figure_style():
        assert len(acute_figure(POINTS, ClinicalRecord()).axes) == 1
        grades = ClinicalRecord(tuple(values("crs_grade", (1, 2))))
        assert len(acute_figure(POINTS, grades).axes) == 2
        assert len(acute_figure(POINTS, RECORD).axes) == 6  # temperature, pressures, biomarkers, CAR-T, grades, drugs
        assert len(long_term_figure(POINTS, RECORD).axes) == 6  # with the drugs that go on


def test_pressures_alone_still_have_their_axis() -> None:
    with figure_style():
        figure = acute_figure(POINTS, ClinicalRecord(tuple(values("systolic", (0, 110)))))
        assert "Pressure\n(mmHg)" in {text.get_text() for text in shown_texts(figure)}


def test_further_variables_and_transgene_copies_have_panels_of_their_own() -> None:
    further = ClinicalRecord(
        (*values("transgene", (7, 1e5), (14, 2e4)), *values("anc", (0, 2000), (7, 20))), RECORD.interventions
    )
    with figure_style():
        assert len(acute_figure(POINTS, further).axes) == 3  # copies, CAR-T, drugs
        figure = acute_figure(POINTS, further, also=["anc"])
        assert [axes.get_yscale() for axes in figure.axes] == ["log", "log", "log", "linear"]
        assert {"ANC\n(/µL)", "Transgene\n(copies/µg)"} <= {text.get_text() for text in shown_texts(figure)}


def test_tocilizumab_is_marked_where_il6_is_drawn() -> None:
    with figure_style():
        assert "tocilizumab (raises IL-6)" in {text.get_text() for text in shown_texts(acute_figure(POINTS, RECORD))}


def test_a_drug_can_be_shaded_on_the_curve() -> None:
    with figure_style():
        named = [text.get_text() for text in shown_texts(acute_figure(POINTS, RECORD, shaded=["dasatinib"]))]
        assert named.count("dasatinib") == 2  # its lane and its shade


def test_what_lies_beyond_the_first_weeks_does_not_stretch_them() -> None:
    with figure_style():
        low, high = acute_figure(POINTS, RECORD).axes[0].get_xlim()
    assert (low, high) == pytest.approx((-7.8, 28.8))


def test_months_are_drawn_only_when_there_is_something_besides_the_cells() -> None:
    assert has_long_term(RECORD)
    assert not has_long_term(ClinicalRecord(tuple(values("haemoglobin", (3, 90)))), POINTS)


def test_each_drug_has_one_lane_in_order_of_its_first_day() -> None:
    courses = [Intervention("P1", "dasatinib", 20, 25), *DRUGS, Intervention("P1", "late", 100, 120)]
    names = [lane[0].name for lane in lanes(courses, -7, 28)]
    assert names[:3] == ["a drug with a name that is longer than any label", "aciclovir", "bendamustine"]
    assert names.count("dasatinib") == 1
    assert "late" not in names


def test_doses_in_two_units_are_both_told() -> None:
    doses = [Intervention("P1", "t", 1, 1, 8, "mg/kg"), Intervention("P1", "t", 2, 2, 700, "mg")]
    assert dose_summary(doses) == "8 mg/kg; 700 mg"
    assert dose_summary([Intervention("P1", "t", 1, 1)]) == ""


def bars(figure: Figure) -> dict[float, float]:
    """Heights of the bars of the last panel by their first day."""
    return {
        round(patch.get_x() + 0.45): patch.get_height()
        for patch in figure.axes[-1].patches
        if isinstance(patch, Rectangle) and patch.get_height() < 0.9
    }


def test_doses_are_drawn_to_scale_and_added_up() -> None:
    steps = [(3, 4, 40), (5, 8, 80), (9, 12, 40), (13, 14, 10), (15, 15, 8), (16, 16, 4), (17, 19, 2), (20, 23, 1)]
    courses = [Intervention("P1", "dexamethasone", *step, "mg/day") for step in steps]
    with figure_style():
        heights = bars(acute_figure(POINTS, ClinicalRecord((), tuple(courses))))
    assert heights[5] / heights[3] == pytest.approx(2)
    assert heights[5] / heights[13] == pytest.approx(8)
    assert dose_summary(courses) == "1–80 mg/day, 602 mg in all"


def test_zeros_and_values_below_a_limit_are_open_triangles_and_break_the_line() -> None:
    zero = ClinicalRecord(tuple(values("b_cells", (-6, 12), (28, 0), (91, 0.1), (182, 0.2), (274, 3), (730, 18))))
    limits = [ClinicalValue("P1", day, "il6", 7, "ng/L", "<") for day in (9, 14)]
    with figure_style():
        panel = long_term_figure([], zero).axes[0]
        assert [np.asarray(line.get_xdata()).tolist() for line in panel.lines if line.get_marker() == "D"] == [
            [-6],
            [91, 182, 274, 730],
        ]
        assert [np.asarray(line.get_xdata()).tolist() for line in panel.lines if line.get_marker() == "v"] == [[28]]
        record = ClinicalRecord((*values("il6", (0, 60), (5, 900), (20, 12)), *limits))
        record = ClinicalRecord(tuple(sorted(record.values, key=lambda value: value.day)))
        panel = acute_figure(POINTS, record).axes[0]
        assert [np.asarray(line.get_xdata()).tolist() for line in panel.lines if line.get_marker() == "D"] == [
            [0, 5],
            [20],
        ]
        assert [np.asarray(line.get_ydata()).tolist() for line in panel.lines if line.get_marker() == "v"] == [[7], [7]]


def test_each_log_panel_has_two_labelled_ticks() -> None:
    narrow = ClinicalRecord(tuple(values("transgene", (5, 52_000), (9, 88_000))))
    with figure_style():
        for axes in (*acute_figure(POINTS, narrow).axes, *long_term_figure(POINTS, RECORD).axes):
            if axes.get_yscale() == "log" and axes.get_ylabel() != "CD4/CD8\nof CAR-T":
                low, high = axes.get_ylim()
                assert sum(low <= 10.0**power <= high for power in range(-4, 8)) >= 2


def test_events_stand_apart_from_drugs_and_ice_beside_grades() -> None:
    record = ClinicalRecord(
        tuple(values("ice", (6, 10), (7, 0), (9, 8))),
        (Intervention("P1", "intubation", 7, 8), Intervention("P1", "dasatinib", 7, 13, 100, "mg/day")),
    )
    with figure_style():
        _, grades, events, drugs = acute_figure(POINTS, record).axes
    assert [label.get_text() for label in grades.get_yticklabels()] == ["ICE"]
    assert [label.get_text() for label in events.get_yticklabels()] == ["intubation"]
    assert [label.get_text() for label in drugs.get_yticklabels()] == ["dasatinib"]


def test_limits_stand_at_their_samples_and_join_nothing() -> None:
    with figure_style():
        panel = acute_figure(POINTS, ClinicalRecord()).axes[0]
    dashes = [line for line in panel.lines if line.get_marker() == "_" and line.get_color() == GREY]
    assert [line.get_linestyle() for line in dashes] == ["None"]
    assert np.asarray(dashes[0].get_xdata()).tolist() == [-5, 3, 7, 9, 14, 28]


def test_the_window_is_chosen_and_a_population_has_its_own_curve() -> None:
    counted = [
        CoursePoint("P1", day, f"d{day}", populations={"nk_cells": CellCount(n, Estimate(n / 2, n / 3, n), 2.0)})
        for day, n in ((3, 0), (40, 60), (80, 90))
    ]
    with figure_style():
        figure = acute_figure(counted, ClinicalRecord(), populations=["nk_cells"], window=(0, 60))
    assert figure.axes[0].get_xlim() == (-0.8, 60.8)
    assert figure.axes[1].get_ylabel() == "NK cells\n(/µL)"
    assert [np.asarray(line.get_xdata()).tolist() for line in figure.axes[1].lines if line.get_marker() == "v"] == [[3]]


@pytest.mark.parametrize("window", [(0, 26), (3, 8), (-20, 400), (500, 600)])
def test_a_chosen_window_cuts_no_text_and_lays_none_over_another(window: tuple[float, float]) -> None:
    with figure_style():
        figure = acute_figure(POINTS, RECORD, title="P1", window=window)
        assert overlapping_texts(figure) == []
        assert figure.axes[0].get_xlim() == (window[0] - 0.8, window[1] + 0.8)


def test_values_and_drugs_after_the_first_weeks_are_drawn() -> None:
    late = ClinicalRecord(tuple(values("igg", (91, 3.2))), (Intervention("P1", "rituximab", 60, 60, 375, "mg/m2"),))
    assert has_long_term(late)
    with figure_style():
        texts = {text.get_text() for text in shown_texts(long_term_figure(POINTS, late))}
    assert {"IgG\n(g/L)", "rituximab"} <= texts


def test_the_thresholds_that_the_user_gave_are_the_lines_that_are_drawn() -> None:
    record = ClinicalRecord(tuple(values("b_cells", (-6, 12), (91, 3), (274, 18))))
    counted = [
        CoursePoint("P1", day, f"d{day}", populations={"nk_cells": CellCount(60, Estimate(n, n / 2, n * 2), 2.0)})
        for day, n in ((3, 20), (91, 60))
    ]
    lines = {"b_cells": (10.0,), "nk_cells": (80.0,)}
    with figure_style():
        figure = long_term_figure(counted, record, populations=["nk_cells"], lines=lines)
        texts = {text.get_text() for text in shown_texts(figure)}
        assert {"dashed: 10 /µL", "dashed: 80 /µL"} <= texts
        assert "dashed: 20 /µL" not in texts
        assert "dashed: 20 /µL" in {text.get_text() for text in shown_texts(long_term_figure([], record))}


def test_a_variable_of_ones_own_keeps_the_name_that_was_entered(tmp_path: Path) -> None:
    table = tmp_path / "clinical.csv"
    table.write_text("subject_id,day,variable,value,unit\nP1,40,anti-dsDNA,820,IU/mL\nP1,60,anti-dsDNA,90,IU/mL\n")
    record = read_record(table)
    with figure_style():
        assert "anti-dsDNA\n(IU/mL)" in {text.get_text() for text in shown_texts(long_term_figure([], record))}


def test_a_grade_is_a_block_on_its_days_and_pale_until_the_next_entry() -> None:
    entered = ClinicalRecord(tuple(values("crs_grade", (0, 2), (1, 2), (5, 3), (9, 0))))
    with figure_style():
        _, grades = acute_figure(POINTS, entered).axes
    blocks = [patch for patch in grades.patches if isinstance(patch, Rectangle)]
    spans = {(patch.get_x(), patch.get_x() + patch.get_width(), patch.get_alpha()) for patch in blocks}
    assert spans == {
        (-0.5, 1.5, None), (1.5, 4.5, 0.55), (4.5, 5.5, None), (5.5, 8.5, 0.55), (8.5, 9.5, None),
    }  # fmt: skip


@pytest.mark.parametrize("figure", [acute_figure, long_term_figure])
def test_several_drugs_are_shaded_on_every_curve(figure: Callable[..., Figure]) -> None:
    points = [replace(point, populations={"nk_cells": CellCount(60, Estimate(20, 15, 25), 2.0)}) for point in POINTS]
    drugs = (Intervention("P1", "dasatinib", 7, 13), Intervention("P1", "ruxolitinib", 20, 24))
    with figure_style():
        drawn = figure(points, ClinicalRecord((), drugs), shaded=["dasatinib", "ruxolitinib"], populations=["nk_cells"])
    curves = [axes for axes in drawn.axes if "/µL" in axes.get_ylabel()]
    assert len(curves) == 2
    for axes in curves:
        shades = [patch for patch in axes.patches if isinstance(patch, Rectangle) and patch.get_width() > 4]
        assert len(shades) == 2
