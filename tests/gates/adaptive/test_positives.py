"""The share of positives above a threshold, for brightness of several shapes."""

from __future__ import annotations

import numpy as np
import pytest

from cytocar.gates.adaptive.density import Floats
from cytocar.gates.adaptive.positives import Positives, describe

THRESHOLD = 400.0


def describe_mixture(
    bright: Floats, *, negatives: int = 30_000, misplaced: float = 0.0, shift_sd: float = 0.0
) -> Positives:
    random = np.random.default_rng(1)
    sample = np.concatenate([random.normal(80, 90, negatives), bright])
    reference = random.normal(80, 90, 100_000) - misplaced
    return describe(
        np.sort(sample[sample >= 160]),
        np.sort(reference[reference >= 160]),
        events=len(sample),
        reference_events=len(reference),
        threshold=THRESHOLD,
        shift_sd=shift_sd,
    )


def log_normal(n: int, median: float, log_sd: float) -> Floats:
    return median * np.exp(np.random.default_rng(2).normal(0, log_sd, n))


@pytest.mark.parametrize("log_sd", [0.5, 0.8, 1.0])
@pytest.mark.parametrize("n", [300, 3000, 20_000])
def test_sensitivity_is_the_share_of_log_normal_positives_above_the_threshold(n: int, log_sd: float) -> None:
    bright = log_normal(n, 1160, log_sd)
    found = describe_mixture(bright)
    true = float((bright >= THRESHOLD).mean())
    assert found.sensitivity == pytest.approx(true, abs=0.07)
    assert abs(found.sensitivity - true) < 2.5 * found.sensitivity_sd + 0.01
    assert found.median == pytest.approx(1160, rel=0.25)


def test_positives_with_long_tails_are_not_taken_for_narrow_ones() -> None:
    bright = 1160 * np.exp(0.65 * np.random.default_rng(3).standard_t(4, 10_000))
    assert describe_mixture(bright).sensitivity == pytest.approx((bright >= THRESHOLD).mean(), abs=0.03)


def test_positives_that_end_above_the_threshold_are_all_seen() -> None:
    bright = log_normal(8000, 1500, 0.9)
    bright = bright[bright > 800]
    assert describe_mixture(bright).sensitivity > 0.95


@pytest.mark.parametrize("n", [300, 3000])
def test_positives_that_end_sharply_at_the_threshold_are_not_thought_to_go_on_below(n: int) -> None:
    bright = log_normal(4 * n, 1160, 0.9)
    found = describe_mixture(bright[bright > THRESHOLD][:n])
    assert found.sensitivity > 0.93
    assert 1 - found.sensitivity < 2.5 * found.sensitivity_sd


def test_dim_positives_that_no_curve_foresees_are_noticed_by_what_lies_below_the_threshold() -> None:
    tail = np.exp(np.random.default_rng(4).uniform(np.log(230), np.log(920), 2000))
    bright = np.r_[log_normal(8000, 1460, 0.28), tail]
    found = describe_mixture(bright, negatives=40_000)
    true = float((bright >= THRESHOLD).mean())
    assert abs(found.sensitivity - true) < 2 * found.sensitivity_sd


def test_without_events_above_the_threshold_nothing_is_missed() -> None:
    found = describe_mixture(np.zeros(0), negatives=300)
    assert (found.events, found.sensitivity) == (0.0, 1.0)


def test_missed_positives_grow_with_the_threshold() -> None:
    found = describe_mixture(log_normal(3000, 1160, 0.8))
    missed = found.missed(np.array([200.0, 400.0, 800.0]))
    assert (np.diff(missed) > 0).all()
    assert missed[1] == pytest.approx(found.events * (1 - found.sensitivity), rel=0.2)


@pytest.mark.parametrize("misplaced", [-10.0, 10.0])
def test_references_whose_place_is_not_known_say_less_about_what_lies_below(misplaced: float) -> None:
    bright = log_normal(300, 800, 0.8)
    right = describe_mixture(bright).sensitivity
    believed, doubted = (describe_mixture(bright, misplaced=misplaced, shift_sd=sd).sensitivity for sd in (0.0, 10.0))
    assert abs(believed - right) > 0.15
    assert abs(doubted - right) < 0.6 * abs(believed - right)
