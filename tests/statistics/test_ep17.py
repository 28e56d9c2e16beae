"""Limits of blank and detection against their formulas, and simulated blanks of known truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, chi2, nct

from cytocar.statistics.detection import limit_of_blank, limit_of_detection
from cytocar.statistics.ep17 import blank_limit, detection_limit, event_limits, lowest_that_meets
from cytocar.statistics.estimate import Estimate
from tests.statistics.coverage import holds, missed, nominal


def test_the_limit_of_blank_of_normal_blanks_is_the_guidelines() -> None:
    blanks = np.random.default_rng(1).normal(2, 1, 60)
    found = blank_limit(blanks.tolist())
    assert found.method == "normal blanks"
    factor = 1.6448536 / (1 - 1 / (4 * 59))
    assert found.limit.value == pytest.approx(blanks.mean() + factor * blanks.std(ddof=1), rel=1e-7)


def test_the_limit_of_blank_of_ranked_blanks_is_the_guidelines() -> None:
    blanks = [0.0] * 50 + [float(value) for value in range(1, 11)]
    found = blank_limit(blanks)  # rank 0.5 + 0.95 x 60 = 57.5: between the 57th (7) and the 58th (8)
    assert (found.method, found.limit.value) == ("ranked blanks", 7.5)
    assert found.limit.high is None  # 60 tubes have no upper limit of their 95th percentile
    assert blank_limit([1.0] * 4).limit.value == blank_limit([1.0] * 3).limit.value == 1.0


@pytest.mark.parametrize("n", [20, 60, 100, 200])
def test_the_interval_of_ranked_blanks_leaves_two_and_a_half_percent_on_either_side(n: int) -> None:
    """Of n tubes Binomial(n, 0.95) lie below the 95th percentile; the limits are the nearest ranks that hold."""
    found = blank_limit([float(rank) ** 9 for rank in range(1, n + 1)])
    below = binom(n, 0.95)
    first = next(rank for rank in range(n, 0, -1) if below.cdf(rank - 1) <= 0.025)
    last = next((rank for rank in range(1, n + 1) if below.sf(rank - 1) <= 0.025), None)
    assert found.method == "ranked blanks"
    assert found.limit.low == float(first) ** 9
    assert found.limit.high == (None if last is None else float(last) ** 9)


def test_the_interval_of_normal_blanks_is_that_of_a_normal_quantile() -> None:
    blanks = np.random.default_rng(1).normal(2, 1, 60)
    found = blank_limit(blanks.tolist()).limit
    factors = nct.ppf([0.025, 0.975], 59, 1.6448536 * np.sqrt(60)) / np.sqrt(60)
    assert (found.low, found.high) == pytest.approx(tuple(blanks.mean() + factors * blanks.std(ddof=1)), rel=1e-6)


def test_the_interval_of_the_limit_of_detection_joins_those_of_its_parts() -> None:
    found = detection_limit(Estimate(3.0, 2.5, 3.8), [[4.0, 6.0], [9.0, 11.0, 10.0]])
    sd = np.sqrt(4 / 3)
    narrow, wide = (sd * np.sqrt(3 / chi2.ppf(p, 3)) for p in (0.975, 0.025))
    low = 3 + 1.6448536 * sd - np.hypot(0.5, 1.6448536 * (sd - narrow))
    high = 3 + 1.6448536 * sd + np.hypot(0.8, 1.6448536 * (wide - sd))
    assert (found.limit.low, found.limit.high) == pytest.approx((low, high), rel=1e-6)
    assert "3 degrees of freedom" in found.method
    unknown = detection_limit(Estimate(3.0, None, None), [[4.0, 6.0]]).limit
    assert (unknown.low, unknown.high) == (None, None)


def test_the_limit_of_detection_adds_the_pooled_scatter_of_low_samples() -> None:
    found = detection_limit(Estimate(3.0, 2.5, 3.8), [[4.0, 6.0], [9.0, 11.0, 10.0]])
    sd = np.sqrt((2 + 2) / 3)
    assert found.limit.value == pytest.approx(3 + 1.6448536 / (1 - 1 / 12) * sd)
    with pytest.raises(ValueError, match="two tubes"):
        detection_limit(Estimate(3.0, None, None), [[4.0]])


@pytest.mark.parametrize(("events", "blank", "detection"), [(0, 0, 2.9957), (50, 3, 7.7537), (250, 9, 15.7052)])
def test_event_limits_are_those_of_the_background(events: int, blank: int, detection: float) -> None:
    found = event_limits(events, 100_000, 2_000)
    assert (found[0].value, round(found[1].value or 0, 4)) == (blank, detection)


def test_the_lowest_level_is_the_one_above_which_all_meet() -> None:
    levels = [(1.0, 15.0, 2.0), (5.0, 30.0, 2.0), (10.0, 12.0, 3.0), (50.0, 5.0, float("nan"))]
    assert lowest_that_meets(levels, cv=20, bias=15) == (10.0, 5.0)
    assert lowest_that_meets(levels, cv=3, bias=None) == (None, 50.0)
    assert lowest_that_meets(levels, cv=40, bias=None) == (1.0, None)
    at_the_limit = [(1.0, 20.0, 16.0), (5.0, 20.0, -15.0), (10.0, 20.0, 15.0)]
    assert lowest_that_meets(at_the_limit, cv=20, bias=15) == (5.0, 1.0)
    assert lowest_that_meets([(1.0, 5.0, -16.0), (5.0, 5.0, 0.0)], cv=20, bias=15) == (5.0, 1.0)


def test_intervals_of_limits_hold_the_truth_as_often_as_they_say() -> None:
    def study(rng: np.random.Generator) -> list[bool]:
        blank = blank_limit(rng.normal(2, 1, 30).tolist()).limit
        detection = detection_limit(blank, [rng.normal(5, 1.3, 6).tolist() for _ in range(5)]).limit
        by_events = event_limits(int(rng.poisson(20)), 100_000, 20_000)
        return [
            holds(blank, 2 + 1.644854),
            holds(detection, 2 + 1.644854 + 1.644854 * 1.3),
            holds(by_events[0], limit_of_blank(4)),
            holds(by_events[1], limit_of_detection(4)),
        ]

    *normal, blank_events, detection_events = missed(study)
    assert nominal(normal)
    assert max(blank_events, detection_events) <= 6  # whole events: exact intervals err on the safe side
