"""The background of a tube from many tubes: laboratory, subject, tube.

Every tube without CAR-T cells says something about the next one: how often its T cells lie above a threshold, and how
much that differs from subject to subject and from tube to tube. Rates are gamma distributed about the subject's, these
about the laboratory's; counts given a rate are Poisson. So a tube's count is negative binomial, and all the rest are
sums over a grid of rates: no sampling, the same input gives the same numbers.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from cytocar.gates.decision import BlankCount

Floats = npt.NDArray[np.float64]

LOG_RATES = np.linspace(np.log(1e-7), np.log(0.5), 257)
"""Grid of background rates: steps of 6 %, finer than any tube's rate is known."""
CVS = np.exp(np.linspace(np.log(0.1), np.log(2.5), 12))
"""Coefficients of variation between tubes of different subjects that are tried."""
USUAL_CV, USUAL_CV_SPREAD = 0.25, 0.5
"""Prior of that: lognormal. It decides where the subject's baseline is the only tube (wider, and 1 % is not detected
over a background of 0.1 %); ten tubes overrule it (benchmarks/validity, ``--only background``)."""
SUBJECT_SHARES = np.array([0.0, 0.5, 0.8])
SUBJECT_SHARE_PRIOR = np.array([0.4, 0.4, 0.2])
"""Share of that variance that is the subject's own, so that its baseline knows it; never all of it: staining and cells
change between two draws of one subject."""


class TubeRates(Struct, frozen=True, eq=False):
    """Possible rates of the tube in question on the grid, and what is thought of the variation between tubes."""

    weights: Floats
    cv: float
    """Between tubes of different subjects: posterior median."""


def tube_rates(
    aligned: Sequence[Sequence[BlankCount]], others: Sequence[BlankCount] = (), *, extra_cv: float = 0.0
) -> TubeRates:
    """What is known of the background rate of a tube.

    Parameters
    ----------
    aligned : sequence of sequences of BlankCount
        The tubes that placed the gate, once for each alignment that is possible: equally likely cases. One empty case
        where there are none.
    others : sequence of BlankCount
        More tubes.
    extra_cv : float
        Of this tube alone, on top of what tubes vary by.

    Notes
    -----
    Poisson-gamma: a tube's rate is Gamma with the subject's mean and shape 1 / cv^2. On the grid of logarithms a gamma
    distribution is the same curve at every mean, so a step from laboratory to subject, and from subject to tube, is one
    convolution. The laboratory's rate has the Jeffreys prior of a Poisson rate.
    """
    steps = _steps()
    known = _laboratory(tuple(one for one in others if not one.own))
    own = sum((_log_counts(one, steps.tube_shapes) for one in others if one.own), np.zeros(()))
    total = np.zeros_like(known)
    for case, times in Counter(tuple(case) for case in aligned).items():
        of_others = sum((_log_tube(one) for one in case if not one.own), known)
        of_own = sum((_log_counts(one, steps.tube_shapes) for one in case if one.own), own)
        weights = _convolved(_scaled(of_others), steps.to_subject) * _scaled(of_own)
        total += times * weights / weights.sum()
    of_cvs = total.reshape(len(CVS), -1).sum(axis=1)
    rates = _convolved(total, steps.to_tube).sum(axis=0, keepdims=True)
    if extra_cv:
        rates = _convolved(rates, _curves(np.array([extra_cv**2])))
    middle = (np.cumsum(of_cvs) - 0.5 * of_cvs) / of_cvs.sum()
    return TubeRates(rates[0] / rates.sum(), float(np.exp(np.interp(0.5, middle, np.log(CVS)))))


@lru_cache(maxsize=64)
def _laboratory(others: tuple[BlankCount, ...]) -> Floats:
    """Return log weights of (CV and subject's share, laboratory's rate), shape (pairs, rates), after other tubes."""
    prior = -0.5 * (np.log(CVS / USUAL_CV) / USUAL_CV_SPREAD) ** 2
    pairs = (prior[:, np.newaxis] + np.log(SUBJECT_SHARE_PRIOR)).ravel()
    likelihood = pairs[:, np.newaxis] + 0.5 * LOG_RATES
    by_subject: dict[str, list[BlankCount]] = defaultdict(list)
    for number, one in enumerate(others):
        by_subject[one.subject or f"\n{number}"].append(one)
    steps = _steps()
    for tubes in by_subject.values():
        if len(tubes) == 1:
            likelihood = likelihood + _log_tube(tubes[0])
        else:
            given = sum((_log_counts(one, steps.tube_shapes) for one in tubes), np.zeros(()))
            top = given.max(axis=1, keepdims=True)
            seen = _correlated(np.exp(given - top), steps.to_subject)
            likelihood = likelihood + top + np.log(np.maximum(seen, 1e-30))
    return np.asarray(likelihood)


def _log_tube(tube: BlankCount) -> Floats:
    """Return the log probability of the count of a subject's only tube for each pair at each rate of the laboratory."""
    return np.repeat(_log_counts(tube, 1 / CVS**2), len(SUBJECT_SHARES), axis=0)


def _log_counts(tube: BlankCount, shapes: Floats) -> Floats:
    """Return the log probability of a tube's count for each shape at each mean rate: negative binomial."""
    from scipy.special import gammaln

    expected = tube.of_events * np.exp(LOG_RATES)
    shapes, n = shapes[:, np.newaxis], tube.events
    of_count = gammaln(n + shapes) - gammaln(shapes) - gammaln(n + 1)
    return np.asarray(of_count - shapes * np.log1p(expected / shapes) - n * np.log1p(shapes / expected))


def _scaled(likelihood: Floats) -> Floats:
    return np.asarray(np.exp(likelihood - likelihood.max()))


class _Steps(Struct, frozen=True, eq=False):
    """For each pair of CV and subject's share: the shape of the tubes' gamma, and both curves, Fourier transformed."""

    tube_shapes: Floats
    to_subject: npt.NDArray[np.complex128]
    to_tube: npt.NDArray[np.complex128]


@lru_cache(maxsize=1)
def _steps() -> _Steps:
    variances = np.multiply.outer(CVS**2, SUBJECT_SHARES).ravel()
    rest = np.multiply.outer(CVS**2, 1 - SUBJECT_SHARES).ravel()
    # (1 + of subject)(1 + of tube) = 1 + of both
    tube = rest / (1 + variances)
    return _Steps(1 / tube, _curves(variances), _curves(tube))


SIZE = 4 * (len(LOG_RATES) - 1)
"""Of the Fourier transforms: twice the grid and more, so that nothing comes round."""


def _curves(variances: Floats) -> npt.NDArray[np.complex128]:
    """Return the transformed curves of ln(rate / mean) of gamma distributions with a mean of 1, shape (pairs, f)."""
    from scipy.special import gammainc

    step = LOG_RATES[1] - LOG_RATES[0]
    n = len(LOG_RATES)
    edges = np.exp(step * (np.arange(-n + 1, n + 1) - 0.5))
    shapes = (1 / np.maximum(variances, 1e-6))[:, np.newaxis]
    shares = np.diff(gammainc(shapes, shapes * edges))
    around = np.zeros((len(variances), SIZE))
    around[:, :n] = shares[:, n - 1 :]
    around[:, -(n - 1) :] = shares[:, : n - 1]
    return np.asarray(np.fft.rfft(around))


def _convolved(weights: Floats, curves: npt.NDArray[np.complex128]) -> Floats:
    moved = np.fft.irfft(np.fft.rfft(weights, SIZE) * curves)
    return np.asarray(np.maximum(moved[:, : len(LOG_RATES)], 0.0))


def _correlated(given: Floats, curves: npt.NDArray[np.complex128]) -> Floats:
    """What the expected value of a function of the subject's rate is, for each rate of the laboratory."""
    moved = np.fft.irfft(np.fft.rfft(given, SIZE) * curves.conj())
    return np.asarray(np.maximum(moved[:, : len(LOG_RATES)], 0.0))
