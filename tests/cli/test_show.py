"""``cytocar show``: columns by name, from a file, a run or a pipe."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.commands import forked


def show(*words: str | Path, given: str | None = None) -> subprocess.CompletedProcess[str]:
    command = [*forked(), "show", *map(str, words)]
    return subprocess.run(command, input=given, capture_output=True, text=True, check=False, encoding="utf-8")


TABLE = 'sample_id,status,note,car_per_ul\nD9,ok,"a, b",1061\nD14,review,,190\n'


@pytest.fixture
def table(tmp_path: Path) -> Path:
    (tmp_path / "counts.csv").write_text(TABLE, "utf-8")
    return tmp_path / "counts.csv"


def test_columns_come_by_name_and_in_the_order_asked_for(table: Path) -> None:
    assert show(table, "-c", "car_per_ul, sample_id").stdout == "car_per_ul,sample_id\n1061,D9\n190,D14\n"


def test_without_names_all_are_shown_and_a_comma_in_a_cell_stays_in_it(table: Path) -> None:
    assert show(table).stdout == TABLE


def test_a_folder_is_a_run_and_a_dash_the_pipe(table: Path) -> None:
    assert show(table.parent, "-c", "status").stdout == show("-", "-c", "status", given=TABLE).stdout
    assert show(table.parent, "-c", "status").stdout == "status\nok\nreview\n"


def test_lines_are_chosen_by_a_value(table: Path) -> None:
    assert show(table, "-c", "sample_id", "--where", "status=review").stdout == "sample_id\nD14\n"
    assert show(table, "-c", "sample_id", "--where", "status=ok", "--where", "note=").stdout == "sample_id\n"


@pytest.mark.parametrize(
    ("words", "hint"), [(("counts.csv", "-c", "car_per_ml"), "near it: car_per_ul"), (("none.csv",), "name a CSV file")]
)
def test_what_is_no_table_or_column_is_named(table: Path, words: tuple[str, ...], hint: str) -> None:
    done = show(table.parent / words[0], *words[1:])
    assert (done.returncode, done.stdout) == (2, "")
    assert "error[E185]" in done.stderr
    assert hint in done.stderr


def test_an_empty_pipe_is_called_empty() -> None:
    done = show("-", "--columns", "sample_id", given="")
    assert (done.returncode, done.stdout) == (2, "")
    assert "error[E185]: the table is empty" in done.stderr
