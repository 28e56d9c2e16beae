"""Algorithm A: ISO's example, its fixed point, known truths."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t

from cytocar.statistics.robust import algorithm_a
from tests.statistics.coverage import holds, missed, nominal

REFERENCE = [301, 298, 310, 305, 290, 340, 302, 299, 250, 303]


def test_algorithm_a_of_the_reference_values() -> None:
    found = algorithm_a(REFERENCE)
    assert (found.mean.value, found.sd) == pytest.approx((301.0, 9.718524), abs=1e-6)
    assert found.z(340) == pytest.approx(4.013, abs=5e-4)
    assert found.uncertainty == pytest.approx(1.25 * 9.718524 / np.sqrt(10), abs=1e-6)


SLOW = [-0.645, -0.496, -0.544, -5.077, 2.951, -2.527, -0.237, -0.847, -4.054, -0.564, 0.575, -0.316]
"""Results that the algorithm creeps to in more than a hundred steps."""


@pytest.mark.parametrize(
    "values",
    [REFERENCE, SLOW, [5.0, 5.0, 5.0, 9.0], [1.0, 2.0, 4.0], np.random.default_rng(4).standard_t(2, 41).tolist()],
)
def test_mean_and_deviation_are_those_of_the_values_drawn_in(values: list[float]) -> None:
    found = algorithm_a(values)
    assert found.mean.value is not None
    assert found.sd > 0
    x, reach = np.array(values, float), 1.5 * found.sd
    drawn_in = np.minimum(np.maximum(x, found.mean.value - reach), found.mean.value + reach)
    assert found.mean.value == pytest.approx(drawn_in.mean(), rel=1e-11)
    assert found.sd == pytest.approx(1.134 * np.std(drawn_in, ddof=1), rel=1e-11)
    inside = np.sum(np.abs(x - found.mean.value) <= reach)
    half = t.ppf(0.975, inside - 1) * np.std(drawn_in, ddof=1) * len(x) / inside / np.sqrt(len(x))
    assert (found.mean.low, found.mean.high) == pytest.approx((found.mean.value - half, found.mean.value + half))


def test_results_that_all_agree_have_no_z() -> None:
    assert algorithm_a([5.0, 5.0, 5.0]).z(5.0) is None
    rounded = algorithm_a([0.1, 0.1, 0.1]).mean  # whose mean is no 0.1 to the last bit
    assert (rounded.low, rounded.value, rounded.high) == pytest.approx((0.1, 0.1, 0.1))
    with pytest.raises(ValueError, match="3 at least"):
        algorithm_a([1.0, 2.0])


def test_intervals_of_the_mean_hold_the_truth_as_often_as_they_say() -> None:
    assert nominal(missed(lambda rng: [holds(algorithm_a(rng.normal(50, 4, 12)).mean, 50)]))
