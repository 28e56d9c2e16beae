"""Drafts as workbooks and as CSV: what is written reads back as it was, whatever names begin with."""

from __future__ import annotations

from pathlib import Path

import pytest

from cytocar.sheet.draft import draft_sheet
from cytocar.sheet.rows import read_sheet
from cytocar.sheet.saving import save_sheet
from tests.reference_tube import reference_tube
from tests.runs import cytocar_command

NAMES = ("-6", "+7 a", "=1+1", "007", "d9, second", "M\u00fcller \u00b5")


@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
def test_a_drafted_sheet_reads_back_as_the_files_are_named(suffix: str, tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl", reason="the extra `xlsx` is not installed")
    for name in NAMES:
        reference_tube(50).write(tmp_path / f"{name}.fcs")
    sheet = tmp_path / f"sheet{suffix}"
    save_sheet(sheet, draft_sheet(tmp_path, relative_to=tmp_path).text)
    rows = read_sheet(sheet)
    assert {row.sample_id for row in rows} == set(NAMES)
    assert all(isinstance(row.file, Path) and row.file.is_file() for row in rows)
    if suffix == ".xlsx":
        cells = list(openpyxl.load_workbook(sheet).active.iter_rows(values_only=True))
        assert {type(cell) for line in cells[1:] for cell in line if cell is not None} == {str}


def test_a_sheet_that_is_to_be_a_workbook_is_one_and_holds_numbers_as_numbers(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl", reason="the extra `xlsx` is not installed")
    out = tmp_path / "plan.xlsx"
    answer = cytocar_command(
        "validate", "plan", "--design", "linearity", "--beads-added", "20000", "--sample-volume-ul", "50", "-o", out
    )
    assert answer.code == 0, answer.stderr
    header, first, *_ = openpyxl.load_workbook(out).active.iter_rows(values_only=True)
    cells = dict(zip(header, first, strict=True))
    assert (cells["beads_added"], cells["sample_volume_ul"]) == (20_000, 50)
    assert read_sheet(out)[0].beads_added == 20_000
