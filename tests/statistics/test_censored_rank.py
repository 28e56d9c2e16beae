"""Kendall's tau where values lie below or above limits."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from cytocar.statistics.censored_rank import Bounded, censored_tau, joined_tau


@pytest.mark.parametrize("seed", range(5))
def test_without_limits_it_is_the_usual_tau_b(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.integers(0, 8, 15), rng.integers(0, 8, 15)  # with ties
    found = censored_tau([(v, "") for v in x], [(v, "") for v in y])
    assert found.value == pytest.approx(stats.kendalltau(x, y).statistic)


@pytest.mark.parametrize(
    ("one", "other", "order"),
    [
        ((1, "<"), (1, ""), -1),  # below 1 is less than 1
        ((1, "<"), (0.5, ""), 0),  # nobody knows
        ((1, "<"), (3, "<"), 0),
        ((5, ">"), (5, ""), 1),
        ((5, ">"), (2, "<"), 1),
        ((5, ">"), (9, "<"), 0),
        ((5, ">"), (7, ""), 0),
        ((2, ""), (2, ""), 0),
    ],
)
def test_two_values_are_in_order_only_where_their_limits_say_so(one: Bounded, other: Bounded, order: int) -> None:
    assert censored_tau([one, other], [(2, ""), (1, "")]).score == order
    assert censored_tau([other, one], [(2, ""), (1, "")]).score == -order


def test_a_known_order_is_that_of_every_completion() -> None:
    """Whatever the values below the limits are, the pairs that count as in order are in that order."""
    rng = np.random.default_rng(2)
    xs: list[Bounded] = [(1, "<"), (2, "<"), (2, ""), (4, ""), (7, ">")]
    for one, other in itertools.combinations(xs, 2):
        order = censored_tau([one, other], [(2, ""), (1, "")]).score
        a, b = (_completions(value, rng) for value in (one, other))
        signs = set(np.sign(a - b))
        assert signs == {order} if order else len(signs) > 1


def _completions(value: Bounded, rng: np.random.Generator) -> np.ndarray:
    number, bound = value
    if bound == "<":
        return rng.uniform(0, number, 500)
    return rng.uniform(number, 3 * number, 500) if bound == ">" else np.full(500, number)


def test_levels_between_subjects_do_not_enter_a_joined_tau() -> None:
    low = censored_tau([(1, ""), (2, ""), (3, "")], [(3, ""), (2, ""), (1, "")])
    high = censored_tau([(101, ""), (102, ""), (103, "")], [(203, ""), (202, ""), (201, "")])
    joined = joined_tau([low, high])
    assert (joined.value, joined.score, joined.n) == (-1, -6, 6)
    assert joined_tau([]).value is None
    assert math.isclose(low.value or 0, -1)
