"""Tables handed on and runs signed: both on record, neither of a run that was changed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cytocar.run.trail.audit import read_trail
from tests.runs import cytocar_command, small_run


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_run(tmp_path_factory.mktemp("export"))


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "run"))


def test_tables_are_handed_on_and_the_trail_says_where(run: Path, tmp_path: Path) -> None:
    answer = cytocar_command("export", run, "-o", tmp_path / "out", "--by", "A. Muster")
    assert answer.code == 0, answer.stderr
    for name in ("counts.csv", "populations.csv", "gates.csv", "quality.csv", "datapackage.json"):
        assert (tmp_path / "out" / name).read_bytes() == (run / name).read_bytes()
    last = read_trail(run).last
    assert last is not None
    assert (last.action, last.operator, last.after) == ("exported", "A. Muster", str(tmp_path / "out"))
    assert cytocar_command("verify", run).code == 0
    assert cytocar_command("export", run, "-o", tmp_path / "out").code == 2


def test_a_changed_table_is_not_handed_on(run: Path, tmp_path: Path) -> None:
    with (run / "counts.csv").open("a", encoding="utf-8") as file:
        file.write("x\n")
    answer = cytocar_command("export", run, "-o", tmp_path / "out")
    assert (answer.code, "counts.csv" in answer.stderr) == (4, True)
    assert not (tmp_path / "out").exists()


def test_a_signature_stands_in_the_trail(run: Path) -> None:
    words = ("--by", "A. Muster", "--meaning", "approved", "--reason", "all gates looked at")
    answer = cytocar_command("sign", run, *words)
    last = read_trail(run).last
    assert answer.code == 0
    assert last is not None
    assert (last.action, last.after, last.why) == ("signed", "approved", "all gates looked at")
    assert last.sha256 in answer.stdout
    assert cytocar_command("verify", run, "--head", last.sha256).code == 0


def test_a_gate_that_is_moved_after_the_signature_makes_it_stale(run: Path) -> None:
    words = ("--by", "A. Muster", "--reason", "all gates looked at")
    assert cytocar_command("sign", run, "--meaning", "approved", *words).code == 0
    assert "ok       signature: approved by A. Muster on" in cytocar_command("verify", run).stdout
    moved = cytocar_command("override", run, "d9", "car_t", "--value", "700", *words)
    assert "note: the run was approved by A. Muster" in moved.stderr
    assert "results were changed once since: sign it again" in moved.stderr
    again = cytocar_command("verify", run)
    assert again.code == 0
    assert "note     signature: the run was approved by A. Muster" in again.stdout


def test_a_changed_run_cannot_be_signed(run: Path) -> None:
    (run / "gates.csv").unlink()
    before = read_trail(run)
    assert cytocar_command("sign", run, "--by", "A. Muster", "--meaning", "reviewed").code == 4
    assert read_trail(run) == before


def test_a_signature_needs_a_name(run: Path) -> None:
    assert cytocar_command("sign", run, "--by", " ", "--meaning", "reviewed").code == 2
