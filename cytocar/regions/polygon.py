"""The polygon gate."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Self

import numpy as np
from msgspec.structs import replace

from cytocar.regions.gate import (
    BEYOND,
    DrawnAxis,
    FixedGateBase,
    Floats,
    PlacedRegion,
    ScaleOf,
    Units,
    in_data_units,
)
from cytocar.regions.geometry import Polygon


class PolygonGate(FixedGateBase, frozen=True, kw_only=True, tag_field="kind", tag="polygon"):
    """A closed polygon, even-odd, edges straight on the axes' scales."""

    x: str
    y: str
    vertices: tuple[tuple[float, float], ...]
    units: Units = "data"

    def markers(self) -> tuple[str, ...]:
        """Return the two axes."""
        return (self.x, self.y)

    def placed(self, scale_of: ScaleOf) -> PlacedRegion:
        """Return the polygon on the scales of a file's axes."""
        on_scale = self.units == "scale"
        polygon = Polygon.of(scale_of(self.x), scale_of(self.y), self.vertices, on_scale=on_scale)
        return PlacedRegion((self.x, self.y), polygon, bounds=polygon.bounds)

    def numbers(self, scale_of: ScaleOf) -> Iterator[tuple[str, float | None]]:
        """Yield ``MARKER corner NUMBER`` of each axis, corner by corner from 1, in data units."""
        for corner, values in enumerate(self.vertices, start=1):
            for marker, value in zip((self.x, self.y), values, strict=True):
                yield f"{marker} corner {corner}", in_data_units(value, scale_of(marker), self.units)

    def decided_names(self) -> frozenset[str]:
        """Return the centres of a cluster: a new one moves every corner."""
        return frozenset({f"center_{self.x}", f"center_{self.y}"})

    def with_numbers(
        self, replaced: Mapping[str, float], before: Mapping[str, float | None], scale_of: ScaleOf
    ) -> PolygonGate:
        """Return a polygon in data units; ``center_MARKER`` moves all of it, on the log of the signals."""
        known = {**dict(self.numbers(scale_of)), **replaced}
        axes = []
        for marker in (self.x, self.y):
            places = (known[f"{marker} corner {corner}"] for corner in range(1, len(self.vertices) + 1))
            center, was = replaced.get(f"center_{marker}"), before.get(f"center_{marker}")
            factor = center / was if center is not None and was else 1.0
            axes.append([place * factor for place in places if place is not None])
        return PolygonGate(x=self.x, y=self.y, vertices=tuple(zip(*axes, strict=True)))

    def with_markers(self, name_of: Callable[[str], str]) -> Self:
        """Return a copy on other panel entries."""
        return replace(self, x=name_of(self.x), y=name_of(self.y))

    def outline(self, x: DrawnAxis, y: DrawnAxis | None) -> Floats | None:
        """Return the corners where both axes are the polygon's; a corner without a place lies beyond the picture."""
        if y is None or {self.x, self.y} != {x.marker, y.marker}:
            return None
        columns = dict(zip((self.x, self.y), np.array(self.vertices, dtype=np.float64).T, strict=True))
        sides = []
        for axis in (x, y):
            place = axis.place_on_scale if self.units == "scale" else axis.place_exactly
            sides.append(np.nan_to_num(place(columns[axis.marker]), nan=-BEYOND, neginf=-9.0, posinf=9.0))
        return np.stack(sides, axis=1)

    def words(self) -> str:
        """Return its axes and how many corners it has."""
        return f"polygon of {len(self.vertices)} corners on {self.x} and {self.y}"

    def faults(self) -> Iterator[str]:
        """Yield what does not go together."""
        reasons = []
        if len(self.vertices) < 3:
            reasons.append(f"a polygon needs at least three corners, vertices has {len(self.vertices)}")
        if self.x == self.y:
            reasons.append(f"x and y are the same marker {self.x!r}")
        yield from reasons
