"""Positives of a tube without controls: how bright they are, and which share of them a fixed threshold keeps.

Negatives are taken as symmetric about their densest half, so that their dim side stands for their bright one. What lies
between them and the threshold may be dim positives or a lopsided tail of negatives: so it tells how many positives lie
there at most, and never that there are some: real negatives have tails that no simulated shape has, and taking all for
positives made real spike-ins of 10 % come out 1.05 to 1.23 times too high.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

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
BOUNDING_PLACES, BOUND_MARGIN = 6, 1.3
"""From that end to the threshold, in equal ratios: where the curve is seen to have ended. And how many times more there
may be below than the place with the fewest shows, since shapes dip: with 1 the interval held the truth in 2 to 3 points
fewer of the tubes with 8000 CAR+ cells at an index of 6, with 1.3 in as many as without (150 tubes a line), while real
positives that end at the threshold came out 1.00 times the truth with both (1.08 to 1.15 without)."""
FLANK_STEP = 1.25
"""Ratio of distances from the negatives' middle, of one step below the threshold and one above it. Where the second
holds more events, positives rise there, and those below are at most what an exponential flank of that rise has: a
log-concave one falls off faster. Of 16 lines of real spike-ins from 1 % on (48 tubes each) in which net/true was more
than 0.02 too high 8 came 0.01 to 0.11 nearer to 1 by that, and none went further off."""
LARGEST_LOWEST, LOWEST_DOUBT = 1.5, 1.25
"""Positives below that end, where nothing bounds them, in units of what the curve puts there: the most that is added to
the bound, and their standard deviation. With a doubt of 1 the interval held the truth in 93 to 100 % of tubes at stain
indices of 4 and 6 from 2000 CAR+ cells on, with 1.5 in 94 to 100, a tenth wider (150 tubes each); with 8000 cells of
severe shapes at an index of 4 in 86 and 87, 90 without the bound."""
LARGEST_NEGATIVE_SHARE = 0.03
"""Of the events beyond a place that may be negatives, for all to be counted as positives, at most."""
NEGATIVE_PART, NEGATIVE_PART_SD = 0.75, 0.3
"""Of these: negatives with exponential tails are as many, normal ones half."""
LEAST_SDS = 3.0
"""Standard deviations below what is counted so, for the least share above the threshold: with 2 the interval held the
truth in 88 % of tubes of severe shapes at a stain index of 4 (8000 CAR+ cells), with 3 in 91 to 95."""
STEP, FIRST_STEP, STEEPEST = 0.5, 0.75, 0.9
"""Spreads of the negatives: their fall is that from one half of a spread to the next, from 0.75 above their middle on.
Where a tenth and less falls off there is no tail yet."""
FEWEST_IN_STEP = 10
"""Events that show a fall: of fewer the steepest seen is chance."""
PLACES, LOWEST_SPREADS = 25, 1.5
"""Where positives may be counted from: evenly from 1.5 spreads above the negatives' middle up to the threshold."""
SMALLEST_SENSITIVITY = 0.3
"""Beyond it what lies below the threshold is not measured at all."""


class Unaided(Struct, frozen=True):
    """The positives above a threshold: share of all positives, how well that is known, and their stain index."""

    sensitivity: float
    sensitivity_sd: float
    stain_index: float


def unaided(values: Ordered, threshold: float, center: float) -> Unaided | None:
    """Return what the positives above a threshold look like; None with too few, or a threshold among the negatives.

    ``center`` is where the negatives are densest (``densest_center``).
    """
    dim = values.values[: int(np.searchsorted(values.values, center))]
    mirrored = Ordered(np.concatenate([dim, (2 * center - dim)[::-1]]))
    if threshold <= max(center, 0.0) or len(dim) < FEWEST_POSITIVES:
        return None
    if values.above(threshold) < FEWEST_POSITIVES + mirrored.above(threshold) * len(values) / len(mirrored):
        return None
    seen = _described(values, mirrored, threshold)
    spread = max(center - mirrored.quantile(0.159), 1e-9)
    stain_index, missed = (seen.median - center) / (2 * spread), 1 - seen.sensitivity
    sd = math.hypot(seen.sensitivity_sd, overlap_doubt(stain_index) * missed, MISSED_DOUBT * missed)
    most, lowest_sd = _most_missed(values, mirrored, threshold, seen)
    missed = min(MISSED_FACTOR * missed, most, 1 - SMALLEST_SENSITIVITY)
    sd = min(sd, math.hypot((most - missed) / 2, lowest_sd, LEAST_DOUBT))
    sd = min(sd, max((1 - missed - _least_above(values, mirrored, threshold)) / 2, LEAST_DOUBT))
    missed = min(missed, _below_flank(values, threshold, center))
    return Unaided(sensitivity=1 - missed, sensitivity_sd=sd, stain_index=stain_index)


def _described(values: Ordered, mirrored: Ordered, place: float) -> Positives:
    return describe(
        values.from_on(place),
        mirrored.from_on(place),
        events=len(values),
        reference_events=len(mirrored),
        threshold=place,
    )


def _below_flank(values: Ordered, threshold: float, center: float) -> float:
    """Return the share of positives below the threshold that a rise across it leaves at most; 1 where none is seen."""
    away = threshold - center
    from_on = [values.above(center + place * away) for place in (1 / FLANK_STEP, 1.0, FLANK_STEP)]
    last, beyond = (more - fewer + 0.5 for more, fewer in pairwise(from_on))
    rise = last / beyond * math.exp(math.sqrt(1 / last + 1 / beyond))
    if rise >= 1 or beyond < FEWEST_IN_STEP:
        return 1.0
    below = last / (1 - rise)
    return below / (below + from_on[1])


def _least_above(values: Ordered, mirrored: Ordered, threshold: float) -> float:
    """Return the least share of positives above the threshold, counting all from where negatives end as positives.

    Below that place curves have to do, as above; the lower it lies, the less they matter.
    """
    center = mirrored.quantile(0.5)
    spread = max(center - mirrored.quantile(0.159), 1e-9)
    negatives = _negatives_beyond(values, center, spread, threshold)
    start = min(max(center + LOWEST_SPREADS * spread, 0.2 * threshold), threshold)
    places = np.linspace(start, threshold, PLACES)
    place = next((x for x in places if negatives(x) <= LARGEST_NEGATIVE_SHARE * values.above(x)), threshold)
    seen, above = _described(values, mirrored, place), values.above(threshold)
    doubt = math.hypot(overlap_doubt((seen.median - center) / (2 * spread)), MISSED_DOUBT)
    missed_sd = math.hypot(seen.sensitivity_sd, doubt * (1 - seen.sensitivity))
    missed = min(MISSED_FACTOR * (1 - seen.sensitivity), 1 - SMALLEST_SENSITIVITY)
    among = min(negatives(place), 0.5 * values.above(place))
    between = max(values.above(place) - above - NEGATIVE_PART * among, 0.0)
    counted = above + between
    relative = math.hypot(missed_sd / (1 - missed), NEGATIVE_PART_SD * among / counted, math.sqrt(between) / counted)
    return above / counted * (1 - missed) * (1 - LEAST_SDS * relative)


def _negatives_beyond(values: Ordered, center: float, spread: float, threshold: float) -> Callable[[float], float]:
    """Return what says how many negatives lie beyond a place, about at most; infinite where no fall is seen before it.

    Log-concave densities, as the normal and the logistic, go on falling at least as fast as where they are seen to fall
    most steeply. Of two neighbouring halves of a spread the second's share q of the first, with a standard deviation of
    counting, gives ``c q / (1 - q)`` beyond the second's c, less by q for each further half; the least of all counts.
    """
    starts = np.arange(FIRST_STEP, (threshold - center) / spread - 2 * STEP, STEP / 2)
    beyond = np.array([[values.above(center + spread * (one + k * STEP)) for k in range(3)] for one in starts])
    first, second = (-np.diff(beyond.reshape(-1, 3), axis=1) + 0.5).T
    fall = second / first * np.exp(np.sqrt(1 / first + 1 / second))
    steep = (fall < STEEPEST) & (second > FEWEST_IN_STEP)
    ends, last, fall = starts[steep] + 2 * STEP, second[steep], fall[steep]

    def beyond_place(place: float) -> float:
        steps = ((place - center) / spread - ends) / STEP
        seen = steps >= 0
        left = last[seen] * fall[seen] ** (1 + steps[seen]) / (1 - fall[seen])
        return float(left.min(initial=math.inf))

    return beyond_place


def _most_missed(values: Ordered, mirrored: Ordered, threshold: float, seen: Positives) -> tuple[float, float]:
    """Return the largest share of positives below the threshold, and the SD of the part that nothing bounds.

    From any place up to the threshold lie no more positives than events beyond the mirrored negatives, with two
    standard deviations of counting. From the end of the negatives on, the curve of the bright positives counts as many
    times as the place of which that is least allows; below that end it has to do by itself.
    """
    from scipy.special import ndtr

    end = min(max(mirrored.quantile(END_OF_NEGATIVES), 0.2 * threshold), threshold)
    starts = np.geomspace(end, threshold, BOUNDING_PLACES + 1)[:-1]
    between = np.array([values.above(start) for start in starts]) - values.above(threshold)
    mirrors = np.array([mirrored.above(start) for start in starts]) - mirrored.above(threshold)
    positives = np.maximum(between - mirrors * len(values) / len(mirrored), 0.0) + 2 * np.sqrt(between + 1)
    below = ndtr((np.log([threshold, *starts]) - math.log(seen.median)) / seen.log_sd)
    expected, lowest = np.maximum(seen.events * (below[0] - below[1:]), 1e-9), float(below[1])
    most = min(float(positives[0]), BOUND_MARGIN * float((positives / expected).min() * expected[0]))
    return most / (most + seen.events * seen.sensitivity) + LARGEST_LOWEST * lowest, LOWEST_DOUBT * lowest


def densest_center(values: Ordered) -> float:
    """Return the middle of the shortest interval that holds half of the signals: where the negatives are densest.

    Positives, even as many as 40 %, lie too far apart to move it.
    """
    half = len(values) // 2
    widths = values.values[half:] - values.values[: len(values) - half]
    start = int(np.argmin(widths))
    return float(values.values[start] + values.values[start + half]) / 2
