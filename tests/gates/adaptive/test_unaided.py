"""Without controls the bright positives tell which share of all lies above the template's threshold."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from cytocar.counting.background import net_share
from cytocar.gates.adaptive import reference
from cytocar.gates.adaptive.density import Floats, Ordered
from cytocar.gates.adaptive.unaided import Unaided, _negatives_beyond, densest_center, unaided
from cytocar.gates.decision import FitInput, Flag
from cytocar.template.gate_kinds import ReferenceGate

CENTER, SPREAD, THRESHOLD, SHARE = 80.0, 90.0, 500.0, 0.1
CAR = ReferenceGate(marker="CAR", fallback=THRESHOLD, window=(150, 2500))


def tube(stain_index: float, *, n: int = 20_000, share: float = SHARE, seed: int = 1) -> tuple[Floats, float]:
    """Return signals with log-normal positives, and the share of these that lies above the threshold."""
    random = np.random.default_rng(seed)
    bright = (CENTER + 2 * stain_index * SPREAD) * 10 ** random.normal(0, 0.3, round(share * n))
    return np.r_[random.normal(CENTER, SPREAD, n - len(bright)), bright], float((bright >= THRESHOLD).mean())


def look(values: Floats, threshold: float) -> Unaided | None:
    ordered = Ordered.of(values)
    return unaided(ordered, threshold, densest_center(ordered))


def seen(values: Floats) -> Unaided:
    found = look(values, THRESHOLD)
    assert found is not None
    return found


def test_positives_that_end_at_the_threshold_are_not_looked_for_below_it() -> None:
    random = np.random.default_rng(3)
    bright = 1.1 * THRESHOLD * np.exp(np.abs(random.normal(0, 0.5, 2000)))
    values = np.r_[CENTER + SPREAD * random.normal(size=17_400), random.uniform(300, 440, 600), bright]
    found = seen(values)  # 600 events of a lopsided tail, all nearer to the negatives
    assert found.sensitivity > 0.93
    assert found.sensitivity_sd < 0.06


@pytest.mark.parametrize("stain_index", [3.0, 4.0, 6.0, 12.0])
def test_bright_positives_tell_how_many_lie_below(stain_index: float) -> None:
    values, true = tube(stain_index)
    found = seen(values)
    assert abs(found.sensitivity - true) < 2 * found.sensitivity_sd
    assert found.stain_index == pytest.approx(stain_index, rel=0.2)


def test_the_interval_holds_a_share_of_which_half_lies_below_the_threshold() -> None:
    values, _ = tube(3.0)
    events, found = int((values >= THRESHOLD).sum()), seen(values)
    known = (found.sensitivity, found.sensitivity_sd)
    net, blind = (
        net_share(events, len(values), None, assumed_percent=0.05, seed=1, unaided=one).net for one in (known, None)
    )
    assert net.value is not None and net.low is not None and net.high is not None
    assert blind.high is not None
    assert net.low < 100 * SHARE < net.high
    assert blind.high < 100 * SHARE
    rate = 0.0005
    assert net.value == pytest.approx(100 * (events / len(values) - rate) / (found.sensitivity - rate), rel=1e-9)


def test_a_low_stain_index_asks_for_a_look_without_a_control_too() -> None:
    flags = [
        reference.fit(CAR, FitInput("car_t", {"CAR": tube(index)[0]}, seed=1)).decisions[0].flags for index in (3, 8)
    ]
    assert Flag.LOW_STAIN_INDEX in flags[0]
    assert Flag.LOW_STAIN_INDEX not in flags[1]


def test_too_few_positives_or_a_threshold_among_the_negatives_tell_nothing() -> None:
    negatives = np.random.default_rng(2).normal(CENTER, SPREAD, 5000)
    assert look(np.r_[negatives, [900.0] * 5], THRESHOLD) is None
    assert look(np.r_[negatives, [900.0] * 500], CENTER - 10) is None


def test_positives_by_the_third_do_not_move_where_negatives_are_looked_for() -> None:
    values, _ = tube(6.0, share=0.4, seed=3)
    assert seen(values).stain_index == pytest.approx(6, rel=0.2)


def test_a_gap_below_the_threshold_says_that_hardly_any_positive_lies_there() -> None:
    values, _ = tube(6.0)
    cut = values[(values < CENTER + 4 * SPREAD) | (values >= 1.2 * THRESHOLD)]
    whole, sharp = seen(values), seen(cut)
    assert sharp.sensitivity > 0.95
    assert sharp.sensitivity_sd < 0.6 * whole.sensitivity_sd


def test_positives_that_rise_across_the_threshold_leave_few_below_it() -> None:
    random = np.random.default_rng(4)
    bright = np.r_[random.normal(2250, 500, 600), CENTER + 520 * np.exp(random.exponential(0.4, 400))]
    flank = CENTER + 520 * np.exp(-random.exponential(0.1, 100))  # a tenth as many below as an exponential flank tells
    values = np.r_[random.normal(CENTER, SPREAD, 18_900), bright, flank]
    true = float((np.r_[bright, flank] >= THRESHOLD).mean())
    assert abs(seen(values).sensitivity - true) < 0.04
    few = np.r_[random.normal(CENTER, SPREAD, 18_900), bright[::50], flank[::50]]
    assert seen(few).sensitivity < true - 0.04  # two events below and ten above are no rise yet


def test_a_lopsided_tail_of_negatives_never_adds_positives() -> None:
    values, _ = tube(6.0)
    tail = np.random.default_rng(2).uniform(CENTER + 3 * SPREAD, THRESHOLD, 400)
    bare, tailed = seen(values), seen(np.r_[values, tail])
    assert tailed.sensitivity == pytest.approx(bare.sensitivity, abs=0.01)
    assert tailed.sensitivity_sd >= bare.sensitivity_sd


def test_events_counted_down_to_where_negatives_end_bound_what_is_missed() -> None:
    for seed in range(2, 6):
        values, true = tube(6.0, seed=seed)
        found = seen(values)
        assert abs(found.sensitivity - true) < 2 * found.sensitivity_sd
        assert found.sensitivity_sd < 0.08  # without the bound 0.106 to 0.117


@pytest.mark.parametrize(
    ("tail", "shape", "threshold"),
    [
        (stats.norm.sf(4.0), lambda random, n: random.normal(size=n), 4.0),
        (stats.gumbel_r.sf(7.0), lambda random, n: random.gumbel(size=n), 7.0),
        (stats.logistic.sf(7.0), lambda random, n: random.logistic(size=n), 7.0),
        (stats.gamma.sf(10.0, 3), lambda random, n: random.gamma(3, size=n), 10.0),
    ],
)
def test_the_fall_of_the_negatives_tells_how_long_their_tail_is(
    tail: float, shape: Callable[[np.random.Generator, int], Floats], threshold: float
) -> None:
    told = []
    for seed in range(12):
        signals = shape(np.random.default_rng(seed), 20_000)
        center, low = np.quantile(signals, (0.5, 0.159))
        told.append(_negatives_beyond(Ordered.of(signals), center, center - low, threshold)(threshold) / 20_000)
    assert tail / 4 < np.median(told) < 4 * tail
