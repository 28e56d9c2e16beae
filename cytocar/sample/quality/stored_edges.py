"""Whether the file ends in the T cells: a threshold or a storage gate of the acquisition that cut some of them off.

What the instrument did not store leaves no event, but an edge: T cells up to one value of a scatter channel, and none
beyond it. No population of cells ends like that.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cytocar.errors.findings import Finding, Severity
from cytocar.gates.adaptive.cluster import is_scatter
from cytocar.gates.engine.frame import Floats
from cytocar.gates.sampled_events import SampledEvents

CHECK = "stored_edges"
STRETCH = 0.25
"""Of the spread on the side of the edge: what lies within it is compared with what lies as far beyond. Of a normal
population at four spreads from its middle a third as many lie beyond."""
MOST_BEYOND = 0.1
"""Of the events before the edge: less lies beyond, a few that a second trigger let in."""
LEAST_PERCENT, FEWEST_BEFORE = 2.0, 40
"""Of the T cells before the edge: then 4 % or more of a normal population lie beyond. Of a smooth end 40 have 14 beyond
them, and by chance four or fewer in one of 500."""
FEWEST_T_CELLS = 500
"""Gated: the spread that edges are measured in is known to 4 %."""
FARTHEST = 4.0
"""Spreads of the T cells from their middle, within which an edge cuts them."""
NEAR_THE_END = 0.95
"""Of the channel's range: what is cut there is off the scale, which ``margin`` tells."""


def edge_findings(sampled: SampledEvents) -> Iterator[Finding]:
    """Whether the T cells by their colours end at an edge along a scatter channel; nothing with too few."""
    t_cells = sampled.template.report.t_cells
    if t_cells is None:
        return
    gated, cells = sampled.frame.mask(t_cells), sampled.by_colour(t_cells)
    if np.count_nonzero(gated) < FEWEST_T_CELLS:
        return
    worst: tuple[float, str, str] | None = None
    for channel in (marker for marker in sampled.at_the_end if is_scatter(marker)):
        signal = sampled.signal(channel)
        own, logs = (_logs(signal[mask & ~sampled.at_the_end[channel]]) for mask in (gated, cells))
        if len(own) < FEWEST_T_CELLS:
            continue
        top = np.log(NEAR_THE_END * sampled.range(channel))
        for percent, edge, side in ((*_edge(logs, own), "above"), (*_edge(-logs[::-1], -own[::-1]), "below")):
            place = edge if side == "above" else -edge
            if (side == "below" or place < top) and (worst is None or percent > worst[0]):
                worst = percent, channel, f"{side} {np.exp(place):,.0f}"
    if worst is None:
        return
    percent, channel, where = worst
    if percent < LEAST_PERCENT:
        yield Finding(CHECK, "", Severity.PASS, "no T cells end at an edge of scatter", percent, LEAST_PERCENT)
        return
    message = f"{percent:.0f} % of the T cells crowd at {channel} and the file holds none {where}: more were not stored"
    yield Finding(CHECK, "W309", Severity.REVIEW, message, percent, LEAST_PERCENT)


def _logs(signal: Floats) -> Floats:
    return np.sort(np.log(signal[signal > 0]))


def _edge(logs: Floats, own: Floats) -> tuple[float, float]:
    """How many percent of the T cells lie before their upper edge, and where that is; 0 where there is none.

    Both are in order; ``logs`` are of all that are T cells by colour, ``own`` of those that are gated, which tell where
    T cells lie: beyond four of their spreads something else begins or ends.
    """
    middle, high = (float(own[int(place * len(own))]) for place in (0.5, 0.841))
    spread = max(high - middle, 1e-6)
    first, last = np.searchsorted(logs, (middle, middle + FARTHEST * spread))
    place = np.arange(first, last)
    upper = logs[first:last]
    before = place - np.searchsorted(logs, upper - STRETCH * spread)
    beyond = np.searchsorted(logs, upper + STRETCH * spread, side="right") - place - 1
    is_edge = (before >= FEWEST_BEFORE) & (beyond <= MOST_BEYOND * before)
    if not is_edge.any():
        return 0.0, middle
    best = int(np.where(is_edge, before, 0).argmax())
    return 100 * float(before[best]) / len(own), float(upper[best])
