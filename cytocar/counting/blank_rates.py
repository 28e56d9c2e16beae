"""How often a gate holds a negative of this tube: the rates that are possible, and the limits that follow from them.

**The limit of blank decides, the limit of detection describes.** Detected is a tube with more events than 95 % of
blanks show, and so many that the lower limit of its net share is above 0. The limit of detection is the share with
which 95 % of tubes reach that many events. All by quadrature: the same input gives the same limits.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from cytocar.counting.between_tubes import LOG_RATES, TubeRates, tube_rates
from cytocar.gates.decision import Background, BlankCount
from cytocar.statistics.estimate import LEVEL

Floats = npt.NDArray[np.float64]

ASSUMED_CV = 1.0
"""Without a reference the background is the template's figure, known to a factor of about two and a half."""
NODES = 24
"""Of each normal variable in the quadrature: with 48, no limit of 400 tubes moved by an event."""
PLACES = np.linspace(-4.0, 4.0, 97)
"""Where the distribution of the rates is divided, in standard deviations: finest where the limits are decided."""
DETECTION_QUANTILE = 0.20
"""The limit of detection supposes a background that is lower than four in five possible ones: a lower rate needs more
positives to reach the same number of events. With the median, 93-95 % of tubes at their limit were detected, with the
25 % quantile 91-96 % where the control is small, with this one 93-97 %."""
TAIL = (1 - LEVEL) / 2
"""Probability below each limit of a two-sided interval."""
LARGEST_SHARE = 0.5
"""A limit of detection beyond half of all T cells is none: so few were acquired that nothing can be said."""


class BlankRates(Struct, frozen=True, eq=False):
    """Possible background rates (fractions of T cells) in ascending order, with their probabilities."""

    rates: Floats
    weights: Floats

    @property
    def sd(self) -> float:
        """Half of what the middle 68 % span: the standard deviation, but for a few tubes that are sticky by far."""
        return (self.quantile(0.841) - self.quantile(0.159)) / 2

    def quantile(self, probability: float) -> float:
        """Return the rate that is not exceeded with a probability."""
        middle = np.cumsum(self.weights) - 0.5 * self.weights
        return float(np.interp(probability, middle, self.rates))

    def draws(self, random: np.random.Generator, n: int) -> Floats:
        """Return random rates."""
        middle = np.cumsum(self.weights) - 0.5 * self.weights
        return np.asarray(np.interp(random.random(n), middle, self.rates))

    def limit_of_blank(self, events: int, level: float = LEVEL) -> int:
        """Return the most positives that 95 % (``level``) of tubes with so many parent events and no positive show."""
        from scipy.special import pdtr

        expected = events * self.rates
        return _smallest(lambda k: float(pdtr(k, expected) @ self.weights) >= level)

    def first_above(self, events: int) -> int:
        """Return the fewest positives of so many parent events that at most 2.5 % of blanks show or exceed.

        As many lie above the background by an exact lower limit. By a Jeffreys prior of their share, which adds half an
        event, 2 to 3.4 % of blanks did over three donors with a few events each; so it is 1 to 1.5 %.
        """
        return self.limit_of_blank(events, 1 - TAIL) + 1

    def needed(self, events: int, fewest: int) -> int:
        """Return the positives from which on a tube is detected: above the limit of blank, and no fewer than asked."""
        return max(fewest, self.limit_of_blank(events) + 1, self.first_above(events))

    def smallest_detected(self, events: int, needed: int, *, sensitivity: float = 1.0) -> float | None:
        """Return the smallest true share with which 95 % of tubes hold so many positives; None beyond one half."""
        from scipy.special import gammaincinv

        rate = self.quantile(DETECTION_QUANTILE)
        expected = float(gammaincinv(needed, LEVEL)) / events
        share = max((expected - rate) / (sensitivity - rate), 0.0) if sensitivity > rate else math.inf
        return share if share <= LARGEST_SHARE else None


def measured_rates(background: Background) -> BlankRates:
    """Return the rates that references leave possible: between tubes they vary as is given, else as all tubes show."""
    events = background.shifted_events or (background.events,)
    if background.between_cv is not None:
        return _measured(events, background.of_events, background.between_cv)
    return BlankRates(np.exp(LOG_RATES), learned_rates(background).weights)


@lru_cache(maxsize=64)
def learned_rates(background: Background) -> TubeRates:
    """What the references, and more tubes if there are any, say about the rate of this one."""
    cases = len(background.parts[0].events) if background.parts else 1
    aligned = [
        [BlankCount(part.events[case], part.of_events, own=part.own) for part in background.parts]
        for case in range(cases)
    ]
    return tube_rates(aligned, background.others, extra_cv=background.extra_cv)


def known_rates(events: int, of_events: int, *, cv: float) -> BlankRates:
    """Return the rates that one count leaves possible, between tubes that vary by so much."""
    return _measured((events,), of_events, cv)


def assumed_rates(rate: float) -> BlankRates:
    """Return the rates that are possible where nothing was measured, about the template's figure."""
    places, weights = _normal()
    return _divided(rate * np.exp(lognormal_sd(ASSUMED_CV) * places), weights)


def probable_rate(background: Background) -> float:
    """Return the background rate that is expected, over the alignments that are possible.

    The median where tubes show how they vary: the mean of what is possible is that of the few sticky ones.
    """
    if background.between_cv is None:
        return measured_rates(background).quantile(0.5)
    events = np.mean(background.shifted_events or (background.events,))
    return float((events + 0.5) / (background.of_events + 1))


def lognormal_sd(cv: float) -> float:
    """Return the standard deviation of the logarithm of a factor with this coefficient of variation."""
    return math.sqrt(math.log1p(cv * cv))


@lru_cache(maxsize=64)
def _measured(events: tuple[int, ...], of_events: int, cv: float) -> BlankRates:
    from scipy.special import betaincinv, ndtr

    places, weights = _normal()
    counted = {count: betaincinv(count + 0.5, of_events - count + 0.5, ndtr(places)) for count in set(events)}
    known = np.concatenate([counted[count] for count in events])
    known_weights = np.tile(weights, len(events)) / len(events)
    moved = np.exp(lognormal_sd(cv) * places)
    rates = np.minimum(np.multiply.outer(known, moved), 0.5).ravel()
    return _divided(rates, np.multiply.outer(known_weights, weights).ravel())


@lru_cache(maxsize=1)
def _normal() -> tuple[Floats, Floats]:
    """Return places and weights of a standard normal variable: Gauss-Hermite, by Golub and Welsch (1969)."""
    beside = np.sqrt(np.arange(1, NODES))
    places, vectors = np.linalg.eigh(np.diag(beside, 1) + np.diag(beside, -1))
    return places, vectors[0] ** 2


def _divided(rates: Floats, weights: Floats) -> BlankRates:
    """Return many weighted rates as about a hundred: the mean of each part of their distribution."""
    from scipy.special import ndtr

    order = np.argsort(rates)
    rates, weights = rates[order], weights[order]
    part = np.searchsorted(ndtr(PLACES), np.cumsum(weights) - 0.5 * weights)
    total = np.bincount(part, weights)
    filled = total > 0
    mean = np.bincount(part, weights * rates)[filled] / total[filled]
    return BlankRates(mean, np.asarray(total[filled], dtype=np.float64))


def _smallest(holds: Callable[[int], bool]) -> int:
    """Return the smallest count from 0 on for which a condition holds that then holds for every larger one."""
    high = 1
    while not holds(high):
        high *= 2
    low = -1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high
