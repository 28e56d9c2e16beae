"""``cytocar template fit`` as a user meets it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cytocar.fcs.write import write_fcs
from tests.cli.conftest import Cytocar


def test_a_fitted_template_counts_the_files_that_it_was_made_from(cytocar: Cytocar, tubes: Path) -> None:
    made = cytocar("template", "fit", tubes, "-o", tubes / "mine.toml")
    assert made.returncode == 0, made.stderr
    assert "t_cells" in made.stdout
    assert "evidence" in made.stdout
    assert "a draft" in made.stderr
    counted = cytocar("gate", tubes / "sheet.csv", "-t", tubes / "mine.toml", "--format", "csv")
    assert counted.returncode == 0, counted.stderr
    rows = [line.split(",") for line in counted.stdout.splitlines()]
    assert [row[rows[0].index("status")] for row in rows[1:]] == ["ok", "ok", "ok"]


def test_nothing_is_written_over_a_file(cytocar: Cytocar, tubes: Path) -> None:
    (tubes / "mine.toml").write_text("mine")
    refused = cytocar("template", "fit", tubes, "-o", tubes / "mine.toml")
    assert refused.returncode == 2
    assert "error[E105]" in refused.stderr
    assert (tubes / "mine.toml").read_text() == "mine"


def test_a_file_without_names_is_refused_with_the_command_that_helps(cytocar: Cytocar, tmp_path: Path) -> None:
    events = np.random.default_rng(1).normal(100, 10, 500)
    write_fcs(tmp_path / "a.fcs", {"FSC-A": events, "FITC-A": events, "PE-A": events})
    refused = cytocar("template", "fit", tmp_path / "a.fcs", "-o", tmp_path / "mine.toml")
    assert refused.returncode == 1
    assert "error[E200]" in refused.stderr
    assert "--marker CD3=FITC-A" in refused.stderr
    assert not (tmp_path / "mine.toml").exists()


def test_inspect_gives_the_command_that_makes_a_template(cytocar: Cytocar, tubes: Path, tmp_path: Path) -> None:
    shown = cytocar("inspect", tubes / "day7.fcs").stdout
    assert f"cytocar template fit {tubes / 'day7.fcs'} -o mine.toml" in shown
    events = np.random.default_rng(1).normal(100, 10, 500)
    write_fcs(tmp_path / "a.fcs", {"FSC-A": events, "FITC-A": events})
    assert "--marker CD3=FITC-A" in cytocar("inspect", tmp_path / "a.fcs").stdout
    refused = cytocar("gate", tmp_path / "a.fcs", "-t", "tcell-basic")
    assert "error[E040]" in refused.stderr
    assert "cytocar template fit FILE... -o mine.toml" in refused.stderr
