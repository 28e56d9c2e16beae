"""Signals in units of a population's own, or on a logarithm: the same whatever scale a cytometer writes.

Values end at 262,144 in most files, at 1024, 10,000 or 4,194,304 in others, and at 1 where they are shares of the
range: no constant is small beside all of them.
"""

from __future__ import annotations

import numpy as np

from cytocar.gates.engine.frame import Bools, Floats
from cytocar.gates.sampled_events import SampledEvents, worked_out_once

STEPS = 2.0**18
"""Of a channel's range: what a whole number is on the commonest scale."""


def unit(sampled: SampledEvents, marker: str) -> float:
    """Return the least signal that is told from none, in data units: a 262,144th of the channel's range."""
    return sampled.range(marker) / STEPS


@worked_out_once
def in_medians(sampled: SampledEvents, marker: str, population: str) -> Floats:
    """Return a marker's signal of each event as a multiple of a population's median, shape (n,)."""
    return np.asarray(sampled.signal(marker) / max(sampled.median(marker, population), unit(sampled, marker)))


def logs(sampled: SampledEvents, marker: str, cells: Bools | None = None) -> Floats:
    """Return ln of a marker's signal, shape (n,); of a signal below one unit that of the unit."""
    return np.asarray(np.log(np.maximum(sampled.signal(marker, cells), unit(sampled, marker))))
