"""Streams that are closed, full or poor in letters: what was asked for still happens, or one line says why not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cytocar.cli.app import main
from tests.fcs.files import floats


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return floats([[1, 2]], names=("FSC-A", "B530-A"), keywords={"$P2S": "CAR µ"}).write(tmp_path / "a.fcs")


def shell(words: str, file: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = f'"{sys.executable}" -m cytocar {words}'
    return subprocess.run(
        ["bash", "-c", command, "bash", str(file)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


def test_a_terminal_without_a_letter_gets_its_number(file: Path) -> None:
    done = shell('inspect "$1"', file, PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert "CAR \\xb5" in done.stdout


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_goes_away_is_no_bug(file: Path, unbuffered: str) -> None:
    done = shell('explain | head -n 1; exit "${PIPESTATUS[0]}"', file, PYTHONUNBUFFERED=unbuffered)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 1


def test_a_closed_stdout_is_no_bug(file: Path) -> None:
    done = shell('inspect "$1" >&-', file)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("unbuffered", ["", "1"])  # a buffered stdout meets the full disk only when all is written
def test_a_full_disk_behind_a_pipe_is_said_in_one_line(file: Path, unbuffered: str) -> None:
    done = shell('inspect "$1" > /dev/full', file, PYTHONUNBUFFERED=unbuffered)
    assert done.returncode == 2
    assert "error[E109]: No space left on device: while writing the output" in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names themselves")
def test_a_file_name_that_is_no_text_costs_that_file_alone(file: Path) -> None:
    file.rename(os.fsdecode(os.fsencode(file.parent) + b"/bad\xff.fcs"))
    done = shell('gate "$1"', file.parent)
    assert done.returncode == 1
    assert "error[E068]" in done.stderr
    assert done.stdout.count("\n") == 2


@pytest.mark.parametrize(
    "verb", [["sheet", "new"], ["template", "fit"], ["template", "validate"], ["gate"], ["simulate"]]
)
def test_help_writes_values_as_the_page_of_commands_does(verb: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([*verb, "--help"])
    shown = capsys.readouterr().out
    assert not set("{}<") & set(shown.replace("<=x<=", ""))


@pytest.mark.parametrize("verb", [["simulate"], ["series"], ["validate", "plan"], ["validate", "evaluate"], ["gate"]])
def test_help_fits_a_terminal_of_80_columns_and_names_every_choice(
    verb: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        main([*verb, "--help"])
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 80
    if verb == ["simulate"]:
        assert "carry-over, lost-cd3." in " ".join(shown.split()).replace("- ", "-")  # a line may end at a hyphen


def test_help_names_folders_numbers_and_choices(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["sheet", "new", "--help"])
    assert "Usage: cytocar sheet new [OPTIONS] FOLDER\n" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["simulate", "--help"])
    shown = capsys.readouterr().out
    assert "--tubes NUMBER " in shown
    assert "--stain bright|typical|dim " in shown
