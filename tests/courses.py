"""Courses of one subject from a few numbers."""

from __future__ import annotations

from cytocar.counting.limits import CarResult
from cytocar.course.series import Course, CoursePoint
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
