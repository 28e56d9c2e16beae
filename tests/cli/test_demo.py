"""``cytocar demo``: the published course comes out of it, and it says what it cannot claim."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from cytocar.cli.verbs.demo import UNFINISHED, Scenario
from tests.cli.conftest import Cytocar
from tests.runs import cytocar_command


def test_the_demo_retells_the_published_course_after_an_interruption_too(cytocar: Cytocar, tmp_path: Path) -> None:
    (tmp_path / "course" / "run" / "parts").mkdir(parents=True)
    for left in (UNFINISHED, "baseline.fcs", "run/manifest.json"):
        (tmp_path / "course" / left).write_text("half")
    done = cytocar("demo", tmp_path / "course")
    assert done.returncode == 0, done.stderr
    with (tmp_path / "course" / "run" / "counts.csv").open(encoding="utf-8", newline="") as file:
        rows = {float(row["day"]): row for row in csv.DictReader(file)}
    for day, published in ((9, 1064), (91, 2.22), (182, 1.56), (274, 1.46), (730, 0.2)):
        assert float(rows[day]["car_per_ul_low"]) <= published <= float(rows[day]["car_per_ul_high"])
    assert abs(float(rows[9]["car_cd4_cd8_ratio"]) - 0.47) < 0.03
    assert rows[-6]["car_result"] == "not_detected"
    assert rows[730]["car_result"] == "quantified"  # 0.2/µL: few T cells, much blood
    assert int(rows[730]["car_events"]) > int(rows[730]["car_lob_events"])
    assert not (tmp_path / "course" / UNFINISHED).exists()
    assert (tmp_path / "course" / "course.png").read_bytes()[:4] == b"\x89PNG"
    assert (tmp_path / "course" / "course" / "course.html").is_file()
    with (tmp_path / "course" / "course" / "scores.csv").open(encoding="utf-8", newline="") as file:
        assert [row["value"] for row in csv.DictReader(file)] == ["2"]  # as the case reports it
    assert done.stdout.splitlines()[0].split()[:2] == ["day", "CAR-T"]
    assert len(done.stdout.splitlines()) == len(rows) + 1
    readme = (Path(__file__).resolve().parents[2] / "README.md").read_text("utf-8")
    shown = readme.partition("```text\n")[2].partition("```")[0].splitlines()
    assert [row for row in shown if row.strip() != "..." and row not in done.stdout.splitlines()] == []


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
