"""Beads and cells of a tube against those of the other tubes of a run: numbers alone, of known truth."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace

from cytocar.errors.findings import Finding, Severity
from cytocar.run.yields import TubeYield, apart, yield_findings

KIND = ("cart-cd19fc", "1", "cytometer")
USUAL = TubeYield(
    "",
    KIND,
    by_beads=True,
    bead_events=18_000,
    beads_added=20_000,
    sample_volume_ul=50,
    drawn_ul=450,
    seconds=225,
    brightness={"CD3 of beads": 60_000, "beads center_CD4": 55_000},
    cd3=5000,
    t_cells=(800.0, 730.0, 880.0),
)


def run(n: int = 8, *, cv: float = 0.04, seed: int = 1) -> list[TubeYield]:
    """Tubes of one preparation: beads, volumes, speed and brightness err from tube to tube."""
    random = np.random.default_rng(seed)
    beads, seconds, shine = np.exp(random.normal(0, [cv, 0.05, 0.04], (n, 3))).T
    return [
        replace(
            USUAL,
            sample_id=f"S{number}",
            bead_events=round(18_000 * beads[number]),
            seconds=225 * seconds[number],
            brightness={name: value * shine[number] for name, value in USUAL.brightness.items()},
        )
        for number in range(n)
    ]


def told(tubes: list[TubeYield]) -> dict[str, list[str]]:
    """Codes by sample, of what does not agree."""
    by_sample = {name: [one.code for one in findings if one.code] for name, findings in yield_findings(tubes).items()}
    return {name: codes for name, codes in by_sample.items() if codes}


def without_volume(tubes: list[TubeYield]) -> list[TubeYield]:
    return [replace(tube, drawn_ul=None) for tube in tubes]


def test_tubes_that_were_made_alike_pass_and_say_so() -> None:
    tubes = run()
    assert told(tubes) == {}
    assert all([one.outcome for one in of_one] == [Severity.PASS] for of_one in yield_findings(tubes).values())
    assert len(yield_findings(tubes)) == len(tubes)
    assert yield_findings(tubes[:4]) == {}  # three others


@pytest.mark.parametrize(("left", "codes"), [(0.5, ["W255"]), (0.75, ["W255"]), (1.6, ["W255"]), (0.95, [])])
def test_beads_that_were_lost_or_added_twice_show_by_the_volume_drawn(left: float, codes: list[str]) -> None:
    tubes = run(16)
    tubes[3] = replace(tubes[3], bead_events=round(18_000 * left))
    assert told(tubes).get("S3", []) == codes
    assert set(told(tubes)) <= {"S3"}


def test_the_number_that_is_off_is_told_with_its_size() -> None:
    tubes = run()
    tubes[2] = replace(tubes[2], bead_events=9000)
    (finding,) = yield_findings(tubes)["S2"]
    assert "cells/µL are 1.98 times too high" in finding.message
    assert finding.outcome is Severity.REVIEW
    assert np.exp(finding.value or 0) == pytest.approx(2, rel=0.08)


def test_tubes_with_more_specimen_are_compared_among_themselves() -> None:
    more = [replace(tube, sample_id=f"L{tube.sample_id}", sample_volume_ul=300, drawn_ul=1080) for tube in run(6)]
    assert told([*run(6), *more]) == {}


def test_without_a_volume_slow_beads_are_told_and_a_fast_flow_is_not() -> None:
    tubes = without_volume(run())
    tubes[1] = replace(tubes[1], bead_events=9000)
    assert told(tubes) == {"S1": ["W256"]}
    tubes[1] = replace(tubes[1], bead_events=36_000)
    assert told(tubes) == {}
    speeds = [replace(tube, seconds=225 / (1 + number % 3)) for number, tube in enumerate(without_volume(run(9)))]
    assert told(speeds) == {}  # low, medium and high in turn


def test_another_lot_whose_number_was_not_entered_is_told() -> None:
    tubes = run()
    tubes[5] = replace(tubes[5], brightness={name: 1.4 * value for name, value in USUAL.brightness.items()})
    assert told(tubes) == {"S5": ["W257"]}
    entered = replace(tubes[5], beads_added=23_400, bead_events=21_000)
    assert told([*tubes[:5], entered, *tubes[6:]]) == {}
    gain = replace(tubes[5], cd3=5000 * 1.35)  # the detector: T cells are brighter as well
    assert told([*tubes[:5], gain, *tubes[6:]]) == {}
    own_lot = replace(tubes[5], bead_lot="B7")
    assert told([*tubes[:5], own_lot, *tubes[6:]]) == {}


def test_a_number_of_beads_mistyped_is_told_unless_the_volume_bears_it_out() -> None:
    tubes = without_volume(run())
    mistyped = replace(tubes[0], beads_added=52_000)
    assert [one.code for one in yield_findings([mistyped, *tubes[1:]])["S0"]] == ["W256", "W257"]
    unknown = [replace(tube, seconds=None) for tube in (mistyped, *tubes[1:])]
    assert told(unknown) == {"S0": ["W257"]}
    halves = replace(unknown[0], beads_added=10_000, sample_volume_ul=25)  # half of each: a small draw
    assert told([halves, *unknown[1:]]) == {}
    with_volume = run()
    more = replace(with_volume[0], beads_added=40_000, bead_events=36_000)
    assert told([more, *with_volume[1:]]) == {}


def draw_of(*per_ul: float, error: float = 0.09) -> list[TubeYield]:
    tubes = run(len(per_ul))
    return [
        replace(tube, draw=("P1", "9", "", "blood"), t_cells=(one, one / (1 + error), one * (1 + error)))
        for tube, one in zip(tubes, per_ul, strict=True)
    ]


def test_two_tubes_of_one_draw_that_disagree_are_both_told() -> None:
    assert told(draw_of(800, 1650)) == {"S0": ["W258"], "S1": ["W258"]}
    assert told(draw_of(800, 990)) == {}
    assert told(draw_of(8, 15, error=0.6)) == {}  # few cells tell little
    elsewhere = [replace(tube, draw=("P1", str(day), "", "blood")) for day, tube in enumerate(draw_of(800, 1650))]
    assert yield_findings(elsewhere) == {}


@pytest.mark.parametrize("odd", [350.0, 1800.0])
def test_of_three_the_one_that_differs_from_most_is_told(odd: float) -> None:
    assert told(draw_of(800, 850, odd)) == {"S2": ["W258"]}
    assert told(draw_of(odd, 850, 800)) == {"S0": ["W258"]}


def test_order_does_not_matter() -> None:
    tubes = run(12)
    tubes[3] = replace(tubes[3], bead_events=9000)
    shuffled = [tubes[n] for n in np.random.default_rng(2).permutation(12)]
    assert dict(yield_findings(tubes)) == dict(yield_findings(shuffled))


@pytest.mark.parametrize(("n", "cv", "most"), [(5, 0.05, 0.005), (8, 0.08, 0.01), (24, 0.05, 0.005), (96, 0.12, 0.005)])
def test_clean_runs_are_seldom_told(n: int, cv: float, most: float) -> None:
    runs = max(4, 2000 // n)
    alarms = sum(
        any(finding.code == "W255" for finding in findings)
        for seed in range(runs)
        for findings in yield_findings(run(n, cv=cv, seed=seed)).values()
    )
    assert alarms <= most * n * runs


def test_the_limit_follows_the_spread_of_the_others() -> None:
    narrow = apart(100.0, [98.0, 101.0, 100.0, 99.0, 102.0], "volume")
    broad = apart(100.0, [70.0, 140.0, 100.0, 90.0, 120.0], "volume")
    assert narrow is not None
    assert broad is not None
    assert narrow.limit < 0.25 < broad.limit
    assert apart(100.0, [98.0, 101.0, 100.0], "volume") is None


def test_tubes_without_a_count_by_beads_are_left_out() -> None:
    assert yield_findings([replace(tube, by_beads=False) for tube in run()]) == {}
    findings: dict[str, tuple[Finding, ...]] = dict(yield_findings([replace(run()[0], by_beads=False), *run()[1:]]))
    assert "S0" not in findings


def test_of_very_many_tubes_evenly_chosen_ones_stand_for_all() -> None:
    tubes = run(900)
    for number in (0, 450, 899):
        tubes[number] = replace(tubes[number], bead_events=9000)
    assert {name for name, codes in told(tubes).items() if "W255" in codes} >= {"S0", "S450", "S899"}
    assert len(told(tubes)) <= 3 + 18, "at most 2 % of the tubes made alike"
    (finding, *_) = yield_findings(tubes)["S450"]
    assert "299 others" in finding.message


@pytest.mark.parametrize(("typed", "codes"), [(60, []), (66, []), (120, ["W262"]), (30, ["W262"])])
def test_a_volume_that_was_typed_is_held_against_the_time(typed: float, codes: list[str]) -> None:
    by_volume = [replace(tube, by_beads=False, typed_ul=tube.seconds and 16 * tube.seconds / 60) for tube in run(10)]
    assert told(by_volume) == {}
    assert {one.check for findings in yield_findings(by_volume).values() for one in findings} == {"run_volume"}
    by_volume[4] = replace(by_volume[4], typed_ul=typed, seconds=225)
    assert told(by_volume).get("S4", []) == codes
