"""Dead cells where no gate leaves them out: without a viability dye they are counted as T cells.

The template has no gate for them, or the dye was forgotten, and the gate leaves out nothing.

Cells that die shrink and grow granular: they scatter less forwards and more to the side (Darzynkiewicz 1992, Cytometry
13:795). Of a few that is no proof, since living cells vary as much.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cytocar.errors.findings import Finding, Severity
from cytocar.gates.adaptive.density import density
from cytocar.gates.sampled_events import SampledEvents
from cytocar.regions.boxes import BoxGate
from cytocar.sample.quality.borders import lineage_marker
from cytocar.sample.quality.cells import FEWEST_EVENTS, asks_whether_alive, forward_scatter, living, side_scatter
from cytocar.sample.quality.relative import in_medians, logs
from cytocar.statistics.order import median

CHECK = "dead_cells"
SMALLER = 0.25
"""Of ln: three quarters of the size of most T cells; where most are dying, the living are as much larger, and less
granular, which blasts are not."""
SMOOTHING = 0.05
"""Of ln: half of the spread of resting lymphocytes."""
LARGEST_PERCENT = 8.0
"""Of the T cells: fresh and thawed cells of seven real tubes show 1 to 6 %, as do simulated ones with 6 % dead."""
LEAST_DEAD = 0.005
"""For each T cell: fresh blood has some dead leukocytes, and of those that bleed, as many granulocytes are dying."""
TAKEN_CHECK = "taken_for_dead"
AS_LARGE, SMALLEST_GRAIN, AS_GRANULAR = 0.85, 0.5, 1.2
"""Of the T cells' medians: dying cells shrink and grow granular, and seldom lie within both."""
LARGEST_TAKEN_PERCENT = 10.0
"""Of the T cells: where half of the cells are dead, those that scatter as living ones are 3 to 5 %."""


def taken_for_dead(sampled: SampledEvents) -> Iterator[Finding]:
    """Yield whether cells with what makes a T cell, that scatter as the living do, lie beyond the viability gate."""
    name, side, forward = sampled.template.report.t_cells, side_scatter(sampled), forward_scatter(sampled)
    alive = living(sampled)
    if name is None or alive is None or side is None or forward is None or not asks_whether_alive(sampled, name):
        return
    gate = sampled.gates[name]
    n, lineage = int(np.count_nonzero(sampled.frame.mask(name))), lineage_marker(gate)
    least = gate.sides().get(lineage or "", (None, None))[0] if isinstance(gate, BoxGate) else None
    if n < FEWEST_EVENTS or lineage is None or least is None or not isinstance(gate, BoxGate) or gate.units != "data":
        return
    size, grain = (in_medians(sampled, axis, name) for axis in (forward, side))
    beads = sampled.template.counting.beads
    beyond = ~alive if beads is None else ~alive & ~sampled.frame.mask(beads)
    beyond &= (size > AS_LARGE) & (grain > SMALLEST_GRAIN) & (grain < AS_GRANULAR)
    taken = int(np.count_nonzero(beyond & (sampled.signal(lineage) >= least)))
    percent = 100 * taken / n
    message = f"cells that scatter as living T cells do and pass for dead are {percent:.1f} % of the T cells"
    if percent < LARGEST_TAKEN_PERCENT:
        yield Finding(TAKEN_CHECK, "", Severity.PASS, message, percent, LARGEST_TAKEN_PERCENT)
        return
    message += ": light of another dye, or a border too low"
    yield Finding(TAKEN_CHECK, "W316", Severity.REVIEW, message, percent, LARGEST_TAKEN_PERCENT)


def dead_cells(sampled: SampledEvents) -> Iterator[Finding]:
    """Yield, where no gate on the way to the T cells leaves dead cells out, how many scatter as dying cells do."""
    t_cells, side = sampled.template.report.t_cells, side_scatter(sampled)
    gated = t_cells is not None and asks_whether_alive(sampled, t_cells)
    if t_cells is None or (gated and not _leaves_nothing_out(sampled, t_cells)):
        return
    forward = forward_scatter(sampled)
    mask = sampled.frame.mask(t_cells)
    if side is None or forward is None or np.count_nonzero(mask) < FEWEST_EVENTS:
        return
    size, grain = (logs(sampled, marker, mask) for marker in (forward, side))
    smooth = density(size, SMOOTHING)
    usual = float(smooth.centers[smooth.heights.argmax()])
    granular = grain > median(grain[np.abs(size - usual) < SMOOTHING])
    small, large = granular & (size < usual - SMALLER), ~granular & (size > usual + SMALLER)  # large: most are dying
    percent = 100 * float(max(np.mean(small), np.mean(large)))
    who = "the viability gate leaves out hardly a cell" if gated else "no gate leaves dead cells out"
    message = f"{who}, and {percent:.1f} % of the T cells differ in size and grain"
    if percent < LARGEST_PERCENT and gated:
        yield Finding(CHECK, "", Severity.PASS, message, percent, LARGEST_PERCENT)
        return
    if percent < LARGEST_PERCENT:
        yield Finding(CHECK, "W312", Severity.NOTE, message, percent, LARGEST_PERCENT)
        return
    yield Finding(CHECK, "W311", Severity.REVIEW, f"{message} as dying cells do", percent, LARGEST_PERCENT)


FRAGMENTS_CHECK = "fragments"
FRAGMENT_SIZE, FRAGMENT_GRAIN, FRAGMENT_STAIN = 0.55, 0.65, 0.6
"""Of the T cells' medians: a part of a cell has part of its size, its grain and its membrane; no living T cell is so
small, and small ones are not dimmer by as much."""
LARGEST_FRAGMENTS_PERCENT = 5.0
"""Of the T cells, which are too many by as much: 17 gates of nine real tubes show up to 1.1 %, clean tubes 0.1 %, tubes
with fragments of 15 % of the T cells 6 to 10 %."""


def fragments(sampled: SampledEvents) -> Iterator[Finding]:
    """Yield how many of the T cells are parts of cells: small, with little grain, and dim in what makes a T cell."""
    name, side, forward = sampled.template.report.t_cells, side_scatter(sampled), forward_scatter(sampled)
    if name is None or side is None or forward is None:
        return
    t_cells, lineage = sampled.frame.mask(name), lineage_marker(sampled.gates[name])
    n = int(np.count_nonzero(t_cells))
    if n < FEWEST_EVENTS or lineage is None:
        return
    parts = t_cells.copy()
    for marker, most in ((forward, FRAGMENT_SIZE), (side, FRAGMENT_GRAIN), (lineage, FRAGMENT_STAIN)):
        parts &= in_medians(sampled, marker, name) < most
    percent = 100 * int(np.count_nonzero(parts)) / n
    message = f"{percent:.1f} % of the T cells are parts of cells by their size, grain and {lineage}"
    if percent < LARGEST_FRAGMENTS_PERCENT:
        yield Finding(FRAGMENTS_CHECK, "", Severity.PASS, message, percent, LARGEST_FRAGMENTS_PERCENT)
        return
    message += ": T cells are too many by as much"
    yield Finding(FRAGMENTS_CHECK, "W326", Severity.REVIEW, message, percent, LARGEST_FRAGMENTS_PERCENT)


def _leaves_nothing_out(sampled: SampledEvents, t_cells: str) -> bool:
    """True if the viability gate on the way to the T cells takes next to nothing for dead."""
    alive, beads = living(sampled), sampled.template.counting.beads
    if alive is None:
        return False
    dead = ~alive if beads is None else ~alive & ~sampled.frame.mask(beads)
    viable_of = sampled.template.report.viable_of
    if viable_of is not None:
        dead &= sampled.frame.mask(viable_of)
    return bool(np.count_nonzero(dead) < LEAST_DEAD * np.count_nonzero(sampled.frame.mask(t_cells)))
