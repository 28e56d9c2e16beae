"""CD4/CD8 of the CAR-T cells net of background holds the truth where the gated ratio does not."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace
from scipy import stats

from cytocar.counting.blank_rates import learned_rates
from cytocar.counting.car_kinds import KindCount, net_ratio
from cytocar.gates.decision import Background, ReferenceCount
from cytocar.statistics.estimate import UNKNOWN
from cytocar.statistics.intervals import ratio_estimate

T_CELLS, CONTROL = 15_000, 30_000
RATES = 2e-4, 3e-3
"""Of CD4+ and of CD8+ T cells without a CAR that lie in the gate."""


def background(counts: tuple[int, int]) -> Background:
    return Background(sum(counts), 2 * CONTROL, ("B",), kinds=tuple((count, CONTROL) for count in counts))


@pytest.mark.parametrize(("cd4", "cd8"), [(30, 90), (400, 200)])
def test_the_net_ratio_holds_the_truth(cd4: int, cd8: int) -> None:
    random = np.random.default_rng(4)
    held, gated, values = 0, 0, []
    for _ in range(100):
        control = random.poisson(CONTROL * np.array(RATES))
        factor = random.lognormal(-0.03, 0.25)
        events = random.poisson(np.array([cd4, cd8]) + T_CELLS * factor * np.array(RATES))
        here = KindCount(int(events[0]), T_CELLS), KindCount(int(events[1]), T_CELLS)
        found = net_ratio(*here, background((int(control[0]), int(control[1]))), seed=1)
        values.append(found.value or 0.0)
        held += (found.low or 0.0) <= cd4 / cd8 <= (found.high or np.inf)
        bare = ratio_estimate(int(events[0]), int(events[1]))
        gated += (bare.low or 0.0) <= cd4 / cd8 <= (bare.high or np.inf)
    assert held >= 91  # of 100 at 95 %: two standard deviations below
    assert held > gated
    assert np.median(values) == pytest.approx(cd4 / cd8, rel=0.08)


def certain(cd4: float, cd8: float, cv: float = 1e-9) -> Background:
    """Controls of so many cells that their rates are known."""
    counts = tuple((round(rate * 10**9), 10**9) for rate in (cd4, cd8))
    return Background(1, 10, ("B",), between_cv=cv, kinds=counts)


@pytest.mark.parametrize(("cd4", "cd8"), [(4, 6), (30, 90), (900, 2)])
def test_without_negatives_in_the_gate_it_is_the_ratio_of_two_counts(cd4: int, cd8: int) -> None:
    found = net_ratio(KindCount(cd4, T_CELLS), KindCount(cd8, T_CELLS), certain(0, 0), seed=2)
    degrees = 2 * cd4 + 1, 2 * cd8 + 1  # a quotient of two gammas
    low, high = stats.f(*degrees).ppf([0.025, 0.975]) * degrees[0] / degrees[1]
    assert found.value == pytest.approx(cd4 / cd8, rel=1e-4)
    assert (found.low, found.high) == pytest.approx((low, high), rel=0.04)


def test_each_kind_loses_the_rate_of_its_own_negatives_times_its_negatives() -> None:
    here = KindCount(100_200, 1_100_200), KindCount(41_000, 2_041_000)
    found = net_ratio(*here, certain(2e-4, 5e-4), seed=2)
    assert found.value == pytest.approx(100_000 / 40_000, rel=1e-4)
    none = net_ratio(*here, certain(2e-4, 0.03), seed=2)
    assert (none.value, none.high) == (None, None)
    assert net_ratio(KindCount(100, 10**6), KindCount(100, 10**6), certain(0.01, 0.01), seed=2) == UNKNOWN


def test_the_background_moves_by_one_factor_for_both_kinds() -> None:
    """Where counts are certain, the limits are those of the factor: of (a - f r) / (b - f s)."""
    cv = 0.3
    here = KindCount(10**8 + 2 * 10**7, 2 * 10**10), KindCount(10**8 + 6 * 10**7, 2 * 10**10)
    found = net_ratio(*here, certain(1e-3, 3e-3, cv), seed=2)
    factors = np.exp(np.array([-1, 0, 1]) * 1.959964 * np.sqrt(np.log1p(cv**2)))
    rates = np.array([1e-3, 3e-3])
    events = np.array([[count.events, count.of_events - count.events] for count in here])
    low, value, high = sorted(
        (events[0, 0] - events[0, 1] * rates[0] * factors) / (events[1, 0] - events[1, 1] * rates[1] * factors)
    )
    assert (found.low, found.value, found.high) == pytest.approx((low, value, high), rel=0.01)


def test_controls_are_counted_as_well_as_their_cells_allow() -> None:
    few = Background(30, 1500, ("B",), between_cv=1e-9, kinds=((3, 500), (0, 10**6)))
    here = KindCount(10**5 + 1200, 201_200), KindCount(10**5, 200_000)
    found = net_ratio(*here, few, seed=2)
    rates = stats.beta(3.5, 497.5).ppf([0.975, 0.025])
    assert (found.low, found.high) == pytest.approx(tuple((101_200 - 10**5 * rates) / 10**5), rel=0.01)
    of_cd4, of_cd8 = 101_200 - 10**5 * 3.5 / 501, 10**5 - 10**5 * 0.5 / (10**6 + 1)
    assert found.value == pytest.approx(of_cd4 / of_cd8, abs=1e-6)
    assert net_ratio(*here, replace(few, kinds=((3, 499), (0, 10**6))), seed=2) == UNKNOWN


def test_a_ratio_of_two_kinds_that_may_both_be_nothing_is_open() -> None:
    found = net_ratio(KindCount(8, 15_000), KindCount(8, 15_000), certain(5e-4, 5e-4), seed=2)
    assert found.value == pytest.approx(1)
    assert (found.low, found.high) == (0, None)


def test_the_same_seed_gives_the_same_interval_and_unknown_scatter_is_learned() -> None:
    here = KindCount(120, T_CELLS), KindCount(60, T_CELLS)
    known = background((6, 24))
    assert net_ratio(*here, known, seed=1) == net_ratio(*here, known, seed=1) != net_ratio(*here, known, seed=2)
    parts = (
        ReferenceCount(own=False, of_events=10**5, events=(50,)),
        ReferenceCount(own=False, of_events=10**5, events=(90,)),
    )
    learned = replace(known, between_cv=None, parts=parts)
    assert net_ratio(*here, learned, seed=1) == net_ratio(
        *here, replace(known, between_cv=learned_rates(learned).cv), seed=1
    )


def test_a_ratio_to_nothing_has_no_value_and_one_without_controls_by_kind_is_unknown() -> None:
    known = background((6, 90))
    nothing = net_ratio(KindCount(120, T_CELLS), KindCount(10, T_CELLS), known, seed=1)
    assert (nothing.value, nothing.high) == (None, None)
    assert nothing.low is not None
    assert nothing.low > 2
    assert net_ratio(KindCount(0, T_CELLS), KindCount(0, T_CELLS), known, seed=1) == UNKNOWN
    assert net_ratio(KindCount(120, T_CELLS), KindCount(10, T_CELLS), Background(9, 9000, ("B",)), seed=1) == UNKNOWN
    assert net_ratio(KindCount(120, T_CELLS), KindCount(10, T_CELLS), None, seed=1) == UNKNOWN
