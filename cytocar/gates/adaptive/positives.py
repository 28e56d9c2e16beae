"""How many of the positives lie above a threshold: their brightness is lognormal, the negatives' tail is known.

A threshold that keeps negatives out loses the dimmest positives. Their share is estimated from the shape of the
positives above the threshold, with a prior for few events, and with what is not known about the shape as uncertainty.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cytocar.gates.adaptive.density import Floats

LOG_SDS = np.linspace(0.35, 1.5, 16)
"""Standard deviations of ln(signal) that CAR expression may have: log10 SD 0.15 to 0.65."""
USUAL_LOG_SD, USUAL_LOG_SD_SPREAD = 0.7, 0.25
"""Prior of the spread: log10 SD 0.3, lognormal with a quarter of it."""
LOG_MEDIANS = np.linspace(-0.5, 4.0, 61)
"""Medians of the positives, as ln(median / threshold)."""
USUAL_LOG_MEDIAN, USUAL_LOG_MEDIAN_SPREAD = 1.3, 0.8
BINS = 24
SHAPE_DOUBT = 0.5
"""Standard deviation of the missed share, relative to it, for shapes that are not lognormal."""


@dataclass(frozen=True, slots=True)
class Positives:
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
        """Return the expected number of positives below each threshold (above 0, data units)."""
        from scipy.special import ndtr

        return np.asarray(self.events * ndtr((np.log(thresholds) - np.log(self.median)) / self.log_sd))


def describe(bright: Floats, background: Floats, background_weight: float, threshold: float) -> Positives:
    """Return sensitivity and median of the positives, from events above the threshold.

    Parameters
    ----------
    bright, background : (k,) float64
        Signals above the threshold in the sample, and in the aligned references.
    background_weight : float
        Expected events in the sample per event of the references.
    threshold : float
        Above 0, data units.

    Notes
    -----
    ln(signal) of the positives is normal and cut at the threshold. Counts in 24 bins are Poisson with mean
    ``A * probability + background``; A is set to match the total. The posterior over medians and spreads on a grid
    gives the mean and the standard deviation of the share above the threshold.
    """
    from scipy.special import ndtr

    top = np.log(max(float(bright.max(initial=threshold)), 4 * threshold)) + 1e-9
    edges = np.linspace(np.log(threshold), top, BINS + 1)
    counts = np.histogram(np.log(bright), edges)[0]
    expected_background = np.histogram(np.log(background), edges)[0] * background_weight
    net = max(counts.sum() - expected_background.sum(), 0.5)
    medians, spreads = np.meshgrid(LOG_MEDIANS + np.log(threshold), LOG_SDS, indexing="ij")
    shares = np.diff(ndtr((edges - medians[..., None]) / spreads[..., None]), axis=-1)
    above = ndtr((medians - edges[0]) / spreads)
    expected = net * shares / (shares.sum(axis=-1, keepdims=True) + 1e-12) + expected_background + 1e-3
    likelihood = (counts * np.log(expected) - expected).sum(axis=-1)
    likelihood -= 0.5 * ((medians - np.log(threshold) - USUAL_LOG_MEDIAN) / USUAL_LOG_MEDIAN_SPREAD) ** 2
    likelihood -= 0.5 * (np.log(spreads / USUAL_LOG_SD) / USUAL_LOG_SD_SPREAD) ** 2
    weights = np.exp(likelihood - likelihood.max())
    weights /= weights.sum()
    mean = float((weights * above).sum())
    variance = float((weights * (above - mean) ** 2).sum())
    return Positives(
        events=net / mean,
        median=float(np.exp((weights * medians).sum())),
        log_sd=float((weights * spreads).sum()),
        sensitivity=mean,
        sensitivity_sd=float(np.hypot(np.sqrt(variance), SHAPE_DOUBT * (1 - mean))),
    )
