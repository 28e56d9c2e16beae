"""Whether some events show two groups of one marker, and where the line between them is: the valley of their density.

A mixture of two normals, Otsu's threshold and clusters always answer, also where there is one group. So nothing here
places a line but a valley, and a valley counts only if it is deep, has enough events on both sides, is more than
counting noise, and parts groups as far from each other as a stain parts them.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from cytocar.gates.adaptive.density import Density, density, dither
from cytocar.signals.scales import AsinhScale, LogicleScale

Floats = npt.NDArray[np.float64]

SMOOTHINGS = (1.0, 1.4, 2.0, 2.8, 4.0)
NARROWEST = 0.006
"""Smallest smoothing width, as a share of the axis: finer than that single peaks of digitised data part."""
PROMINENCE = 0.25
FEWEST_SHARE = 0.003
FEW_AGAINST_NOISE = 3.0
"""Poisson t of a valley against its lower peak; 1.8 is enough for a very deep one, where no stronger valley is."""
FEW_FOR_DEEP, DEEP = 1.8, 0.6
SEPARATION = 0.8
"""Decades between the groups. Stained CD3, CD4, CD8 of 40 files: 1.0 to 3.1; unstained cells of one size: up to 0.7."""
FLOORED, ON_FLOOR = 1.25, 0.3
"""Decades between the medians that are asked for where negatives lie on an amplifier's floor, less than 0.3 decades
above it: what was lifted to it may lie close to the other group. Blood without T cells: 1.05; stained CD3, CD4 and CD8
of such files: 1.5 to 2.2."""
OFF_SCALE = 0.998
FEWEST_EVENTS = 30
EDGE_STRIP, EDGE_SHARE, EDGE_ABOVE_ZERO = 0.05, 0.5, 0.1
NO_NEGATIVES_SHARE = 0.005
CUT_OFF = 1.25
"""The 1 % quantile of a worn-out tail lies 1.35 times above its lowest event and more; of a cut one close to it."""

FEWEST_ON_FLOOR, ABOVE_NEXT_STEPS = 10, 5.0
"""Events on the lowest step, and how many times those of the steps above it: an amplifier's floor holds 10 to 600 times
as many; the lowest step of digitised events that were gated, about as many as the next."""


class Valley(Struct, frozen=True):
    """A line between two groups.

    Parameters
    ----------
    at : float
        In data units.
    prominence : float
        1 - density at the line / lower peak.
    t : float
        How far the lower peak stands above the line, in Poisson standard deviations.
    separation : float
        Decades from the mode of the negatives to the median of the positives.
    below, above : int
        Events on both sides.
    """

    at: float
    prominence: float
    t: float
    separation: float
    below: int
    above: int

    @property
    def strength(self) -> float:
        """Return the clarity of two groups, for the order in which markers are used."""
        return self.prominence * min(1.0, self.t / FEW_AGAINST_NOISE)

    def in_words(self) -> str:
        """Return the evidence in one line."""
        return (
            f"prominence {self.prominence:.2f}, t {min(self.t, 99):.0f}, {self.separation:.1f} decades apart, "
            f"{self.below:,} below, {self.above:,} above"
        )


StainScale = LogicleScale | AsinhScale


def find_evidence(
    values: Floats, scale: StainScale, *, separation: float = SEPARATION, topmost: bool = False
) -> Valley | None:
    """Return the valley that some events support, None if they support none.

    Parameters
    ----------
    values : (n,) float64
        Compensated signals.
    separation : float
        Fewest decades between the groups; 0 to look at valleys of any kind.
    topmost : bool
        Of several valleys the highest one, not the deepest: debris below the negatives makes a deep one of its own.
    """
    if len(values) < FEWEST_EVENTS:
        return None
    shown = scale.approximate(dither(values, seed=0))
    shown = shown[shown < OFF_SCALE]
    if len(shown) < FEWEST_EVENTS:
        return None
    width = _width(shown)
    best: list[_Candidate] = []
    for smoothing in SMOOTHINGS:
        good = [one for one in _candidates(shown, width * smoothing) if one.good]
        best = [*best, *good] if topmost else good or best
        if len(good) == 1 and not topmost:
            break
    floor = float(scale.approximate(values.min(keepdims=True))[0]) if has_floor(values) else -math.inf
    for candidate in sorted(best, key=lambda one: -one.place if topmost else -one.prominence):
        valley = candidate.measured(values, shown, scale)
        on_floor = separation > 0 and scale.M * (candidate.negative_mode - floor) < ON_FLOOR
        if valley.separation >= separation and (not on_floor or _fold(values, valley.at) >= FLOORED):
            return valley
    return None


def _fold(values: Floats, at: float) -> float:
    """Return the decades between the medians of two groups of values above zero."""
    above = values >= at
    return float(np.log10(np.median(values[above]) / max(float(np.median(values[~above])), float(values.min()))))


def _width(shown: Floats) -> float:
    low, high = np.quantile(shown, (0.25, 0.75))
    spread = min(float(shown.std()), float(high - low) / 1.34) or float(shown.std())
    return max(0.9 * spread * math.pow(len(shown), -0.2), NARROWEST)


class _Candidate(Struct, frozen=True):
    place: float
    prominence: float
    t: float
    good: bool
    negative_mode: float

    def measured(self, values: Floats, shown: Floats, scale: StainScale) -> Valley:
        positives = shown[shown >= self.place]
        at = float(scale.inverse(self.place))
        above = int(np.count_nonzero(values >= at))
        return Valley(
            at=at,
            prominence=self.prominence,
            t=self.t,
            separation=float(scale.M * (np.median(positives) - self.negative_mode)) if len(positives) else 0.0,
            below=len(values) - above,
            above=above,
        )


def _candidates(shown: Floats, width: float) -> list[_Candidate]:
    """Return every minimum of a density, with what speaks for it."""
    smooth = density(shown, width)
    heights = smooth.heights
    count = len(shown)
    fewest = max(min(25.0, max(12.0, 0.05 * count)), FEWEST_SHARE * count)
    # events of a peak that the smoothing counts together: 2 sqrt(pi) h n f, and `heights` add up to n over the bins
    per_height = 2 * math.sqrt(math.pi) * width / float(smooth.centers[1] - smooth.centers[0])
    below = np.cumsum(heights)
    candidates = []
    minima = np.flatnonzero((heights[1:-1] < heights[:-2]) & (heights[1:-1] <= heights[2:])) + 1
    for index, lower in zip(minima.tolist(), smooth.lower_peaks(minima).tolist(), strict=True):
        depth = 1 - float(heights[index]) / lower
        t = (lower - heights[index]) * per_height / math.sqrt(max((lower + heights[index]) * per_height, 1e-12))
        enough = fewest <= below[index] <= below[-1] - fewest
        good = enough and depth >= PROMINENCE and (t >= FEW_AGAINST_NOISE or (t >= FEW_FOR_DEEP and depth >= DEEP))
        candidates.append(
            _Candidate(
                _floor(smooth, index, lower),
                depth,
                float(t),
                bool(good),
                float(smooth.centers[heights[:index].argmax()]),
            )
        )
    strong = [one for one in candidates if one.good and one.t >= FEW_AGAINST_NOISE]
    return strong or candidates


def _floor(smooth: Density, index: int, lower_peak: float) -> float:
    """Return the middle of the stretch where the density stays within 1 % of the lower peak from its minimum."""
    floor = smooth.heights <= smooth.heights[index] + 0.01 * lower_peak
    left = index - int(np.argmin(floor[index::-1])) + 1
    right = index + int(np.argmin(floor[index:])) - 1
    return float((smooth.centers[left] + smooth.centers[right]) / 2)


# ---------------------------------------------------------------- what a line must not be drawn through


def gated_before(values: Floats, scale: StainScale, valley: Valley | None) -> bool:
    """True if the negatives of a marker are missing: somebody gated on it before, or all cells have it.

    The lowest events lie above the linear part of the scale, where negatives are, and end like cut off; or there is no
    valley and hardly an event lies that low; or the low group of a valley is cut off: the lowest 5 % of its width hold
    more than half of its peak density, and lie well above zero. Negatives that an amplifier lifted to its lowest
    step are there, however high that step lies.
    """
    if has_floor(values):
        return False
    lowest, low, few = (float(value) for value in np.quantile(values, (0.0, NO_NEGATIVES_SHARE, 0.01)))
    linear = end_of_linear(scale)
    if lowest > linear / 2 and few < CUT_OFF * lowest:  # half of it is one sigma of negatives
        return True
    if valley is None:
        return low > max(linear, EDGE_ABOVE_ZERO * float(np.median(values)))
    group = scale.approximate(values[values < valley.at])
    line = float(scale.approximate(np.array([valley.at]))[0])
    edge = float(np.quantile(group, 0.002)) if len(group) else line
    if float(scale.inverse(edge)) <= max(linear, EDGE_ABOVE_ZERO * valley.at) or line <= edge:
        return False
    counts, _ = np.histogram(group, bins=round(1 / EDGE_STRIP), range=(edge, line))
    return bool(counts[0] > EDGE_SHARE * counts.max())


def has_floor(values: Floats) -> bool:
    """True if many events share the lowest value: a logarithmic amplifier, or a program, lifted all below to it.

    Examples
    --------
    >>> has_floor(np.array([26.2] * 30 + [26.9, 27.1, 28.0, 2000.0])), has_floor(np.linspace(2600, 9000, 1000))
    (True, False)
    """
    lowest = float(values.min(initial=np.inf))
    on_it = int(np.count_nonzero(values == lowest))
    if lowest <= 0 or on_it < FEWEST_ON_FLOOR:
        return False
    _, events = np.unique(values, return_counts=True)
    return len(events) > 2 and on_it >= ABOVE_NEXT_STEPS * int(events[1:4].max())


def end_of_linear(scale: StainScale) -> float:
    """Return up to where a scale is nearly linear, in data units: signals there cannot be told from zero."""
    if isinstance(scale, AsinhScale):
        return float(scale.T / np.sinh(scale.M * math.log(10)))
    return float(scale.inverse(2 * scale.W / scale.M))


def left_spread(shown: Floats) -> tuple[float, float]:
    """Return the mode of some places on a scale and their spread to the left of it, one sigma of a normal."""
    smooth = density(shown, max(_width(shown), NARROWEST))
    mode = float(smooth.centers[smooth.heights.argmax()])
    left = mode - shown[shown < mode]
    return mode, float(np.quantile(left, 0.6827)) if len(left) else 0.0
