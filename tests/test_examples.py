"""Every program in ``examples/`` runs as it is and prints the number that its simulated tube holds."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import cytocar

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def run(name: str) -> str:
    command = [sys.executable, str(EXAMPLES / name)]
    return subprocess.run(
        command, capture_output=True, text=True, check=True, cwd=EXAMPLES.parent, env=None, encoding="utf-8"
    ).stdout


def test_every_example_is_listed_and_tested_here() -> None:
    readme = (EXAMPLES / "README.md").read_text("utf-8")
    here = Path(__file__).read_text("utf-8")
    programs = sorted(path.name for path in EXAMPLES.iterdir() if path.suffix in (".py", ".ipynb", ".R"))
    assert programs
    assert [name for name in programs if f"`{name}`" not in readme or f'"{name}"' not in here] == []


def test_one_tube_is_counted_near_its_truth() -> None:
    printed = run("count_one_tube.py")
    value = float(re.match(r"([\d.]+)/µL", printed)[1])  # type: ignore[index]
    assert value == pytest.approx(100, rel=0.15)


def test_a_curve_has_its_peak_on_the_simulated_day() -> None:
    assert re.fullmatch(
        r"peak 1[6-9]\d(\.\d)?/µL on day 9\n|peak 2\d\d(\.\d)?/µL on day 9\n", run("curve_from_a_run.py")
    )


def test_a_hand_over_has_one_result_a_line_and_nothing_that_nobody_has_looked_at(tmp_path: Path) -> None:
    lines = list(csv.DictReader(io.StringIO(run("lims_handover.py"))))
    assert [line["analyte"] for line in lines] == ["CAR-T cells", "CAR-T cells of T cells", "T cells", "CD4/CD8"]
    assert {line["sample"] for line in lines} == {"day09"}
    assert float(lines[0]["value"]) == pytest.approx(120, rel=0.15)


def test_a_row_for_review_is_handed_over_once_the_run_is_signed(tmp_path: Path) -> None:
    small = shutil.copytree(EXAMPLES.parent / "sample_data" / "small", tmp_path / "small")
    made = tmp_path / "run"
    cytocar.run(small / "sheet.csv", out=made, jobs=1)
    command = [sys.executable, str(EXAMPLES / "lims_handover.py"), str(made)]

    def handed() -> set[str]:
        printed = subprocess.run(command, capture_output=True, check=True, encoding="utf-8").stdout
        return {line["sample"] for line in csv.DictReader(io.StringIO(printed))}

    assert handed() == {"day09"}
    sign = ("sign", str(made), "--meaning", "reviewed", "--by", "B. Beispiel", "--reason", "little blood")
    subprocess.run([sys.executable, "-m", "cytocar", *sign], check=True, capture_output=True)
    assert handed() == {"day09", "month24"}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of Jupyter's own packages
def test_the_notebook_runs_and_shows_its_results_as_tables_and_a_picture() -> None:
    nbclient = pytest.importorskip("nbclient", reason="the notebook needs the extra `docs`")
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel", reason="the notebook needs the extra `docs`")
    notebook = nbformat.read(EXAMPLES / "one_tube.ipynb", as_version=4)
    nbclient.NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(EXAMPLES.parent)}}).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    shown = [output["data"] for output in outputs if "data" in output]
    tables = [data["text/html"] for data in shown if "text/html" in data]
    assert len(tables) == 2
    assert "car_t" in tables[0]
    assert "car_per_ul" in tables[1]
    assert any("image/png" in data for data in shown)
    counted = shown[-1]["text/plain"]
    assert [float(found) for found in re.findall(r"'ok', '([\d.]+)'", counted)] == pytest.approx([120, 15], rel=0.15)


def test_the_notebook_is_kept_without_outputs() -> None:
    cells = json.loads((EXAMPLES / "one_tube.ipynb").read_text("utf-8"))["cells"]
    assert [cell for cell in cells if cell.get("outputs")] == []


@pytest.mark.skipif(shutil.which("Rscript") is None, reason="R is not installed")
def test_the_course_in_r_keeps_a_limit_where_nothing_was_detected(tmp_path: Path) -> None:
    small = shutil.copytree(EXAMPLES.parent / "sample_data" / "small", tmp_path / "small")
    cytocar.run(small / "sheet.csv", out=tmp_path / "run", jobs=1)
    command = ["Rscript", str(EXAMPLES / "course_of_a_run.R"), str(tmp_path / "run")]
    printed = subprocess.run(command, capture_output=True, check=True, encoding="utf-8").stdout
    rows = list(csv.DictReader(io.StringIO(printed)))
    assert [(row["day"], bool(row["cells_per_ul"]), bool(row["below_per_ul"])) for row in rows] == [
        ("-6", False, True),
        ("9", True, False),
        ("730", False, True),
    ]
