"""Positives of a tube without controls: how bright they are, and which share of them a fixed threshold keeps.

Negatives are taken as symmetric about their densest half, so that their dim side stands for their bright one. What lies
between them and the threshold may be dim positives or a lopsided tail of negatives: so it tells how many positives lie
there at most, and never that there are some.
"""

from __future__ import annotations

import math

import numpy as np
from msgspec import Struct

from cytocar.gates.adaptive.density import Ordered
from cytocar.gates.adaptive.positives import LEAST_DOUBT, Positives, describe, overlap_doubt

FEWEST_POSITIVES = 10
"""Above the threshold: fewer do not tell how bright they are."""
MISSED_FACTOR, MISSED_DOUBT = 1.5, 0.5
"""What curves of the bright positives put below a threshold is too little by half where nothing below bears it out, and
known to a half: with 1 and 0 the interval held the truth in 90 to 94 % of tubes at stain indices of 3 and 4, with these
in 95 to 100 % (120 tubes each; 14 to 68 % with one figure for all tubes)."""
END_OF_NEGATIVES = 0.9995
"""Quantile of the mirrored negatives: what lies between it and the threshold bounds the positives there."""
LARGEST_LOWEST, LOWEST_DOUBT = 1.5, 1.25
"""Positives below that end, where nothing bounds them, in units of what the curve puts there: the most that is added to
the bound, and their standard deviation. With a doubt of 1 the interval held the truth in 93 to 100 % of tubes at stain
indices of 4 and 6 from 2000 CAR+ cells on, with 1.5 in 94 to 100, a tenth wider (150 tubes each); with 8000 cells of
severe shapes at an index of 4 in 86 and 87, 90 without the bound."""
SMALLEST_SENSITIVITY = 0.3
"""Beyond it what lies below the threshold is not measured at all."""


class Unaided(Struct, frozen=True):
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
    sd = math.hypot(seen.sensitivity_sd, overlap_doubt(stain_index) * missed, MISSED_DOUBT * missed)
    most, lowest_sd = _most_missed(values, mirrored, threshold, seen)
    missed = min(MISSED_FACTOR * missed, most, 1 - SMALLEST_SENSITIVITY)
    sd = min(sd, math.hypot((most - missed) / 2, lowest_sd, LEAST_DOUBT))
    return Unaided(sensitivity=1 - missed, sensitivity_sd=sd, stain_index=stain_index)


def _most_missed(values: Ordered, mirrored: Ordered, threshold: float, seen: Positives) -> tuple[float, float]:
    """Return the largest share of positives below the threshold, and the SD of the part that nothing bounds.

    Between the end of the negatives and the threshold lie no more positives than events beyond the mirrored negatives,
    with two standard deviations of counting; below that end the curve of the bright positives has to do.
    """
    from scipy.special import ndtr

    end = min(max(mirrored.quantile(END_OF_NEGATIVES), 0.2 * threshold), threshold)
    between = values.above(end) - values.above(threshold)
    negatives = (mirrored.above(end) - mirrored.above(threshold)) * len(values) / len(mirrored)
    most = max(between - negatives, 0.0) + 2 * math.sqrt(between + 1)
    lowest = float(ndtr(math.log(end / seen.median) / seen.log_sd))
    return most / (most + seen.events * seen.sensitivity) + LARGEST_LOWEST * lowest, LOWEST_DOUBT * lowest


def _center(values: Ordered) -> float:
    """Return the middle of the shortest interval that holds half of the signals: where the negatives are densest.

    Positives, even as many as 40 %, lie too far apart to move it.
    """
    half = len(values) // 2
    widths = values.values[half:] - values.values[: len(values) - half]
    start = int(np.argmin(widths))
    return float(values.values[start] + values.values[start + half]) / 2
