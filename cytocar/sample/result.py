"""What is known about one sample at the end: plain data, no arrays, one method per output table.

``SampleResult.row()`` is the sample's line of ``counts.csv``. Results travel from worker processes and are kept in a
run's ``parts/`` as JSON.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import ClassVar

from msgspec import Struct, field

from cytocar.counting.blank_tubes import BlankTube
from cytocar.counting.car_t import CarCount
from cytocar.errors.findings import Finding, Severity
from cytocar.errors.tree import SampleError
from cytocar.gates.decision import Decision
from cytocar.regions.kinds import FixedGate
from cytocar.sample.quality.granular import GRANULAR
from cytocar.sample.quality.stain_levels import StainLevel
from cytocar.sheet.rows import SampleRow
from cytocar.statistics.estimate import UNKNOWN, Estimate
from cytocar.tables.columns import COUNTS, Row, Value, cell, median_column
from cytocar.template.lock import LockStatus
from cytocar.version import __version__


class Status(StrEnum):
    """What a sample's row is worth; never empty."""

    OK = "ok"
    REVIEW = "review"
    NO_COUNT = "no_count"
    FAILED = "failed"
    EXCLUDED = "excluded"


_STATUS_OF = {Severity.FAIL: Status.FAILED, Severity.NO_COUNT: Status.NO_COUNT, Severity.REVIEW: Status.REVIEW}
"""The worst first."""


def status_of(findings: Sequence[Finding]) -> Status:
    """Return the status that a sample's findings leave it; the worst one decides."""
    outcomes = {finding.outcome for finding in findings}
    return next((status for severity, status in _STATUS_OF.items() if severity in outcomes), Status.OK)


class TemplateStamp(Struct, frozen=True):
    """Which template made a row, and whether a laboratory has locked it."""

    name: str
    version: str
    sha256: str
    status: LockStatus


class Roles(Struct, frozen=True):
    """Which population of the template plays which part in ``counts.csv``; ``None`` where it has none."""

    viable: str | None = None
    lymphocytes: str | None = None
    t_cells: str | None = None
    cd4: str | None = None
    cd8: str | None = None
    car: str | None = None
    car_cd4: str | None = None
    car_cd8: str | None = None
    beads: str | None = None
    b_cells: str | None = None


class PopulationCount(Struct, frozen=True):
    """One population of one sample: events, shares, concentration.

    ``of_events`` are the events of the parent without the populations set aside first; shares are in percent.
    ``gates_percent`` is the coefficient of variation that the place of its gates leaves to ``per_ul``.
    """

    name: str
    parent: str
    events: int
    of_events: int
    percent_of_parent: Estimate
    percent_of_total: float | None
    per_ul: Estimate
    gates_percent: float | None = None
    medians: Mapping[str, float | None] = field(default_factory=dict)


class CountInputs(Struct, frozen=True):
    """How cells/µL were made."""

    method: str
    beads_added: float | None
    sample_volume_ul: float | None
    acquired_volume_ul: float | None
    dilution_factor: float | None
    ci_method: str | None


def with_unit(report: str) -> str:
    """Return what is reported with its unit where it is a number.

    >>> with_unit("<0.5"), with_unit("not detected")
    ('<0.5/µL', 'not detected')
    """
    return f"{report}/µL" if report[-1:].isdigit() else report


class SampleResult(Struct, frozen=True, tag_field="kind", tag="counted"):
    """One sample, counted.

    ``gates`` are its gates as they were applied, all fixed: what it takes to draw, export or repeat them without
    deciding anything again. ``instrument`` is the cytometer's name and serial number, as the file has them.
    ``volume_drawn_ul`` is what the instrument drew for the events that were kept, whether it is counted by or not;
    ``seconds`` the time from ``$BTIM`` to ``$ETIM``; ``stain_levels`` where cells without a marker lie.
    """

    kind: ClassVar[str] = "counted"
    sample: SampleRow
    template: TemplateStamp
    roles: Roles
    total_events: int
    populations: tuple[PopulationCount, ...]
    decisions: tuple[Decision, ...]
    findings: tuple[Finding, ...]
    counting: CountInputs
    cd4_cd8_ratio: Estimate
    car_cd4_cd8_ratio: Estimate
    car: CarCount | None
    compensation: str
    control_ids: tuple[str, ...] = ()
    plate_id: str | None = None
    well: str | None = None
    file_sha256: str | None = None
    gates: Mapping[str, FixedGate] = field(default_factory=dict)
    pair_percent: float | None = None
    margin_percent: float | None = None
    blank: BlankTube | None = None
    instrument: str = ""
    volume_drawn_ul: float | None = None
    seconds: float | None = None
    car_cd4_cd8_ratio_net: Estimate = UNKNOWN
    stain_levels: tuple[StainLevel, ...] = ()

    def __repr__(self) -> str:
        """One line, as a notebook shows it: the hundreds of numbers stand in ``row()``."""
        car = f", CAR-T {with_unit(self.car.report())}" if self.car else ""
        return f"<SampleResult {self.sample.sample_id}: {self.status.value}{car}, {self.total_events:,} events>"

    @property
    def status(self) -> Status:
        """What the row is worth."""
        return status_of(self.findings)

    def population(self, name: str | None) -> PopulationCount | None:
        """Return a population by its name; ``None`` where the template has none for that role."""
        return next((population for population in self.populations if population.name == name), None)

    def row(self, *, gated: bool = True) -> dict[str, Value]:
        """Return the sample's line of ``counts.csv``, columns in the contract's order.

        ``car_report`` is the count as gated, as in the table, or the net one where there is one.
        """
        values = {**_identity(self.sample, self.template, self.file_sha256), **self._numbers()}
        values |= self._car_numbers(gated=gated)
        values |= {"status": self.status.value, "status_codes": status_codes(self.findings)}
        values |= {"well": self.well, "plate_id": self.plate_id}
        return {column.name: values.get(column.name) for column in COUNTS} | self.sample.carried

    def _repr_html_(self) -> str:
        """What is known of the sample as a table, for notebooks."""
        from html import escape

        known = ((name, cell(value)) for name, value in self.row().items() if value not in (None, ""))
        lines = (f"<tr><th>{escape(name)}</th><td>{escape(text)}</td></tr>" for name, text in known)
        return f"<table>{''.join(lines)}</table>"

    def _numbers(self) -> dict[str, Value]:
        values: dict[str, Value] = {"total_events": self.total_events}
        for role, column in _EVENT_COLUMNS.items():
            population = self.population(getattr(self.roles, role))
            values[column] = population.events if population else None
        for role, column in _CONCENTRATION_COLUMNS.items():
            population = self.population(getattr(self.roles, role))
            values |= spread(column, population.per_ul if population else UNKNOWN)
        viable, t_cells = self.population(self.roles.viable), self.population(self.roles.t_cells)
        values["viability_percent"] = viable.percent_of_parent.value if viable else None
        granular = any(finding.code == GRANULAR for finding in self.findings)  # the gate holds other leukocytes too
        lymphocytes = None if granular else self.population(self.roles.lymphocytes)
        values["t_cell_percent_of_lymphocytes"] = _percent(t_cells, lymphocytes)
        values |= spread("cd4_cd8_ratio", self.cd4_cd8_ratio) | spread("car_cd4_cd8_ratio", self.car_cd4_cd8_ratio)
        values |= spread("car_cd4_cd8_ratio_net", self.car_cd4_cd8_ratio_net)
        values |= {
            "count_method": self.counting.method,
            "beads_added": self.counting.beads_added,
            "sample_volume_ul": self.counting.sample_volume_ul,
            "acquired_volume_ul": self.counting.acquired_volume_ul,
            "dilution_factor": self.counting.dilution_factor,
            "ci_method": self.counting.ci_method,
            "compensation": self.compensation,
            "control_ids": "|".join(self.control_ids),
            "pair_percent": self.pair_percent,
            "margin_percent": self.margin_percent,
        }
        return values

    def _car_numbers(self, *, gated: bool) -> dict[str, Value]:
        car = self.car
        if car is None:
            return {}
        return {
            **spread("car_percent_of_t_cells", car.percent),
            **spread("car_percent_net", car.net_percent),
            "background_percent": car.background_percent,
            **spread("car_per_ul", car.per_ul),
            "car_result": car.result.value,
            "car_report": car.report(gated=gated),
            "car_lod_per_ul": car.limits.lod_per_ul,
            "car_lloq_per_ul": car.limits.lloq_per_ul,
            "car_lod_percent": car.limits.lod_percent,
            "car_lloq_percent": car.limits.lloq_percent,
            **spread("car_per_ul_net", car.net_per_ul),
            "car_lob_events": car.limits.lob_events,
            **spread("car_percent_witnessed", car.witnessed_percent),
        }

    def population_rows(self) -> Iterator[Row]:
        """Yield the sample's lines of ``populations.csv``."""
        for population in self.populations:
            yield {
                "sample_id": self.sample.sample_id,
                "population": population.name,
                "parent": population.parent,
                "events": population.events,
                **spread("percent_of_parent", population.percent_of_parent),
                "percent_of_total": population.percent_of_total,
                **spread("cells_per_ul", population.per_ul),
                "gates_percent": population.gates_percent,
                **{median_column(marker).name: value for marker, value in population.medians.items()},
            }

    def gate_rows(self) -> Iterator[Row]:
        """Yield the sample's lines of ``gates.csv``."""
        for decision in self.decisions:
            low, high = decision.window or (None, None)
            floor_low, floor_high = decision.floor or (None, None)
            yield {
                "sample_id": self.sample.sample_id,
                "population": decision.population,
                "kind": decision.kind,
                "parameter": decision.parameter,
                "value": decision.value,
                "source": decision.source.value,
                "window_low": low,
                "window_high": high,
                "clamped": decision.clamped,
                "events": decision.events,
                "fallback": decision.fallback,
                "kept": decision.kept,
                "kept_by_fallback": decision.kept_by_fallback,
                "floor_low": floor_low,
                "floor_high": floor_high,
                "floor_events": decision.floor_events,
                "border_percent": decision.border_percent,
                "flags": " ".join(decision.flags),
            }

    def quality_rows(self) -> Iterator[Row]:
        """Yield the sample's lines of ``quality.csv``."""
        return _quality_rows(self.sample.sample_id, self.findings)


class ErrorRecord(Struct, frozen=True):
    """An error as plain data: it survives its process, and a part file."""

    code: str
    message: str
    hint: str = ""
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, error: SampleError) -> ErrorRecord:
        """What an error says."""
        return cls(error.code, error.message, error.hint, tuple(getattr(error, "__notes__", ())))


class SampleFailure(Struct, frozen=True, tag_field="kind", tag="not_counted"):
    """One sample without a result: it failed (``error`` says why), or the sheet excludes it."""

    kind: ClassVar[str] = "not_counted"
    sample: SampleRow
    template: TemplateStamp
    error: ErrorRecord | None = None
    file_sha256: str | None = None

    @property
    def status(self) -> Status:
        """Failed, or excluded."""
        return Status.FAILED if self.error else Status.EXCLUDED

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The one reason."""
        if self.error is None:
            reason = self.sample.exclude_reason or "excluded by the sheet"
            return (Finding(check="excluded", code="W240", outcome=Severity.NOTE, message=reason),)
        message = "; ".join((self.error.message, *self.error.notes))
        return (Finding("analysis", self.error.code, Severity.FAIL, message, hint=self.error.hint),)

    def row(self, *, gated: bool = True) -> dict[str, Value]:
        """Return the sample's line of ``counts.csv``: who it is and why there are no numbers."""
        values = _identity(self.sample, self.template, self.file_sha256)
        values |= {"status": self.status.value, "status_codes": self.error.code if self.error else ""}
        values |= {"well": self.sample.well, "plate_id": self.sample.plate_id}
        return {column.name: values.get(column.name) for column in COUNTS} | self.sample.carried

    def population_rows(self) -> Iterator[Row]:
        """Yield nothing: there are no populations."""
        return iter(())

    def gate_rows(self) -> Iterator[Row]:
        """Yield nothing: no gate was placed."""
        return iter(())

    def quality_rows(self) -> Iterator[Row]:
        """Yield the sample's line of ``quality.csv``: the reason."""
        return _quality_rows(self.sample.sample_id, self.findings)


SampleOutcome = SampleResult | SampleFailure
"""What comes of one sample."""


def recorded_bytes(outcome: SampleOutcome) -> str | None:
    """Return what names the bytes a sample was read from, the same for a copy of the file under another name.

    A file named without a data set is its first one.
    """
    return f"{outcome.file_sha256}#{outcome.sample.data_set or 1}" if outcome.file_sha256 else None


_EVENT_COLUMNS = {
    "beads": "bead_events",
    "viable": "viable_events",
    "lymphocytes": "lymphocyte_events",
    "t_cells": "t_cell_events",
    "cd4": "cd4_events",
    "cd8": "cd8_events",
    "car": "car_events",
    "car_cd4": "car_cd4_events",
    "car_cd8": "car_cd8_events",
}
_CONCENTRATION_COLUMNS = {
    "t_cells": "t_cells_per_ul",
    "cd4": "cd4_per_ul",
    "cd8": "cd8_per_ul",
    "car_cd4": "car_cd4_per_ul",
    "car_cd8": "car_cd8_per_ul",
    "b_cells": "b_cells_per_ul",
}


def spread(name: str, estimate: Estimate) -> dict[str, Value]:
    """Return the three columns of an estimate: ``name``, ``name_low``, ``name_high``."""
    return {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}


def status_codes(findings: Sequence[Finding]) -> str:
    """Return the codes behind a status, each once, in the order in which they were found."""
    serious = (Severity.REVIEW, Severity.NO_COUNT, Severity.FAIL)
    return " ".join(dict.fromkeys(finding.code for finding in findings if finding.outcome in serious))


def _percent(part: PopulationCount | None, whole: PopulationCount | None) -> float | None:
    if part is None or whole is None or whole.events == 0:
        return None
    return 100 * part.events / whole.events


def _identity(sample: SampleRow, template: TemplateStamp, file_sha256: str | None) -> dict[str, Value]:
    return {
        "sample_id": sample.sample_id,
        "subject_id": sample.subject_id,
        "day": sample.day,
        "sample_type": sample.sample_type.value,
        "specimen": sample.specimen.value if sample.specimen else None,
        "replicate": sample.replicate,
        "template_name": template.name,
        "template_version": template.version,
        "template_sha256": template.sha256,
        "template_status": template.status,
        "file": sample.file_as_given,
        "file_sha256": file_sha256,
        "cytocar_version": __version__,
    }


def _quality_rows(sample_id: str, findings: Sequence[Finding]) -> Iterator[Row]:
    for finding in findings:
        yield {
            "sample_id": sample_id,
            "check": finding.check,
            "outcome": finding.outcome.value,
            "code": finding.code,
            "value": finding.value,
            "limit": finding.limit,
            "message": finding.message,
        }
