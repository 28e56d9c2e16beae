"""How many of the positives lie above a threshold, from the shape of those that do and from what lies below.

A threshold that keeps negatives out loses the dimmest positives. Their share is estimated from the shape of the
positives above the threshold, with a prior for few events, and with what is not known about the shape as uncertainty.
"""

from __future__ import annotations

import numpy as np
from msgspec import Struct

from cytocar.gates.adaptive.density import Floats
from cytocar.statistics.order import quantile, quantiles

LOG_SDS = np.linspace(0.2, 1.5, 14)
"""Standard deviations of ln(signal) that CAR expression may have: log10 SD 0.1 to 0.65."""
USUAL_LOG_SD, USUAL_LOG_SD_SPREAD = 0.7, 0.25
"""Prior of the spread: log10 SD 0.3, lognormal with a quarter of it."""
LOG_MEDIANS = np.linspace(-0.5, 4.0, 46)
"""Medians of the positives, as ln(median / threshold)."""
WIDER_LOG_MEDIANS = np.linspace(-1.0, 4.5, 56)
"""The same where several tubes share the curves: their thresholds differ by a factor of up to 1.6 either way."""
USUAL_LOG_MEDIAN, USUAL_LOG_MEDIAN_SPREAD = 1.3, 0.8
"""Prior of ln(median / threshold) and its standard deviation: positives 3.7 times above it, from 1.6 to 8 times."""
BINS = 24
"""Of the signals above the threshold: more make the fit slower, fewer blur where the positives' density falls."""
BRIGHTEST_BINNED = 0.7
"""Quantile above which all positives share one bin: the brightest tell how many they are, not their shape."""
LOWER_SHARES = (0.5, 0.8, 0.93, 0.98, 0.994)
"""Quantiles of the references that lie below the threshold, between which events are counted too."""
BACKGROUND_DOUBT = 0.07
"""How far the share of negatives between two places may differ from the references', relative to it."""
HIDDEN = np.array([0.0, 0.5, 1.0, 2.5])
HIDDEN_PRIOR = np.array([0.35, 0.2, 0.35, 0.1])
"""Positives below the threshold, relative to what a curve puts there, and how likely that is beforehand."""
SHAPE_DOUBT = 0.5
"""Standard deviation of the missed share, relative to it, for shapes that are not lognormal."""
LEAST_DOUBT = 0.02
"""Standard deviation of the sensitivity that no shape of the bright positives takes away: a few dim ones."""
LOW_STAIN_INDEX, CLEAR_STAIN_INDEX = 4.0, 5.0
"""Below 4 the gate is flagged LOW_STAIN_INDEX: a tenth of the positives and more lie under the negatives, and their
shape there is a guess. At a true index of 3 the estimate lies at 2.7 to 4.3, at 6 above 5.2 (nine tubes of ten)."""
OVERLAP_DOUBT = 0.6
"""Standard deviation of the missed share, relative to it, that is added where positives overlap the negatives: all of
it below an index of 4, none from 5 on. Two levels of which one lies under the negatives missed it before."""


class Positives(Struct, frozen=True):
    """The positives of a sample: how many there are, how bright, and which share lies above the threshold.

    ``events`` is their expected number on both sides of the threshold, ``median`` their median signal in data units,
    ``log_sd`` the standard deviation of its natural logarithm.
    """

    events: float
    median: float
    log_sd: float
    sensitivity: float
    sensitivity_sd: float

    def missed(self, thresholds: Floats) -> Floats:
        """Return the expected number of positives below each threshold (data units)."""
        from scipy.special import ndtr

        above_zero = np.maximum(thresholds, np.finfo(float).tiny)  # negatives that all lie at 0 put a threshold there
        return np.asarray(self.events * ndtr((np.log(above_zero) - np.log(self.median)) / self.log_sd))


def describe(
    sample: Floats, reference: Floats, *, events: int, reference_events: int, threshold: float, shift_sd: float = 0.0
) -> Positives:
    """Return number, brightness and sensitivity of the positives.

    Parameters
    ----------
    sample, reference : (k,) float64
        Sorted signals of the sample and of the aligned references, from some place below the threshold on upwards.
    events, reference_events : int
        All events of the sample, and of the references.
    threshold : float
        Above 0, data units.
    shift_sd : float
        How well the references' place is known there, data units.

    Notes
    -----
    ln(signal) of the positives follows one of a grid of curves (median, spread; normal, or with Student tails); the
    other events are distributed as the references'. Above the threshold the counts in 24 bins are Poisson; the
    brightest 30 % are one bin, so that the dim side decides.

    Below the threshold a curve is only a guess: real positives may end more sharply than any curve (cells that were
    sorted, or parted from the negatives by a gate) or have a dim tail that no curve has. So each curve is tried with
    none, half, all and two and a half times of what it puts there. Six counts below the threshold, finest next to it,
    say which: they carry the counting noise of sample and references, what the references would hold there if they lay
    a little higher, and 7 % of doubt about their shape.
    Where they cannot say, at small shares, the prior decides: two thirds of what the curves say, on average. The
    posterior over all of it gives the share above the threshold.
    """
    seen = Seen(
        sample, reference, events=events, reference_events=reference_events, threshold=threshold, shift_sd=shift_sd
    )
    if not seen.above:
        return Positives(events=0.0, median=threshold, log_sd=USUAL_LOG_SD, sensitivity=1.0, sensitivity_sd=0.0)
    curves = Curves.on_grid(threshold)
    weights = normalised(seen.likelihood(curves) + curves.prior + np.log(HIDDEN_PRIOR)[:, None])
    mean, sd = seen.sensitivity(curves, weights)
    of_curves = weights.sum(axis=0)
    return Positives(
        events=seen.net / mean,
        median=float(np.exp(of_curves @ curves.medians)),
        log_sd=float(of_curves @ curves.spreads),
        sensitivity=mean,
        sensitivity_sd=sd,
    )


class Seen(Struct, frozen=True, eq=False):
    """What one tube shows of its positives: its signals and its references' from some place below a threshold on.

    Parameters
    ----------
    sample, reference : (k,) float64
        Sorted signals; in any unit, the threshold's.
    events, reference_events : int
        All events of both.
    center : float
        Median of the references.
    shift_sd : float
        How well the references' place at the threshold is known.
    """

    sample: Floats
    reference: Floats
    events: int
    reference_events: int
    threshold: float
    center: float = 0.0
    shift_sd: float = 0.0

    @property
    def above(self) -> int:
        """Events at or above the threshold."""
        return len(self.sample) - int(np.searchsorted(self.sample, self.threshold))

    @property
    def net(self) -> float:
        """Events above the threshold less the background's, half an event at least."""
        behind = int(np.searchsorted(self.reference, self.threshold))
        rate = (len(self.reference) - behind + 0.5) / (self.reference_events + 1)
        return max((self.above - rate * self.events) / (1 - rate), 0.5)

    def likelihood(self, curves: Curves) -> Floats:
        """Return the log likelihood of each curve with each of ``HIDDEN``, shape (len(HIDDEN), curves)."""
        sample, reference, threshold, events = self.sample, self.reference, self.threshold, self.events
        net, above = self.net, curves.above(threshold)
        beyond = np.minimum(net / above, events)
        negatives = (events - beyond)[:, None] / self.reference_events
        likelihood = np.zeros((len(HIDDEN), len(above)))
        if self.above:
            top = max(quantile(sample[-self.above :], BRIGHTEST_BINNED), 1.5 * threshold)
            upper = np.r_[np.linspace(np.log(threshold), np.log(top), BINS), np.inf]
            places = np.r_[threshold, np.exp(upper[1:])]
            counts = np.diff(np.searchsorted(sample, places))
            expected = (net / above)[:, None] * curves.share(upper)
            expected += np.diff(np.searchsorted(reference, places)) * negatives + 1e-3
            likelihood += (counts * np.log(expected) - expected).sum(axis=1)
        behind = int(np.searchsorted(reference, threshold))
        if behind:
            lower = np.r_[min(sample[0], reference[0]), quantiles(reference[:behind], LOWER_SHARES), threshold]
            below = np.diff(np.searchsorted(sample, lower))
            background = np.diff(np.searchsorted(reference, lower)) * negatives
            hidden = HIDDEN[:, None, None] * beyond[:, None] * curves.share(np.log(lower))
            moved = np.diff(np.searchsorted(reference, lower - self.shift_sd)) * negatives - background
            expected = background + hidden
            variance = expected + background * negatives + (BACKGROUND_DOUBT * background) ** 2 + moved**2 + 1
            likelihood -= 0.5 * ((below - expected) ** 2 / variance + np.log(variance)).sum(axis=-1)
        return likelihood

    def sensitivity(self, curves: Curves, weights: Floats) -> tuple[float, float]:
        """Return the share of positives above the threshold and its standard deviation, for weights of curves."""
        above = curves.above(self.threshold)
        seen = above / (above + HIDDEN[:, None] * (1 - above))
        mean = float((weights * seen).sum())
        spread = float(np.sqrt((weights * (seen - mean) ** 2).sum()))
        return mean, float(np.sqrt(spread**2 + (SHAPE_DOUBT * (1 - mean)) ** 2 + LEAST_DOUBT**2))


def overlap_doubt(stain_index: float | None) -> float:
    """Return the standard deviation of the missed share, relative to it, that overlap adds; 0 where none is known."""
    if stain_index is None:
        return 0.0
    return OVERLAP_DOUBT * min(max((CLEAR_STAIN_INDEX - stain_index) / (CLEAR_STAIN_INDEX - LOW_STAIN_INDEX), 0.0), 1.0)


def normalised(log_weights: Floats) -> Floats:
    """Return weights that add to 1, from their logarithms."""
    weights = np.exp(log_weights - log_weights.max())
    return np.asarray(weights / weights.sum())


class Curves(Struct, frozen=True, eq=False):
    """Curves of ln(signal) of positives: medians, spreads, log prior weights, (curves,) each; the first half normal."""

    medians: Floats
    spreads: Floats
    prior: Floats

    @classmethod
    def on_grid(cls, threshold: float, medians: Floats = LOG_MEDIANS) -> Curves:
        """Return all curves for a threshold."""
        above, spreads = (np.tile(axis.ravel(), 2) for axis in np.meshgrid(medians, LOG_SDS, indexing="ij"))
        prior = -0.5 * ((above - USUAL_LOG_MEDIAN) / USUAL_LOG_MEDIAN_SPREAD) ** 2
        prior -= 0.5 * (np.log(spreads / USUAL_LOG_SD) / USUAL_LOG_SD_SPREAD) ** 2
        return cls(above + np.log(threshold), spreads, prior)

    @classmethod
    def about(cls, threshold: float) -> Curves:
        """Return curves for several tubes, whose thresholds lie about this one."""
        return cls.on_grid(threshold, medians=WIDER_LOG_MEDIANS)

    def above(self, threshold: float) -> Floats:
        """Return the share of positives above a threshold, shape (curves,)."""
        return self.share(np.array([np.log(threshold), np.inf]))[:, 0]

    def share(self, edges: Floats) -> Floats:
        """Return the share of positives between neighbouring edges of ln(signal), shape (curves, edges - 1)."""
        from scipy.special import ndtr

        places = (edges - self.medians[:, None]) / self.spreads[:, None]
        half = len(places) // 2
        below = np.concatenate([ndtr(places[:half]), _student_4(places[half:])])
        return np.asarray(np.diff(below, axis=1)) + 1e-12


def _student_4(places: Floats) -> Floats:
    """Return the cumulative distribution of Student's t with 4 degrees of freedom at a standard deviation of 1.

    With ``sin = t / sqrt(4 + t^2)`` it is ``(1 + sin (3 - sin^2) / 2) / 2`` (Abramowitz and Stegun 26.7.4);
    ``t = places * sqrt(2)``, the distribution's own standard deviation.
    """
    with np.errstate(invalid="ignore"):
        sine = places / np.sqrt(2 + places * places)
    sine = np.where(np.isinf(places), np.sign(places), sine)
    return np.asarray(0.5 + 0.25 * sine * (3 - sine * sine))
