"""A fixed gate as a region that answers for events, and as rows of ``gates.csv``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, assert_never

import numpy as np
import numpy.typing as npt

from cytocar.gates.decision import Decision, Flag, Source
from cytocar.gates.fixed.geometry import Bools, Box, Ellipse, Interval, Polygon
from cytocar.signals.scales import AnyScale
from cytocar.template.gate_kinds import (
    BooleanGate,
    EllipseGate,
    FixedGate,
    PolygonGate,
    QuadrantGate,
    RangeGate,
    RectangleGate,
)

ScaleOf = Callable[[str], AnyScale]
RegionGate = RangeGate | RectangleGate | PolygonGate | EllipseGate | QuadrantGate


class Region(Protocol):
    """Anything that can say which events lie inside it, from their signals in data units, one array per axis."""

    def contains(self, *signals: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        """Return which events lie inside."""
        ...


@dataclass(frozen=True, slots=True)
class PlacedRegion:
    """A region and the markers of its axes, in its order.

    A cheap region is a few comparisons; for the others it pays to ask about the parent's events only.
    """

    markers: tuple[str, ...]
    region: Region
    cheap: bool = False


def place(gate: RegionGate, scale_of: ScaleOf) -> PlacedRegion:
    """Return the region of a fixed gate that looks at signals (all but boolean).

    Parameters
    ----------
    scale_of : callable
        Marker to the scale of its axis.
    """
    match gate:
        case PolygonGate(x=x, y=y, vertices=vertices, units=units):
            polygon = Polygon.of(scale_of(x), scale_of(y), vertices, on_scale=units == "scale")
            return PlacedRegion((x, y), polygon)
        case EllipseGate(axes=axes, center=center, covariance=covariance, distance_square=distance_square):
            ellipse = Ellipse.of([scale_of(axis) for axis in axes], center, covariance, distance_square)
            return PlacedRegion(axes, ellipse)
        case RangeGate() | RectangleGate() | QuadrantGate():
            bounds = sides(gate)
            on_scale = gate.units == "scale"
            intervals = tuple(
                Interval.of(scale_of(marker), low, high, on_scale=on_scale) for marker, (low, high) in bounds.items()
            )
            return PlacedRegion(tuple(bounds), Box(intervals), cheap=True)
        case _:
            assert_never(gate)


def decisions(population: str, gate: FixedGate, scale_of: ScaleOf, *, source: Source = Source.FIXED) -> list[Decision]:
    """Return the rows of ``gates.csv`` for a gate that no data decided: one per number, in data units."""
    flags = (Flag.OVERRIDDEN,) if source is Source.OVERRIDE else ()
    return [
        Decision(population, gate.kind, parameter, value, source, flags=flags)
        for parameter, value in numbers(gate, scale_of)
    ]


def numbers(gate: FixedGate, scale_of: ScaleOf) -> Iterator[tuple[str, float | None]]:
    """Yield the numbers of a fixed gate by the names that ``gates.csv`` gives them, in data units."""
    match gate:
        case PolygonGate(x=x, y=y, vertices=vertices, units=units):
            for corner, values in enumerate(vertices, start=1):
                for marker, value in zip((x, y), values, strict=True):
                    yield f"{marker} corner {corner}", _in_data_units(value, scale_of(marker), units)
        case EllipseGate(axes=axes, center=center, distance_square=distance_square):
            for marker, value in zip(axes, center, strict=True):
                yield f"{marker} center", _in_data_units(value, scale_of(marker), "scale")
            yield "distance_square", distance_square
        case BooleanGate():
            yield _expression(gate), None
        case RangeGate() | RectangleGate() | QuadrantGate():
            for marker, ends in sides(gate).items():
                for end, bound in zip(("min", "max"), ends, strict=True):
                    if bound is not None:
                        yield f"{marker} {end}", _in_data_units(bound, scale_of(marker), gate.units)
        case _:
            assert_never(gate)


def sides(gate: RangeGate | RectangleGate | QuadrantGate) -> dict[str, tuple[float | None, float | None]]:
    """Return the lower and the upper bound of each marker; None where it is open."""
    if isinstance(gate, RangeGate):
        return {gate.marker: (gate.min, gate.max)}
    bounds = gate.bounds() if isinstance(gate, QuadrantGate) else gate.bounds
    return {marker: (side.min, side.max) for marker, side in bounds.items()}


def _in_data_units(value: float, scale: AnyScale, units: str) -> float:
    return float(scale.inverse(value)) if units == "scale" else value


def _expression(gate: BooleanGate) -> str:
    parts = (("all of", gate.all_of), ("any of", gate.any_of), ("none of", gate.none_of))
    return "; ".join(f"{words} {', '.join(names)}" for words, names in parts if names)


def combine(gate: BooleanGate, within: Bools, mask_of: Callable[[str], Bools]) -> Bools:
    """Return which events of ``within`` satisfy a boolean gate.

    Parameters
    ----------
    within : ndarray of bool, shape (n,)
        The events that the gate may keep: its parent's.
    mask_of : callable
        Population to its events, shape (n,).

    Examples
    --------
    >>> masks = {"cd4": np.array([True, True, False]), "cd8": np.array([False, True, False])}
    >>> gate = BooleanGate(kind="boolean", all_of=("cd4",), none_of=("cd8",))
    >>> combine(gate, np.ones(3, dtype=bool), masks.__getitem__).tolist()
    [True, False, False]
    """
    inside = within.copy()
    for name in gate.all_of:
        inside &= mask_of(name)
    if gate.any_of:
        inside &= np.logical_or.reduce([mask_of(name) for name in gate.any_of])
    for name in gate.none_of:
        inside &= ~mask_of(name)
    return inside
