"""The declarations of a gating template: each key, its type and what it means, declared once.

A template is data. Nothing here reads a file (see ``load``) or touches events (see ``cytocar.gates``).
Numbers of gates are in compensated data units unless ``units = "scale"`` stands beside them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from msgspec import Meta, field

from cytocar.signals.compensation import Matrix
from cytocar.signals.declaration import Declaration
from cytocar.signals.marker import Marker
from cytocar.signals.scales import (
    AnyScale,
    LinearScale,
)
from cytocar.template.gate_kinds import Gate

# ---------------------------------------------------------------- panel: marker -> channel


class Compensation(Declaration, frozen=True, kw_only=True):
    """Where the spillover matrix comes from: ``file``, a CSV beside the template, or a named matrix.

    ``none``: the signals are taken as they are; ``unmixed``: so are they, because channels of spectral data are dyes
    already. ``missing`` says what becomes of data whose matrix is not there or is the identity.
    """

    source: str = "file"
    missing: Literal["fail", "none"] = "fail"
    matrices: dict[str, Matrix] = field(default_factory=dict)


# ---------------------------------------------------------------- populations

MOST_POPULATIONS = 2000
"""Trees of real panels have tens, whole studies hundreds. 2,000 take four seconds a sample; 20,000 stop a machine."""


class Population(Declaration, frozen=True, kw_only=True):
    """One named population: its parent, the populations set aside first, and its gate."""

    name: str
    parent: str = "all"
    exclude: tuple[str, ...] = ()
    gate: Gate
    note: str = ""


# ---------------------------------------------------------------- counting, report, limits, acceptance


class Cv(Declaration, frozen=True, kw_only=True):
    """Coefficients of variation (0.05 is 5 %) that widen the interval on the log scale."""

    beads: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    pipetting: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    analyser: Annotated[float, Meta(ge=0, lt=1)] = 0.0


class Uncertainty(Declaration, frozen=True, kw_only=True):
    """The laboratory's own budget of measurement uncertainty: components as coefficients of variation (0.05 is 5 %)."""

    components: dict[str, Annotated[float, Meta(ge=0, lt=1, description="5 % is written 0.05")]] = field(
        default_factory=dict
    )
    coverage: Annotated[float, Meta(gt=0, le=4)] = 2.0


class Counting(Declaration, frozen=True, kw_only=True):
    """How events become cells/µL; a sheet row may override ``method``.

    ``pairs = "count"`` adds the cells in pairs, which gates on single events leave out, as pairs of beads count as two.
    """

    method: Literal["beads", "volumetric", "dual_platform", "none"] = "none"
    beads: str | None = None
    minimum_beads: Annotated[int, Meta(ge=1)] = 1000
    dual_platform_reference: str | None = None
    dual_platform_count: Literal["lymphocytes", "wbc"] = "lymphocytes"
    final_volume_ul: Annotated[float, Meta(gt=0)] | None = None
    pairs: Literal["leave_out", "count"] = "leave_out"
    cv: Cv = Cv()


class Report(Declaration, frozen=True, kw_only=True):
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


class Limits(Declaration, frozen=True, kw_only=True):
    """Events (and percent of T cells) below which a result is not detected, or not quantified."""

    detection_events: Annotated[int, Meta(ge=1)] = 13
    quantification_events: Annotated[int, Meta(ge=1)] = 22
    detection_percent: Annotated[float, Meta(ge=0, le=100)] = 0.1

    def faults(self) -> Iterator[str]:
        """Yield what does not go together."""
        if self.detection_events > self.quantification_events:
            yield (
                f"detection_events ({self.detection_events}) must not be above "
                f"quantification_events ({self.quantification_events})"
            )


class Acceptance(Declaration, frozen=True, kw_only=True):
    """A check on a sample's numbers, and what happens when it does not hold."""

    check: str
    minimum: float | None = None
    maximum: float | None = None
    on_fail: Literal["review", "no_count", "fail"] = "review"
    note: str = ""

    def faults(self) -> Iterator[str]:
        """Yield what does not go together."""
        if self.minimum is None and self.maximum is None:
            yield "needs minimum, maximum or both"
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            yield f"minimum ({self.minimum:g}) must not be above maximum ({self.maximum:g})"


class Doubt(Declaration, frozen=True, kw_only=True):
    """What a fit was not sure of: every sample is for review until a person accepts it by name, with a reason.

    ``code`` is that of the warning, for ``cytocar explain``; ``accepted_by`` is empty as long as nobody did.
    """

    code: Annotated[str, Meta(pattern=r"^W\d{3}\Z", description='the code of a warning, such as "W338"')]
    message: str
    accepted_by: str = ""
    reason: str = ""

    def faults(self) -> Iterator[str]:
        """Yield what does not go together."""
        if bool(self.accepted_by.strip()) != bool(self.reason.strip()):
            yield "needs accepted_by and reason, both or neither"


class Quality(Declaration, frozen=True, kw_only=True):
    """What happens to stretches of unsteady flow: cut from every population, flagged, or not looked for."""

    unsteady_flow: Literal["cut", "flag", "ignore"] = "flag"


class Template(Declaration, frozen=True, kw_only=True):
    """A whole gating template, validated."""

    format: Literal[1] = 1
    name: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*\Z",
            description="letters, digits, '.', '_' and '-', starting with a letter or digit",
        ),
    ]
    version: Annotated[
        str, Meta(pattern=r"^\d+\.\d+\.\d+\Z", description='three numbers such as "1.0.0" (major.minor.patch)')
    ]
    title: str = ""
    note: str = ""
    panel: dict[str, Marker]
    compensation: Compensation = Compensation()
    scales: dict[str, AnyScale] = field(default_factory=dict)
    populations: Annotated[tuple[Population, ...], Meta(max_length=MOST_POPULATIONS)]
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
