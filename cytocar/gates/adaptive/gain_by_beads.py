"""The detector's gain between two tubes, from the counting beads' signals: the same beads, whatever the cells do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from msgspec.structs import replace

from cytocar.gates.decision import ReferenceEvents
from cytocar.statistics import order

FEWEST_BEADS = 100
"""Their median is then known to 1 %."""
SATURATED_SHARE = 0.01
"""More beads than this at one highest value are at the end of the detector's range, and tell no gain."""


def gain_between(median: float | None, events: int, control: npt.NDArray[np.float64]) -> float | None:
    """Return the gain of a sample against a control; None with too few beads, or where they end the detector's range.

    Parameters
    ----------
    median, events : float or None, int
        Of the sample's beads.
    control : (n,) float64
        Signals of the control's beads, in ascending order.

    Examples
    --------
    >>> gain_between(120.0, 5000, np.linspace(90.0, 110.0, 1000)), gain_between(120.0, 50, np.full(9, 1.0))
    (1.2, None)
    """
    if events < FEWEST_BEADS or median is None or median <= 0 or len(control) < FEWEST_BEADS:
        return None
    theirs = order.median(control)
    if theirs <= 0 or np.mean(control >= control[-1]) >= SATURATED_SHARE:
        return None
    return median / theirs


def with_bead_gains(
    references: Sequence[ReferenceEvents],
    beads: Sequence[ReferenceEvents],
    medians: Mapping[str, tuple[float | None, int]],
) -> Sequence[ReferenceEvents]:
    """Return control tubes with the sample's gains against them.

    Parameters
    ----------
    references, beads : sequence of ReferenceEvents
        The control tubes' cells, and their beads.
    medians : mapping of str to tuple
        Median and number of the sample's beads, by marker.
    """
    if not beads or not medians:
        return references
    by_tube = {one.sample_id: one.values for one in beads}
    known = []
    for one in references:
        theirs = by_tube.get(one.sample_id, {})
        gains = {marker: gain_between(*medians[marker], theirs[marker]) for marker in medians if marker in theirs}
        known.append(replace(one, bead_gains={marker: gain for marker, gain in gains.items() if gain is not None}))
    return known
