"""Negatives that fall through a threshold which no control placed: how many, who asks, and what the limits say."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.validity.car import falling_of, measure
from cytocar.gates.adaptive import reference
from cytocar.gates.adaptive.density import Floats, Ordered
from cytocar.gates.adaptive.falling import negatives_beyond
from cytocar.gates.decision import FitInput
from cytocar.template.gate_kinds import ReferenceGate

GATE = ReferenceGate(marker="CAR", fallback=900, window=(200, 4000))
N = 20_000


def tailed(scale: float, seed: int = 1) -> Floats:
    """Negatives whose dim side is narrow, with an exponential tail on the bright side of a tenth of them."""
    random = np.random.default_rng(seed)
    return random.normal(80, 60, N) + np.where(random.random(N) < 0.1, random.exponential(scale, N), 0)


def positives(n: int, median: float) -> Floats:
    return median * np.exp(np.random.default_rng(2).normal(0, 0.3, n))


@pytest.mark.parametrize("n_positive", [0, 20, 200])
def test_a_tail_that_passes_the_threshold_asks_and_lowers_the_lower_limit(n_positive: int) -> None:
    values = np.concatenate([tailed(300)[n_positive:], positives(n_positive, 9000)])
    among = int((tailed(300)[n_positive:] >= GATE.fallback).sum())
    fitted = reference.fit(GATE, FitInput("car_t", {"CAR": values}, seed=1))
    assert fitted.decisions[0].flags.count("FALLBACK_TOO_LOW") == 1
    assert fitted.decisions[1].value is not None
    assert fitted.decisions[1].value > reference.FALLBACK_SPREADS
    assert 0.4 * among < falling_of(fitted) < 2.5 * among
    measured = measure(values, 100 * n_positive / N, [], seed=1, gate=GATE)
    assert measured.low <= measured.true <= measured.high
    assert measured.raw > measured.true + 0.3


@pytest.mark.parametrize("values", [tailed(80), np.concatenate([tailed(80)[2000:], positives(2000, 3000)])])
def test_negatives_that_end_below_the_threshold_do_not_ask(values: Floats) -> None:
    fitted = reference.fit(GATE, FitInput("car_t", {"CAR": values}, seed=1))
    assert "FALLBACK_TOO_LOW" not in fitted.decisions[0].flags
    assert falling_of(fitted) == 0


def test_the_dim_side_of_positives_is_no_fall() -> None:
    values = Ordered.of(np.concatenate([tailed(80)[2000:], positives(2000, 1000)]))
    assert negatives_beyond(values.above, 900, center=80) == 0
    assert negatives_beyond(values.above, 80, center=80) == 0


def test_no_more_are_told_than_the_step_above_holds() -> None:
    tail = tailed(300)
    ended = tail[(tail < 900) | (tail > 2000)]
    assert negatives_beyond(Ordered.of(tail).above, 900, center=80) > 50
    assert negatives_beyond(Ordered.of(ended).above, 900, center=80) == 0
