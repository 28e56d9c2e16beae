"""One shape of the positives for all tubes of a subject: what bright tubes show serves those with few positives."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from msgspec import Struct

from cytocar.gates.adaptive.density import Floats
from cytocar.gates.adaptive.positives import HIDDEN_PRIOR, Curves, Seen, normalised, overlap_doubt
from cytocar.statistics import order

FEWEST_TUBES = 3
"""With two there is nothing to tell which of them is the odd one."""
FEWEST_POSITIVES = 100
"""Of the tubes together, above their thresholds: the median is then known to a tenth of the spread."""
TUBES_WITH_SHAPE = 50
"""Net events above the threshold from which on a tube's own shape is compared with the others'."""
MEDIAN_DOUBT = 0.06
"""Standard deviation of ln(median) from tube to tube that is no difference of shape: what alignments err by."""
DIFFERENT_SHAPES = 0.001
"""Probability of medians that differ so much by chance, below which tubes do not share a shape."""


class SharedShape(Struct, frozen=True):
    """The shape that tubes share, or why they share none.

    ``sensitivities`` holds mean and standard deviation for each tube, in their order; ``p`` is the probability that
    tubes of one shape differ so much; ``median`` and ``log_sd`` are the positives', in spreads of the negatives, and
    ``stain_index`` how far their median lies from that of the negatives.
    """

    sensitivities: tuple[tuple[float, float], ...] = ()
    p: float | None = None
    median: float | None = None
    log_sd: float | None = None
    stain_index: float | None = None
    refused: str = ""


def shared_shape(tubes: Sequence[Seen]) -> SharedShape:
    """Return the shape of the positives of several tubes together.

    Notes
    -----
    Each tube says how likely each of the curves is, and how much of what a curve puts below the threshold is there
    (``positives``); the likelihoods multiply, the prior counts once. Each tube's sensitivity at its own threshold
    follows, with what overlap with the negatives leaves open. Tubes share a shape if the medians that they show alone
    agree: the chi-square of their logarithms, each with its own posterior variance and 6 % for the alignment. The order
    of the tubes makes no difference: their log likelihoods are added exactly.
    """
    if len(tubes) < FEWEST_TUBES:
        return SharedShape(refused=f"{len(tubes)} tubes with a control that fits, {FEWEST_TUBES} are needed")
    positives = math.fsum(tube.net for tube in tubes)
    if positives < FEWEST_POSITIVES:
        return SharedShape(refused=f"{positives:.0f} CAR+ events above background, {FEWEST_POSITIVES} are needed")
    curves = Curves.about(float(np.exp(order.median(np.array([math.log(tube.threshold) for tube in tubes])))))
    prior = curves.prior + np.log(HIDDEN_PRIOR)[:, None]
    own = np.array([tube.likelihood(curves) for tube in tubes])
    p = _agreement([one for one, tube in zip(own, tubes, strict=True) if tube.net >= TUBES_WITH_SHAPE], curves, prior)
    if p is not None and p < DIFFERENT_SHAPES:
        return SharedShape(p=p, refused=f"the positives are not as bright in all tubes (p = {p:.1g})")
    weights = normalised(np.sort(own, axis=0).sum(axis=0) + prior)
    of_curves = weights.sum(axis=0)
    median = float(np.exp(of_curves @ curves.medians))
    stain_index = (median - math.fsum(tube.center for tube in tubes) / len(tubes)) / 2
    doubt = overlap_doubt(stain_index)
    known = (tube.sensitivity(curves, weights) for tube in tubes)
    return SharedShape(
        sensitivities=tuple((mean, math.hypot(sd, doubt * (1 - mean))) for mean, sd in known),
        p=p,
        median=median,
        stain_index=stain_index,
        log_sd=float(of_curves @ curves.spreads),
    )


def _agreement(likelihoods: Sequence[Floats], curves: Curves, prior: Floats) -> float | None:
    """Return the probability that medians differ so much if they are one; None with fewer than two tubes."""
    if len(likelihoods) < 2:
        return None
    means, variances = [], []
    for likelihood in likelihoods:
        weights = normalised(likelihood + prior).sum(axis=0)
        mean = float(weights @ curves.medians)
        means.append(mean)
        variances.append(float(weights @ (curves.medians - mean) ** 2) + MEDIAN_DOUBT**2)
    from scipy.special import gammaincc

    exact = np.array(sorted(zip(means, variances, strict=True)))
    center = float((exact[:, 0] / exact[:, 1]).sum() / (1 / exact[:, 1]).sum())
    chi_square = float(((exact[:, 0] - center) ** 2 / exact[:, 1]).sum())
    return float(gammaincc((len(means) - 1) / 2, chi_square / 2))
