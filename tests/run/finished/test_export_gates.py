"""Gates of a run for other programs: every sample, hand-moved gates too."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest

from cytocar.template.load import import_document
from tests.runs import cytocar_command, small_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small run with one gate moved by hand."""
    folder = small_run(tmp_path_factory.mktemp("export"))
    moved = cytocar_command(
        "override", folder, "d9", "car_t", "--value", "1234.5", "--reason", "dim", "--by", "A. Muster"
    )
    assert moved.code == 0, moved.stderr
    return folder


@pytest.mark.parametrize("scale", ["logicle", "biex"])
def test_a_run_comes_back_from_its_own_workspace_with_every_count(run: Path, tmp_path: Path, scale: str) -> None:
    assert cytocar_command("export", run, "--as", "wsp", "--scale", scale, "-o", tmp_path / "out").code == 0
    assert f"transforms:{scale} ".encode() in (tmp_path / "out" / "gates.wsp").read_bytes()
    compared = cytocar_command("compare", run, tmp_path / "out" / "gates.wsp", "--tolerance", "0")
    assert compared.code == 0, compared.stderr
    rows = list(csv.DictReader(compared.stdout.splitlines()))
    with (run / "populations.csv").open(encoding="utf-8") as file:
        counted = {(row["sample_id"], row["population"]) for row in csv.DictReader(file)}
    assert {(row["sample_id"], row["population"]) for row in rows if row["verdict"] == "exact"} - {
        ("d0", "all"),
        ("d9", "all"),
    } == counted


def test_gating_ml_is_written_for_each_sample_with_its_moved_gate(run: Path, tmp_path: Path) -> None:
    written = cytocar_command("export", run, "--as", "gatingml", "-o", tmp_path / "out")
    assert written.code == 0, written.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["d0.xml", "d9.xml"]
    gates = {
        name: import_document(tmp_path / "out" / f"{name}.xml").template.population("car_t").gate
        for name in ("d0", "d9")
    }
    assert gates["d0"] != gates["d9"]
    assert "1234.5" in repr(gates["d9"])


def test_cytobanks_form_is_written_for_each_sample(run: Path, tmp_path: Path) -> None:
    assert cytocar_command("export", run, "--as", "cytobank", "-o", tmp_path / "out").code == 0
    imported = import_document(tmp_path / "out" / "d9.xml").template
    assert "cd4" in imported.population("car_cd4").gate.references()


def test_the_trail_says_that_gates_were_handed_on(run: Path, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    inputs = run.parent / "inputs"
    assert cytocar_command("export", copy, "--as", "wsp", "-o", tmp_path / "o", "--inputs", inputs).code == 0
    assert "gates as wsp" in (copy / "audit.jsonl").read_text("utf-8")
    assert cytocar_command("export", copy, "--as", "wsp", "-o", tmp_path / "o").code == 2
