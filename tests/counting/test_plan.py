"""How many T cells a limit of detection needs."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import gamma

from cytocar.counting.blank_rates import BlankRates, assumed_rates, measured_rates
from cytocar.counting.plan import blood_ul, t_cells_needed
from cytocar.gates.decision import Background
from cytocar.statistics.detection import limit_of_detection


@pytest.mark.parametrize(
    ("background_percent", "t_cells"), [(0.0, 3024), (0.01, 6316), (0.02, 9215), (0.05, 32_790), (0.08, 247_322)]
)
def test_counting_alone_needs_as_many_t_cells_as_published_for_a_tenth_of_a_percent(
    background_percent: float, t_cells: int
) -> None:
    """Background and CAR+ together 0.1 %, the background known, no least number of events (Currie)."""

    def share(n: int) -> float:
        return limit_of_detection(background_percent / 100 * n) / n

    assert share(t_cells) <= 0.001 < share(round(0.95 * t_cells))


def test_without_background_thirteen_events_in_95_of_100_tubes_need_19_4_expected() -> None:
    needed = t_cells_needed(0.1, assumed_rates(0.0), fewest_events=13)
    assert needed == pytest.approx(19_443, rel=0.01)
    assert t_cells_needed(0.01, assumed_rates(0.0), fewest_events=13) == pytest.approx(194_430, rel=0.01)


def test_a_tenth_of_a_percent_cannot_be_reached_over_a_background_of_as_much_that_varies_by_a_third() -> None:
    sticky = measured_rates(Background(100, 100_000, (), between_cv=0.354))
    assert t_cells_needed(0.1, sticky, fewest_events=13) is None
    reached = sticky.smallest_detected(100_000, sticky.needed(100_000, 13))
    assert reached == pytest.approx(0.00153, abs=0.00005)


def test_the_limit_holds_with_the_t_cells_that_were_planned_and_not_with_a_tenth_fewer() -> None:
    blank = measured_rates(Background(50, 100_000, ()))
    needed = t_cells_needed(0.1, blank, fewest_events=13)
    assert needed is not None
    for t_cells, holds in ((needed, True), (round(0.9 * needed), False)):
        smallest = blank.smallest_detected(t_cells, blank.needed(t_cells, 13))
        assert smallest is not None and (smallest <= 0.001) == holds


def test_blood_follows_from_the_patient_s_t_cells() -> None:
    assert blood_ul(32_790, t_cells_per_ul=25) / 1000 == pytest.approx(1.3, abs=0.02)
    assert blood_ul(1000, t_cells_per_ul=10, acquired_share=0.5) == 200


@pytest.mark.parametrize("sensitivity", [1.0, 0.5])
@pytest.mark.parametrize("percent", [0.05, 1.0, 3.0, 50.0])
def test_without_background_so_many_are_needed_as_a_gamma_quantile_says(percent: float, sensitivity: float) -> None:
    needed = t_cells_needed(percent, assumed_rates(0.0), fewest_events=13, sensitivity=sensitivity)
    exact = gamma.ppf(0.95, 13) / sensitivity / percent * 100
    assert needed is not None
    assert exact <= needed <= 1.01 * exact + 1


def test_a_limit_that_takes_more_than_a_tube_ever_holds_cannot_be_reached() -> None:
    most = 100 * gamma.ppf(0.95, 13) / 20_000_000
    assert t_cells_needed(0.99 * most, assumed_rates(0.0), fewest_events=13) is None
    nearly = t_cells_needed(1.01 * most, assumed_rates(0.0), fewest_events=13)
    assert nearly == pytest.approx(20_000_000, rel=0.02)


def test_a_claim_on_one_event_needs_twice_what_holds_one_in_95_of_100_tubes() -> None:
    """Beyond half of all T cells nothing is claimed, whatever the aim."""
    none = BlankRates(np.zeros(1), np.ones(1))
    for percent in (50.0, 100.0):
        assert t_cells_needed(percent, none, fewest_events=1) == math.ceil(2 * gamma.ppf(0.95, 1))
