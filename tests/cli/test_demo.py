"""``cytocar demo``: folders that it leaves alone, and other scenarios; ``tests/test_docs.py`` has its own course."""

from __future__ import annotations

from pathlib import Path

import pytest

from cytocar.cli.verbs.demo import Scenario
from tests.cli.conftest import Cytocar
from tests.runs import cytocar_command


def test_the_demo_leaves_a_folder_with_something_in_it_alone(cytocar: Cytocar, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("keep")
    done = cytocar("demo", tmp_path / "mine")
    assert (done.returncode, "error[E105]" in done.stderr) == (2, True)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["letter.txt"]


@pytest.mark.parametrize("scenario", [scenario.value for scenario in Scenario])
def test_a_scenario_is_laid_out_and_makes_a_course(scenario: str, tmp_path: Path) -> None:
    laid_out = cytocar_command("demo", tmp_path / "in", "--scenario", scenario)
    assert laid_out.code == 0, laid_out.stderr
    tables = [
        word
        for name in ("clinical", "interventions", "subjects")
        if (tmp_path / "in" / f"{name}.csv").is_file()
        for word in (f"--{name}", tmp_path / "in" / f"{name}.csv")
    ]
    answer = cytocar_command("series", tmp_path / "in" / "counts.csv", *tables)
    assert answer.code == 0, answer.stderr
    assert len(answer.stdout.splitlines()) > 5
    assert cytocar_command("demo", tmp_path / "in", "--scenario", scenario).code == 2  # what is there stays
