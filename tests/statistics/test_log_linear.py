"""Rates from logarithms: least squares where all is measured, maximum likelihood where some is below a limit."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar
from scipy.stats import linregress, norm, t

from cytocar.statistics.log_linear import LogValue, bend_p, rate_per_day


def test_without_limits_it_is_least_squares_with_a_t_interval() -> None:
    days, values = [1, 3, 5, 7], [0.95, 9.6, 90.6, 478.0]
    line = linregress(days, np.log(values))
    found = rate_per_day([LogValue(day, value) for day, value in zip(days, values, strict=True)])
    half = t.ppf(0.975, 2) * line.stderr
    assert (found.per_day, found.low, found.high) == pytest.approx((line.slope, line.slope - half, line.slope + half))


def test_the_rate_of_censored_curves_is_unbiased_where_leaving_out_is_not() -> None:
    rng = np.random.default_rng(5)
    with_limits, left_out = [], []
    for _ in range(60):
        logs = 2 - 0.4 * np.arange(8) + rng.normal(0, 0.8, 8)
        values = [LogValue(day, max(math.exp(log), 1.0), below=log < 0) for day, log in enumerate(logs)]
        measured = [value for value in values if not value.below]
        if len(measured) < 3:
            continue
        with_limits.append(rate_per_day(values).per_day or 0)
        left_out.append(rate_per_day(measured).per_day or 0)
    assert np.mean(with_limits) == pytest.approx(-0.4, abs=0.05)
    assert np.mean(left_out) > -0.33


def _profile(measured: Sequence[LogValue], below: Sequence[LogValue]) -> Callable[[float], float]:
    """Return minus the log likelihood of a slope, level and scatter being what makes it largest."""

    def of_slope(slope: float) -> float:
        def loss(parameters: NDArray[np.float64]) -> float:
            level, sd = parameters[0], np.exp(parameters[1])
            seen = norm.logpdf([math.log(v.value) for v in measured], [level + slope * v.day for v in measured], sd)
            less = norm.logcdf([math.log(v.value) for v in below], [level + slope * v.day for v in below], sd)
            return float(-np.sum(seen) - np.sum(less))

        start = [np.mean([math.log(v.value) - slope * v.day for v in measured]), -1.0]
        return float(minimize(loss, start, method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-13}).fun)

    return of_slope


@pytest.mark.parametrize("seed", range(3))
def test_with_limits_it_is_the_maximum_of_the_likelihood_and_its_curvature(seed: int) -> None:
    rng = np.random.default_rng((3, seed))
    logs = 2.2 - 0.5 * np.arange(9) + rng.normal(0, 0.5, 9)
    measured = [LogValue(3.0 + day, math.exp(log)) for day, log in enumerate(logs) if log >= 0]
    below = [LogValue(3.0 + day, 1.0 + 0.1 * day, below=True) for day, log in enumerate(logs) if log < 0]
    assert len(below) > 1
    found, profile = rate_per_day([*measured, *below]), _profile(measured, below)
    best = minimize_scalar(profile, (-0.7, -0.3), tol=1e-9).x
    step = 0.01
    curvature = (profile(best + step) - 2 * profile(best) + profile(best - step)) / step**2
    half = t.ppf(0.975, 7) * math.sqrt(9 / 7 / curvature)
    assert found.per_day == pytest.approx(best, abs=2e-5)
    assert (found.low, found.high) == pytest.approx((best - half, best + half), abs=2e-3)
    assert (found.method, found.n_values) == ("maximum likelihood, censored", 9)
    assert found.n_below == len(below)


def test_values_on_a_line_have_no_interval_and_beside_a_limit_that_of_one_percent() -> None:
    values = [LogValue(day, 100 * 0.5**day) for day in (1.0, 2.0, 4.0)]
    exact = rate_per_day(values)
    assert exact.low == pytest.approx(exact.high, abs=1e-12)
    beside = rate_per_day([*values, LogValue(5.0, 90.0, below=True)])
    sum_of_squares = sum((day - 7 / 3) ** 2 for day in (1, 2, 4))
    half = t.ppf(0.975, 2) * 0.01 * math.sqrt(2 / sum_of_squares)  # n / (n - 2) = 2
    assert beside.per_day == pytest.approx(math.log(0.5), abs=1e-6)
    assert (beside.high or 0) - (beside.low or 0) == pytest.approx(2 * half, rel=1e-3)


def test_two_values_have_the_interval_of_their_counts() -> None:
    found = rate_per_day([LogValue(5, 40, sd=0.2), LogValue(3, 10, sd=0.1)])
    half = 1.96 * math.hypot(0.1, 0.2) / 2
    assert found.per_day == pytest.approx(math.log(4) / 2)
    assert (found.low, found.high) == pytest.approx((math.log(4) / 2 - half, math.log(4) / 2 + half))
    assert found.method == "two values, interval of their counts"


@pytest.mark.parametrize("sds", [(None, None), (0.1, None), (None, 0.1)])
def test_two_values_without_errors_have_a_rate_and_no_interval(sds: tuple[float | None, float | None]) -> None:
    found = rate_per_day([LogValue(3, 10, sd=sds[0]), LogValue(5, 40, sd=sds[1])])
    assert found.per_day == pytest.approx(math.log(4) / 2)
    assert (found.low, found.high, found.method) == (None, None, "two values")


def test_a_value_that_is_followed_by_one_below_its_limit_falls_at_least_so_fast() -> None:
    one, later = LogValue(2, 100), [LogValue(4, 10, below=True), LogValue(12, 1, below=True)]
    found = rate_per_day([LogValue(1, 0.5, below=True), one, *later])
    assert (found.per_day, found.low, found.method) == (None, None, "bound: below the limit later")
    assert found.high == pytest.approx(math.log(0.1) / 2)  # the steeper of the two
    assert (found.n_values, found.n_below) == (4, 3)


@pytest.mark.parametrize(
    "values",
    [
        [LogValue(2, 100)],
        [LogValue(2, 100), LogValue(2, 10, below=True)],
        [LogValue(1, 10, below=True), LogValue(2, 100)],
        [LogValue(2, 100), LogValue(2, 110)],
        [LogValue(2, 100), LogValue(2, 110), LogValue(3, 50)],
        [LogValue(2, 10, below=True), LogValue(3, 10, below=True)],
    ],
)
def test_fewer_values_have_no_rate(values: list[LogValue]) -> None:
    found = rate_per_day(values)
    assert (found.per_day, found.low, found.high, found.method) == (None, None, None, "too few values")


def test_a_bend_needs_four_values_and_one_on_each_side() -> None:
    values = [LogValue(day, 2.0**day) for day in range(3)]
    assert bend_p(values, 1) is None
    assert bend_p([*values, LogValue(3, 9)], 5) is None


def test_a_bend_has_the_p_of_the_coefficient_s_t_test() -> None:
    days = np.array([0.0, 1, 2, 3, 5, 8, 9])
    logs = np.array([0.1, 0.9, 2.2, 2.9, 3.4, 3.1, 4.0])
    values = [LogValue(float(day), math.exp(log)) for day, log in zip(days, logs, strict=True)]
    model = np.column_stack([np.ones(7), days, np.clip(days - 3, 0, None)])
    inverse = np.linalg.inv(model.T @ model)
    coefficients = inverse @ model.T @ logs
    variance = np.sum((logs - model @ coefficients) ** 2) / 4
    statistic = coefficients[2] / math.sqrt(variance * inverse[2, 2])
    assert bend_p(values, 3) == pytest.approx(2 * t.sf(abs(statistic), 4))
    limit = LogValue(4, 1000.0, below=True)
    assert bend_p([*values, limit], 3) == bend_p(values, 3)


def test_a_bend_without_any_scatter_is_certain_and_a_straight_line_tells_nothing() -> None:
    bent = [LogValue(day, 2.0 ** min(day, 3)) for day in range(7)]
    assert bend_p(bent, 3) == 0
    assert bend_p([LogValue(day, 1.0) for day in range(7)], 3) is None


def test_a_bend_is_judged_from_four_values_with_one_before_and_one_after() -> None:
    values = [LogValue(0, 1), LogValue(1, 3), LogValue(2, 8), LogValue(3, 9)]
    assert bend_p(values, 1) is not None
    assert bend_p(values, 0) is None
    assert bend_p(values, 3) is None
    assert bend_p(values[:3], 1) is None
