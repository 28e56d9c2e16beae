"""What a tube of few CAR-T cells can tell of its stain index at most: an oracle between two indices, or none at all.

It knows the distributions of negatives, sticky cells and positives of the very tube, its gain, how many CAR+ cells to
expect and how many are sticky to a quarter. By Neyman and Pearson's lemma no rule that asks as often at the low index
asks less often at the other.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmarks.validity.shapes import Floats
from benchmarks.validity.strata import FEW_ASK, ONCE, T_CELLS
from benchmarks.validity.unaided_oracle import signal_shares
from cytocar.counting.blank_rates import lognormal_sd

HEAD = ("asks in 90 % at", "CAR+ cells", "asks at 12", "at 6", "without CAR+ cells")
STICKY_PERCENT, STICKY_CV = 0.02, 0.25
STICKY = STICKY_PERCENT / 100 * np.exp(lognormal_sd(STICKY_CV) * np.linspace(-2.4, 2.4, 9))
"""Rates of sticky cells, weighed as a lognormal distribution does."""


def rows(tubes: int) -> Iterator[tuple[str, ...]]:
    """Yield a line for each low index and number of CAR+ cells; tubes are of each pair of shapes."""
    for stain_index in (4.0, 3.0):
        for events in (20, 50, 100, 200):
            others = (_asked(stain_index, events, other, tubes) for other in (12.0, 6.0, None))
            yield f"{stain_index:g}", str(events), *(f"{100 * share:.0f} %" for share in others)


def _asked(low: float, events: int, other: float | None, tubes: int) -> float:
    """Return the mean over all pairs of shapes."""
    pairs = [(negatives, positives) for negatives in ONCE[0] for positives in ONCE[1]]
    return float(np.mean([asks_elsewhere(low, events, other, shapes=pair, tubes=tubes) for pair in pairs]))


def asks_elsewhere(low: float, events: int, other: float | None, *, shapes: tuple[str, str], tubes: int) -> float:
    """Return the share of tubes at another index, or without CAR+ cells, that asks where 90 % at the low one do."""
    random = np.random.default_rng(907)
    known = [_expected(index, events, *shapes) for index in (low, other)]
    drawn = _draws(known, tubes, random)
    ratios = [_likelihood(counts, known[0]) - _likelihood(counts, known[1]) for counts in drawn]
    return float((ratios[1] >= np.quantile(ratios[0], 1 - FEW_ASK)).mean())


def _expected(stain_index: float | None, events: int, negatives: str, positives: str) -> Floats:
    """Return the expected events of each bin, for each rate of sticky cells."""
    share = 0.0 if stain_index is None else events / T_CELLS
    dim, held, bright = (signal_shares(kind, negatives, positives, stain_index or 6.0) for kind in range(3))
    sticky = STICKY.reshape(-1, 1)
    return np.asarray(T_CELLS * (share * bright + (1 - share) * (sticky * held + (1 - sticky) * dim)))


def _draws(known: list[Floats], tubes: int, random: np.random.Generator) -> list[Floats]:
    weights = _weights()
    drawn = (expected[random.choice(len(STICKY), tubes, p=weights)] for expected in known)
    return [random.poisson(expected).astype(np.float64) for expected in drawn]


def _weights() -> Floats:
    weights = np.exp(-0.5 * (np.log(STICKY / STICKY[len(STICKY) // 2]) / lognormal_sd(STICKY_CV)) ** 2)
    return np.asarray(weights / weights.sum())


def _likelihood(counts: Floats, expected: Floats) -> Floats:
    """Return the log-likelihood of each tube's counts, over the rates of sticky cells."""
    logs = counts @ np.log(expected).T - expected.sum(axis=1) + np.log(_weights())
    return np.asarray(np.logaddexp.reduce(logs, axis=1))
