"""Gate pictures of one sample: where its events lie, the gates as applied, and where its CAR-T cells come from.

No gate is decided here: the fixed gates that the sample was counted with are applied again. Densities are counts in
128 x 128 cells of the axes' scales (``bincount``), in steps of their logarithm, so that one event is seen beside
thousands, with contours that hold half and nine tenths of the events; few events are drawn one by one.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from msgspec import Struct
from msgspec.structs import replace

from cytocar.figures.gate_pictures.axis import CELLS, SIZE, Floats, PictureAxis
from cytocar.figures.gate_pictures.drawn_gates import DrawnGate, drawn_gates
from cytocar.figures.gate_pictures.flow import TimeTrace, time_trace
from cytocar.figures.gate_pictures.png import RAMP, indexed_png
from cytocar.figures.gate_pictures.views import View
from cytocar.gates.engine.frame import ALL, Frame
from cytocar.gates.walk import GatedSample
from cytocar.regions.kinds import FixedGate

if TYPE_CHECKING:
    pass

Bools = npt.NDArray[np.bool_]
Cells = npt.NDArray[np.int16]

FEW_EVENTS = 400
"""Up to here events are drawn as dots: a density of so few says nothing."""
ENCLOSED = (0.9, 0.5)
"""Shares of the events that the contours hold."""
SMOOTHING = (0.0625, 0.25, 0.375, 0.25, 0.0625)
"""Binomial weights over five cells, along both axes: contours of single counts would follow the noise."""
EVERY_POINT = 4
"""Of the points of a contour one in so many is kept: the same line on a screen, in a quarter of the bytes."""
SHORTEST_LINE = 20
"""Points of a contour below which it encloses a few cells of noise."""
CAR_DOTS = 30
"""CAR+ events that are shown on the pictures: of more, evenly spaced ones, and none on the crowded CAR picture."""
MOST_DOTS, MARKED_DOTS = 4000, 1500
"""Of events that are drawn one by one: more take longer to send than to gate, and hide each other."""
_CENTERS = np.meshgrid(*[np.arange(0.5, CELLS) * (SIZE // CELLS)] * 2)
"""Centres of the cells along both axes, for contours."""


class Picture(Struct, frozen=True):
    """One picture, as SVG path data and a PNG in base64, in units of ``SIZE``, y downwards."""

    events: int
    png: str = ""
    contours: str = ""
    dots: str = ""
    bars: str = ""
    gates: tuple[DrawnGate, ...] = ()
    car_dots: str = ""


class Drawing(Struct, frozen=True, eq=False):
    """What one pass over a sample's file gives: its pictures, one per view, its counts, and its flow over time."""

    pictures: tuple[Picture, ...]
    counts: Mapping[str, int]
    time: TimeTrace | None


# ---------------------------------------------------------------- from events to pictures


def draw_gate_pictures(
    sample: GatedSample,
    views: Sequence[View],
    axes: Mapping[str, PictureAxis],
    *,
    car: str | None = None,
    beads: str | None = None,
) -> Drawing:
    """Return the pictures of a sample.

    Parameters
    ----------
    sample : GatedSample
        The file and its gates; the file is passed over once.
    axes : mapping
        Each marker's axis, the same for every sample of a plate.
    car : str, optional
        The population whose events are shown on the pictures of the others.
    beads : str, optional
        The population whose flow is shown beside that of all events.
    """
    clouds = [_Cloud(part) if (part := _part_of(view, sample)) else None for view in views]
    drawn = [cloud for cloud in clouds if cloud is not None]
    markers = tuple(dict.fromkeys(marker for cloud in drawn for marker in cloud.view.markers))
    car = car if car in sample.gates else None
    beads = beads if beads in sample.gates else None
    counts = dict.fromkeys(sample.gates, 0)
    car_places: dict[str, list[Floats]] = {marker: [] for marker in markers}
    of_beads: list[Bools] = []
    clock = next((channel for channel in sample.events.channels if channel.is_time), None)
    ticks: list[Floats] = []
    for block in sample.blocks(*markers):
        placed: dict[tuple[Frame, str], Floats] = {}
        in_cells: dict[tuple[Frame, str], Cells] = {}
        for cloud in drawn:
            frame = block.frame_of(cloud.view.populations)
            for marker in cloud.view.markers:
                if (frame, marker) not in placed:
                    placed[frame, marker] = axes[marker].place(frame.signals.signal(marker))
                    in_cells[frame, marker] = _cells(placed[frame, marker])
            places = {marker: placed[frame, marker] for marker in cloud.view.markers}
            cells = {marker: in_cells[frame, marker] for marker in cloud.view.markers}
            cloud.add(places, cells, frame.within(cloud.view.parent, cloud.view.exclude))
        for name in counts:
            counts[name] += block.count(name)
        if car is not None:
            frame = block.frame_of([car])
            for marker in markers:
                if (frame, marker) not in placed:
                    placed[frame, marker] = axes[marker].place(frame.signals.signal(marker))
                car_places[marker].append(placed[frame, marker].take(frame.places(car)))
        if clock is not None:
            ticks.append(block.column(clock))
            if beads is not None:
                of_beads.append(block.mask(beads).copy())
    shown = {marker: _evenly_spaced(np.concatenate(chunks or [np.empty(0)])) for marker, chunks in car_places.items()}
    crowded = car is not None and counts[car] > CAR_DOTS
    return Drawing(
        pictures=tuple(
            cloud.picture(
                tuple(drawn_gates(cloud.view, sample.gates, axes, crowd=cloud.crowd())),
                "" if cloud.view.car and crowded else _dots_of(shown, cloud.view),
            )
            if cloud is not None
            else Picture(0)
            for cloud in clouds
        ),
        counts=counts,
        time=time_trace(sample.events, np.concatenate(ticks), np.concatenate(of_beads) if of_beads else None)
        if ticks
        else None,
    )


def _part_of(view: View, sample: GatedSample) -> View | None:
    """Return a view without the populations that the file's markers do not allow; None if nothing is left of it."""
    known = {ALL, *sample.gates}
    names = tuple(name for name in view.populations if name in known)
    aside = tuple(name for name in view.exclude if name in known)
    return replace(view, populations=names, exclude=aside) if names and view.parent in known else None


def draw_events(
    view: View,
    places: Mapping[str, Floats],
    inside: Bools,
    gates: Mapping[str, FixedGate],
    axes: Mapping[str, PictureAxis],
    *,
    dots: bool = False,
    marked: Bools | None = None,
) -> Picture:
    """Return one picture of events in memory.

    Parameters
    ----------
    places : mapping of str to (n,) float64
        Where the events stand on each axis of the view, 0 to 1.
    inside : (n,) bool
        Which of them are drawn.
    gates, axes : mapping
        Gates of the view's populations; each marker's axis.
    dots : bool
        Draw evenly chosen events one by one, and not their density.
    marked : (n,) bool, optional
        Events that are shown as dots of their own (``car_dots``).
    """
    cloud = _Cloud(view)
    cloud.add(places, {marker: _cells(places[marker]) for marker in view.markers}, inside)
    drawn = cloud.picture(tuple(drawn_gates(view, gates, axes)), "")
    if view.y is None:
        return drawn
    if dots:
        drawn = replace(drawn, png="", contours="", dots=_dots_among(view, places, inside, MOST_DOTS))
    if marked is not None:
        drawn = replace(drawn, car_dots=_dots_among(view, places, marked, MARKED_DOTS))
    return drawn


def _dots_among(view: View, places: Mapping[str, Floats], mask: Bools, most: int) -> str:
    rows = np.flatnonzero(mask)
    rows = rows[:: max(1, -(-rows.size // most))]
    return _dots(places[view.x][rows], places[view.y][rows]) if view.y is not None else ""


def _dots_of(places: Mapping[str, Floats], view: View) -> str:
    return _dots(places[view.x], places[view.y]) if view.y is not None else ""


def _evenly_spaced(places: Floats) -> Floats:
    return places[:: max(1, -(-places.size // CAR_DOTS))]


class _Cloud:
    """What a pass over a file adds up for one picture."""

    def __init__(self, view: View) -> None:
        self.view = view
        self.counts = np.zeros(CELLS * (CELLS if view.y is not None else 1), dtype=np.int64)
        self.events = 0
        self._first: list[tuple[Floats, ...]] = []  # while events are few

    def add(self, places: Mapping[str, Floats], cells: Mapping[str, Cells], inside: Bools) -> None:
        """Add the events of a block: where they stand on each axis, and in which cell of it."""
        rows = np.flatnonzero(inside)
        self.events += rows.size
        if self.events <= FEW_EVENTS:
            self._first.append(tuple(places[marker].take(rows) for marker in self.view.markers))
        position = cells[self.view.x].take(rows)
        if self.view.y is not None:
            position += CELLS * (CELLS - 1 - cells[self.view.y].take(rows))
        self.counts += np.bincount(position, minlength=self.counts.size)

    def picture(self, gates: tuple[DrawnGate, ...], car_dots: str) -> Picture:
        """Return the finished picture."""
        if self.view.y is None:
            return Picture(self.events, bars=_bars(self.counts), gates=gates)
        if self.events <= FEW_EVENTS:
            x, y = (np.concatenate(side) for side in zip(*self._first, strict=True)) if self._first else _NO_EVENTS
            return Picture(self.events, dots=_dots(x, y), gates=gates, car_dots=car_dots)
        counts = self.counts.reshape(CELLS, CELLS)
        png = b64encode(indexed_png(_levels(counts))).decode()
        return Picture(self.events, png, _contours(counts), gates=gates, car_dots=car_dots)

    def crowd(self) -> Bools | None:
        """Which cells of the picture hold events, shape (CELLS, CELLS), top row first; None for a histogram."""
        return None if self.view.y is None else self.counts.reshape(CELLS, CELLS) > 0


def _cells(places: Floats) -> Cells:
    """Return in which of an axis's cells places lie, 0 to CELLS - 1; a cell of the picture has a number of 14 bits."""
    return np.minimum((places * CELLS).astype(np.int16), CELLS - 1)


_NO_EVENTS = (np.empty(0), np.empty(0))


def _levels(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
    """Return counts as steps of their logarithm: 0 for none, 1 for one event, the last for the densest cell."""
    steps = len(RAMP) - 1
    top = np.log(max(int(counts.max()), 2))
    share = np.log(np.maximum(counts, 1)) / top
    return np.where(counts > 0, 1 + np.round(share * (steps - 1)), 0).astype(np.uint8)


def _contours(counts: npt.NDArray[np.int64]) -> str:
    """Return lines that hold 90 and 50 % of the events, as an SVG path in whole units."""
    from contourpy import contour_generator

    filled = counts > 0
    looked_at = _around(np.any(filled, axis=1)), _around(np.any(filled, axis=0))
    height, width = counts[looked_at].shape
    padded = np.zeros((height + 4, width + 4))
    padded[2:-2, 2:-2] = counts[looked_at]
    of_rows, smooth = np.zeros((height, width + 4)), np.zeros((height, width))
    for at, weight in enumerate(SMOOTHING):
        of_rows += weight * padded[at : at + height]
    for at, weight in enumerate(SMOOTHING):
        smooth += weight * of_rows[:, at : at + width]
    ranked = np.sort(smooth[smooth > 0])[::-1]
    enclosed = np.cumsum(ranked) / ranked.sum()
    levels = [float(ranked[np.searchsorted(enclosed, share)]) for share in ENCLOSED]
    x, y = _CENTERS
    lines = contour_generator(x[looked_at], y[looked_at], smooth)
    return "".join(_line(np.asarray(points, dtype=np.float64)) for level in levels for points in lines.lines(level))


def _around(filled: Bools) -> slice:
    """Return the part of an axis that holds events, or what smoothing makes of them, and an empty cell at each end."""
    cells = np.flatnonzero(filled)
    spread = len(SMOOTHING) // 2 + 1
    return slice(max(int(cells[0]) - spread, 0), int(cells[-1]) + spread + 1)


def _line(points: Floats) -> str:
    """Return a line as an SVG path in whole units; a short one is left out as noise."""
    if len(points) <= SHORTEST_LINE:
        return ""
    rounded = np.round(points).astype(int)
    moved = np.flatnonzero(np.any(np.diff(rounded, axis=0), axis=1)) + 1
    if moved.size < SHORTEST_LINE:
        return ""
    steps = np.diff(rounded[np.concatenate([[0], moved])][::EVERY_POINT], axis=0)
    first, closes = rounded[0], bool(np.all(rounded[0] == rounded[-1]))
    # One letter for all steps, and no space before a minus: a quarter of the bytes of a contour less.
    further = " ".join(f"{x} {y}" for x, y in steps.tolist()).replace(" -", "-")
    return f"M{first[0]} {first[1]}l{further}" + ("z" if closes else "")


def _dots(x: Floats, y: Floats) -> str:
    """Return places as an SVG path of points, in whole units."""
    columns, rows = np.round(x * SIZE).astype(int).tolist(), np.round((1 - y) * SIZE).astype(int).tolist()
    places = sorted(set(zip(columns, rows, strict=True)))
    moves = [(column - before, row - above) for (before, above), (column, row) in pairwise([(0, 0), *places])]
    return "".join(f"m{column}{row:+d}h0" if row < 0 else f"m{column} {row}h0" for column, row in moves)


def _bars(counts: npt.NDArray[np.int64]) -> str:
    heights = np.round(SIZE * (1 - counts / max(int(counts.max()), 1))).astype(int).tolist()
    return f"M0 {SIZE}" + "".join(f"V{height}h{SIZE // CELLS}" for height in heights) + f"V{SIZE}z"
