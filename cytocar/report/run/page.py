"""Fill the page: what the templates need, in one place, and the files that come of it.

The page allows itself one style sheet and one script, named by their hashes in its content policy, and nothing from
anywhere else. Jinja2 escapes all text. No clock: the same run gives the same bytes. What is seen on demand (samples,
pictures, the long table) stands in ``<template>`` elements, which a browser reads without drawing them; a page for the
printer has it all in the open.
"""

from __future__ import annotations

from base64 import b64encode
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path

from markupsafe import Markup
from msgspec import Struct
from msgspec.structs import asdict

from cytocar.errors.tree import counted
from cytocar.figures.gate_pictures.axis import PictureAxis
from cytocar.files.places import Place
from cytocar.files.source import FileState
from cytocar.report.run.contact import contact_sheet
from cytocar.report.run.courses import Courses, draw_courses
from cytocar.report.run.explained import Entry, glossary
from cytocar.report.run.methods import Item, methods, miflowcyt
from cytocar.report.run.metrics import Strip, strips
from cytocar.report.run.pictures import Gallery, SamplePictures, draw_run, galleries
from cytocar.report.run.plates import Measure, Plate, measures_of, plates
from cytocar.report.run.sections import SamplePage, sample_pages
from cytocar.report.run.source import FinishedRun, open_finished_run
from cytocar.report.run.strip import axes_id
from cytocar.report.run.templating import FOLDER, page_environment
from cytocar.report.run.worklist import Worklist, worklist
from cytocar.run.observer import NOBODY, Observer
from cytocar.run.trail.recorded import taken_unverified
from cytocar.run.workers import Workers
from cytocar.sample.result import Status
from cytocar.sheet.rows import SampleType, carried_columns
from cytocar.tables.columns import COUNTS, Column, Row, carried_column, day_text
from cytocar.template.lock import LockStatus
from cytocar.version import __version__

REPORT = "report.html"

SHOWN_FIRST = (
    "sample_id",
    "subject_id",
    "day",
    "well",
    "status",
    "car_per_ul",
    "car_per_ul_net",
    "car_percent_of_t_cells",
    "car_percent_net",
    "car_cd4_cd8_ratio",
    "cd4_cd8_ratio",
    "t_cells_per_ul",
    "viability_percent",
    "t_cell_events",
)
"""Columns of counts.csv that the short table shows, in this order; all columns stand in the long one."""

SHOWN_WITHOUT_CAR = (
    *SHOWN_FIRST[:5],
    "t_cell_events",
    "cd4_events",
    "cd8_events",
    "t_cell_percent_of_lymphocytes",
    "cd4_cd8_ratio",
    "t_cells_per_ul",
    "cd4_per_ul",
    "cd8_per_ul",
    "viability_percent",
)
"""The same where no template of the run has a CAR gate."""

_NET_FIRST = {
    "car_per_ul": "car_per_ul_net",
    "car_per_ul_net": "car_per_ul",
    "car_percent_of_t_cells": "car_percent_net",
    "car_percent_net": "car_percent_of_t_cells",
}

PACKED_FROM = 48
"""With more samples what stands about each is deflated until it is opened: 96 wells are 4.9 MB, and 5.7 without;
384 wells are 14.1 MB, and 17.2."""


class AxesDrawing(Struct, frozen=True):
    """The axes of one view, drawn once for all samples."""

    id: str
    x: PictureAxis
    y: PictureAxis | None
    x_label: str
    y_label: str


class Live(Struct, frozen=True):
    """That more samples will come: where from, what is waited for, and after how many seconds the page looks again."""

    folder: str
    seconds: int
    waiting: Sequence[str] = ()


class Frame(Struct, frozen=True):
    """What every page of a report has: the run, style and script, axes, and where each sample is found."""

    run: FinishedRun
    style: Markup
    script: Markup
    policy: str
    drawings: tuple[AxesDrawing, ...]
    places: Mapping[int, str]
    with_car: bool
    draft: bool
    unverified: Sequence[str]
    """What of the run is not what it recorded, and was taken all the same."""
    printable: bool
    packed: bool
    live: Live | None


class Overview(Struct, frozen=True):
    """What only the first page has."""

    pages: Sequence[SamplePage]
    opening: str
    statuses: Sequence[tuple[Status, int]]
    work: Worklist
    columns: Sequence[Column]
    shown_columns: Sequence[Column]
    rows: Sequence[tuple[int, Status, Row]]
    measures: Sequence[Measure]
    plates: Sequence[Plate]
    contact: Mapping[str, object]
    strips: Sequence[Strip]
    courses: Courses
    methods: Sequence[str]
    miflowcyt: Sequence[Item]
    glossary: Sequence[Entry]


def report_files(
    folder: Path,
    *,
    inputs: Place | None = None,
    workers: Workers | None = None,
    observer: Observer = NOBODY,
    live: Live | None = None,
    gated: bool = True,
) -> dict[str, bytes]:
    """Return ``report.html`` of a finished run, and for many samples the pages that it links to, by file name.

    Parameters
    ----------
    inputs : Path, optional
        Where the FCS files lie now, if they have moved; a sample whose file is not found has numbers and no pictures.
    workers : Workers, optional
        Draw the pictures; without them they are drawn here.
    observer : Observer
        Hears of each sample that is drawn.
    live : Live, optional
        The run still grows: the page says so and renews itself.
    gated : bool
        Whether counts as gated come first, or net ones.

    Raises
    ------
    UsageError, IntegrityError
        As ``open_finished_run``.
    """
    return drawn_report(folder, inputs=inputs, workers=workers, observer=observer, gated=gated).files(live=live)


class DrawnReport(Struct, frozen=True, eq=False):
    """A run with its pictures, before it is laid out: for the screen, for a printer, or both."""

    run: FinishedRun
    gallery_of: Mapping[str, Gallery]
    pages: Sequence[SamplePage]
    overview: Overview

    def files(self, *, live: Live | None = None) -> dict[str, bytes]:
        """Return the pages for a screen, by file name."""
        return self._rendered(printable=False, live=live)

    def printable_files(self) -> dict[str, bytes]:
        """Return the same pages for a printer: every sample open, a header and a number on each page."""
        return self._rendered(printable=True, live=None)

    def _rendered(self, *, printable: bool, live: Live | None) -> dict[str, bytes]:
        frame = _named(_frame(self.run, self.gallery_of, self.pages, printable=printable, live=live))
        environment = page_environment()
        samples = environment.get_template("samples.html")
        first = environment.get_template("report.html").render(frame, overview="", **_named(self.overview))
        return {REPORT: first.encode()} | {
            page.name: samples.render(frame, overview=REPORT, page=page).encode() for page in self.pages if page.name
        }


def drawn_report(
    folder: Path,
    *,
    inputs: Place | None = None,
    workers: Workers | None = None,
    observer: Observer = NOBODY,
    gated: bool = True,
    states: Mapping[str, FileState | None] | None = None,
) -> DrawnReport:
    """Return a finished run with its pictures; parameters and errors are those of ``report_files``.

    ``states`` are those of the files that the same command has just counted.
    """
    run = open_finished_run(folder, inputs=inputs, gated=gated)
    gallery_of = galleries(run)
    pictures = draw_run(run, gallery_of, workers, observer, states)
    without = [one.problem for one in pictures.values() if one.problem]
    if without:
        observer.note(f"{len(without)} of {len(pictures)} samples have no pictures: {without[0]}")
    pages = sample_pages(run, gallery_of, pictures)
    return DrawnReport(run, gallery_of, pages, _overview(run, gallery_of, pictures, pages, workers))


def _named(part: Frame | Overview) -> dict[str, object]:
    """Return a part by the names that the templates use."""
    return asdict(part)


# ---------------------------------------------------------------- what is on the pages


def _frame(
    run: FinishedRun,
    gallery_of: Mapping[str, Gallery],
    pages: Sequence[SamplePage],
    *,
    printable: bool,
    live: Live | None,
) -> Frame:
    style, script = ((FOLDER / name).read_text("utf-8") for name in ("report.css", "report.js"))
    draft = any(outcome.template.status is not LockStatus.LOCKED for outcome in run.outcomes)
    style += page_margins(run, draft=draft)
    return Frame(
        run=run,
        unverified=taken_unverified(),
        style=Markup(style),  # noqa: S704 -- our own file, and text that _css_text escapes
        script=Markup(script),  # noqa: S704
        policy=page_policy(style, script),
        drawings=tuple(axes_drawings(gallery_of.values())),
        places={section.number: f"{page.name}#s{section.number}" for page in pages for section in page.sections},
        with_car=any(template.report.car for template in run.templates.values()),
        draft=draft,
        printable=printable,
        packed=not printable and len(run.outcomes) > PACKED_FROM,
        live=live,
    )


def page_margins(run: FinishedRun, *, draft: bool) -> str:
    """What stands at the top and the foot of each printed page: run, template with hash, page of pages."""
    named = ", ".join(
        f"{loaded.template.name} {loaded.template.version} {loaded.sha256[:12]}"
        for loaded in run.plan.templates.values()
    )
    left, right = _css_text(run.name), _css_text(f"{'DRAFT · ' if draft else ''}template {named}")
    return (
        f"@page {{ @top-left {{ content: {left}; }} @top-right {{ content: {right}; }} "
        '@bottom-right { content: "page " counter(page) " of " counter(pages); } '
        f'@bottom-left {{ content: "cytocar {__version__} \\B7  research use, not for diagnosis"; }} }}\n'
    )


def _css_text(text: str) -> str:
    """Return text as a CSS string in which nothing ends the string or the style sheet.

    >>> _css_text('a"b</style>')
    '"a\\\\22 b\\\\3c \\\\2f style\\\\3e "'
    """
    return '"' + "".join(sign if sign.isalnum() or sign in " .,-_·" else f"\\{ord(sign):x} " for sign in text) + '"'


def axes_drawings(every: Iterable[Gallery]) -> Iterator[AxesDrawing]:
    """Yield the axes of every view of some galleries, named as their panels name them."""
    for number, gallery in enumerate(every):
        for place, view in enumerate(gallery.views):
            y = gallery.axes[view.y] if view.y is not None else None
            labels = gallery.label(view.x), gallery.label(view.y) if view.y is not None else ""
            yield AxesDrawing(axes_id(number, place), gallery.axes[view.x], y, *labels)


def page_policy(style: str, script: str = "") -> str:
    """Return a content policy that allows this style, this script and pictures inside the page, and nothing else."""
    scripts = f"script-src {_hash(script)}; " if script else ""
    return f"default-src 'none'; img-src data:; style-src {_hash(style)}; {scripts}base-uri 'none'; form-action 'none'"


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def _overview(
    run: FinishedRun,
    gallery_of: Mapping[str, Gallery],
    drawn: Mapping[str, SamplePictures],
    pages: Sequence[SamplePage],
    workers: Workers | None,
) -> Overview:
    statuses = Counter(outcome.status for outcome in run.outcomes)
    flags = {flag for result in run.counted for decision in result.decisions for flag in decision.flags}
    carried = carried_columns(outcome.sample for outcome in run.outcomes)
    every = (*COUNTS, *map(carried_column, carried))
    empty: Row = dict.fromkeys(carried)
    rows = [(number, outcome.status, {**empty, **run.row(outcome)}) for number, outcome in enumerate(run.outcomes)]
    acquisitions = (picture.acquisition for picture in drawn.values() if picture.acquisition is not None)
    by_name = {column.name: column for column in COUNTS}
    with_car = any(template.report.car for template in run.templates.values())
    shown = SHOWN_FIRST if with_car else SHOWN_WITHOUT_CAR
    first = shown if run.gated else tuple(_NET_FIRST.get(name, name) for name in shown)
    placed = plates(run.outcomes, gated=run.gated)
    return Overview(
        pages=pages,
        opening=opening(run, len(placed)),
        statuses=[(status, statuses[status]) for status in Status if statuses[status]],
        work=worklist(run.outcomes, {sha: gallery.views for sha, gallery in gallery_of.items()}),
        columns=every,
        shown_columns=[by_name[name] for name in first if any(row[name] is not None for _, _, row in rows)],
        rows=rows,
        measures=measures_of(gated=run.gated),
        plates=placed,
        contact=contact_sheet(pages, gallery_of, placed).as_data(),
        strips=tuple(strips([row for _, _, row in rows])),
        courses=draw_courses(run, workers),
        methods=methods(run),
        miflowcyt=miflowcyt(run, acquisitions),
        glossary=glossary(run.outcomes, flags),
    )


def opening(run: FinishedRun, n_plates: int) -> str:
    """What a run consists of, in a line."""
    samples = [outcome.sample for outcome in run.outcomes]
    subjects = {sample.subject_id for sample in samples if sample.subject_id}
    days = sorted(sample.day for sample in samples if sample.day is not None)
    controls = sum(1 for sample in samples if sample.sample_type is not SampleType.SAMPLE)
    parts = [counted(len(samples), "tube")]
    parts += [counted(n_plates, "plate")] if n_plates else []
    parts += [counted(len(subjects), "subject")] if subjects else []
    if days:
        first, last = day_text(days[0]), day_text(days[-1])
        parts.append(f"days {first} to {last}" if first != last else f"day {first}")
    parts += [f"{controls} of them controls"] if controls else []
    return " · ".join(parts)
