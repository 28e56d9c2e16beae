"""The declarations of a gating template: each key, its type and what it means, declared once.

A template is data. Nothing here reads a file (see ``load``) or touches events (see ``cytocar.gates``).
Numbers of gates are in compensated data units unless ``units = "scale"`` stands beside them.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class Part(BaseModel):
    """Base of every declaration: unknown keys are faults, nothing changes after validation, no NaN."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


# ---------------------------------------------------------------- panel: marker -> channel


class Ratio(Part):
    """A derived axis: ``A * (numerator - B) / (denominator - C)`` (Gating-ML 2.0, fratio)."""

    numerator: str
    denominator: str
    A: float = 1.0
    B: float = 0.0
    C: float = 0.0


class Marker(Part):
    """How one marker finds its channel.

    A marker without aliases and detectors answers to its own name. ``compensation`` overrides the template's source
    for this axis: ``"none"``, ``"file"`` or the name of a matrix under ``[compensation.matrices]``. ``fluorochrome``
    picks a row of such a matrix by the dye's name. ``ratio``
    makes the axis a function of two other markers.
    """

    aliases: tuple[str, ...] = ()
    detectors: tuple[str, ...] = ()
    optional: bool = False
    compensation: str | None = None
    fluorochrome: str | None = None
    ratio: Ratio | None = None
    note: str = ""


class Matrix(Part):
    """A named spectrum matrix: one row per fluorochrome, one column per detector."""

    fluorochromes: tuple[str, ...]
    detectors: tuple[str, ...]
    values: tuple[tuple[float, ...], ...]
    inverted: bool = False


class Compensation(Part):
    """Where the spillover matrix comes from: ``file``, ``none``, a CSV beside the template, or a named matrix."""

    source: str = "file"
    missing: Literal["fail", "none"] = "fail"
    matrices: dict[str, Matrix] = Field(default_factory=dict)


# ---------------------------------------------------------------- scales


class LinearScale(Part):
    """``(x + A) / (T + A)`` (flin); without T the identity."""

    kind: Literal["linear"] = "linear"
    T: float | None = None
    A: float = 0.0


class LogScale(Part):
    """``log10(x / T) / M + 1`` (flog)."""

    kind: Literal["log"]
    T: float = 262144.0
    M: float = 4.5


class AsinhScale(Part):
    """``(asinh(x sinh(M ln 10) / T) + A ln 10) / ((M + A) ln 10)`` (fasinh)."""

    kind: Literal["asinh"]
    T: float = 262144.0
    M: float = 4.5
    A: float = 0.0


class LogicleScale(Part):
    """Logicle (Parks 2006; Moore and Parks 2012)."""

    kind: Literal["logicle"]
    T: float = 262144.0
    W: float = 0.5
    M: float = 4.5
    A: float = 0.0


class HyperlogScale(Part):
    """Hyperlog (Bagwell 2005) as Gating-ML 2.0 states it."""

    kind: Literal["hyperlog"]
    T: float = 262144.0
    W: float = 0.5
    M: float = 4.5
    A: float = 0.0


Scale = Annotated[
    LinearScale | LogScale | AsinhScale | LogicleScale | HyperlogScale,
    Field(discriminator="kind"),
]

# ---------------------------------------------------------------- gates


class GateBase(Part):
    """What every gate may carry."""

    note: str = ""


class Bounds(Part):
    """``min <= x < max``; a missing bound is open."""

    min: float | None = None
    max: float | None = None


class RangeGate(GateBase):
    """One marker between two bounds."""

    kind: Literal["range"]
    marker: str
    min: float | None = None
    max: float | None = None
    units: Literal["data", "scale"] = "data"


class RectangleGate(GateBase):
    """Any number of markers, each between two bounds."""

    kind: Literal["rectangle"]
    bounds: dict[str, Bounds]
    units: Literal["data", "scale"] = "data"


class PolygonGate(GateBase):
    """A closed polygon, even-odd, edges straight on the axes' scales."""

    kind: Literal["polygon"]
    x: str
    y: str
    vertices: tuple[tuple[float, float], ...]
    units: Literal["data", "scale"] = "data"


class EllipseGate(GateBase):
    """``(v - center)' covariance^-1 (v - center) <= distance_square`` on the axes' scales, in any dimension."""

    kind: Literal["ellipse"]
    axes: tuple[str, ...]
    center: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    distance_square: float


class Divider(Part):
    """Where a quadrant gate divides one axis: at one value or several."""

    marker: str
    at: float | tuple[float, ...]


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
    units: Literal["data", "scale"] = "data"


class BooleanGate(GateBase):
    """Events that are in all of, in any of, and in none of the named populations (and in the parent)."""

    kind: Literal["boolean"]
    all_of: tuple[str, ...] = ()
    any_of: tuple[str, ...] = ()
    none_of: tuple[str, ...] = ()


class ValleyGate(GateBase):
    """A threshold at the valley between two peaks of one marker, inside its window."""

    kind: Literal["valley"]
    marker: str
    keep: Literal["above", "below"]
    fallback: float
    window: tuple[float, float]
    prominence: float = Field(default=0.25, gt=0, lt=1)


class ReferenceGate(GateBase):
    """A threshold and a background rate from control samples gated to the same parent."""

    kind: Literal["reference"]
    marker: str
    keep: Literal["above"] = "above"
    fallback: float
    window: tuple[float, float]
    controls: tuple[Literal["baseline", "healthy", "fmo"], ...] = ("baseline", "healthy")
    background_percent: float = Field(default=0.05, ge=0, le=100)


class SingletsGate(GateBase):
    """Single events by the ratio of pulse height (or width) to area."""

    kind: Literal["singlets"]
    area: str
    height: str | None = None
    width: str | None = None
    fallback: tuple[float, float] = (0.7, 1.3)
    window: tuple[float, float] = (0.4, 2.0)


class ClusterGate(GateBase):
    """A compact cluster of events near a known place on two axes: beads, or lymphocytes."""

    kind: Literal["cluster"]
    x: str
    y: str
    near: tuple[float, float]
    within: float = Field(default=2.0, gt=1)


FixedGate = RangeGate | RectangleGate | PolygonGate | EllipseGate | QuadrantGate | BooleanGate
AdaptiveGate = ValleyGate | ReferenceGate | SingletsGate | ClusterGate
Gate = Annotated[FixedGate | AdaptiveGate, Field(discriminator="kind")]


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


class Acceptance(Part):
    """A check on a sample's numbers, and what happens when it does not hold."""

    check: str
    minimum: float | None = None
    maximum: float | None = None
    on_fail: Literal["review", "no_count", "fail"] = "review"
    note: str = ""


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
    acceptance: tuple[Acceptance, ...] = ()

    def population(self, name: str) -> Population:
        """Return the declaration of a population by name."""
        return next(population for population in self.populations if population.name == name)

    def scale(self, marker: str) -> LinearScale | LogScale | AsinhScale | LogicleScale | HyperlogScale:
        """Return the scale of a marker's axis: its own, else the default, else linear."""
        return self.scales.get(marker) or self.scales.get("default") or LinearScale()
