"""Whether the events of a tube come from all of the time in which the instrument drew its volume.

Counts by volume are events over volume: a run whose recording stopped early, or during which no cell came for a while
(air, a clog, an empty tube), has the volume of all of its time and the events of a part, and so has one that was too
fast for the instrument. Beads share that fate with the cells, so counts by beads do not ask.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from cytocar.errors.findings import Finding, Severity
from cytocar.fcs.channels import number
from cytocar.fcs.keywords import duration_seconds, time_step_seconds

if TYPE_CHECKING:
    from cytocar.fcs.events import EventTable

LEAST_OF_THE_RUN = 0.5
"""Of the time from ``$BTIM`` to ``$ETIM``: CytoFLEX, Accuri, Attune and CyFlow files hold events of 0.91 to 1.00 of it,
MACSQuant ones, whose end is that of the washing, of 0.57 to 0.60."""
LARGEST_GAP = 0.05
"""Of the time, without events: 5 % is what tubes of one draw differ by (CCQM-P102)."""
LARGEST_LOST = 0.05
"""Of the events, by the instrument's own number of those that it did not store: 5 % is what tubes of one draw differ by
(CCQM-P102). A CytoFLEX file shows 4 %, five other files none."""
GAP_INTERVALS = 1000.0
"""Mean intervals between two events: by chance one in e^1000 is as long."""
SHORTEST_SECONDS = 1.0
"""Of a gap: instruments pause for less between two parts of a file."""
FEWEST_EVENTS = 5000
"""Fewer events leave gaps by chance."""

Floats = npt.NDArray[np.float64]


def clock_findings(events: EventTable) -> Iterator[Finding]:
    """Yield whether a tube that is counted by volume has events of all the time in which the volume was drawn."""
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


LOST_KEYS = {"$ABRT": "came too close to another", "$LOST": "came while the computer was busy"}


def unstored_events(events: EventTable) -> Iterator[Finding]:
    """Yield whether the instrument says that it saw more events than it stored, by the keywords that FCS has for it.

    Examples
    --------
    >>> from cytocar.fcs.events import EventTable
    >>> fast = EventTable.from_columns({"Time": np.arange(900.0)}, keywords={"$ABRT": "100"})
    >>> [(finding.code, finding.value) for finding in unstored_events(fast)]
    [('W308', 0.1)]
    """
    lost = {key: number(events.keywords.get(key)) or 0.0 for key in LOST_KEYS}
    unstored = sum(lost.values())
    share = unstored / max(1.0, unstored + events.n_events)
    if unstored <= 0 or share <= LARGEST_LOST:
        return
    why = " and ".join(f"{lost[key]:,.0f} ({key}) that {why}" for key, why in LOST_KEYS.items() if lost[key] > 0)
    message = f"the instrument did not store {100 * share:.0f} % of its events, {why}, and the volume is that of all"
    yield Finding("unstored", "W308", Severity.REVIEW, message, share, LARGEST_LOST)


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
