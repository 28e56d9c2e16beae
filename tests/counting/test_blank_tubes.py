"""The laboratory's tubes without CAR-T cells: kept places, the table, what is refused."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from cytocar.counting.blank_tubes import (
    HISTORY,
    PLACES,
    BlankTube,
    all_tubes,
    beyond_places,
    counts_at,
    joined,
    read_history,
)
from cytocar.errors.tree import UsageError
from cytocar.tables.columns import csv_text

GATE = ("cart-cd19fc", "car_t", "CAR")


def tube(seed: int = 1, gain: float = 1.0, n: int = 50_000, subject: str = "P1") -> BlankTube:
    random = np.random.default_rng(seed)
    signals = random.normal(80, 90, n)
    sticky = random.random(n) < 0.002
    signals[sticky] += random.gamma(1.5, 700, int(sticky.sum()))
    return BlankTube(f"B{seed}", subject, "baseline", *GATE, n, beyond_places(np.sort(gain * signals)), run="monday")


def test_places_do_not_depend_on_the_gain() -> None:
    assert tube(gain=0.6).above == tube(gain=1.7).above


@pytest.mark.parametrize("place", [3.3, 5.5, 9.0, 17.0])
def test_counts_between_the_places_are_near_what_is_counted_there(place: float) -> None:
    random = np.random.default_rng(2)
    signals = np.sort(np.concatenate([random.normal(0, 1, 99_000), random.exponential(8, 1000)]))
    low, middle, high = np.quantile(signals, [0.159, 0.5, 0.841])
    counted = int((signals >= middle + place * (high - low) / 2).sum())
    kept = BlankTube("B", "", "healthy", *GATE, len(signals), beyond_places(signals))
    assert kept.beyond(place) == pytest.approx(counted, rel=0.1)


def test_a_tube_is_counted_once_and_the_sample_itself_never() -> None:
    one, two = tube(1), tube(2)
    at = partial(counts_at, 5.0, subject="P1", gate=GATE)
    assert len(at([one, two, replace(one, run="tuesday", sample_id="again")])) == 2
    assert len(at([one, two], without=[one.profile])) == 1
    assert [count.own for count in at([one, replace(two, subject_id="P2")])] == [True, False]


def test_tubes_of_another_template_or_nearer_than_the_first_place_say_nothing() -> None:
    assert counts_at(5.0, [tube()], subject=None, gate=("other", "car_t", "CAR")) == ()
    assert counts_at(1.5, [tube()], subject=None, gate=GATE) == ()


def test_a_history_is_read_as_it_was_written(tmp_path: Path) -> None:
    tubes = (tube(1), tube(2, subject=""))
    path = tmp_path / "history.csv"
    path.write_text(csv_text(HISTORY, (one.row() for one in tubes)), "utf-8")
    assert all_tubes(path) == tubes
    read = read_history(path)
    assert (read.tubes, read.file, len(read.sha256)) == (tubes, "history.csv", 64)


def test_adding_the_same_tubes_again_changes_nothing() -> None:
    before = (tube(1), tube(2))
    assert joined(before, before) == before
    assert joined(before, [replace(tube(1), run="renamed"), tube(3)]) == (
        replace(tube(1), run="renamed"),
        tube(2),
        tube(3),
    )


def test_every_fault_of_a_history_is_named(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    good = csv_text(HISTORY, [tube().row()]).splitlines()
    negative = good[1].replace("50000", "-3")
    rising = ",".join([*good[1].split(",")[:-1], "60000"])
    few = ",".join([*good[1].split(",")[: -len(PLACES) - 1], "50", *["0"] * len(PLACES)])
    path.write_text("\n".join([*good, negative, rising, few]) + "\n", "utf-8")
    with pytest.raises(UsageError, match=r"row 3: .*; row 4: .*; row 5: ") as error:
        read_history(path)
    assert error.value.code == "E169"
    path.write_text("sample_id,day\nB1,3\n", "utf-8")
    with pytest.raises(UsageError, match="column run is missing"):
        read_history(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="cannot be read"):
        read_history(path)
    with pytest.raises(UsageError) as error:
        read_history(tmp_path / "absent.csv")
    assert error.value.code == "E169"
