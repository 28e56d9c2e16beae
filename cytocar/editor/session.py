"""What somebody does at the editor: look, draw, drag, name, undo, save and lock.

One request at a time. The server holds the template, the place that is looked at, and the files; the page shows them.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from msgspec import Struct, field
from msgspec.structs import replace

from cytocar.editor import draft as edits
from cytocar.editor.adapting import switched
from cytocar.editor.draft import ALL, Draft
from cytocar.editor.drawing import drawn_gate, quadrants
from cytocar.editor.grips import Grip, grips, moved
from cytocar.editor.stage import Stage
from cytocar.editor.tubes import FEWEST_SHOWN, Count, OpenTube, Trial, count_of, own_range
from cytocar.errors.tree import UsageError
from cytocar.figures.gate_pictures.axis import PictureAxis
from cytocar.figures.gate_pictures.drawn_gates import DrawnGate, drawn_gates
from cytocar.figures.gate_pictures.panels import Picture
from cytocar.figures.gate_pictures.views import View, views
from cytocar.gates.populations import Populations
from cytocar.regions.boolean import BooleanGate
from cytocar.regions.kinds import FixedGate
from cytocar.regions.polygon import PolygonGate
from cytocar.review.handles import Place
from cytocar.signals.scales import LinearScale
from cytocar.template.gate_kinds import SingletsGate
from cytocar.template.model import Population, Template

STEPS_KEPT = 200
"""Of undo: a template has fewer gates, and a draft is some kilobytes."""


class Standpoint(Struct, frozen=True):
    """Where one looks: whose events, on which axes, which gate is taken hold of, in which file, and how they are drawn.

    ``back`` is a population whose events are marked on the picture: back-gating.
    """

    parent: str = ALL
    x: str = ""
    y: str | None = None
    gate: str | None = None
    tube: int = 0
    dots: bool = False
    back: str = ""


class Shown(Struct, frozen=True):
    """The picture of one file: the view as it was possible, the events, and why they are others than asked for."""

    view: View
    picture: Picture | None
    instead: str = ""


class Bench(Struct, eq=False):
    """The template on the bench, its history, and the files.

    Attributes
    ----------
    problem : UsageError, optional
        What became of the last action, if it was not possible.
    """

    draft: Draft
    tubes: Sequence[OpenTube]
    place: Standpoint = field(default_factory=Standpoint)
    undone: list[tuple[Draft, Standpoint]] = field(default_factory=list)
    done: list[tuple[Draft, Standpoint]] = field(default_factory=list)
    at_work: threading.RLock = field(default_factory=threading.RLock)
    _axes: dict[tuple[str, ...], PictureAxis] = field(default_factory=dict)
    _trial: Trial | None = None

    def __post_init__(self) -> None:
        if not self.place.x:
            first = next(iter(self.draft.template.populations), None)
            self.place = self._place_of(first.name) if first is not None else self._default_place(ALL)

    @property
    def template(self) -> Template:
        """The template as it stands."""
        return self.draft.template

    # ------------------------------------------------------------ looking

    def look(
        self,
        *,
        x: str | None = None,
        y: str | None = None,
        tube: int | None = None,
        dots: bool | None = None,
        back: str | None = None,
    ) -> None:
        """Look at other axes (an empty ``y``: a histogram), another file, or otherwise; see ``Standpoint``."""
        place = self.place
        if back:
            edits.position(self.draft.document, back)
        for marker in (x, y):
            if marker and marker not in self.template.panel:
                raise UsageError(f"there is no channel {marker!r}", code="E221", hint="load the page again")
        if tube is not None and not 0 <= tube < len(self.tubes):
            raise UsageError("there is no such file", code="E221", hint="load the page again")
        new_y = place.y if y is None else (y or None)
        new_x = x or place.x
        if new_x == new_y:  # the axes are exchanged
            new_x, new_y = (new_x, place.x) if x else (place.y or new_x, new_y)
        self.place = replace(
            place,
            x=new_x,
            y=new_y,
            tube=place.tube if tube is None else tube,
            dots=place.dots if dots is None else dots,
            back=place.back if back is None else back,
        )

    def take(self, name: str) -> None:
        """Take hold of a population's gate, on its own picture; one on the present picture stays there."""
        population = self.draft.template.population(edits.entry(self.draft.document, name)["name"])
        markers = set(population.gate.markers())
        here = {self.place.x, self.place.y} - {None}
        if population.parent == self.place.parent and markers and markers <= here:
            self.place = replace(self.place, gate=name)
        else:
            self.place = self._place_of(name)

    def enter(self, name: str) -> None:
        """Look at the events of a population, on the axes of its first child, or else on those of the last picture."""
        if name != ALL:
            edits.position(self.draft.document, name)
        child = next((one for one in self.template.populations if one.parent == name and one.gate.markers()), None)
        if child is not None:
            self.place = replace(self._place_of(child.name), gate=None)
        else:
            self.place = replace(self.place, parent=name, gate=None)

    def _place_of(self, name: str) -> Standpoint:
        """Return the place where a gate is seen best: on the picture that a report has of it."""
        population = self.template.population(name)
        view = next((one for one in views(self.template) if name in one.populations), None)
        if view is None:
            return (
                replace(self.place, parent=population.parent, gate=name)
                if self.place.x
                else self._default_place(population.parent)
            )
        return replace(self.place, parent=population.parent, x=view.x, y=view.y, gate=name)

    def _default_place(self, parent: str) -> Standpoint:
        """Return scatter, or else the first two channels."""
        names = list(self.template.panel)
        first = next((name for name in names if name.casefold().startswith("fsc")), names[0])
        others = [name for name in names if name != first]
        second = next((name for name in others if name.casefold().startswith("ssc")), others[0] if others else None)
        return replace(self.place, parent=parent, x=first, y=second, gate=None)

    # ------------------------------------------------------------ pictures and counts

    def axis(self, marker: str) -> PictureAxis:
        """Return a marker's axis over the range of its events; a linear one over those of the parent that is shown."""
        scale = self.template.scale(marker)
        linear = isinstance(scale, LinearScale) and self.place.parent != ALL
        way = [repr(one) for one in self._way_to(self.place.parent)] if linear else []
        key = (marker, repr(scale), *way)
        if key not in self._axes:
            masks = [self._mask(tube) if linear else None for tube in self.tubes]
            self._axes[key] = own_range(marker, self.template, self.tubes, masks)
        return self._axes[key]

    def _way_to(self, name: str) -> Iterator[Population]:
        while name != ALL:
            population = self.template.population(name)
            yield population
            name = population.parent

    def _mask(self, tube: OpenTube) -> npt.NDArray[np.bool_] | None:
        """Return the events of the parent that is shown, None for all: of a file that cannot be counted, or too few."""
        populations = self.gated(tube)
        if populations is None or self.place.parent not in populations:
            return None
        population = populations[self.place.parent]
        return population.mask if population.events >= FEWEST_SHOWN else None

    def stage(self) -> Stage:
        """Return the picture that is worked on."""
        place = self.place
        on = {place.x, place.y} - {None}
        siblings = [one for one in self.template.populations if one.parent == place.parent]
        seen = tuple(one.name for one in siblings if set(one.gate.markers()) & on)
        taken = next((one for one in siblings if one.name == place.gate), None)
        exclude = taken.exclude if taken is not None else ()
        view = View(place.parent, exclude, place.x, place.y, seen)
        axes = {marker: self.axis(marker) for marker in view.markers}
        return Stage(view, axes, self.template, self._single_line(taken) if taken is not None else ())

    def _single_line(self, population: Population) -> list[tuple[float, float]]:
        """Return the line of single events of the file that is shown, where the gate is one of single events."""
        if not isinstance(population.gate, SingletsGate):
            return []
        populations = self.gated(self.tubes[self.place.tube])
        gate = populations.fitted.get(population.name) if populations is not None else None
        if populations is None or not isinstance(gate, PolygonGate):
            return []
        lowest = next(
            (
                one.value
                for one in populations.decisions
                if (one.population, one.parameter) == (population.name, "ratio_min")
            ),
            None,
        )
        if not lowest:
            return []
        edge = [gate.vertices[1]]  # the lower edge: areas rise along it, the upper one leads back
        for area, pulse in gate.vertices[2:]:
            if area <= edge[-1][0] or pulse == edge[-1][1]:
                break
            edge.append((area, pulse))
        of_height = population.gate.height is not None
        return [(area, pulse / lowest if of_height else pulse * lowest) for area, pulse in edge]

    def shown(self, number: int) -> Shown:
        """Return the picture of a file; of an empty population, that of the nearest ancestor that has events."""
        stage, tube = self.stage(), self.tubes[number]
        view, instead = stage.view, ""
        populations = self.gated(tube)
        if populations is not None and view.parent not in populations:
            return Shown(view, None, f"{view.parent} is left out here: the file lacks a marker")
        if populations is not None and populations[view.parent].events == 0:
            while view.parent != ALL and populations[view.parent].events == 0:
                view = replace(view, parent=self.template.population(view.parent).parent, exclude=())
            instead = f"{stage.view.parent} is empty here: these are the events of {view.parent}"
        picture = tube.picture(self.template, view, stage.axes, dots=self.place.dots, back=self.marked)
        return Shown(view, picture, instead)

    @property
    def marked(self) -> str:
        """The population whose events are marked on the picture: the one chosen, else a combination taken hold of."""
        taken = self.place.gate
        combined = taken is not None and isinstance(self.template.population(taken).gate, BooleanGate)
        return self.place.back or (taken if combined and taken else "")

    def gated(self, tube: OpenTube) -> Populations | None:
        """Return the populations of a file; None where it cannot be counted."""
        return tube.gated(self.template, self._trial)

    def counts(self, tube: OpenTube) -> Mapping[str, Count]:
        """Return the counts of every population of a file; nothing where it cannot be counted."""
        populations = self.gated(tube)
        if populations is None:
            return {}
        return {name: count_of(populations, name) for name in populations if name != ALL}

    def grips(self) -> tuple[Grip, ...]:
        """Return the grips of the gate that is taken hold of."""
        if self.place.gate is None or self.place.gate not in self.stage().view.populations:
            return ()
        return grips(self.template.population(self.place.gate).gate, self.stage())

    def outlines(self, tube: OpenTube) -> tuple[DrawnGate, ...]:
        """Return the gates of the picture as they lie on a file."""
        stage, populations = self.stage(), self.gated(tube)
        if populations is None:
            return ()
        return tuple(drawn_gates(stage.view, populations.fitted, stage.axes))

    # ------------------------------------------------------------ gates

    def draw(self, tool: str, points: Sequence[Place], name: str = "") -> None:
        """Add what was drawn below the population that is looked at, and take hold of it."""
        stage, document = self.stage(), self.draft.document
        under = {"parent": self.place.parent}
        if tool == "quadrant":
            gates = {edits.free_name(document, one): gate for one, gate in quadrants(points[0], stage).items()}
        else:
            gates = {edits.free_name(document, name.strip() or "gate"): drawn_gate(tool, points, stage)}
        added: list[dict[str, Any]] = [{"name": one, **under, "gate": gate} for one, gate in gates.items()]
        self.change(edits.add(self.draft, added))
        self.place = replace(self.place, gate=added[0]["name"])

    def drag(self, handle: str, to: Place) -> Draft:
        """Return the draft with a grip of the gate that is taken hold of at another place; nothing is kept yet."""
        name = self.place.gate
        grip = next((one for one in self.grips() if one.handle.id == handle), None)
        if name is None or grip is None:
            raise UsageError("there is nothing to drag here", code="E221", hint="choose a gate in the tree first")
        gate = moved(self.template.population(name).gate, grip, to, self.stage())
        before = edits.entry(self.draft.document, name)["gate"]
        draft = edits.set_gate(self.draft, name, gate)
        if gate["kind"] == "quadrant":  # the four corners of a quadrant move together
            for one in self.draft.document["populations"]:
                if one["name"] != name and _same_quadrant(one["gate"], before):
                    draft = edits.set_gate(draft, one["name"], {**gate, "keep": one["gate"]["keep"]})
        return draft

    def trial(self, draft: Draft) -> Bench:
        """Return a bench on which a draft can be looked at, beside this one; gates that it leaves alone stay put."""
        before = {one["name"]: one for one in self.draft.document["populations"]}
        changed = {one["name"] for one in draft.document["populations"] if before.get(one["name"]) != one}
        hanging = {name for one in changed for name in edits.under(draft.document, one)}
        trial = Trial(self.template, frozenset(before.keys() - hanging))
        return Bench(draft, self.tubes, self.place, _axes=self._axes, _trial=trial)

    def combine(self, name: str) -> None:
        """Add a population made of others, at first of one alone, and take hold of it."""
        parent = edits.entry(self.draft.document, name).get("parent", ALL)
        new = edits.free_name(self.draft.document, "combined")
        gate = {"kind": "boolean", "all_of": [name]}
        self.change(edits.add(self.draft, [{"name": new, "parent": parent, "gate": gate}]))
        self.place = replace(self.place, parent=parent, gate=new)

    def switch(self, name: str) -> None:
        """Turn a fixed gate into one that adapts, or back."""
        tube = self.tubes[self.place.tube]
        gate = self.template.population(name).gate
        fitted = tube.fitted(self.template, name)
        self.change(edits.set_gate(self.draft, name, switched(gate, fitted, list(self.template.panel))))

    def rename(self, name: str, new: str) -> None:
        """Give a population another name."""
        self.change(edits.rename(self.draft, name, new))
        place, stripped = self.place, new.strip()
        parent = stripped if place.parent == name else place.parent
        back = stripped if place.back == name else place.back
        self.place = replace(place, parent=parent, gate=stripped if place.gate == name else place.gate, back=back)

    def delete(self, name: str) -> None:
        """Take a population away, with all that hangs on it."""
        gone = edits.under(self.draft.document, name)
        parent = edits.entry(self.draft.document, name).get("parent", ALL)
        self.change(edits.delete(self.draft, name))
        place = self.place
        self.place = replace(
            place,
            parent=parent if place.parent in gone else place.parent,
            gate=None if place.gate in gone else place.gate,
            back="" if place.back in gone else place.back,
        )

    def set_scale(self, marker: str, numbers: Mapping[str, float]) -> None:
        """Change numbers of the scale of a marker's axis."""
        scale = self.template.scale(marker).present()
        self.change(edits.set_scale(self.draft, marker, {**scale, **numbers}))

    def saved_as(self, version: str) -> None:
        """Note that the template was saved: names are those of the file, and the version is; undo leaves both."""
        document = {**self.draft.document, "version": version}
        self.draft = Draft.of(document)

    def accepted_as(self, saved: Template) -> None:
        """Note that doubts were accepted in the file: undo does not take that back."""
        self.saved_as(saved.version)
        doubts = [doubt.beyond_defaults() for doubt in saved.doubts]

        def accepted(draft: Draft) -> Draft:
            return Draft.of({**draft.document, "doubts": doubts}, draft.names)

        self.draft = accepted(self.draft)
        self.done, self.undone = (
            [(accepted(one), place) for one, place in steps] for steps in (self.done, self.undone)
        )

    # ------------------------------------------------------------ history

    def change(self, draft: Draft) -> None:
        """Take a new draft for the present one; the one before can be had back."""
        self.done.append((self.draft, self.place))
        del self.done[:-STEPS_KEPT]
        self.undone.clear()
        self.draft = draft

    def undo(self) -> None:
        """Go back by one change."""
        if self.done:
            self.undone.append((self.draft, self.place))
            self.draft, self.place = self.done.pop()

    def redo(self) -> None:
        """Make a change again that was undone."""
        if self.undone:
            self.done.append((self.draft, self.place))
            self.draft, self.place = self.undone.pop()


def _same_quadrant(gate: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return gate["kind"] == "quadrant" and {**gate, "keep": ""} == {**other, "keep": ""}


def adapts(template: Template, name: str) -> bool:
    """True if a population's gate is placed by each file's data."""
    return not isinstance(template.population(name).gate, FixedGate)
