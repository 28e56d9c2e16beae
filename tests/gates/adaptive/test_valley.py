"""Thresholds at valleys: found where two peaks are, the fallback and a flag where they are not."""

from __future__ import annotations

import numpy as np
import pytest

from cytocar.gates.adaptive import valley
from cytocar.gates.adaptive.density import Floats
from cytocar.gates.decision import FitInput, Fitted, Source
from cytocar.regions.boxes import RangeGate
from cytocar.template.gate_kinds import ValleyGate

CD3 = ValleyGate(marker="CD3", keep="above", fallback=1200, window=(400, 5000))


def place(values: Floats, gate: ValleyGate = CD3, limit: float = 262144) -> Fitted:
    return valley.fit(gate, FitInput("t_cells", {"CD3": values}, ranges={"CD3": limit}, seed=1))


def negatives(n: int, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).normal(90, 60, n)


def positives(n: int, seed: int = 1, median: float = 6000) -> Floats:
    return median * np.exp(np.random.default_rng(seed).normal(0, 0.28, n))


@pytest.mark.parametrize("gain", [0.8, 1.0, 1.25])
@pytest.mark.parametrize("share", [0.01, 0.2, 0.9])
def test_valley_parts_two_peaks_at_any_gain(gain: float, share: float) -> None:
    n_positive = int(20_000 * share)
    low, high = gain * negatives(20_000 - n_positive), gain * positives(n_positive)
    fitted = place(np.concatenate([low, high]))
    assert isinstance(fitted.gate, RangeGate)
    threshold = fitted.gate.min
    assert threshold is not None
    assert (low >= threshold).mean() < 0.001
    assert (high < threshold).mean() < 0.01
    assert fitted.decisions[0].source is Source.VALLEY


@pytest.mark.parametrize("values", [negatives(5000), positives(5000)], ids=["no positives", "no negatives"])
def test_absent_population_gives_the_fallback_and_a_flag(values: Floats) -> None:
    fitted = place(values)
    decision = fitted.decisions[0]
    assert decision.source is Source.FALLBACK
    assert decision.value == 1200
    assert decision.flags == ("NO_VALLEY",)


def test_few_events_give_the_fallback_and_a_flag() -> None:
    fitted = place(np.concatenate([negatives(50), positives(40)]))
    assert fitted.decisions[0].flags == ("FEW_EVENTS",)
    assert fitted.gate == RangeGate(marker="CD3", min=1200)


def test_no_events_at_all_give_the_fallback() -> None:
    assert place(np.zeros(0)).decisions[0].source is Source.FALLBACK


def test_valley_outside_the_window_does_not_count() -> None:
    values = np.concatenate([negatives(5000), positives(5000)])
    gate = ValleyGate(marker="CD3", keep="above", fallback=9000, window=(8000, 20000))
    decision = place(values, gate).decisions[0]
    assert decision.value == 9000
    assert decision.flags == ("NO_VALLEY",)


def test_events_at_the_range_limit_are_no_peak_but_are_counted() -> None:
    values = np.concatenate([negatives(5000), np.full(500, 262143.0)])
    decision = place(values).decisions[0]
    assert decision.source is Source.FALLBACK
    assert decision.kept == 500


def test_ten_bit_levels_are_no_peaks() -> None:
    log_values = np.concatenate([negatives(5000), positives(5000)]).clip(1) / 26.2144
    levels = 10 ** (np.round(np.log10(log_values.clip(1)) * 256) / 256)
    gate = ValleyGate(marker="CD3", keep="above", fallback=45, window=(15, 190))
    fitted = place(levels, gate, limit=10_000)
    assert isinstance(fitted.gate, RangeGate)
    assert fitted.gate.min is not None
    assert 15 <= fitted.gate.min < 120
    assert fitted.decisions[0].source is Source.VALLEY


def test_not_a_number_is_left_out() -> None:
    values = np.concatenate([negatives(500), positives(500), np.full(10, np.nan)])
    assert place(values).decisions[0].events == 1000


def test_keep_below_bounds_from_above() -> None:
    dead = ValleyGate(marker="CD3", keep="below", fallback=1200, window=(400, 5000))
    fitted = place(np.concatenate([negatives(5000), positives(500)]), dead)
    assert isinstance(fitted.gate, RangeGate)
    assert fitted.gate.min is None
    assert fitted.decisions[0].kept == 5000


def test_a_border_on_a_plateau_is_flagged_with_the_events_that_it_could_lose() -> None:
    clear = [negatives(5000), positives(5000, median=9000)]
    between = np.exp(np.random.default_rng(2).uniform(np.log(400), np.log(4000), 3000))
    deep, flat = (place(np.concatenate(parts)).decisions[0] for parts in (clear, [*clear, between]))
    assert "FLAT_VALLEY" not in deep.flags
    assert deep.floor_events is not None
    assert deep.floor_events < 100
    assert "FLAT_VALLEY" in flat.flags
    assert flat.floor_events is not None
    assert flat.floor_events > 500
