"""Limits of counts against the reference values and SciPy's Poisson, and the events that a claim needs."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import poisson

from cytocar.statistics.detection import claim_supported, events_needed, limit_of_blank, limit_of_detection


@pytest.mark.parametrize(
    ("background", "blank", "detection"),
    [(0, 0, 3.00), (1, 3, 7.75), (5, 9, 15.71), (13, 19, 27.88)],
)
def test_limits_of_blank_and_detection_are_the_reference_values(background: int, blank: int, detection: float) -> None:
    assert limit_of_blank(background) == blank
    assert round(limit_of_detection(background), 2) == detection


@given(st.floats(0, 5000))
def test_limit_of_blank_is_the_smallest_count_that_holds_95_percent(background: float) -> None:
    blank = limit_of_blank(background)
    assert poisson.cdf(blank, background) >= 0.95
    assert blank == 0 or poisson.cdf(blank - 1, background) < 0.95
    assert poisson.sf(blank, limit_of_detection(background)) == pytest.approx(0.95, abs=1e-6)


@pytest.mark.parametrize("background", [-1.0, math.nan, math.inf])
def test_a_background_that_is_no_count_is_refused(background: float) -> None:
    with pytest.raises(ValueError, match="background_events"):
        limit_of_blank(background)


@pytest.mark.parametrize(
    ("percent", "events", "needed"),
    [
        (0.1, 13, 13_000),
        (0.1, 22, 22_000),
        (0.1, 50, 50_000),
        (100, 5, 5),
        (0.3, 1, 334),
        (0.07, 7, 10_000),
        (30, 1, 4),
    ],
)
def test_a_claim_needs_its_t_cells_and_no_more(percent: float, events: int, needed: int) -> None:
    assert events_needed(percent, events) == needed
    assert claim_supported(needed, percent, events)
    assert not claim_supported(needed - 1, percent, events)


@pytest.mark.parametrize("percent", [0.0, -1.0, 100.1, math.nan])
def test_a_claim_outside_0_to_100_percent_is_refused(percent: float) -> None:
    with pytest.raises(ValueError, match="percent"):
        events_needed(percent, 13)
