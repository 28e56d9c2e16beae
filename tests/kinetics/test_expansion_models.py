"""The published model of a course, cohorts drawn from it, and the fit of its decline."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cytocar.kinetics.expansion_models import TYPICAL, TYPICAL_CELLS, fit_decline, stein_cohort
from cytocar.kinetics.parameters import noncompartmental


def test_exact_areas_of_the_typical_patient() -> None:
    assert TYPICAL.area(28) == pytest.approx(171_774.29, abs=5e-3)
    assert TYPICAL.area(84) == pytest.approx(188_397.91, abs=5e-3)


def test_an_area_before_the_peak_is_refused() -> None:
    with pytest.raises(ValueError, match="from the peak on"):
        TYPICAL.area(5)


def test_the_typical_patient_rises_from_cmax_over_fold_to_cmax() -> None:
    assert TYPICAL.at([-1, 0, 9.3]) == pytest.approx([0, 24_000 / 3_900, 24_000])


def test_the_course_has_no_step_at_its_peak() -> None:
    before, after = TYPICAL.at([9.3 - 1e-9, 9.3 + 1e-9])
    assert before == pytest.approx(after, rel=1e-6)


def test_a_cohort_is_the_same_for_the_same_seed_and_grows_at_its_end() -> None:
    small, large = (stein_cohort(n, [0, 7, 28], seed=5) for n in (2, 4))
    assert [subject.course for subject in large[:2]] == [subject.course for subject in small]
    assert stein_cohort(2, [0, 7, 28], seed=6)[0].course != small[0].course


def test_a_cohort_varies_as_published() -> None:
    cohort = stein_cohort(2000, [0], seed=1)
    for name, variance in (("cmax", 0.65), ("tmax", 0.38), ("alpha", 0.91), ("beta", 0.86)):
        logs = np.log([getattr(subject.course, name) / getattr(TYPICAL_CELLS, name) for subject in cohort])
        assert float(np.mean(logs)) == pytest.approx(0, abs=4 * math.sqrt(variance / 2000))
        assert float(np.var(logs)) == pytest.approx(variance, rel=0.15)


def test_kinetics_find_a_cohorts_peaks() -> None:
    days = [float(day) for day in range(0, 120)]
    for subject in stein_cohort(20, days, seed=3):
        course = noncompartmental(days, [float(value) for value in subject.cells_per_ul])
        assert course.cmax_per_ul is not None
        assert course.tmax_day is not None
        assert course.cmax_per_ul <= subject.course.cmax
        assert abs(course.tmax_day - subject.course.tmax) <= 1 or subject.course.tmax > 119


def test_the_fit_finds_both_phases_of_an_exact_course() -> None:
    days = [9.3, 11, 14, 21, 28, 60, 90, 180, 270]
    fit = fit_decline(days, [float(value) for value in TYPICAL.at(days)])
    assert fit.first_half_life_days == pytest.approx(math.log(2) / TYPICAL.alpha, rel=1e-3)
    assert fit.second_half_life_days == pytest.approx(math.log(2) / TYPICAL.beta, rel=1e-3)
    assert fit.second_per_ul == pytest.approx(TYPICAL.fb * TYPICAL.cmax, rel=1e-3)
    assert fit.caution == ""


def test_too_few_samples_are_not_fitted_and_it_says_so() -> None:
    fit = fit_decline([9, 14, 28, 60, 90], [100, 40, 10, 5, 3])
    assert fit.first_half_life_days is None
    assert fit.caution == "5 quantified samples from the peak on, 6 are needed"


def test_no_samples_are_not_fitted() -> None:
    assert fit_decline([], []).n_points == 0


def test_one_exponential_is_not_sold_as_two() -> None:
    days = [7, 10, 14, 21, 28, 40, 60, 80]
    noise = np.exp(np.random.default_rng(4).normal(0, 0.1, len(days)))
    fit = fit_decline(days, [float(1000 * math.exp(-0.05 * day) * n) for day, n in zip(days, noise, strict=True)])
    assert fit.caution == "one exponential describes these samples as well as two"


def test_concentrations_that_have_no_logarithm_are_refused() -> None:
    with pytest.raises(ValueError, match="above 0"):
        fit_decline([1, 2], [0, 1])
