from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.commands import forked


def cytocar(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*forked(), *map(str, arguments)], capture_output=True, text=True, check=False)


def test_tubes_their_truth_and_a_sheet_are_written_and_stdout_is_the_sheet(tmp_path: Path) -> None:
    out = tmp_path / "tubes"

    run = cytocar("simulate", "-o", out, "--tubes", "2", "--car-per-ul", "20", "--sample-volume-ul", "2", "--seed", "3")

    assert (run.returncode, run.stdout) == (0, f"{out / 'sheet.csv'}\n")
    assert sorted(path.name for path in out.iterdir()) == [
        "car20-01.fcs", "car20-01.truth.json", "car20-02.fcs", "car20-02.truth.json", "sheet.csv",
    ]  # fmt: skip


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")

    run = cytocar("simulate", "-o", tmp_path)

    assert run.returncode == 2
    assert "error[E105]" in run.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_an_unknown_artefact_is_refused_with_the_list(tmp_path: Path) -> None:
    run = cytocar("simulate", "-o", tmp_path / "new", "--artefact", "rain")

    assert run.returncode == 2
    assert "clog" in run.stderr
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("number", ["nan", "inf", "-1", "ten"])
def test_a_concentration_that_no_blood_has_is_refused(tmp_path: Path, number: str) -> None:
    run = cytocar("simulate", "-o", tmp_path / "new", "--car-per-ul", number)

    assert run.returncode == 2
    assert "--car-per-ul" in run.stderr
    assert "Traceback" not in run.stderr
    assert not (tmp_path / "new").exists()


def test_a_cohort_is_simulated_by_one_option(tmp_path: Path) -> None:
    done = cytocar("simulate", "-o", tmp_path / "cohort", "--cohort", "1", "--seed", "2")
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "cohort").glob("S001-*.fcs"))) == 9
    assert done.stdout.strip() == str(tmp_path / "cohort" / "sheet.csv")


def test_files_look_as_another_laboratory_writes_them(tmp_path: Path) -> None:
    options = ("--car-label", "BCMA-Fc", "--cytometer", "MACSQuant", "--without", "FSC-H", "--sample-volume-ul", "2")

    assert cytocar("simulate", "-o", tmp_path / "tubes", "--car-per-ul", "20", *options).returncode == 0

    seen = cytocar("inspect", tmp_path / "tubes" / "car20-01.fcs").stdout
    assert "BCMA-Fc" in seen
    assert "450 µL ($VOL in nL (MACSQuant))" in seen
    assert "FSC-H" not in seen


def test_a_dye_cannot_be_left_out(tmp_path: Path) -> None:
    run = cytocar("simulate", "-o", tmp_path / "new", "--without", "PE-A")

    assert (run.returncode, "PE-A cannot be left out" in run.stderr) == (2, True)
