"""Intervals of what normal values are described by, against SciPy's tests and known truths."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from cytocar.statistics.estimate import Estimate
from cytocar.statistics.normal import (
    fold_of_first,
    mean_fold,
    mean_interval,
    pooled_sd,
    quantile_interval,
    ratio_of_paired_means,
)
from tests.statistics.coverage import holds, missed, nominal


def test_a_quotient_ends_where_the_t_test_of_its_difference_turns() -> None:
    rng = np.random.default_rng(5)
    for n in (2, 3, 8):
        below = 5 + rng.normal(0, 0.2, n)
        above = 0.6 * below + rng.normal(0, 0.3, n)
        found = ratio_of_paired_means(above, below)
        assert found.value == pytest.approx(above.mean() / below.mean())
        for limit in (found.low, found.high):
            assert limit is not None
            assert stats.ttest_1samp(above - limit * below, 0).pvalue == pytest.approx(0.05, abs=1e-9)
        small = ratio_of_paired_means(above / 1e3, below / 1e3)
        assert (small.low, small.high) == pytest.approx((found.low, found.high))


def test_a_quotient_with_a_denominator_near_nothing_has_no_interval() -> None:
    found = ratio_of_paired_means([1.0, 2.0, 3.0], [-1.0, 0.0, 1.5])
    assert found.value == pytest.approx(12.0)
    assert (found.low, found.high) == (None, None)
    assert ratio_of_paired_means([1.0], [2.0]) == Estimate(0.5, None, None)
    assert ratio_of_paired_means([1.0], [0.0]).value is None
    exact = ratio_of_paired_means([0.2, 0.21, 0.23], [0.6, 0.63, 0.69])
    assert (exact.low, exact.high) == pytest.approx((1 / 3, 1 / 3))


def test_one_value_has_a_mean_and_no_interval_and_two_have_students() -> None:
    assert mean_interval(3.0, 0.0, 1) == (3.0, None, None)
    assert mean_interval(3.0, 1.0, 2)[2] == pytest.approx(3 + 12.70620474 / np.sqrt(2))
    assert mean_interval(3.0, 1.0, 9, df=1)[1] == pytest.approx(3 - 12.70620474 / 3)


def test_groups_of_one_or_of_none_add_nothing_to_a_pooled_scatter() -> None:
    assert pooled_sd([[1.0], [2.0]]) == (0.0, 0)
    assert pooled_sd([[1.0, 3.0], [], [7.0]]) == pooled_sd([[1.0, 3.0]]) == (np.sqrt(2), 1)


def test_folds_are_those_of_the_t_test_of_logarithms() -> None:
    first, second = [10.0, 11.0, 12.5], [8.0, 8.8, 9.1, 7.7, 8.3]
    found = fold_of_first([first, second])
    assert found[0] == Estimate(100.0, None, None)
    test = stats.ttest_ind(np.log(second), np.log(first)).confidence_interval(0.95)
    middle = np.mean(np.log(second)) - np.mean(np.log(first))
    assert (found[1].low, found[1].value, found[1].high) == pytest.approx(
        tuple(100 * np.exp((test.low, middle, test.high)))
    )


def test_single_values_have_folds_without_intervals() -> None:
    assert [one.value for one in fold_of_first([[1.0], [0.9], [0.6]])] == pytest.approx([100, 90, 60])
    assert {one.low for one in fold_of_first([[1.0], [0.9], [0.6]])} == {None}


@pytest.mark.parametrize("ratios", [[0.9, 0.8], [0.9, 0.8, 1.1, 1.3]])
def test_a_mean_fold_is_that_of_the_t_test_of_logarithms(ratios: list[float]) -> None:
    test, found = stats.ttest_1samp(np.log(ratios), 0).confidence_interval(0.95), mean_fold(ratios)
    expected = np.exp([test.low, np.mean(np.log(ratios)), test.high]) * 100
    assert (found.low, found.value, found.high) == pytest.approx(tuple(expected))


def test_one_ratio_has_no_interval() -> None:
    found = mean_fold([0.9])
    assert found.value == pytest.approx(90)
    assert (found.low, found.high) == (None, None)


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    def study(rng: np.random.Generator) -> list[bool]:
        low, first, high = rng.normal(1.0, 0.1, 6), rng.normal(1.3, 0.1, 6), rng.normal(100, 5, 6)
        times = [(100 * level * np.exp(rng.normal(0, 0.06, 4))).tolist() for level in (1, 0.9, 0.8)]
        y = rng.normal(0, 1, 20)
        return [
            holds(ratio_of_paired_means(first - low, high - low), 0.3 / 99),
            *(holds(one, truth) for one, truth in zip(fold_of_first(times)[1:], (90, 80), strict=True)),
            holds(mean_fold(0.9 * np.exp(rng.normal(0, 0.08, 6))), 90),
            quantile_interval(y.mean(), y.std(ddof=1), 20, 1.645)[1] <= 1.645,
        ]

    *two_sided, one_sided = missed(study)
    assert nominal(two_sided)
    assert one_sided <= 6
