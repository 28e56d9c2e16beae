"""A run folder is taken up where it was left, and nothing in it is overwritten."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cytocar.errors.tree import IntegrityError
from cytocar.run.finished.checks import Verdict
from cytocar.run.finished.verify import verify
from cytocar.run.parts import Parts
from cytocar.run.trail.journal import MANIFEST, PENDING, read_manifest
from tests.runs import Answer, cytocar_command, small_run


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_run(tmp_path_factory.mktemp("folder"))


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "run"))


def again(finished: Path, run: Path, *words: str) -> Answer:
    sheet = finished.parent / "inputs" / "sheet.csv"
    return cytocar_command("gate", sheet, "-t", "cart-cd19fc-fixed", "-o", run, "-j", "1", "-q", "--no-report", *words)


def is_whole(run: Path) -> bool:
    return all(check.verdict is not Verdict.CHANGED for check in verify(run))


def test_a_finished_run_is_set_aside_whole(finished: Path, run: Path) -> None:
    before = {path.name: path.read_bytes() for path in run.glob("*.*") if path.is_file() and path.name != ".lock"}
    assert again(finished, run, "--force").code == 1
    aside = run / "revisions" / "1"
    assert {path.name: path.read_bytes() for path in aside.glob("*.*") if path.is_file()} == before
    assert again(finished, run, "--force").code == 1
    assert sorted(path.name for path in (run / "revisions").iterdir()) == ["1", "2"]
    assert is_whole(run)


def test_setting_aside_goes_on_where_it_was_interrupted(finished: Path, run: Path) -> None:
    moving = run / "revisions" / "1.moving"
    moving.mkdir(parents=True)
    (run / "counts.csv").rename(moving / "counts.csv")
    (run / "parts").rename(moving / "parts")
    assert again(finished, run, "--force").code == 1
    assert (run / "revisions" / "1" / "counts.csv").is_file()
    assert (run / "revisions" / "1" / MANIFEST).is_file()
    assert is_whole(run)


def test_a_run_set_aside_but_for_its_name_is_named(finished: Path, run: Path) -> None:
    moving = run / "revisions" / "1.moving"
    moving.mkdir(parents=True)
    for path in list(run.iterdir()):
        if path.name not in ("revisions", ".lock"):
            path.rename(moving / path.name)
    assert again(finished, run).code == 1
    assert (run / "revisions" / "1" / MANIFEST).is_file()
    assert is_whole(run)


def test_a_run_whose_last_change_waits_is_finished_by_the_same_command(finished: Path, run: Path) -> None:
    tables = {path.name: path.read_bytes() for path in run.glob("*.csv")}
    (run / PENDING).mkdir()
    (run / "quality.csv").rename(run / PENDING / "quality.csv")
    assert not is_whole(run)
    assert again(finished, run).code == 1
    assert {path.name: path.read_bytes() for path in run.glob("*.csv")} == tables
    assert is_whole(run)


def test_the_manifest_names_every_file_of_the_run(run: Path) -> None:
    manifest = read_manifest(run)
    assert manifest is not None
    files = {path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file()}
    assert files - set(manifest["files"]) == {"manifest.json", "audit.jsonl", ".lock"}


@pytest.mark.parametrize("content", [None, b'{"kind": "counted", "limit": null}'])
def test_a_counted_sample_that_cannot_be_read_back_is_an_error_and_never_a_missing_row(
    tmp_path: Path, content: bytes | None
) -> None:
    parts = Parts(tmp_path)
    if content is not None:
        parts.keep("D07", content)
    assert list(parts.in_order(["D07"])) == []  # an interrupted run counts it anew
    with pytest.raises(IntegrityError, match="D07") as refused:
        list(parts.every(["D07"]))
    assert refused.value.code == "E160"


def test_a_run_that_was_killed_before_it_began_goes_on(finished: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    (run / ".signals-x1").mkdir(parents=True)
    (run / ".signals-x1" / "half.npz").write_bytes(b"half")
    (run / ".lock").touch()
    assert again(finished, run).code == 1
    assert not list(run.glob(".signals-*"))
    assert is_whole(run)
