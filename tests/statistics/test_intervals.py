"""Intervals and limits against the published and computed numbers, and against what they must always hold."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cytocar.statistics.estimate import UNKNOWN, Estimate
from cytocar.statistics.intervals import (
    Share,
    clopper_pearson,
    net_percent,
    newcombe_difference,
    poisson_interval,
    ratio_estimate,
    wilson,
)

counts = st.integers(0, 200_000)


@pytest.mark.parametrize(
    ("events", "low", "high"),
    [(0, 0, 3.689), (10, 4.80, 18.39), (22, 13.79, 33.31), (100, 81.36, 121.63)],
)
def test_poisson_interval_is_garwoods(events: int, low: float, high: float) -> None:
    assert poisson_interval(events) == pytest.approx((low, high), abs=0.005)


def test_share_of_20_in_20000_has_the_reference_intervals() -> None:
    assert [round(100 * limit, 6) for limit in wilson(20, 20_000)] == [0.064747, 0.154419]
    assert [round(100 * limit, 6) for limit in clopper_pearson(20, 20_000)] == [0.061093, 0.154400]


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [(320, 680, (0.4706, 0.4107, 0.5382)), (10, 5, (2, 0.6229, 7.4573))],
)
def test_ratio_has_the_reference_intervals(a: int, b: int, expected: tuple[float, float, float]) -> None:
    ratio = ratio_estimate(a, b)
    assert (ratio.value, ratio.low, ratio.high) == pytest.approx(expected, abs=5e-5)


def test_ratio_to_nothing_has_a_lower_limit_and_no_value() -> None:
    ratio = ratio_estimate(12, 0)
    assert ratio.value is None
    assert ratio.high is None
    assert ratio.low == pytest.approx(2.779, abs=5e-4)


def test_ratio_of_nothing_to_something_is_zero_with_an_upper_limit() -> None:
    ratio = ratio_estimate(0, 12)
    assert (ratio.value, ratio.low) == (0, 0)
    assert ratio.high == pytest.approx(1 / 2.779, rel=1e-3)


def test_ratio_of_nothing_to_nothing_is_unknown() -> None:
    assert ratio_estimate(0, 0) == UNKNOWN


def test_percent_of_an_empty_parent_is_unknown_not_zero() -> None:
    assert Share(0, 0).percent is None
    assert Share(0, 0).interval() is None
    assert Share(0, 0).estimate("exact") == UNKNOWN


def test_more_events_than_the_parent_holds_is_a_bug() -> None:
    with pytest.raises(ValueError, match="not a count: 6 of 5"):
        Share(6, 5)


def test_an_interval_of_nothing_says_nothing() -> None:
    assert clopper_pearson(0, 0) == wilson(0, 0) == (0, 1)


@given(counts, counts)
def test_every_interval_of_a_share_holds_the_share(x: int, more: int) -> None:
    n = x + more
    for method in (wilson, clopper_pearson):
        low, high = method(x, n)
        assert 0 <= low <= high <= 1
        if n:
            assert low - 1e-12 <= x / n <= high + 1e-12


@given(counts)
def test_poisson_interval_holds_its_count(x: int) -> None:
    low, high = poisson_interval(x)
    assert 0 <= low <= x < high


@given(st.integers(0, 100), st.integers(1, 400))
def test_exact_intervals_agree_with_scipys(x: int, more: int) -> None:
    from scipy.stats import binomtest

    n = x + more
    expected = binomtest(x, n).proportion_ci(0.95, method="exact")
    assert clopper_pearson(x, n) == pytest.approx((expected.low, expected.high), abs=1e-12)
    expected = binomtest(x, n).proportion_ci(0.95, method="wilson")
    assert wilson(x, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ((56, 70, 48, 80), (0.2000, 0.0524, 0.3339)),
        ((9, 10, 3, 10), (0.6000, 0.1705, 0.8090)),
        ((10, 10, 0, 20), (1.0000, 0.6791, 1.0000)),
        ((0, 10, 0, 20), (0.0000, -0.1611, 0.2775)),
    ],
)
def test_difference_has_the_limits_of_newcombes_table(
    table: tuple[int, int, int, int], expected: tuple[float, float, float]
) -> None:
    """Newcombe 1998, Statistics in Medicine 17:873, table II, method 10, contrasts (a), (c), (g) and (e)."""
    difference = newcombe_difference(*table)
    assert (difference.value, difference.low, difference.high) == pytest.approx(expected, abs=5e-5)


def test_difference_to_an_empty_control_is_unknown() -> None:
    assert newcombe_difference(5, 100, 0, 0) == UNKNOWN
    assert net_percent(Share(5, 100), Share(0, 0)) == UNKNOWN


def test_net_below_the_background_is_zero_inside_its_interval() -> None:
    net = net_percent(Share(5, 100_000), Share(5000, 100_000))
    assert net.value == 0
    assert net.low is not None
    assert net.high is not None
    assert net.low <= 0 <= net.high


def _wilson_90(x: int, n: int) -> tuple[float, float]:
    """Wilson 1927 with the normal quantile of 90 %, written out."""
    z = 1.6448536269514722
    middle, half = x / n + z**2 / (2 * n), z * math.sqrt(x / n * (1 - x / n) / n + z**2 / (4 * n**2))
    return (middle - half) / (1 + z**2 / n), (middle + half) / (1 + z**2 / n)


@pytest.mark.parametrize("table", [(56, 70, 48, 80), (5, 1000, 3, 4000), (1, 1, 2, 9)])
def test_a_difference_at_90_percent_has_the_limits_of_the_formula(table: tuple[int, int, int, int]) -> None:
    x1, n1, x2, n2 = table
    (low1, high1), (low2, high2) = _wilson_90(x1, n1), _wilson_90(x2, n2)
    first, second = x1 / n1, x2 / n2
    low = first - second - math.sqrt((first - low1) ** 2 + (high2 - second) ** 2)
    high = first - second + math.sqrt((high1 - first) ** 2 + (second - low2) ** 2)
    difference = newcombe_difference(*table, level=0.9)
    assert (difference.value, difference.low, difference.high) == pytest.approx((first - second, low, high))
    net = net_percent(Share(x1, n1), Share(x2, n2), level=0.9)
    assert (net.value, net.low, net.high) == pytest.approx((100 * (first - second), 100 * low, 100 * high))


@pytest.mark.parametrize("table", [(11, 10, 1, 10), (1, 10, 11, 10), (-1, 10, 1, 10), (1, 10, -1, 10)])
def test_a_part_larger_than_its_whole_has_no_difference(table: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match=r"not a count: (11|-1) of 10"):
        newcombe_difference(*table)


def test_net_of_a_clear_sample_is_the_difference() -> None:
    net = net_percent(Share(1000, 10_000), Share(10, 10_000))
    assert net.value == pytest.approx(9.9)


@pytest.mark.parametrize("method", ["wilson", "exact"])
def test_limits_of_a_percentage_are_scipys(method: Literal["wilson", "exact"]) -> None:
    from scipy.stats import binomtest

    for x, n in ((0, 7), (3, 40), (40, 40)):
        expected = binomtest(x, n).proportion_ci(0.9, method=method)
        estimate = Share(x, n).estimate(method, level=0.9)
        assert (estimate.low, estimate.high) == pytest.approx((100 * expected.low, 100 * expected.high), abs=1e-9)
    wilson_95 = binomtest(3, 40).proportion_ci(0.95, method="wilson")
    assert Share(3, 40).interval() == pytest.approx((100 * wilson_95.low, 100 * wilson_95.high))
    assert Share(0, 0).interval(method) is None


def test_limits_of_nothing_and_of_all_are_exactly_the_ends() -> None:
    for n in (1, 7, 30, 999):
        assert wilson(0, n)[0] == clopper_pearson(0, n)[0] == 0.0
        assert wilson(n, n)[1] == clopper_pearson(n, n)[1] == 1.0


@pytest.mark.parametrize("interval", [wilson, clopper_pearson])
def test_a_part_larger_than_its_whole_has_no_interval(interval: Callable[[int, int], tuple[float, float]]) -> None:
    with pytest.raises(ValueError, match="not a count: 11 of 10"):
        interval(11, 10)


def test_a_systematic_error_of_a_count_of_nothing_scales_its_upper_limit() -> None:
    factor = math.exp(1.959964 * math.sqrt(math.log(1.01)))
    widened = Estimate(0.0, 0.0, 3.689).widened(0.10)
    assert (widened.low, widened.high) == pytest.approx((0.0, 3.689 * factor))
    open_ended = Estimate(2.0, 1.0, None).widened(1.0)  # ln(1 + 1) is the variance of a CV of 100 %
    assert open_ended.high is None
    assert open_ended.low == pytest.approx(2 * math.exp(-math.hypot(math.log(2), 1.959964 * math.sqrt(math.log(2)))))


def test_a_systematic_error_of_a_perfect_count_is_lognormal() -> None:
    widened = Estimate(100, 100, 100).widened(0.10)
    spread = 1.959964 * math.sqrt(math.log(1.01))
    assert (widened.low, widened.high) == pytest.approx((100 * math.exp(-spread), 100 * math.exp(spread)))


@given(st.integers(0, 5000), st.integers(1, 5000), st.floats(0, 0.5))
def test_a_systematic_error_only_widens(a: int, b: int, cv: float) -> None:
    plain = ratio_estimate(a, b)
    wide = plain.widened(cv)
    assert plain.low is not None
    assert plain.high is not None
    assert wide.low is not None
    assert wide.high is not None
    assert wide.value == plain.value
    assert wide.low <= plain.low * (1 + 1e-12)
    assert wide.high >= plain.high * (1 - 1e-12)
