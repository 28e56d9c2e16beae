"""The picture that is worked on, and what its places stand for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from cytocar.errors.tree import UsageError
from cytocar.figures.gate_pictures.axis import PictureAxis
from cytocar.figures.gate_pictures.views import View
from cytocar.review.handles import as_text, value_at
from cytocar.template.model import Template

Axes = Mapping[str, PictureAxis]
GateTable = dict[str, Any]


class Stage(Struct, frozen=True, eq=False):
    """The picture that is worked on: its view, the axis of each marker, and the template as it stands.

    ``single_line`` is area and height (or width) of single events along their line, on the file that is shown, where a
    gate of single events is taken hold of.
    """

    view: View
    axes: Axes
    template: Template
    single_line: Sequence[tuple[float, float]] = ()

    @property
    def sides(self) -> tuple[PictureAxis, PictureAxis | None]:
        """Return the two axes; a histogram has one."""
        return self.axes[self.view.x], self.axes[self.view.y] if self.view.y is not None else None


def number_at(axis: PictureAxis, place: float, digits: int) -> float:
    """Return the data value at a place of an axis, rounded as it is written."""
    return float(as_text(value_at(axis, place), digits))


def not_drawn(why: str) -> UsageError:
    """Return the error of what cannot be a gate."""
    return UsageError(f"no gate was drawn: {why}", code="E221", hint="draw it again, or choose another tool or picture")
