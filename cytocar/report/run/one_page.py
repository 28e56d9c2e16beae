"""The laboratory's report on one page: a subject's newest result with interval, limits, earlier results and curve."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from markupsafe import Markup
from msgspec import Struct

from cytocar.report.run.courses import Courses, draw_courses
from cytocar.report.run.explained import fix_of, title_of
from cytocar.report.run.page import page_margins, page_policy
from cytocar.report.run.source import FinishedRun, open_finished_run
from cytocar.report.run.templating import FOLDER, page_environment
from cytocar.report.run.worklist import WORST_FIRST
from cytocar.run.workers import Workers
from cytocar.sample.result import SampleOutcome, SampleResult
from cytocar.sheet.rows import SampleType
from cytocar.tables.columns import Row
from cytocar.template.lock import LockStatus

ONE_PAGE = "one-page.html"

EARLIER_ROWS = 6
"""Earlier results that fit the page below the curve; the course holds all."""


class Remark(Struct, frozen=True):
    """Something that a reader of the result must know."""

    code: str
    title: str
    message: str
    fix: str


class ResultPage(Struct, frozen=True):
    """One page: a subject's newest sample, others of its day, earlier ones, newest first, and the figure of its course.

    Of ``n_earlier`` samples of earlier days, ``earlier`` holds those for which the page has room.
    """

    outcome: SampleOutcome
    row: Row
    same_day: tuple[Row, ...]
    earlier: tuple[Row, ...]
    n_earlier: int
    remarks: tuple[Remark, ...]
    figure: str
    alt: str


def one_page_files(folder: Path, *, workers: Workers | None = None, gated: bool = True) -> dict[str, bytes]:
    """Return the one-page reports of a finished run as one HTML file, a printed page for each subject.

    A sample that names no subject has a page of its own; controls have none.

    Raises
    ------
    UsageError, IntegrityError
        As ``open_finished_run``.
    """
    run = open_finished_run(folder, gated=gated)
    pages = tuple(result_pages(run, draw_courses(run, workers, most=len(run.outcomes))))
    draft = any(outcome.template.status is not LockStatus.LOCKED for outcome in run.outcomes)
    style = (FOLDER / "one-page.css").read_text("utf-8") + page_margins(run, draft=draft)
    template = page_environment().get_template("one-page.html")
    shown = Markup(style)  # noqa: S704 -- our own file, and text that page_margins escapes
    filled = template.render(run=run, pages=pages, style=shown, policy=page_policy(style), draft=draft)
    return {ONE_PAGE: filled.encode()}


def result_pages(run: FinishedRun, courses: Courses) -> Iterator[ResultPage]:
    """Yield the pages in the order of the samples."""
    figures = {figure.subject_id: figure for figure in courses.figures}
    groups: dict[str, list[SampleOutcome]] = {}
    for outcome in run.outcomes:
        if outcome.sample.sample_type is SampleType.SAMPLE:
            key = (
                f"subject {outcome.sample.subject_id}"
                if outcome.sample.subject_id
                else f"tube {outcome.sample.sample_id}"
            )
            groups.setdefault(key, []).append(outcome)
    for group in groups.values():
        newest, *others = sorted(group, key=_by_day_and_stain, reverse=True)
        same_day = [one for one in others if one.sample.day is not None and one.sample.day == newest.sample.day]
        earlier = [one for one in others if one not in same_day]
        figure = figures.get(newest.sample.subject_id or "")
        yield ResultPage(
            outcome=newest,
            row=run.row(newest),
            same_day=tuple(map(run.row, same_day)),
            earlier=tuple(run.row(outcome) for outcome in earlier[:EARLIER_ROWS]),
            n_earlier=len(earlier),
            remarks=tuple(_remarks(newest)),
            figure=figure.svg if figure else "",
            alt=figure.alt if figure else "",
        )


def _by_day_and_stain(outcome: SampleOutcome) -> tuple[float, bool]:
    """The newest draw is the highest, in it the tubes that were stained for CAR."""
    day = outcome.sample.day if outcome.sample.day is not None else float("-inf")
    return day, isinstance(outcome, SampleResult) and outcome.car is not None


def _remarks(outcome: SampleOutcome) -> Sequence[Remark]:
    serious = [finding for finding in outcome.findings if finding.outcome in WORST_FIRST]
    return [Remark(each.code, title_of(each.code), each.message, fix_of(each)) for each in serious]
