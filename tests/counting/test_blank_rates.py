"""The limit of blank decides, the limit of detection describes."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from msgspec.structs import replace
from scipy import stats
from scipy.stats import poisson

from cytocar.counting.background import net_share
from cytocar.counting.basis import NoBasis
from cytocar.counting.between_tubes import LOG_RATES, tube_rates
from cytocar.counting.blank_rates import (
    BlankRates,
    assumed_rates,
    known_rates,
    learned_rates,
    measured_rates,
    probable_rate,
)
from cytocar.counting.limits import CarResult, classify, detection_limits
from cytocar.gates.decision import Background, BlankCount, ReferenceCount
from cytocar.template.model import Limits


@pytest.mark.parametrize(("background", "blank"), [(0, 0), (0.5, 2), (1, 3), (2, 5), (5, 9), (10, 15)])
def test_a_background_that_is_known_has_the_poisson_limit_of_blank(background: float, blank: int) -> None:
    known = measured_rates(Background(round(background * 1e6), 10**11, (), between_cv=1e-6))
    assert known.limit_of_blank(100_000) == blank


def test_the_rates_have_the_mean_and_the_spread_of_what_was_measured() -> None:
    rates = measured_rates(Background(400, 1_000_000, (), between_cv=0.25))
    assert rates.quantile(0.5) == pytest.approx(4e-4, rel=0.005)  # the factor has the median 1
    assert rates.sd / rates.quantile(0.5) == pytest.approx(np.hypot(0.25, 0.05), rel=0.03)


def test_no_background_at_all_needs_the_events_of_the_claim_alone() -> None:
    none = assumed_rates(0.0)
    assert none.needed(50_000, 13) == 13
    smallest = none.smallest_detected(50_000, 13)
    assert smallest is not None
    assert poisson.sf(12, 50_000 * smallest) == pytest.approx(0.95)


def _detected(events: int, t_cells: int, background: Background) -> bool:
    net = net_share(events, t_cells, background, assumed_percent=0.05, seed=1, fewest_events=13)
    limits = detection_limits(Limits(), t_cells, NoBasis(), net=net)
    return classify(events, limits) in (CarResult.BELOW_LLOQ, CarResult.QUANTIFIED)


@pytest.mark.parametrize(("rate", "control"), [(2e-4, 100_000), (1e-3, 20_000), (1e-3, 500)])
def test_a_tube_at_its_limit_of_detection_is_detected_and_a_blank_is_not(rate: float, control: int) -> None:
    """benchmarks/validity has 2000 tubes of each; here are 300, whose standard error is 1.3 %."""
    random = np.random.default_rng(11)
    t_cells, cv, found, blanks, tubes = 20_000, 0.25, 0, 0, 300
    sd = np.sqrt(np.log1p(cv * cv))
    for _ in range(tubes):
        seen = int(random.poisson(rate * control * np.exp(random.normal(0, sd))))
        background = Background(seen, control, (), between_cv=cv * np.sqrt(2))
        own = rate * np.exp(random.normal(0, sd))
        net = net_share(0, t_cells, background, assumed_percent=0.05, seed=1, fewest_events=13)
        assert net.lod_percent is not None
        share = net.lod_percent / 100
        needed = max(13, net.lob_events + 1, net.first_above)
        found += random.poisson(t_cells * (share + (1 - share) * own)) >= needed
        blanks += random.poisson(t_cells * own) >= needed
    assert 0.90 <= found / tubes <= 0.99
    assert blanks / tubes <= 0.05
    assert _detected(1000, t_cells, background)
    assert not _detected(5, t_cells, background)


BY_HAND = BlankRates(np.array([1e-4, 2e-4, 6e-4]), np.array([0.2, 0.3, 0.5]))
"""Three rates; the middles of their probabilities are 0.1, 0.35 and 0.75."""


@pytest.mark.parametrize(
    ("probability", "rate"),
    [(0.0, 1e-4), (0.1, 1e-4), (0.225, 1.5e-4), (0.35, 2e-4), (0.55, 4e-4), (0.75, 6e-4), (1, 6e-4)],
)
def test_a_quantile_lies_between_the_middles_of_the_probabilities(probability: float, rate: float) -> None:
    assert BY_HAND.quantile(probability) == pytest.approx(rate)


def test_half_of_the_middle_68_percent_is_the_standard_deviation_and_draws_follow_the_quantiles() -> None:
    assert BY_HAND.sd == pytest.approx((6e-4 - (1e-4 + 1e-4 * 0.059 / 0.25)) / 2)
    drawn = BY_HAND.draws(np.random.default_rng(2), 50_000)
    for probability in (0.1, 0.225, 0.4, 0.6):
        assert np.quantile(drawn, probability) == pytest.approx(BY_HAND.quantile(probability), rel=0.02)


@pytest.mark.parametrize("events", [10, *range(900, 20_000, 977), 50_000, 10**6])
def test_limits_in_events_are_the_first_that_hold_over_all_rates(events: int) -> None:
    counts = np.arange(3000)
    below = sum(w * stats.poisson.cdf(counts, events * r) for r, w in zip(BY_HAND.rates, BY_HAND.weights, strict=True))
    assert BY_HAND.limit_of_blank(events) == counts[below >= 0.95][0]
    as_many = sum(
        w * stats.poisson.sf(counts - 1, events * r) for r, w in zip(BY_HAND.rates, BY_HAND.weights, strict=True)
    )
    assert BY_HAND.first_above(events) == counts[as_many <= 0.025][0]
    needed = max(BY_HAND.limit_of_blank(events) + 1, BY_HAND.first_above(events))
    assert BY_HAND.needed(events, 1) == needed
    assert BY_HAND.needed(events, needed + 7) == needed + 7


@pytest.mark.parametrize("own", [(40_000,), ()])
@pytest.mark.parametrize("rate", [2e-5, 5e-5])
def test_few_blanks_come_out_above_their_background_however_few_events_it_has(
    own: tuple[int, ...], rate: float
) -> None:
    sizes, n = own or (20_000, 20_000, 20_000), 20_000
    above = 0.0
    for events in itertools.product(range(8), repeat=len(sizes)):
        parts = tuple(ReferenceCount(bool(own), size, (k,)) for k, size in zip(sorted(events), sizes, strict=True))
        seen = Background(sum(events), sum(sizes), ("C",) * len(sizes), between_cv=None, parts=parts)
        probability = math.prod(stats.poisson.pmf(k, size * rate) for k, size in zip(events, sizes, strict=True))
        above += probability * stats.poisson.sf(measured_rates(seen).first_above(n) - 1, n * rate)
    assert above < 0.0125  # half an event more in the sample's share: 0.026 and 0.032 over three donors


def test_the_smallest_detected_share_reaches_the_events_over_a_low_background() -> None:
    rate = BY_HAND.quantile(0.2)
    share = BY_HAND.smallest_detected(50_000, 40, sensitivity=0.7)
    assert share is not None
    assert stats.poisson.sf(39, 50_000 * (0.7 * share + (1 - share) * rate)) == pytest.approx(0.95)
    assert BY_HAND.smallest_detected(10**9, 13) == 0
    half = stats.gamma.ppf(0.95, 13) / 0.5  # so many T cells of which half are needed
    none = assumed_rates(0.0)
    assert none.smallest_detected(math.ceil(half), 13) == pytest.approx(0.5, abs=0.01)
    assert none.smallest_detected(math.floor(half), 13) is None
    assert BY_HAND.smallest_detected(50_000, 40, sensitivity=1e-4) is None


def test_an_assumed_rate_is_lognormal_with_a_coefficient_of_variation_of_one() -> None:
    rates, sd = assumed_rates(5e-4), math.sqrt(math.log(2))
    for probability in (0.05, 0.2, 0.5, 0.8, 0.95):
        expected = 5e-4 * math.exp(sd * stats.norm.ppf(probability))
        assert rates.quantile(probability) == pytest.approx(expected, rel=0.15)
    assert rates.rates @ rates.weights == pytest.approx(5e-4 * math.exp(sd**2 / 2), rel=1e-6)
    assert rates.weights.sum() == pytest.approx(1)


@pytest.mark.parametrize("events", [(3,), (40,), (20, 40, 80)])
def test_measured_rates_are_the_count_s_posterior_times_a_lognormal_factor(events: tuple[int, ...]) -> None:
    random, n, cv = np.random.default_rng(4), 300_000, 0.4
    counts = random.choice(events, n)
    drawn = random.beta(counts + 0.5, 100_000 - counts + 0.5) * np.exp(
        random.normal(0, math.sqrt(math.log1p(cv**2)), n)
    )
    shifted = events if len(events) > 1 else ()
    background = Background(events[len(events) // 2], 100_000, (), between_cv=cv, shifted_events=shifted)
    rates = measured_rates(background)
    for probability in (0.025, 0.2, 0.5, 0.8, 0.975):
        assert rates.quantile(probability) == pytest.approx(np.quantile(drawn, probability), rel=0.08)
    assert probable_rate(background) == pytest.approx((np.mean(events) + 0.5) / 100_001)
    if not shifted:
        assert known_rates(events[0], 100_000, cv=cv).rates == pytest.approx(rates.rates)


def test_a_rate_that_is_no_small_one_has_the_beta_posterior_too() -> None:
    rates, posterior = known_rates(8, 40, cv=1e-9), stats.beta(8.5, 32.5)
    assert rates.rates @ rates.weights == pytest.approx(posterior.mean(), rel=5e-4)
    assert rates.rates**2 @ rates.weights == pytest.approx(posterior.var() + posterior.mean() ** 2, rel=0.01)


def test_no_rate_is_beyond_one_half() -> None:
    assert known_rates(900, 1000, cv=0.5).rates.max() == 0.5


def test_where_tubes_show_how_they_vary_the_rate_is_learned_from_each_alignment_of_each() -> None:
    parts = (
        ReferenceCount(own=True, of_events=50_000, events=(20, 30)),
        ReferenceCount(own=False, of_events=40_000, events=(50, 60)),
    )
    others = (BlankCount(12.5, 30_000, "P3"),)
    background = Background(70, 90_000, (), between_cv=None, parts=parts, others=others, extra_cv=0.3)
    aligned = [
        [BlankCount(20, 50_000, own=True), BlankCount(50, 40_000)],
        [BlankCount(30, 50_000, own=True), BlankCount(60, 40_000)],
    ]
    expected = tube_rates(aligned, others, extra_cv=0.3)
    learned = learned_rates(background)
    assert (learned.cv, learned.weights.tolist()) == (expected.cv, expected.weights.tolist())
    rates = measured_rates(background)
    assert rates.rates == pytest.approx(np.exp(LOG_RATES))
    assert probable_rate(background) == rates.quantile(0.5)
    nothing = learned_rates(replace(background, parts=(), others=(), extra_cv=0.0))
    assert nothing.weights.tolist() == tube_rates([[]]).weights.tolist()
