"""How long B cells stay below a threshold, between the visits that bound it."""

from __future__ import annotations

import pytest

from cytocar.course.aplasia import aplasia


def test_the_duration_lies_between_the_visits_on_either_side() -> None:
    found = aplasia([180, -5, 14, 90, 200], [25, 80, 0, 0.1, 1], threshold_per_ul=10, subject_id="P1")
    assert (found.first_day_below, found.last_day_below, found.recovered_day) == (14, 90, 180)
    assert (found.shortest_days, found.longest_days) == (76, 185)
    assert not found.ongoing
    assert found.note == ""


def test_b_cells_that_have_not_come_back_make_the_duration_a_minimum() -> None:
    found = aplasia([-5, 14, 730], [80, 0, 0], threshold_per_ul=10)
    assert found.ongoing
    assert (found.shortest_days, found.longest_days) == (716, None)
    assert "at least" in found.note


@pytest.mark.parametrize("before", [[], [(-5, 3)]])
def test_aplasia_from_before_infusion_has_no_known_beginning(before: list[tuple[float, float]]) -> None:
    visits = [*before, (14, 0), (90, 50)]
    found = aplasia([day for day, _ in visits], [value for _, value in visits], threshold_per_ul=10)
    assert (found.shortest_days, found.longest_days) == (0, None)
    assert "beginning is not known" in found.note


def test_a_subject_without_aplasia_has_no_duration() -> None:
    assert aplasia([0, 30], [50, 60], threshold_per_ul=10).note == "never below the threshold after infusion"
    assert aplasia([], [], threshold_per_ul=10).note == "no B cells were counted"
