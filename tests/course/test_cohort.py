"""Medians and quartiles over subjects, some of them below the limit."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cytocar.counting.limits import CarResult
from cytocar.course.cohort import quantile, spreads, visits
from cytocar.course.series import Course, CoursePoint
from cytocar.kinetics.parameters import noncompartmental
from cytocar.statistics.estimate import Estimate


def course(subject: str, *pairs: tuple[float, float | None]) -> Course:
    return Course(
        subject,
        tuple(
            CoursePoint(
                subject,
                day,
                f"{subject}-{day}",
                car_result=CarResult.QUANTIFIED if per_ul else CarResult.NOT_DETECTED,
                car_per_ul=Estimate(per_ul, None, None),
            )
            for day, per_ul in pairs
        ),
    )


def test_a_visit_has_the_median_and_quartiles_of_its_subjects() -> None:
    (visit,) = visits([course(f"P{n}", (7, float(n))) for n in range(1, 6)])
    assert (visit.lower_quartile, visit.median, visit.upper_quartile) == (2, 3, 4)
    assert (visit.n_subjects, visit.n_quantified) == (5, 5)


def test_a_median_below_the_limit_is_unknown_and_an_upper_quartile_may_be_known() -> None:
    (visit,) = visits([course("A", (7, None)), course("B", (7, None)), course("C", (7, 10)), course("D", (7, 30))])
    assert (visit.median, visit.lower_quartile) == (None, None)
    assert visit.upper_quartile == pytest.approx(15)
    assert visit.n_quantified == 2


def test_days_about_a_month_are_one_visit() -> None:
    found = list(visits([course("A", (90, 1)), course("B", (93, 2)), course("C", (88, 3))]))
    assert [(visit.n_subjects, visit.median) for visit in found] == [(3, 2)]


def test_two_subjects_are_no_cohort() -> None:
    assert list(visits([course("A", (7, 1)), course("B", (7, 2))])) == []


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=30), st.floats(0, 1))
def test_quantiles_are_numpys(values: list[float], share: float) -> None:
    assert quantile(sorted(values), share) == pytest.approx(float(np.quantile(values, share)), rel=1e-9, abs=1e-9)


def test_a_quantile_between_the_unknown_and_the_known_is_unknown() -> None:
    assert quantile([-math.inf, 5.0], 0.9) == -math.inf


def test_spreads_are_over_the_subjects_that_have_the_number() -> None:
    kinetics = [noncompartmental([0, 7], [0, peak]) for peak in (10, 20, 40)] + [noncompartmental([0], [0])]
    found = {spread.name: spread for spread in spreads(kinetics)}
    assert (found["cmax_per_ul"].n_subjects, found["cmax_per_ul"].median) == (3, 20)
    assert (found["cmax_per_ul"].minimum, found["cmax_per_ul"].maximum) == (10, 40)
    assert "auc_0_28" not in found
