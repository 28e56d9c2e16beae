"""Values below a limit count as such: in the area, in the half-life, and in what the peak is at most."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cytocar.kinetics import Kinetics, noncompartmental
from cytocar.statistics.estimate import Estimate

LOST, SEEN = "not_detected", "quantified"


def course(days: list[float], values: list[float], limits: list[float | None]) -> Kinetics:
    """Return the kinetics of values of which 0 is one below its limit, each known to 20 %."""
    intervals = [Estimate(value, 0.8 * value, 1.2 * value) for value in values]
    results = [SEEN if value else LOST for value in values]
    return noncompartmental(days, values, results=results, intervals=intervals, limits=limits)


def test_a_value_below_its_limit_between_two_results_is_neither_left_out_nor_nothing() -> None:
    found = course([0, 4, 14, 28], [1, 10, 0, 4], [None, None, 1.0, None])
    assert (found.n_censored, found.n_quantified) == (1, 3)
    left_out = found.auc_0_28
    at_its_limit = noncompartmental([0, 4, 14, 28], [1, 10, 1.0, 4]).auc_0_28
    assert left_out is not None and at_its_limit is not None
    low, area, high = found.auc_0_28_censored_low, found.auc_0_28_censored, found.auc_0_28_censored_high
    assert low is not None and area is not None and high is not None
    assert area == pytest.approx(at_its_limit, rel=0.02)  # the line between its neighbours lies far above the limit
    assert area < 0.8 * left_out
    assert low < 0.95 * area < area < high


def test_without_values_below_a_limit_nothing_changes() -> None:
    found = course([0, 7, 14, 21, 28], [1, 40, 20, 10, 5.1], [None] * 5)
    assert found.auc_0_28_censored == found.auc_0_28
    assert found.half_life_days_censored == found.half_life_days
    assert found.cmax_per_ul_at_most == found.cmax_per_ul_high


def test_the_peak_may_hide_below_the_limit_of_another_tube() -> None:
    assert course([4, 14], [3, 0], [None, 9.0]).cmax_per_ul_at_most == 9.0
    assert course([7, 14], [0, 0], [2.0, 0.5]).cmax_per_ul_at_most == 2.0
    assert course([7, 14], [3, 0], [None, None]).cmax_per_ul_at_most is None


def test_a_fall_below_the_limit_tells_the_half_life_that_two_numbers_do_not() -> None:
    days = [7.0, 10.0, 14.0, 21.0, 28.0]
    found = course(days, [64, 32, 12.7, 0, 0], [None, None, None, 4.0, 4.0])
    assert found.half_life_days is None
    assert found.half_life_days_censored == pytest.approx(3.0, rel=0.15)
    flat = course(days, [20, 19, 21, 0, 20], [None, None, None, 40.0, None])
    assert flat.half_life_days_censored is None


def test_the_interval_of_the_half_life_holds_the_truth_where_the_end_lies_below_the_limit() -> None:
    days = np.array([7.0, 9, 11, 14, 17, 21, 24, 28, 35])
    true, held, known = 50 * 0.5 ** ((days - 7) / 6), 0, 0
    for seed in range(60):
        random = np.random.default_rng(seed)
        values = true * np.exp(random.normal(0, 0.25, len(days)))
        found = course(days.tolist(), np.where(values > 5, values, 0).tolist(), [5.0] * len(days))
        if found.half_life_days_censored is not None:
            known += 1
            low, high = found.half_life_days_censored_low, found.half_life_days_censored_high
            held += (low or 0.0) <= 6 <= (high or math.inf)
    assert known >= 57
    assert held >= 0.85 * known  # 93-98 % of 300
