"""The flow of a sample over its acquisition, as stepped lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from cytocar.figures.gate_pictures.axis import Floats

if TYPE_CHECKING:
    from cytocar.fcs.events import EventTable

Bools = npt.NDArray[np.bool_]

TIME_BINS, TIME_WIDTH, TIME_HEIGHT = 80, 640, 64


class TimeTrace(Struct, frozen=True):
    """Events, and beads, over the acquisition: SVG paths in units of ``TIME_WIDTH`` and ``TIME_HEIGHT``."""

    seconds: float | None
    events: str
    beads: str
    unevenness: float
    """Highest rate of all bins over their median: 1 for a perfectly even flow."""


def time_trace(events: EventTable, ticks: Floats, of_beads: Bools | None) -> TimeTrace | None:
    """Return the flow of events (and beads) over the acquisition; ``None`` where its clock stands still."""
    timed = np.isfinite(ticks)
    if not timed.any():
        return None
    first, last = float(ticks[timed].min()), float(ticks[timed].max())
    if not last > first:
        return None
    bins = np.minimum(((ticks[timed] - first) / (last - first) * TIME_BINS).astype(np.intp), TIME_BINS - 1)
    every = np.bincount(bins, minlength=TIME_BINS)
    beads = np.bincount(bins[of_beads[timed]], minlength=TIME_BINS) if of_beads is not None else None
    return TimeTrace(
        seconds=_seconds(events, last - first),
        events=_steps(every),
        beads=_steps(beads) if beads is not None and beads.any() else "",
        unevenness=float(every.max() / max(float(np.median(every)), 1.0)),
    )


def _seconds(events: EventTable, ticks: float) -> float | None:
    try:
        return ticks * float(events.keywords["$TIMESTEP"])
    except (KeyError, ValueError):
        return None


def _steps(counts: npt.NDArray[np.intp]) -> str:
    """Return counts as a stepped line; its top is the highest count."""
    heights = np.round(TIME_HEIGHT * (1 - counts / max(int(counts.max()), 1))).astype(int).tolist()
    width = TIME_WIDTH // TIME_BINS
    return f"M0 {heights[0]}h{width}" + "".join(f"V{height}h{width}" for height in heights[1:])
