"""Lots of reagents: beads by lot in the sheet, lots chosen by day, expired ones said, and what does not fit."""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path

import pytest

from cytocar.errors.tree import SheetError
from cytocar.run.from_python import run
from cytocar.sheet.reagents import Completed, complete_sheet, day_of_tube, read_lots
from cytocar.sheet.rows import read_sheet
from cytocar.simulate import Preparation, blood_tube
from tests.runs import cytocar_command

LOTS = """reagent,clone,lot,expiry,beads_per_tube,beads_per_ul,used_from,used_to
Trucount,,T1,2027-01-31,51234,,,
Liquid beads,,L9,2026-02-28,,1040,,
CD3,SK7,81,2026-02-28,,,,2026-02-15
CD3,SK7,82,2026-12-31,,,2026-02-16,
CD19-Fc,,7,,,,,
"""
SHEET = """file,sample_id,bead_lot,sample_volume_ul,bead_volume_ul
a.fcs,A,T1,50,
b.fcs,B,L9,50,50
"""


def _completed(folder: Path, day: date | None, *, sheet: str = SHEET, lots: str = LOTS) -> Completed:
    (folder / "sheet.csv").write_text(sheet)
    (folder / "lots.csv").write_text(lots)
    return complete_sheet(folder / "sheet.csv", read_lots(folder / "lots.csv"), day_of=lambda _: day)


def _faults(folder: Path, *, sheet: str = SHEET, lots: str = LOTS) -> str:
    with pytest.raises(SheetError) as caught:
        _completed(folder, date(2026, 3, 10), sheet=sheet, lots=lots)
    assert caught.value.code == "E266"
    return caught.value.message


@pytest.mark.parametrize(
    ("lots", "fault"),
    [
        ("reagent,lot,beads_per_tube\nbeads,T1,50,000\n", "row 2 has more cells than the header: '000'"),
        (
            "reagent,lot,beads_per_tub\nbeads,T1,50000\n",
            "unknown column 'beads_per_tub', did you mean 'beads_per_tube'?",
        ),
        ("reagent,lot,beads_per_tube\nb,T1,50000\nb,T1,40000\n", "row 3: beads of lot T1 have another number"),
    ],
)
def test_a_number_of_beads_that_may_be_another_is_a_fault(tmp_path: Path, lots: str, fault: str) -> None:
    assert fault in _faults(tmp_path, lots=lots)


def test_beads_and_lots_are_written_into_the_sheet_and_it_can_be_read(tmp_path: Path) -> None:
    done = _completed(tmp_path, date(2026, 2, 20))
    (tmp_path / "new.csv").write_text(done.text)
    first, second = read_sheet(tmp_path / "new.csv")
    assert (first.beads_in_tube, second.beads_in_tube) == (51_234, 52_000)
    assert dict(first.extra) == {"x_lot_CD3": "82 (SK7)", "x_lot_CD19_Fc": "7"}
    assert (done.expired, done.notes) == ((), ())


def test_the_lot_of_the_day_is_chosen_and_one_past_its_date_is_said(tmp_path: Path) -> None:
    done = _completed(tmp_path, date(2026, 3, 10))
    assert done.expired == ("Liquid beads lot L9, 2026-02-28 was past its date for B",)
    (tmp_path / "new.csv").write_text(done.text)
    first, second = read_sheet(tmp_path / "new.csv")
    assert first.extra.get("x_expired_lots", "") == ""
    assert second.extra["x_expired_lots"] == "Liquid beads L9"


def test_without_a_day_expiry_is_not_checked_and_said(tmp_path: Path) -> None:
    lots = "\n".join(line for line in LOTS.splitlines() if ",82," not in line)
    assert _completed(tmp_path, None, lots=lots).notes == (
        "2 tubes have no day, so the expiry of their lots is not checked",
    )


def test_what_does_not_fit_is_listed_at_once(tmp_path: Path) -> None:
    sheet = (
        SHEET.replace("T1", "T7")
        .replace("bead_volume_ul\n", "bead_volume_ul,beads_per_ul\n")
        .replace("50,50", "50,50,900")
    )
    message = _faults(tmp_path, sheet=sheet)
    assert "row 2, column bead_lot: 'T7' is not in the table of lots" in message
    assert "row 3, column beads_per_ul: 900, but lot L9 has 1040" in message
    assert "CD3 may be of lot 81, 82" in _faults(
        tmp_path, lots=LOTS.replace("2026-02-15", "").replace("2026-02-16", "")
    )


@pytest.mark.parametrize(
    ("lots", "said"),
    [
        ("reagent,clone\nCD3,SK7\n", "column lot is missing"),
        ("reagent,lot,expiry\nCD3,1,31.3.2026\n", "row 2: expiry '31.3.2026' is no date"),
        ("reagent,lot,beads_per_tube\nbeads,1,-5\n", "row 2: beads_per_tube '-5' is no number above 0"),
        ("reagent;lot;beads_per_tube\nbeads;1;52.312\n", "row 2: beads_per_tube: '52.312' may be 52312 or 52.3120"),
        ("reagent,lot\n,1\n", "row 2: reagent or lot is empty"),
    ],
)
def test_faults_of_the_table_are_listed(tmp_path: Path, lots: str, said: str) -> None:
    assert said in _faults(tmp_path, lots=lots)


def test_the_command_takes_the_day_from_the_files_and_lots_reach_the_report(tmp_path: Path) -> None:
    tube = blood_tube(car_per_ul=100, preparation=Preparation(drawn_share=0.1), seed=1)  # acquired on 2024-03-04
    tube.write(tmp_path / "a.fcs")
    (tmp_path / "sheet.csv").write_text("file,sample_id,bead_lot,sample_volume_ul\na.fcs,A,T1,50\n")
    lots = "reagent,clone,lot,expiry,beads_per_tube\nbeads,,T1,2024-02-01,20000\nCD3,SK7,81,2025-01-01,\n"
    (tmp_path / "lots.csv").write_text(lots)
    words = ("sheet", "lots", tmp_path / "sheet.csv", "--reagents", tmp_path / "lots.csv")
    answer = cytocar_command(*words, "-o", tmp_path / "new.csv")
    assert answer.code == 0
    assert "warning[W381]" in answer.stderr
    assert cytocar_command(*words, "-o", tmp_path / "new.csv").code == 2
    assert cytocar_command(*words, "-o", tmp_path / "elsewhere" / "new.csv").code == 2
    run(tmp_path / "new.csv", "cart-cd19fc-fixed", tmp_path / "run", jobs=1)
    (row,) = csv.DictReader((tmp_path / "run" / "counts.csv").read_text().splitlines())
    assert (row["x_lot_CD3"], row["x_expired_lots"], row["beads_added"]) == ("81 (SK7)", "beads T1", "20000")
    assert cytocar_command("report", tmp_path / "run", "-j", "1").code == 0
    page = (tmp_path / "run" / "report.html").read_text()
    assert "lots: beads T1, CD3 81 (SK7), past their date beads T1" in page


def test_a_sheet_with_decimal_commas_is_written_with_points(tmp_path: Path) -> None:
    sheet = SHEET.replace(",", ";").replace(";50;50", ";50,5;50")
    done = _completed(tmp_path, date(2026, 2, 20), sheet=sheet)
    (tmp_path / "new.csv").write_text(done.text)
    assert read_sheet(tmp_path / "new.csv")[1].sample_volume_ul == 50.5


def test_a_row_without_a_file_has_its_own_day(tmp_path: Path) -> None:
    (tmp_path / "sheet.csv").write_text("file,sample_id,collected_at\nno.fcs,A,2026-03-09T08:00\nno.fcs,B,\n")
    first, second = read_sheet(tmp_path / "sheet.csv")
    assert day_of_tube(first, None) == date(2026, 3, 9)
    assert day_of_tube(second, date(2026, 1, 1)) == date(2026, 1, 1)


def test_a_workbook_with_merged_cells_is_not_completed(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl", reason="the extra `xlsx` is not installed")
    workbook = openpyxl.Workbook()
    for line in (["file", "sample_id", "subject_id"], ["a.fcs", "a", "P1"], ["b.fcs", "b", None]):
        workbook.active.append(line)
    workbook.active.merge_cells("C2:C3")
    workbook.save(tmp_path / "sheet.xlsx")
    (tmp_path / "lots.csv").write_text(LOTS)
    with pytest.raises(SheetError, match="C2:C3 are merged"):
        complete_sheet(tmp_path / "sheet.xlsx", read_lots(tmp_path / "lots.csv"), day_of=lambda _: None)
