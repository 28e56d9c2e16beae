"""The CAR-T cells of one sample: their share of T cells, raw and net, their concentration, and what may be claimed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

from cytocar.counting.background import NetShare, net_share
from cytocar.counting.basis import CountBasis
from cytocar.counting.blank_rates import assumed_rates, measured_rates
from cytocar.counting.limits import CarResult, DetectionLimits, classify, detection_limits, report_text
from cytocar.counting.plan import t_cells_needed
from cytocar.counting.tube import with_gates
from cytocar.counting.unseen_positives import usual_sensitivity
from cytocar.counting.witness import CONVINCING, Rise
from cytocar.errors.findings import Finding, Severity
from cytocar.gates.decision import FALLING, THRESHOLD_SD, Flag
from cytocar.sheet.rows import CountMethod
from cytocar.statistics.detection import claim_supported
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
    gate_cvs: Mapping[str, float],
    is_the_car: bool = True,
    rise: Rise | None = None,
) -> tuple[CarCount | None, tuple[Finding, ...]]:
    """Return the CAR-T cells with what may be claimed about them; ``None`` where the template has no such role.

    The limits of the gated concentration are those of both counts, gated and net: what counting leaves open says
    nothing of negatives in the gate and of positives below its border (docs/validity.md).

    ``gate_cvs`` is what the place of the gates on the way to a population leaves open; the CAR gate itself is not among
    them where controls place it.

    A sample whose count was asked for and is not possible (no beads, no volume), or whose CAR+ cells cannot be told
    from the others (``NOT_QUANTIFIABLE``), or that only a control with positives of its own (``HIGH_BACKGROUND``) keeps
    from being detected, or whose label says that the signal is not the CAR's, is not evaluable; its numbers stay.
    """
    roles = template.report
    if roles.car is None or roles.t_cells is None:
        return None, ()
    car_events, t_cell_events = populations[roles.car].events, populations[roles.t_cells].events
    raw = Share(car_events, t_cell_events).estimate()
    gate = template.population(roles.car).gate
    net = None
    if isinstance(gate, ReferenceGate):
        net = net_share(
            car_events,
            t_cell_events,
            backgrounds.get(roles.car),
            assumed_percent=gate.background_percent,
            seed=SEED,
            fewest_events=template.limits.detection_events,
            rise=rise,
            unaided=_unaided(populations, roles.car),
            falling=_falling(populations, roles.car),
            usual=_usual(populations, roles.car, backgrounds.get(roles.car), gate.stain_index),
        )
    limits = detection_limits(template.limits, t_cell_events, basis, net=net)
    net_per_ul = _net_concentration(net, with_gates(basis, gate_cvs.get(roles.t_cells)), t_cell_events)
    per_ul = with_gates(basis, gate_cvs.get(roles.car)).concentration(car_events).with_limits_of(net_per_ul)
    counted = basis.method == asked_for
    result = classify(car_events, limits if counted else None)
    overlaps = result is CarResult.QUANTIFIED and _overlaps(populations, roles.car)
    denied = result is CarResult.NOT_DETECTED and _denied_by_positives_of_a_control(populations, template)
    if overlaps or denied or not is_the_car:
        result = CarResult.NOT_EVALUABLE
    car = CarCount(
        percent=raw,
        net_percent=net.net if net else UNKNOWN,
        background_percent=net.background_percent if net else None,
        per_ul=per_ul,
        net_per_ul=net_per_ul,
        result=result,
        limits=limits,
        witnessed_percent=net.witnessed if net else UNKNOWN,
    )
    findings = (
        *_claim_findings(car, t_cell_events, template, backgrounds.get(roles.car), net.limit_sensitivity if net else 1),
        *_excess_findings(car),
        *_witness_findings(net),
    )
    return car, findings


def _overlaps(populations: Populations, car: str) -> bool:
    """True if the CAR gate was placed where positives and negatives overlap too much to be told apart."""
    return any(row.population == car and Flag.NOT_QUANTIFIABLE in row.flags for row in populations.decisions)


def _denied_by_positives_of_a_control(populations: Populations, template: Template) -> bool:
    """True if a control holds positives, and the tube as many events as would be detected without any control.

    Counted above the fallback too: positives of a control move the threshold up, over dim ones of the tube.
    """
    car, t_cells = template.report.car, template.report.t_cells
    assert car is not None and t_cells is not None
    gate, limits, events = template.population(car).gate, template.limits, populations[t_cells].events
    flagged = [row for row in populations.decisions if row.population == car and Flag.HIGH_BACKGROUND in row.flags]
    if not flagged or not isinstance(gate, ReferenceGate):
        return False
    needed = assumed_rates(gate.background_percent / 100).needed(events, limits.detection_events)
    above = max(populations[car].events, *(row.kept_by_fallback or 0 for row in flagged))
    return above >= max(needed, math.ceil(limits.detection_percent / 100 * events))


def _unaided(populations: Populations, car: str) -> tuple[float, float] | None:
    """What the positives above a fallback tell of the share that lies above it, with its standard deviation."""
    of_car = {row.parameter: row.value for row in populations.decisions if row.population == car}
    sensitivity, sd = of_car.get("sensitivity"), of_car.get("sensitivity_sd")
    return None if sensitivity is None or sd is None else (sensitivity, sd)


def _falling(populations: Populations, car: str) -> float:
    """How many events above a fallback may be negatives that fall through it."""
    rows = (row for row in populations.decisions if row.population == car and row.parameter == FALLING)
    return next((row.value or 0.0 for row in rows), 0.0)


def _usual(populations: Populations, car: str, background: Background | None, stain_index: float) -> float | None:
    """What usual positives leave above this tube's threshold; None where nothing tells how high that lies."""
    placed = {row.parameter: row.value for row in populations.decisions if row.population == car}
    place = background.place if background else placed.get(THRESHOLD_SD)
    return None if place is None else usual_sensitivity(place, stain_index)


def _net_concentration(net: NetShare | None, basis: CountBasis, t_cells: int) -> Estimate:
    """Return net share times T cells/µL, with counting of cells and beads, gates, background, and the method's CVs."""
    if net is None or net.low_draws is None:
        return UNKNOWN
    draws = basis.draws(t_cells, np.random.default_rng(SEED + 1), len(net.low_draws))
    return net.times(basis.concentration(t_cells).value, draws)


LARGEST_EXCESS = 1.3
"""Of the net over the gated count. Where the negatives were as the control's, no simulated tube of 288 exceeded it at a
stain index of 12, 1.7 % at 6, 6 % at 4 and 10 % at 3; with negatives twice as bright net shares were 1.2 to 5 times the
truth."""


def _excess_findings(car: CarCount) -> tuple[Finding, ...]:
    """Return whether more lies below the threshold, as it seems, than a look at the tube should accept."""
    net, gated = car.net_percent, car.percent.value
    detected = car.result in (CarResult.QUANTIFIED, CarResult.BELOW_LLOQ)
    if not (detected and gated and net.value) or net.value <= LARGEST_EXCESS * gated:
        return ()
    message = f"net count {net.value / gated:.2f} times the gated one: are the negatives brighter than the control's?"
    return (Finding("net", "W321", Severity.REVIEW, message, value=net.value / gated, limit=LARGEST_EXCESS),)


LARGEST_PART_BOUND = 0.25
"""Of the net share that may be binding: where the rise is beyond doubt and takes more than a quarter, the tube asks."""


def rise_matters(net: NetShare) -> bool:
    """True if the CD3-negative lymphocytes bind more than the controls', and T cells that do so are another result."""
    low, value = net.low_by_controls, net.witnessed.value or 0.0
    if net.rise_probability is None or net.rise_probability < CONVINCING or not low:
        return False
    return value < low or not net.witnessed.low or value < (1 - LARGEST_PART_BOUND) * (net.net.value or 0.0)


def _witness_findings(net: NetShare | None) -> tuple[Finding, ...]:
    """Return whether T cells that bind as the CD3-negative lymphocytes do would be another result."""
    if net is None or not rise_matters(net):
        return ()
    value = net.witnessed.value or 0.0
    message = (
        f"CD3-negative lymphocytes bind more CAR reagent than the control's; if T cells do so too, {value:.3g} "
        f"({net.witnessed.low or 0:.3g} to {net.witnessed.high or 0:.3g}) % are CAR+, not {net.net.value:.3g} %"
    )
    return (Finding("witness", "W325", Severity.REVIEW, message, value=value, limit=net.low_by_controls),)


FAR_FROM_THE_AIM = 10
"""A limit ten times the aim of the template, 1 % for 0.1 %: "not detected" then says little, and more blood or
more events are to be had; up to there the limit is a matter of how much each tube of the run was acquired."""


def _claim_findings(
    car: CarCount, t_cell_events: int, template: Template, background: Background | None, sensitivity: float
) -> tuple[Finding, ...]:
    """How many T cells the limit of detection that the template aims at would have needed, if more than these.

    Too few for the events that a claim needs ask for a look where a claim is made that is not quantified, or the net
    interval leaves 0 out; less than a tenth of them where none is made. What is nearer, or what only the background of
    the reagent keeps above the aim, is a note: it is so in every tube of a small acquisition, and the tube's own limit
    stands beside the result.
    """
    aim, fewest = template.limits.detection_percent, template.limits.detection_events
    reached = car.limits.lod_percent is not None and car.limits.lod_percent <= aim
    if aim == 0 or reached or (background is None and claim_supported(t_cell_events, aim, fewest)):
        return ()
    blank = assumed_rates(0.0) if background is None else measured_rates(background)
    needed = t_cells_needed(aim, blank, fewest_events=fewest, sensitivity=sensitivity)
    reach = (
        f"to reach {aim:g} % this tube needed {needed:,}"
        if needed
        else f"{aim:g} % cannot be reached over this background"
    )
    message = f"{t_cell_events:,} T cells acquired; {reach}"
    settled = car.result in (CarResult.QUANTIFIED, CarResult.NOT_EVALUABLE)
    none = car.result is CarResult.NOT_DETECTED and not car.net_percent.low
    near = FAR_FROM_THE_AIM if none else 1
    enough = claim_supported(near * t_cell_events, aim, fewest)
    outcome = Severity.NOTE if settled or enough else Severity.REVIEW
    return (Finding("t_cell_events", "W222", outcome, message, value=t_cell_events, limit=needed),)


class CarCount(Struct, frozen=True):
    """CAR-T cells: share of T cells and concentration, as gated and net of background, and what may be claimed."""

    percent: Estimate
    net_percent: Estimate
    background_percent: float | None
    per_ul: Estimate
    net_per_ul: Estimate
    result: CarResult
    limits: DetectionLimits
    witnessed_percent: Estimate = UNKNOWN

    def concentration(self, *, gated: bool = True) -> Estimate:
        """Return the headline: cells/µL as gated, or net where controls or an assumption give a background.

        Gated until net is as near to the truth in every family of the validity harness: today in 20 of 24
        (docs/validity.md).
        """
        return self.per_ul if gated or self.net_per_ul.value is None else self.net_per_ul

    def report(self, *, gated: bool = True) -> str:
        """Return the result as people read it: ``604``, ``<0.5``, ``not detected``."""
        percent = self.percent if gated or self.net_percent.value is None else self.net_percent
        per_ul = self.concentration(gated=gated).value
        return report_text(self.result, self.limits, per_ul=per_ul, percent=percent.value)
