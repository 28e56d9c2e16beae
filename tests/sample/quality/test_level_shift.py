"""A signal that changes its level once is found, with place and size; drift, noise and other events are no step."""

from __future__ import annotations

import numpy as np
import pytest

from cytocar.errors.findings import Finding, Severity
from cytocar.sample.quality.flow import Bools, Floats, time_quality
from cytocar.sample.quality.level_shift import LevelShift, together
from cytocar.simulate import Artefact, Preparation, blood_tube

N = 30_000
CHANNELS = ("CD3", "CAR", "FSC-A")


def run(seed: int = 0, n: int = N) -> tuple[Floats, dict[str, Floats]]:
    """Return clock and signals of T cells (a third), other cells and beads (a twentieth), well mixed."""
    random = np.random.default_rng(seed)
    kind = random.choice(3, n, p=[0.33, 0.62, 0.05])
    medians = {"CD3": (6000, 90, 60_000), "CAR": (80, 150, 60_000), "FSC-A": (97e3, 150e3, 36e3)}
    signals = {
        marker: np.array(median)[kind] * np.exp(random.normal(0, 0.2, n)) + random.normal(0, 40, n)
        for marker, median in medians.items()
    }
    return np.cumsum(random.exponential(0.1, n)), signals


def late(at: float, n: int = N) -> Bools:
    return np.asarray(np.arange(n) >= at * n)


def steps(signals: dict[str, Floats], clock: Floats) -> list[Finding]:
    return [finding for finding in time_quality(clock, signals).findings if finding.code == "W291"]


@pytest.mark.parametrize("marker", CHANNELS)
@pytest.mark.parametrize("gain", [0.6, 0.8, 1.2, 1.6])
@pytest.mark.parametrize("at", [0.35, 0.6])
def test_a_step_is_named_with_its_size_and_what_lies_on_either_side(marker: str, gain: float, at: float) -> None:
    clock, signals = run()
    signals[marker] = signals[marker] * np.where(late(at), gain, 1.0)
    quality = time_quality(clock, signals)
    (finding,) = [finding for finding in quality.findings if finding.code == "W291"]
    assert finding.outcome is Severity.REVIEW
    assert finding.value == pytest.approx(np.log(gain), abs=0.04)
    assert f"{marker} {100 * (gain - 1):+.0f} %"[:-4] in finding.message
    before = int(finding.message.split("; ")[1].split(" %")[0])
    assert before == pytest.approx(100 * at, abs=2)
    assert not any(other in finding.message for other in CHANNELS if other != marker)
    assert quality.keep is None or quality.keep.mean() > 0.98  # the bin in which it happens may go, neither part


def test_detectors_that_step_together_are_one_finding() -> None:
    clock, signals = run()
    signals = {marker: values * np.where(late(0.5), 0.7, 1.0) for marker, values in signals.items()}
    (finding,) = steps(signals, clock)
    assert all(marker in finding.message for marker in CHANNELS)


def test_steps_at_two_places_are_two_findings() -> None:
    clock, signals = run()
    signals["CD3"] = signals["CD3"] * np.where(late(0.3), 1.5, 1.0)
    signals["CAR"] = signals["CAR"] * np.where(late(0.7), 1.5, 1.0)
    assert len(steps(signals, clock)) == 2


def test_a_short_part_is_cut_and_the_step_named_all_the_same() -> None:
    clock, signals = run()
    signals["FSC-A"] = signals["FSC-A"] * np.where(late(0.85), 1.8, 1.0)
    quality = time_quality(clock, signals)
    assert quality.keep is not None
    assert quality.keep[late(0.86)].mean() < 0.02
    assert {finding.code for finding in quality.findings} == {"W282", "W291"}


@pytest.mark.parametrize("seed", range(20))
def test_a_steady_run_has_no_step(seed: int) -> None:
    clock, signals = run(seed, n=10_000)
    assert steps(signals, clock) == []


@pytest.mark.parametrize("last", [0.6, 0.8, 1.3, 1.7])
def test_a_drift_is_no_step(last: float) -> None:
    clock, signals = run()
    signals["CD3"] = signals["CD3"] * np.linspace(1.0, last, N)
    assert steps(signals, clock) == []


def test_a_change_of_fifteen_percent_is_tolerated() -> None:
    clock, signals = run()
    signals["CD3"] = signals["CD3"] * np.where(late(0.5), 1.1, 1.0)
    assert steps(signals, clock) == []


def test_beads_that_stop_are_no_step_of_the_signals() -> None:
    clock, signals = run()
    gone = late(0.5) & (signals["CAR"] > 30_000)
    assert steps({marker: values[~gone] for marker, values in signals.items()}, clock[~gone]) == []


def test_a_clog_is_no_step() -> None:
    tube = blood_tube(car_per_ul=50, preparation=Preparation(sample_volume_ul=10), artefacts=(Artefact.CLOG,), seed=4)
    signals = {name: column.astype(float) for name, column in tube.columns.items() if name != "Time"}
    assert steps(signals, tube.columns["Time"].astype(float)) == []


def test_steps_within_two_bins_of_the_largest_belong_together() -> None:
    def at(place: int, size: float) -> LevelShift:
        return LevelShift(0, place, np.zeros(5), size)

    groups = together([at(50, 0.3), at(52, 0.9), at(54, 0.2), at(80, 0.4)])
    assert [[step.place for step in group] for group in groups] == [[52, 50, 54], [80]]
