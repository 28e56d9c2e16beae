"""``mine.report.html``: the gates of a fitted template as a run places them on the files that it was made from.

One row of pictures a gate, one picture a file, so that the eye runs along the files; evidence and reasons in words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from markupsafe import Markup
from msgspec import Struct

from cytocar.figures.gate_pictures.axis import PictureAxis
from cytocar.figures.gate_pictures.panels import Picture, draw_gate_pictures
from cytocar.figures.gate_pictures.views import View, views
from cytocar.fit.gated import FittedGate
from cytocar.fit.own_files import Look
from cytocar.fit.template import FittedTemplate
from cytocar.gates.populations import Populations
from cytocar.gates.walk import replay, walk
from cytocar.report.run.page import AxesDrawing, page_policy
from cytocar.report.run.templating import page_environment
from cytocar.signals.scales import LinearScale

FOLDER = Path(__file__).parent / "templates"
NEARLY_ALL, ROOM = 0.995, 1.15


class FilePicture(Struct, frozen=True):
    """The picture of one gate on one file, with the numbers under it."""

    file: str
    picture: Picture
    alt: str
    counts: tuple[str, ...]
    flags: tuple[str, ...]


class Row(Struct, frozen=True):
    """The pictures of one step of the gating, one a file."""

    axes: AxesDrawing
    view: View
    gates: tuple[FittedGate, ...]
    files: tuple[FilePicture, ...]


def fit_html(fitted: FittedTemplate, *, name: str, looks: Sequence[Look] = ()) -> str:
    """Return the page as one self-contained HTML file.

    Parameters
    ----------
    name : str
        Of the template's file.
    looks : sequence of Look
        What the template asks people to look at on these files.
    """
    environment = page_environment(FOLDER)
    style = Markup("\n".join((page_style(), (FOLDER / "fit.css").read_text("utf-8"))))  # noqa: S704 -- files of ours
    return environment.get_template("fit.html").render(
        name=name,
        fitted=fitted,
        looks=looks,
        study=fitted.study,
        rows=tuple(_rows(fitted)),
        style=style,
        policy=page_policy(style),
    )


def page_style() -> str:
    """Return the style sheet that all reports share."""
    from cytocar.report.run.templating import FOLDER as SHARED

    return (SHARED / "report.css").read_text("utf-8")


def _rows(fitted: FittedTemplate) -> Iterator[Row]:
    chosen = views(fitted.template)
    markers = tuple(dict.fromkeys(marker for view in chosen for marker in view.markers))
    axes = {marker: _axis(marker, fitted) for marker in markers}
    gates = {gate.population.name: gate for gate in fitted.study.gates}
    drawn = [_drawn(fitted, number, chosen, axes) for number in range(len(fitted.study.tubes))]
    for number, view in enumerate(chosen):
        y = axes[view.y] if view.y is not None else None
        yield Row(
            axes=AxesDrawing(f"ax{number}", axes[view.x], y, view.x, view.y or ""),
            view=view,
            gates=tuple(gates[population] for population in view.populations),
            files=tuple(pictures[number] for pictures in drawn),
        )


def _axis(marker: str, fitted: FittedTemplate) -> PictureAxis:
    """Return a marker's axis: a linear one without a top of its own ends above nearly all events."""
    scale = fitted.template.scale(marker)
    top = 1.0
    if isinstance(scale, LinearScale):
        tubes = fitted.study.tubes
        reached = max(float(np.quantile(tube.signals[marker], NEARLY_ALL)) for tube in tubes) * ROOM
        top = min(reached, max(tube.range_of(marker, scale) for tube in tubes))
    return PictureAxis.of(marker, scale, top=max(top, 1.0))


def _drawn(
    fitted: FittedTemplate, number: int, chosen: Sequence[View], axes: Mapping[str, PictureAxis]
) -> tuple[FilePicture, ...]:
    """Return the pictures of one file, its gates placed as a run places them."""
    tube = fitted.study.tubes[number]
    populations = walk(tube.events, fitted.template)
    drawing = draw_gate_pictures(replay(tube.events, fitted.template, populations.fitted), chosen, axes)
    return tuple(
        _with_numbers(tube.name, picture, view, populations)
        for picture, view in zip(drawing.pictures, chosen, strict=True)
    )


def _with_numbers(file: str, picture: Picture, view: View, populations: Populations) -> FilePicture:
    counts = tuple(_share(populations, name, view.parent) for name in view.populations)
    decisions = [one for one in populations.decisions if one.population in view.populations]
    flags = dict.fromkeys(str(flag) for decision in decisions for flag in decision.flags)
    against = f"{view.x} against {view.y}" if view.y is not None else f"Histogram of {view.x}"
    return FilePicture(file, picture, f"{file}: {against}, {', '.join(counts)} of {view.parent}", counts, tuple(flags))


def _share(populations: Populations, name: str, parent: str) -> str:
    events, of_events = populations[name].events, populations[parent].events
    return f"{name} {events:,}" + (f" ({100 * events / of_events:.3g} %)" if of_events else "")
