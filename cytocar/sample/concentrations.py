"""From the populations of one sample to cells/µL: the count method, its basis, each population's concentration."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec.structs import replace

from cytocar.counting.basis import FEWEST_BEADS, CountBasis, NoBasis, beads_acquired
from cytocar.counting.car_kinds import KindCount, net_ratio
from cytocar.counting.car_t import SEED
from cytocar.counting.tube import count_basis, with_gates, with_pairs
from cytocar.errors.findings import Finding, Severity
from cytocar.errors.tree import CountingError
from cytocar.fcs import keywords
from cytocar.gates.walk import Populations
from cytocar.sample.quality.clock import clock_findings, unstored_events
from cytocar.sample.quality.populations import Evidence
from cytocar.sample.quality.tube import agrees_with_analyser, believable, volumes_agree
from cytocar.sample.result import (
    PopulationCount,
)
from cytocar.sheet.rows import CountMethod, SampleRow
from cytocar.sheet.tube import Tube
from cytocar.statistics.estimate import UNKNOWN, Estimate
from cytocar.statistics.intervals import Share, ratio_estimate

if TYPE_CHECKING:
    from cytocar.fcs.events import EventTable
    from cytocar.gates.decision import Background
    from cytocar.template.model import Population, Report, Template


def method_of(sample: SampleRow, template: Template) -> CountMethod:
    """Return the count method: the sheet's word, else what its numbers make possible, else the template's."""
    if sample.count_method is not None:
        return sample.count_method
    if sample.beads_in_tube is not None:
        return CountMethod.BEADS
    if sample.lymphocytes_per_ul is not None or sample.wbc_per_ul is not None:
        return CountMethod.DUAL_PLATFORM
    if sample.acquired_volume_ul is not None:
        return CountMethod.VOLUMETRIC
    return CountMethod(template.counting.method)


def lacks_beads(sample: SampleRow, template: Template) -> bool:
    """True for a tube that is counted by volume although its template counts by beads, and nobody asked for it.

    The acquired volume alone chose the method, and most files carry one: ``beads_added`` may have been forgotten.
    """
    return (
        sample.count_method is None
        and template.counting.beads is not None
        and template.counting.method != CountMethod.VOLUMETRIC.value
        and method_of(sample, template) is CountMethod.VOLUMETRIC
    )


_GIVE_BEADS = "give beads_added (from the lot's label), or count_method = volumetric if the volume shall count"


LEAST_SHARE_OF_BEADS = 0.001
"""Of all events. 20,000 beads among 50 µL of blood with 100,000 leukocytes/µL are 0.4 %; in the bead gates of 27 real
files without beads lay none, but for 8 of 65,016 events in one."""


def _forgotten_beads(sample: SampleRow, template: Template, populations: Populations) -> tuple[Finding, ...]:
    """Return the finding on a tube that holds counting beads, but is counted by volume for want of their number.

    As few as a count by beads would take are enough.
    """
    name = template.counting.beads
    if name is None or not lacks_beads(sample, template):
        return ()
    beads = populations[name].events
    if beads < max(FEWEST_BEADS, LEAST_SHARE_OF_BEADS * populations.n_events):
        return ()
    message = f"{beads:,} counting beads are in this tube, but beads_added is empty: it is counted by acquired volume"
    return (Finding("beads", "W224", Severity.REVIEW, message, float(beads), hint=_GIVE_BEADS),)


def counting_of(
    sample: SampleRow,
    events: EventTable,
    template: Template,
    populations: Populations,
    method: CountMethod,
    evidence: Evidence,
    *,
    kept_share: float,
) -> tuple[Tube, CountBasis, tuple[Finding, ...]]:
    """How events become cells/µL; a count that was asked for and is not possible is a finding.

    Where unsteady flow was cut, the events kept were drawn in that share of the acquired volume: what flows is as
    concentrated in a clog as before it.
    """
    counts = {name: population.events for name, population in populations.items()}
    forgotten = _forgotten_beads(sample, template, populations)
    if (beads := template.counting.beads) is not None:
        counts[beads] = beads_acquired(counts[beads], beads, populations.decisions)
    tube: Tube = sample
    if any(finding.outcome is Severity.NO_COUNT for finding in evidence.beads):
        return tube, NoBasis(), evidence.beads
    try:
        if method is CountMethod.VOLUMETRIC and tube.acquired_volume_ul is None:
            volume = keywords.acquired_volume(events)
            tube = replace(tube, acquired_volume_ul=volume.ul if volume else None)
        kept_ul = None if tube.acquired_volume_ul is None else tube.acquired_volume_ul * kept_share
        basis = count_basis(template.counting, replace(tube, acquired_volume_ul=kept_ul), counts, method=method)
        t_cells = template.report.t_cells
        physics = tuple(believable(basis, tube, method, t_cells=counts[t_cells] if t_cells is not None else None))
        lymphocytes = counts.get(template.report.lymphocytes or "")
        physics += tuple(agrees_with_analyser(basis, tube, method, lymphocytes=lymphocytes))
    except CountingError as error:
        hint = f"{_GIVE_BEADS}; otherwise {error.hint}" if forgotten else error.hint
        finding = Finding("counting", error.code, Severity.NO_COUNT, error.message, hint=hint)
        return tube, NoBasis(), (finding, *forgotten)
    if template.counting.pairs == "count":
        basis = with_pairs(basis, evidence.pair_percent)
    volumes = volumes_agree(sample.acquired_volume_ul, events)
    by_clock = (*clock_findings(events), *unstored_events(events)) if method is CountMethod.VOLUMETRIC else ()
    return tube, basis, (*forgotten, *basis.findings, *evidence.beads, *physics, *volumes, *by_clock)


def drawn_ul(sample: SampleRow, events: EventTable, kept_share: float) -> float | None:
    """Return the volume that the instrument drew for the events that were kept, as far as sheet or file tell."""
    ul = sample.acquired_volume_ul
    if ul is None:
        with suppress(CountingError):  # a unit that is not certain
            volume = keywords.acquired_volume(events)
            ul = volume.ul if volume else None
    return None if ul is None else ul * kept_share


def population_counts(
    populations: Populations, template: Template, basis: CountBasis, gate_cvs: Mapping[str, float]
) -> list[PopulationCount]:
    return [
        PopulationCount(
            name=population.name,
            parent=population.parent,
            events=population.events,
            of_events=(of_events := _of_events(populations, template.population(population.name))),
            percent_of_parent=Share(population.events, of_events).estimate(),
            percent_of_total=Share(population.events, populations.n_events).percent,
            per_ul=UNKNOWN
            if population.name == template.counting.beads
            else with_gates(basis, gate_cvs.get(population.name)).concentration(population.events),
            gates_percent=None if (cv := gate_cvs.get(population.name)) is None else 100 * cv,
            medians={marker: populations.median(population.name, marker) for marker in template.report.medians},
        )
        for population in populations.values()
        if population.name != "all"
    ]


def _of_events(populations: Populations, declared: Population) -> int:
    """Return the events that a gate could have kept: its parent's, less the populations set aside."""
    parent = populations[declared.parent]
    match [populations[name] for name in declared.exclude]:
        case []:
            return parent.events
        case [aside] if aside.parent == declared.parent:
            return parent.events - aside.events
        case several:
            mask = parent.mask.copy()
            for aside in several:
                mask &= ~aside.mask
            return int(mask.sum())


def ratio(populations: Populations, above: str | None, below: str | None) -> Estimate:
    if above is None or below is None:
        return UNKNOWN
    return ratio_estimate(populations[above].events, populations[below].events)


def car_ratio_net(populations: Populations, roles: Report, backgrounds: Mapping[str, Background]) -> Estimate:
    """Return CD4/CD8 of the CAR+ T cells net of background, where controls tell that of each kind."""
    names = (roles.car_cd4, roles.cd4, roles.car_cd8, roles.cd8)
    if roles.car is None or any(name is None for name in names):
        return UNKNOWN
    car_cd4, cd4, car_cd8, cd8 = (populations[name].events for name in names if name is not None)
    return net_ratio(KindCount(car_cd4, cd4), KindCount(car_cd8, cd8), backgrounds.get(roles.car), seed=SEED)
