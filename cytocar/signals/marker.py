"""How a marker is declared: names of its channel, its own matrix, a ratio of two others."""

from __future__ import annotations

from typing import Self

from pydantic import field_validator, model_validator

from cytocar.signals.declaration import Declaration


class Ratio(Declaration):
    """A derived axis: ``A * (numerator - B) / (denominator - C)`` (Gating-ML 2.0, fratio)."""

    numerator: str
    denominator: str
    A: float = 1.0
    B: float = 0.0
    C: float = 0.0

    @field_validator("A")
    @classmethod
    def _factor_is_not_zero(cls, factor: float) -> float:
        if factor == 0:
            raise ValueError("must not be 0: every ratio would be 0")
        return factor


class Marker(Declaration):
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

    @model_validator(mode="after")
    def _ratio_stands_alone(self) -> Self:
        if self.ratio is not None and (self.aliases or self.detectors or self.fluorochrome):
            raise ValueError("a ratio has no channel of its own: leave out aliases, detectors and fluorochrome")
        return self
