"""Whether the borders of the gates lie where few events are: what a population would be if its signals were brighter.

A border in a gap between two populations may move a little and keep the same events. One that cuts a population does
not: then the gate does not fit this sample, whoever placed it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from cytocar.errors.findings import Finding, Severity
from cytocar.gates.adaptive.cluster import is_scatter
from cytocar.gates.decision import Decision, Source
from cytocar.gates.engine.frame import ALL, Bools
from cytocar.gates.sampled_events import SampledEvents
from cytocar.regions.boxes import BoxGate, RangeGate
from cytocar.regions.kinds import FixedGate

SHIFT = 1.05
"""Half of the 10 % by which a detector's gain differs from day to day."""
LARGEST_PERCENT, LARGEST_SCATTER_PERCENT, LARGEST_BESIDE_PERCENT = 3.0, 5.0, 8.0
"""On the way to T cells, CD4 and CD8: clean tubes show 1 % along colours; along scatter, where populations are broader,
files that people gated show up to 3.4 %. Elsewhere 4 %: lymphocytes run into monocytes."""
LARGEST_OF_OTHERS_PERCENT = 15.0
"""Of all lymphocytes, at the borders of those that are no T cells: NK cells and blasts run into monocytes along side
scatter, 8 to 10 % in one of a hundred clean tubes of laboratories that differ from day to day."""
FEWEST_AT_BORDER = 25
"""Events at a border that are no chance: 25 are known to a fifth."""


class Border(Struct, frozen=True):
    """How many events of a population, of those looked at, lie within 5 % of its border along one axis."""

    marker: str
    events: int
    inside: int

    @property
    def percent(self) -> float:
        """Return by how many percent the population changes if the signal is 10 % brighter."""
        return 100 * self.events / max(1, self.inside)


def borders(sampled: SampledEvents, populations: Sequence[str]) -> Mapping[str, Border]:
    """Return of each population with a region the axis along which most events lie at its border."""
    border_of = {}
    for name in populations:
        region = sampled.region(name)
        if region is None or _are_pulses_of_one_detector(region.markers):
            continue
        declared = sampled.template.population(name)
        parent = sampled.frame.within(declared.parent, declared.exclude)
        border_of[name] = max(_along(sampled, name, parent), key=lambda border: border.events)
    lymphocytes = sampled.template.report.lymphocytes
    if lymphocytes is not None:  # of a gate that adds to them, what matters is how much of all of them it adds
        whole = int(np.count_nonzero(sampled.frame.mask(lymphocytes)))
        parts = [name for name in sampled.template.population(lymphocytes).gate.references() if name in border_of]
        border_of |= {name: replace(border_of[name], inside=max(whole, border_of[name].inside)) for name in parts}
    return border_of


def borders_of_t_cells(sampled: SampledEvents, t_cells: str) -> Mapping[str, Border]:
    """Return of each gate on the way to the T cells how many T cells by all other gates lie at its border.

    A gate around lymphocytes runs into monocytes and debris by design; what it does to T cells is what is reported.
    """
    border_of = {}
    for name in sampled.path(t_cells)[1:]:
        region = sampled.region(name)
        if region is not None and not _are_pulses_of_one_detector(region.markers):
            others = sampled.regardless_of(t_cells, without=name)
            along = _along(sampled, name, others)
            border_of[name] = max(along, key=lambda border: border.events / _limit(border, decides=True))
    return border_of


def _along(sampled: SampledEvents, name: str, parent: Bools) -> Iterator[Border]:
    """Yield the border of a gate along each of its axes, with the events of a parent that lie at it."""
    inside = sampled.in_region(name)
    held = int(np.count_nonzero(parent & inside))
    for axis, marker in enumerate(sampled.regions[name].markers):
        shifted = (sampled.in_region(name, axis=axis, factor=factor) for factor in (SHIFT, 1 / SHIFT))
        changed = sum(int(np.count_nonzero(parent & (moved != inside))) for moved in shifted)
        yield Border(marker, changed, held)


FEWEST_KNOWN = 100
"""T cells by their colours: a share of so many is known to a tenth."""
LARGEST_LOSS_PERCENT = 5.0
"""Of the T cells by all other gates: clean tubes lose less than 1 % at one border."""


def losses(sampled: SampledEvents, t_cells: str, like: Bools | None = None) -> Mapping[tuple[str, str], float]:
    """How many percent more T cells (or B cells) there were without one side of a box on their way, by gate and marker.

    The marker that makes a T cell is not asked, nor a colour that cells have to be dim in (a viability dye, a dump
    channel): what lies beyond these is no living T cell. Nor is what is not ``like`` one, where that is known:
    granulocytes reach the line of CD3, and lie beyond a border that is there to leave them out.
    """
    report, path = sampled.template.report, sampled.path(t_cells)
    like = sampled.frame.mask(ALL) if like is None else like
    t_cells_now = max(1, int(np.count_nonzero(sampled.frame.mask(t_cells) & like)))
    loss_of = {}
    for name in path:
        gate = sampled.gates[name]
        if name == report.viable or not isinstance(gate, BoxGate) or gate.units != "data":
            continue
        for marker, (low, _) in gate.sides().items():
            if marker != lineage_marker(sampled.gates[t_cells]) and (low is not None or is_scatter(marker)):
                without = int(np.count_nonzero(like & sampled.regardless_of(t_cells, without=name, marker=marker)))
                loss_of[name, marker] = 100 * max(0, without - t_cells_now) / t_cells_now
    return loss_of


def lineage_marker(gate: FixedGate) -> str | None:
    """Return the marker that makes a T cell: CD3 where the gate names it, else its first."""
    markers = gate.markers()
    return next((marker for marker in markers if "CD3" in marker.upper().split("_")), markers[0] if markers else None)


def loss_findings(losses_of: Mapping[tuple[str, str], float], *, of: str = "T") -> tuple[Finding, ...]:
    """Return a finding on the border that loses most T cells, or cells ``of`` another kind."""
    if not losses_of:
        return ()
    (name, marker), percent = max(losses_of.items(), key=lambda item: item[1])
    message = f"without the border of {name} on {marker} there were {percent:.1f} % more {of} cells"
    if percent < LARGEST_LOSS_PERCENT:
        return (Finding("t_cell_losses", "", Severity.PASS, message, percent, LARGEST_LOSS_PERCENT),)
    message += f": cells that carry what makes a {of} cell lie beyond it"
    return (Finding("t_cell_losses", "W298", Severity.REVIEW, message, percent, LARGEST_LOSS_PERCENT),)


LEAST_KEPT_PERCENT = 25.0
"""Of the T cells by their colours: clean tubes keep 90 or more, and lysed blood without a viability dye, whose debris
and granulocytes reach the line of CD3, kept 58. Less than half of that is a gate that lies elsewhere."""


def kept_findings(sampled: SampledEvents, t_cells: str) -> tuple[Finding, ...]:
    """Return whether the gates on scatter, all together, hold most of what is a T cell by its colours."""
    kept, of = (int(np.count_nonzero(mask)) for mask in (sampled.frame.mask(t_cells), sampled.by_colour(t_cells)))
    if of < FEWEST_KNOWN:
        return ()
    percent = 100 * kept / of
    message = f"gates on scatter keep {percent:.0f} % of what is a T cell by its colours"
    if percent >= LEAST_KEPT_PERCENT:
        return (Finding("t_cells_kept", "", Severity.PASS, message, percent, LEAST_KEPT_PERCENT),)
    return (Finding("t_cells_kept", "W298", Severity.REVIEW, message, percent, LEAST_KEPT_PERCENT),)


FARTHER = 1.25
"""Without a valley nothing shows where the border should lie: so far off its place, either way, is looked at."""


def apart_from_t_cells(
    sampled: SampledEvents, t_cells: str, decisions: Sequence[Decision], like: Bools | None = None
) -> frozenset[str]:
    """Return the thresholds on the way to the T cells that data placed, and that leave these alone wherever they lay.

    Granulocytes carry a fifth to a half of the lymphocytes' CD45 and run into monocytes: where the border between comes
    to lie is then open, and no T cell hangs on it. It could lie where it is, where the template would put it, and
    anywhere in the floor of its valley.
    """
    way, apart = sampled.path(t_cells)[1:], set()
    alike = sampled.frame.mask(ALL) if like is None else like
    n = int(np.count_nonzero(sampled.frame.mask(t_cells) & alike))
    for decision in decisions:
        gate = sampled.gates[decision.population]
        if decision.population not in way or not isinstance(gate, RangeGate) or decision.value is None or not n:
            continue
        fallback = decision.value if decision.fallback is None else decision.fallback
        places = (decision.value, fallback, *(decision.floor or ()))
        farther = FARTHER if decision.source is Source.FALLBACK else 1.0
        others = alike & sampled.regardless_of(t_cells, without=decision.population)
        signal = sampled.signal(gate.marker)
        low, high = min(places) / farther, max(places) * farther
        between = 100 * np.count_nonzero(others & (signal >= low) & (signal < high))
        if min(places) > 0 and between <= LARGEST_LOSS_PERCENT * n:
            apart.add(decision.population)
    return frozenset(apart)


def _are_pulses_of_one_detector(markers: Sequence[str]) -> bool:
    """True if axes are area, height or width of one signal: no gain moves a gate on their ratio."""
    stems = {marker.rsplit("-", 1)[0] for marker in markers}
    return len(markers) > 1 and len(stems) == 1


def border_findings(
    border_of: Mapping[str, Border], deciding: Sequence[str], others: Sequence[str] = ()
) -> tuple[Finding, ...]:
    """Return one finding for all borders that cut a population, or one that none does.

    Parameters
    ----------
    deciding : sequence of str
        Populations on the way to the T cells and their subsets.
    others : sequence of str
        Lymphocytes that are no T cells, by which nothing is counted.
    """
    if not border_of:
        return ()
    limits = {name: _limit(border, decides=name in deciding) for name, border in border_of.items()}
    limits |= {name: LARGEST_OF_OTHERS_PERCENT for name in others if name in border_of and name not in deciding}
    over = {name: border.percent / limits[name] for name, border in border_of.items()}
    cut = [name for name in border_of if over[name] > 1 and border_of[name].events >= FEWEST_AT_BORDER]
    worst = max(cut or border_of, key=lambda name: over[name])
    percent, limit = border_of[worst].percent, limits[worst]
    if not cut:
        message = f"no border cuts a population; 10 % of gain change {worst} most, by {percent:.1f} %"
        return (Finding("borders", "", Severity.PASS, message, percent, limit),)
    where = ", ".join(f"{name} along {border_of[name].marker} ({border_of[name].percent:.0f} %)" for name in cut)
    message = f"borders lie in populations, not between them; 10 % of gain change {where}"
    return (Finding("borders", "W297", Severity.REVIEW, message, percent, limit),)


def _limit(border: Border, *, decides: bool) -> float:
    if not decides:
        return LARGEST_BESIDE_PERCENT
    return LARGEST_SCATTER_PERCENT if is_scatter(border.marker) else LARGEST_PERCENT


def with_borders(decisions: Sequence[Decision], border_of: Mapping[str, Border]) -> tuple[Decision, ...]:
    """Return decisions that tell how many events lie at their borders."""
    return tuple(
        replace(decision, border_percent=border_of[decision.population].percent)
        if decision.population in border_of
        else decision
        for decision in decisions
    )
