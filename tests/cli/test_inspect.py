"""``cytocar inspect`` as a shell sees it."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path

import numpy as np

from tests.commands import forked
from tests.fcs.files import floats


def inspect(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [*forked(), "inspect", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_file_is_described_for_people(tmp_path: Path) -> None:
    keywords = {"$P2S": "CAR", "$SRC": "Jane Doe", "$PLATEID": "Jane's plate", "$WELLID": "A1"}
    path = floats([[1, 2]], names=["FSC-A", "PE-A"], keywords=keywords)
    shown = inspect(path.write(tmp_path / "a.fcs"))
    assert shown.returncode == 0
    assert "1 in 2 channels, FCS3.1" in shown.stdout
    assert "PE-A" in shown.stdout
    assert "$SRC" in shown.stdout
    assert "A1; plate: see $PLATEID" in shown.stdout or "A01; plate: see $PLATEID" in shown.stdout
    assert "Jane" not in shown.stdout + shown.stderr


def test_json_lists_every_file_and_the_exit_code_says_that_one_failed(tmp_path: Path) -> None:
    good = floats([[1, 2], [3, 4]]).write(tmp_path / "a.fcs")
    bad = tmp_path / "b.fcs"
    bad.write_text("no FCS file")
    shown = inspect("--json", good, bad)
    first, second = json.loads(shown.stdout)
    assert shown.returncode == 1
    assert [channel["sum"] for channel in first["channels"]] == [4, 6]
    assert second["error"]["code"] == "E012"
    assert "error[E012]" in shown.stderr
    assert "Traceback" not in shown.stderr


def test_a_file_name_cannot_drive_the_terminal(tmp_path: Path) -> None:
    path = floats([[1, 2]], keywords={"$P1S": "[/red]\x1b[31m"}).write(tmp_path / "[red]\x1b[31m.fcs")
    assert "\x1b" not in inspect(path).stdout


def test_a_matrix_that_compensates_nothing_is_called_so(tmp_path: Path) -> None:
    for name, spill in (("identity", "2,FITC-A,PE-A,1,0,0,1"), ("real", "2,FITC-A,PE-A,1,0.1,0,1")):
        file = floats([[1, 2]], names=["FITC-A", "PE-A"], keywords={"$SPILLOVER": spill}).write(
            tmp_path / f"{name}.fcs"
        )
        assert ("the identity" in inspect(file).stdout) is (name == "identity")


def test_facts_fit_into_80_columns_and_the_command_can_be_copied(tmp_path: Path) -> None:
    naming = ("$SRC", "$OP", "PATIENT ID", "SAMPLE ID", "EXPERIMENT NAME", "TUBE NAME", "EXPORT USER NAME")
    keywords = dict.fromkeys(naming, "Jane Doe")
    names = ["FSC-A", "SSC-A", "FITC-A", "PE-A", "APC-A"]
    labels = {"$P3S": "CD3", "$P4S": "CD4", "$P5S": "CD8b"}
    rng = np.random.default_rng(1)
    file = floats(rng.lognormal(6, 2, (500, 5)), names=names, keywords={**keywords, **labels})
    shown = inspect(file.write(tmp_path / ("a name with spaces" + "n" * 30 + ".fcs"))).stdout
    facts = shown.partition("\n\n")[0].splitlines()[1:]
    assert all(len(line) <= 80 for line in facts if "/" not in line)
    assert "cytocar scrub" in " ".join(facts)
    assert "CD8b alone misses NK" in " ".join(line.strip() for line in facts)
    command = "\n".join(facts).partition("of your own ")[2].partition("finds ")[0]
    words = shlex.split(command.replace("\\\n", " "))
    assert words[:3] == ["cytocar", "template", "fit"]
    assert words[3].endswith("n.fcs")
