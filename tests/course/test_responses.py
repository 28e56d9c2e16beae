"""Growth before, during and after interventions."""

from __future__ import annotations

import math

import pytest

from cytocar.counting.limits import CarResult
from cytocar.course.clinical import Intervention
from cytocar.course.responses import phases, sentence
from cytocar.course.series import Course, CoursePoint
from cytocar.statistics.estimate import Estimate

SAMPLE_COURSE = (
    (1, 0.947316), (3, 9.58577), (5, 90.617), (7, 477.584), (9, 1061.29), (11, 585.64), (14, 189.795),
    (21, 31.8366), (28, 10.6795), (91, 2.20716),
)  # fmt: skip
"""The tubes of the sample course as they were counted."""


def point(day: float, per_ul: float) -> CoursePoint:
    interval = Estimate(per_ul, per_ul * 0.9, per_ul / 0.9)
    return CoursePoint("P1", day, f"d{day:g}", car_result=CarResult.QUANTIFIED, car_per_ul=interval)


def below(day: float, limit: float) -> CoursePoint:
    return CoursePoint("P1", day, f"d{day:g}", car_result=CarResult.NOT_DETECTED, car_lod_per_ul=limit)


def course(*points: CoursePoint) -> Course:
    return Course("P1", points)


def test_the_sample_course_grew_stood_on_dasatinib_and_fell_after_it() -> None:
    dasatinib = Intervention("P1", "dasatinib", 7, 13, 100, "mg/day")
    (found,) = phases(course(*(point(*pair) for pair in SAMPLE_COURSE)), [dasatinib])
    # Reference: least squares on ln of the quantified points, days 1-7, 7-11 and 14-28.
    assert [phase.rate.per_day for phase in found] == pytest.approx([1.0457, 0.0509, -0.2055], abs=5e-4)
    assert [(phase.first_day, phase.last_day) for phase in found] == [(1, 7), (7, 11), (14, 28)]
    assert found[0].doubling_time_days == pytest.approx(0.663, abs=1e-3)
    assert found[1].fold == pytest.approx(1.226, abs=1e-3)
    assert found[2].half_life_days == pytest.approx(3.37, abs=5e-3)
    words = sentence(found)
    assert words.startswith("dasatinib (days 7 to 13): before, CAR-T cells doubled in 0.663 days (+1.05 per day [")
    assert "during, CAR-T cells hardly changed, 1.23-fold (+0.05" in words
    assert "after, CAR-T cells halved in 3.37 days (-0.206 per day [" in words


def test_a_drug_given_twice_has_two_intervals_that_bound_each_other() -> None:
    twice = [Intervention("P1", "dasatinib", 3, 5, 100, "mg"), Intervention("P1", "dasatinib", 11, 14, 100, "mg")]
    days = [
        point(day, math.exp(value)) for day, value in enumerate((0, 1, 2, 3, 3, 3, 4, 5, 6, 7, 8, 9, 9, 9, 9, 8, 7))
    ]
    first, second = phases(course(*days), twice)
    spans = [[(phase.first_day, phase.last_day) for phase in found] for found in (first, second)]
    assert spans == [[(0, 3), (3, 5), (6, 11)], [(6, 11), (11, 14), (15, 16)]]
    assert [phase.rate.per_day for phase in first] == pytest.approx([1, 0, 1], abs=1e-9)


def test_a_change_of_slope_is_tested_where_the_phase_begins() -> None:
    noise = (0.05, -0.05, 0.04, -0.04, 0.05, -0.05, 0.04, -0.04, 0.05)
    bent = [point(day, math.exp((day if day < 4 else 4) + noise[day])) for day in range(9)]
    straight = [point(day, math.exp(day + noise[day])) for day in range(9)]
    drug = [Intervention("P1", "drug", 4, 20, None)]
    ((_, during, _),) = phases(course(*bent), drug)
    assert during.change_p is not None
    assert during.change_p < 1e-4
    ((_, during, _),) = phases(course(*straight), drug)
    assert during.change_p is not None
    assert during.change_p > 0.2


def test_values_below_their_limit_bend_the_rate_and_bound_it() -> None:
    drug = [Intervention("P1", "drug", 0, 1, None)]
    falling = [point(2, 100), point(4, 52), point(6, 24)]
    ((_, _, without),) = phases(course(*falling), drug)
    ((_, _, far_below),) = phases(course(*falling, below(10, 0.5)), drug)
    ((_, _, one),) = phases(course(point(2, 100), below(6, 1)), drug)
    assert without.rate.per_day is not None
    assert far_below.rate.per_day is not None
    assert far_below.rate.per_day < without.rate.per_day - 0.05
    assert (far_below.rate.n_values, far_below.rate.n_below) == (4, 1)
    assert one.rate.per_day is None
    assert one.rate.high == pytest.approx(math.log(1 / 100) / 4)


def test_nothing_is_said_of_drugs_that_ended_before_infusion() -> None:
    assert list(phases(course(point(1, 5)), [Intervention("P1", "fludarabine", -4, -2, 25, "mg/m2")])) == []
