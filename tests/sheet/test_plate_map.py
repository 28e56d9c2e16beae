"""Plate maps: grids as laboratories draw them, and the sheets that come of them."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from cytocar.errors.tree import SheetError
from cytocar.sheet.draft import draft_sheet
from cytocar.sheet.plate_map import read_plate_map
from cytocar.simulate import Preparation, blood_tube

MAP = """Plate 7,,,
,1,2,3
A,P1 d7,P1 d9,
B,P2 d7,,healthy 1

day,1,2,3
A,7,9,
B,7,,
"""


def test_grids_are_read_by_well(tmp_path: Path) -> None:
    (tmp_path / "map.csv").write_text(MAP)
    said = read_plate_map(tmp_path / "map.csv")
    assert said["sample_id"] == {"A01": "P1 d7", "A02": "P1 d9", "B01": "P2 d7", "B03": "healthy 1"}
    assert said["day"] == {"A01": "7", "A02": "9", "B01": "7"}


def test_a_worksheet_says_the_same_as_a_csv(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl", reason="the extra `xlsx` is not installed")
    (tmp_path / "map.csv").write_text(MAP)
    workbook = openpyxl.Workbook()
    for line in csv.reader(MAP.splitlines()):
        workbook.active.append([int(cell) if cell.isdecimal() else cell or None for cell in line])
    workbook.active.merge_cells("A1:D1")  # a title holds no well
    workbook.save(tmp_path / "map.xlsx")
    assert read_plate_map(tmp_path / "map.xlsx") == read_plate_map(tmp_path / "map.csv")


@pytest.mark.parametrize("merged", ["B3:C3", "B3:B4"])
def test_wells_that_are_merged_are_no_wells_of_one_name(merged: str, tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl", reason="the extra `xlsx` is not installed")
    workbook = openpyxl.Workbook()
    for line in csv.reader(MAP.splitlines()):
        workbook.active.append([int(cell) if cell.isdecimal() else cell or None for cell in line])
    workbook.active.merge_cells(merged)
    workbook.save(tmp_path / "map.xlsx")
    with pytest.raises(SheetError, match=f"cells {merged} are merged") as caught:
        read_plate_map(tmp_path / "map.xlsx")
    assert caught.value.code == "E085"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("file,sample_id\na.fcs,A\n", "holds no grid of samples"),
        (MAP.replace("day,1", "dya,1"), "did you mean 'day'"),
        (MAP + "\n,1,2\nA,x,y\n", "two grids for sample_id"),
    ],
)
def test_a_map_that_is_none_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "map.csv").write_text(text)
    with pytest.raises(SheetError, match=said) as caught:
        read_plate_map(tmp_path / "map.csv")
    assert caught.value.code == "E085"


def test_a_sheet_takes_names_and_days_from_the_map(tmp_path: Path) -> None:
    small = Preparation(sample_volume_ul=50, drawn_share=0.01)
    for well in ("A1", "A2", "B1", "C1"):
        blood_tube(car_per_ul=10, preparation=small, seed=1).write(
            tmp_path / f"Specimen_001_{well}_{well[0]}0{well[1]}.fcs"
        )
    (tmp_path / "map.csv").write_text(MAP)
    (tmp_path / "controls").mkdir()
    (tmp_path / "controls" / "beads.fcs").write_bytes(b"")
    draft = draft_sheet(tmp_path, relative_to=tmp_path, plate_map=tmp_path / "map.csv")
    rows = {row["well"]: row for row in csv.DictReader(draft.text.splitlines())}
    assert (rows["A02"]["sample_id"], rows["A02"]["day"]) == ("P1 d9", "9")
    assert rows["C01"]["sample_id"].startswith("Specimen")
    assert "on the map, but no FCS file: 1 well: B03" in draft.notes
    assert any("C01" in note for note in draft.notes)
    assert "subfolders are taken too: controls (1)" in draft.notes
    assert draft.to_fill_in == ("beads_added", "sample_volume_ul")


def test_what_the_map_fills_in_is_not_asked_for(tmp_path: Path) -> None:
    blood_tube(car_per_ul=10, preparation=Preparation(drawn_share=0.01), seed=1).write(
        tmp_path / "Specimen_001_A1_A01.fcs"
    )
    (tmp_path / "map.csv").write_text(",1\nA,P1\n\nsample_volume_ul,1\nA,50\n")
    drafted = draft_sheet(tmp_path, relative_to=tmp_path, plate_map=tmp_path / "map.csv")
    assert drafted.to_fill_in == ("beads_added",)
