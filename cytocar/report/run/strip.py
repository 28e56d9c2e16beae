"""The gating strip of one sample: each picture with its gates, their numbers, and where their thresholds came from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from cytocar.figures.gate_pictures.panels import Picture
from cytocar.figures.gate_pictures.views import View
from cytocar.gates.decision import Decision, Source
from cytocar.regions.boolean import BooleanGate
from cytocar.report.run.pictures import Gallery, SamplePictures
from cytocar.sample.result import SampleResult
from cytocar.tables.columns import cell
from cytocar.template.model import Template

SOURCES: Mapping[Source, str] = {
    Source.FIXED: "fixed by the template",
    Source.VALLEY: "valley of this sample",
    Source.REFERENCE: "placed by control samples",
    Source.SINGLETS: "line of single events of this sample",
    Source.CLUSTER: "cluster of this sample",
    Source.FALLBACK: "template's fallback",
    Source.OVERRIDE: "set by a person",
}
"""What a reader is told about where a number came from."""

MANY_NUMBERS = 4
"""A gate of more numbers than this, such as a polygon, is seen on its picture and listed in gates.csv only."""


class Threshold(Struct, frozen=True):
    """A number of a gate on a picture, ready to print."""

    parameter: str
    value: str
    source: Source
    window: str
    flags: tuple[str, ...]

    @property
    def origin(self) -> str:
        """Where the number came from, in words."""
        return SOURCES[self.source]


class GateCaption(Struct, frozen=True):
    """A gate's numbers, as the tables print them."""

    population: str
    events: str
    of_events: str
    percent: str
    parent: str
    thresholds: tuple[Threshold, ...]


class StripPicture(Struct, frozen=True):
    """One picture of a strip with all that stands around it.

    ``axes_id`` names the axes, which the page holds once for all samples; ``picture_id`` names a picture that the page
    holds once because several samples show it (a control's).
    """

    number: int
    view: View
    axes_id: str
    picture: Picture | None
    captions: tuple[GateCaption, ...]
    control: str = ""
    picture_id: str = ""

    @property
    def alt(self) -> str:
        """The picture in words, with its numbers."""
        axes = f"{self.view.x} against {self.view.y}" if self.view.y is not None else f"Histogram of {self.view.x}"
        whose = f"control {self.control}" if self.control else "events"
        sentences = [f"{axes}, {whose} of {self.view.parent}."]
        sentences += [_in_words(caption) for caption in self.captions]
        return " ".join(sentences)


def _in_words(caption: GateCaption) -> str:
    share = f"{caption.percent} % of {caption.parent}" if caption.percent else f"no event in {caption.parent}"
    limits = "".join(
        f"; {threshold.parameter} {threshold.value}, {threshold.origin}" for threshold in caption.thresholds
    )
    return f"{caption.population}: {caption.events} events, {share}{limits}."


class Combination(Struct, frozen=True):
    """A population that other populations define, in words and numbers."""

    caption: GateCaption
    rule: str


def axes_id(gallery_number: int, view_number: int) -> str:
    """Return the name of a view's axes on the page."""
    return f"ax{gallery_number}-{view_number}"


def picture_id(sample_number: int) -> str:
    """Return the name of a control's picture on the page."""
    return f"control{sample_number}"


def panels(
    result: SampleResult,
    gallery: Gallery,
    gallery_number: int,
    drawn: SamplePictures,
    controls: Mapping[str, tuple[int, Picture]],
) -> Iterator[StripPicture]:
    """Yield a sample's panels; a control stands right after the sample's own picture of the CAR gate.

    Parameters
    ----------
    controls : mapping
        Number on the page and picture of the CAR gate of each control, by sample_id.
    """
    for number, view in enumerate(gallery.views):
        picture = drawn.pictures[number] if drawn.pictures else None
        gated = [name for name in view.populations if result.population(name) is not None]
        captions = tuple(_caption(name, view, result, gallery.template) for name in gated)
        yield StripPicture(number + 1, view, axes_id(gallery_number, number), picture, captions)
        if not view.car or picture is None:
            continue
        for control_id in result.control_ids[:1]:
            if control_id in controls:
                place, events = controls[control_id]
                borrowed = Picture(events.events, events.png, events.contours, events.dots, gates=picture.gates)
                yield StripPicture(
                    number + 1,
                    view,
                    axes_id(gallery_number, number),
                    borrowed,
                    (),
                    control=control_id,
                    picture_id=picture_id(place),
                )


def combinations(result: SampleResult, template: Template) -> Iterator[Combination]:
    """Yield the populations that other populations define."""
    for population in template.populations:
        if isinstance(population.gate, BooleanGate) and result.population(population.name) is not None:
            gate = population.gate
            parts = (("all of", gate.all_of), ("any of", gate.any_of), ("none of", gate.none_of))
            rule = ", ".join(f"{words} {', '.join(names)}" for words, names in parts if names)
            yield Combination(_numbers(population.name, result, ()), rule)


def _caption(population: str, view: View, result: SampleResult, template: Template) -> GateCaption:
    decisions = [decision for decision in result.decisions if decision.population == population]
    shown = [decision for decision in decisions if _belongs(decision, view, template)]
    if len(shown) > MANY_NUMBERS:
        shown = [decision for decision in shown if decision.flags or decision.source is not Source.FIXED]
    return _numbers(population, result, tuple(_threshold(decision) for decision in shown[:MANY_NUMBERS]))


def _belongs(decision: Decision, view: View, template: Template) -> bool:
    """True if a number of a gate is about an axis of the picture, or about none in particular."""
    named = [marker for marker in template.panel if decision.parameter.startswith((f"{marker} ", f"center_{marker}"))]
    return not named or max(named, key=len) in view.markers


def _threshold(decision: Decision) -> Threshold:
    window = " to ".join(map(cell, decision.window)) if decision.window else ""
    return Threshold(decision.parameter, cell(decision.value), decision.source, window, decision.flags)


def _numbers(name: str, result: SampleResult, thresholds: Sequence[Threshold]) -> GateCaption:
    count = next(population for population in result.populations if population.name == name)
    return GateCaption(
        population=name,
        events=cell(count.events),
        of_events=cell(count.of_events),
        percent=cell(count.percent_of_parent.value),
        parent=count.parent,
        thresholds=tuple(thresholds),
    )
