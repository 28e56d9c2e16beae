"""Courses of one subject from a few numbers, and courses without their figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from cytocar.counting.limits import CarResult
from cytocar.course.series import Course, CoursePoint
from cytocar.report.course import folder as folder_of_course
from cytocar.report.course.drawing import COHORT
from cytocar.report.course.page import Picture
from cytocar.statistics.estimate import Estimate


def course_of(*counts: tuple[float, float | None]) -> Course:
    """Return a course of (day, CAR-T cells/µL); None could not be evaluated, 0 was not detected below a limit of 1."""
    results: dict[float | None, CarResult] = {None: CarResult.NOT_EVALUABLE, 0: CarResult.NOT_DETECTED}
    points = (
        CoursePoint(
            "P1",
            day,
            f"d{day:g}",
            car_result=results.get(value, CarResult.QUANTIFIED),
            car_per_ul=Estimate(value or 0.1, 0.8 * (value or 0.1), 1.25 * (value or 0.1)),
            car_lod_per_ul=1.0,
        )
        for day, value in counts
    )
    return Course("P1", tuple(points))


def draw_no_figures(patch: pytest.MonkeyPatch) -> None:
    """Leave out the figures of courses, most of their time, where a test looks at tables and words alone."""

    def drawn(courses: Sequence[Course], *_: object, **__: object) -> Iterator[tuple[str, tuple[Picture, ...]]]:
        yield from ((name, ()) for name in (COHORT, *(course.subject_id for course in courses)))

    patch.setattr(folder_of_course, "draw_all", drawn)
