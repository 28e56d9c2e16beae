"""Positives of a tube without controls: how bright they are, and which share of them a fixed threshold keeps.

Negatives are taken as symmetric about their densest half, so that their dim side stands for their bright one. What lies
between them and the threshold is not asked: a lopsided tail of negatives would be taken for dim positives.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from cytocar.gates.adaptive.density import Ordered
from cytocar.gates.adaptive.positives import describe, overlap_doubt

FEWEST_POSITIVES = 10
"""Above the threshold: fewer do not tell how bright they are."""
MISSED_FACTOR, MISSED_DOUBT = 1.5, 0.5
"""What curves of the bright positives put below a threshold is too little by half where nothing below bears it out, and
known to a half: with 1 and 0 the interval held the truth in 90 to 94 % of tubes at stain indices of 3 and 4, with these
in 95 to 100 % (120 tubes each; 14 to 68 % with one figure for all tubes)."""
SMALLEST_SENSITIVITY = 0.3
"""Beyond it what lies below the threshold is not measured at all."""


@dataclass(frozen=True, slots=True)
class Unaided:
    """The positives above a threshold: share of all positives, how well that is known, and their stain index."""

    sensitivity: float
    sensitivity_sd: float
    stain_index: float


def unaided(values: Ordered, threshold: float) -> Unaided | None:
    """Return what the positives above a threshold look like; None with too few, or a threshold among the negatives."""
    center = _center(values)
    dim = values.values[: int(np.searchsorted(values.values, center))]
    mirrored = Ordered(np.concatenate([dim, (2 * center - dim)[::-1]]))
    if threshold <= max(center, 0.0) or len(dim) < FEWEST_POSITIVES:
        return None
    if values.above(threshold) < FEWEST_POSITIVES + mirrored.above(threshold) * len(values) / len(mirrored):
        return None
    seen = describe(
        values.from_on(threshold),
        mirrored.from_on(threshold),
        events=len(values),
        reference_events=len(mirrored),
        threshold=threshold,
    )
    spread = max(center - mirrored.quantile(0.159), 1e-9)
    stain_index, missed = (seen.median - center) / (2 * spread), 1 - seen.sensitivity
    return Unaided(
        sensitivity=max(1 - MISSED_FACTOR * missed, SMALLEST_SENSITIVITY),
        sensitivity_sd=math.hypot(seen.sensitivity_sd, overlap_doubt(stain_index) * missed, MISSED_DOUBT * missed),
        stain_index=stain_index,
    )


def _center(values: Ordered) -> float:
    """Return the middle of the shortest interval that holds half of the signals: where the negatives are densest.

    Positives, even as many as 40 %, lie too far apart to move it.
    """
    half = len(values) // 2
    widths = values.values[half:] - values.values[: len(values) - half]
    start = int(np.argmin(widths))
    return float(values.values[start] + values.values[start + half]) / 2
