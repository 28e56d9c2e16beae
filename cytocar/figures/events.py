"""``cytocar plot``: two channels of some files, or one gate of a template, on the data's own scale."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from cytocar.errors.tree import PanelError, UsageError
from cytocar.fcs.events import Channel, EventTable
from cytocar.fcs.reader import open_fcs
from cytocar.figures.gate_pictures.axis import PictureAxis
from cytocar.figures.gate_pictures.outline import Outline, outline
from cytocar.figures.gate_pictures.views import View, views
from cytocar.figures.style import BLUE, FORMATS, INK, figure_style, new_figure, save
from cytocar.files.places import place_of
from cytocar.files.whole import require_writable
from cytocar.fit.axes import stain_scale_of
from cytocar.fit.names import alias_book, candidates, is_fluorescence, pulse_of
from cytocar.fit.tubes import own_matrix, signal_of, size_of_negatives, top_of_scale
from cytocar.gates.walk import Populations, walk
from cytocar.signals.scales import AnyScale, LinearScale
from cytocar.template.load import load_template
from cytocar.template.model import Template

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = npt.NDArray[np.float64]

PANEL_MM = 62.0
MOST_COLUMNS = 4
CELLS = 160
FEW_EVENTS = 2000
"""Up to here events are drawn as dots: a density of so few says nothing."""
NEARLY_ALL, ROOM = 0.995, 1.1


class Cloud(Struct, frozen=True, eq=False):
    """What one panel shows: signals on two axes, gates, and its name."""

    name: str
    x: Floats
    y: Floats
    outlines: tuple[Outline, ...] = ()


def plot(
    files: Sequence[str | Path | EventTable] | str | Path | EventTable,
    x: str | None = None,
    y: str | None = None,
    *,
    template: str | Path | Template | None = None,
    population: str | None = None,
    out: str | Path | None = None,
) -> Figure:
    """Return a picture of two channels, or of one gate, of one or several files.

    Parameters
    ----------
    files : path, EventTable, or several
        Each becomes a panel.
    x, y : str, optional
        Markers or detectors; with a template and a population the gate's own axes without them.
    template : str, Path or Template, optional
        Whose gates, scales and markers are used.
    population : str, optional
        With ``x`` and ``y`` whose events are drawn; alone the gate that is drawn on its parent's events.
    out : str or Path, optional
        Where to save it, as PNG, SVG or PDF.

    Raises
    ------
    UsageError
        E108 if ``out`` cannot be written, E210 if it is not clear what to draw.
    PanelError
        E211 if no channel, or several, go by a name.
    """
    picture = None if out is None else Path(out)
    if picture is not None:
        if picture.suffix.lstrip(".").lower() not in FORMATS:
            raise UsageError(f"{out} is no picture that can be written", code="E210", hint="name it .png, .svg or .pdf")
        require_writable(picture)
    given = [files] if isinstance(files, str | Path | EventTable) else files
    tables = [one if isinstance(one, EventTable) else open_fcs(place_of(str(one))) for one in given]
    if not tables:
        raise UsageError("no file to draw", code="E210", hint="cytocar plot FILE -x CD3 -y CD4 -o plot.png")
    if template is None:
        clouds, axes = _channels(tables, x, y)
    else:
        chosen = template if isinstance(template, Template) else load_template(template)
        clouds, axes = _gated(tables, chosen, x, y, population)
    with figure_style():
        figure = _drawn(clouds, axes)
        if picture is not None:
            picture.parent.mkdir(parents=True, exist_ok=True)
            save(figure, picture)
    return figure


def _needed(x: str | None, y: str | None) -> tuple[str, str]:
    if x is None or y is None:
        raise UsageError(
            "two channels are needed, -x and -y",
            code="E210",
            hint="-x CD3 -y CD4, or a gate of a template: -t TEMPLATE -g POPULATION",
        )
    return x, y


def _named(table: EventTable) -> str:
    return table.path.name if table.path is not None else "events"


# ---------------------------------------------------------------- channels as the file has them


def _channels(
    tables: Sequence[EventTable], x: str | None, y: str | None
) -> tuple[list[Cloud], tuple[PictureAxis, PictureAxis]]:
    names = _needed(x, y)
    signals = [[compensated_signal(table, name) for name in names] for table in tables]
    axes = tuple(
        _axis(name, [columns[place] for columns in signals], [find_channel(table, name) for table in tables])
        for place, name in enumerate(names)
    )
    clouds = [Cloud(_named(table), one[0], one[1]) for table, one in zip(tables, signals, strict=True)]
    return clouds, (axes[0], axes[1])


def find_channel(table: EventTable, name: str) -> Channel:
    """Return the channel that goes by a name: its detector, its label, or a marker that its label names."""
    wanted = name.strip().casefold()
    channels = table.channels
    by_marker = {marker.casefold(): hits for marker, hits in candidates(channels, alias_book()).items()}
    ways: tuple[Sequence[Channel], ...] = (
        [channel for channel in channels if channel.detector.strip().casefold() == wanted],
        [channel for channel in channels if (channel.marker or "").strip().casefold() == wanted],
        by_marker.get(wanted, ()),
        [channel for channel in channels if pulse_of(channel) and channel.detector.casefold().startswith(wanted)],
    )
    for hits in ways:
        if len(hits) == 1:
            return hits[0]
    listed = ", ".join(f"{one.detector} ({one.marker})" if one.marker else one.detector for one in table.channels)
    raise PanelError(
        f"{_named(table)} has no one channel that goes by {name!r}\n  channels: {listed}",
        code="E211",
        hint="name a detector of the list",
    )


def compensated_signal(table: EventTable, name: str) -> Floats:
    """Return the signal of a channel that goes by a name, through the file's own matrix if it has one."""
    channel = find_channel(table, name)
    matrix = own_matrix(table)
    if matrix is None or matrix.row(channel.detector) is None:
        return table.column(channel)
    needed = [one for one in table.channels if one.detector in matrix.detectors]
    columns = table.columns(needed)
    return signal_of(channel, matrix, dict(zip(needed, columns.T, strict=True)))


def _axis(name: str, signals: Sequence[Floats], channels: Sequence[Channel]) -> PictureAxis:
    together = np.concatenate([values[np.isfinite(values)] for values in signals])
    channel = channels[0]
    same = all(other.detector == channel.detector for other in channels)
    shown = f"{name} ({channel.detector})" if same and channel.detector != name else name
    scale: AnyScale = LinearScale()
    if is_fluorescence(channel):
        scale = stain_scale_of(top_of_scale({channel: together}), size_of_negatives({name: together}))
    return PictureAxis.of(shown, scale, top=_top(together))


def _top(values: Floats) -> float:
    return max(float(np.quantile(values, NEARLY_ALL)) * ROOM, 1.0) if len(values) else 1.0


# ---------------------------------------------------------------- a template's gates


def _gated(
    tables: Sequence[EventTable], template: Template, x: str | None, y: str | None, population: str | None
) -> tuple[list[Cloud], tuple[PictureAxis, PictureAxis]]:
    view = _view(template, x, y, population)
    gated = [walk(table, template) for table in tables]
    for table, populations in zip(tables, gated, strict=True):
        lacking = [one for one in (view.parent, population or view.parent) if one not in populations]
        if lacking:
            raise UsageError(
                f"{_named(table)} has not the markers of {lacking[0]}",
                code="E210",
                hint="leave the file out, or name its channels in the template",
            )
    signals = [_of_view(populations, view) for populations in gated]
    axes = tuple(
        PictureAxis.of(marker, template.scale(marker), top=_top(np.concatenate([one[place] for one in signals])))
        for place, marker in enumerate(view.markers)
    )
    clouds = []
    for table, populations, columns in zip(tables, gated, signals, strict=True):
        known = [name for name in view.populations if name in populations]
        lines = (outline(name, populations.fitted[name], axes[0], axes[1]) for name in known)
        shares = ", ".join(f"{name} {populations[name].events:,}" for name in known)
        name = "\n".join(filter(None, (_named(table), shares or f"{view.parent} {populations[view.parent].events:,}")))
        clouds.append(Cloud(name, columns[0], columns[1], tuple(line for line in lines if line is not None)))
    return clouds, (axes[0], axes[1])


def _of_view(populations: Populations, view: View) -> tuple[Floats, Floats]:
    """Return the signals of the events that a view shows, on both axes."""
    inside = populations[view.parent].mask
    for aside in view.exclude:
        if aside in populations:
            inside = inside & ~populations[aside].mask
    if view.y is None:
        raise ValueError("a view of two axes is needed")
    return populations.values("all", view.x)[inside], populations.values("all", view.y)[inside]


def _view(template: Template, x: str | None, y: str | None, population: str | None) -> View:
    names = [one.name for one in template.populations]
    if population is not None and population not in ("all", *names):
        raise UsageError(
            f"the template has no population {population!r}", code="E210", hint=f"it has {', '.join(names)}"
        )
    if x is not None or y is not None or population is None:
        markers = _needed(x, y)
        unknown = [marker for marker in markers if marker not in template.panel]
        if unknown:
            raise UsageError(
                f"the template has no marker {unknown[0]!r}", code="E210", hint=f"it has {', '.join(template.panel)}"
            )
        return View(population or "all", (), *markers, populations=())
    for view in views(template):
        if population in view.populations and view.y is not None:
            return view
    raise UsageError(
        f"{population} is made of other populations and has no picture of its own",
        code="E210",
        hint=f"-g {population} -x MARKER -y MARKER draws its events",
    )


# ---------------------------------------------------------------- drawing


def _drawn(clouds: Sequence[Cloud], axes: tuple[PictureAxis, PictureAxis]) -> Figure:
    columns = min(len(clouds), MOST_COLUMNS)
    rows = -(-len(clouds) // columns)
    figure = new_figure(PANEL_MM * columns, (PANEL_MM + 4) * rows)
    grid = [panel for row in figure.subplots(rows, columns, squeeze=False) for panel in row]
    for panel, cloud in zip(grid, clouds, strict=False):
        _panel(panel, cloud, *axes)
    for panel in grid[len(clouds) :]:
        panel.set_axis_off()
    return figure


def _panel(panel: Axes, cloud: Cloud, x: PictureAxis, y: PictureAxis) -> None:
    finite = np.isfinite(cloud.x) & np.isfinite(cloud.y)
    places = x.place(cloud.x[finite]), y.place(cloud.y[finite])
    if len(places[0]) <= FEW_EVENTS:
        panel.plot(*places, ".", color=BLUE, markersize=1.6, alpha=0.7, rasterized=True)
    else:
        counts, _, _ = np.histogram2d(places[0], places[1], bins=CELLS, range=((0, 1), (0, 1)))
        shown = np.ma.masked_equal(np.log1p(counts.T), 0)
        panel.imshow(
            shown, origin="lower", extent=(0, 1, 0, 1), aspect="auto", cmap="viridis_r", interpolation="nearest"
        )
    for line in cloud.outlines:
        closed = np.vstack([line.corners, line.corners[:1]]) if len(line.corners) > 2 else line.corners
        panel.plot(closed[:, 0], closed[:, 1], color=INK, linewidth=1.1)
    for axis, ticks_of, labels_of, minor in (
        (x, panel.set_xticks, panel.set_xlabel, panel.xaxis),
        (y, panel.set_yticks, panel.set_ylabel, panel.yaxis),
    ):
        labelled = [tick for tick in axis.ticks if tick.label]
        ticks_of([tick.place for tick in labelled], [tick.label for tick in labelled])
        minor.set_ticks([tick.place for tick in axis.ticks if not tick.label], minor=True)
        labels_of(axis.marker)
    panel.set(xlim=(0, 1), ylim=(0, 1))
    panel.set_title(cloud.name, loc="left")
