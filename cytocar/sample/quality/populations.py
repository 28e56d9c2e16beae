"""What the populations of a sample say about themselves, once they are gated: beads, borders, cells, names of markers.

Everything is looked at on fifty thousand evenly chosen events. Each check is a row of ``quality.csv``, passed or not.
"""

from __future__ import annotations

from dataclasses import dataclass

from cytocar.errors.findings import Finding
from cytocar.gates.decision import Decision
from cytocar.gates.populations import Populations
from cytocar.gates.sampled_events import SampledEvents, sampled_events
from cytocar.sample.quality.beads import bead_findings
from cytocar.sample.quality.borders import border_findings, borders, with_borders
from cytocar.sample.quality.cells import cell_shares
from cytocar.sample.quality.markers import car_findings, exchanged_labels
from cytocar.template.model import Template


@dataclass(frozen=True, slots=True)
class Evidence:
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
    """

    beads: tuple[Finding, ...]
    findings: tuple[Finding, ...]
    decisions: tuple[Decision, ...]
    pair_percent: float | None
    margin_percent: float | None


def evidence(
    populations: Populations,
    template: Template,
    *,
    by_beads: bool,
    own_control: bool,
    product: bool,
    with_t_cells: bool,
) -> Evidence:
    """Return what the populations of a sample say about themselves.

    Parameters
    ----------
    by_beads : bool
        Whether the sample is counted by beads.
    own_control, product : bool
        See ``car_findings``.
    with_t_cells : bool
        Whether T cells belong into the tube; of a blank or an unstained one the beads alone are judged.
    """
    sampled = sampled_events(populations.gated)
    report, beads = template.report, template.counting.beads
    bead_rows = bead_findings(sampled, beads, populations.decisions) if by_beads and beads else ()
    if not with_t_cells:
        return Evidence(bead_rows, (), populations.decisions, None, None)
    found = borders(sampled, [name for name in sampled.gates if name != beads])
    car = found.get(report.car or "")
    judged = {name: border for name, border in found.items() if not _is_below(sampled, name, report.car)}
    deciding = {name for role in (report.t_cells, report.cd4, report.cd8) if role for name in _behind(sampled, role)}
    shares = cell_shares(sampled, pairs_count=template.counting.pairs == "count")
    return Evidence(
        beads=bead_rows,
        findings=(
            *border_findings(judged, sorted(deciding)),
            *shares.findings,
            *exchanged_labels(sampled),
            *car_findings(sampled, car, own_control=own_control, product=product),
        ),
        decisions=with_borders(populations.decisions, found),
        pair_percent=shares.pair_percent,
        margin_percent=shares.margin_percent,
    )


def _is_below(sampled: SampledEvents, name: str, ancestor: str | None) -> bool:
    return ancestor in sampled.path(name)


def _behind(sampled: SampledEvents, population: str) -> set[str]:
    """Return a population, all that it comes from, and the populations that boolean gates among these refer to."""
    names: set[str] = set()
    waiting = [population]
    while waiting:
        name = waiting.pop()
        if name != "all" and name not in names:
            names.add(name)
            waiting += [*sampled.path(name), *sampled.template.population(name).gate.references()]
    return names
