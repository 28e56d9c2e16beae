"""A fixed gate as a line on a picture: its shadow on the picture's two axes."""

from __future__ import annotations

from msgspec import Struct

from cytocar.figures.gate_pictures.axis import Floats, PictureAxis
from cytocar.regions.kinds import FixedGate


class Outline(Struct, frozen=True):
    """The corners of a gate's shadow on a picture, shape (n, 2), 0 to 1 from end to end of each axis, and its name."""

    population: str
    corners: Floats


def outline(population: str, gate: FixedGate, x: PictureAxis, y: PictureAxis | None) -> Outline | None:
    """Return a gate as it is drawn on two axes (or on one); ``None`` where it does not bound either of them."""
    corners = gate.outline(x, y)
    return None if corners is None else Outline(population, corners)
