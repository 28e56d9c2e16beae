"""The scales that a template can declare, with the parameters of Gating-ML 2.0 and the limits that it sets on them.

``T`` is the value at the top of the scale (which maps to 1), ``M`` the decades that it spans, ``W`` the decades of its
linear part, ``A`` additional decades of negative values.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from cytocar.signals.declaration import Part


class ScaleBase(Part):
    """What every scale may carry: values beyond a bound are drawn, and gated, at the bound (boundMin, boundMax)."""

    bound_min: float | None = None
    bound_max: float | None = None

    @model_validator(mode="after")
    def _bounds_rise(self) -> Self:
        if self.bound_min is not None and self.bound_max is not None and self.bound_min > self.bound_max:
            raise ValueError(f"bound_min ({self.bound_min:g}) must not be above bound_max ({self.bound_max:g})")
        return self


class LinearScale(ScaleBase):
    """``(x + A) / (T + A)`` (flin); without T the identity."""

    kind: Literal["linear"] = "linear"
    T: float | None = Field(default=None, gt=0)
    A: float = 0.0

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if self.T is None and self.A != 0:
            raise ValueError("A needs T beside it")
        if self.T is not None and self.T + self.A <= 0:
            raise ValueError(f"T + A must be above 0, it is {self.T + self.A:g}")
        return self


class LogScale(ScaleBase):
    """``log10(x / T) / M + 1`` (flog)."""

    kind: Literal["log"]
    T: float = Field(default=262144.0, gt=0)
    M: float = Field(default=4.5, gt=0)


class AsinhScale(ScaleBase):
    """``(asinh(x sinh(M ln 10) / T) + A ln 10) / ((M + A) ln 10)`` (fasinh)."""

    kind: Literal["asinh"]
    T: float = Field(default=262144.0, gt=0)
    M: float = Field(default=4.5, gt=0)
    A: float = Field(default=0.0, ge=0)


def _linear_part_fits(scale: LogicleScale | HyperlogScale) -> None:
    said = []
    if scale.W > scale.M / 2:
        said.append(f"W ({scale.W:g}) must not be above M / 2 ({scale.M / 2:g})")
    if not -scale.W <= scale.A <= scale.M - 2 * scale.W:
        said.append(f"A ({scale.A:g}) must lie between -W and M - 2 W ({-scale.W:g} to {scale.M - 2 * scale.W:g})")
    if said:
        raise ValueError("; ".join(said))


class LogicleScale(ScaleBase):
    """Logicle (Parks 2006; Moore and Parks 2012)."""

    kind: Literal["logicle"]
    T: float = Field(default=262144.0, gt=0)
    W: float = Field(default=0.5, ge=0)
    M: float = Field(default=4.5, gt=0)
    A: float = 0.0

    @model_validator(mode="after")
    def _parameters_fit(self) -> Self:
        _linear_part_fits(self)
        return self


class HyperlogScale(ScaleBase):
    """Hyperlog (Bagwell 2005) as Gating-ML 2.0 states it."""

    kind: Literal["hyperlog"]
    T: float = Field(default=262144.0, gt=0)
    W: float = Field(default=0.5, gt=0)
    M: float = Field(default=4.5, gt=0)
    A: float = 0.0

    @model_validator(mode="after")
    def _parameters_fit(self) -> Self:
        _linear_part_fits(self)
        return self


AnyScale = LinearScale | LogScale | AsinhScale | LogicleScale | HyperlogScale
Scale = Annotated[AnyScale, Field(discriminator="kind")]
