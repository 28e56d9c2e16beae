"""A line is drawn where two groups are, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest

from cytocar.fit.evidence import Floats, find_evidence, gated_before
from cytocar.fit.lines import Status, draw_line
from cytocar.signals.scales import LogicleScale

SCALE = LogicleScale(T=262144, W=0.5, M=4.5)


def _group(median: float, events: int, *, decades: float = 0.15, seed: int = 1) -> Floats:
    return median * 10 ** np.random.default_rng(seed).normal(0, decades, events)


def _negatives(events: int, seed: int = 2) -> Floats:
    return np.random.default_rng(seed).normal(60, 80, events)


def test_two_groups_are_parted_between_them() -> None:
    valley = find_evidence(np.r_[_negatives(3000), _group(6000, 2000)], SCALE)
    assert valley is not None
    assert 400 < valley.at < 3500
    assert abs(valley.above - 2000) < 10
    assert valley.separation > 1.2


@pytest.mark.parametrize("seed", range(5))
def test_one_group_is_not_parted(seed: int) -> None:
    assert find_evidence(_group(6000, 2000, seed=seed), SCALE) is None
    assert find_evidence(_negatives(2000, seed=seed), SCALE) is None


def test_groups_as_close_as_unstained_cells_of_two_kinds_are_no_evidence() -> None:
    close = np.r_[_group(300, 2000, decades=0.08), _group(1200, 2000, decades=0.08)]
    assert find_evidence(close, SCALE, separation=0) is not None
    assert find_evidence(close, SCALE) is None


def test_a_handful_of_bright_events_is_no_group() -> None:
    assert find_evidence(np.r_[_negatives(3000), _group(6000, 8)], SCALE) is None


def test_events_cut_off_above_zero_were_gated_before() -> None:
    stained = np.r_[_group(5000, 500, decades=0.2), _group(30000, 500)]
    cut = stained[stained > 2700]
    assert gated_before(cut, SCALE, find_evidence(cut, SCALE, separation=0))
    whole = np.r_[_negatives(500), _group(30000, 500)]
    assert not gated_before(whole, SCALE, find_evidence(whole, SCALE, separation=0))


@pytest.mark.parametrize(("median", "shown"), [(3000, True), (260, False)])
def test_negatives_on_an_amplifiers_floor_are_not_taken_for_gated_away(median: float, *, shown: bool) -> None:
    """Four decades on 18 bits: all that is dimmer than 26 lies at 26; what is close above it may be dim cells."""
    values = np.maximum(np.concatenate([_negatives(3000), _group(median, 2000)]), 26.2)
    assert not gated_before(values, SCALE, find_evidence(values, SCALE, separation=0))
    assert (find_evidence(values, SCALE) is not None) == shown


def test_values_piled_up_at_the_lowest_step_were_not_gated() -> None:
    calibur = np.r_[np.full(400, 1.0), _group(4, 600, decades=0.2), _group(800, 500)]
    scale = LogicleScale(T=10000, W=0.3, M=3.65)
    assert not gated_before(calibur, scale, find_evidence(calibur, scale, separation=0))


def test_the_window_holds_every_file_and_is_a_factor_of_two_wide_at_least() -> None:
    files = [np.r_[_negatives(2000, seed=n), _group(6000 * 1.1**n, 1500, seed=n)] for n in range(4)]
    line = draw_line("CD3", files, SCALE)
    assert line is not None
    assert line.status is Status.EVIDENCE
    assert all(valley is not None and line.window[0] <= valley.at <= line.window[1] for valley in line.own)
    assert line.window[1] > 1.9 * line.at > 3.6 * line.window[0]


def test_one_file_is_provisional_with_a_wider_window() -> None:
    line = draw_line("CD3", [np.r_[_negatives(2000), _group(6000, 1500)]], SCALE)
    assert line is not None
    assert line.status is Status.PROVISIONAL
    assert line.window[1] > 2.4 * line.at


def test_files_too_small_by_themselves_show_a_line_together() -> None:
    files = [np.r_[_negatives(60, seed=n), _group(6000, 8, seed=n)] for n in range(6)]
    line = draw_line("CD8", files, SCALE)
    assert line is not None
    assert line.status is Status.POOLED
    assert line.files == 0
