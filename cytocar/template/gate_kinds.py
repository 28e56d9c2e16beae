"""The gates that a template can declare: fixed ones, and data-driven ones with the window they may not leave.

Each gate names the panel entries that it looks at (:meth:`GateBase.markers`) and the populations that it refers to
(:meth:`GateBase.references`). What a gate can check by itself, it checks here; what needs the rest of the template is
checked in ``faults``.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from cytocar.signals.declaration import Declaration

Units = Literal["data", "scale"]
Keep = Literal["above", "below"]


class GateBase(Declaration):
    """What every gate may carry."""

    note: str = ""

    def markers(self) -> tuple[str, ...]:
        """Return the panel entries whose values decide this gate."""
        return ()

    def references(self) -> tuple[str, ...]:
        """Return the populations that this gate refers to."""
        return ()


# ---------------------------------------------------------------- fixed


class Bounds(Declaration):
    """``min <= x < max``; a missing bound is open."""

    min: float | None = None
    max: float | None = None

    @model_validator(mode="after")
    def _low_stands_below_high(self) -> Self:
        if self.min is not None and self.max is not None and self.min >= self.max:
            raise ValueError(f"min ({self.min:g}) must be below max ({self.max:g})")
        return self


class RangeGate(GateBase):
    """One marker between two bounds: ``min <= x < max``."""

    kind: Literal["range"]
    marker: str
    min: float | None = None
    max: float | None = None
    units: Units = "data"

    def markers(self) -> tuple[str, ...]:
        """Return the one marker."""
        return (self.marker,)

    @model_validator(mode="after")
    def _bounds_say_something(self) -> Self:
        if self.min is None and self.max is None:
            raise ValueError("needs min, max or both")
        if self.min is not None and self.max is not None and self.min >= self.max:
            raise ValueError(f"min ({self.min:g}) must be below max ({self.max:g})")
        return self


class RectangleGate(GateBase):
    """Any number of markers, each between two bounds."""

    kind: Literal["rectangle"]
    bounds: dict[str, Bounds] = Field(min_length=1)
    units: Units = "data"

    def markers(self) -> tuple[str, ...]:
        """Return the bounded markers, in the order of the file."""
        return tuple(self.bounds)


class PolygonGate(GateBase):
    """A closed polygon, even-odd, edges straight on the axes' scales."""

    kind: Literal["polygon"]
    x: str
    y: str
    vertices: tuple[tuple[float, float], ...]
    units: Units = "data"

    def markers(self) -> tuple[str, ...]:
        """Return the two axes."""
        return (self.x, self.y)

    @model_validator(mode="after")
    def _three_corners_on_two_axes(self) -> Self:
        said = []
        if len(self.vertices) < 3:
            said.append(f"a polygon needs at least three corners, vertices has {len(self.vertices)}")
        if self.x == self.y:
            said.append(f"x and y are the same marker {self.x!r}")
        if said:
            raise ValueError("; ".join(said))
        return self


class EllipseGate(GateBase):
    """``(v - center)' covariance^-1 (v - center) <= distance_square`` on the axes' scales, in any dimension."""

    kind: Literal["ellipse"]
    axes: tuple[str, ...] = Field(min_length=1)
    center: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    distance_square: float = Field(ge=0)

    def markers(self) -> tuple[str, ...]:
        """Return the axes."""
        return self.axes

    @model_validator(mode="after")
    def _dimensions_agree(self) -> Self:
        size = len(self.axes)
        said = []
        if len(set(self.axes)) < size:
            said.append("an axis is named twice")
        if len(self.center) != size:
            said.append(f"center needs {size} numbers, one per axis, and has {len(self.center)}")
        if len(self.covariance) != size or any(len(row) != size for row in self.covariance):
            said.append(f"covariance must be square, {size} rows of {size} numbers")
        elif not _is_positive_definite(self.covariance):
            said.append("covariance must be symmetric and positive definite (otherwise it bounds no ellipse)")
        if said:
            raise ValueError("; ".join(said))
        return self


def _is_positive_definite(rows: tuple[tuple[float, ...], ...]) -> bool:
    matrix = np.array(rows)
    if not np.allclose(matrix, matrix.T, rtol=1e-4, atol=0):
        return False
    try:
        np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        return False
    return True


class Divider(Declaration):
    """Where a quadrant gate divides one axis: at one value or several, rising."""

    marker: str
    at: float | tuple[float, ...]

    @property
    def values(self) -> tuple[float, ...]:
        """Return the dividing values, lowest first."""
        return self.at if isinstance(self.at, tuple) else (self.at,)

    @model_validator(mode="after")
    def _values_rise(self) -> Self:
        if not self.values:
            raise ValueError("at needs at least one value")
        if any(low >= high for low, high in pairwise(self.values)):
            raise ValueError("the values of at must rise")
        return self


class QuadrantGate(GateBase):
    """One corner of a quadrant gate.

    ``keep = "+-"``: above the divider on x, below on y. With several dividers on an axis, or more than two axes,
    ``axes`` stands in place of ``x`` and ``y``, and ``keep`` lists one interval number (0 is the lowest) per axis.
    """

    kind: Literal["quadrant"]
    x: Divider | None = None
    y: Divider | None = None
    axes: tuple[Divider, ...] = ()
    keep: Literal["--", "-+", "+-", "++"] | tuple[int, ...]
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

    def bounds(self) -> dict[str, Bounds]:
        """Return the kept corner as bounds of each marker.

        Examples
        --------
        >>> corner = QuadrantGate(
        ...     kind="quadrant", x=Divider(marker="CD4", at=1500), y=Divider(marker="CD8", at=2000), keep="+-"
        ... )
        >>> corner.bounds()
        {'CD4': Bounds(min=1500.0, max=None), 'CD8': Bounds(min=None, max=2000.0)}
        """
        corner = {}
        for divider, interval in zip(self.dividers, self.kept, strict=True):
            edges = (None, *divider.values, None)
            corner[divider.marker] = Bounds(min=edges[interval], max=edges[interval + 1])
        return corner

    @model_validator(mode="after")
    def _corner_exists(self) -> Self:
        said = []
        if self.axes and (self.x is not None or self.y is not None):
            said.append("axes stands in place of x and y: give one or the other")
        if not self.axes and (self.x is None or self.y is None):
            said.append("needs x and y, or axes")
        if len(set(self.markers())) < len(self.dividers):
            said.append("a marker is divided twice: list its values in one divider")
        if not said and len(self.kept) != len(self.dividers):
            said.append(f"keep needs one interval per axis ({len(self.dividers)}) and has {len(self.kept)}")
        elif not said:
            said = [
                f"keep says interval {interval} on {divider.marker!r}, which has 0 to {len(divider.values)}"
                for divider, interval in zip(self.dividers, self.kept, strict=True)
                if not 0 <= interval <= len(divider.values)
            ]
        if said:
            raise ValueError("; ".join(said))
        return self


class BooleanGate(GateBase):
    """Events that are in all of, in any of, and in none of the named populations (and in the parent)."""

    kind: Literal["boolean"]
    all_of: tuple[str, ...] = ()
    any_of: tuple[str, ...] = ()
    none_of: tuple[str, ...] = ()

    def references(self) -> tuple[str, ...]:
        """Return every population named."""
        return (*self.all_of, *self.any_of, *self.none_of)

    @model_validator(mode="after")
    def _names_a_population(self) -> Self:
        if not self.references():
            raise ValueError("needs all_of, any_of or none_of")
        return self


# ---------------------------------------------------------------- data-driven


def _outside_window(window: tuple[float, float], fallback: tuple[float, ...]) -> list[str]:
    low, high = window
    if low >= high:
        return [f"window must rise: [{low:g}, {high:g}]"]
    return [
        f"fallback ({value:g}) must lie inside its window [{low:g}, {high:g}]"
        for value in fallback
        if not low <= value <= high
    ]


class ValleyGate(GateBase):
    """A threshold at the valley between two peaks of one marker, inside its window."""

    kind: Literal["valley"]
    marker: str
    keep: Keep
    fallback: float
    window: tuple[float, float]
    prominence: float = Field(default=0.25, gt=0, lt=1)

    def markers(self) -> tuple[str, ...]:
        """Return the one marker."""
        return (self.marker,)

    @model_validator(mode="after")
    def _fallback_lies_in_window(self) -> Self:
        if said := _outside_window(self.window, (self.fallback,)):
            raise ValueError("; ".join(said))
        return self


class ReferenceGate(GateBase):
    """A threshold and a background rate from control samples gated to the same parent."""

    kind: Literal["reference"]
    marker: str
    keep: Literal["above"] = "above"
    fallback: float
    window: tuple[float, float]
    controls: tuple[Literal["baseline", "healthy", "fmo"], ...] = ("baseline", "healthy")
    background_percent: float = Field(default=0.05, ge=0, le=100)

    def markers(self) -> tuple[str, ...]:
        """Return the one marker."""
        return (self.marker,)

    @model_validator(mode="after")
    def _fallback_lies_in_window(self) -> Self:
        if said := _outside_window(self.window, (self.fallback,)):
            raise ValueError("; ".join(said))
        return self


class SingletsGate(GateBase):
    """Single events by the ratio of pulse height (or width) to area."""

    kind: Literal["singlets"]
    area: str
    height: str | None = None
    width: str | None = None
    fallback: tuple[float, float] = (0.7, 1.3)
    window: tuple[float, float] = (0.4, 2.0)

    def markers(self) -> tuple[str, ...]:
        """Return area and the other measure of the pulse."""
        return tuple(name for name in (self.area, self.height, self.width) if name is not None)

    @model_validator(mode="after")
    def _has_two_measures(self) -> Self:
        said = _outside_window(self.window, self.fallback)
        if self.fallback[0] >= self.fallback[1]:
            said.append(f"fallback must rise: [{self.fallback[0]:g}, {self.fallback[1]:g}]")
        if (self.height is None) == (self.width is None):
            said.append("needs height or width beside area, and not both")
        if said:
            raise ValueError("; ".join(said))
        return self


class ClusterGate(GateBase):
    """A compact cluster of events near a known place on two axes: beads, or lymphocytes.

    The cluster's centre may lie up to a factor ``within`` from ``near`` on either axis; the fallback is everything
    within that factor of ``near``. ``core`` names markers whose bright events mark the heart of the cluster, each
    with the window of the valley that parts bright from dim: ``core = { CD3 = [400, 5000] }`` finds lymphocytes, large
    activated ones too, around their T cells. Without ``core`` the cluster is one tight spot, as
    beads are, with pairs of beads at twice its signals.
    """

    kind: Literal["cluster"]
    x: str
    y: str
    near: tuple[float, float]
    within: float = Field(default=2.0, gt=1)
    core: dict[str, tuple[float, float]] = Field(default_factory=dict)

    def markers(self) -> tuple[str, ...]:
        """Return the two axes, then the markers of the core."""
        return tuple(dict.fromkeys((self.x, self.y, *self.core)))

    @model_validator(mode="after")
    def _place_is_positive(self) -> Self:
        said = []
        if min(self.near) <= 0:
            said.append("near must be two numbers above 0: the cluster is found on a log scale")
        if self.x == self.y:
            said.append(f"x and y are the same marker {self.x!r}")
        said += [f"core window of {name} must rise" for name, window in self.core.items() if window[0] >= window[1]]
        if said:
            raise ValueError("; ".join(said))
        return self


FixedGate = RangeGate | RectangleGate | PolygonGate | EllipseGate | QuadrantGate | BooleanGate
AdaptiveGate = ValleyGate | ReferenceGate | SingletsGate | ClusterGate
Gate = Annotated[FixedGate | AdaptiveGate, Field(discriminator="kind")]
