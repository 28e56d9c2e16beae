"""``cytocar validate demo``: tubes of a study, their sheet and a run that the next command evaluates."""

from __future__ import annotations

import csv
from functools import partial
from pathlib import Path

import pytest

from cytocar.simulate import validation
from tests.runs import cytocar_command


def test_a_demo_is_laid_out_counted_and_can_be_evaluated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = partial(validation.simulate_validation, drawn_share=0.05)
    monkeypatch.setattr(validation, "simulate_validation", small)
    folder = tmp_path / "demo"
    answer = cytocar_command("validate", "demo", folder, "--design", "linearity", "-t", "cart-cd19fc-fixed", "-j", "1")
    assert answer.code == 0, answer.stderr
    assert f"next: cytocar validate evaluate {folder / 'run'} --criteria car-t-blood" in answer.stderr
    with (folder / "run" / "counts.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(list(folder.rglob("*.fcs"))) > 10
    assert {row["template_name"] for row in rows} == {"cart-cd19fc-fixed"}
    evaluated = cytocar_command(
        "validate", "evaluate", folder / "run", "--criteria", "car-t-blood", "--only", "linearity"
    )
    assert evaluated.code in (0, 1), evaluated.stderr
    assert {row["study"] for row in csv.DictReader(evaluated.stdout.splitlines())} == {"linearity"}
    again = cytocar_command("validate", "demo", folder)
    assert (again.code, "error[E105]" in again.stderr) == (2, True)
