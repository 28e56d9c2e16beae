"""``cytocar compensate`` as a shell sees it."""

from __future__ import annotations

import csv
from io import StringIO
from pathlib import Path

import numpy as np
import pytest

from cytocar.signals.compensation import SpilloverMatrix
from tests.fcs.files import floats
from tests.runs import cytocar_command

SPILLOVER = np.array([[1.0, 0.25], [0.05, 1.0]])


@pytest.fixture
def controls(tmp_path: Path) -> Path:
    """An unstained tube and two single stains, without a hint in their names."""
    random = np.random.default_rng(3)
    folder = tmp_path / "controls"
    folder.mkdir()
    for name, dyes in {"tube1": (0, 0), "tube2": (0, 8000), "tube3": (9000, 0)}.items():
        signals = np.array(dyes) * random.lognormal(0, 0.2, (2000, 1)) @ SPILLOVER + random.normal(200, 20, (2000, 2))
        scatter = random.normal(60_000, 5000, (2000, 1))
        floats(np.hstack([scatter, signals]), names=("FSC-A", "B530-A", "B585-A")).write(folder / f"{name}.fcs")
    return folder


def test_the_matrix_of_a_folder_can_be_read_back_and_says_what_it_was_made_of(controls: Path, tmp_path: Path) -> None:
    done = cytocar_command("compensate", controls, "-o", tmp_path / "matrix.csv")
    assert (done.code, done.stdout) == (0, "")
    assert "tube1.fcs: unstained" in done.stderr
    assert "tube2.fcs: B585-A" in done.stderr
    matrix = SpilloverMatrix.from_csv(tmp_path / "matrix.csv")
    assert matrix.detectors == ("B530-A", "B585-A")
    np.testing.assert_allclose(matrix.values, SPILLOVER, atol=0.005)


def test_a_sheet_says_which_control_is_which(controls: Path) -> None:
    sheet = controls / "controls.csv"
    sheet.write_text(
        "file,sample_id,sample_type,stain_target\n"
        "tube1.fcs,none,unstained,\ntube2.fcs,pe,single_stain,B585-A\ntube3.fcs,fitc,single_stain,B530-A\n"
    )
    assert cytocar_command("compensate", sheet).stdout == cytocar_command("compensate", controls).stdout
    sheet.write_text(sheet.read_text().replace("B585-A", "PE"))
    refused = cytocar_command("compensate", sheet)
    assert (refused.code, refused.stdout) == (2, "")
    assert "error[E046]" in refused.stderr


def test_two_files_of_one_stain_are_refused(controls: Path) -> None:
    (controls / "tube4.fcs").write_bytes((controls / "tube2.fcs").read_bytes())
    refused = cytocar_command("compensate", controls)
    assert refused.code == 2
    assert "tube2.fcs and tube4.fcs are both brightest in B585-A" in refused.stderr


def test_a_control_that_cannot_be_read_is_named(controls: Path) -> None:
    (controls / "tube2.fcs").write_bytes(b"FCS3.1 and nothing else")
    refused = cytocar_command("compensate", controls)
    assert (refused.code, refused.stdout) == (1, "")
    assert "tube2.fcs" in refused.stderr


def test_a_control_without_events_is_refused(controls: Path) -> None:
    floats(np.empty((0, 3)), names=("FSC-A", "B530-A", "B585-A")).write(controls / "tube2.fcs")
    refused = cytocar_command("compensate", controls)
    assert refused.code in {1, 2}
    assert "tube2.fcs" in refused.stderr


def test_a_file_that_exists_is_kept(controls: Path, tmp_path: Path) -> None:
    (tmp_path / "matrix.csv").write_text("mine")
    assert cytocar_command("compensate", controls, "-o", tmp_path / "matrix.csv").code == 2
    assert (tmp_path / "matrix.csv").read_text() == "mine"
    assert cytocar_command("compensate", controls, "-o", tmp_path / "matrix.csv", "--force").code == 0


def test_medians_equal_the_reference_of_flowcore(shared_data: Path) -> None:
    folder = shared_data / "compensation" / "flowcore_compdata"
    answer = cytocar_command("compensate", folder)
    found = np.array([[float(cell) for cell in row[1:]] for row in list(csv.reader(StringIO(answer.stdout)))[1:]])
    lines = (folder / "compref").read_text("utf-8").splitlines()[1:]
    np.testing.assert_allclose(found, [[float(cell) for cell in line.split()[1:]] for line in lines], atol=1e-15)


def test_three_single_stains_without_an_unstained_control_are_refused(tmp_path: Path) -> None:
    random = np.random.default_rng(4)
    for stain, brightness in enumerate((9000, 6000, 3000)):
        signals = random.normal(200, 20, (2000, 3))
        signals[:, stain] += brightness * random.lognormal(0, 0.2, 2000)
        scatter = random.normal(60_000, 5000, (2000, 1))
        names = ("FSC-A", "B530-A", "B585-A", "R660-A")
        floats(np.hstack([scatter, signals]), names=names).write(tmp_path / f"tube{stain}.fcs")
    refused = cytocar_command("compensate", tmp_path)
    assert refused.code == 2
    assert "error[E046]: no control is unstained: the dimmest, tube2.fcs" in refused.stderr


def test_three_real_single_stains_without_their_unstained_control_are_refused(
    shared_data: Path, tmp_path: Path
) -> None:
    folder = shared_data / "compensation/flowcore_compdata/data"
    for name in ("060909.002", "060909.003", "060909.004"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    refused = cytocar_command("compensate", tmp_path)
    assert (refused.code, "no control is unstained" in refused.stderr) == (2, True)
    (tmp_path / "060909.001").write_bytes((folder / "060909.001").read_bytes())
    assert cytocar_command("compensate", tmp_path).code == 0
