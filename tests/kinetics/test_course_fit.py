"""The whole course as a model: what the samples carry comes back, what they do not stays open."""

from __future__ import annotations

import numpy as np
import pytest

from cytocar.kinetics.course_fit import NAMES, fit_course, log_course

LISO_CEL = {
    "cmax_per_ul": 119.0,
    "tmax_day": 9.29,
    "lag_days": 3.27,
    "doubling_time_days": 0.755,
    "first_half_life_days": 5.0,
    "second_half_life_days": 352.0,
    "second_share": 0.01,
}
"""Means of liso-cel (PMC8613160); peak and share are made up."""
DAYS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 17, 21, 24, 28, 42, 60, 90, 180, 365, 730]


def values(days: list[int], *, seed: int, scatter: float = 0.25) -> list[float]:
    course = log_course(np.array(days, dtype=float), np.log([LISO_CEL[name] for name in NAMES]))
    return [float(one) for one in np.exp(course + np.random.default_rng(seed).normal(0, scatter, len(days)))]


def test_the_published_means_are_inside_their_intervals() -> None:
    fit = fit_course(DAYS, values(DAYS, seed=2), results=["quantified"] * 23, lods=[0.03] * 23, lloqs=[0.06] * 23)
    assert fit.caution == ""
    for name in ("lag_days", "doubling_time_days", "tmax_day", "first_half_life_days", "second_half_life_days"):
        found = getattr(fit, name)
        assert found.low < LISO_CEL[name] < found.high, name


def test_values_below_the_limit_count_as_such_and_pull_the_end_of_the_course_down() -> None:
    days = [*DAYS[:19], 90, 180, 365, 730]
    measured = values(days, seed=3)
    seen = [0.25] * len(days)
    results = ["quantified" if value > 0.5 else "not_detected" for value in measured[:-4]] + ["not_detected"] * 4
    censored = fit_course(days, measured, results=results, lods=seen, lloqs=seen)
    left_out = fit_course(days[:-4], measured[:-4], results=results[:-4], lods=seen[:-4], lloqs=seen[:-4])
    assert censored.n_censored >= 4
    high, open_high = censored.second_half_life_days.high, left_out.second_half_life_days.high
    assert high is not None and (open_high is None or high < open_high)


@pytest.mark.parametrize("count", [0, 7])
def test_too_few_quantified_samples_give_no_fit_and_say_why(count: int) -> None:
    fit = fit_course(
        DAYS[:count], [10.0] * count, results=["quantified"] * count, lods=[1.0] * count, lloqs=[1.0] * count
    )
    assert fit.cmax_per_ul.value is None
    assert fit.caution == f"{count} quantified samples, 8 are needed"
