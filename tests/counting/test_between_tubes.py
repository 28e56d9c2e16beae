"""The background from many tubes: against importance sampling, and what more tubes must do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from scipy.stats import gamma, nbinom, poisson

from cytocar.counting import between_tubes as model
from cytocar.counting.between_tubes import LOG_RATES, TubeRates, tube_rates
from cytocar.gates.decision import BlankCount


def quantiles(rates: TubeRates, *probabilities: float) -> np.ndarray:
    middle = np.cumsum(rates.weights) - 0.5 * rates.weights
    return np.asarray(np.exp(np.interp(probabilities, middle, LOG_RATES)))


def sampled(own: Sequence[BlankCount], others: Sequence[Sequence[BlankCount]], n: int = 400_000) -> np.ndarray:
    """Return quantiles of the same posterior by importance sampling: subjects drawn, their counts weighed.

    ``others`` are tubes by subject. The last number is the median of the variation between tubes.
    """
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

    for tubes, is_own in ((own, True), *((subject, False) for subject in others)):
        subject = scattered(mean, subjects)
        for tube in tubes:
            expected = tube.of_events * subject * within
            weights = weights * nbinom.pmf(tube.events, 1 / within, 1 / (1 + expected))
        if is_own:
            here = scattered(subject, within)
    order = np.argsort(here)
    below = np.cumsum(weights[order]) / weights.sum()
    of_rates = np.exp(np.interp((0.1, 0.5, 0.9), below, np.log(here[order])))
    of_cvs = np.array([weights[variance == cv**2].sum() for cv in model.CVS]) / weights.sum()
    middle = np.exp(np.interp(0.5, np.cumsum(of_cvs) - 0.5 * of_cvs, np.log(model.CVS)))
    return np.append(of_rates, middle)


@pytest.mark.parametrize(
    ("own", "others"),
    [
        ((30,), ()),
        ((30,), ((22,), (41,), (35,))),
        ((20, 50), ((22,), (41,))),
        ((), ((22,), (41,), (35,), (120,))),
        ((), ((22, 25, 21), (80, 90))),
        ((25,), ((22, 60), (41,))),
    ],
)
def test_the_grid_agrees_with_importance_sampling(own: tuple[int, ...], others: tuple[tuple[int, ...], ...]) -> None:
    known = [BlankCount(events, 50_000, own=True) for events in own]
    told = [[BlankCount(events, 50_000, f"S{number}") for events in tubes] for number, tubes in enumerate(others)]
    found = tube_rates([known], [tube for subject in told for tube in subject])
    assert [*quantiles(found, 0.1, 0.5, 0.9), found.cv] == pytest.approx(sampled(known, told).tolist(), rel=0.12)


def test_a_tube_of_the_subject_s_own_counts_the_same_wherever_it_is_named() -> None:
    own, other = BlankCount(30, 50_000, own=True), BlankCount(22, 40_000)
    assert tube_rates([[own, other]]).weights == pytest.approx(tube_rates([[]], [own, other]).weights, abs=1e-12)


def test_alignments_are_equally_likely_cases() -> None:
    cases = [[BlankCount(events, 50_000, own=True)] for events in (10, 40, 40)]
    both, *single = (tube_rates(some).weights for some in (cases, cases[:1], cases[1:2]))
    assert both == pytest.approx((single[0] + 2 * single[1]) / 3, abs=1e-6)
    assert tube_rates(cases[:1] * 3).cv == pytest.approx(tube_rates(cases[:1]).cv)


@pytest.mark.parametrize("cv", [0.2, 0.6])
def test_more_variation_of_this_tube_alone_is_a_gamma_factor_about_1(cv: float) -> None:
    others = [BlankCount(30 + number % 3, 50_000) for number in range(40)]
    rates = np.exp(LOG_RATES)
    plain, wide = (tube_rates([[]], others, extra_cv=extra).weights for extra in (0.0, cv))
    assert wide @ rates == pytest.approx(plain @ rates, rel=1e-3)
    assert wide @ rates**2 == pytest.approx((1 + cv**2) * (plain @ rates**2), rel=0.01)


def test_counts_are_negative_binomial() -> None:
    shapes = np.array([0.3, 4.0, 100.0])
    found = model._log_counts(BlankCount(7, 20_000), shapes)
    expected = 20_000 * np.exp(LOG_RATES)
    assert found == pytest.approx(nbinom.logpmf(7, shapes[:, None], 1 / (1 + expected / shapes[:, None])), abs=1e-8)


@pytest.mark.parametrize("cv", [0.2, 0.5, 1.0])
def test_a_step_scatters_rates_as_a_gamma_about_their_mean(cv: float) -> None:
    start, shape = np.zeros((1, len(LOG_RATES))), 1 / cv**2
    start[0, 170] = 1.0
    moved = model._convolved(start, model._curves(np.array([cv**2])))[0]
    step = LOG_RATES[1] - LOG_RATES[0]
    edges = np.exp(LOG_RATES + step / 2 - LOG_RATES[170])
    assert np.cumsum(moved) == pytest.approx(gamma.cdf(edges, shape, scale=1 / shape), abs=1e-4)
    # what is expected of a Poisson count over such rates is negative binomial
    given = poisson.pmf(7, 20_000 * np.exp(LOG_RATES))[np.newaxis]
    seen = model._correlated(given, model._curves(np.array([cv**2])))[0]
    expected = nbinom.pmf(7, shape, 1 / (1 + 20_000 * np.exp(LOG_RATES) / shape))
    assert seen[60:200] == pytest.approx(expected[60:200], rel=0.01, abs=1e-5)


def test_what_a_subject_and_what_a_tube_varies_by_is_the_variation_between_tubes_of_different_subjects() -> None:
    steps, start = model._steps(), np.zeros((1, len(LOG_RATES)))
    start[0, 150] = 1.0
    rates = np.exp(LOG_RATES - LOG_RATES[150])
    for pair, (cv, share) in enumerate((cv, share) for cv in model.CVS for share in model.SUBJECT_SHARES):
        if cv > 1:
            continue  # beyond the ends of the grid
        subject = model._convolved(start, steps.to_subject[pair : pair + 1])
        tube = model._convolved(subject, steps.to_tube[pair : pair + 1])
        assert subject[0] @ rates**2 == pytest.approx(1 + share * cv**2, rel=0.01)
        assert tube[0] @ rates**2 == pytest.approx(1 + cv**2, rel=0.01)
        assert steps.tube_shapes[pair] == pytest.approx((1 + share * cv**2) / ((1 - share) * cv**2))


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
