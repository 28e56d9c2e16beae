"""Linearity and proportionality: exact cases, SciPy, and simulated dilutions of known truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import curve_fit

from cytocar.statistics.linearity import linearity, proportionality
from tests.statistics.coverage import holds, missed, nominal

LEVELS = np.repeat([1.0, 5.0, 20.0, 50.0, 100.0], 4)


def test_the_weighted_line_is_scipys() -> None:
    rng = np.random.default_rng(1)
    y = 2 + 1.1 * LEVELS + rng.normal(0, 0.05, len(LEVELS)) * LEVELS
    found = linearity(LEVELS, y, power=2)
    (a, b), cover = curve_fit(lambda x, a, b: a + b * x, LEVELS, y, sigma=LEVELS)
    assert (found.intercept.value, found.slope.value) == pytest.approx((a, b), rel=1e-6)
    half = ((found.slope.high or 0) - (found.slope.low or 0)) / 2
    assert half == pytest.approx(2.100922 * np.sqrt(cover[1, 1]), rel=1e-4)  # t(18)


def test_a_curve_is_found_and_its_distance_from_the_line_told() -> None:
    rng = np.random.default_rng(2)
    y = LEVELS - 0.003 * LEVELS**2
    found = linearity(LEVELS, y * (1 + rng.normal(0, 0.01, len(y))))
    assert found.order == 2
    assert found.nonlinearity > 10
    assert found.p_curved is not None
    assert found.p_curved < 1e-6


def test_a_straight_line_has_no_nonlinearity() -> None:
    found = linearity(LEVELS, 3 * LEVELS)
    assert (found.order, found.nonlinearity) == (1, 0.0)
    assert [round(one.value or 0, 9) for one in found.deviations] == [0] * 5


def test_proportionality_of_exact_multiples() -> None:
    fractions = np.repeat([0.1, 0.25, 0.5, 1.0], 9)
    found = proportionality(fractions, 1064 * fractions)
    assert (found.slope.value, found.r2, found.scaled_sse) == pytest.approx((1064, 1, 0))
    shifted = proportionality(fractions, 1064 * fractions + 50)
    assert shifted.scaled_sse > 0.01


@pytest.mark.parametrize("function", [linearity, proportionality])
def test_too_few_levels_are_refused(function: object) -> None:
    assert callable(function)
    with pytest.raises(ValueError, match="at least"):
        function([1, 1, 2, 2, 3, 3], [1, 1, 2, 2, 3, 3])


def test_intervals_of_a_dilution_hold_the_truth_as_often_as_they_say() -> None:
    def study(rng: np.random.Generator) -> list[bool]:
        y = (2 + 1.1 * LEVELS) + rng.normal(0, 0.06, len(LEVELS)) * LEVELS
        found = linearity(LEVELS, y)
        fractions = np.repeat([0.1, 0.25, 0.5, 0.75, 1.0], 6)
        through = proportionality(fractions, 1000 * fractions * (1 + rng.normal(0, 0.05, len(fractions))))
        return [
            holds(found.slope, 1.1),
            holds(found.intercept, 2),
            *(holds(one, 0) for one in found.deviations),
            holds(through.slope, 1000),
            holds(through.cv, 5),
            *(holds(one, 0) for one in through.deviations),
        ]

    assert nominal(missed(study))


def test_fractions_that_all_give_the_same_tell_no_r2() -> None:
    fractions = np.repeat([0.1, 0.25, 0.5, 1.0], 3)
    assert proportionality(fractions, np.full(12, 5.0)).r2 is None
    assert proportionality(fractions, (fractions > 0.9) * 5.0).cv.value == 0
