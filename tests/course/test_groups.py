"""Groups of subjects: medians, shifts, p values, and what is below a limit."""

from __future__ import annotations

import pytest

from cytocar.course.groups import Measure, Value, compare, compare_pairs
from tests.statistics.test_ranks import HODGKIN, OTHERS


def two_groups(first: list[Value], second: list[Value], unit: str = "cells/µL") -> tuple[Measure, dict[str, str]]:
    values = {f"A{i}": value for i, value in enumerate(first)} | {f"B{i}": value for i, value in enumerate(second)}
    return Measure("peak", unit, values), {subject: subject[0] for subject in values}


def plain(*numbers: float) -> list[Value]:
    return [Value(number) for number in numbers]


def test_altmans_cd4_counts_by_diagnosis() -> None:
    measure, groups = two_groups(plain(*HODGKIN), plain(*OTHERS))
    (found,) = compare([measure], groups)
    assert (found.first.n, found.first.median, found.second.median) == (20, 681.5, 433)
    assert found.statistic == 400 - 135
    assert found.p == pytest.approx(0.08102, abs=5e-6)
    assert found.effect is not None
    assert found.effect_kind == "fold"
    assert found.effect.value == pytest.approx(1.4637, abs=5e-5)


def test_there_is_no_p_below_five_per_group() -> None:
    measure, groups = two_groups(plain(1, 2, 3, 4), plain(10, 20, 30, 40, 50))
    (found,) = compare([measure], groups)
    assert (found.p, found.p_holm, found.note) == (None, None, "fewer than 5 in a group: no p value")
    assert found.effect is not None
    assert found.effect.value > 0


def test_values_below_limits_are_ties_whatever_their_limits() -> None:
    first = [Value(1, "<"), Value(5, "<"), Value(3), Value(20), Value(30)]
    second = [Value(4, "<"), Value(2), Value(40), Value(50), Value(60)]
    measure, groups = two_groups(first, second)
    other, _ = two_groups([Value(0.1, "<"), *first[1:]], second)
    (found,), (same,) = compare([measure], groups), compare([other], groups)
    assert found.statistic == same.statistic  # <1, <5, 3 and <4, 2 are all equal: below the highest limit
    assert found.statistic == 0.5 * 3 * 2 + 2 * 2
    assert (found.first.n_below, found.first.lower_quartile, found.first.median) == (2, None, 3)


def test_a_measure_on_a_log_scale_already_has_a_difference() -> None:
    measure, groups = two_groups(plain(2, 2.5, 3, 3.5, 4), plain(1, 1.5, 2, 2.5, 3), "NPX")
    (found,) = compare([measure], groups)
    assert found.effect is not None
    assert (found.effect_kind, found.effect.value) == ("difference", 1)


def test_p_values_are_adjusted_over_all_measures() -> None:
    clear, groups = two_groups(plain(1, 2, 3, 4, 5), plain(6, 7, 8, 9, 10))
    same = Measure("same", "", dict(zip(clear.values, plain(1, 3, 5, 7, 9, 2, 4, 6, 8, 10), strict=True)))
    first, second = compare([clear, same], groups)
    assert first.p is not None
    assert first.p_holm == pytest.approx(2 * first.p)
    assert first.p_bh == pytest.approx(2 * first.p)
    assert second.p_holm == pytest.approx(second.p)


def test_pairs_are_compared_by_signed_ranks_later_over_earlier() -> None:
    before = Measure("il6", "ng/L", {f"P{i}": Value(10.0 * (i + 1)) for i in range(7)})
    after = Measure("il6", "ng/L", {f"P{i}": Value(5.0 * (i + 1) + i / 10) for i in range(6)})
    (found,) = compare_pairs([(before, after)], ("before", "after"))
    assert found.effect is not None
    assert (found.first.n, found.first.name) == (6, "before")
    assert found.p == pytest.approx(2 / 2**6)
    assert found.effect.value == pytest.approx(0.505, abs=0.01)
