"""Fill the page: what the templates need, in one place, and the files that come of it.

The page allows itself one style sheet and one script, named by their hashes in its content policy, and nothing from
anywhere else. Jinja2 escapes all text. No clock: the same run gives the same bytes.
"""

from __future__ import annotations

from base64 import b64encode
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import chain, islice
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from cytocar import __version__
from cytocar.figures.panels import SIZE, TIME_HEIGHT, TIME_WIDTH, Picture
from cytocar.report.attention import concerns, fix_of, glossary, title_of
from cytocar.report.courses import draw_courses
from cytocar.report.methods import methods, miflowcyt
from cytocar.report.pictures import Gallery, SamplePictures, draw_run, galleries
from cytocar.report.plates import MEASURES, SHADES, plates
from cytocar.report.source import FinishedRun, open_finished_run
from cytocar.report.strip import Combination, Panel, axes_id, axes_of, combinations, panels, picture_id
from cytocar.results import Counted, SampleResult, Status
from cytocar.run import Workers
from cytocar.tables import COUNTS, POPULATIONS, Column, Row, cell

REPORT = "report.html"
SAMPLES_A_PAGE = 96
"""A run of more samples has its gates on pages of their own."""

MARGIN_LEFT, MARGIN_TOP = 70, 6
"""Room for an axis and its numbers, in the units of a picture."""

_FOLDER = Path(__file__).parent / "templates"

HEADINGS = {
    "sample_id": "sample",
    "subject_id": "subject",
    "day": "day",
    "well": "well",
    "status": "status",
    "car_report": "CAR-T cells/µL",
    "car_per_ul": "estimate cells/µL",
    "car_per_ul_low": "95 % from",
    "car_per_ul_high": "to",
    "car_percent_of_t_cells": "CAR+ % of T cells",
    "car_percent_net": "net %",
    "cd4_cd8_ratio": "CD4/CD8 of T cells",
    "car_cd4_cd8_ratio": "CD4/CD8 of CAR-T",
    "t_cells_per_ul": "T cells/µL",
    "viability_percent": "viable %",
    "t_cell_events": "T-cell events",
    "car_events": "CAR+ events",
}
"""Columns of counts.csv that are shown at first, with their headings; the others, and empty ones, on request."""

MARGIN_LEFT, MARGIN_TOP = 70, 6
"""Room for an axis and its numbers, in the units of a picture."""

_FOLDER = Path(__file__).parent / "templates"

MAIN_COLUMNS = (
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
"""Columns of counts.csv that are shown at first; the others on request."""


@dataclass(frozen=True, slots=True)
class SampleSection:
    """One sample's part of a page."""

    number: int
    outcome: Counted
    row: Row
    panels: tuple[Panel, ...]
    combinations: tuple[Combination, ...]
    populations: tuple[Row, ...]
    drawn: SamplePictures


@dataclass(frozen=True, slots=True)
class AxesDrawing:
    """The axes of one view, drawn once for all samples."""

    id: str
    x: Any
    y: Any


@dataclass(frozen=True, slots=True)
class SamplePage:
    """A file that holds the gates of some samples; ``name`` is empty where they are on the report's own page."""

    name: str
    sections: tuple[SampleSection, ...]
    control_pictures: Mapping[str, Picture]

    @property
    def title(self) -> str:
        """The samples on it."""
        first, last = self.sections[0].number + 1, self.sections[-1].number + 1
        return f"Samples {first} to {last}"


def report_files(folder: Path, *, inputs: Path | None = None, workers: Workers | None = None) -> dict[str, bytes]:
    """Return ``report.html`` of a finished run, and for many samples the pages that it links to, by file name.

    Parameters
    ----------
    inputs : Path, optional
        Where the FCS files lie now, if they have moved; a sample whose file is not found has numbers and no pictures.
    workers : Workers, optional
        Draw the pictures; without them they are drawn here.

    Raises
    ------
    UsageError, IntegrityError
        As ``open_finished_run``.
    """
    run = open_finished_run(folder, inputs=inputs)
    gallery_of = galleries(run)
    drawn = draw_run(run, gallery_of, workers)
    pages = _sample_pages(run, gallery_of, drawn)
    shared = _shared(run, gallery_of, pages)
    environment = _environment()
    overview = environment.get_template("report.html").render(
        shared, overview="", **_overview(run, drawn, pages, workers)
    )
    samples = environment.get_template("samples.html")
    return {REPORT: overview.encode()} | {
        page.name: samples.render(shared, overview=REPORT, page=page).encode() for page in pages if page.name
    }


# ---------------------------------------------------------------- what is on the pages


def _sample_pages(
    run: FinishedRun, gallery_of: Mapping[str, Gallery], drawn: Mapping[str, SamplePictures]
) -> tuple[SamplePage, ...]:
    sections = _sections(run, gallery_of, drawn)
    total = len(run.outcomes)
    pages = []
    for start in range(0, total, SAMPLES_A_PAGE):
        own = tuple(islice(sections, SAMPLES_A_PAGE))
        end = start + len(own)
        name = "" if total <= SAMPLES_A_PAGE else f"report-samples-{start + 1:04}-{end:04}.html"
        borrowed = {panel.picture_id: panel.picture for section in own for panel in section.panels if panel.picture_id}
        pages.append(SamplePage(name, own, {key: picture for key, picture in borrowed.items() if picture is not None}))
    return tuple(pages)


def _sections(
    run: FinishedRun, gallery_of: Mapping[str, Gallery], drawn: Mapping[str, SamplePictures]
) -> Iterator[SampleSection]:
    numbers = {sha: number for number, sha in enumerate(gallery_of)}
    controls = _control_pictures(run, gallery_of, drawn)
    for number, outcome in enumerate(run.outcomes):
        nothing = SamplePictures(outcome.sample.sample_id)
        if not isinstance(outcome, SampleResult):
            yield SampleSection(number, outcome, outcome.row(), (), (), (), nothing)
            continue
        sha = outcome.template.sha256
        pictures = drawn.get(outcome.sample.sample_id, nothing)
        strip = panels(outcome, gallery_of[sha], numbers[sha], pictures, controls.get(sha, {}))
        yield SampleSection(
            number,
            outcome,
            outcome.row(),
            tuple(strip),
            tuple(combinations(outcome, run.templates[sha])),
            tuple(outcome.population_rows()),
            pictures,
        )


def _control_pictures(
    run: FinishedRun, gallery_of: Mapping[str, Gallery], drawn: Mapping[str, SamplePictures]
) -> Mapping[str, Mapping[str, tuple[int, Picture]]]:
    """Return, by template and sample_id, each sample's number and picture of the CAR gate, for use as a control."""
    found: dict[str, dict[str, tuple[int, Picture]]] = {}
    for number, outcome in enumerate(run.outcomes):
        pictures = drawn.get(outcome.sample.sample_id)
        sha = outcome.template.sha256
        if pictures is None or not pictures.pictures:
            continue
        for view, picture in zip(gallery_of[sha].views, pictures.pictures, strict=True):
            if view.car:
                found.setdefault(sha, {})[outcome.sample.sample_id] = (number, picture)
    return found


def _shared(run: FinishedRun, gallery_of: Mapping[str, Gallery], pages: Sequence[SamplePage]) -> dict[str, Any]:
    """Return what every page needs: identity, style, script, axes, and where each sample is found."""
    style, script = ((_FOLDER / name).read_text("utf-8") for name in ("report.css", "report.js"))
    drawings = [
        AxesDrawing(axes_id(number, place), *axes_of(view, gallery.axes))
        for number, gallery in enumerate(gallery_of.values())
        for place, view in enumerate(gallery.views)
    ]
    places = {section.number: f"{page.name}#s{section.number}" for page in pages for section in page.sections}
    return {
        "run": run,
        "version": __version__,
        "style": Markup(style),  # noqa: S704 -- our own file
        "script": Markup(script),  # noqa: S704
        "policy": _policy(style, script),
        "drawings": drawings,
        "places": places,
        "with_car": any(template.report.car for template in run.templates.values()),
        "draft": any(outcome.template.status != "locked" for outcome in run.outcomes),
        "SIZE": SIZE,
        "LEFT": MARGIN_LEFT,
        "TOP": MARGIN_TOP,
        "TIME": (TIME_WIDTH, TIME_HEIGHT),
        "population_columns": POPULATIONS,
        "picture_id": picture_id,
    }


def _policy(style: str, script: str) -> str:
    """Return a content policy that allows this style, this script and pictures inside the page, and nothing else."""
    hashes = [f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'" for text in (style, script)]
    return (
        f"default-src 'none'; img-src data:; style-src {hashes[0]}; script-src {hashes[1]}; "
        "base-uri 'none'; form-action 'none'"
    )


def _overview(
    run: FinishedRun, drawn: Mapping[str, SamplePictures], pages: Sequence[SamplePage], workers: Workers | None
) -> dict[str, Any]:
    statuses = Counter(outcome.status for outcome in run.outcomes)
    flags = {flag for result in run.counted for decision in result.decisions for flag in decision.flags}
    rows = [(number, outcome.status, outcome.row()) for number, outcome in enumerate(run.outcomes)]
    filled = [column for column in COUNTS if any(row[column.name] is not None for _, _, row in rows)]
    main = [column for name in HEADINGS for column in filled if column.name == name]
    return {
        "pages": pages,
        "statuses": [(status, statuses[status]) for status in Status if statuses[status]],
        "concerns": concerns(run.outcomes),
        "columns": _ordered(main, COUNTS),
        "rows": rows,
        "plates": plates(run.outcomes),
        "measures": MEASURES,
        "headings": HEADINGS,
        "shades": range(SHADES),
        "courses": draw_courses(run, workers),
        "methods": methods(run),
        "miflowcyt": miflowcyt(run, (found.acquisition for found in drawn.values() if found.acquisition is not None)),
        "glossary": glossary(run.outcomes, flags),
    }


def _ordered(main: Sequence[Column], every: Iterable[Column]) -> list[tuple[Column, bool]]:
    """Return all columns, those that are shown at first in front, each with whether it is one of these."""
    names = {column.name for column in main}
    return [(column, column.name in names) for column in chain(main, (one for one in every if one.name not in names))]


# ---------------------------------------------------------------- jinja


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_FOLDER, encoding="utf-8"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["cell"] = cell
    environment.filters["fix"] = fix_of
    environment.filters["title_of"] = title_of
    environment.filters["words"] = lambda text: str(text).replace("_", " ")
    return environment
