"""The gates that a template can declare: fixed ones (see ``regions``), and data-driven ones.

A data-driven gate declares the window that it may not leave. Each gate names the panel entries that it looks at
(:meth:`GateBase.markers`) and the populations that it refers to (:meth:`GateBase.references`). What a gate can check by
itself, it checks where it is declared; what needs the rest of the template is checked in ``faults``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from msgspec import Meta, field

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


class ValleyGate(GateBase, frozen=True, kw_only=True, tag_field="kind", tag="valley"):
    """A threshold at the valley between two peaks of one marker, inside its window."""

    marker: str
    keep: Keep
    fallback: float
    window: tuple[float, float]
    prominence: Annotated[float, Meta(gt=0, lt=1)] = 0.25

    def markers(self) -> tuple[str, ...]:
        """Return the one marker."""
        return (self.marker,)

    def words(self) -> str:
        """Return the marker and the window of the valley."""
        low, high = self.window
        return f"{self.marker} {self.keep} the valley in {low:g}-{high:g} (else {self.fallback:g})"

    def faults(self) -> Iterator[str]:
        """Yield what does not go together."""
        yield from _outside_window(self.window, (self.fallback,))


class ReferenceGate(GateBase, frozen=True, kw_only=True, tag_field="kind", tag="reference"):
    """A threshold and a background rate from control samples gated to the same parent.

    ``stain_index`` is what the marker's positives usually have: the limits of a tube with too few to tell suppose it.
    """

    marker: str
    keep: Literal["above"] = "above"
    fallback: float
    window: tuple[float, float]
    controls: tuple[Literal["baseline", "healthy", "fmo"], ...] = ("baseline", "healthy")
    background_percent: Annotated[float, Meta(ge=0, le=100)] = 0.05
    stain_index: Annotated[float, Meta(ge=1, le=1000)] = 6.0

    def markers(self) -> tuple[str, ...]:
        """Return the one marker."""
        return (self.marker,)

    def words(self) -> str:
        """Return the marker and the window of the threshold."""
        low, high = self.window
        return f"{self.marker} above the controls' threshold in {low:g}-{high:g} (else {self.fallback:g})"

    def faults(self) -> Iterator[str]:
        """Yield what does not go together."""
        yield from _outside_window(self.window, (self.fallback,))


class SingletsGate(GateBase, frozen=True, kw_only=True, tag_field="kind", tag="singlets"):
    """Single events by the ratio of pulse height (or width) to area.

    ``sigmas`` is how far below and above the line of single events the limits lie, in spreads of its upper side.
    """

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

    def faults(self) -> Iterator[str]:
        """Yield what does not go together."""
        reasons = _outside_window(self.window, self.fallback)
        if self.fallback[0] >= self.fallback[1]:
            reasons.append(f"fallback must rise: [{self.fallback[0]:g}, {self.fallback[1]:g}]")
        if (self.height is None) == (self.width is None):
            reasons.append("needs height or width beside area, and not both")
        if min(self.sigmas) <= 0:
            reasons.append("sigmas must be two numbers above 0")
        yield from reasons


class ClusterGate(GateBase, frozen=True, kw_only=True, tag_field="kind", tag="cluster"):
    """A compact cluster of events near a known place on two axes: beads, or lymphocytes.

    The cluster's centre may lie up to a factor ``within`` from ``near`` on either axis; the fallback is everything
    within that factor of ``near``. ``core`` names markers whose bright events mark the heart of the cluster, each
    with the window of the valley that parts bright from dim: ``core = { CD3 = [400, 5000] }`` finds lymphocytes, large
    activated ones too, around their T cells, and ends where other cells outnumber them, yet never before ``least`` of
    them lie within. Without ``core`` the cluster is one tight spot, as beads are, with pairs of beads at twice its
    signals.
    """

    x: str
    y: str
    near: tuple[float, float]
    within: Annotated[float, Meta(gt=1)] = 2.0
    core: dict[str, tuple[float, float]] = field(default_factory=dict)
    least: Annotated[float, Meta(ge=0.5, le=0.999)] = 0.9

    def markers(self) -> tuple[str, ...]:
        """Return the two axes, then the markers of the core."""
        return tuple(dict.fromkeys((self.x, self.y, *self.core)))

    def words(self) -> str:
        """Return the place of the cluster."""
        return f"cluster near {self.near[0]:g}, {self.near[1]:g} on {self.x} and {self.y}"

    def faults(self) -> Iterator[str]:
        """Yield what does not go together."""
        reasons = []
        if min(self.near) <= 0:
            reasons.append("near must be two numbers above 0: the cluster is found on a log scale")
        if self.x == self.y:
            reasons.append(f"x and y are the same marker {self.x!r}")
        reasons += [f"core window of {name} must rise" for name, window in self.core.items() if window[0] >= window[1]]
        yield from reasons


AdaptiveGate = ValleyGate | ReferenceGate | SingletsGate | ClusterGate
Gate = FixedGate | AdaptiveGate
