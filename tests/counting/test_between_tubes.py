"""The background from many tubes: against importance sampling, and what more tubes must do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from scipy.stats import nbinom

from cytocar.counting import between_tubes as model
from cytocar.counting.between_tubes import LOG_RATES, TubeRates, tube_rates
from cytocar.gates.decision import BlankCount


def quantiles(rates: TubeRates, *probabilities: float) -> np.ndarray:
    middle = np.cumsum(rates.weights) - 0.5 * rates.weights
    return np.asarray(np.exp(np.interp(probabilities, middle, LOG_RATES)))


def sampled(own: Sequence[BlankCount], others: Sequence[BlankCount], n: int = 400_000) -> np.ndarray:
    """Return quantiles of the same posterior by importance sampling: subjects drawn, their counts weighed."""
    random = np.random.default_rng(1)
    prior = np.exp(-0.5 * (np.log(model.CVS / model.USUAL_CV) / model.USUAL_CV_SPREAD) ** 2)
    variance = random.choice(model.CVS, n, p=prior / prior.sum()) ** 2
    subjects = variance * random.choice(model.SUBJECT_SHARES, n, p=model.SUBJECT_SHARE_PRIOR)
    within = (variance - subjects) / (1 + subjects)
    mean = np.exp(random.uniform(np.log(1e-6), np.log(1e-1), n))
    weights = np.sqrt(mean)

    def scattered(about: np.ndarray, variances: np.ndarray) -> np.ndarray:
        shapes = 1 / np.maximum(variances, 1e-9)
        return np.asarray(about * random.gamma(shapes) / shapes)

    for tubes, is_own in ((own, True), *(([one], False) for one in others)):
        subject = scattered(mean, subjects)
        for tube in tubes:
            expected = tube.of_events * subject * within
            weights = weights * nbinom.pmf(tube.events, 1 / within, 1 / (1 + expected))
        if is_own:
            here = scattered(subject, within)
    order = np.argsort(here)
    below = np.cumsum(weights[order]) / weights.sum()
    return np.asarray(np.exp(np.interp((0.1, 0.5, 0.9), below, np.log(here[order]))))


@pytest.mark.parametrize(
    ("own", "others"),
    [
        ((30,), ()),
        ((30,), (22, 41, 35)),
        ((20, 50), (22, 41)),
        ((), (22, 41, 35, 120)),
    ],
)
def test_the_grid_agrees_with_importance_sampling(own: tuple[int, ...], others: tuple[int, ...]) -> None:
    known = [BlankCount(events, 50_000, own=True) for events in own]
    told = [BlankCount(events, 50_000) for events in others]
    assert quantiles(tube_rates([known], told), 0.1, 0.5, 0.9) == pytest.approx(sampled(known, told), rel=0.1)


def test_tubes_that_agree_narrow_what_is_possible_and_tubes_that_differ_widen_it() -> None:
    own = [[BlankCount(30, 50_000, own=True)]]
    alike = tube_rates(own, [BlankCount(30 + number % 3, 50_000) for number in range(20)])
    apart = tube_rates(own, [BlankCount(10 * 2 ** (number % 5), 50_000) for number in range(20)])
    alone = tube_rates(own)
    assert alike.cv < 0.2 < alone.cv < 0.35 < 0.6 < apart.cv
    spans = [np.log(np.divide(*quantiles(rates, 0.975, 0.025))) for rates in (alike, alone, apart)]
    assert spans == sorted(spans)


def test_a_small_baseline_counts_with_its_weight() -> None:
    others = [BlankCount(30 + number % 3, 50_000) for number in range(20)]
    (small,) = quantiles(tube_rates([[BlankCount(3, 500, own=True)]], others), 0.5)
    (none,) = quantiles(tube_rates([[]], others), 0.5)
    assert none < small < 1.3 * none  # 6 in 1000 were counted, of 0.6 in 1000 expected


def test_many_tubes_of_one_donor_are_no_crowd() -> None:
    one_donor = [BlankCount(events, 50_000, "H1") for events in (30, 31, 29, 30, 32)]
    five_donors = [BlankCount(events, 50_000) for events in (30, 31, 29, 30, 32)]
    spans = [np.log(np.divide(*quantiles(tube_rates([[]], told), 0.975, 0.025))) for told in (five_donors, one_donor)]
    assert spans[0] < spans[1]


def test_the_order_of_tubes_makes_no_difference() -> None:
    told = [BlankCount(10 * number, 50_000, f"S{number % 3}") for number in range(9)]
    assert tube_rates([[]], told).weights == pytest.approx(tube_rates([[]], told[::-1]).weights, rel=1e-9, abs=1e-15)
