"""Net shares: the background goes, the uncertainty stays."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad
from scipy.optimize import brentq

from cytocar.counting.background import NetShare, net_share
from cytocar.counting.witness import Rise
from cytocar.gates.decision import Background
from cytocar.statistics.estimate import UNKNOWN, Estimate


def reference(events: int = 30, of_events: int = 100_000) -> Background:
    return Background(events, of_events, ("B1",))


def test_background_alone_is_no_positive_share() -> None:
    share = net_share(15, 50_000, reference(), assumed_percent=0.05, seed=1)
    assert share.raw.value == pytest.approx(0.03)
    assert share.net.value == 0
    assert share.net.low == 0
    assert share.net.high is not None
    assert 0 < share.net.high < 0.05


def test_net_is_raw_minus_background_where_nothing_is_missed() -> None:
    share = net_share(515, 50_000, reference(), assumed_percent=0.05, seed=1)
    assert share.net.value == pytest.approx(100 * (0.0103 - 0.000305) / (1 - 0.000305), rel=1e-3)


def test_positives_below_the_threshold_are_added() -> None:
    missed = Background(0, 100_000, ("B1",), sensitivity=0.8, sensitivity_sd=0.05)
    share = net_share(400, 50_000, missed, assumed_percent=0.05, seed=1)
    assert share.net.value == pytest.approx(1.0, rel=0.01)
    assert share.raw.value == pytest.approx(0.8)


def test_the_net_share_is_no_larger_than_what_its_own_interval_thinks_possible() -> None:
    """26 events, of whose kind a curve guesses 19 of 20 below the threshold: 1.6 % was reported for 0.09 %."""
    guessed = Background(1, 30_000, ("B1",), sensitivity=0.053, sensitivity_sd=0.5)
    share = net_share(26, 30_000, guessed, assumed_percent=0.05, seed=1)
    assert share.net.value is not None and share.net.high is not None
    assert share.net.value < share.net.high < 0.5
    known = Background(1, 30_000, ("B1",), sensitivity=0.053)
    assert net_share(26, 30_000, known, assumed_percent=0.05, seed=1).net.value == share.net.value


def test_without_reference_nothing_below_a_tenth_of_a_percent_is_claimed() -> None:
    share = net_share(60, 50_000, None, assumed_percent=0.05, seed=1)
    assert share.lod_percent is not None
    assert share.lod_percent >= 0.1
    assert share.net.low == 0
    assert share.flags == ("NO_REFERENCE",)


def test_empty_parent_is_unknown_not_zero() -> None:
    share = net_share(0, 0, reference(), assumed_percent=0.05, seed=1)
    assert share.raw.value is None
    assert share.net.value is None
    assert share.lod_percent is None


def test_same_seed_same_interval() -> None:
    one, two = (net_share(65, 50_000, reference(), assumed_percent=0.05, seed=7) for _ in range(2))
    assert (one.raw, one.net, one.lob_events) == (two.raw, two.net, two.lob_events)


def test_limits_fall_with_more_events() -> None:
    few, many = (net_share(0, n, reference(), assumed_percent=0.05, seed=1) for n in (10_000, 200_000))
    assert few.lod_percent is not None
    assert many.lod_percent is not None
    assert many.lod_percent < few.lod_percent
    assert many.lob_events > few.lob_events


def test_limit_of_blank_agrees_with_poisson_where_the_background_is_known() -> None:
    certain = Background(10_000, 100_000_000, ("B1",), between_cv=1e-6)
    assert net_share(0, 50_000, certain, assumed_percent=0.05, seed=1).lob_events == 9  # Poisson mean 5


@pytest.mark.parametrize(("share", "expected"), [(0.0, 0.0), (0.001, 0.1), (0.01, 1.0), (0.4, 40.0)])
def test_interval_covers_the_truth(share: float, expected: float) -> None:
    random = np.random.default_rng(3)
    n, covered, lifted = 50_000, 0, 0
    for seed in range(60):
        rate = 0.0003 * np.exp(random.normal(0, 0.25))
        counted = random.binomial(n, share) + random.binomial(n, rate * (1 - share))
        net = net_share(int(counted), n, reference(int(random.poisson(30))), assumed_percent=0.05, seed=seed).net
        assert net.low is not None
        assert net.high is not None
        covered += net.low <= expected <= net.high
        lifted += net.low > 0
    assert covered >= 54
    if share == 0:
        assert lifted <= 4


def test_without_reference_the_upper_limit_allows_for_no_background_and_for_hidden_positives() -> None:
    share = net_share(11, 100_000, None, assumed_percent=0.05, seed=1)
    assert share.net.value == 0
    assert share.net.high is not None
    assert share.raw.high is not None
    assert share.raw.high <= share.net.high <= 1.4 * share.raw.high


def test_a_background_that_depends_on_the_alignment_widens_the_interval() -> None:
    steep = Background(30, 100_000, ("B1",), shifted_events=(5, 10, 15, 22, 30, 45, 70, 120, 220))
    flat = Background(30, 100_000, ("B1",))
    wide, narrow = (net_share(60, 50_000, one, assumed_percent=0.05, seed=1).net for one in (steep, flat))
    assert wide.low is not None
    assert narrow.low is not None
    assert wide.low < narrow.low


def test_a_share_times_t_cells_carries_both_uncertainties() -> None:
    share = net_share(520, 50_000, reference(), assumed_percent=0.05, seed=1)
    draws = 1000 * np.exp(np.random.default_rng(5).normal(0, 0.3, 20_000))
    product = share.times(1000.0, draws)
    assert share.net.value is not None and product.value == pytest.approx(10 * share.net.value)
    assert product.low is not None and product.high is not None
    assert np.log(product.high / product.low) == pytest.approx(2 * 1.96 * 0.3, rel=0.1)


def test_what_is_not_above_the_background_has_a_lower_limit_of_0_in_cells_per_ul_too() -> None:
    share = net_share(15, 50_000, reference(), assumed_percent=0.05, seed=1)
    assert share.times(1000.0, np.full(20_000, 1000.0)).low == 0


# ---------------------------------------------------------------- against distributions in closed form

CERTAIN = 10**9
"""Events of a control of which a rate is known to far below 1 %."""


def certain(rate: float, *, sensitivity: float = 1.0, sd: float = 0.0) -> Background:
    events = round(rate * CERTAIN)
    return Background(events, CERTAIN, ("B1",), between_cv=1e-6, sensitivity=sensitivity, sensitivity_sd=sd)


def share_of(car: int, n: int, background: Background | None, **options: float) -> NetShare:
    named = {"systematic_cv": 1e-9, "assumed_percent": 0.05} | options
    return net_share(car, n, background, seed=3, **named)  # type: ignore[arg-type]


def quantile_of(below: Callable[[float], float], p: float, *, largest: float = 1.0) -> float:
    return float(brentq(lambda share: below(share) - p, 0.0, largest, xtol=1e-12))


@pytest.mark.parametrize(
    ("car", "n", "rate", "sensitivity"),
    [(0, 1000, 0.0, 1.0), (2, 1000, 0.0, 1.0), (8, 1000, 0.0005, 1.0), (250, 600, 0.01, 0.8), (590, 600, 0.01, 1.0)],
)
def test_with_a_certain_background_the_interval_is_that_of_the_beta_posterior(
    car: int, n: int, rate: float, sensitivity: float
) -> None:
    net = share_of(car, n, certain(rate, sensitivity=sensitivity)).net
    low, high = ((stats.beta.ppf(p, car + 0.5, n - car + 0.5) - rate) / (sensitivity - rate) for p in (0.025, 0.975))
    point = (car / n - rate) / (sensitivity - rate)
    assert net.value == pytest.approx(100 * point, abs=1e-3)
    assert net.high == pytest.approx(100 * high, abs=2 * (high - low))  # percent: 2 % of the width
    assert net.low == pytest.approx(100 * low if car else 0.0, abs=2 * (high - low))


def test_the_lower_limit_is_0_until_so_many_events_that_2_5_percent_of_blanks_show_as_many() -> None:
    n, rate = 10_000, 0.0005
    first = next(k for k in range(100) if stats.poisson.sf(k - 1, n * rate) <= 0.025)
    for car in (first - 1, first):
        share = share_of(car, n, certain(rate))
        assert share.first_above == first
        assert (share.net.low or 0) > 0 if car == first else share.net.low == 0


def test_a_systematic_factor_moves_the_odds() -> None:
    n, cv = 10**8, 0.2
    net = share_of(4 * 10**7, n, certain(0.0), systematic_cv=cv).net
    sd = math.sqrt(math.log(1 + cv**2))
    low, high = (100 / (1 + 1.5 * math.exp(-z * sd)) for z in (-1.959964, 1.959964))
    assert (net.low, net.high) == pytest.approx((low, high), rel=0.01)


def test_positives_that_may_lie_below_the_threshold_are_gamma_distributed_and_never_more_than_seven_in_ten() -> None:
    missed, sd = 0.25, 0.1
    gamma = stats.gamma((missed / sd) ** 2, scale=sd**2 / missed)
    net = share_of(2 * 10**5, 10**6, certain(0.0, sensitivity=1 - missed, sd=sd)).net
    assert (net.low, net.high) == pytest.approx([20 / (1 - gamma.ppf(p)) for p in (0.025, 0.975)], rel=0.02)
    assert share_of(2 * 10**5, 10**6, certain(0.0, sensitivity=0.1)).net.value == pytest.approx(20 / 0.3, rel=1e-4)
    dim = share_of(2 * 10**5, 10**6, certain(0.0, sensitivity=0.1, sd=0.3)).net
    assert dim.high == pytest.approx(20 / 0.3, rel=0.01)
    bright = share_of(2 * 10**5, 10**6, certain(0.0, sensitivity=1.0, sd=0.005)).net  # 1 % at least may be missed
    gamma = stats.gamma((0.01 / 0.005) ** 2, scale=0.005**2 / 0.01)
    assert bright.high == pytest.approx(20 / (1 - gamma.ppf(0.975)), rel=2e-3)


def test_without_a_control_the_upper_limit_supposes_little_background_and_positives_below_the_threshold() -> None:
    car, n = 40, 10_000
    posterior, kept = stats.beta(car + 0.5, n - car + 0.5), stats.norm(0.88, 0.08)

    def below(share: float) -> float:
        part = quad(lambda at: posterior.cdf(share * at) * kept.pdf(at), 0.5, 1.0, points=[0.88])[0]
        return float(part + posterior.cdf(share) * kept.sf(1.0) + posterior.cdf(share / 2) * kept.cdf(0.5))

    none = share_of(car, n, None, assumed_percent=1e-6).net
    assert none.high == pytest.approx(100 * quantile_of(below, 0.975, largest=0.1), rel=0.01)
    share = share_of(car, n, None)
    assert 0.9 * (none.high or 0) <= (share.net.high or 0) < (none.high or 0)
    assert share.net.value == pytest.approx(100 * (0.004 - 0.0005) / (1 - 0.0005))
    assert share.background_percent == pytest.approx(0.05)


def test_a_tube_s_own_positives_tell_what_lies_below_the_threshold() -> None:
    car, n, kept, sd = 40, 10_000, 0.8, 0.06
    posterior = stats.beta(car + 0.5, n - car + 0.5)
    missed = stats.gamma(((1 - kept) / sd) ** 2, scale=sd**2 / (1 - kept))

    def below(share: float) -> float:
        return float(quad(lambda at: posterior.cdf(share * (1 - at)) * missed.pdf(at), 0, 0.7)[0])

    none = net_share(car, n, None, assumed_percent=1e-6, seed=3, systematic_cv=1e-9, unaided=(kept, sd))
    assert none.net.high == pytest.approx(100 * quantile_of(below, 0.975, largest=0.1), rel=0.01)
    share = net_share(car, n, None, assumed_percent=0.05, seed=3, systematic_cv=1e-9, unaided=(kept, sd))
    assert share.net.value == pytest.approx(100 * (0.004 - 0.0005) / (kept - 0.0005))
    controlled = net_share(car, n, certain(0.0005), assumed_percent=0.05, seed=3, unaided=(kept, sd))
    assert controlled.net.value == pytest.approx(100 * (0.004 - 0.0005) / (1 - 0.0005), rel=1e-3)


def test_without_a_control_the_upper_limit_takes_any_part_of_what_is_supposed_for_background() -> None:
    car, n, random = 400, 20_000, np.random.default_rng(8)
    observed, kept = random.beta(car + 0.5, n - car + 0.5, 10**6), random.normal(0.88, 0.08, 10**6).clip(0.5, 1.0)
    factor = np.exp(random.normal(0, np.sqrt(np.log(2)), 10**6)) * random.random(10**6)  # a CV of 1, and any part
    expected = np.quantile((observed - 0.0005 * factor) / kept, 0.975)
    assert share_of(car, n, None).net.high == pytest.approx(100 * expected, rel=0.01)


def test_a_doubt_far_beyond_what_is_missed_still_reaches_the_upper_limit() -> None:
    doubted, sure = (share_of(5000, 50_000, certain(0.0, sensitivity=0.995, sd=sd)).net for sd in (0.1, 0.02))
    missed = stats.gamma(0.4**2, scale=0.1 / 0.4)  # a mean of 0.04, 2.5 times as much standard deviation
    assert doubted.value == sure.value
    assert (doubted.high or 0) == pytest.approx(10 / (1 - missed.ppf(0.975)), rel=0.05)
    assert (sure.high or 0) < 11


@pytest.mark.parametrize(("car", "lifted"), [(12, False), (13, True), (14, True)])
def test_without_a_control_a_claim_begins_at_a_tenth_of_a_percent(car: int, lifted: bool) -> None:
    share = share_of(car, 12_345, None, assumed_percent=1e-4)  # 12.345 events are a tenth of a percent
    assert share.first_above == 13
    assert ((share.net.low or 0) > 0) is lifted
    assert share_of(car, 12_345, certain(1e-6)).first_above < 12
    many = share_of(car, 10**7, None, assumed_percent=0.01)
    assert (many.lod_percent, many.lloq_percent) == (0.1, 0.1)
    assert (share_of(car, 10**7, certain(1e-8)).lod_percent or 1) < 0.001


@pytest.mark.parametrize(("n", "rate", "cv"), [(20_000, 5e-4, 0.3), (100_000, 1e-3, 0.3), (5_000, 1e-5, 0.1)])
def test_the_limit_of_quantification_is_where_the_coefficient_of_variation_is_a_quarter(
    n: int, rate: float, cv: float
) -> None:
    background = Background(round(rate * CERTAIN), CERTAIN, ("B1",), between_cv=cv, sensitivity=0.8)
    share = share_of(0, n, background)
    sd = rate * math.sqrt(math.log(1 + cv**2))  # half of what the middle 68 % span

    def cv_at(p: float) -> float:
        positives, blanks = n * p * 0.8, n * rate
        return math.sqrt(positives + blanks + (n * sd) ** 2) / positives - 0.25

    assert share.lloq_percent == pytest.approx(100 * brentq(cv_at, 1e-7, 1), rel=0.04)


def test_the_limit_of_detection_is_where_95_percent_of_tubes_hold_the_events_that_are_needed() -> None:
    n, rate = 20_000, 5e-4
    for fewest in (1, 40):
        share = share_of(0, n, certain(rate, sensitivity=0.8), fewest_events=fewest)
        assert share.lob_events == stats.poisson.ppf(0.95, n * rate)
        needed = max(fewest, share.lob_events + 1, share.first_above)
        p = (share.lod_percent or 0) / 100
        assert stats.poisson.sf(needed - 1, n * (0.8 * p + (1 - p) * rate)) == pytest.approx(0.95, abs=1e-3)
        assert share.background_percent == pytest.approx(100 * rate)


def test_beyond_half_of_all_t_cells_there_is_no_limit() -> None:
    few = share_of(0, 30, certain(0.0))
    assert few.lod_percent == pytest.approx(100 * stats.gamma.ppf(0.95, 1) / 30, rel=1e-3)
    assert few.lloq_percent is None  # 16 events have a coefficient of variation of a quarter
    enough = share_of(0, 33, certain(0.0))
    assert enough.lloq_percent == pytest.approx(1600 / 33, rel=1e-3)
    assert share_of(0, 30, certain(0.0), fewest_events=13).lod_percent is None
    asked = share_of(0, 45, certain(0.0), fewest_events=13)
    assert asked.lloq_percent == asked.lod_percent == pytest.approx(100 * stats.gamma.ppf(0.95, 13) / 45, rel=1e-3)


def test_products_with_a_total_hold_the_middle_of_both_draws() -> None:
    ascending = np.linspace(0, 0.2, 20_001)
    share = NetShare(UNKNOWN, Estimate(10.0, 1.0, 19.0), 0.01, 3, low_draws=ascending, high_draws=ascending + 0.1)
    found = share.times(50.0, np.full(20_001, 50.0))
    assert (found.low, found.value, found.high) == pytest.approx((50 * 0.005, 5.0, 50 * 0.295))
    below = NetShare(UNKNOWN, Estimate(0.0, 0.0, 1.0), 0.01, 3, low_draws=ascending - 0.3, high_draws=ascending - 0.3)
    assert below.times(50.0, np.full(20_001, 50.0)) == Estimate(0.0, 0.0, 0.0)
    negative = NetShare(UNKNOWN, Estimate(1.0, 0.5, 2.0), 0.01, 3, low_draws=ascending - 0.3, high_draws=ascending)
    assert negative.times(50.0, np.full(20_001, 50.0)).low == 0
    inside = NetShare(UNKNOWN, Estimate(1.0, 0.5, 2.0), 0.01, 3, low_draws=ascending + 0.3, high_draws=ascending - 0.3)
    assert inside.times(50.0, np.full(20_001, 50.0)) == Estimate(0.5, 0.5, 0.5)
    for total, draws in ((None, ascending), (50.0, None)):
        assert share.times(total, draws) == UNKNOWN
    assert NetShare(UNKNOWN, Estimate(1.0, 0.5, 2.0), 0.01, 3, high_draws=ascending).times(1.0, ascending) == UNKNOWN
    assert NetShare(UNKNOWN, Estimate(1.0, 0.5, 2.0), 0.01, 3, low_draws=ascending).times(1.0, ascending) == UNKNOWN


def test_a_rise_is_added_to_the_background_of_a_second_number_and_of_the_lower_limit() -> None:
    car, n, rate, kept = 400, 20_000, 0.0005, 0.8
    rise = Rise(np.array([0.0, 0.004]), np.array([0.0, 1.0]))
    background = certain(rate, sensitivity=kept)
    found = net_share(car, n, background, assumed_percent=0.05, seed=3, systematic_cv=1e-9, rise=rise)
    random = np.random.default_rng(77)
    risen = 0.004 * np.exp(random.normal(0, 0.4, 400_000))
    risen[random.random(400_000) < 0.05] = 0.0
    seen = random.beta(car + 0.5, n - car + 0.5, 400_000)
    low, middle, high = np.quantile((seen - rate - risen) / (kept - rate - risen), [0.025, 0.5, 0.975])
    expected = pytest.approx((100 * low, 100 * middle, 100 * high), rel=0.02)
    assert (found.witnessed.low, found.witnessed.value, found.witnessed.high) == expected
    alone = net_share(car, n, background, assumed_percent=0.05, seed=3, systematic_cv=1e-9)
    assert (found.net.low, found.low_by_controls) == (found.witnessed.low, alone.net.low)
    assert (found.net.value, found.net.high, found.flags) == (alone.net.value, alone.net.high, ())
    assert found.rise_probability == 1
    assert alone.rise_probability is None
    half = Rise(np.array([0.0, 0.9]), np.array([0.0, 1.0]))  # no more than half of the positives is thought away
    most = net_share(18_000, n, certain(rate), assumed_percent=0.05, seed=3, systematic_cv=1e-9, rise=half)
    assert most.witnessed.value == pytest.approx(100 * (0.9 - 0.5) / (1 - 0.5), rel=0.02)


def test_without_a_control_the_lower_limit_supposes_any_part_of_what_lies_below_the_threshold() -> None:
    car, n, kept = 2000, 20_000, 0.8
    posterior = stats.beta(car + 0.5, n - car + 0.5)

    def below(told: float) -> Callable[[float], float]:
        return lambda share: float(quad(lambda part: posterior.cdf(share / (1 + part * told)), 0, 1)[0])

    for falling, told in ((0.0, 0.25), (100.0, 0.125), (190.0, 0.0125)):  # negatives that fall through leave fewer
        net = net_share(
            car, n, None, assumed_percent=1e-6, seed=3, systematic_cv=1e-9, unaided=(kept, 0.05), falling=falling
        ).net
        exact = quantile_of(below(told), 0.025, largest=0.2)
        assert net.low == pytest.approx(100 * exact, rel=0.003)


def test_falling_negatives_lower_the_lower_limit_alone_and_only_without_a_control() -> None:
    without, fell = (net_share(400, 20_000, None, assumed_percent=0.05, seed=1, falling=n).net for n in (0.0, 100.0))
    assert without.low is not None
    assert fell.low is not None
    assert fell.low < 100 * (400 - 200) / 20_000 < without.low
    assert fell.value == without.value
    assert fell.high == pytest.approx(without.high, rel=0.01)
    controlled = (
        net_share(400, 20_000, reference(), assumed_percent=0.05, seed=1, falling=n).net for n in (0.0, 100.0)
    )
    assert len(set(controlled)) == 1
