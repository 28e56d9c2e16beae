"""What the page is told about a gate that is moved: outline, events, the sample before and after, what follows."""

from __future__ import annotations

import pytest

from cytocar.run.parts import PARTS, Parts
from tests.review.visitor import Visitor


def differing(said: dict[str, list[dict[str, str]]]) -> set[str]:
    return {one["name"] for one in said["compared"] if one["before"] != one["after"]}


def test_a_gate_left_alone_changes_nothing(course: Visitor) -> None:
    where = course.gate("day09", "car_t")
    said = course.attempt(where, typed={}, whole=True)
    assert said["changed"] is False
    assert differing(said) == set()
    assert said["consequences"] == []


def test_a_drag_is_answered_with_the_number_for_the_field_and_the_gate_s_new_line(course: Visitor) -> None:
    where = course.gate("day09", "car_t")
    still = course.attempt(where, typed={})
    (edge,) = still["handles"]
    drag = {"view": edge["view"], "handle": edge["id"], "x": 0, "y": edge["y"] + 0.1}
    said = course.attempt(where, typed={}, drag=drag)
    assert "compared" not in said  # at once: the sample is counted when the hand rests
    assert float(said["numbers"]["threshold"]) > 1000
    assert said["handles"][0]["y"] == pytest.approx(edge["y"] + 0.1, abs=1e-3)
    assert said["outlines"] != still["outlines"]
    assert int(said["events"]) < int(still["events"])
    typed = course.attempt(where, typed=said["numbers"])
    assert (typed["events"], typed["outlines"]) == (said["events"], said["outlines"])


def test_a_polygon_goes_on_from_where_it_was_dragged_to(course: Visitor) -> None:
    where = course.gate("day09", "singlets")
    (whole,) = course.attempt(where, typed={})["handles"]
    drag = {"view": whole["view"], "handle": "whole", "x": whole["x"] + 0.02, "y": whole["y"]}
    once = course.attempt(where, typed={}, drag=drag)
    assert once["handles"][0]["x"] == pytest.approx(whole["x"] + 0.02, abs=1e-3)
    further = {**drag, "x": drag["x"] + 0.02}
    twice = course.attempt(where, typed=once["numbers"], drag=further)
    assert twice["handles"][0]["x"] == pytest.approx(whole["x"] + 0.04, abs=1e-3)


def test_gates_that_hang_on_the_moved_one_are_named_with_their_new_numbers(course: Visitor) -> None:
    said = course.attempt(course.gate("day09", "bright_cd45"), typed={"threshold": "8000"}, whole=True)
    assert said["consequences"][0] == "t_cells: threshold 860.272 → 780.599, valley of this sample"
    assert {"car_per_ul", "t_cells_per_ul"} <= differing(said)


def test_the_numbers_shown_are_those_that_the_tables_will_hold(course: Visitor) -> None:
    where = course.gate("day09", "car_t")
    said = course.attempt(where, typed={"threshold": "900"}, whole=True)
    course.save(where, threshold="900")
    after = Parts(course.run / PARTS).read("day09")
    assert after is not None
    row = after.row()
    shown = {one["name"]: one["after"] for one in said["compared"]}
    assert shown["car_report"] == row["car_report"]
    assert shown["car_per_ul"] == f"{row['car_per_ul']:.6g}"
    assert shown["car_per_ul_interval"] == f"{row['car_per_ul_low']:.6g} to {row['car_per_ul_high']:.6g}"
    assert shown["status"] == row["status"]


def test_taking_a_move_back_can_be_looked_at_first(course: Visitor) -> None:
    where = course.gate("day09", "car_t")
    before = {one["name"]: one["before"] for one in course.attempt(where, typed={}, whole=True)["compared"]}
    course.save(where, threshold="900")
    said = course.attempt(where, typed={}, undo=True)
    assert {one["name"]: one["after"] for one in said["compared"]} == before


def test_every_number_that_is_compared_has_a_name(course: Visitor) -> None:
    from cytocar.review.preview import compared

    row = next(item.outcome.row() for item in course.session.opened().items)
    assert all(one.label for one in compared(row, row))
