"""Gates with straight sides: a range on one marker, a rectangle on any number, one corner of a quadrant gate."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Literal, Self

import numpy as np
from msgspec import Meta
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
from cytocar.regions.geometry import Box, Interval
from cytocar.signals.declaration import Declaration


class Bounds(Declaration, frozen=True, kw_only=True):
    """``min <= x < max``; a missing bound is open."""

    min: float | None = None
    max: float | None = None

    def faults(self) -> Iterator[str]:
        """Yield what does not go together."""
        if self.min is not None and self.max is not None and self.min >= self.max:
            yield f"min ({self.min:g}) must be below max ({self.max:g})"


class BoxGate(FixedGateBase, frozen=True, kw_only=True):
    """What range, rectangle and quadrant share: a lower and an upper bound on each marker."""

    if TYPE_CHECKING:  # each kind declares its units, behind its own keys
        units: Units

    def sides(self) -> dict[str, tuple[float | None, float | None]]:
        """Return the lower and the upper bound of each marker; None where it is open."""
        raise NotImplementedError

    @property
    def depends_on_scale(self) -> bool:
        """True if the bounds are given on the scale."""
        return self.units == "scale"

    def placed(self, scale_of: ScaleOf) -> PlacedRegion:
        """Return the box on the scales of a file's axes."""
        bounds = self.sides()
        on_scale = self.units == "scale"
        intervals = tuple(
            Interval.of(scale_of(marker), low, high, on_scale=on_scale) for marker, (low, high) in bounds.items()
        )
        return PlacedRegion(tuple(bounds), Box(intervals), cheap=True)

    def numbers(self, scale_of: ScaleOf) -> Iterator[tuple[str, float | None]]:
        """Yield ``MARKER min`` and ``MARKER max`` of the closed sides, in data units."""
        for marker, ends in self.sides().items():
            for end, bound in zip(("min", "max"), ends, strict=True):
                if bound is not None:
                    yield f"{marker} {end}", in_data_units(bound, scale_of(marker), self.units)

    def with_numbers(
        self,
        replaced: Mapping[str, float],
        before: Mapping[str, float | None],
        scale_of: ScaleOf,
    ) -> RangeGate | RectangleGate:
        """Return a rectangle in data units with some bounds replaced."""
        known = {**dict(self.numbers(scale_of)), **replaced}
        bounds = {name: Bounds(min=known.get(f"{name} min"), max=known.get(f"{name} max")) for name in self.sides()}
        return RectangleGate(bounds=bounds)

    def outline(self, x: DrawnAxis, y: DrawnAxis | None) -> Floats | None:
        """Return the four corners of the box on two axes, its open sides beyond the picture."""
        if {x.marker, y.marker if y else x.marker}.isdisjoint(self.markers()):
            return None
        left, right = self._ends(x)
        bottom, top = self._ends(y) if y else (-BEYOND, 1 + BEYOND)
        return np.array([[left, bottom], [right, bottom], [right, top], [left, top]])

    def _ends(self, axis: DrawnAxis) -> tuple[float, float]:
        low, high = self.sides().get(axis.marker, (None, None))
        place = axis.place_on_scale if self.units == "scale" else axis.place_exactly
        ends = [
            otherwise if bound is None else float(np.nan_to_num(place(bound), nan=otherwise))
            for bound, otherwise in ((low, -BEYOND), (high, 1 + BEYOND))
        ]
        left, right = np.clip(ends, -BEYOND, 1 + BEYOND)
        return float(left), float(right)


class RangeGate(BoxGate, frozen=True, kw_only=True, tag_field="kind", tag="range"):
    """One marker between two bounds: ``min <= x < max``."""

    marker: str
    min: float | None = None
    max: float | None = None
    units: Units = "data"

    def markers(self) -> tuple[str, ...]:
        """Return the one marker."""
        return (self.marker,)

    def sides(self) -> dict[str, tuple[float | None, float | None]]:
        """Return the bounds of the one marker."""
        return {self.marker: (self.min, self.max)}

    def words(self) -> str:
        """Return the range as people write it."""
        return bounds_in_words(self.marker, self.min, self.max)

    def decided_names(self) -> frozenset[str]:
        """Return ``threshold``: the one bound that a data-driven gate places."""
        return frozenset({"threshold"})

    def with_numbers(
        self,
        replaced: Mapping[str, float],
        before: Mapping[str, float | None],
        scale_of: ScaleOf,
    ) -> RangeGate:
        """Return a range in data units; ``threshold`` is its lower bound, or its upper one where that is open."""
        known = {**dict(self.numbers(scale_of)), **replaced}
        bounds = {side: known.get(f"{self.marker} {side}") for side in ("min", "max")}
        if "threshold" in replaced:
            bounds["min" if self.min is not None else "max"] = replaced["threshold"]
        return RangeGate(marker=self.marker, min=bounds["min"], max=bounds["max"])

    def with_markers(self, name_of: Callable[[str], str]) -> Self:
        """Return a copy on another panel entry."""
        return replace(self, marker=name_of(self.marker))

    def faults(self) -> Iterator[str]:
        """Yield what does not go together."""
        if self.min is None and self.max is None:
            yield "needs min, max or both"
        if self.min is not None and self.max is not None and self.min >= self.max:
            yield f"min ({self.min:g}) must be below max ({self.max:g})"


class RectangleGate(BoxGate, frozen=True, kw_only=True, tag_field="kind", tag="rectangle"):
    """Any number of markers, each between two bounds."""

    bounds: Annotated[dict[str, Bounds], Meta(min_length=1)]
    units: Units = "data"

    def markers(self) -> tuple[str, ...]:
        """Return the bounded markers, in the order of the file."""
        return tuple(self.bounds)

    def sides(self) -> dict[str, tuple[float | None, float | None]]:
        """Return the bounds of each marker."""
        return {marker: (side.min, side.max) for marker, side in self.bounds.items()}

    def words(self) -> str:
        """Return the ranges as people write them."""
        return ", ".join(bounds_in_words(marker, low, high) for marker, (low, high) in self.sides().items())

    def with_markers(self, name_of: Callable[[str], str]) -> Self:
        """Return a copy on other panel entries."""
        return replace(self, bounds={name_of(marker): side for marker, side in self.bounds.items()})


class Divider(Declaration, frozen=True, kw_only=True):
    """Where a quadrant gate divides one axis: at one value or several, rising."""

    marker: str
    at: Annotated[float | tuple[float, ...], Meta(description="a number, or a list of rising numbers")]

    @property
    def values(self) -> tuple[float, ...]:
        """Return the dividing values, lowest first."""
        return self.at if isinstance(self.at, tuple) else (self.at,)

    def faults(self) -> Iterator[str]:
        """Yield what does not go together."""
        if not self.values:
            yield "at needs at least one value"
        if any(low >= high for low, high in pairwise(self.values)):
            yield "the values of at must rise"


class QuadrantGate(BoxGate, frozen=True, kw_only=True, tag_field="kind", tag="quadrant"):
    """One corner of a quadrant gate.

    ``keep = "+-"``: above the divider on x, below on y. With several dividers on an axis, or more than two axes,
    ``axes`` stands in place of ``x`` and ``y``, and ``keep`` lists one interval number (0 is the lowest) per axis.
    """

    x: Divider | None = None
    y: Divider | None = None
    axes: tuple[Divider, ...] = ()
    keep: Annotated[
        Literal["--", "-+", "+-", "++"] | tuple[int, ...],
        Meta(description='"--", "-+", "+-" or "++", or a list with one interval number (0 is the lowest) per axis'),
    ]
    units: Units = "data"

    @property
    def dividers(self) -> tuple[Divider, ...]:
        """Return the dividers in the order of ``keep``."""
        return self.axes or tuple(divider for divider in (self.x, self.y) if divider is not None)

    @property
    def kept(self) -> tuple[int, ...]:
        """Return the number of the kept interval on each axis, 0 the lowest."""
        return tuple(int(sign == "+") for sign in self.keep) if isinstance(self.keep, str) else self.keep

    def markers(self) -> tuple[str, ...]:
        """Return the divided axes."""
        return tuple(divider.marker for divider in self.dividers)

    def sides(self) -> dict[str, tuple[float | None, float | None]]:
        """Return the kept corner as bounds of each marker.

        Examples
        --------
        >>> corner = QuadrantGate(x=Divider(marker="CD4", at=1500.0), y=Divider(marker="CD8", at=2000.0), keep="+-")
        >>> corner.sides()
        {'CD4': (1500.0, None), 'CD8': (None, 2000.0)}
        """
        corner = {}
        for divider, interval in zip(self.dividers, self.kept, strict=True):
            edges = (None, *divider.values, None)
            corner[divider.marker] = (edges[interval], edges[interval + 1])
        return corner

    def words(self) -> str:
        """Return the corner and where its axes are divided."""
        places = (f"{one.marker} at {', '.join(f'{value:g}' for value in one.values)}" for one in self.dividers)
        return f"quadrant {self.keep} of {' and '.join(places)}"

    def with_markers(self, name_of: Callable[[str], str]) -> Self:
        """Return a copy on other panel entries."""

        def renamed(divider: Divider) -> Divider:
            return replace(divider, marker=name_of(divider.marker))

        corner = {"x": self.x and renamed(self.x), "y": self.y and renamed(self.y)}
        return replace(self, **corner, axes=tuple(map(renamed, self.axes)))

    def faults(self) -> Iterator[str]:
        """Yield what does not go together."""
        reasons = []
        if self.axes and (self.x is not None or self.y is not None):
            reasons.append("axes stands in place of x and y: give one or the other")
        if not self.axes and (self.x is None or self.y is None):
            reasons.append("needs x and y, or axes")
        if len(set(self.markers())) < len(self.dividers):
            reasons.append("a marker is divided twice: list its values in one divider")
        if not reasons and len(self.kept) != len(self.dividers):
            reasons.append(f"keep needs one interval per axis ({len(self.dividers)}) and has {len(self.kept)}")
        elif not reasons:
            reasons = [
                f"keep says interval {interval} on {divider.marker!r}, which has 0 to {len(divider.values)}"
                for divider, interval in zip(self.dividers, self.kept, strict=True)
                if not 0 <= interval <= len(divider.values)
            ]
        yield from reasons


def bounds_in_words(marker: str, low: float | None, high: float | None) -> str:
    """Return a range as people write it.

    Examples
    --------
    >>> bounds_in_words("CD3", 1200, None), bounds_in_words("CD3", 1, 2)
    ('CD3 from 1200', 'CD3 from 1 to below 2')
    """
    if low is None and high is None:
        return f"any {marker}"
    if high is None:
        return f"{marker} from {low:g}"
    return f"{marker} below {high:g}" if low is None else f"{marker} from {low:g} to below {high:g}"
