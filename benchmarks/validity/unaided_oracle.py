"""What a tube without a control could tell at most: an oracle that knows every shape, not how many cells are sticky.

It has the distributions of negatives, sticky cells and positives of the very tube, and its gain; the rate of sticky
cells is to it what the template supposes. All signals are used, so there is no threshold.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from benchmarks.validity.limits import CVS
from benchmarks.validity.shapes import CENTER, EVERY_NEGATIVE, EVERY_POSITIVE, SPREAD, CarTube, Floats
from benchmarks.validity.strata import ADDED, BEADS, BLOOD_UL, EVENTS, ONCE, T_CELLS
from cytocar.counting.background import SYSTEMATIC_CV
from cytocar.counting.basis import BeadBasis
from cytocar.counting.blank_rates import ASSUMED_CV, lognormal_sd

HEAD = ("stain index", "CAR+ cells", "tubes", "median/true", "holds the truth", "width against the oracle's")
EDGES = np.r_[-1e9, np.linspace(-300, 1200, 151), np.geomspace(1200, 60_000, 60)[1:], 1e9]
STICKY = np.exp(np.linspace(np.log(5e-6), np.log(0.02), 60))
SUPPOSED = 5e-4
DRAWN, DRAWS = 1_000_000, 20_000


def rows(tubes: int) -> Iterator[tuple[str, ...]]:
    """Yield a line for each stain index and number of CAR+ cells."""
    for stain_index in (12.0, 6.0, 4.0, 3.0):
        for events in EVENTS:
            trials = [_trial(stain_index, events, np.random.default_rng((117, number))) for number in range(tubes)]
            ratio, held, width = np.array(trials).T
            yield (
                f"{stain_index:g}",
                str(events),
                str(tubes),
                f"{np.median(ratio):.3f}",
                f"{100 * held.mean():.1f} %",
                f"{np.median(width):.2f}",
            )


def _trial(stain_index: float, events: int, random: np.random.Generator) -> tuple[float, float, float]:
    """Return median over truth, whether the interval holds it, and its width against that of who knows the cells."""
    negatives, positives = (tuple(shapes) for shapes in ONCE)
    share = events / T_CELLS
    lot, pipette, gates = np.exp(random.normal(0, (*CVS.values(), SYSTEMATIC_CV)))
    tube = CarTube(
        t_cells=int(random.poisson(T_CELLS * pipette)),
        car_percent=100 * share * gates / (1 - share + share * gates),
        stain_index=stain_index,
        negatives=negatives[random.integers(len(negatives))],
        positives=positives[random.integers(len(positives))],
    )
    values, drawn_percent = tube.draw(random)
    again = np.random.default_rng(1)
    possible = np.exp(np.linspace(np.log(share / 12), np.log(min(3 * share, 0.9)), 120))
    weights = _posterior(np.histogram(values, EDGES)[0], tube, possible)
    drawn = np.interp(again.random(DRAWS), np.cumsum(weights) - 0.5 * weights, possible)
    odds = drawn / (1 - drawn) * np.exp(again.normal(0, SYSTEMATIC_CV, DRAWS))
    bead_events = int(random.poisson(BEADS * lot))
    basis = BeadBasis(bead_events=bead_events, beads_added=ADDED, sample_volume_ul=BLOOD_UL, cvs=CVS)
    draws = basis.draws(len(values), again, DRAWS)
    assert draws is not None
    low, middle, high = np.quantile(odds / (1 + odds) * draws, (0.025, 0.5, 0.975))
    truth = share * T_CELLS / BEADS * ADDED / BLOOD_UL
    known = basis.concentration(round(drawn_percent / 100 * len(values)))
    width = (high - low) / ((known.high or 0.0) - (known.low or 0.0))
    return float(middle / truth), float(low <= truth <= high), float(width)


def _posterior(counts: np.ndarray, tube: CarTube, possible: Floats) -> Floats:
    """Return how likely each share of positives is, over all rates of sticky cells; Jeffreys prior, in equal ratios."""
    share, sticky = (grid.reshape(-1, 1) for grid in np.meshgrid(possible, STICKY, indexing="ij"))
    dim, held, bright = (signal_shares(kind, tube.negatives, tube.positives, tube.stain_index) for kind in range(3))
    expected = share * bright + (1 - share) * (sticky * held + (1 - sticky) * dim)
    likelihood = (np.log(expected) @ counts).reshape(len(possible), len(STICKY))
    prior = np.exp(-0.5 * (np.log(STICKY / SUPPOSED) / lognormal_sd(ASSUMED_CV)) ** 2)
    weights = (np.exp(likelihood - likelihood.max()) * prior).sum(axis=1) * np.sqrt(possible)
    return np.asarray(weights / weights.sum())


@lru_cache(maxsize=64)
def signal_shares(kind: int, negatives: str, positives: str, stain_index: float) -> Floats:
    """Return the share of each bin among negatives (0), sticky cells (1) and positives (2), as ``CarTube`` draws."""
    random = np.random.default_rng(7)
    if kind == 2:
        median = CENTER + 2 * stain_index * SPREAD
        signals = median * 10 ** EVERY_POSITIVE[positives](random, DRAWN) + random.normal(0, SPREAD, DRAWN)
    else:
        signals = CENTER + SPREAD * EVERY_NEGATIVE[negatives](random, DRAWN) + kind * random.gamma(1.5, 700, DRAWN)
    counts = np.histogram(signals, EDGES)[0] + 0.01
    return np.asarray(counts / counts.sum())
