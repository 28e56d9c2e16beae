"""Nested analysis of variance against published studies, the algebra of quadratic forms, and simulated studies."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import chi2
from scipy.stats import f as fisher

from cytocar.statistics.nested import nested_anova
from tests.statistics.coverage import holds, missed, nominal

# CLSI EP05-A2, appendix: glucose, mg/dL, 20 days of two runs of two.
GLUCOSE = """
242 246 245 246 | 243 242 238 238 | 247 239 241 240 | 249 241 250 245 | 246 242 243 240
244 245 251 247 | 241 246 245 247 | 245 245 243 245 | 243 239 244 245 | 244 246 247 239
252 251 247 241 | 249 248 251 246 | 242 240 251 245 | 246 249 248 240 | 247 248 245 246
240 238 239 242 | 241 244 245 248 | 244 244 237 242 | 241 239 247 245 | 247 240 245 242
"""
# Snedecor, Cochran, Statistical Methods: calcium in turnip greens, 4 plants, 3 leaves of each, 2 determinations.
TURNIPS = """
3.28 3.09 3.52 3.48 2.88 2.80 | 2.46 2.44 1.87 1.92 2.19 2.19
2.77 2.66 3.74 3.44 2.55 2.55 | 3.78 3.87 4.07 4.12 3.31 3.31
"""


def _study(text: str) -> tuple[list[float], list[int], list[int]]:
    groups = [group.split() for group in text.strip().replace("\n", " | ").split("|")]
    values = [float(word) for group in groups for word in group]
    outer = [number for number, group in enumerate(groups) for _ in group]
    return values, outer, [place // 2 for group in groups for place in range(len(group))]


def test_glucose_of_ep05() -> None:
    values, day, run = _study(GLUCOSE)
    found = nested_anova(values, {"day": day, "run": run}, within="repeatability")
    assert (found.n, found.balanced) == (80, True)
    assert found.mean == pytest.approx(244.2)
    assert [part.variance for part in found.components] == pytest.approx([1.958552632, 3.075, 7.9], abs=1e-6)
    assert found.total.variance == pytest.approx(12.933552632, abs=1e-6)
    repeatability, total = found.components[-1], found.total
    assert repeatability.df == pytest.approx(40)
    assert total.df == pytest.approx(64.777320, abs=1e-5)
    assert (round(repeatability.cv.value or 0, 3), round(total.cv.value or 0, 3)) == (1.151, 1.473)
    # one mean square: chi square's interval
    assert (repeatability.sd.low, repeatability.sd.high) == pytest.approx((2.307616, 3.596291), abs=1e-6)


def test_turnips_of_snedecor_and_cochran() -> None:
    values, plant, leaf = _study(TURNIPS)
    found = nested_anova(values, {"plant": plant, "leaf": leaf}, within="determination")
    assert [round(part.variance, 4) for part in found.components] == [0.3652, 0.1611, 0.0067]


def test_expected_mean_squares_of_an_unbalanced_design_are_those_of_its_quadratic_forms() -> None:
    rng = np.random.default_rng(4)
    day = np.repeat(np.arange(6), [4, 3, 4, 2, 4, 3])
    run = np.concatenate([np.arange(n) // 2 for n in (4, 3, 4, 2, 4, 3)])
    y = rng.normal(50, 3, len(day)) + rng.normal(0, 4, 6)[day]

    def indicator(labels: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.asarray(labels[:, None] == np.unique(labels)[None, :], float)

    z = [indicator(day), indicator(10 * day + run), np.eye(len(day))]
    hats = [np.full((len(day),) * 2, 1 / len(day)), *(m @ np.linalg.pinv(m) for m in z)]
    forms = [after - before for before, after in pairwise(hats)]
    expected = np.array([[np.trace(form @ m @ m.T) for m in z] for form in forms])
    variances = np.linalg.solve(expected, [y @ form @ y for form in forms])
    found = nested_anova(y.tolist(), {"day": day.tolist(), "run": run.tolist()}, within="repeatability")
    assert not found.balanced
    if (variances > 0).all():
        assert found.total.variance == pytest.approx(variances.sum(), rel=1e-9)
    assert [part.variance for part in found.components] == pytest.approx(np.maximum(variances, 0), rel=1e-9)


def test_a_component_below_zero_is_zero_and_the_total_is_the_sum_of_the_others() -> None:
    found = nested_anova([1.0, 9.0, 2.0, 8.0], {"run": [1, 1, 2, 2]}, within="repeatability")
    assert found.components[0].variance == 0
    assert found.components[0].df is None
    assert found.total.variance == found.components[1].variance == pytest.approx((8**2 + 6**2) / 4)
    assert found.total.df == pytest.approx(2)


@pytest.mark.parametrize(
    ("values", "runs", "why"),
    [([1.0, 2.0], [1, 1], "one run only"), ([1.0, 2.0], [1, 2], "no group holds two values")],
)
def test_what_cannot_be_told_apart_is_refused(values: list[float], runs: list[int], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        nested_anova(values, {"run": runs}, within="repeatability")


def test_one_run_of_one_value_each_day_is_refused_and_one_pair_is_enough() -> None:
    with pytest.raises(ValueError, match="one run only"):
        nested_anova([1.0, 2.0, 3.0, 5.0], {"day": [1, 1, 2, 2], "run": [1, 1, 1, 1]}, within="repeatability")
    found = nested_anova([1.0, 3.0, 7.0], {"run": [1, 1, 2]}, within="repeatability")
    assert found.components[1].variance == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("days", "runs", "balanced"),
    [
        ([1, 1, 1, 1, 2, 2, 2, 2], [1, 1, 2, 2, 1, 1, 2, 2], True),
        ([1, 1, 1, 1, 2, 2, 2, 2], [1, 2, 2, 2, 1, 1, 1, 2], False),
        ([1, 1, 1, 1, 1, 1, 2, 2], [1, 1, 2, 2, 3, 3, 1, 1], False),
        ([1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2], [1, 1, 1, 2, 2, 2, 1, 1, 2, 2, 3, 3], False),
    ],
)
def test_a_design_is_balanced_if_all_groups_of_a_level_are_as_large(
    days: list[int], runs: list[int], balanced: bool
) -> None:
    values = np.random.default_rng(1).normal(5, 1, len(days)).tolist()
    assert nested_anova(values, {"day": days, "run": runs}, within="repeatability").balanced is balanced


def test_variances_do_not_depend_on_where_zero_is_nor_cvs_on_the_unit() -> None:
    values, day, run = _study(GLUCOSE)
    factors = {"day": day, "run": run}
    found = nested_anova(values, factors, within="repeatability")
    far = nested_anova([1e8 + value for value in values], factors, within="repeatability")
    small = nested_anova([value / 1e4 for value in values], factors, within="repeatability")
    below = nested_anova([value - 300 for value in values], factors, within="repeatability")
    assert [part.variance for part in far.components] == pytest.approx([part.variance for part in found.components])
    assert [part.cv.value for part in small.components] == pytest.approx([part.cv.value for part in found.components])
    assert {part.cv.value for part in below.components} == {None}


def test_values_that_all_agree_have_no_scatter() -> None:
    found = nested_anova([5.0] * 4, {"run": [1, 1, 2, 2]}, within="repeatability")
    for part in (*found.components, found.total):
        assert (part.variance, part.df, part.sd.value, part.sd.low, part.sd.high) == (0, None, 0, 0, 0)
    assert found.total.name == "total"


def _ting(a: float, i: int, b: float, j: int) -> tuple[float, float]:
    """Return the limits of E(a) - E(b), mean squares of i and j degrees, in the words of Burdick and Graybill 1992."""

    def f(alpha: float, first: int, second: float = math.inf) -> float:
        """The upper quantile of F; with infinitely many degrees below it is chi square's over its own."""
        return float(chi2.isf(alpha, first) / first if second == math.inf else fisher.isf(alpha, first, second))

    g = {df: 1 - 1 / f(0.025, df) for df in (i, j)}
    h = {df: 1 / f(0.975, df) - 1 for df in (i, j)}
    g12 = ((f(0.025, i, j) - 1) ** 2 - g[i] ** 2 * f(0.025, i, j) ** 2 - h[j] ** 2) / f(0.025, i, j)
    h12 = ((1 - f(0.975, i, j)) ** 2 - h[i] ** 2 * f(0.975, i, j) ** 2 - g[j] ** 2) / f(0.975, i, j)
    low = a - b - math.sqrt((g[i] * a) ** 2 + (h[j] * b) ** 2 + g12 * a * b)
    return low, a - b + math.sqrt((h[i] * a) ** 2 + (g[j] * b) ** 2 + h12 * a * b)


@pytest.mark.parametrize("between", [0.3, 1.0, 3.0])
def test_the_interval_of_a_component_is_that_of_ting_and_others(between: float) -> None:
    rng = np.random.default_rng(12)
    y = 20 + rng.normal(0, between, (6, 1)) + rng.normal(0, 1, (6, 3))
    found = nested_anova(y.ravel().tolist(), {"run": np.repeat(np.arange(6), 3).tolist()}, within="repeatability")
    of_runs, within = 3 * y.mean(axis=1).var(ddof=1), float(y.var(axis=1, ddof=1).mean())
    low, high = _ting(of_runs / 3, 5, within / 3, 12)
    part = found.components[0]
    assert part.variance == pytest.approx(max((of_runs - within) / 3, 0))
    assert (part.sd.low, part.sd.high) == pytest.approx((math.sqrt(max(low, 0)), math.sqrt(max(high, 0))))


@pytest.mark.parametrize("dropped", [0, 3])
def test_intervals_hold_the_truth_as_often_as_they_say(dropped: int) -> None:
    between, within = 3.0, 2.0

    def study(rng: np.random.Generator) -> list[bool]:
        run = np.repeat(np.arange(8), 4)
        y = 100 + rng.normal(0, between, 8)[run] + rng.normal(0, within, len(run))
        kept = np.sort(rng.choice(len(run), len(run) - dropped, replace=False))
        found = nested_anova(y[kept].tolist(), {"run": run[kept].tolist()}, within="within")
        truths = (between, within, math.hypot(between, within))
        return [holds(part.sd, truth) for part, truth in zip((*found.components, found.total), truths, strict=True)]

    assert nominal(missed(study))
