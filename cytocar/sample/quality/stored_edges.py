"""Whether the file ends in the T cells, or in the beads: a threshold or a storage gate that cut some of them off.

What the instrument did not store leaves no event, but an edge: T cells up to one value of a scatter channel, beads up
to one value of any channel, and none beyond it. No population ends like that.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from cytocar.errors.findings import Finding, Severity
from cytocar.gates.adaptive.cluster import is_scatter
from cytocar.gates.engine.frame import Bools, Floats
from cytocar.gates.sampled_events import SampledEvents
from cytocar.sample.quality.relative import unit
from cytocar.statistics.order import median

Rows = npt.NDArray[np.intp]

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
SMALLEST, WIDEST = 1e-300, 80.0
"""Signals, and spreads in natural logarithms, of damaged files: the inverse of one, and eight of the other, are numbers
still."""
BEADS_CHECK = "stored_beads"
LEAST_PERCENT_OF_BEADS = 3.0
"""Before the edge: then 6 % or more of a normal spot lie beyond, twice what beads vary by (CCQM-P102: 3.6 %)."""
FEWEST_BEADS = 200
"""Fewer do not tell an edge from chance."""
AROUND = 3.0
"""A factor around the beads' median in the colours that they are found by: cells lie below it, and all beads within."""
BEYOND_BEADS = 8.0
"""Spreads beyond the edge without beads: beads of two sizes or brightnesses leave a gap, and lie on either side of it;
pairs, at twice the signal, lie farther away."""
FEWEST_VALUES = 40
"""Different values of the beads: of a spot of a few steps each step is an edge."""


def edge_findings(sampled: SampledEvents) -> Iterator[Finding]:
    """Yield whether the T cells by their colours end at an edge along a scatter channel; nothing with too few.

    In a template without T cells the lymphocytes.
    """
    population = sampled.lymphoid
    if population is None:
        return
    who = "T cells" if population == sampled.template.report.t_cells else "lymphocytes"
    gated, cells = sampled.frame.mask(population), sampled.by_colour(population)
    if np.count_nonzero(gated) < FEWEST_T_CELLS:
        return
    channels = [marker for marker in sampled.channels if is_scatter(marker)]
    worst = _worst_edge(sampled, channels, gated, cells, fewest=FEWEST_T_CELLS)
    if worst is None:
        return
    percent, channel, where = worst
    if percent < LEAST_PERCENT:
        yield Finding(CHECK, "", Severity.PASS, f"no {who} end at an edge of scatter", percent, LEAST_PERCENT)
        return
    message = f"{percent:.0f} % of the {who} crowd at {channel} and the file holds none {where}: more were not stored"
    yield Finding(CHECK, "W309", Severity.REVIEW, message, percent, LEAST_PERCENT)


def bead_edges(sampled: SampledEvents, beads: str, colours: tuple[str, str]) -> Iterator[Finding]:
    """Yield whether the beads end at an edge along any channel; nothing with too few.

    Parameters
    ----------
    colours : tuple of str
        The two markers that beads are bright in: what shines as they do is looked at, in the gate or beside it.
    """
    gated = sampled.frame.mask(beads)
    if np.count_nonzero(gated) < FEWEST_BEADS:
        return
    around = np.ones_like(gated)
    for colour in colours:
        signal = sampled.signal(colour)
        middle = max(median(signal[gated]), unit(sampled, colour))
        around &= (signal > middle / AROUND) & (signal < middle * AROUND)
    channels = [marker for marker in sampled.channels if marker.casefold() != "time"]
    worst = _worst_edge(
        sampled,
        channels,
        gated,
        around | gated,
        fewest=FEWEST_BEADS,
        fewest_values=FEWEST_VALUES,
        reach=BEYOND_BEADS,
    )
    if worst is None:
        return
    percent, channel, where = worst
    limit = LEAST_PERCENT_OF_BEADS
    if percent < limit:
        yield Finding(BEADS_CHECK, "", Severity.PASS, "no beads end at an edge of a channel", percent, limit)
        return
    message = (
        f"{percent:.0f} % of the beads crowd at {channel} and the file holds none {where}: more were not stored, and "
        "cells/µL are too high"
    )
    yield Finding(BEADS_CHECK, "W313", Severity.REVIEW, message, percent, limit)


def _worst_edge(
    sampled: SampledEvents,
    channels: Sequence[str],
    gated: Bools,
    near: Bools,
    *,
    fewest: int,
    fewest_values: int = 0,
    reach: float = STRETCH,
) -> tuple[float, str, str] | None:
    """Return the edge with most events before it, in percent, its channel and where it is; None if none can be told.

    Parameters
    ----------
    gated, near : ndarray of bool, shape (n,)
        Events of the population, and all that may belong to it.
    fewest, fewest_values : int
        Events, and different values of them, that a channel needs on its scale.
    reach : float
        As in ``_edges``.
    """
    worst: tuple[float, str, str] | None = None
    for channel in channels:
        signal = sampled.signal(channel)
        on_scale = (signal > SMALLEST) & ~sampled.at_the_end(channel)
        own, near_it = (_in_order(signal.compress(mask & on_scale)) for mask in (gated, near))
        if len(own) < fewest or (fewest_values and np.count_nonzero(np.diff(own)) < fewest_values):
            continue
        for percent, where in _edges(near_it, own, NEAR_THE_END * sampled.range(channel), reach):
            if worst is None or percent > worst[0]:
                worst = percent, channel, where
    return worst


def _edges(near: Floats, own: Floats, top: float, reach: float) -> Iterator[tuple[float, str]]:
    """Yield how many percent lie before the upper and the lower edge, and where it is; an upper one below the ``top``.

    ``reach`` is how many spreads beyond an edge hardly anything may lie.
    """
    percent, edge = _edge(near, own, reach)
    if edge < top:
        yield percent, f"above {shown(edge)}"
    percent, edge = _edge(1 / near[::-1], 1 / own[::-1], reach)
    yield percent, f"below {shown(1 / edge)}"


AT_ONCE = 16
"""Neighbouring values that are passed over together where none of them can be an edge: nearly all."""


def shown(value: float) -> str:
    """Return a value for a message: whole numbers, or three digits of a share of the range."""
    return f"{value:,.0f}" if value > 100 else f"{value:.3g}"


def _in_order(signal: Floats) -> Floats:
    """Return signals in order: those that lie apart by a factor are found without taking logarithms."""
    with np.errstate(over="ignore"):
        single = signal.astype(np.float32)  # what most files hold, put in order in half of the time
    return np.sort(single).astype(np.float64) if (single == signal).all() else np.sort(signal)


def _edge(near: Floats, own: Floats, reach: float) -> tuple[float, float]:
    """How many percent of a population lie before its upper edge, and where that is; 0 where there is none.

    Both are in order; ``near`` is all that may belong to it, ``own`` what is gated, which tells where it lies: beyond
    four of its spreads, natural logarithms, something else begins or ends.
    """
    place = float(own[int(0.5 * len(own))])
    low, middle, high = (math.log(own[int(share * len(own))]) for share in (0.159, 0.5, 0.841))
    spread = max(high - middle if reach <= STRETCH else min(high - middle, middle - low), 1e-6)
    spread = min(spread, WIDEST)
    first, last = np.searchsorted(near, (place, place * math.exp(FARTHEST * spread)))
    stretches = math.exp(-STRETCH * spread), math.exp(reach * spread)
    before, beyond = _around(near, np.arange(first, last, AT_ONCE), stretches)
    most, least = before + AT_ONCE - 1, beyond - AT_ONCE + 1  # of the next ranks
    starts = first + AT_ONCE * np.flatnonzero((most >= FEWEST_BEFORE) & (least <= MOST_BEYOND * most))
    ranks = (starts[:, np.newaxis] + np.arange(AT_ONCE)).ravel()
    ranks = ranks[ranks < last]
    before, beyond = _around(near, ranks, stretches)
    is_edge = (before >= FEWEST_BEFORE) & (beyond <= MOST_BEYOND * before)
    if not is_edge.any():
        return 0.0, place
    best = int(np.where(is_edge, before, 0).argmax())
    return 100 * float(before[best]) / len(own), float(near[ranks[best]])


def _around(near: Floats, ranks: Rows, stretches: tuple[float, float]) -> tuple[Rows, Rows]:
    """Return how many values lie within a stretch before and beyond those at some ranks, factors of them."""
    values, (down, up) = near[ranks], stretches
    before = ranks - np.searchsorted(near, values * down)
    return before, np.searchsorted(near, values * up, side="right") - ranks - 1
