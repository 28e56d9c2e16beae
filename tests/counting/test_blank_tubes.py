"""The laboratory's tubes without CAR-T cells: kept places, the table, what is refused."""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

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


def test_t_cells_are_counted_beyond_whole_and_half_spreads_above_the_median() -> None:
    assert list(PLACES) == [2, 2.5, 3, 3.5, 4, 4.5, 5, 6, 7, 8, 10, 12, 15, 20, 30, 50]
    assert [column.name for column in HISTORY[-16:]] == [
        *("above_2", "above_2_5", "above_3", "above_3_5", "above_4", "above_4_5", "above_5", "above_6", "above_7"),
        *("above_8", "above_10", "above_12", "above_15", "above_20", "above_30", "above_50"),
    ]
    signals = np.sort(np.random.default_rng(5).standard_t(2, 20_001) * 3 - 40)  # its median is one of them
    spread = np.diff(np.quantile(signals, [0.159, 0.841]))[0] / 2
    counted = [int((signals >= np.median(signals) + place * spread).sum()) for place in PLACES]
    assert list(beyond_places(signals)) == counted
    assert beyond_places(signals / 1e6) == beyond_places(signals)
    assert beyond_places(np.zeros(1000)) == (0,) * 16


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


def test_the_last_two_hundred_tubes_of_a_history_are_asked(tmp_path: Path) -> None:
    tubes = [BlankTube(f"B{n}", "", "healthy", *GATE, 100 + n, (n,) * 16) for n in range(203)]
    path = tmp_path / "history.csv"
    path.write_text(csv_text(HISTORY, (one.row() for one in tubes)), "utf-8")
    assert [one.sample_id for one in read_history(path).tubes] == [f"B{n}" for n in range(3, 203)]
    assert len(all_tubes(path)) == 203
    assert read_history(path).sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("t_cells", "above", "why"),
    [
        ("100", ["100"] * 16, None),
        ("99", ["0"] * 16, "row 2: 99 T cells; 100 are the fewest"),
        ("500", ["501", *["0"] * 15], "row 2: no place can have more events beyond it than one before it"),
        ("500", ["3.5", *["0"] * 15], "row 2: counts are whole numbers from 0 on"),
        ("500", ["", *["0"] * 15], "row 2: counts are whole numbers from 0 on"),
        ("500", ["3", *["-1"] * 15], "row 2: counts are whole numbers from 0 on"),
    ],
)
def test_counts_that_cannot_be_are_refused(tmp_path: Path, t_cells: str, above: list[str], why: str | None) -> None:
    head = csv_text(HISTORY, [tube().row()]).splitlines()[0]
    path = tmp_path / "history.csv"
    path.write_text("\n".join([head, ",".join(["r", "B", "", "healthy", *GATE, t_cells, *above])]) + "\n", "utf-8")
    if why is None:
        assert all_tubes(path)[0].above == (100,) * 16
        return
    with pytest.raises(UsageError, match=why):
        all_tubes(path)


@pytest.mark.parametrize(("n", "ending"), [(10, r"row 11: [^;]*$"), (11, r"row 11: [^;]*; and 1 more$")])
def test_ten_faults_are_named_and_further_ones_counted(tmp_path: Path, n: int, ending: str) -> None:
    head, good = csv_text(HISTORY, [tube().row()]).splitlines()
    path = tmp_path / "history.csv"
    path.write_text("\n".join([head, *[good.replace("50000", "x")] * n]) + "\n", "utf-8")
    with pytest.raises(UsageError, match=ending) as caught:
        all_tubes(path)
    assert caught.value.message.startswith("history.csv: row 2: ")


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
    path.write_text("\n".join([*good, good[1] + ",9"]) + "\n", "utf-8")
    with pytest.raises(UsageError, match="row 3 has more cells than the header"):
        read_history(path)
    path.write_text("sample_id,day\nB1,3\n", "utf-8")
    with pytest.raises(UsageError, match="column run is missing"):
        read_history(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="cannot be read"):
        read_history(path)
    with pytest.raises(UsageError) as error:
        read_history(tmp_path / "absent.csv")
    assert error.value.code == "E169"
