"""What gates cannot show of the cells: those off the scale, those in pairs, those between the living and the dead.

Each is a share of the events that the colours alone put into a population: a gate on scatter that loses them is no
reason not to see them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

import numpy as np
from msgspec import Struct

from cytocar.errors.findings import Finding, Severity
from cytocar.gates.adaptive.cluster import is_scatter
from cytocar.gates.adaptive.density import density
from cytocar.gates.adaptive.parent_events import thin
from cytocar.gates.adaptive.singlets import single_line
from cytocar.gates.engine.frame import ALL, Bools, Floats
from cytocar.gates.sampled_events import SampledEvents, worked_out_once
from cytocar.regions.boxes import RangeGate
from cytocar.regions.polygon import PolygonGate
from cytocar.sample.quality.relative import in_medians, logs
from cytocar.statistics.order import quantile, quantiles
from cytocar.template.gate_kinds import SingletsGate

LARGEST_MARGIN_PERCENT = 1.0
"""Off the scale in clean tubes: .1 %. From 1 % on a gate that ends there would show in the count."""
LARGEST_PAIR_PERCENT = 5.0
"""Clean tubes show 2 to 4 %; beyond 5 % more is lost than tubes of one draw differ by (CCQM-P102: 2.6 %)."""
LARGEST_BETWEEN_PERCENT, LARGEST_BETWEEN_WITHOUT_CAR_PERCENT = 1.0, 5.0
"""Of the cells alive or between: clean tubes show up to 0.3 %; 3 % move CAR-T counts by a sixth or more, since dying
cells bind the reagent. Without a CAR gate T cells change by as much as lies between, and 5 % is what tubes of one draw
differ by (CCQM-P102)."""
LARGEST_SSC = 3.2
"""Of the T cells' median: granulocytes, dead cells and clumps lie above (``markers.MONOCYTE_SSC``), half of the largest
blasts below. Brighter events are no T cells off the scale."""
FEWEST_EVENTS = 500
"""Fewer events tell a share of some percent by chance."""
EVENTS_OF_LINE = 6000
"""Events that the line of single cells is taken from: five hundred for each of its twelve knots."""
FEWEST_AT_THE_END = 10
"""Events that are no chance: 10 are known to a third."""
PAIR_RATIO = 0.85
"""Of the mode of height / area: two cells together lie at 0.5 to 0.7, single cells within 10 % of it."""
LIVING_SPREADS, DEAD_SPREADS = 5.0, 3.5
"""Normals lose less than 3 in 10,000 beyond either; granulocytes, brighter, are no T cells."""
FEWEST_DEAD = 30
"""Fewer dead cells have no peak; then what lies up to the border counts as between."""


VIABILITY = re.compile(
    r"viab|dead|live|7-?aad|dapi|zombie|aqua|ghost|sytox|draq|propidium|cisplatin|\bpi\b|fvs|fvd|\bl/d\b|amine|topro",
    re.IGNORECASE,
)
"""Names of dyes that tell the dead from the living."""


Pairs = Literal["lost", "counted", "left_aside"]


class CellShares(Struct, frozen=True):
    """Shares of cells in percent: in pairs, and at the end of a scatter channel's range; None where not known."""

    pair_percent: float | None
    margin_percent: float | None
    findings: tuple[Finding, ...]


def cell_shares(sampled: SampledEvents, of_t_cells: SampledEvents, *, pairs: Pairs) -> CellShares:
    """Return the shares of cells in pairs, off the scale and between living and dead, with what they mean.

    Parameters
    ----------
    of_t_cells : SampledEvents
        The events to judge T cells on, which may be rare among those evenly chosen.
    pairs : {"lost", "counted", "left_aside"}
        What the count per µL makes of cells in pairs: they are missing from it, it is corrected for them, or there is
        none that they could be missing from (percentages, or an analyser's count).
    """
    heights = height_over_single(sampled)
    in_pairs, margin = pair_percent(sampled, heights), margins(sampled, heights)
    findings = (
        *_pair_findings(in_pairs, pairs),
        *_margin_findings(margin),
        *_between_findings(of_t_cells, between_percent(of_t_cells)),
    )
    return CellShares(in_pairs, margin.percent if margin else None, findings)


# ---------------------------------------------------------------- pairs of cells


def pair_percent(sampled: SampledEvents, heights: Floats | None) -> float | None:
    """How many percent of the leukocytes are in pairs; None where no gate looks at height and area.

    A pair's height is hardly more than one cell's while its area is that of two. Of n1 single events and n2 pairs,
    ``2 n2 / (n1 + 2 n2)`` of the cells are in pairs; as many events as lie that far above the mode are not counted.

    Parameters
    ----------
    heights : (n,) float64, optional
        From ``height_over_single``.
    """
    if heights is None:
        return None
    residual, limit = heights.compress(_leukocytes(sampled)), np.log(PAIR_RATIO)
    together = max(0, int(np.count_nonzero(residual < limit)) - int(np.count_nonzero(residual > -limit)))
    alone = len(residual) - together
    return 100 * 2 * together / (alone + 2 * together)


def height_over_single(sampled: SampledEvents) -> Floats | None:
    """Return ln of each event's height over that of a single leukocyte of the same area, shape (n,).

    None where no gate on the way to the T cells looks at both, or where there are too few leukocytes to tell. An area
    at the end of the range is taken as it is: the single cell would be as high or higher, two together are not.
    """
    pulses = next(filter(None, (_pulses(sampled, name) for name in sampled.behind(sampled.lymphoid))), None)
    if pulses is None:
        return None
    on_scale = _leukocytes(sampled)
    for axis in pulses:
        on_scale = on_scale & ~sampled.at_the_end(axis) if axis in sampled.channels else on_scale
    if np.count_nonzero(on_scale) < FEWEST_EVENTS:
        return None
    area, height = (logs(sampled, axis) for axis in pulses)
    ratio, some = height - area, thin(np.flatnonzero(on_scale), EVENTS_OF_LINE)
    return np.asarray(ratio - single_line(area[some], ratio[some])(area))


def _leukocytes(sampled: SampledEvents) -> Bools:
    report = sampled.template.report
    return sampled.by_colour(report.viable_of or report.viable or report.lymphocytes or report.t_cells or ALL)


def _pulses(sampled: SampledEvents, population: str) -> tuple[str, str] | None:
    """Return area and height of the gate of a population, if it looks at both of one detector."""
    gate = sampled.template.population(population).gate
    axes: tuple[str | None, str | None] = (None, None)
    if isinstance(gate, SingletsGate):
        axes = (gate.area, gate.height)
    elif isinstance(gate, PolygonGate):
        axes = (gate.x, gate.y) if gate.x.endswith("-A") else (gate.y, gate.x)
    area, height = axes
    if area is None or height is None or not (sampled.knows(area) and sampled.knows(height)):
        return None
    return (area, height) if area.endswith("-A") and height == f"{area[:-2]}-H" else None


def _pair_findings(percent: float | None, pairs: Pairs) -> tuple[Finding, ...]:
    if percent is None:
        return ()
    if percent < LARGEST_PAIR_PERCENT:
        message = f"{percent:.1f} % of the leukocytes are in pairs"
        return (Finding("pairs", "", Severity.PASS, message, percent, LARGEST_PAIR_PERCENT),)
    if pairs != "lost":
        done = "; cells/µL are corrected for them" if pairs == "counted" else ", which percentages leave aside"
        message = f"{percent:.1f} % of the leukocytes are in pairs{done}"
        return (Finding("pairs", "W299", Severity.NOTE, message, percent, LARGEST_PAIR_PERCENT),)
    message = (
        f"{percent:.1f} % of the leukocytes are in pairs, which are not counted: cells/µL are about as much too low"
    )
    return (Finding("pairs", "W299", Severity.REVIEW, message, percent, LARGEST_PAIR_PERCENT),)


# ---------------------------------------------------------------- off the scale


class Margin(Struct, frozen=True):
    """The population and scatter channel with the largest share of events at the end of the range.

    Of ``of_events`` cells by their colours ``events`` are there, and ``lost`` of these are not in the population.
    """

    population: str
    channel: str
    events: int
    lost: int
    of_events: int

    @property
    def percent(self) -> float:
        """How many percent of the cells are at the end of the range."""
        return 100 * self.events / max(1, self.of_events)


def margins(sampled: SampledEvents, heights: Floats | None) -> Margin | None:
    """Where most T cells, or CAR-T cells, are off the scale; None where no gate on their way looks at scatter.

    Left out are pairs of cells, which are off the scale more often than either cell alone, and what scatters as no T
    cell does: granulocytes that carry a little of what makes a T cell.
    """
    report = sampled.template.report
    populations = [name for name in (report.t_cells, report.car) if name is not None]
    margins_so_far: list[Margin] = []
    for name in populations:
        cells = sampled.by_colour(name) & _scatters_like(sampled, name)
        if heights is not None:
            cells &= heights >= np.log(PAIR_RATIO)
        for channel in _scatter(sampled, sampled.path(name)):
            if channel in sampled.channels and cells.any():
                at_end = cells & sampled.at_the_end(channel)
                events = int(np.count_nonzero(at_end))
                lost = int(np.count_nonzero(at_end & ~sampled.frame.mask(name)))
                enough = events >= FEWEST_AT_THE_END or not margins_so_far
                margins_so_far += [Margin(name, channel, events, lost, int(np.count_nonzero(cells)))] if enough else []
    return max(margins_so_far, key=lambda margin: margin.percent) if margins_so_far else None


def _scatters_like(sampled: SampledEvents, population: str) -> Bools:
    """Return the events whose side scatter is not far above that of a population."""
    side = side_scatter(sampled)
    if side is None or np.count_nonzero(sampled.frame.mask(population)) < FEWEST_AT_THE_END:
        return sampled.frame.mask(ALL)
    return in_medians(sampled, side, population) <= LARGEST_SSC


@worked_out_once
def side_scatter(sampled: SampledEvents) -> str | None:
    """Return the marker of the side scatter, if the template has one that was recorded."""
    return next((marker for marker in sampled.channels if is_scatter(marker) and marker.upper().startswith("S")), None)


@worked_out_once
def forward_scatter(sampled: SampledEvents) -> str | None:
    """Return the marker of the forward scatter's area, or of its only signal, if the template has one on file."""
    return next(
        (
            marker
            for marker in sampled.channels
            if is_scatter(marker) and marker.upper().startswith("F") and not marker.upper().endswith(("-H", "-W"))
        ),
        None,
    )


def _scatter(sampled: SampledEvents, path: Sequence[str]) -> list[str]:
    regions = filter(None, (sampled.region(name) for name in path))
    return list(dict.fromkeys(marker for region in regions for marker in region.markers if is_scatter(marker)))


def _margin_findings(margin: Margin | None) -> tuple[Finding, ...]:
    if margin is None:
        return ()
    where = f"{margin.percent:.1f} % of {margin.population} are at the end of {margin.channel}'s range"
    if margin.percent < LARGEST_MARGIN_PERCENT or margin.events < FEWEST_AT_THE_END:
        return (Finding("margin", "", Severity.PASS, where, margin.percent, LARGEST_MARGIN_PERCENT),)
    lost = 100 * margin.lost / margin.of_events
    if lost < LARGEST_MARGIN_PERCENT:
        message = f"{where}: their size is not known; the gates keep them"
        return (Finding("margin", "W300", Severity.NOTE, message, margin.percent, LARGEST_MARGIN_PERCENT),)
    message = f"{where}: their size is not known, and the gates lose {lost:.1f} % there"
    return (Finding("margin", "W300", Severity.REVIEW, message, margin.percent, LARGEST_MARGIN_PERCENT),)


# ---------------------------------------------------------------- between the living and the dead


def asks_whether_alive(sampled: SampledEvents, population: str) -> bool:
    """True if a gate on the way to a population, or one that it leaves out, looks at a viability dye."""
    behind = sampled.behind(population)
    return any(VIABILITY.search(name) for one in behind for name in (one, *sampled.gates[one].markers()))


def _viability_gate(sampled: SampledEvents) -> str | None:
    """Return the population of living cells on the way to the T cells, by its role or by its dye; None without one."""
    if sampled.template.report.viable is not None:
        return sampled.template.report.viable
    for name in sampled.behind(sampled.template.report.t_cells):
        gate = sampled.gates[name]
        if isinstance(gate, RangeGate) and gate.max is not None and VIABILITY.search(f"{name} {gate.marker}"):
            return name
    return None


@worked_out_once
def living(sampled: SampledEvents) -> Bools | None:
    """Return the cells that a viability gate behind the T cells takes for alive, wherever they scatter, beads left out.

    None where there is no such gate.
    """
    name, beads = _viability_gate(sampled), sampled.template.counting.beads
    if name is None:
        return None
    alive = sampled.frame.mask(ALL) if beads is None else ~sampled.frame.mask(beads)
    gate = sampled.gates[name]
    if name == sampled.template.report.viable or not isinstance(gate, RangeGate) or gate.max is None:
        return np.asarray(alive & sampled.frame.mask(name))
    return np.asarray(alive & (sampled.signal(gate.marker) < gate.max))


def between_percent(sampled: SampledEvents) -> float | None:
    """How many percent of the T cells (or of the lymphocytes looked for), dead ones left out, take up some of the dye.

    Between lies what is brighter than five spreads of the living, and dimmer than three and a half of the dead or on
    the living side of the border: dead cells that the dye stained dimly may reach across it.
    """
    report, cells = sampled.template.report, sampled.lymphoid
    if report.viable is None or cells is None:
        return None
    gate = sampled.gates[report.viable]
    if not isinstance(gate, RangeGate) or gate.max is None or gate.units != "data":
        return None
    signal = sampled.signal(gate.marker, sampled.regardless_of(cells, without=report.viable))
    living, above = signal[signal < gate.max], signal[signal >= gate.max]
    dead = np.log(above if gate.max > 0 else np.maximum(above, 1.0))
    if len(living) < FEWEST_EVENTS:
        return None
    low, middle, high = quantiles(living, (0.159, 0.5, 0.841))
    top = middle + LIVING_SPREADS * max(high - middle, middle - low)
    floor = max(gate.max, top if len(dead) < FEWEST_DEAD else np.exp(_lower_end(dead)))
    between = int(np.count_nonzero((signal > top) & (signal < floor)))
    alive_or_between = int(np.count_nonzero(signal < floor))
    return 100 * between / max(1, alive_or_between)


def _lower_end(logs: Floats) -> float:
    """Where the dead begin: three and a half spreads, taken from their upper side, below their peak."""
    smooth = density(logs, 0.15)
    peak = min(float(smooth.centers[smooth.heights.argmax()]), float(logs.max()))
    return peak - DEAD_SPREADS * max(quantile(logs[logs >= peak], 0.6827) - peak, 0.05)


def _between_findings(sampled: SampledEvents, percent: float | None) -> tuple[Finding, ...]:
    if percent is None:
        return ()
    report = sampled.template.report
    check = f"{report.viable or 'viable'}_between"
    limit = LARGEST_BETWEEN_PERCENT if report.car is not None else LARGEST_BETWEEN_WITHOUT_CAR_PERCENT
    who = "T cells" if report.t_cells is not None else report.lymphocytes
    message = f"{percent:.1f} % of the {who} lie between the living and the dead"
    if percent < limit:
        return (Finding(check, "", Severity.PASS, message, percent, limit),)
    message += ": cells that are dying count as alive, and bind reagents as no living cell does"
    return (Finding(check, "W301", Severity.REVIEW, message, percent, limit),)
