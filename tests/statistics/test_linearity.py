"""Linearity and proportionality: exact cases, NumPy and SciPy, and simulated dilutions of known truth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.linalg import helmert
from scipy.optimize import curve_fit, minimize_scalar

from cytocar.statistics.estimate import Estimate
from cytocar.statistics.linearity import likeliest_power, linearity, proportionality
from tests.statistics.coverage import holds, missed, nominal

LEVELS = np.repeat([1.0, 5.0, 20.0, 50.0, 100.0], 4)
FRACTIONS = np.repeat([0.1, 0.25, 0.5, 1.0], [3, 5, 2, 4])


def limits(estimate: Estimate) -> tuple[Any, ...]:
    return estimate.low, estimate.value, estimate.high


def around(value: float, half: float) -> Any:
    return pytest.approx((value - half, value, value + half), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("power", [0, 1, 2])
def test_the_weighted_line_is_scipys(power: int) -> None:
    x = np.concatenate([np.zeros(3), LEVELS])  # level 0 has the weight of level 1
    y = 2 + 1.1 * x + np.random.default_rng(1).normal(0, 0.05, len(x)) * (1 + x)
    found = linearity(x, y, power=power)
    (a, b), cover = curve_fit(lambda x, a, b: a + b * x, x, y, sigma=np.maximum(x, 1) ** (power / 2))
    half = stats.t.ppf(0.975, len(x) - 2) * np.sqrt(np.diag(cover))
    assert limits(found.intercept) == around(a, half[0])
    assert limits(found.slope) == around(b, half[1])


def _sensitivities(fit: Any, x: Any, level: float) -> Any:
    """How much (mean of a level's results - line there) moves with each single result, by fits of single ones."""
    ones = np.eye(len(x))
    return np.array([one[x == level].mean() - fit(one)(level) for one in ones])


def _noise(x: Any, y: Any, sigma: Any) -> tuple[float, int]:
    """Pooled standard deviation of replicates divided by ``sigma``, and its degrees of freedom."""
    levels = np.unique(x)
    squares = sum((((y - y[x == level].mean()) / sigma)[x == level] ** 2).sum() for level in levels)
    return np.sqrt(squares / (len(x) - len(levels))), len(x) - len(levels)


@pytest.mark.parametrize("power", [0, 1, 2])
def test_the_interval_of_a_deviation_is_that_of_its_contrast_of_results(power: int) -> None:
    sigma = LEVELS ** (power / 2)
    y = (2 + 1.1 * LEVELS - 0.002 * LEVELS**2) * (1 + np.random.default_rng(3).normal(0, 0.03, len(LEVELS)))

    def fit(results: Any) -> Any:
        return np.poly1d(np.polyfit(LEVELS, results, 1, w=1 / sigma))

    sd, df = _noise(LEVELS, y, sigma)
    for level, one in zip(np.unique(LEVELS), linearity(LEVELS, y, power=power).deviations, strict=True):
        part, line = _sensitivities(fit, LEVELS, level), fit(y)(level)
        half = stats.t.ppf(0.975, df) * sd * np.sqrt(((part * sigma) ** 2).sum())
        assert limits(one) == around(100 * (y[level == LEVELS].mean() - line) / line, 100 * half / line)


def _curved(order: int, noise: float = 0.01) -> Any:
    x = (LEVELS - 50) / 50
    y = 60 + 55 * x + (0, 0, 8, 0)[order] * x**2 + (0, 0, 0, 15)[order] * (x**3 - x)
    return y * (1 + np.random.default_rng(order).normal(0, noise, len(x)))


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("power", [0, 1])
def test_curved_terms_are_tested_and_measured_as_by_numpys_polynomials(order: int, power: int) -> None:
    y, w = _curved(order), LEVELS ** (-power / 2)
    found = linearity(LEVELS, y, power=power)
    fits = {degree: np.polyfit(LEVELS, y, degree, w=w, cov=True) for degree in (1, 2, 3)}
    p = {
        degree: 2 * stats.t.sf(abs(fits[degree][0][0]) / np.sqrt(fits[degree][1][0, 0]), len(y) - degree - 1)
        for degree in (2, 3)
    }
    assert found.p_curved == pytest.approx(min(p.values()), rel=1e-5)
    assert found.order == order
    at = np.unique(LEVELS)
    line, best = (np.polyval(fits[degree][0], at) for degree in (1, order))
    assert found.nonlinearity == pytest.approx(np.max(np.abs(100 * (best - line) / line)), rel=1e-6, abs=1e-9)


def test_a_curved_term_counts_if_its_p_is_below_five_percent() -> None:
    bend, seen = (LEVELS - 50) ** 2 / 2500, set()
    noise = np.random.default_rng(8).normal(0, 1, len(LEVELS))
    for height in np.linspace(0, 2, 200):
        found = linearity(LEVELS, LEVELS + noise + height * bend, power=0)
        assert (found.order > 1) == (found.p_curved < 0.05)
        seen.add((found.order > 1, 0.045 < found.p_curved < 0.055))
    assert {(True, True), (False, True)} <= seen


@pytest.mark.parametrize("order", [2, 3])
def test_results_that_lie_on_a_curve_exactly_are_curved(order: int) -> None:
    found = linearity(LEVELS, _curved(order, noise=0.0), power=0)
    assert (found.order, found.p_curved) == (order, 0.0)


def test_where_the_line_is_not_above_0_there_is_no_deviation_and_no_distance_of_a_curve() -> None:
    x = np.concatenate([np.zeros(4), LEVELS])
    found = linearity(x, x + 0.01 * x**2 + np.tile([-0.1, 0.1], 12), power=0)
    assert found.intercept.value is not None and found.intercept.value < 0
    assert found.order == 2
    assert limits(found.deviations[0]) == (None, None, None)
    assert 0 < found.nonlinearity < np.inf


def test_the_test_of_a_curve_does_not_depend_on_where_the_scale_begins() -> None:
    y = _curved(3)
    near, far = (linearity(start + LEVELS, y, power=0) for start in (0.0, 30_000.0))
    assert far.p_curved == pytest.approx(near.p_curved, rel=1e-3)


def test_nothing_in_percent_depends_on_the_unit_of_the_results() -> None:
    y = _curved(2)
    large, small = linearity(LEVELS, y), linearity(LEVELS, y / 1e4)
    assert small.nonlinearity == pytest.approx(large.nonlinearity)
    for one, other in zip(small.deviations, large.deviations, strict=True):
        assert limits(one) == pytest.approx(limits(other))
    results = 1000 * FRACTIONS * (1 + np.random.default_rng(4).normal(0, 0.05, len(FRACTIONS)))
    many, few = proportionality(FRACTIONS, results), proportionality(FRACTIONS, results / 1e6)
    assert (few.r2, few.scaled_sse, few.cv.value) == pytest.approx((many.r2, many.scaled_sse, many.cv.value))
    for one, other in zip(few.deviations, many.deviations, strict=True):
        assert limits(one) == pytest.approx(limits(other))


def test_a_straight_line_has_no_nonlinearity() -> None:
    found = linearity(LEVELS, 3 * LEVELS)
    assert (found.order, found.p_curved, found.nonlinearity) == (1, 1.0, 0.0)
    assert [round(one.value or 0, 9) for one in found.deviations] == [0] * 5


def test_single_tubes_tell_a_line_and_deviations_without_intervals() -> None:
    x = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    line = linearity(x, x + np.array([0.1, -0.1, 0.05, 0, 0.1]))
    through = proportionality(x / 5, x + np.array([0.1, -0.1, 0.05, 0, 0.1]))
    assert line.slope.low is not None and through.slope.low is not None
    assert limits(through.cv) == (None, None, None)
    for one in (*line.deviations, *through.deviations):
        assert one.value is not None
        assert (one.low, one.high) == (None, None)


def test_proportionality_of_exact_multiples() -> None:
    fractions = np.repeat([0.1, 0.25, 0.5, 1.0], 9)
    found = proportionality(fractions, 1064 * fractions)
    assert (found.slope.value, found.r2, found.scaled_sse) == pytest.approx((1064, 1, 0))
    shifted = proportionality(fractions, 1064 * fractions + 50)
    assert shifted.scaled_sse > 0.01


@pytest.mark.parametrize("power", [0, 1, 2])
def test_the_line_through_the_origin_is_scipys_through_the_means(power: int) -> None:
    x = np.concatenate([np.zeros(2), FRACTIONS])  # tubes without the specimen are left out
    y = 1000 * x * (1 + 0.1 * x) * (1 + np.random.default_rng(6).normal(0, 0.05, len(x))) + 3 * (x == 0)
    found = proportionality(x, y, power=power)
    levels, counts = np.unique(FRACTIONS, return_counts=True)
    means = np.array([y[x == level].mean() for level in levels])
    (b,), cover = curve_fit(lambda x, b: b * x, levels, means, sigma=levels ** (power / 2) / np.sqrt(counts))
    assert limits(found.slope) == around(b, stats.t.ppf(0.975, len(levels) - 1) * np.sqrt(cover[0, 0]))
    assert found.r2 == pytest.approx(1 - ((means - b * levels) ** 2).sum() / ((means - means.mean()) ** 2).sum())
    assert found.scaled_sse == pytest.approx(((means / (b * levels) - 1) ** 2).sum())

    sigma = FRACTIONS ** (power / 2)

    def fit(results: Any) -> Any:
        slope = (FRACTIONS * results / sigma**2).sum() / ((FRACTIONS / sigma) ** 2).sum()
        return lambda level: slope * level

    sd, df = _noise(FRACTIONS, y[2:], sigma)
    for level, mean, one in zip(levels, means, found.deviations, strict=True):
        half = stats.t.ppf(0.975, df) * sd * np.sqrt(((_sensitivities(fit, FRACTIONS, level) * sigma) ** 2).sum())
        assert limits(one) == around(100 * (mean / (b * level) - 1), 100 * half / (b * level))
    parts = [y[x == level] / y[x == level].mean() - 1 for level in levels]
    squares = 1e4 * (np.concatenate(parts) ** 2).sum()
    expected = [np.sqrt(squares / at) for at in (stats.chi2.ppf(0.975, df), df, stats.chi2.ppf(0.025, df))]
    assert limits(found.cv) == pytest.approx(tuple(expected))


def _likelihood(power: int, x: Any, y: Any) -> float:
    """Return the largest log likelihood of replicates' contrasts, whose SD is that of the level to half the power."""
    lowest = x[x > 0].min()
    standard = np.concatenate(
        [(helmert((x == level).sum()) @ y[x == level]) / max(level, lowest) ** (power / 2) for level in np.unique(x)]
    )
    jacobian = sum(((x == level).sum() - 1) * np.log(max(level, lowest)) * power / 2 for level in np.unique(x))
    best = minimize_scalar(lambda log_sd: -stats.norm.logpdf(standard, scale=np.exp(log_sd)).sum(), (-5, 0))
    return float(-best.fun - jacobian)


def test_the_weights_are_those_under_which_the_replicates_are_likeliest() -> None:
    chosen = []
    for seed in range(60):
        rng = np.random.default_rng((11, seed))
        x = np.repeat([0.0, 0.5, 1.0, 4.0, 9.0, 30.0], rng.integers(2, 6, 6))
        y = x + rng.normal(0, 1, len(x)) * np.maximum(x, 0.5) ** rng.uniform(0, 1)
        power = likeliest_power(x, y)
        assert power == max((0, 1, 2), key=lambda one: _likelihood(one, x, y))
        chosen.append(power)
    assert {0, 1, 2} == set(chosen)
    single = np.arange(1.0, 6)
    assert likeliest_power(single, single**2) == likeliest_power(LEVELS, LEVELS) == 1


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
