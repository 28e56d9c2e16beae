"""Rates from logarithms: least squares where all is measured, maximum likelihood where some is below a limit."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import linregress, t

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


def test_two_values_have_the_interval_of_their_counts() -> None:
    found = rate_per_day([LogValue(0, 10, sd=0.1), LogValue(2, 40, sd=0.2)])
    assert found.per_day == pytest.approx(math.log(4) / 2)
    assert found.high == pytest.approx(math.log(4) / 2 + 1.96 * math.hypot(0.1, 0.2) / 2)


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
    assert bend_p(bent, 3) == pytest.approx(0, abs=1e-9)
    assert bend_p([LogValue(day, 1.0) for day in range(7)], 3) is None


def test_a_bend_is_judged_from_four_values_with_one_before_and_one_after() -> None:
    values = [LogValue(0, 1), LogValue(1, 3), LogValue(2, 8), LogValue(3, 9)]
    assert bend_p(values, 1) is not None
    assert bend_p(values, 0) is None
    assert bend_p(values, 3) is None
    assert bend_p(values[:3], 1) is None
