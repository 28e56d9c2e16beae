"""A run done again from its manifest gives the same bytes."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest

from tests.runs import cytocar_command, small_run


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_run(tmp_path_factory.mktemp("reproduce"))


def test_a_run_is_reproduced_byte_for_byte(finished: Path) -> None:
    before = {path: path.read_bytes() for path in finished.rglob("*") if path.is_file()}
    answer = cytocar_command("reproduce", finished, "-j", "1", "-q")
    assert answer.code == 0, answer.stdout
    assert [line.split()[0] for line in answer.stdout.splitlines()] == ["same"] * 4
    assert {path: path.read_bytes() for path in finished.rglob("*") if path.is_file()} == before


def test_two_jobs_give_the_bytes_of_one(finished: Path) -> None:
    assert cytocar_command("reproduce", finished, "-j", "2", "-q").code == 0


def test_an_override_is_reproduced(finished: Path, tmp_path: Path) -> None:
    run = shutil.copytree(finished, tmp_path / "run")
    who = ("--reason", "dim", "--by", "A. Muster")
    assert cytocar_command("override", run, "d9", "car_t", "--value", "20000", *who).code == 0
    assert cytocar_command("reproduce", run, "-j", "1", "-q").code == 0


def test_inputs_may_have_moved(finished: Path, tmp_path: Path) -> None:
    archive = shutil.copytree(finished.parent / "inputs", tmp_path / "archive")
    assert cytocar_command("reproduce", finished, "--inputs", archive, "-j", "1", "-q").code == 0


def test_what_differs_is_named(finished: Path, tmp_path: Path) -> None:
    archive = shutil.copytree(finished.parent / "inputs", tmp_path / "archive")
    shutil.copy(archive / "day0.fcs", archive / "day9.fcs")
    answer = cytocar_command("reproduce", finished, "--inputs", archive, "-j", "1", "-q")
    assert answer.code == 4
    assert "differs  counts.csv" in answer.stdout
    assert "line 3: d9: " in answer.stdout
    assert "error[E127]" in answer.stderr


def test_other_words_are_told_from_other_numbers(finished: Path, tmp_path: Path) -> None:
    run = shutil.copytree(finished, tmp_path / "run")
    inputs = ("--inputs", finished.parent / "inputs", "-j", "1", "-q")
    with (run / "quality.csv").open(encoding="utf-8", newline="") as file:
        columns, *rows = csv.reader(file)
    place = columns.index("message")
    long = next(row for row in rows if " " in row[place])
    for text, words in ((f"found: {long[place]}", True), (f"{long[place]} 9", False)):
        changed = [[*row[:place], text, *row[place + 1 :]] if row is long else row for row in rows]
        with (run / "quality.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([columns, *changed])
        answer = cytocar_command("reproduce", run, *inputs)
        assert (answer.code, "error[E127]" in answer.stderr) == (4, True)
        assert ("lines, in words alone" in answer.stdout) is words
        assert ("every number of" in answer.stderr) is words


def test_a_shard_is_reproduced_by_itself(finished: Path, tmp_path: Path) -> None:
    sheet = finished.parent / "inputs" / "sheet.csv"
    run = tmp_path / "shard"
    cytocar_command("gate", sheet, "-t", "cart-cd19fc-fixed", "--shard", "1/2", "-o", run, "-j", "1", "-q")
    assert cytocar_command("reproduce", run, "-j", "1", "-q").code == 0


def test_files_that_are_not_here_are_named_at_once(finished: Path, tmp_path: Path) -> None:
    answer = cytocar_command("reproduce", finished, "--inputs", tmp_path)
    assert (answer.code, "error[E103]" in answer.stderr, "and 2 more" in answer.stderr) == (2, True, True)
    who = ("--by", "me", "--reason", "dim")
    again = cytocar_command("override", finished, "d9", "car_t", "--value", "9", "--inputs", tmp_path, *who)
    assert (again.code, "error[E103]" in again.stderr) == (2, True)


def test_only_a_finished_run_is_reproduced(tmp_path: Path) -> None:
    assert cytocar_command("reproduce", tmp_path).code == 2
