"""Rank tests against SciPy and published values."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import false_discovery_control, mannwhitneyu, wilcoxon

from cytocar.statistics.ranks import (
    Shift,
    benjamini_hochberg,
    holm,
    mann_whitney,
    shift_between,
    shift_of_pairs,
    signed_rank,
)

# CD4+ cells/mm3 in remission from Hodgkin's disease, and from other malignancies (Altman 1991, Practical Statistics for
# Medical Research, from Shapiro et al. 1987).
HODGKIN = (
    171, 257, 288, 295, 396, 397, 431, 435, 554, 568, 795, 902, 958, 1004, 1104, 1212, 1283, 1378, 1621, 2415,
)  # fmt: skip
OTHERS = (
    116, 151, 192, 208, 315, 375, 375, 377, 410, 426, 440, 503, 675, 688, 700, 736, 752, 771, 979, 1252,
)  # fmt: skip


def test_altmans_cd4_counts() -> None:
    found = mann_whitney(OTHERS, HODGKIN)
    assert (found.statistic, round(found.p, 5)) == (135, 0.08102)
    fold = shift_between(np.log(HODGKIN).tolist(), np.log(OTHERS).tolist())
    assert math.exp(fold.value) == pytest.approx(1.4637, abs=5e-5)


def test_without_ties_p_is_scipys_exact_one() -> None:
    rng = np.random.default_rng(3)
    for n, m in ((5, 5), (6, 9), (20, 20), (30, 25)):
        first, second = rng.normal(0, 1, n).tolist(), rng.normal(0.5, 1, m).tolist()
        expected = mannwhitneyu(first, second, method="exact")
        found = mann_whitney(first, second)
        assert (found.statistic, found.p) == pytest.approx((expected.statistic, expected.pvalue))


def test_u_298_of_20_and_20_has_the_exact_p_of_altmans_ratios() -> None:
    # Any two groups without ties have the distribution that their U has: these are made to have U = 298.
    first = [float(value) for value in range(20, 40)]
    second = [float(value) - 0.5 for value in range(20)]
    u, index = 400.0, 0
    while u > 298:
        moved = min(20, int(u - 298))
        second[19 - index] = 19.25 + moved + 0.01 * index
        u -= moved
        index += 1
    found = mann_whitney(first, second)
    assert found.statistic == 298
    assert found.p == pytest.approx(0.007331, abs=5e-7)


def test_few_values_with_ties_are_counted_over_all_permutations() -> None:
    first, second = [1, 2, 2, 3, 3], [2, 3, 4, 4, 4]
    values = first + second
    centre = 5 * np.mean(_midranks(values))
    ranks = _midranks(values)
    sums = [sum(ranks[i] for i in chosen) for chosen in itertools.combinations(range(10), 5)]
    own = sum(ranks[:5])
    assert own < centre
    expected = 2 * np.mean([total <= own + 1e-9 for total in sums])
    assert mann_whitney(first, second).p == pytest.approx(expected)


def _midranks(values: list[int]) -> list[float]:
    return [sum(v < value for v in values) + (values.count(value) + 1) / 2 for value in values]


def test_signed_ranks_are_scipys() -> None:
    differences = [1.1, -0.4, 2, 3, 0.5, 7, -1]
    assert signed_rank(differences).p == pytest.approx(wilcoxon(differences, method="exact").pvalue)
    assert signed_rank([0, 0]).p == 1


def test_intervals_hold_the_shifts_that_the_test_does_not_reject() -> None:
    first, second = [1.83, 0.5, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.3], [0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06]
    found = shift_between(first, second)
    assert found.low is not None
    assert found.high is not None
    for shift, rejected in ((found.low - 1e-9, True), (found.low + 1e-9, False), (found.high + 1e-9, True)):
        assert bool(mannwhitneyu([v - shift for v in first], second, method="exact").pvalue <= 0.05) is rejected


def test_pairs_have_the_interval_of_walsh_averages() -> None:
    # Hollander and Wolfe's depression scores: R's wilcox.test gives 0.46, 0.01 to 0.786.
    before = [1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30]
    after = [0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29]
    found = shift_of_pairs([b - a for b, a in zip(before, after, strict=True)])
    assert (found.value, found.low, found.high) == pytest.approx((0.46, 0.01, 0.786), abs=5e-4)
    assert shift_of_pairs([1, 2, 3]) == Shift(2.0, None, None)


def test_many_tests_are_adjusted() -> None:
    p = [0.001, 0.008, 0.039, 0.041, 0.042]
    assert holm(p) == pytest.approx([0.005, 0.032, 0.117, 0.117, 0.117])
    assert benjamini_hochberg(p) == pytest.approx([0.005, 0.02, 0.042, 0.042, 0.042])


def test_above_a_hundred_values_and_with_many_ties_it_is_the_normal_approximation() -> None:
    rng = np.random.default_rng(8)
    first, second = rng.normal(0, 1, 60).tolist(), rng.normal(0.4, 1, 41).tolist()
    tied = [float(round(2 * value)) for value in first[:11]], [float(round(2 * value)) for value in second[:10]]
    for one, other in ((first, second), tied):
        expected = mannwhitneyu(one, other, method="asymptotic")
        test = mann_whitney(one, other)
        assert (test.statistic, test.p) == pytest.approx((expected.statistic, expected.pvalue))
        assert test.method == "normal approximation"
    assert mann_whitney(first[:59], second).method == "exact"
    assert mann_whitney(tied[0][:10], tied[1]).method == "exact"
    differences = rng.normal(0.2, 1, 101).tolist()
    expected = wilcoxon(differences, method="asymptotic")
    test = signed_rank(differences)
    assert test.p == pytest.approx(expected.pvalue)
    assert test.method == "normal approximation"
    assert signed_rank(differences[:100]).method == "exact"


def test_the_signed_rank_statistic_is_the_sum_of_positive_ranks_without_zeros() -> None:
    assert signed_rank([0, -1, 2, -3]).statistic == 2
    assert signed_rank([-1, -2, -3, 0, 4, 5]).statistic == 9
    tied = [1, -1, 2, 2, -3, 4, 4, 4]
    ranks = [1.5, 1.5, 3.5, 3.5, 5, 7, 7, 7]
    sums = [sum(rank for rank, plus in zip(ranks, signs, strict=True) if plus) for signs in _signs(8)]
    own = 1.5 + 3.5 + 3.5 + 21
    assert signed_rank(tied).statistic == own
    assert signed_rank(tied).p == pytest.approx(2 * np.mean([total >= own for total in sums]))


def test_what_lies_in_the_middle_is_no_more_likely_than_certain() -> None:
    assert mann_whitney([1, 4], [2, 3]).p == signed_rank([1.0, -2.0, -3.0, 4.0]).p == 1


def test_the_approximation_is_taken_for_a_few_values_beside_many_and_for_ties_in_size() -> None:
    first, second = [0.3, 1.1, 2.2, -0.4], np.random.default_rng(5).normal(0, 1, 100).tolist()
    expected = mannwhitneyu(first, second, method="asymptotic").pvalue
    assert mann_whitney(first, second).p == pytest.approx(expected)
    pairs = np.array([*range(1, 11), *range(-12, 0)], float)  # no two alike, most of one size
    assert signed_rank(pairs.tolist()).method == "normal approximation"
    assert signed_rank(pairs.tolist()).p == pytest.approx(wilcoxon(pairs, method="asymptotic").pvalue)


def _signs(n: int) -> list[tuple[bool, ...]]:
    return list(itertools.product((False, True), repeat=n))


@pytest.mark.parametrize(("n", "m"), [(60, 50), (90, 12)])
def test_intervals_of_large_groups_hold_the_shifts_that_are_not_rejected(n: int, m: int) -> None:
    rng = np.random.default_rng(9)
    first, second = rng.normal(1, 1, n).tolist(), rng.normal(0, 1, m).tolist()
    shift, differences = shift_between(first, second), np.sort(np.subtract.outer(first, second).ravel())
    assert shift.value == np.median(differences)

    def p(bound: float) -> float:
        moved = [value - bound for value in first]
        return float(mannwhitneyu(moved, second, method="asymptotic", use_continuity=False).pvalue)

    _ends_where_the_test_turns(shift, differences, p)


def _ends_where_the_test_turns(shift: Shift, steps: NDArray[np.float64], p: Callable[[float], float]) -> None:
    """Assert that the test rejects just inside each limit, and no more once one of the steps further in is passed."""
    for bound, ordered, inwards in ((shift.low, steps, 1e-9), (shift.high, steps[::-1], -1e-9)):
        assert bound is not None
        following = ordered[ordered.tolist().index(bound) + 1]
        assert p(bound + inwards) <= 0.05 < p(following + inwards)


@pytest.mark.parametrize("n", [30, 101])
def test_intervals_of_many_pairs_hold_the_shifts_that_are_not_rejected(n: int) -> None:
    differences = np.random.default_rng(10).normal(1, 1, n)
    shift = shift_of_pairs(differences.tolist())
    rows, columns = np.triu_indices(n)
    means = np.sort((differences[rows] + differences[columns]) / 2)
    assert shift.value == np.median(means)

    def p(bound: float) -> float:
        return float(wilcoxon(differences - bound, method="asymptotic" if n > 100 else "exact").pvalue)

    if n > 100:
        _ends_where_the_test_turns(shift, means, p)
    for bound, inwards in ((shift.low, 1e-9), (shift.high, -1e-9)):
        assert p((bound or 0) - inwards) <= 0.05


def test_adjusted_p_values_keep_their_order_and_end_at_one() -> None:
    p = [0.6, 0.01, 0.9, 0.02]
    assert holm(p) == pytest.approx([1.0, 0.04, 1.0, 0.06])
    assert benjamini_hochberg(p) == pytest.approx(false_discovery_control(p))
    assert benjamini_hochberg(p) == pytest.approx([0.8, 0.04, 0.9, 0.04])


@pytest.mark.parametrize("n", [6, 9, 14, 25, 100])
def test_the_interval_of_a_shift_ends_where_the_exact_signed_rank_test_turns(n: int) -> None:
    """Every shift inside is one that the test does not reject at 5 %; every shift outside is one that it does."""
    differences = np.random.default_rng(n).normal(0.3, 1, n)
    shift = shift_of_pairs(differences.tolist())
    for bound, inwards in ((shift.low, 1e-9), (shift.high, -1e-9)):
        assert bound is not None
        inside, outside = (wilcoxon(differences - bound - step, method="exact").pvalue for step in (inwards, -inwards))
        assert outside <= 0.05 < inside


def test_no_p_value_has_nothing_to_adjust() -> None:
    assert holm([]) == benjamini_hochberg([]) == []


@pytest.mark.parametrize(("n", "m"), [(4, 5), (9, 14), (60, 40), (12, 3)])
def test_the_interval_of_a_shift_between_groups_ends_where_the_exact_rank_sum_test_turns(n: int, m: int) -> None:
    rng = np.random.default_rng(n + m)
    first, second = rng.normal(0, 1, n), rng.normal(0.4, 1, m)
    shift = shift_between(first.tolist(), second.tolist())
    for bound, inwards in ((shift.low, 1e-9), (shift.high, -1e-9)):
        assert bound is not None
        inside, outside = (
            mannwhitneyu(first - bound - step, second, method="exact").pvalue for step in (inwards, -inwards)
        )
        assert outside <= 0.05 < inside


def test_signs_and_ranks_of_nothing_and_of_many_pairs() -> None:
    nothing = signed_rank([0.0, 0.0])
    assert (nothing.statistic, nothing.p, nothing.method) == (0.0, 1.0, signed_rank([1.0, -2.0, 3.0]).method)
    many = np.random.default_rng(3).normal(0.2, 1, 101)
    found = signed_rank(many.tolist())
    assert found.statistic == wilcoxon(many, alternative="greater", method="asymptotic").statistic
    assert found.p == pytest.approx(wilcoxon(many, method="asymptotic").pvalue)
    assert found.method != nothing.method
