"""Sheets as programs save them: with a line that names the separator, and as workbooks."""

from __future__ import annotations

import re
import zipfile
from datetime import datetime
from pathlib import Path

import pytest

from cytocar.errors.tree import SheetError
from cytocar.sheet.rows import read_sheet

LINES = [
    ["file", "sample_id", "collected_at", "infused_at", "beads_added", "sample_volume_ul", "exclude"],
    ["a.fcs", "S1", datetime(2026, 3, 14), datetime(2026, 3, 5), 20000, 50.5, None],
    [None] * 7,
    ["b.fcs", "S2", None, None, 20000.0, 50, True],
]


def test_a_line_that_names_the_separator_is_no_row(tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.csv"
    sheet.write_text("sep=;\nfile;sample_id;beads_added;sample_volume_ul\nref.fcs;S1;20000;50,5\n", "utf-8-sig")
    (row,) = read_sheet(sheet)
    assert (row.sample_id, row.beads_added, row.sample_volume_ul) == ("S1", 20_000, 50.5)


def test_a_named_separator_counts_also_where_another_is_more_frequent(tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.csv"
    sheet.write_text("sep=\t\nfile\tsample_id\tnote\na.fcs\tS1\tx,y,z,u\n", "utf-8")
    assert read_sheet(sheet)[0].note == "x,y,z,u"


def test_a_workbook_is_a_sheet(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl", reason="the extra `xlsx` is not installed")
    workbook = openpyxl.Workbook()
    for line in LINES:
        workbook.active.append(line)
    workbook.save(tmp_path / "sheet.xlsx")
    one, two = read_sheet(tmp_path / "sheet.xlsx")
    assert (one.sample_id, one.beads_added, one.sample_volume_ul, one.day) == ("S1", 20_000, 50.5, 9)
    assert (two.file_as_given, two.exclude) == ("b.fcs", True)


def test_text_in_a_workbook_that_may_be_two_numbers_is_asked_about_and_a_number_is_not(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl", reason="the extra `xlsx` is not installed")
    workbook = openpyxl.Workbook()
    for line in (
        ["file", "sample_id", "beads_added", "sample_volume_ul", "bead_lot"],
        ["a.fcs", "S1", "20.000", "50.5", "12.345"],
        ["b.fcs", "S2", 20000, 50.125, "L1"],
    ):
        workbook.active.append(line)
    workbook.save(tmp_path / "sheet.xlsx")
    with pytest.raises(SheetError) as refused:
        read_sheet(tmp_path / "sheet.xlsx")
    assert "row 2, column beads_added: '20.000' may be 20000 or 20: write one of these" in refused.value.message
    assert "has 1 fault" in refused.value.message


def test_the_faults_of_a_workbook_are_named_by_its_own_rows(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl", reason="the extra `xlsx` is not installed")
    workbook = openpyxl.Workbook()
    for line in ([], ["file", "sample_id", "day"], [], ["a.fcs", "S1", "nine"]):
        workbook.active.append(line)
    workbook.save(tmp_path / "sheet.xlsx")
    with pytest.raises(SheetError, match="row 4, column day: 'nine' is not a number"):
        read_sheet(tmp_path / "sheet.xlsx")


def test_what_a_person_sees_otherwise_than_a_reader_is_a_fault(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl", reason="the extra `xlsx` is not installed")
    workbook = openpyxl.Workbook()
    for line in (
        ["file", "sample_id", "subject_id", "sample_volume_ul", "beads_added"],
        ["a.fcs", "S1", "P1", "=25*2", 20_000],
        ["b.fcs", "S2", None, 50, 20_000],
        ["c.fcs", "S3", "#N/A", 50, 20_000],
        ["d.fcs", "S4", "P2", 50, 20_000],
    ):
        workbook.active.append(line)
    workbook.active.merge_cells("C2:C3")
    workbook.active.row_dimensions[5].hidden = True
    workbook.active.row_dimensions[9].hidden = True
    workbook.save(tmp_path / "sheet.xlsx")
    with pytest.raises(SheetError) as error:
        read_sheet(tmp_path / "sheet.xlsx")
    for fault in (
        "cell D2: a formula without a value",
        "cells C2:C3 are merged",
        "cell C4: #N/A is an error",
        "row 5 is hidden",
    ):
        assert fault in error.value.message
    assert "4 faults" in error.value.message


def test_the_worksheets_that_are_not_read_are_named_where_the_first_is_no_sheet(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl", reason="the extra `xlsx` is not installed")
    workbook = openpyxl.Workbook()
    workbook.active.append(["please fill in"])
    workbook.create_sheet("Samples").append(["file", "sample_id"])
    workbook.save(tmp_path / "sheet.xlsx")
    with pytest.raises(SheetError, match="and not 'Samples'"):
        read_sheet(tmp_path / "sheet.xlsx")
    workbook.active.append(["as on the second page"])
    workbook.save(tmp_path / "sheet.xlsx")
    with pytest.raises(SheetError, match="and not 'Samples'"):
        read_sheet(tmp_path / "sheet.xlsx")


@pytest.mark.parametrize("last_row", [200_000, 1_048_576])
def test_a_workbook_that_claims_a_million_rows_is_refused_at_once(tmp_path: Path, last_row: int) -> None:
    openpyxl = pytest.importorskip("openpyxl", reason="the extra `xlsx` is not installed")
    openpyxl.Workbook().save(tmp_path / "small.xlsx")
    cells = f'<row r="1"><c r="A1"><v>1</v></c></row><row r="{last_row}"><c r="A{last_row}"><v>1</v></c></row>'
    with zipfile.ZipFile(tmp_path / "small.xlsx") as small, zipfile.ZipFile(tmp_path / "bomb.xlsx", "w") as bomb:
        for name in small.namelist():
            text = small.read(name).decode()
            if name.endswith("sheet1.xml"):
                text = re.sub(r"<sheetData ?/>|<sheetData></sheetData>", f"<sheetData>{cells}</sheetData>", text)
                text = re.sub(r'<dimension ref="[^"]*"', '<dimension ref="A1:XFD1048576"', text)
                assert cells in text
            bomb.writestr(name, text)
    with pytest.raises(SheetError, match="more than 100,000 rows") as refused:
        read_sheet(tmp_path / "bomb.xlsx")
    assert refused.value.code == "E080"


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 and then nothing", b"file,sample_id\na.fcs,A\n"])
def test_what_is_no_workbook_is_refused(tmp_path: Path, content: bytes) -> None:
    pytest.importorskip("openpyxl", reason="the extra `xlsx` is not installed")
    (tmp_path / "sheet.xlsx").write_bytes(content)
    with pytest.raises(SheetError) as refused:
        read_sheet(tmp_path / "sheet.xlsx")
    assert refused.value.code == "E080"
