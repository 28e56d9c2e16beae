"""datapackage.json describes the tables as they are, for other people's programs."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from cytocar.run.lines import OwnColumns, tables
from cytocar.tables.datapackage import describe
from tests.runs import cytocar_command, small_inputs

ODD_NAMES = ["=cmd' /C calc'!A0", 'a "b", c', "µ ü 細胞", "-5", "line\\nend", " x "]


def test_every_column_has_a_type_and_a_meaning() -> None:
    package = describe(tables(OwnColumns(("CD3",), ("note", "x_arm"))))
    assert [resource["name"] for resource in package["resources"]] == ["counts", "populations", "gates", "quality"]
    for resource in package["resources"]:
        for field in resource["schema"]["fields"]:
            assert field["type"] in ("string", "integer", "number", "boolean")
            assert field["description"]


@pytest.mark.skipif(find_spec("frictionless") is None, reason="frictionless is not installed")
def test_a_run_with_odd_names_is_valid_by_frictionless(tmp_path: Path) -> None:
    from frictionless import validate

    small_inputs(tmp_path)
    lines = ["file,sample_id,subject_id,note,beads_added,sample_volume_ul"]
    for number, name in enumerate(ODD_NAMES):
        quoted = '"' + name.replace('"', '""') + '"'
        lines.append(f"day{'09'[number % 2]}.fcs,{quoted},{quoted},=cmd|{number},50000,50")
    lines.append("broken.fcs,broken,,,,")
    sheet = tmp_path / "odd.csv"
    sheet.write_text("\n".join(lines) + "\n", "utf-8")
    run = tmp_path / "run"
    answer = cytocar_command("gate", sheet, "-t", "cart-cd19fc-fixed", "-o", run, "-j", "1", "-q", "--no-report")
    assert answer.code == 1, answer.stderr
    report = validate(str(run / "datapackage.json"))
    assert report.valid, report.flatten(["type", "note"])
    assert json.loads((run / "datapackage.json").read_text("utf-8"))["$schema"].endswith("2.0/datapackage.json")
