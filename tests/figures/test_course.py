"""The CAR-T curve: what is drawn, what is not, and the same bytes each time."""

from __future__ import annotations

from pathlib import Path

import pytest

from cytocar.counting.limits import CarResult
from cytocar.course.series import CoursePoint
from cytocar.figures.course import course_figure, draw_course, quantified_runs
from cytocar.figures.style import COLUMN_MM, FONT_PT, FORMATS, PAGE_MM, figure_style
from cytocar.sample.result import Status
from cytocar.statistics.estimate import Estimate
from cytocar.statistics.intervals import ratio_estimate
from tests.figures.reading import overlapping_texts, shown_texts, smallest_font


def quantified(day: float, per_ul: float) -> CoursePoint:
    return CoursePoint(
        subject_id="P1",
        day=day,
        sample_id=f"d{day:g}",
        car_result=CarResult.QUANTIFIED,
        car_per_ul=Estimate(per_ul, 0.8 * per_ul, 1.3 * per_ul),
        car_lod_per_ul=0.3,
        car_lloq_per_ul=0.5,
        car_cd4_cd8_ratio=ratio_estimate(320, 680),
    )


def censored(day: float, result: CarResult = CarResult.NOT_DETECTED) -> CoursePoint:
    return CoursePoint("P1", day, f"d{day:g}", car_result=result, car_lod_per_ul=0.3, car_lloq_per_ul=0.5)


FAILED = CoursePoint("P1", 11, "d11", status=Status.FAILED)
COURSE = [
    censored(-5),
    censored(1, CarResult.BELOW_LLOQ),
    *(quantified(day, per_ul) for day, per_ul in ((3, 4), (7, 510), (9, 1064), (14, 150), (28, 8.5))),
    censored(60),
    *(quantified(day, per_ul) for day, per_ul in ((91, 2.22), (182, 1.56), (273, 1.46))),
    censored(730, CarResult.BELOW_LLOQ),
]


def test_the_line_is_not_drawn_through_samples_below_the_limit() -> None:
    runs = [[point.day for point in run] for run in quantified_runs(COURSE)]
    assert runs == [[3, 7, 9, 14, 28], [91, 182, 273]]


def test_a_sample_without_a_result_does_not_break_the_line() -> None:
    runs = list(quantified_runs([quantified(9, 10), FAILED, quantified(14, 5)]))
    assert [len(run) for run in runs] == [2]


def test_the_same_course_gives_the_same_bytes(tmp_path: Path) -> None:
    for kind in FORMATS:
        first, second = (draw_course(COURSE, tmp_path / f"{name}.{kind}", title="P1").read_bytes() for name in "ab")
        assert first == second


@pytest.mark.parametrize("width_mm", [COLUMN_MM, PAGE_MM])
def test_no_text_is_smaller_than_8_points_and_none_overlaps(width_mm: float) -> None:
    with figure_style():
        figure = course_figure([*COURSE, FAILED], title="P1: $x$ [bold]", width_mm=width_mm)
        assert smallest_font(figure) >= FONT_PT
        assert overlapping_texts(figure) == []


@pytest.mark.parametrize(
    "points",
    [
        [],
        [quantified(9, 1064)],
        [censored(0), censored(7)],
        [FAILED],
        [quantified(100, 5), quantified(200, 4)],
        [CoursePoint("P1", 3, "d3", car_result=CarResult.QUANTIFIED)],
    ],
    ids=["nothing", "one", "only undetected", "only failed", "only late", "percent only"],
)
def test_a_course_with_little_on_it_is_drawn_all_the_same(points: list[CoursePoint], tmp_path: Path) -> None:
    assert draw_course(points, tmp_path / "course.png").stat().st_size > 1000


def test_a_course_of_days_has_one_axis_and_one_of_months_has_two() -> None:
    with figure_style():
        assert len(course_figure(COURSE[:6]).axes) == 2
        assert len(course_figure(COURSE).axes) == 4


def test_the_peak_is_named() -> None:
    with figure_style():
        assert "1,064 on day 9" in {text.get_text() for text in shown_texts(course_figure(COURSE))}
