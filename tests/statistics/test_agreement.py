"""Passing-Bablok, Deming, limits of agreement and ICC against published values, exact arithmetic and known truths."""

from __future__ import annotations

from fractions import Fraction
from math import comb
from statistics import mean, median, stdev
from typing import Any

import numpy as np
import pytest
from scipy import stats

from cytocar.statistics.agreement import bland_altman, deming, icc_2_1, passing_bablok
from tests.statistics.coverage import holds, missed, nominal

# Bland, Altman 1986 (Lancet i:307): peak expiratory flow, L/min, Wright and mini Wright meter, first readings.
WRIGHT = [494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427]
MINI = [512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451]


def _by_hand(x: list[int], y: list[int]) -> tuple[Fraction, Fraction]:
    """Return slope and intercept of Passing and Bablok's definition, in fractions; a million stands for infinity."""
    slopes = sorted(
        Fraction(y[j] - y[i], x[j] - x[i]) if x[i] != x[j] else Fraction(10**6)
        for i in range(len(x))
        for j in range(i + 1, len(x))
        if (x[i], y[i]) != (x[j], y[j]) and y[j] - y[i] != x[i] - x[j]
    )
    shift, n = sum(slope < -1 for slope in slopes), len(slopes)
    at = [slopes[shift + place] for place in (((n - 1) // 2, n // 2))]
    slope = sum(at, Fraction(0)) / 2
    return slope, median([Fraction(b) - slope * a for a, b in zip(x, y, strict=True)])


def test_passing_bablok_is_its_definition_in_exact_fractions() -> None:
    slope, intercept = _by_hand(WRIGHT, MINI)
    line = passing_bablok(WRIGHT, MINI)
    assert line.slope.value == pytest.approx(float(slope), abs=1e-9)
    assert line.intercept.value == pytest.approx(float(intercept), abs=1e-7)


def test_ties_in_one_method_are_infinite_or_flat_and_ties_in_both_say_nothing() -> None:
    x, y = [1, 1, 1, 2, 3, 4, 5, 5, 7, 9], [3, 3, 8, 4, 9, 9, 12, 11, 10, 19]
    line = passing_bablok(x, y)
    slope, intercept = _by_hand(x, y)
    assert (line.slope.value, line.intercept.value) == pytest.approx((float(slope), float(intercept)), abs=1e-12)


def _steady(n: int) -> tuple[Any, Any]:
    """Samples in even steps that scatter less than they rise: no slope is below -1."""
    return np.arange(1.0, n + 1), 3 + 1.1 * np.arange(1.0, n + 1) + np.random.default_rng(n).normal(0, 0.3, n)


@pytest.mark.parametrize("n", [5, 6, 9, 20, 41])
def test_without_falling_slopes_it_is_theil_and_sens_line_as_scipy_has_it(n: int) -> None:
    x, y = _steady(n)
    scipys, line = stats.theilslopes(y, x, alpha=0.95), passing_bablok(x, y)
    expected = (scipys.slope, scipys.low_slope, scipys.high_slope)
    assert (line.slope.value, line.slope.low, line.slope.high) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("n", [6, 9, 20, 41])
def test_an_intercepts_limits_join_those_of_the_slope_and_of_a_median(n: int) -> None:
    x, y = _steady(n)
    scipys, line = stats.theilslopes(y, x, alpha=0.95), passing_bablok(x, y)
    value = np.median(y - scipys.slope * x)
    left = np.sort(y - scipys.slope * x)
    outside = next(k for k in range(n) if sum(comb(n, i) for i in range(k + 1)) / 2**n >= 0.025)
    by_slope = [np.median(y - slope * x) for slope in (scipys.high_slope, scipys.low_slope)]
    low = value - np.sqrt((value - by_slope[0]) ** 2 + (value - left[outside]) ** 2)
    high = value + np.sqrt((by_slope[1] - value) ** 2 + (left[::-1][outside] - value) ** 2)
    assert (line.intercept.low, line.intercept.value, line.intercept.high) == pytest.approx((low, value, high))


@pytest.mark.parametrize("seed", range(4))
def test_of_an_odd_number_of_slopes_exchanging_the_methods_inverts_the_limits_too(seed: int) -> None:
    x, y = np.random.default_rng((7, seed)).normal(0, 1, (2, 14)).cumsum(axis=1) + np.arange(14)
    line, back = passing_bablok(x, y).slope, passing_bablok(y, x).slope
    assert (line.low, line.value, line.high) == pytest.approx(
        [1 / (one or 0) for one in (back.high, back.value, back.low)]
    )


def test_a_slope_that_may_be_upright_has_no_upper_limit_and_its_intercept_no_lower_one() -> None:
    x, y = np.random.default_rng(5).normal(0, 1, (2, 8))
    upright = passing_bablok(x, 3 * x + 2 * y)
    assert (upright.slope.high, upright.intercept.low) == (None, None)
    assert upright.intercept.high is not None


def test_five_samples_of_which_two_agree_have_a_slope_without_limits() -> None:
    x, y = [1.0, 1.0, 2.0, 3.0, 4.0], [1.0, 1.0, -3.0, 3.0, 4.5]  # nine slopes: no rank is far enough outside
    line = passing_bablok(x, y)
    assert line.slope.value is not None
    assert (line.slope.low, line.slope.high) == (None, None)
    assert (line.intercept.low, line.intercept.high) == (None, None)


def test_where_half_of_the_slopes_are_upright_there_is_no_line() -> None:
    x, y = [1, 1, 1, 1, 2, 2], [1, 1, 3, 4, 0, 6]  # seven upright, seven not, one pair that agrees and one slope of -1
    slopes = [(x[j] - x[i], y[j] - y[i]) for i in range(6) for j in range(i)]
    assert sum(dx == 0 and dy != 0 for dx, dy in slopes) == sum(dx != 0 and dy != -dx for dx, dy in slopes)
    assert passing_bablok(x, y).slope.value is None


@pytest.mark.parametrize("ratio", [1.0, 4.0])
def test_demings_intervals_are_those_of_the_jackknife(ratio: float) -> None:
    def principal(x: Any, y: Any) -> tuple[float, float]:
        values, axes = np.linalg.eigh(np.cov(x / np.sqrt(ratio), y))  # errors of one size, then back
        axis = axes[:, np.argmax(values)]
        slope = axis[1] / axis[0] / np.sqrt(ratio)
        return slope, float(np.mean(y) - slope * np.mean(x))

    x, y = np.array(WRIGHT, float), np.array(MINI, float)
    n, whole, line = len(x), principal(x, y), deming(x, y, ratio=ratio)
    without = np.array([principal(np.delete(x, k), np.delete(y, k)) for k in range(n)])
    error = np.sqrt((n - 1) / n * ((without - without.mean(axis=0)) ** 2).sum(axis=0))
    half = stats.t.ppf(0.975, n - 2) * error
    for estimate, value, width in zip((line.slope, line.intercept), whole, half, strict=True):
        expected = (value - width, value, value + width)
        assert (estimate.low, estimate.value, estimate.high) == pytest.approx(expected)


def test_one_sample_that_alone_varies_makes_no_line() -> None:
    assert deming([1.0] * 5 + [2.0], [1.0, 2.0, 3.0, 2.0, 1.0, 9.0]).slope.value is None


def test_relative_differences_are_percent_of_the_mean_of_both_where_there_is_one() -> None:
    x, y = [0.0, 10.0, 20.0, 40.0, 80.0, 0.4], [0.0, 12.0, 19.0, 44.0, 70.0, 0.5]
    percent = [200 * (b - a) / (a + b) for a, b in zip(x[1:], y[1:], strict=True)]
    found = bland_altman(x, y, relative=True)
    assert found.n == 5
    assert found.bias.value == pytest.approx(mean(percent))
    assert found.high.value == pytest.approx(mean(percent) + 1.959964 * stdev(percent), rel=1e-6)
    assert bland_altman(x, y).bias.value == pytest.approx((2 - 1 + 4 - 10 + 0.1) / 6)


def test_exchanging_the_methods_inverts_passing_and_bablok() -> None:
    line, back = passing_bablok(WRIGHT, MINI), passing_bablok(MINI, WRIGHT)
    assert line.slope.value == pytest.approx(1 / (back.slope.value or 0), rel=1e-3)
    assert line.slope.low == pytest.approx(1 / (back.slope.high or 0), rel=1e-2)


def test_samples_of_one_x_have_an_infinite_slope_that_stays_in_its_place() -> None:
    line = passing_bablok([1, 1, 2, 3, 4, 5], [1, 2, 2, 3, 4, 5])
    assert line.slope.value == pytest.approx(1.0)


def test_deming_with_equal_errors_is_the_first_principal_axis() -> None:
    line = deming(WRIGHT, MINI)
    values, axes = np.linalg.eigh(np.cov(WRIGHT, MINI))
    axis = axes[:, np.argmax(values)]
    assert line.slope.value == pytest.approx(axis[1] / axis[0], abs=1e-9)


def test_bland_and_altmans_peak_flow() -> None:
    found = bland_altman(WRIGHT, MINI)
    assert round(found.bias.value or 0, 1) == 2.1
    assert ((found.high.value or 0) - (found.low.value or 0)) / (2 * 1.96) == pytest.approx(38.8, abs=0.05)
    assert (found.bias.low, found.bias.high) == pytest.approx((-17.8, 22.0), abs=0.06)


def test_shrout_and_fleiss_ratings() -> None:
    ratings = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
    found = icc_2_1(ratings)
    assert found.value == pytest.approx(0.289763779, abs=1e-8)
    assert (found.low, found.high) == pytest.approx((0.0188, 0.7611), abs=5e-5)  # McGraw and Wong, in R's irr


@pytest.mark.parametrize("wrong", [([1.0] * 4, [1.0] * 4), ([1.0] * 6, [1.0] * 5)])
def test_too_few_or_unequal_pairs_are_refused(wrong: tuple[list[float], list[float]]) -> None:
    with pytest.raises(ValueError, match="as many of both"):
        passing_bablok(*wrong)


def test_intervals_of_lines_and_limits_hold_the_truth_as_often_as_they_say() -> None:
    def study(rng: np.random.Generator) -> list[bool]:
        truth = rng.uniform(10, 100, 30)
        x, y = truth + rng.normal(0, 2, 30), 2 + truth + rng.normal(0, 2, 30)
        ranked, both, limits = passing_bablok(x, y), deming(x, y), bland_altman(x, y)
        spread = 1.959964 * np.hypot(2, 2)
        return [
            *(holds(line.slope, 1) for line in (ranked, both)),
            *(holds(line.intercept, 2) for line in (ranked, both)),
            holds(limits.bias, 2),
            holds(limits.low, 2 - spread),
            holds(limits.high, 2 + spread),
        ]

    assert nominal(missed(study))


def test_intervals_of_the_icc_hold_the_truth_as_often_as_they_say() -> None:
    def study(rng: np.random.Generator) -> list[bool]:
        y = 50 + rng.normal(0, 2, (20, 1)) + rng.normal(0, 0.5, (1, 4)) + rng.normal(0, 1, (20, 4))
        return [holds(icc_2_1(y.tolist()), 4 / 5.25)]

    assert nominal(missed(study))


def test_results_that_do_not_vary_tell_no_line_and_no_agreement() -> None:
    line = deming([5.0] * 6, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    assert (line.slope.value, line.intercept.value) == (None, None)
    assert passing_bablok([5.0] * 6, [5.0] * 6).slope.value is None
    assert icc_2_1([[5.0, 5.0]] * 4).value is None
    assert icc_2_1([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]]).value == 1


def test_the_icc_does_not_depend_on_the_unit() -> None:
    ratings = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6]])
    large, small = icc_2_1(ratings), icc_2_1(ratings / 1000)
    assert (small.low, small.value, small.high) == pytest.approx((large.low, large.value, large.high))


@pytest.mark.parametrize("table", [[1.0, 2.0, 3.0], [[1.0, 2.0, 3.0]], [[1.0], [2.0], [3.0]]])
def test_an_icc_needs_two_samples_and_two_operators(table: Any) -> None:
    with pytest.raises(ValueError, match="two samples and two operators"):
        icc_2_1(table)
