"""Gates on a picture: their outlines, and places for their names off each other and off the events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from cytocar.figures.gate_pictures.axis import CELLS, SIZE, PictureAxis
from cytocar.figures.gate_pictures.outline import Outline, outline
from cytocar.figures.gate_pictures.views import View
from cytocar.regions.kinds import FixedGate

Bools = npt.NDArray[np.bool_]

SIGN_WIDTH, LINE_HEIGHT = 10, 18
"""About the size of a letter of a gate's name."""
FAR_FROM_THE_GATE = 60
"""Cells of events that a name may cover near its gate before it moves to a corner of the picture: a quarter of it."""
PERCENT_SIGNS = 7
"""Letters of a percentage behind a name: `` 45.2 %``."""


class DrawnGate(Struct, frozen=True):
    """A gate on a picture: an SVG path, and the place of its name."""

    population: str
    path: str
    label_x: int
    label_y: int


def drawn_gates(
    view: View, gates: Mapping[str, FixedGate], axes: Mapping[str, PictureAxis], *, crowd: Bools | None = None
) -> Iterable[DrawnGate]:
    """Yield the gates of a view as paths, with places for their names off each other and off the events.

    Parameters
    ----------
    crowd : ndarray of bool, shape (CELLS, CELLS), optional
        Which cells of the picture hold events, top row first.
    """
    x, y = axes[view.x], axes[view.y] if view.y is not None else None
    occupied = np.zeros((CELLS, CELLS), dtype=bool) if crowd is None else crowd
    names = np.zeros((CELLS, CELLS), dtype=bool)
    for name in view.populations:
        drawn = outline(name, gates[name], x, y) if name in gates else None
        if drawn is None:
            continue
        best, least = None, (CELLS * CELLS, 0)
        for place in _label_places(drawn):
            window = _window_of(place)
            cost = int(np.count_nonzero(names[window])), int(np.count_nonzero(occupied[window])) + place.distance
            if best is None or cost < least:
                best, least = place, cost
            if least == (0, 0):
                break
        if best is not None:
            names[_window_of(best)] = True
            yield DrawnGate(name, _path(drawn), best.x, best.y)


def _path(drawn: Outline) -> str:
    corners = [f"{_number(SIZE * x)} {_number(SIZE * (1 - y))}" for x, y in np.clip(drawn.corners, -9, 9).tolist()]
    return "M" + "L".join(corners) + "z"


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


class _LabelPlace(Struct, frozen=True):
    """Where a gate's name, with its percent, may stand: left end, base line, width."""

    x: int
    y: int
    width: int
    distance: int = 0
    """Cells of events that a name may rather cover than stand so far from its gate."""


def _label_places(drawn: Outline) -> Iterable[_LabelPlace]:
    """Yield places for a gate's name: inside its corners, then beside them, then the picture's corners."""
    seen = np.clip(drawn.corners, 0.0, 1.0) * SIZE
    (left, bottom), (right, top) = seen.min(axis=0).tolist(), seen.max(axis=0).tolist()
    width = SIGN_WIDTH * (len(drawn.population) + PERCENT_SIGNS)
    high, low = SIZE - top, SIZE - bottom
    inside = [(x, y) for y in (high + LINE_HEIGHT, low - 6) for x in (left + 5, right - width - 5)]
    outside = [(x, y) for y in (high - 6, low + LINE_HEIGHT - 3) for x in (left, right - width)]
    aside = [(x, y) for x in (right + 6, left - width - 6) for y in (high + LINE_HEIGHT, (high + low) / 2, low - 6)]
    corners = [(x, y) for y in (LINE_HEIGHT, SIZE - 6) for x in (4, SIZE - width - 4)]
    near = [(place, 0) for place in (*inside, *outside, *aside)]
    for (x, y), distance in (*near, *((place, FAR_FROM_THE_GATE) for place in corners)):
        fitting_x = max(3, min(round(x), SIZE - width - 2))
        yield _LabelPlace(fitting_x, max(LINE_HEIGHT - 2, min(round(y), SIZE - 4)), width, distance)


def _window_of(place: _LabelPlace) -> tuple[slice, slice]:
    """Return the cells that a name covers."""
    cell = SIZE // CELLS
    columns = slice(place.x // cell, min((place.x + place.width) // cell + 1, CELLS))
    return slice(max(0, (place.y - LINE_HEIGHT + 4) // cell), min((place.y + 3) // cell + 1, CELLS)), columns
