from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cytocar.simulate import HEALTHY, Artefact, Blood, Preparation, SimulatedTube, blood_tube


def small_tube(*artefacts: Artefact, seed: int = 5, car_per_ul: float = 200) -> SimulatedTube:
    return blood_tube(
        car_per_ul=car_per_ul, preparation=Preparation(sample_volume_ul=10), artefacts=artefacts, seed=seed
    )


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    first, again, other = (
        small_tube(seed=seed).write(tmp_path / f"{name}.fcs").read_bytes()
        for name, seed in [("first", 1), ("again", 1), ("other", 2)]
    )

    assert first == again
    assert first != other


def test_drawn_numbers_scatter_around_the_truth_as_poisson_numbers_do() -> None:
    expected = 200 * 10 * 0.9
    counts = [
        tube.drawn.events["car_cd4_t_cells"] + tube.drawn.events["car_cd8_t_cells"]
        for tube in (small_tube(seed=seed) for seed in range(40))
    ]

    assert np.mean(counts) == pytest.approx(expected, abs=4 * np.sqrt(expected / 40))
    assert 0.5 < np.var(counts) / expected < 2


def test_truth_adds_up() -> None:
    truth = blood_tube(car_per_ul=9, car_cd4_cd8=2, blood=HEALTHY, seed=1).truth.cells_per_ul

    assert (truth["car_cd4"], truth["car_cd8"]) == pytest.approx((6, 3))
    assert truth["t_cells"] == pytest.approx(truth["cd4"] + truth["cd8"] + truth["double_negative_t_cells"])
    assert truth["leukocytes"] == pytest.approx(truth["lymphocytes"] + truth["monocytes"] + truth["granulocytes"])


def test_every_event_is_labelled_and_the_labels_are_what_was_drawn() -> None:
    tube = small_tube()

    assert len(tube.origin) == len(tube.columns["Time"])
    assert {kind: int(tube.is_kind(kind).sum()) for kind in tube.kinds} == dict(tube.drawn.events)


def test_events_arrive_in_order_of_time() -> None:
    assert (np.diff(small_tube().columns["Time"]) >= 0).all()


def test_every_value_lies_on_the_scale() -> None:
    for detector, column in small_tube().columns.items():
        assert np.isfinite(column).all()
        assert detector == "Time" or (column.min() >= -200 and column.max() <= 262_143)


def test_truth_and_what_was_drawn_stand_beside_the_file(tmp_path: Path) -> None:
    path = small_tube().write(tmp_path / "day09.fcs")

    beside = json.loads((tmp_path / "day09.truth.json").read_text(encoding="utf-8"))
    assert path.name == "day09.fcs"
    assert beside["truth"]["cells_per_ul"]["car_t"] == 200
    assert beside["truth"]["car_cd4_cd8_ratio"] == 1
    assert beside["drawn"]["sample_volume_ul"] == 10


def test_blood_without_cells_is_a_tube_of_beads() -> None:
    empty = Blood(*[0.0] * 8)

    tube = blood_tube(car_per_ul=0, blood=empty, seed=3)

    assert len(tube.origin) == tube.drawn.events["beads"] + tube.drawn.events["bead_doublets"] > 10_000
    assert tube.truth.car_cd4_cd8_ratio is None


@settings(max_examples=25, deadline=None)
@given(
    car_per_ul=st.floats(0, 3000),
    ratio=st.floats(0, 20),
    activation=st.floats(0, 1),
    dead_share=st.floats(0, 0.6),
    artefacts=st.sets(st.sampled_from(Artefact)),
    seed=st.integers(0, 2**32),
)
def test_any_tube_holds_together(
    car_per_ul: float, ratio: float, activation: float, dead_share: float, artefacts: set[Artefact], seed: int
) -> None:
    tube = blood_tube(
        car_per_ul=car_per_ul,
        car_cd4_cd8=ratio,
        blood=Blood(activation=activation, dead_share=dead_share),
        preparation=Preparation(sample_volume_ul=1, beads_added=500),
        artefacts=artefacts,
        seed=seed,
    )

    assert sum(tube.drawn.events.values()) == len(tube.origin) == tube.events.n_events
    assert tube.truth.cells_per_ul["car_cd4"] + tube.truth.cells_per_ul["car_cd8"] == pytest.approx(car_per_ul)
    assert all(np.isfinite(column).all() for column in tube.columns.values())
    assert (np.diff(tube.columns["Time"]) >= 0).all()


@pytest.mark.parametrize("wrong", [{"car_per_ul": float("nan")}, {"car_per_ul": 1, "car_cd4_cd8": -1}])
def test_impossible_blood_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be 0 or more"):
        blood_tube(seed=1, **wrong)  # type: ignore[arg-type]  # one name or the other
