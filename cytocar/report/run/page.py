"""Fill the page: what the templates need, in one place, and the files that come of it.

The page allows itself one style sheet and one script, named by their hashes in its content policy, and nothing from
anywhere else. Jinja2 escapes all text. No clock: the same run gives the same bytes.
"""

from __future__ import annotations

from base64 import b64encode
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from hashlib import sha256
from itertools import chain
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from cytocar.figures.gate_pictures.axis import PictureAxis
from cytocar.figures.gate_pictures.panels import SIZE, TIME_HEIGHT, TIME_WIDTH
from cytocar.files.places import Place
from cytocar.report.run.attention import Concern, Entry, concerns, fix_of, glossary
from cytocar.report.run.courses import Courses, draw_courses
from cytocar.report.run.methods import Item, methods, miflowcyt
from cytocar.report.run.pictures import Gallery, SamplePictures, draw_run, galleries
from cytocar.report.run.plates import MEASURES, Plate, plates
from cytocar.report.run.sections import SamplePage, sample_pages
from cytocar.report.run.source import FinishedRun, open_finished_run
from cytocar.report.run.strip import axes_id
from cytocar.run.observer import NOBODY, Observer
from cytocar.run.workers import Workers
from cytocar.sample.result import Status
from cytocar.sheet.rows import carried_columns
from cytocar.tables.columns import COUNTS, POPULATIONS, Column, Row, carried_column, cell
from cytocar.template.lock import LockStatus
from cytocar.version import __version__

REPORT = "report.html"

SHOWN_FIRST = (
    "sample_id",
    "subject_id",
    "day",
    "well",
    "status",
    "car_report",
    "car_per_ul",
    "car_per_ul_low",
    "car_per_ul_high",
    "car_percent_of_t_cells",
    "car_percent_net",
    "cd4_cd8_ratio",
    "car_cd4_cd8_ratio",
    "t_cells_per_ul",
    "viability_percent",
    "t_cell_events",
    "car_events",
)
"""Columns of counts.csv that are shown at first, in this order; the others, and empty ones, on request."""

MARGIN_LEFT, MARGIN_TOP = 70, 6
"""Room for an axis and its numbers, in the units of a picture."""

FOLDER = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class AxesDrawing:
    """The axes of one view, drawn once for all samples."""

    id: str
    x: PictureAxis
    y: PictureAxis | None


@dataclass(frozen=True, slots=True)
class Frame:
    """What every page of a report has: the run, style and script, axes, and where each sample is found."""

    run: FinishedRun
    style: Markup
    script: Markup
    policy: str
    drawings: tuple[AxesDrawing, ...]
    places: Mapping[int, str]
    with_car: bool
    draft: bool


@dataclass(frozen=True, slots=True)
class Overview:
    """What only the first page has."""

    pages: Sequence[SamplePage]
    statuses: Sequence[tuple[Status, int]]
    concerns: Sequence[Concern]
    columns: Sequence[tuple[Column, bool]]
    rows: Sequence[tuple[int, Status, Row]]
    plates: Sequence[Plate]
    courses: Courses
    methods: Sequence[str]
    miflowcyt: Sequence[Item]
    glossary: Sequence[Entry]


def report_files(
    folder: Path, *, inputs: Place | None = None, workers: Workers | None = None, observer: Observer = NOBODY
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

    Raises
    ------
    UsageError, IntegrityError
        As ``open_finished_run``.
    """
    run = open_finished_run(folder, inputs=inputs)
    gallery_of = galleries(run)
    drawn = draw_run(run, gallery_of, workers, observer)
    pages = sample_pages(run, gallery_of, drawn)
    frame = _named(_frame(run, gallery_of, pages))
    overview = _named(_overview(run, drawn, pages, workers))
    environment = page_environment()
    samples = environment.get_template("samples.html")
    first = environment.get_template("report.html").render(frame, overview="", **overview)
    return {REPORT: first.encode()} | {
        page.name: samples.render(frame, overview=REPORT, page=page).encode() for page in pages if page.name
    }


def _named(part: Frame | Overview) -> dict[str, object]:
    """Return a part by the names that the templates use."""
    return {field.name: getattr(part, field.name) for field in fields(part)}


# ---------------------------------------------------------------- what is on the pages


def _frame(run: FinishedRun, gallery_of: Mapping[str, Gallery], pages: Sequence[SamplePage]) -> Frame:
    style, script = ((FOLDER / name).read_text("utf-8") for name in ("report.css", "report.js"))
    return Frame(
        run=run,
        style=Markup(style),  # noqa: S704 -- our own file
        script=Markup(script),  # noqa: S704
        policy=_policy(style, script),
        drawings=tuple(axes_drawings(gallery_of.values())),
        places={section.number: f"{page.name}#s{section.number}" for page in pages for section in page.sections},
        with_car=any(template.report.car for template in run.templates.values()),
        draft=any(outcome.template.status is not LockStatus.LOCKED for outcome in run.outcomes),
    )


def axes_drawings(every: Iterable[Gallery]) -> Iterator[AxesDrawing]:
    """Yield the axes of every view of some galleries, named as their panels name them."""
    for number, gallery in enumerate(every):
        for place, view in enumerate(gallery.views):
            y = gallery.axes[view.y] if view.y is not None else None
            yield AxesDrawing(axes_id(number, place), gallery.axes[view.x], y)


def _policy(style: str, script: str) -> str:
    """Return a content policy that allows this style, this script and pictures inside the page, and nothing else."""
    hashes = [f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'" for text in (style, script)]
    return (
        f"default-src 'none'; img-src data:; style-src {hashes[0]}; script-src {hashes[1]}; "
        "base-uri 'none'; form-action 'none'"
    )


def _overview(
    run: FinishedRun, drawn: Mapping[str, SamplePictures], pages: Sequence[SamplePage], workers: Workers | None
) -> Overview:
    statuses = Counter(outcome.status for outcome in run.outcomes)
    flags = {flag for result in run.counted for decision in result.decisions for flag in decision.flags}
    carried = carried_columns(outcome.sample for outcome in run.outcomes)
    every = (*COUNTS, *map(carried_column, carried))
    empty: Row = dict.fromkeys(carried)
    rows = [(number, outcome.status, {**empty, **outcome.row()}) for number, outcome in enumerate(run.outcomes)]
    filled = [column for column in COUNTS if any(row[column.name] is not None for _, _, row in rows)]
    acquisitions = (found.acquisition for found in drawn.values() if found.acquisition is not None)
    return Overview(
        pages=pages,
        statuses=[(status, statuses[status]) for status in Status if statuses[status]],
        concerns=concerns(run.outcomes),
        columns=_ordered([column for name in SHOWN_FIRST for column in filled if column.name == name], every),
        rows=rows,
        plates=plates(run.outcomes),
        courses=draw_courses(run, workers),
        methods=methods(run),
        miflowcyt=miflowcyt(run, acquisitions),
        glossary=glossary(run.outcomes, flags),
    )


def _ordered(main: Sequence[Column], every: Iterable[Column]) -> list[tuple[Column, bool]]:
    """Return all columns, those that are shown at first in front, each with whether it is one of these."""
    names = {column.name for column in main}
    return [(column, column.name in names) for column in chain(main, (one for one in every if one.name not in names))]


# ---------------------------------------------------------------- jinja


def page_environment(*folders: Path) -> Environment:
    """Return what fills templates: those of the report, and of these folders, whose names go first."""
    environment = Environment(
        loader=FileSystemLoader([*folders, FOLDER], encoding="utf-8"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["cell"] = cell
    environment.filters["fix"] = fix_of
    environment.filters["words"] = lambda text: str(text).replace("_", " ")
    environment.globals.update(
        version=__version__,
        measures=MEASURES,
        population_columns=POPULATIONS,
        SIZE=SIZE,
        LEFT=MARGIN_LEFT,
        TOP=MARGIN_TOP,
        TIME=(TIME_WIDTH, TIME_HEIGHT),
    )
    return environment
