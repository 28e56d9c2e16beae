"""The courses of a run's subjects: the CAR-T curve over days as a picture, and the same numbers in words."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from tempfile import TemporaryDirectory

from msgspec import Struct

from cytocar.counting.limits import CarResult
from cytocar.course.series import Course, CoursePoint, join
from cytocar.errors.tree import UsageError
from cytocar.report.run.numbers import people
from cytocar.report.run.source import FinishedRun
from cytocar.run.workers import Workers, run_tasks
from cytocar.tables.columns import cell, day_text

MOST_COURSES = 12
"""A page holds so many curves; those of a large cohort are drawn by ``cytocar series``."""

FEW_COURSES = 3
"""So many are drawn before a worker process has loaded matplotlib."""


class CourseFigure(Struct, frozen=True):
    """One subject's curve: an SVG in base64, and what it shows in words."""

    subject_id: str
    svg: str
    alt: str
    summary: str


class Courses(Struct, frozen=True):
    """The curves that are drawn, and how many subjects have one that is not."""

    figures: tuple[CourseFigure, ...] = ()
    more: int = 0


def draw_courses(run: FinishedRun, workers: Workers | None = None, *, most: int = MOST_COURSES) -> Courses:
    """Return the curves of subjects with samples of several days; none where the samples name no subject and day."""
    try:
        courses = [course for course in join([run.path], gated=run.gated).courses if _has_a_course(course)]
    except UsageError:
        return Courses()
    chosen = courses[:most]
    drawn = run_tasks(_figure, chosen, workers if len(chosen) > FEW_COURSES else None, killed=_killed)
    figures = {figure.subject_id: figure for figure in drawn if figure is not None}
    in_order = tuple(figures[course.subject_id] for course in chosen if course.subject_id in figures)
    return Courses(in_order, len(courses) - len(in_order))


def _has_a_course(course: Course) -> bool:
    """True if a subject has numbers of several days: crosses alone are no curve."""
    return len({point.day for point in course.points if point.car_per_ul.value is not None}) > 1


def _killed(_course: Course) -> None:
    return None


def _figure(course: Course) -> CourseFigure | None:
    from cytocar.figures.course import draw_course

    with TemporaryDirectory(prefix="cytocar-") as folder:
        svg = draw_course(course.points, Path(folder) / "course.svg").read_bytes()
    alt = f"CAR-T cells/µL of {course.subject_id}: " + "; ".join(map(_in_words, course.points))
    return CourseFigure(course.subject_id, b64encode(svg).decode(), alt, _summary(course))


def _in_words(point: CoursePoint) -> str:
    if point.car_result is CarResult.QUANTIFIED:
        return f"day {day_text(point.day)}: {cell(point.car_per_ul.value)}"
    return f"day {day_text(point.day)}: {point.car_result.replace('_', ' ')}"


def _summary(course: Course) -> str:
    kinetics = course.kinetics()
    sentences = []
    if kinetics.cmax_per_ul is not None:
        sentences.append(f"highest {people(kinetics.cmax_per_ul)} cells/µL on day {day_text(kinetics.tmax_day or 0.0)}")
    if kinetics.tlast_day is not None:
        sentences.append(f"last quantified on day {day_text(kinetics.tlast_day)}")
    return "; ".join([*sentences, f"{kinetics.n_quantified} of {kinetics.n_timepoints} time points quantified"])
