"""What every gate can be asked, and what every fixed gate can be asked beside that."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Literal, Protocol, Self

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from cytocar.signals.declaration import Declaration
from cytocar.signals.scales import AnyScale

if TYPE_CHECKING:
    from cytocar.regions.kinds import FixedGate

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Units = Literal["data", "scale"]
ScaleOf = Callable[[str], AnyScale]

BEYOND = 0.05
"""How far outside the picture an open side of a gate is drawn, so that only its closed sides are seen."""


class Region(Protocol):
    """Anything that can say which events lie inside it, from their signals in data units, one array per axis."""

    def contains(self, *signals: Floats) -> Bools:
        """Mask of the events that lie inside."""
        ...


class PlacedRegion(Struct, frozen=True):
    """A region and the markers of its axes, in its order.

    A cheap region is a few comparisons; for the others it pays to ask about the parent's events only, and of these
    about the ones within ``bounds``, comparisons that all of its events fulfil.
    """

    markers: tuple[str, ...]
    region: Region
    cheap: bool = False
    bounds: Region | None = None


class DrawnAxis(Protocol):
    """An axis of a picture: a marker, and places from 0 to 1 from end to end."""

    @property
    def marker(self) -> str:
        """Return the marker that is drawn along it."""
        ...

    def place_on_scale(self, on_scale: npt.ArrayLike) -> Floats:
        """Return the places of values on the marker's scale."""
        ...

    def place_exactly(self, values: npt.ArrayLike) -> Floats:
        """Return the places of data values."""
        ...


class GateBase(Declaration, frozen=True, kw_only=True):
    """What every gate may carry."""

    note: str = ""

    def markers(self) -> tuple[str, ...]:
        """Return the panel entries whose values decide this gate."""
        return ()

    def references(self) -> tuple[str, ...]:
        """Return the populations that this gate refers to."""
        return ()

    def words(self) -> str:
        """The gate in one line of words, for people who read a template."""
        raise NotImplementedError


class FixedGateBase(GateBase, frozen=True, kw_only=True):
    """What every fixed gate can do."""

    @property
    def depends_on_scale(self) -> bool:
        """True if another scale of an axis moves events in or out."""
        return True

    def placed(self, scale_of: ScaleOf) -> PlacedRegion:
        """Return the gate's region on the scales of a file's axes.

        Parameters
        ----------
        scale_of : callable
            Marker to the scale of its axis.
        """
        raise NotImplementedError

    def numbers(self, scale_of: ScaleOf) -> Iterator[tuple[str, float | None]]:
        """Yield the gate's numbers by the names that ``gates.csv`` gives them, in data units."""
        raise NotImplementedError

    def decided_names(self) -> frozenset[str]:
        """Return the names of numbers that a data-driven gate may have decided, and that move this one as a whole."""
        return frozenset()

    def with_numbers(
        self, replaced: Mapping[str, float], before: Mapping[str, float | None], scale_of: ScaleOf
    ) -> FixedGate:
        """Return a copy with some numbers replaced; ``before`` are the numbers that data decided, as they were."""
        raise NotImplementedError

    def with_markers(self, name_of: Callable[[str], str]) -> Self:
        """Return a copy on other panel entries."""
        raise NotImplementedError

    def outline(self, x: DrawnAxis, y: DrawnAxis | None) -> Floats | None:
        """Return the corners (n, 2) of the gate's shadow on two axes, or one; None where it does not bound either."""
        raise NotImplementedError


def in_data_units(value: float, scale: AnyScale, units: Units) -> float:
    """Return a gate's number in data units."""
    return float(scale.inverse(value)) if units == "scale" else value
