"""Algorithm A and intervals of normal values: ISO's example, exact cases, known truths."""

from __future__ import annotations

import numpy as np
import pytest

from cytocar.statistics.normal import (
    fold_of_first,
    mean_fold,
    mean_interval,
    pooled_sd,
    quantile_interval,
    ratio_of_paired_means,
)
from cytocar.statistics.robust import algorithm_a
from tests.statistics.coverage import holds, missed, nominal


def test_algorithm_a_of_the_reference_values() -> None:
    found = algorithm_a([301, 298, 310, 305, 290, 340, 302, 299, 250, 303])
    assert (found.mean.value, found.sd) == pytest.approx((301.0, 9.718524), abs=1e-6)
    assert found.z(340) == pytest.approx(4.013, abs=5e-4)
    assert found.uncertainty == pytest.approx(1.25 * 9.718524 / np.sqrt(10), abs=1e-6)


def test_results_that_all_agree_have_no_z() -> None:
    assert algorithm_a([5.0, 5.0, 5.0]).z(5.0) is None
    assert algorithm_a([5.0, 5.0, 5.0, 9.0]).sd > 0
    with pytest.raises(ValueError, match="3 at least"):
        algorithm_a([1.0, 2.0])


def test_a_quotient_with_a_denominator_near_nothing_has_no_interval() -> None:
    found = ratio_of_paired_means([1.0, 2.0, 3.0], [-1.0, 0.0, 1.5])
    assert (found.low, found.high) == (None, None)
    assert ratio_of_paired_means([1.0], [2.0]).low is None
    assert ratio_of_paired_means([1.0], [0.0]).value is None


def test_one_value_has_a_mean_and_no_interval() -> None:
    assert mean_interval(3.0, 0.0, 1) == (3.0, None, None)
    assert mean_fold([0.9]).low is None
    assert pooled_sd([[1.0], [2.0]]) == (0.0, 0)
    assert fold_of_first([[1.0], [0.9]])[1].low is None


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    def study(rng: np.random.Generator) -> list[bool]:
        low, first, high = rng.normal(1.0, 0.1, 6), rng.normal(1.3, 0.1, 6), rng.normal(100, 5, 6)
        times = [(100 * level * np.exp(rng.normal(0, 0.06, 4))).tolist() for level in (1, 0.9, 0.8)]
        y = rng.normal(0, 1, 20)
        return [
            holds(algorithm_a(rng.normal(50, 4, 12)).mean, 50),
            holds(ratio_of_paired_means(first - low, high - low), 0.3 / 99),
            *(holds(one, truth) for one, truth in zip(fold_of_first(times)[1:], (90, 80), strict=True)),
            holds(mean_fold(0.9 * np.exp(rng.normal(0, 0.08, 6))), 90),
            quantile_interval(y.mean(), y.std(ddof=1), 20, 1.645)[1] <= 1.645,
        ]

    *two_sided, one_sided = missed(study)
    assert nominal(two_sided)
    assert one_sided <= 6
