"""Curves of many subjects: split into panels, coloured by groups, persistence with responses."""

from __future__ import annotations

from matplotlib.patches import Rectangle

from cytocar.counting.limits import CarResult
from cytocar.course.clinical import ClinicalText
from cytocar.course.series import Course, CoursePoint
from cytocar.figures.cohort import cohort_figure, split_figure, swimmer_figure
from cytocar.figures.style import GREY, GROUP_COLOURS, figure_style
from cytocar.statistics.estimate import Estimate


def course(subject: str, *counts: tuple[float, float]) -> Course:
    return Course(
        subject,
        tuple(
            CoursePoint(
                subject,
                day,
                f"{subject}{day}",
                car_result=CarResult.QUANTIFIED if per_ul else CarResult.NOT_DETECTED,
                car_per_ul=Estimate(per_ul, per_ul / 1.1, per_ul * 1.1),
                car_lod_per_ul=0.3,
                car_lloq_per_ul=0.5,
            )
            for day, per_ul in counts
        ),
    )


COURSES = [course(f"P{n}", (3, 10 + n), (9, 100 + 10 * n), (28, 5 if n % 2 else 0)) for n in range(8)]
ARMS = {f"P{n}": "AB"[n % 2] for n in range(8)}
SITES = {f"P{n}": ("Basel", "Bern")[n > 3] for n in range(7)}


def test_each_group_has_a_panel_and_colours_are_those_of_another_column() -> None:
    with figure_style():
        figure = split_figure(COURSES, SITES, groups=ARMS)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["Basel (n = 4)", "Bern (n = 3)"]
    assert len({axes.get_ylim() for axes in figure.axes}) == 1
    colours = [line.get_color() for line in figure.axes[1].lines if line.get_linewidth() == 0.8]
    assert colours == [GROUP_COLOURS[0], GROUP_COLOURS[1], GROUP_COLOURS[0]]  # P4, P5, P6


def test_subjects_without_a_group_are_grey_and_named_so() -> None:
    with figure_style():
        figure = cohort_figure(COURSES, groups=SITES)
        alone = cohort_figure(COURSES)
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts[:3] == ["without a group", "Basel (n = 4)", "Bern (n = 3)"]
    assert [line.get_color() for line in figure.axes[0].lines].count(GREY) == 2  # P7, and its mark in the legend
    assert alone.legends[0].get_texts()[0].get_text() == "subjects"


def test_a_swimmer_lane_shows_follow_up_persistence_and_the_response_in_words() -> None:
    responses = [ClinicalText("P1", 28, "response", "CR"), ClinicalText("P0", 28, "response", "NR")]
    with figure_style():
        figure = swimmer_figure(COURSES[:2], responses=responses)
    (axes,) = figure.axes
    drawn = [bar for bar in axes.patches if isinstance(bar, Rectangle)]
    bars = {(round(bar.get_y() + bar.get_height() / 2), bar.get_width()) for bar in drawn}
    assert bars == {(0, 28), (0, 9), (1, 28)}  # P0 lost its cells after day 9, P1 had them to the end
    assert [text.get_text() for text in axes.texts] == ["NR", "CR"]
    assert [line.get_marker() for line in axes.lines].count(">") == 1
