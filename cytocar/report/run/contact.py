"""What the script of the page needs to lay one gate of every sample side by side: names, wells and shares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct, to_builtins

from cytocar.report.run.pictures import Gallery
from cytocar.report.run.plates import Plate
from cytocar.report.run.sections import SamplePage
from cytocar.report.run.strip import GateCaption
from cytocar.sample.result import SampleResult


class ContactSample(Struct, frozen=True):
    """One sample of the contact sheet; ``shares`` has a text for each picture of its template."""

    number: int
    sample_id: str
    status: str
    gallery: int
    shares: tuple[str, ...]
    plate: int | None
    row: int | None
    column: int | None


class ContactSheet(Struct, frozen=True):
    """The pictures that can be chosen, by gallery, the one that is shown first, and the samples that have them."""

    views: tuple[tuple[str, ...], ...]
    first: int
    columns: tuple[int, ...]
    samples: tuple[ContactSample, ...]

    def as_data(self) -> dict[str, object]:
        """Return the sheet as plain data, for the page's script."""
        return dict(to_builtins(self))


def contact_sheet(
    pages: Sequence[SamplePage], gallery_of: Mapping[str, Gallery], plates: Sequence[Plate]
) -> ContactSheet:
    """Return the contact sheet of a page; without samples where pictures are on pages of their own."""
    numbers = {sha: number for number, sha in enumerate(gallery_of)}
    places = {
        well.number: (at, row, column)
        for at, plate in enumerate(plates)
        for row, (_, wells) in enumerate(plate.rows)
        for column, well in enumerate(wells)
        if well is not None
    }
    samples = []
    for section in (section for page in pages if not page.name for section in page.sections):
        if not isinstance(section.outcome, SampleResult) or not section.drawn.pictures:
            continue
        own = [panel for panel in section.panels if not panel.control]
        shares = tuple(", ".join(map(_share, panel.captions)) or "not in this panel" for panel in own)
        plate, row, column = places.get(section.number, (None, None, None))
        sample_id, status = section.outcome.sample.sample_id, str(section.outcome.status)
        gallery = numbers[section.outcome.template.sha256]
        samples.append(ContactSample(section.number, sample_id, status, gallery, shares, plate, row, column))
    views = tuple(
        tuple(f"{' and '.join(view.populations)} ({view.x}{f', {view.y}' if view.y else ''})" for view in gallery.views)
        for gallery in gallery_of.values()
    )
    chosen = next(iter(gallery_of.values())).views if gallery_of else ()
    first = next((number for number, view in enumerate(chosen) if view.car), len(chosen) - 1)
    return ContactSheet(views, first, tuple(plate.columns for plate in plates), tuple(samples))


def _share(caption: GateCaption) -> str:
    return f"{caption.population} {caption.percent} %" if caption.percent else f"{caption.population}: no event"
