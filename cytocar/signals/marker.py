"""How a marker is declared: names of its channel, its own matrix, a ratio of two others."""

from __future__ import annotations

from collections.abc import Iterator

from cytocar.signals.declaration import Declaration


class Ratio(Declaration, frozen=True, kw_only=True):
    """A derived axis: ``A * (numerator - B) / (denominator - C)`` (Gating-ML 2.0, fratio)."""

    numerator: str
    denominator: str
    A: float = 1.0
    B: float = 0.0
    C: float = 0.0

    def faults(self) -> Iterator[str]:
        """Yield what does not go together."""
        if self.A == 0:
            yield "A must not be 0: every ratio would be 0"


class Marker(Declaration, frozen=True, kw_only=True):
    """How one marker finds its channel.

    A marker without aliases and detectors answers to its own name. ``compensation`` overrides the template's source
    for this axis: ``"none"``, ``"file"`` or the name of a matrix under ``[compensation.matrices]``. ``fluorochrome``
    picks a row of such a matrix by the dye's name. ``ratio`` makes the axis a function of two other markers.
    """

    aliases: tuple[str, ...] = ()
    detectors: tuple[str, ...] = ()
    optional: bool = False
    compensation: str | None = None
    fluorochrome: str | None = None
    ratio: Ratio | None = None
    note: str = ""

    def faults(self) -> Iterator[str]:
        """Yield what does not go together."""
        if self.ratio is not None and (self.aliases or self.detectors or self.fluorochrome):
            yield "a ratio has no channel of its own: leave out aliases, detectors and fluorochrome"
