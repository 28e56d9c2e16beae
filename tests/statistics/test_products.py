"""Products and quotients of estimates: exact cases, and known truths."""

from __future__ import annotations

import numpy as np
import pytest

from cytocar.statistics.estimate import UNKNOWN, Estimate
from cytocar.statistics.intervals import Share
from cytocar.statistics.products import product_of, quotient_of
from tests.statistics.coverage import holds, missed, nominal


def test_an_exact_part_scales_the_other() -> None:
    found = product_of([Estimate(2.0, 1.0, 3.0), Estimate(10.0, 10.0, 10.0)])
    assert (found.value, found.low, found.high) == pytest.approx((20, 10, 30))


def test_nothing_makes_the_product_nothing_and_leaves_it_an_upper_limit() -> None:
    assert product_of([Estimate(0.0, 0.0, 0.5), Estimate(2.0, 1.0, 3.0)]) == Estimate(0.0, 0.0, 1.5)
    assert product_of([UNKNOWN, Estimate(1.0, 1.0, 1.0)]) == UNKNOWN
    assert product_of([Estimate(1.0, 0.5, None)]).high is None
    assert product_of([Estimate(0.0, 0.0, None), Estimate(2.0, 1.0, 3.0)]) == Estimate(0.0, 0.0, None)
    assert product_of([Estimate(0.0, 0.0, 0.5), Estimate(0.0, 0.0, 0.0)]) == Estimate(0.0, 0.0, 0.0)
    assert product_of([Estimate(2.0, 0.0, 3.0), Estimate(2.0, 1.0, 3.0)]).low == 0


def test_limits_of_a_quotient_are_as_far_in_logarithms_as_those_of_its_parts_together() -> None:
    found = quotient_of(Estimate(12.0, 6.0, 36.0), Estimate(6.0, 1.5, 12.0))
    low, high = np.hypot(np.log(2), np.log(2)), np.hypot(np.log(3), np.log(4))  # below at its largest gives the least
    assert (found.value, found.low, found.high) == pytest.approx((2.0, 2 * np.exp(-low), 2 * np.exp(high)))
    assert quotient_of(Estimate(12.0, 6.0, 36.0), Estimate(4.0, 1.0, None)).low is None


def test_a_quotient_by_what_may_be_nothing_is_unknown() -> None:
    assert quotient_of(Estimate(1.0, 1.0, 1.0), Estimate(0.5, 0.0, 1.0)) == UNKNOWN
    assert quotient_of(Estimate(1.0, 1.0, 1.0), UNKNOWN) == UNKNOWN


def test_the_interval_of_a_product_of_shares_holds_the_truth_as_often_as_it_says() -> None:
    def study(rng: np.random.Generator) -> list[bool]:
        viable = rng.binomial(2000, 0.8)
        t_cells = rng.binomial(viable, 0.9)
        car = rng.binomial(t_cells, 0.139)
        parts = [Share(int(a), int(b)).estimate() for a, b in ((viable, 2000), (t_cells, viable), (car, t_cells))]
        shares = [part.scaled(0.01) for part in parts]
        return [holds(product_of(shares), 0.8 * 0.9 * 0.139), holds(quotient_of(shares[0], shares[2]), 0.8 / 0.139)]

    assert nominal(missed(study, seeds=400))
