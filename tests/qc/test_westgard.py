"""Westgard's rules, each on the smallest sequence that breaks it and on one that just does not."""

from __future__ import annotations

import pytest

from cytocar.qc.westgard import RULES, broken_rules

BREAKS = {
    "1-2s": [2.1],
    "1-3s": [-3.1],
    "2-2s": [2.1, 2.2],
    "R-4s": [2.1, -2.1],
    "4-1s": [-1.1, -1.2, -1.3, -1.1],
    "10-x": [0.1] * 10,
}
KEEPS = {
    "1-2s": [2.0],
    "1-3s": [3.0],
    "2-2s": [2.1, -2.1],
    "R-4s": [2.1, -1.9],
    "4-1s": [1.1, 1.2, 0.9, 1.1],
    "10-x": [0.1] * 9 + [-0.1],
}


def test_there_is_a_case_for_every_rule() -> None:
    assert BREAKS.keys() == KEEPS.keys() == RULES.keys()


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_is_broken_by_the_last_point_of_its_case(rule: str) -> None:
    assert rule in broken_rules(BREAKS[rule])[-1]
    assert all(rule not in broken for broken in broken_rules(BREAKS[rule])[:-1])


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_is_kept_at_its_limit(rule: str) -> None:
    assert rule not in broken_rules(KEEPS[rule])[-1]


def test_the_same_holds_on_the_other_side_of_the_mean() -> None:
    for rule, z in BREAKS.items():
        assert rule in broken_rules([-one for one in z])[-1]


def test_no_points_break_no_rule() -> None:
    assert broken_rules([]) == ()
