"""What the tables of course.html say of a number: how sure it is, and what if there was nothing to count."""

from __future__ import annotations

from msgspec.structs import replace

from cytocar.counting.limits import three_digits
from cytocar.course.cohort import spreads
from cytocar.kinetics.parameters import Kinetics
from cytocar.report.course.page import kinetics_listing, p_text, peaks_listing, points_listing, spreads_listing
from cytocar.sample.result import Status
from tests.courses import course_of


def _kinetics(*counts: tuple[float, float | None]) -> Kinetics:
    return course_of(*counts).kinetics()


FALLING = ((1, 1.0), (3, 10.0), (5, 100.0), (7, 50.0), (9, 25.2), (11, 12.0))


def _table(kinetics: Kinetics) -> dict[str, tuple[str, ...]]:
    return {line.cells[0]: line.cells[1:] for line in kinetics_listing(kinetics).lines}


def test_half_life_and_doubling_time_have_their_intervals() -> None:
    kinetics = _kinetics(*FALLING)
    for name, row in (("doubling_time_days", "Doubling time, days"), ("half_life_days", "Half-life, days")):
        low, high = getattr(kinetics, f"{name}_low"), getattr(kinetics, f"{name}_high")
        assert low is not None
        assert high is not None
        assert _table(kinetics)[row][1] == f"{three_digits(low)}–{three_digits(high)}"


def test_persistence_that_goes_on_is_at_least_so_long() -> None:
    going_on, over = _kinetics(*FALLING), _kinetics(*FALLING, (28.5417, 0))
    assert _table(going_on)["Persistence, days"][0] == "≥ 11"
    assert _table(over)["Persistence, days"][0] == "11"
    assert [line.cells[-1] for line in peaks_listing([going_on, over]).lines] == ["≥ 11", "11"]
    table = spreads_listing(list(spreads([going_on, over])), still_detected=1)
    assert "until the last sample in 1 of 2" in table.caption
    assert [line.cells[0] for line in table.lines][:2] == ["Peak (Cmax), cells/µL", "Day of the peak (Tmax)"]


def test_where_nothing_can_be_evaluated_nothing_is_said_to_be_absent() -> None:
    assert _table(_kinetics((10, None)))["Persistence, days"] == ("–", "", "no sample can be evaluated")
    assert _table(_kinetics((10, 0)))["Persistence, days"] == ("–", "", "cells were never detected")
    (line,) = points_listing(course_of((10.3333, None)).points).lines
    assert line.cells[:4] == ("10.3", "d10.3333", "no result", "–")


def test_replicates_that_disagree_are_the_reason_that_stands_beside_review() -> None:
    (point,) = course_of((7, 59.0)).points
    apart, alike = (replace(point, status=Status.REVIEW, replicates_p=p) for p in (1e-6, 0.3))
    assert [line.cells[-1] for line in points_listing([apart, alike]).lines] == [
        "review: replicates disagree (W320)",
        "review",
    ]


def test_a_small_p_value_is_not_spelt_out() -> None:
    assert [p_text(p) for p in (0.00000465, 0.0001, None)] == ["<0.0001", "0.000100", "–"]
