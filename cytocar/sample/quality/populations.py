"""What the populations of a sample say about themselves, once they are gated: beads, borders, cells, names of markers.

Everything is looked at on 25,000 evenly chosen events, rare T cells on all events that may be T cells. Each check is a
row of ``quality.csv``, passed or not.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from msgspec import Struct, field

from cytocar.counting.car_t import CarCount
from cytocar.counting.limits import CarResult
from cytocar.errors.findings import Finding
from cytocar.gates.decision import Decision
from cytocar.gates.engine.frame import Bools
from cytocar.gates.populations import Populations
from cytocar.gates.sampled_events import SampledEvents, events_like, sampled_events
from cytocar.sample.quality.beads import bead_findings
from cytocar.sample.quality.borders import (
    apart_from_t_cells,
    border_findings,
    borders,
    borders_of_t_cells,
    kept_findings,
    lineage_marker,
    loss_findings,
    losses,
    with_borders,
)
from cytocar.sample.quality.cells import Pairs, cell_shares
from cytocar.sample.quality.dying import dead_cells, fragments, taken_for_dead
from cytocar.sample.quality.exported import export_findings
from cytocar.sample.quality.gate_doubt import gate_doubts
from cytocar.sample.quality.granular import granular_lymphocytes
from cytocar.sample.quality.lineage import car_of_no_subset, dimly_stained, of_a_subset, without_cd3
from cytocar.sample.quality.markers import (
    FEWEST_T_CELLS,
    Witness,
    car_findings,
    exchanged_labels,
    light_of_subsets,
    witness,
    witness_findings,
)
from cytocar.sample.quality.matrix import matrix_findings
from cytocar.sample.quality.shadows import shadow_findings, shadows
from cytocar.sample.quality.stain_levels import StainLevel, stain_levels
from cytocar.sample.quality.stored_edges import edge_findings
from cytocar.sample.quality.t_cell_sum import lymphocyte_sum, t_cell_sum
from cytocar.sample.quality.unstained import unstained_cells
from cytocar.sheet.rows import CountMethod
from cytocar.template.model import Template


class Evidence(Struct, frozen=True):
    """What checks of the populations found.

    Attributes
    ----------
    beads : tuple of Finding
        On counting beads; ``no_count`` among them means that nothing may be counted by them.
    findings : tuple of Finding
        All others.
    decisions : tuple of Decision
        Those of the gates, with the density at their borders.
    pair_percent, margin_percent : float, optional
        Cells in pairs, and at the end of a scatter channel's range.
    witness : Witness, optional
        How often the CAR reagent lies on other lymphocytes.
    gate_cvs : mapping of str to float
        By population, what the place of its gates' borders leaves open: a coefficient of variation of its events.
    stain_levels : tuple of StainLevel
        Where cells without a marker lie, for the other tubes of the run.
    apart : frozenset of str
        Populations whose threshold leaves the T cells alone wherever it could lie, where nothing else is counted by it.
    """

    beads: tuple[Finding, ...]
    findings: tuple[Finding, ...]
    decisions: tuple[Decision, ...]
    pair_percent: float | None
    margin_percent: float | None
    witness: Witness | None = None
    gate_cvs: Mapping[str, float] = field(default_factory=dict)
    stain_levels: tuple[StainLevel, ...] = ()
    apart: frozenset[str] = frozenset()


def evidence(
    populations: Populations,
    template: Template,
    *,
    method: CountMethod,
    own_control: bool,
    product: bool,
    with_t_cells: bool,
) -> Evidence:
    """What the populations of a sample say about themselves.

    Parameters
    ----------
    method : CountMethod
        How the sample is counted.
    own_control, product : bool
        See ``car_findings``.
    with_t_cells : bool
        Whether T cells belong into the tube; of a blank or an unstained one the beads alone are judged.
    """
    sampled = sampled_events(populations.gated)
    report, beads = template.report, template.counting.beads
    bead_rows = bead_findings(sampled, beads, populations.decisions) if method is CountMethod.BEADS and beads else ()
    if not with_t_cells:
        return Evidence(bead_rows, (), populations.decisions, None, None)
    close, of_t_cells_alone = _closer(sampled, populations, template)
    border_of = {
        **borders(sampled, [name for name in sampled.gates if name != beads]),
        **(borders(close, sorted(of_t_cells_alone)) if close is not sampled else {}),
    }
    car = border_of.get(report.car or "")
    judged = {name: border for name, border in border_of.items() if not _is_below(sampled, name, report.car)}
    if report.t_cells is not None:
        of_t_cells = borders_of_t_cells(close, report.t_cells)
        by_lymphocytes = {report.lymphocytes} if method is CountMethod.DUAL_PLATFORM else set()
        judged |= {name: border for name, border in of_t_cells.items() if name not in by_lymphocytes}
    roles = filter(None, (report.t_cells, report.cd4, report.cd8) if report.t_cells else (report.b_cells,))
    deciding = {name for role in roles for name in sampled.behind(role, aside=False)}
    shadowed = sorted(deciding | ({report.car} if report.car else set()))
    enough = report.t_cells is None or np.count_nonzero(close.frame.mask(report.t_cells)) >= FEWEST_T_CELLS
    like = of_a_subset(close)
    shares = cell_shares(sampled, close, pairs=_fate_of_pairs(method, template))
    shadow_of = [
        *shadows(sampled, [name for name in shadowed if name not in of_t_cells_alone]),
        *shadows(close, [name for name in shadowed if name in of_t_cells_alone]),
    ]
    return Evidence(
        beads=bead_rows,
        findings=(
            *(border_findings(judged, sorted(deciding), _others(template, method)) if enough else ()),
            *(shadow_findings(shadow_of) if enough else ()),
            *_losses(close, like, enough=bool(enough)),
            *(kept_findings(sampled, report.t_cells) if report.t_cells else ()),
            *t_cell_sum({name: one.events for name, one in populations.items()}, template, product=product),
            *lymphocyte_sum({name: one.events for name, one in populations.items()}, template),
            *shares.findings,
            *granular_lymphocytes(sampled, counted_by=_counted_by_lymphocytes(method, template)),
            *dead_cells(close),
            *taken_for_dead(close),
            *fragments(close),
            *edge_findings(close),
            *export_findings(sampled),
            *without_cd3(sampled),
            *dimly_stained(close),
            *car_of_no_subset(close),
            *light_of_subsets(close),
            *unstained_cells(sampled),
            *matrix_findings(sampled),
            *exchanged_labels(sampled),
            *car_findings(close, car, own_control=own_control, product=product),
        ),
        decisions=with_borders(populations.decisions, border_of),
        pair_percent=shares.pair_percent,
        margin_percent=shares.margin_percent,
        witness=witness(sampled),
        stain_levels=tuple(stain_levels(sampled)),
        apart=(
            apart_from_t_cells(close, report.t_cells, populations.decisions, like)
            if report.t_cells is not None and enough and method is not CountMethod.DUAL_PLATFORM
            else frozenset()
        ),
        gate_cvs=gate_doubts(sampled, [name for name in sampled.gates if name != beads], populations.decisions),
    )


def _others(template: Template, method: CountMethod) -> tuple[str, ...]:
    """Return the parts of the lymphocytes, where no count depends on them."""
    lymphocytes = template.report.lymphocytes
    if lymphocytes is None or method is CountMethod.DUAL_PLATFORM:
        return ()
    return tuple(template.population(lymphocytes).gate.references())


def _counted_by_lymphocytes(method: CountMethod, template: Template) -> bool:
    counting, lymphocytes = template.counting, template.report.lymphocytes
    by_lymphocytes = counting.dual_platform_count == "lymphocytes" and counting.dual_platform_reference == lymphocytes
    return method is CountMethod.DUAL_PLATFORM and by_lymphocytes


def _losses(sampled: SampledEvents, like: Bools | None, *, enough: bool) -> tuple[Finding, ...]:
    """What borders lose of the T cells, or, where a template reports none, of the B cells by their first marker."""
    report = sampled.template.report
    if report.t_cells is not None:
        return loss_findings(losses(sampled, report.t_cells, like)) if enough else ()
    if report.b_cells is None:
        return ()
    parts = sampled.template.population(report.b_cells).gate.references() or (report.b_cells,)
    few = np.count_nonzero(sampled.frame.mask(parts[0])) < FEWEST_T_CELLS
    return () if few else loss_findings(losses(sampled, parts[0]), of="B")


ENOUGH_T_CELLS = 1000
"""Among the events looked at, and no fewer than half as many: 3 % at a border are 15 to 30 of them."""


def _closer(
    sampled: SampledEvents, populations: Populations, template: Template
) -> tuple[SampledEvents, frozenset[str]]:
    """Return the events to judge T cells on, and the populations whose gates choose among T cells alone.

    The evenly chosen events, or, where T cells are rare in a large file, all that have half of what makes a T cell.
    """
    t_cells = template.report.t_cells
    if t_cells is None:
        return sampled, frozenset()
    below = frozenset(name for name in sampled.gates if name != t_cells and _is_below(sampled, name, t_cells))
    looked_at = int(np.count_nonzero(sampled.frame.mask(t_cells)))
    lineage = lineage_marker(sampled.gates[t_cells])
    if looked_at >= ENOUGH_T_CELLS // 2 or populations[t_cells].events <= 2 * looked_at or lineage is None:
        return sampled, below
    step = max(1, populations[t_cells].events // ENOUGH_T_CELLS)
    return events_like(populations.gated, t_cells, lineage, step=step) or sampled, below


def findings_on_claim(evidence: Evidence, car: CarCount | None) -> tuple[Finding, ...]:
    """What other lymphocytes say about CAR-T cells that are claimed; of none there is nothing to say."""
    claimed = car is not None and car.result in (CarResult.QUANTIFIED, CarResult.BELOW_LLOQ)
    return witness_findings(evidence.witness, car.percent.value if car is not None and claimed else None)


def _fate_of_pairs(method: CountMethod, template: Template) -> Pairs:
    if method not in (CountMethod.BEADS, CountMethod.VOLUMETRIC):
        return "left_aside"
    return "counted" if template.counting.pairs == "count" else "lost"


def _is_below(sampled: SampledEvents, name: str, ancestor: str | None) -> bool:
    return ancestor in sampled.path(name)
