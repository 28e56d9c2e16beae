"""The gates that a template can declare: fixed ones (see ``regions``), and data-driven ones.

A data-driven gate declares the window that it may not leave. Each gate names the panel entries that it looks at
(:meth:`GateBase.markers`) and the populations that it refers to (:meth:`GateBase.references`). What a gate can check by
itself, it checks where it is declared; what needs the rest of the template is checked in ``faults``.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from cytocar.regions.gate import GateBase
from cytocar.regions.kinds import FixedGate

Keep = Literal["above", "below"]


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

    def words(self) -> str:
        """Return the marker and the window of the valley."""
        low, high = self.window
        return f"{self.marker} {self.keep} the valley in {low:g}-{high:g} (else {self.fallback:g})"

    @model_validator(mode="after")
    def _fallback_lies_in_window(self) -> Self:
        if reasons := _outside_window(self.window, (self.fallback,)):
            raise ValueError("; ".join(reasons))
        return self


class ReferenceGate(GateBase):
    """A threshold and a background rate from control samples gated to the same parent.

    ``stain_index`` is what the marker's positives usually have: the limits of a tube with too few to tell suppose it.
    """

    kind: Literal["reference"]
    marker: str
    keep: Literal["above"] = "above"
    fallback: float
    window: tuple[float, float]
    controls: tuple[Literal["baseline", "healthy", "fmo"], ...] = ("baseline", "healthy")
    background_percent: float = Field(default=0.05, ge=0, le=100)
    stain_index: float = Field(default=6.0, ge=1, le=1000)

    def markers(self) -> tuple[str, ...]:
        """Return the one marker."""
        return (self.marker,)

    def words(self) -> str:
        """Return the marker and the window of the threshold."""
        low, high = self.window
        return f"{self.marker} above the controls' threshold in {low:g}-{high:g} (else {self.fallback:g})"

    @model_validator(mode="after")
    def _fallback_lies_in_window(self) -> Self:
        if reasons := _outside_window(self.window, (self.fallback,)):
            raise ValueError("; ".join(reasons))
        return self


class SingletsGate(GateBase):
    """Single events by the ratio of pulse height (or width) to area.

    ``sigmas`` is how far below and above the line of single events the limits lie, in spreads of its upper side.
    """

    kind: Literal["singlets"]
    area: str
    height: str | None = None
    width: str | None = None
    sigmas: tuple[float, float] = (3.0, 5.0)
    fallback: tuple[float, float] = (0.7, 1.3)
    window: tuple[float, float] = (0.4, 2.0)

    def markers(self) -> tuple[str, ...]:
        """Return area and the other measure of the pulse."""
        return tuple(name for name in (self.area, self.height, self.width) if name is not None)

    def words(self) -> str:
        """Return the two measures of the pulse."""
        return f"single events by {self.area} and {self.height or self.width}"

    @model_validator(mode="after")
    def _has_two_measures(self) -> Self:
        reasons = _outside_window(self.window, self.fallback)
        if self.fallback[0] >= self.fallback[1]:
            reasons.append(f"fallback must rise: [{self.fallback[0]:g}, {self.fallback[1]:g}]")
        if (self.height is None) == (self.width is None):
            reasons.append("needs height or width beside area, and not both")
        if min(self.sigmas) <= 0:
            reasons.append("sigmas must be two numbers above 0")
        if reasons:
            raise ValueError("; ".join(reasons))
        return self


class ClusterGate(GateBase):
    """A compact cluster of events near a known place on two axes: beads, or lymphocytes.

    The cluster's centre may lie up to a factor ``within`` from ``near`` on either axis; the fallback is everything
    within that factor of ``near``. ``core`` names markers whose bright events mark the heart of the cluster, each
    with the window of the valley that parts bright from dim: ``core = { CD3 = [400, 5000] }`` finds lymphocytes, large
    activated ones too, around their T cells, and ends where other cells outnumber them, yet never before ``least`` of
    them lie within. Without ``core`` the cluster is one tight spot, as beads are, with pairs of beads at twice its
    signals.
    """

    kind: Literal["cluster"]
    x: str
    y: str
    near: tuple[float, float]
    within: float = Field(default=2.0, gt=1)
    core: dict[str, tuple[float, float]] = Field(default_factory=dict)
    least: float = Field(default=0.9, ge=0.5, le=0.999)

    def markers(self) -> tuple[str, ...]:
        """Return the two axes, then the markers of the core."""
        return tuple(dict.fromkeys((self.x, self.y, *self.core)))

    def words(self) -> str:
        """Return the place of the cluster."""
        return f"cluster near {self.near[0]:g}, {self.near[1]:g} on {self.x} and {self.y}"

    @model_validator(mode="after")
    def _place_is_positive(self) -> Self:
        reasons = []
        if min(self.near) <= 0:
            reasons.append("near must be two numbers above 0: the cluster is found on a log scale")
        if self.x == self.y:
            reasons.append(f"x and y are the same marker {self.x!r}")
        reasons += [f"core window of {name} must rise" for name, window in self.core.items() if window[0] >= window[1]]
        if reasons:
            raise ValueError("; ".join(reasons))
        return self


AdaptiveGate = ValleyGate | ReferenceGate | SingletsGate | ClusterGate
Gate = Annotated[FixedGate | AdaptiveGate, Field(discriminator="kind")]
