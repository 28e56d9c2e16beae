"""Whether the events of a tube come from all of the time in which the instrument drew its volume.

Counts by volume are events over volume: a run whose recording stopped early, or during which no cell came for a while
(air, a clog, an empty tube), has the volume of all of its time and the events of a part. Beads share that fate with
the cells, so counts by beads do not ask.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from cytocar.errors.findings import Finding, Severity
from cytocar.fcs.keywords import duration_seconds, time_step_seconds

if TYPE_CHECKING:
    from cytocar.fcs.events import EventTable

LEAST_OF_THE_RUN = 0.5
"""Of the time from ``$BTIM`` to ``$ETIM``: CytoFLEX, Accuri, Attune and CyFlow files hold events of 0.91 to 1.00 of it,
MACSQuant ones, whose end is that of the washing, of 0.57 to 0.60."""
LARGEST_GAP = 0.05
"""Of the time, without events: 5 % is what tubes of one draw differ by (CCQM-P102)."""
GAP_INTERVALS = 1000.0
"""Mean intervals between two events: by chance one in e^1000 is as long."""
SHORTEST_SECONDS = 1.0
"""Of a gap: instruments pause for less between two parts of a file."""
FEWEST_EVENTS = 5000
"""Fewer events leave gaps by chance."""

Floats = npt.NDArray[np.float64]


def clock_findings(events: EventTable) -> Iterator[Finding]:
    """Whether a tube that is counted by volume has events of all the time in which the volume was drawn."""
    clock = next((channel for channel in events.channels if channel.is_time), None)
    tick = time_step_seconds(events)
    if clock is None or tick is None or events.n_events < FEWEST_EVENTS:
        return
    time = np.sort(np.concatenate([block.column(clock.index) for block in events.blocks()])) * tick
    if not np.isfinite(time[[0, -1]]).all() or time[-1] <= time[0]:
        return
    span = float(time[-1] - time[0])
    whole = duration_seconds(events)
    if whole is not None and span < LEAST_OF_THE_RUN * whole:
        message = f"events come from {span:.0f} s of a run of {whole:.0f} s, and the volume is that of the run"
        yield Finding("clock", "W308", Severity.REVIEW, message, span / whole, LEAST_OF_THE_RUN)
        return
    share = _without_events(time) / span
    message = f"no event for {100 * share:.1f} % of the run, and the volume is that of all of it"
    if share > LARGEST_GAP:
        yield Finding("clock", "W308", Severity.REVIEW, message, share, LARGEST_GAP)
    else:
        yield Finding("clock", "", Severity.PASS, "events come from all of the run", share, LARGEST_GAP)


def _without_events(time: Floats) -> float:
    """Return the seconds of all gaps in sorted times that are longer than chance makes them.

    Examples
    --------
    >>> round(_without_events(np.r_[np.arange(0, 10, 0.001), np.arange(15, 25, 0.001)]), 2)
    5.0
    """
    gaps = np.diff(time)
    usual = float(np.ptp(time)) / len(time)
    return float(gaps[gaps > max(SHORTEST_SECONDS, GAP_INTERVALS * usual)].sum())
