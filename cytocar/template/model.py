"""The declarations of a gating template: each key, its type and what it means, declared once.

A template is data. Nothing here reads a file (see ``load``) or touches events (see ``cytocar.gates``).
Numbers of gates are in compensated data units unless ``units = "scale"`` stands beside them.
"""

from __future__ import annotations

import re
from typing import Literal, Self

import numpy as np
from pydantic import Field, field_validator, model_validator

from cytocar.signals.declaration import Part
from cytocar.signals.scale_kinds import (
    AnyScale,
    AsinhScale,
    HyperlogScale,
    LinearScale,
    LogicleScale,
    LogScale,
    Scale,
)
from cytocar.template.gate_kinds import (
    AdaptiveGate,
    BooleanGate,
    Bounds,
    ClusterGate,
    Divider,
    EllipseGate,
    FixedGate,
    Gate,
    GateBase,
    PolygonGate,
    QuadrantGate,
    RangeGate,
    RectangleGate,
    ReferenceGate,
    SingletsGate,
    ValleyGate,
)

__all__ = [
    "Acceptance",
    "AdaptiveGate",
    "AnyScale",
    "AsinhScale",
    "BooleanGate",
    "Bounds",
    "ClusterGate",
    "Compensation",
    "Counting",
    "Cv",
    "Divider",
    "EllipseGate",
    "FixedGate",
    "Gate",
    "GateBase",
    "HyperlogScale",
    "Limits",
    "LinearScale",
    "LogScale",
    "LogicleScale",
    "Marker",
    "Matrix",
    "Part",
    "PolygonGate",
    "Population",
    "QuadrantGate",
    "RangeGate",
    "Ratio",
    "RectangleGate",
    "ReferenceGate",
    "Report",
    "Scale",
    "SingletsGate",
    "Template",
    "ValleyGate",
]

# ---------------------------------------------------------------- panel: marker -> channel


class Ratio(Part):
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


class Marker(Part):
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


class Matrix(Part):
    """A named spectrum matrix: one row per fluorochrome, one column per detector."""

    fluorochromes: tuple[str, ...]
    detectors: tuple[str, ...]
    values: tuple[tuple[float, ...], ...]
    inverted: bool = False

    @model_validator(mode="after")
    def _shape_fits_names(self) -> Self:
        rows, columns = len(self.fluorochromes), len(self.detectors)
        said = []
        if len(set(self.fluorochromes)) < rows or len(set(self.detectors)) < columns:
            said.append("a fluorochrome or a detector is named twice")
        if len(self.values) != rows or any(len(row) != columns for row in self.values):
            said.append(f"values needs {rows} rows (fluorochromes) of {columns} numbers (detectors)")
        elif rows == 0 or np.linalg.matrix_rank(np.array(self.values)) < rows:
            said.append("values cannot be inverted: the rows must not follow from one another")
        if said:
            raise ValueError("; ".join(said))
        return self


class Compensation(Part):
    """Where the spillover matrix comes from: ``file``, ``none``, a CSV beside the template, or a named matrix."""

    source: str = "file"
    missing: Literal["fail", "none"] = "fail"
    matrices: dict[str, Matrix] = Field(default_factory=dict)


# ---------------------------------------------------------------- populations


class Population(Part):
    """One named population: its parent, the populations set aside first, and its gate."""

    name: str
    parent: str = "all"
    exclude: tuple[str, ...] = ()
    gate: Gate
    note: str = ""


# ---------------------------------------------------------------- counting, report, limits, acceptance


class Cv(Part):
    """Coefficients of variation (0.05 is 5 %) that widen the interval on the log scale."""

    beads: float = Field(default=0.0, ge=0, lt=1)
    pipetting: float = Field(default=0.0, ge=0, lt=1)
    analyser: float = Field(default=0.0, ge=0, lt=1)


class Counting(Part):
    """How events become cells/µL; a sheet row may override ``method``."""

    method: Literal["beads", "volumetric", "dual_platform", "none"] = "none"
    beads: str | None = None
    minimum_beads: int = Field(default=1000, ge=1)
    dual_platform_reference: str | None = None
    dual_platform_count: Literal["lymphocytes", "wbc"] = "lymphocytes"
    final_volume_ul: float | None = Field(default=None, gt=0)
    cv: Cv = Cv()


class Report(Part):
    """Which population plays which role in ``counts.csv``, and which medians are written."""

    viable: str | None = None
    viable_of: str | None = None
    lymphocytes: str | None = None
    t_cells: str | None = None
    cd4: str | None = None
    cd8: str | None = None
    car: str | None = None
    car_cd4: str | None = None
    car_cd8: str | None = None
    b_cells: str | None = None
    medians: tuple[str, ...] = ()


class Limits(Part):
    """Events (and percent of T cells) below which a result is not detected, or not quantified."""

    detection_events: int = Field(default=13, ge=1)
    quantification_events: int = Field(default=22, ge=1)
    detection_percent: float = Field(default=0.1, ge=0, le=100)

    @model_validator(mode="after")
    def _detection_comes_first(self) -> Self:
        if self.detection_events > self.quantification_events:
            raise ValueError(
                f"detection_events ({self.detection_events}) must not be above "
                f"quantification_events ({self.quantification_events})"
            )
        return self


class Acceptance(Part):
    """A check on a sample's numbers, and what happens when it does not hold."""

    check: str
    minimum: float | None = None
    maximum: float | None = None
    on_fail: Literal["review", "no_count", "fail"] = "review"
    note: str = ""

    @model_validator(mode="after")
    def _limits_say_something(self) -> Self:
        if self.minimum is None and self.maximum is None:
            raise ValueError("needs minimum, maximum or both")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ValueError(f"minimum ({self.minimum:g}) must not be above maximum ({self.maximum:g})")
        return self


class Quality(Part):
    """What happens to stretches of unsteady flow: cut from every population, flagged, or not looked for."""

    unsteady_flow: Literal["cut", "flag", "ignore"] = "flag"


class Template(Part):
    """A whole gating template, validated."""

    format: Literal[1] = 1
    name: str
    version: str
    title: str = ""
    note: str = ""
    panel: dict[str, Marker]
    compensation: Compensation = Compensation()
    scales: dict[str, Scale] = Field(default_factory=dict)
    populations: tuple[Population, ...]
    counting: Counting = Counting()
    report: Report = Report()
    limits: Limits = Limits()
    quality: Quality = Quality()
    acceptance: tuple[Acceptance, ...] = ()

    def population(self, name: str) -> Population:
        """Return the declaration of a population by name."""
        return next(population for population in self.populations if population.name == name)

    def scale(self, marker: str) -> AnyScale:
        """Return the scale of a marker's axis: its own, else the default, else linear."""
        return self.scales.get(marker) or self.scales.get("default") or LinearScale()

    @field_validator("version")
    @classmethod
    def _version_has_three_numbers(cls, version: str) -> str:
        if not re.fullmatch(r"\d+\.\d+\.\d+", version):
            raise ValueError('must be three numbers such as "1.0.0" (major.minor.patch)')
        return version

    @field_validator("name")
    @classmethod
    def _name_can_be_a_file_name(cls, name: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
            raise ValueError("must be letters, digits, '.', '_' and '-', starting with a letter or digit")
        return name
