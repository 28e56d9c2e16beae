"""The declarations of a gating template: each key, its type and what it means, declared once.

A template is data. Nothing here reads a file (see ``load``) or touches events (see ``cytocar.gates``).
Numbers of gates are in compensated data units unless ``units = "scale"`` stands beside them.
"""

from __future__ import annotations

import re
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from cytocar.signals.compensation import Matrix
from cytocar.signals.declaration import Declaration
from cytocar.signals.marker import Marker
from cytocar.signals.scales import (
    AnyScale,
    LinearScale,
    Scale,
)
from cytocar.template.gate_kinds import Gate

# ---------------------------------------------------------------- panel: marker -> channel


class Compensation(Declaration):
    """Where the spillover matrix comes from: ``file``, a CSV beside the template, or a named matrix.

    ``none``: the signals are taken as they are; ``unmixed``: so are they, because channels of spectral data are dyes
    already. ``missing`` says what becomes of data whose matrix is not there or is the identity.
    """

    source: str = "file"
    missing: Literal["fail", "none"] = "fail"
    matrices: dict[str, Matrix] = Field(default_factory=dict)


# ---------------------------------------------------------------- populations

MOST_POPULATIONS = 2000
"""Trees of real panels have tens, whole studies hundreds. 2,000 take four seconds a sample; 20,000 stop a machine."""


class Population(Declaration):
    """One named population: its parent, the populations set aside first, and its gate."""

    name: str
    parent: str = "all"
    exclude: tuple[str, ...] = ()
    gate: Gate
    note: str = ""


# ---------------------------------------------------------------- counting, report, limits, acceptance


class Cv(Declaration):
    """Coefficients of variation (0.05 is 5 %) that widen the interval on the log scale."""

    beads: float = Field(default=0.0, ge=0, lt=1)
    pipetting: float = Field(default=0.0, ge=0, lt=1)
    analyser: float = Field(default=0.0, ge=0, lt=1)


class Uncertainty(Declaration):
    """The laboratory's own budget of measurement uncertainty: components as coefficients of variation (0.05 is 5 %)."""

    components: dict[str, float] = Field(default_factory=dict)
    coverage: float = Field(default=2.0, gt=0, le=4)

    @field_validator("components")
    @classmethod
    def _components_are_shares(cls, components: dict[str, float]) -> dict[str, float]:
        for name, cv in components.items():
            if not 0 <= cv < 1:
                raise ValueError(f"{name} is {cv:g}; a coefficient of variation of 5 % is written 0.05")
        return components


class Counting(Declaration):
    """How events become cells/µL; a sheet row may override ``method``.

    ``pairs = "count"`` adds the cells in pairs, which gates on single events leave out, as pairs of beads count as two.
    """

    method: Literal["beads", "volumetric", "dual_platform", "none"] = "none"
    beads: str | None = None
    minimum_beads: int = Field(default=1000, ge=1)
    dual_platform_reference: str | None = None
    dual_platform_count: Literal["lymphocytes", "wbc"] = "lymphocytes"
    final_volume_ul: float | None = Field(default=None, gt=0)
    pairs: Literal["leave_out", "count"] = "leave_out"
    cv: Cv = Cv()


class Report(Declaration):
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


class Limits(Declaration):
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


class Acceptance(Declaration):
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


class Doubt(Declaration):
    """What a fit was not sure of: every sample is for review until a person accepts it by name, with a reason.

    ``code`` is that of the warning, for ``cytocar explain``; ``accepted_by`` is empty as long as nobody did.
    """

    code: str
    message: str
    accepted_by: str = ""
    reason: str = ""

    @field_validator("code")
    @classmethod
    def _code_is_a_warning(cls, code: str) -> str:
        if not re.fullmatch(r"W\d{3}", code):
            raise ValueError('must be the code of a warning, such as "W338"')
        return code

    @model_validator(mode="after")
    def _a_name_has_a_reason(self) -> Self:
        if bool(self.accepted_by.strip()) != bool(self.reason.strip()):
            raise ValueError("needs accepted_by and reason, both or neither")
        return self


class Quality(Declaration):
    """What happens to stretches of unsteady flow: cut from every population, flagged, or not looked for."""

    unsteady_flow: Literal["cut", "flag", "ignore"] = "flag"


class Template(Declaration):
    """A whole gating template, validated."""

    format: Literal[1] = 1
    name: str
    version: str
    title: str = ""
    note: str = ""
    panel: dict[str, Marker]
    compensation: Compensation = Compensation()
    scales: dict[str, Scale] = Field(default_factory=dict)
    populations: tuple[Population, ...] = Field(max_length=MOST_POPULATIONS)
    counting: Counting = Counting()
    report: Report = Report()
    limits: Limits = Limits()
    quality: Quality = Quality()
    uncertainty: Uncertainty = Uncertainty()
    acceptance: tuple[Acceptance, ...] = ()
    doubts: tuple[Doubt, ...] = ()

    def population(self, name: str) -> Population:
        """Return the declaration of a population by name."""
        return next(population for population in self.populations if population.name == name)

    @property
    def open_doubts(self) -> tuple[Doubt, ...]:
        """Doubts of its fit that nobody has accepted yet."""
        return tuple(doubt for doubt in self.doubts if not doubt.accepted_by)

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
