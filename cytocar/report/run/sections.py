"""The part of the report that is about single samples: what stands about each, and on which page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice

from msgspec import Struct

from cytocar.figures.gate_pictures.panels import Picture
from cytocar.report.run.pictures import Gallery, SamplePictures
from cytocar.report.run.source import FinishedRun
from cytocar.report.run.strip import Combination, StripPicture, combinations, panels
from cytocar.sample.result import SampleOutcome, SampleResult
from cytocar.tables.columns import Row

SAMPLES_A_PAGE = 400
"""A plate of 384 wells is one page; a run of more samples has its gates on pages of their own."""


class SampleSection(Struct, frozen=True):
    """One sample's part of a page."""

    number: int
    outcome: SampleOutcome
    row: Row
    panels: tuple[StripPicture, ...]
    combinations: tuple[Combination, ...]
    populations: tuple[Row, ...]
    drawn: SamplePictures


class SamplePage(Struct, frozen=True):
    """A file that holds the gates of some samples; ``name`` is empty where they are on the report's own page."""

    name: str
    sections: tuple[SampleSection, ...]
    control_pictures: Mapping[str, Picture]

    @property
    def title(self) -> str:
        """The samples on it."""
        first, last = self.sections[0].number + 1, self.sections[-1].number + 1
        return f"Samples {first} to {last}"


def sample_pages(
    run: FinishedRun, gallery_of: Mapping[str, Gallery], drawn: Mapping[str, SamplePictures]
) -> tuple[SamplePage, ...]:
    """Return the samples of a run in parts that a browser opens at once; a single part has no file of its own."""
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
            yield SampleSection(number, outcome, run.row(outcome), (), (), (), nothing)
            continue
        sha = outcome.template.sha256
        pictures = drawn.get(outcome.sample.sample_id, nothing)
        strip = panels(outcome, gallery_of[sha], numbers[sha], pictures, controls.get(sha, {}))
        yield SampleSection(
            number,
            outcome,
            run.row(outcome),
            tuple(strip),
            tuple(combinations(outcome, run.templates[sha])),
            tuple(outcome.population_rows()),
            pictures,
        )


def _control_pictures(
    run: FinishedRun, gallery_of: Mapping[str, Gallery], drawn: Mapping[str, SamplePictures]
) -> Mapping[str, Mapping[str, tuple[int, Picture]]]:
    """Return, by template and sample_id, each sample's number and picture of the CAR gate, for use as a control."""
    by_control: dict[str, dict[str, tuple[int, Picture]]] = {}
    for number, outcome in enumerate(run.outcomes):
        pictures = drawn.get(outcome.sample.sample_id)
        sha = outcome.template.sha256
        if pictures is None or not pictures.pictures:
            continue
        for view, picture in zip(gallery_of[sha].views, pictures.pictures, strict=True):
            if view.car:
                by_control.setdefault(sha, {})[outcome.sample.sample_id] = (number, picture)
    return by_control
