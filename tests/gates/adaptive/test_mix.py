"""A control follows the sample's CD4/CD8 ratio: the share of positives is right though CD8+ T cells are brighter."""

from __future__ import annotations

import numpy as np
import pytest

from cytocar.gates.adaptive import reference
from cytocar.gates.adaptive.density import Floats, Ordered
from cytocar.gates.adaptive.mix import remixed, shares_of
from cytocar.gates.decision import FitInput, Fitted, Flag, ReferenceEvents
from cytocar.sheet.rows import SampleType
from cytocar.template.gate_kinds import ReferenceGate

CAR = ReferenceGate(marker="CAR", fallback=900, window=(200, 4000))
POSITIVE = 0.02
UNLIKE, ALIKE = (160.0, 160.0), (80.0, 90.0)
"""Median and spread of CD8+ T cells without a CAR; of CD4+ ones 80 and 90."""


def tube(cd4: int, cd8: int, eighths: tuple[float, float], *, seed: int, brighter: float = 1.0) -> tuple[Floats, ...]:
    """Return signals of CD4+, CD8+ and 600 other T cells without a CAR."""
    random = np.random.default_rng(seed)
    return (
        random.normal(80, 90, cd4),
        brighter * random.normal(*eighths, cd8),
        random.normal(80, 90, 600),
    )


def counted(sample: tuple[Floats, ...], control: tuple[Floats, ...], *, by_kind: bool = True) -> Fitted:
    """Return the gate on a sample to whose kinds 2 % of positives are added."""
    random = np.random.default_rng(5)
    bright = [2000 * np.exp(random.normal(0, 0.6, round(POSITIVE / (1 - POSITIVE) * len(one)))) for one in sample]
    values = np.concatenate([np.concatenate(pair) for pair in zip(sample, bright, strict=True)])
    kind = np.concatenate(
        [np.full(len(one) + len(more), place) for place, (one, more) in enumerate(zip(sample, bright, strict=True))]
    )
    kinds = {"CAR": tuple(np.sort(one) for one in control)} if by_kind else {}
    baseline = ReferenceEvents(
        "B", SampleType.BASELINE, "t_cells", {"CAR": np.sort(np.concatenate(control))}, kinds=kinds
    )
    masks = (kind == 0, kind == 1) if by_kind else ()
    return reference.fit(CAR, FitInput("car_t", {"CAR": values}, references=[baseline], seed=1, kinds=masks))


def net_over_true(fitted: Fitted) -> float:
    """Return the net share of positives over the true one."""
    decision, background = fitted.decisions[0], fitted.background
    assert background is not None
    assert decision.kept is not None
    assert decision.events is not None
    rate = (background.events + 0.5) / (background.of_events + 1)
    return (decision.kept / decision.events - rate) / (background.sensitivity - rate) / POSITIVE


@pytest.mark.parametrize(("sample", "control"), [((4000, 12_000), (12_000, 6000)), ((12_000, 4000), (5000, 11_000))])
def test_a_control_of_another_ratio_is_brought_to_that_of_the_sample(
    sample: tuple[int, int], control: tuple[int, int]
) -> None:
    given = tube(*sample, UNLIKE, seed=11), tube(*control, UNLIKE, seed=12)
    assert net_over_true(counted(*given)) == pytest.approx(1, abs=0.04)
    assert abs(net_over_true(counted(*given, by_kind=False)) - 1) > 0.06


def test_cd8_cells_that_became_brighter_than_cd4_cells_are_followed_apart() -> None:
    given = tube(8000, 8000, ALIKE, seed=1, brighter=1.3), tube(9000, 9000, ALIKE, seed=2)
    assert net_over_true(counted(*given)) == pytest.approx(1, abs=0.1)
    gains = {one.parameter: one.value for one in counted(*given).decisions}
    assert gains["gain_cd4"] == pytest.approx(1.0, abs=0.06)
    assert gains["gain_cd8"] == pytest.approx(1.3, abs=0.08)
    assert net_over_true(counted(*given, by_kind=False)) > 1.15


def test_the_background_of_each_kind_is_counted_above_the_threshold() -> None:
    control = tube(9000, 9000, ALIKE, seed=2)
    fitted = counted(tube(8000, 8000, ALIKE, seed=1, brighter=1.3), control)
    assert fitted.background is not None
    (cd4, of_cd4), (cd8, of_cd8) = fitted.background.kinds
    assert (of_cd4, of_cd8) == (9000, 9000)
    threshold = fitted.decisions[0].value
    assert threshold is not None
    moved = int((1.3 * control[1] >= threshold).sum())  # what CD8+ T cells that became so much brighter put there
    assert cd8 > cd4
    assert abs(cd8 - moved) <= 3 + 0.3 * moved
    assert counted(tube(8000, 8000, ALIKE, seed=1), control, by_kind=False).background.kinds == ()  # type: ignore[union-attr]


def test_where_kinds_are_alike_the_ratio_changes_nothing() -> None:
    given = tube(4000, 12_000, ALIKE, seed=1), tube(12_000, 6000, ALIKE, seed=2)
    assert net_over_true(counted(*given)) == pytest.approx(net_over_true(counted(*given, by_kind=False)), abs=0.03)
    assert "gain_cd8" not in {one.parameter for one in counted(*given).decisions}


def test_a_control_with_too_few_of_a_kind_is_used_as_it_is_and_says_so_where_it_matters() -> None:
    few = (12_000, 300)
    unlike = counted(tube(4000, 12_000, UNLIKE, seed=1), tube(*few, UNLIKE, seed=2))
    assert Flag.FEW_OF_A_KIND in unlike.decisions[0].flags
    alike = counted(tube(4000, 12_000, ALIKE, seed=1), tube(*few, ALIKE, seed=2))
    assert Flag.FEW_OF_A_KIND not in alike.decisions[0].flags
    assert net_over_true(alike) == pytest.approx(1, abs=0.06)
    same_ratio = counted(tube(16_000, 400, UNLIKE, seed=1), tube(*few, UNLIKE, seed=2))
    assert Flag.FEW_OF_A_KIND not in same_ratio.decisions[0].flags


def test_a_mix_has_the_rate_of_its_kinds_and_the_size_of_as_good_a_sample() -> None:
    random = np.random.default_rng(3)
    cd4, cd8, other = (Ordered(np.sort(random.normal(place, 1, n))) for place, n in ((0, 9000), (1, 3000), (0, 500)))
    shares = (0.3, 0.65, 0.05)
    mixed = remixed((cd4, cd8, other), shares)
    assert mixed is not None
    expected = sum(share * one.above(2.0) / len(one) for share, one in zip(shares, (cd4, cd8, other), strict=True))
    assert mixed.above(2.0) / len(mixed) == pytest.approx(expected, rel=0.01)
    assert len(mixed) == pytest.approx(1 / (0.3**2 / 9000 + 0.65**2 / 3000 + 0.05**2 / 500), rel=0.001)


def test_positives_do_not_count_to_a_kind_of_negatives() -> None:
    cd4, cd8 = Ordered(np.r_[np.zeros(6000)]), Ordered(np.r_[np.zeros(2000), np.full(4000, 9.0)])
    assert shares_of((cd4, cd8, Ordered(np.empty(0))), 5.0, 0.0) == pytest.approx((0.75, 0.25, 0.0))
