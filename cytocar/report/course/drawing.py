"""Draws the figures of a course: those of each subject, side by side in processes, and those of all together."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from msgspec import Struct, field

from cytocar.course.clinical import ClinicalRecord
from cytocar.course.series import Course
from cytocar.figures.style import load_matplotlib
from cytocar.report.course.page import Picture
from cytocar.run.workers import process_pool, run_tasks

FEWEST_FOR_PROCESSES = 3
"""Subjects from which processes are worth their start."""


class Drawing(Struct, frozen=True):
    """How figures are drawn.

    ``shade`` names drugs whose days are shaded on every curve; ``also`` variables and ``populations`` with panels of
    their own; ``every_variable`` adds a sheet of all variables; ``window`` is the first and the last day of the acute
    figure; ``lines`` the thresholds that the user gave; ``formats`` are svg, pdf, png.
    """

    folder: Path
    shade: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    populations: tuple[str, ...] = ()
    every_variable: bool = False
    window: tuple[float, float] | None = None
    lines: Mapping[str, Sequence[float]] = field(default_factory=dict)
    formats: tuple[str, ...] = ("svg",)


class _Task(Struct, frozen=True):
    """The figures of one subject, or with several courses those of all together."""

    key: str
    courses: tuple[Course, ...]
    record: ClinicalRecord
    groups: Mapping[str, str]
    split: Mapping[str, str]
    drawing: Drawing


COHORT = ""
"""Key of the figures of all subjects: no subject has an empty name."""


def draw_all(
    courses: Sequence[Course],
    record: ClinicalRecord,
    drawing: Drawing,
    *,
    groups: Mapping[str, str] | None = None,
    split: Mapping[str, str] | None = None,
    cohort: bool = False,
) -> Iterator[tuple[str, tuple[Picture, ...] | None]]:
    """Yield each subject's pictures as they are finished, and with ``cohort`` those of all under ``COHORT``.

    Several are drawn at a time. ``None`` stands for pictures whose process was killed twice.
    """
    tasks = [_Task(one.subject_id, (one,), record.of(one.subject_id), {}, {}, drawing) for one in courses]
    if cohort:  # first: it takes longest
        tasks.insert(0, _Task(COHORT, tuple(courses), record, groups or {}, split or {}, drawing))
    workers = process_pool(0) if len(courses) >= FEWEST_FOR_PROCESSES else None
    if workers is not None:
        load_matplotlib()
    yield from run_tasks(_draw, tasks, workers, killed=lambda task: (task.key, None))


def _draw(task: _Task) -> tuple[str, tuple[Picture, ...] | None]:
    from cytocar.figures.style import figure_style

    with figure_style():
        if task.key == COHORT:
            return task.key, tuple(_cohort_pictures(task))
        return task.key, tuple(_pictures(task.courses[0], task.record, task.drawing))


def _pictures(course: Course, record: ClinicalRecord, drawing: Drawing) -> Iterator[Picture]:
    from cytocar.figures.course import course_figure
    from cytocar.figures.patient import acute_figure, has_long_term, long_term_figure
    from cytocar.figures.style import save_all
    from cytocar.figures.values_grid import grid_figures

    name, stem = course.subject_id, file_stem(course.subject_id)
    shaded = [one for one in record.interventions if one.name in drawing.shade]
    svg = save_all(
        course_figure(course.points, title=name, shaded=shaded), drawing.folder, f"{stem}_course", drawing.formats
    )
    yield Picture(svg, f"CAR-T cells/µL of {name} over time", "CAR-T cells/µL (log axis) over the whole course.")
    if record.values or record.interventions or drawing.populations or drawing.window:
        figure = acute_figure(
            course.points,
            record,
            title=name,
            shaded=drawing.shade,
            also=drawing.also,
            populations=drawing.populations,
            window=drawing.window,
            lines=drawing.lines,
        )
        svg = save_all(figure, drawing.folder, f"{stem}_acute", drawing.formats)
        days = "The first weeks" if drawing.window is None else f"Days {drawing.window[0]:g} to {drawing.window[1]:g}"
        yield Picture(svg, f"{days} of {name}", f"{days}: clinical values, CAR-T cells, grades, events and drugs.")
    if has_long_term(record, course.points):
        figure = long_term_figure(
            course.points,
            record,
            title=name,
            shaded=drawing.shade,
            also=drawing.also,
            populations=drawing.populations,
            lines=drawing.lines,
        )
        svg = save_all(figure, drawing.folder, f"{stem}_months", drawing.formats)
        yield Picture(svg, f"Months of {name}", "The months: blood counts, cells, and what was given then.")
    if drawing.every_variable:
        for number, figure in enumerate(grid_figures(record, title=name), start=1):
            svg = save_all(figure, drawing.folder, f"{stem}_values_{number}", drawing.formats)
            yield Picture(svg, f"All values of {name}, sheet {number}", "Every variable over time.")


def _cohort_pictures(task: _Task) -> Iterator[Picture]:
    """Write the figures of all subjects: curves with medians, split ones, and persistence with responses."""
    from cytocar.figures.cohort import cohort_figure, split_figure, swimmer_figure
    from cytocar.figures.style import save_all

    courses, groups, to = task.courses, task.groups, task.drawing
    svg = save_all(cohort_figure(courses, groups=groups), to.folder, "cohort", to.formats)
    caption = "Every subject's curve, with the median and the quartiles of each visit, and the peaks in order of size."
    yield Picture(svg, f"CAR-T cells/µL of {len(courses)} subjects", caption)
    if task.split:
        svg = save_all(split_figure(courses, task.split, groups=groups), to.folder, "cohort_split", to.formats)
        yield Picture(svg, "CAR-T cells/µL by group", "A panel for each group, on the same axes.")
    responses = [text for text in task.record.texts if text.variable == "response"]
    svg = save_all(swimmer_figure(courses, responses=responses, groups=groups), to.folder, "swimmer", to.formats)
    yield Picture(svg, "Persistence and response", "How long each subject was followed, how long cells lasted.")


def file_stem(subject_id: str) -> str:
    """Return a name for a subject's files that every file system takes, and that no other subject gets.

    Examples
    --------
    >>> file_stem("P01"), file_stem("P/1")
    ('P01', 'P_1-3fe61286')
    """
    readable = re.sub(r"[^A-Za-z0-9.-]+", "_", subject_id)[:60]
    if readable == subject_id and not subject_id.startswith("."):
        return subject_id
    return f"{readable.strip('._-') or 'subject'}-{hashlib.sha256(subject_id.encode()).hexdigest()[:8]}"
