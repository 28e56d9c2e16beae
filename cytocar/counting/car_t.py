"""The CAR-T cells of one sample: their share of T cells, raw and net, their concentration, and what may be claimed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cytocar.counting.background import NetShare, net_share
from cytocar.counting.basis import CountBasis
from cytocar.counting.limits import CarResult, DetectionLimits, classify, detection_limits, report_text
from cytocar.errors.findings import Finding, Severity
from cytocar.gates.decision import Flag
from cytocar.sheet.rows import CountMethod
from cytocar.statistics.detection import claim_supported, events_needed
from cytocar.statistics.estimate import UNKNOWN, Estimate
from cytocar.statistics.intervals import Share
from cytocar.template.gate_kinds import ReferenceGate

if TYPE_CHECKING:
    from cytocar.gates.decision import Background
    from cytocar.gates.walk import Populations
    from cytocar.template.model import Template

SEED = 20_260_323
"""Of every draw behind an interval: the same input gives the same bytes."""


def car_count(
    populations: Populations,
    template: Template,
    basis: CountBasis,
    backgrounds: Mapping[str, Background],
    *,
    asked_for: CountMethod,
) -> tuple[CarCount | None, tuple[Finding, ...]]:
    """Return the CAR-T cells with what may be claimed about them; ``None`` where the template has no such role.

    A sample whose count was asked for and is not possible (no beads, no volume), or whose CAR+ cells cannot be told
    from the others (``NOT_QUANTIFIABLE``), is not evaluable; its numbers stay.
    """
    roles = template.report
    if roles.car is None or roles.t_cells is None:
        return None, ()
    car_events, t_cell_events = populations[roles.car].events, populations[roles.t_cells].events
    raw = Share(car_events, t_cell_events).estimate()
    net = _net(backgrounds.get(roles.car), template, car_events, t_cell_events)
    limits = detection_limits(template.limits, t_cell_events, basis, net=net)
    per_ul = basis.concentration(car_events)
    counted = basis.method == asked_for
    result = classify(car_events, limits if counted else None)
    if result is CarResult.QUANTIFIED and _overlaps(populations, roles.car):
        result = CarResult.NOT_EVALUABLE
    car = CarCount(
        percent=raw,
        net_percent=net.net if net else UNKNOWN,
        background_percent=net.background_percent if net else None,
        per_ul=per_ul,
        result=result,
        report=report_text(result, limits, per_ul=per_ul.value, percent=raw.value),
        limits=limits,
    )
    return car, _claim_findings(car, t_cell_events, template)


def _overlaps(populations: Populations, car: str) -> bool:
    """Return whether the CAR gate was placed where positives and negatives overlap too much to be told apart."""
    return any(row.population == car and Flag.NOT_QUANTIFIABLE in row.flags for row in populations.decisions)


def _net(background: Background | None, template: Template, car_events: int, t_cell_events: int) -> NetShare | None:
    """Return the share net of background, where the CAR gate is one that control samples place."""
    car = template.report.car
    gate = template.population(car).gate if car else None
    if not isinstance(gate, ReferenceGate):
        return None
    return net_share(car_events, t_cell_events, background, assumed_percent=gate.background_percent, seed=SEED)


def _claim_findings(car: CarCount, t_cell_events: int, template: Template) -> tuple[Finding, ...]:
    """Return whether enough T cells were acquired for the limit of detection that the template aims at."""
    aim = template.limits.detection_percent
    if aim == 0 or claim_supported(t_cell_events, aim, template.limits.detection_events):
        return ()
    needed = events_needed(aim, template.limits.detection_events)
    message = f"{t_cell_events} T cells acquired; a limit of detection of {aim:g} % needs {needed}"
    settled = (CarResult.QUANTIFIED, CarResult.NOT_EVALUABLE)
    outcome = Severity.NOTE if car.result in settled else Severity.REVIEW
    return (Finding("t_cell_events", "W222", outcome, message, value=t_cell_events, limit=needed),)


@dataclass(frozen=True, slots=True)
class CarCount:
    """CAR-T cells: share of T cells raw and net of background (percent), concentration, and what may be claimed."""

    percent: Estimate
    net_percent: Estimate
    background_percent: float | None
    per_ul: Estimate
    result: CarResult
    report: str
    limits: DetectionLimits
