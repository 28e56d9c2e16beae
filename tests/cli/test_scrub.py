"""``cytocar scrub`` as a shell sees it."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.commands import forked
from tests.fcs.files import floats


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*forked(), *map(str, words)], capture_output=True, text=True, check=False)


def test_copies_are_clean_and_the_check_says_so(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    floats([[1, 2]], keywords={"$SRC": "Jane Doe"}).write(tmp_path / "in" / "Doe.fcs")
    before = run("scrub", "--check", tmp_path / "in")
    assert (before.returncode, "$SRC" in before.stdout, "Jane" in before.stdout) == (1, True, False)
    done = run("scrub", tmp_path / "in", "-o", tmp_path / "out")
    assert done.returncode == 0
    assert "Jane" not in done.stdout + done.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["0001.fcs"]
    assert (tmp_path / "out.linkage.csv").exists()
    assert run("scrub", "--check", tmp_path / "out").returncode == 0


def test_one_file_may_be_given_its_copys_name(tmp_path: Path) -> None:
    path = floats([[1, 2]], keywords={"$SRC": "Jane Doe"}).write(tmp_path / "Doe.fcs")
    assert run("scrub", path, "-o", tmp_path / "clean.fcs").returncode == 0
    assert b"Jane" not in (tmp_path / "clean.fcs").read_bytes()
    assert run("scrub", path, "-o", tmp_path / "clean.fcs").returncode == 2


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    path = floats([[1, 2]]).write(tmp_path / "a.fcs")
    done = run("scrub", path, "-o", tmp_path)
    assert done.returncode == 2
    assert "error[E152]" in done.stderr
