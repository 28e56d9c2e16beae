"""Passing-Bablok, Deming, limits of agreement and ICC against published values, exact arithmetic and known truths."""

from __future__ import annotations

from fractions import Fraction
from statistics import median

import numpy as np
import pytest

from cytocar.statistics.agreement import bland_altman, deming, icc_2_1, passing_bablok
from tests.statistics.coverage import holds, missed, nominal

# Bland, Altman 1986 (Lancet i:307): peak expiratory flow, L/min, Wright and mini Wright meter, first readings.
WRIGHT = [494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427]
MINI = [512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451]


def _by_hand(x: list[int], y: list[int]) -> tuple[Fraction, Fraction]:
    """Return slope and intercept of Passing and Bablok's definition, in exact fractions."""
    slopes = sorted(
        Fraction(y[j] - y[i], x[j] - x[i])
        for i in range(len(x))
        for j in range(i + 1, len(x))
        if x[i] != x[j] and y[j] - y[i] != x[i] - x[j]
    )
    shift, n = sum(slope < -1 for slope in slopes), len(slopes)
    at = [slopes[shift + place] for place in (((n - 1) // 2, n // 2))]
    slope = sum(at, Fraction(0)) / 2
    return slope, median([Fraction(b) - slope * a for a, b in zip(x, y, strict=True)])


def test_passing_bablok_is_its_definition_in_exact_fractions() -> None:
    slope, intercept = _by_hand(WRIGHT, MINI)
    line = passing_bablok(WRIGHT, MINI)
    assert line.slope.value == pytest.approx(float(slope), abs=1e-9)
    assert line.intercept.value == pytest.approx(float(intercept), abs=1e-7)


def test_exchanging_the_methods_inverts_passing_and_bablok() -> None:
    line, back = passing_bablok(WRIGHT, MINI), passing_bablok(MINI, WRIGHT)
    assert line.slope.value == pytest.approx(1 / (back.slope.value or 0), rel=1e-3)
    assert line.slope.low == pytest.approx(1 / (back.slope.high or 0), rel=1e-2)


def test_samples_of_one_x_have_an_infinite_slope_that_stays_in_its_place() -> None:
    line = passing_bablok([1, 1, 2, 3, 4, 5], [1, 2, 2, 3, 4, 5])
    assert line.slope.value == pytest.approx(1.0)


def test_deming_with_equal_errors_is_the_first_principal_axis() -> None:
    line = deming(WRIGHT, MINI)
    values, axes = np.linalg.eigh(np.cov(WRIGHT, MINI))
    axis = axes[:, np.argmax(values)]
    assert line.slope.value == pytest.approx(axis[1] / axis[0], abs=1e-9)
    assert line.bias_at(450.0) == pytest.approx((line.intercept.value or 0) + ((line.slope.value or 0) - 1) * 450)


def test_bland_and_altmans_peak_flow() -> None:
    found = bland_altman(WRIGHT, MINI)
    assert round(found.bias.value or 0, 1) == 2.1
    assert ((found.high.value or 0) - (found.low.value or 0)) / (2 * 1.96) == pytest.approx(38.8, abs=0.05)
    assert (found.bias.low, found.bias.high) == pytest.approx((-17.8, 22.0), abs=0.06)


def test_shrout_and_fleiss_ratings() -> None:
    ratings = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
    found = icc_2_1(ratings)
    assert found.value == pytest.approx(0.289763779, abs=1e-8)
    assert (found.low, found.high) == pytest.approx((0.0188, 0.7611), abs=5e-5)  # McGraw and Wong, in R's irr


@pytest.mark.parametrize("wrong", [([1.0] * 4, [1.0] * 4), ([1.0] * 6, [1.0] * 5)])
def test_too_few_or_unequal_pairs_are_refused(wrong: tuple[list[float], list[float]]) -> None:
    with pytest.raises(ValueError, match="as many of both"):
        passing_bablok(*wrong)


def test_intervals_of_lines_and_limits_hold_the_truth_as_often_as_they_say() -> None:
    def study(rng: np.random.Generator) -> list[bool]:
        truth = rng.uniform(10, 100, 30)
        x, y = truth + rng.normal(0, 2, 30), 2 + truth + rng.normal(0, 2, 30)
        ranked, both, limits = passing_bablok(x, y), deming(x, y), bland_altman(x, y)
        spread = 1.959964 * np.hypot(2, 2)
        return [
            *(holds(line.slope, 1) for line in (ranked, both)),
            *(holds(line.intercept, 2) for line in (ranked, both)),
            holds(limits.bias, 2),
            holds(limits.low, 2 - spread),
            holds(limits.high, 2 + spread),
        ]

    assert nominal(missed(study))


def test_intervals_of_the_icc_hold_the_truth_as_often_as_they_say() -> None:
    def study(rng: np.random.Generator) -> list[bool]:
        y = 50 + rng.normal(0, 2, (20, 1)) + rng.normal(0, 0.5, (1, 4)) + rng.normal(0, 1, (20, 4))
        return [holds(icc_2_1(y.tolist()), 4 / 5.25)]

    assert nominal(missed(study))


def test_results_that_do_not_vary_tell_no_line_and_no_agreement() -> None:
    line = deming([5.0] * 6, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    assert (line.slope.value, line.bias_at(1.0)) == (None, None)
    assert passing_bablok([5.0] * 6, [5.0] * 6).slope.value is None
    assert icc_2_1([[5.0, 5.0]] * 4).value is None
    assert icc_2_1([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]]).value == 1
