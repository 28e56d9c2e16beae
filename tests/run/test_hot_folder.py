"""Which files of a folder are finished, seen by looking twice; the clock is the test's."""

from __future__ import annotations

import os
from pathlib import Path
from typing import ClassVar

import pytest

from cytocar.run.hot_folder import STALLED_S, HotFolder, holds_all_events
from cytocar.run.observer import Observer
from cytocar.simulate import Preparation, blood_tube


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A small tube."""
    file = tmp_path_factory.mktemp("whole") / "tube.fcs"
    blood_tube(car_per_ul=10, preparation=Preparation(drawn_share=0.01), seed=1).write(file)
    return file.read_bytes()


def test_a_file_is_finished_at_the_second_look_that_finds_it_unchanged(tmp_path: Path, whole: bytes) -> None:
    file = tmp_path / "a.fcs"
    file.write_bytes(whole)
    folder = HotFolder([tmp_path])
    assert folder.look(0).growing == (file,)
    assert list(folder.look(1).finished) == [file]
    os.utime(file, ns=(1, 1))
    assert folder.look(2).growing == (file,)
    assert list(folder.look(3).finished) == [file]


def test_a_file_that_stands_still_without_its_events_is_handed_on_when_it_was_left_behind(
    tmp_path: Path, whole: bytes
) -> None:
    file = tmp_path / "a.fcs"
    file.write_bytes(whole[:-1000])
    folder = HotFolder([tmp_path])
    assert folder.look(0).growing == (file,)
    assert folder.look(STALLED_S - 1).growing == (file,)
    assert list(folder.look(STALLED_S).finished) == [file]


@pytest.mark.parametrize("content", [b"", b"FCS3.1", b"FCS3.1" + b" " * 500])
def test_the_beginning_of_a_file_holds_no_events(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "a.fcs"
    file.write_bytes(content)
    assert not holds_all_events(file)


def test_a_file_whose_number_of_events_is_still_zero_is_not_whole(tmp_path: Path, whole: bytes) -> None:
    file = tmp_path / "a.fcs"
    at = whole.index(b"$TOT") + len(b"$TOT/")
    digits = len(whole[at : whole.index(whole[at - 1 : at], at)])
    file.write_bytes(whole)
    assert holds_all_events(file)
    file.write_bytes(whole[:at] + b"0" * digits + whole[at + digits :])
    assert not holds_all_events(file)


def test_a_folder_that_is_away_is_said_and_not_taken_for_empty(tmp_path: Path) -> None:
    folder = HotFolder([tmp_path / "share"])
    with pytest.raises(FileNotFoundError):
        folder.look(0)
    (tmp_path / "share").mkdir()
    assert folder.look(1).finished == {}


def test_who_looks_on_hears_of_each_file_that_is_hashed_once(tmp_path: Path, whole: bytes) -> None:
    class Heard(Observer):
        said: ClassVar[list[str]] = []

        def start(self, total: int, done: int = 0) -> None:
            self.said.append(f"{done} of {total}")

        def step(self) -> None:
            self.said.append("one more")

    for name in ("a.fcs", "b.fcs"):
        (tmp_path / name).write_bytes(whole)
    folder = HotFolder([tmp_path])
    for now in range(3):
        folder.look(float(now), Heard())
    assert Heard.said == ["0 of 0", "0 of 2", "one more", "one more", "0 of 0"]
