"""Where gates and signals of a tube lie against those of the other tubes of a run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from cytocar.run.gate_places import GatePlaces, odd_places, odd_samples, places_of
from cytocar.sample.analysis import quantify
from cytocar.sample.result import SampleResult
from cytocar.sheet.rows import SampleType
from cytocar.simulate import blood_tube
from cytocar.template.load import load_template

TEMPLATE = load_template("cart-cd19fc")


def run(**last: float) -> list[GatePlaces]:
    """Return six tubes of one kind, the last one with other places."""
    usual = {"t_cells threshold": 1000.0, "CD3 of t_cells": 5000.0, "CD3 of beads": 60_000.0}
    kind, steady = ("t", "1", ""), frozenset({"CD3 of beads"})
    tubes = [GatePlaces(f"S{n}", kind, _times(usual, by), steady) for n, by in enumerate((0.9, 0.97, 1.0, 1.05, 1.1))]
    return [*tubes, GatePlaces("odd", kind, usual | last, steady)]


def _times(values: Mapping[str, float], factor: float) -> dict[str, float]:
    return {name: factor * value for name, value in values.items()}


def test_tubes_that_lie_together_are_not_named() -> None:
    assert odd_places(run()) == ()


@pytest.mark.parametrize("cd3", [1000.0, 24_000.0])
def test_a_tube_far_from_the_others_is_named_with_how(cd3: float) -> None:
    told = odd_samples(run(**{"CD3 of t_cells": cd3}))
    assert list(told) == ["odd"]
    assert told["odd"] == f"CD3 of t_cells {cd3:,.0f} (others 5,000)"


def test_beads_move_with_the_lot_and_nothing_else() -> None:
    assert odd_places(run(**{"CD3 of beads": 60_000 * 1.25})) == ()
    assert [odd.name for odd in odd_places(run(**{"CD3 of beads": 60_000 * 1.7}))] == ["CD3 of beads"]


def test_small_runs_and_other_instruments_are_left_alone() -> None:
    far = run(**{"CD3 of t_cells": 500.0})
    assert odd_places(far[2:]) == ()  # three others
    assert odd_places([*far[:-1], replace(far[-1], kind=("t", "1", "another"))]) == ()


@given(st.lists(st.integers(1, 40), min_size=5, max_size=30))
def test_each_tube_is_held_against_the_others_without_itself(numbers: list[int]) -> None:
    tubes = [GatePlaces(f"S{place}", ("t",), {"CD3 of T": float(number)}) for place, number in enumerate(numbers)]
    logs = [math.log(number) for number in numbers]
    odd = []
    for place, log in enumerate(logs):
        others = [*logs[:place], *logs[place + 1 :]]
        middle = median(others)
        spread = 1.4826 * median(abs(other - middle) for other in others)
        if abs(log - middle) > max(math.log(2), 6 * spread):
            odd.append((f"S{place}", math.exp(middle)))
    assert [(one.sample_id, one.others) for one in odd_places(tubes)] == odd


def test_two_settings_of_one_run_are_by_design() -> None:
    half = [replace(tube, values=_times(tube.values, 4), sample_id=f"b{tube.sample_id}") for tube in run()]
    assert odd_places([*run(), *half]) == ()


def test_the_car_of_a_course_is_not_compared() -> None:
    course = [blood_tube(car_per_ul=car, seed=seed) for seed, car in enumerate((0.0, 2, 40, 300, 1000, 150))]
    counted = [
        quantify(
            tube.events,
            TEMPLATE,
            beads_added=tube.drawn.beads_added,
            sample_volume_ul=tube.drawn.sample_volume_ul,
            sample_id=f"D{seed}",
        )
        for seed, tube in enumerate(course)
    ]
    tubes = [places_of(result) for result in counted]
    assert all(tube is not None and not any("CAR" in name or "car" in name for name in tube.values) for tube in tubes)
    assert odd_places([tube for tube in tubes if tube is not None]) == ()


def test_a_tube_stained_otherwise_is_not_compared() -> None:
    result = quantify(blood_tube(car_per_ul=10, seed=1).events, TEMPLATE, beads_added=50_000)
    assert isinstance(result, SampleResult)
    fmo = replace(result, sample=replace(result.sample, sample_type=SampleType.FMO))
    assert places_of(fmo) is None
