"""What the editor shows: the tree, the picture, the counts and thumbnails of all files, and what saving would do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import log10
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from cytocar.editor import draft as edits
from cytocar.editor.draft import ALL, ROLES, role_of
from cytocar.editor.saving import TemplateFile
from cytocar.editor.session import Bench, adapts
from cytocar.editor.tubes import Count
from cytocar.errors.tree import CytocarError
from cytocar.regions.boolean import BooleanGate
from cytocar.report.run.page import AxesDrawing
from cytocar.report.run.templating import page_environment
from cytocar.review.site import TEMPLATES as SHARED
from cytocar.template.model import Population

if TYPE_CHECKING:
    from cytocar.signals.scales import AnyScale

TEMPLATES = Path(__file__).parent / "templates"
TOOLS = {
    "rectangle": "two opposite corners",
    "range": "left and right end, along the x axis",
    "polygon": "click each corner, double-click the last",
    "ellipse": "two opposite corners of its box",
    "quadrant": "one click: four populations",
}
SLIDER_STEPS = {"W": (0.0, 2.0, 0.05), "T": (3.0, 7.0, 0.05)}
"""W in decades; T as its logarithm to base 10: from four-digit channels to spectral instruments."""


class Branch(Struct, frozen=True):
    """A population in the tree, and how deep it stands."""

    population: Population
    depth: int
    words: str
    role: str | None
    adapts: bool


class Slider(Struct, frozen=True):
    """A number of a scale that can be slid."""

    marker: str
    name: str
    low: float
    high: float
    step: float
    value: float
    words: str


class EditorPages:
    """The pages of one editor.

    Parameters
    ----------
    root : str
        Where they begin on this server: the secret part of the address.
    """

    def __init__(self, bench: Bench, file: TemplateFile, root: str) -> None:
        self.bench = bench
        self.file = file
        self.root = root
        self.environment = page_environment(TEMPLATES, SHARED)

    def first(self) -> str:
        """Return the whole page."""
        return self._filled("editor.html", **self._everything(), fragments=self.fragments())

    def ended(self) -> str:
        """Return the page of a closed editor."""
        return self._filled("editor-ended.html")

    def refused(self, error: CytocarError, *, stranger: bool = False) -> str:
        """Return a page for an error that leaves nothing else to show; a stranger is not told the address."""
        return self.environment.get_template("review-error.html").render(
            error=error, root="" if stranger else self.root, program="cytocar template edit", first="The editor"
        )

    def fragments(self) -> dict[str, str]:
        """Return the parts of the page that a change may touch, by the ids of their places."""
        everything = self._everything()
        return {
            name: self._filled(f"editor-{name}.html", **everything)
            for name in ("bar", "tree", "stage", "counts", "thumbs")
        }

    def counts(self, bench: Bench) -> str:
        """Return the table of counts of a bench, for a drag that is not let go yet."""
        return self._filled("editor-counts.html", bench=bench, branches=list(branches(bench)), counts=_counts(bench))

    def saving(self) -> str:
        """Return the changes that saving would write, in words, and the version proposed."""
        draft = self.bench.draft
        return self._filled(
            "editor-saving.html",
            difference=self.file.difference(draft),
            version=self.file.proposed_version(draft),
            has_gates=bool(draft.template.populations),
        )

    def _filled(self, template: str, **shown: object) -> str:
        return self.environment.get_template(template).render(
            root=self.root, file=self.file, status=self.file.status(), **shown
        )

    def _everything(self) -> dict[str, object]:
        bench = self.bench
        stage, place = bench.stage(), bench.place
        pictures = [bench.shown(number) for number in range(len(bench.tubes))]
        x, y = stage.sides
        return {
            "bench": bench,
            "place": place,
            "branches": list(branches(bench)),
            "taken": next((one for one in branches(bench) if one.population.name == place.gate), None),
            "asides": asides(bench, place.gate) if place.gate else [],
            "parts": parts_of(bench, place.gate) if place.gate else {},
            "gate_numbers": _gate_numbers(bench, place.gate) if place.gate else {},
            "switchable": bool(place.gate) and can_switch(bench, place.gate or ""),
            "roles": ROLES,
            "tools": TOOLS,
            "markers": {marker: self._label(marker) for marker in bench.template.panel},
            "axes": AxesDrawing("stage-axes", x, y, self._label(x.marker), self._label(y.marker) if y else ""),
            "pictures": pictures,
            "shown": pictures[place.tube],
            "outlines": [shown.picture.gates if shown.picture else () for shown in pictures],
            "grips": bench.grips(),
            "counts": _counts(bench),
            "sliders": list(_sliders(bench)),
            "unsaved": self.unsaved(),
        }

    def unsaved(self) -> bool:
        """True if the template differs from its file."""
        if self.file.saved is None:
            return bool(self.bench.template.populations)
        difference = self.file.difference(self.bench.draft)
        return difference is not None and bool(difference.changes)

    def _label(self, marker: str) -> str:
        """Return a channel as people write it: ``CD3 (FITC-A)``."""
        for tube in self.bench.tubes:
            if detector := tube.detector(marker, self.bench.template):
                return marker if detector == marker else f"{marker} ({detector})"
        return f"{marker} (not in the files)"


def branches(bench: Bench) -> Iterator[Branch]:
    """Yield the populations as a tree is read: each one, then its children."""
    yield from _below(bench, ALL, 0)


def _below(bench: Bench, parent: str, depth: int) -> Iterator[Branch]:
    for one in bench.template.populations:
        if one.parent == parent:
            role = role_of(bench.draft, one.name)
            yield Branch(one, depth, one.gate.words(), role, adapts(bench.template, one.name))
            yield from _below(bench, one.name, depth + 1)


def asides(bench: Bench, name: str) -> list[str]:
    """Return the populations that may be set aside before a gate: those above it in the file, but for its ancestors."""
    template = bench.template
    names = [one.name for one in template.populations]
    above = {parent := template.population(name).parent}
    while parent != ALL:
        above.add(parent := template.population(parent).parent)
    return [other for other in names[: names.index(name)] if other not in above]


def _gate_numbers(bench: Bench, name: str) -> dict[str, str]:
    numbers = edits.numbers_of(edits.entry(bench.draft.document, name)["gate"])
    return {number: f"{value:.12g}" for number, value in numbers.items()}


def parts_of(bench: Bench, name: str) -> dict[str, str]:
    """Return the list of a combination that each population stands in, empty for none; no entry for other gates."""
    gate = bench.template.population(name).gate
    if not isinstance(gate, BooleanGate):
        return {}
    lists = {"all_of": gate.all_of, "any_of": gate.any_of, "none_of": gate.none_of}
    return {
        other: next((key for key, names in lists.items() if other in names), "")
        for other in dict.fromkeys([*asides(bench, name), *gate.references()])
    }


def can_switch(bench: Bench, name: str) -> bool:
    """True if a gate may have another form."""
    return not isinstance(bench.template.population(name).gate, BooleanGate)


def _counts(bench: Bench) -> list[Mapping[str, Count]]:
    return [bench.counts(tube) for tube in bench.tubes]


def _sliders(bench: Bench) -> Iterator[Slider]:
    for marker in bench.stage().view.markers:
        scale: AnyScale = bench.template.scale(marker)
        width, top = getattr(scale, "W", None), scale.T
        if width is not None:
            low, high, step = SLIDER_STEPS["W"]
            decades = getattr(scale, "M", 2 * high)
            yield Slider(marker, "W", low, min(high, decades / 2), step, width, f"{width:g} decades around zero")
        if top:
            low, high, step = SLIDER_STEPS["T"]
            yield Slider(marker, "T", low, high, step, round(log10(top), 2), f"up to {top:,.0f}")
