"""CD4/CD8 of the CAR-T cells net of background holds the truth where the gated ratio does not."""

from __future__ import annotations

import numpy as np
import pytest

from cytocar.counting.car_kinds import KindCount, net_ratio
from cytocar.gates.decision import Background
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


def test_a_ratio_to_nothing_has_no_value_and_one_without_controls_by_kind_is_unknown() -> None:
    known = background((6, 90))
    nothing = net_ratio(KindCount(120, T_CELLS), KindCount(10, T_CELLS), known, seed=1)
    assert (nothing.value, nothing.high) == (None, None)
    assert nothing.low is not None
    assert nothing.low > 2
    assert net_ratio(KindCount(0, T_CELLS), KindCount(0, T_CELLS), known, seed=1) == UNKNOWN
    assert net_ratio(KindCount(120, T_CELLS), KindCount(10, T_CELLS), Background(9, 9000, ("B",)), seed=1) == UNKNOWN
    assert net_ratio(KindCount(120, T_CELLS), KindCount(10, T_CELLS), None, seed=1) == UNKNOWN
