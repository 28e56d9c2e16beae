"""Reading sample sheets: what is taken, what is refused, and how it is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from cytocar.errors.tree import SheetError
from cytocar.sheet.inputs import rows_from_files
from cytocar.sheet.rows import CountMethod, SampleRow, SampleType, read_sheet


def _sheet(folder: Path, text: str, *, encoding: str = "utf-8") -> tuple[SampleRow, ...]:
    path = folder / "sheet.csv"
    path.write_text(text, encoding=encoding)
    return read_sheet(path)


def _faults(folder: Path, text: str) -> str:
    with pytest.raises(SheetError) as caught:
        _sheet(folder, text)
    assert caught.value.code == "E082"
    return caught.value.message


def test_file_and_sample_id_are_enough(tmp_path: Path) -> None:
    (row,) = _sheet(tmp_path, "file,sample_id\nday9.fcs,D9\n")
    assert row.file == tmp_path / "day9.fcs"
    assert (row.sample_id, row.sample_type, row.day, row.beads_in_tube) == ("D9", SampleType.SAMPLE, None, None)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_separators_and_a_byte_order_mark_make_no_difference(tmp_path: Path, mark: str, encoding: str) -> None:
    text = mark.join(["file", "sample_id", "day"]) + "\n" + mark.join(["a.fcs", "Ä", "9"]) + "\n"
    (row,) = _sheet(tmp_path, text, encoding=encoding)
    assert (row.sample_id, row.day) == ("Ä", 9.0)


def test_a_decimal_comma_is_read_beside_semicolons_only(tmp_path: Path) -> None:
    (row,) = _sheet(tmp_path, "file;sample_id;sample_volume_ul\na.fcs;A;50,5\n")
    assert row.sample_volume_ul == 50.5
    message = _faults(tmp_path, 'file,sample_id,sample_volume_ul\na.fcs,A,"50,5"\n')
    assert "row 2, column sample_volume_ul: '50,5' is written with a decimal comma: write 50.5" in message
    assert "'50,500' may be 50500 or 50" in _faults(tmp_path, 'file,sample_id,sample_volume_ul\na.fcs,A,"50,500"\n')


def test_a_row_that_a_decimal_comma_made_too_long_says_so(tmp_path: Path) -> None:
    head = "file,sample_id,sample_volume_ul,note\n"
    message = _faults(tmp_path, f"{head}a.fcs,A,60,5,x\n")
    assert "row 2: has 5 cells, the header has 4; a decimal comma may be the cause (60,5): write a point" in message
    assert "decimal comma" not in _faults(tmp_path, f"{head}a.fcs,A,60,x,y\n")


WELLS = "file,sample_id,plate_id,well,replicate,exclude\n"


def test_a_well_of_a_plate_holds_one_row(tmp_path: Path) -> None:
    message = _faults(tmp_path, f"{WELLS}a.fcs,A,PL1,C1,,\nb.fcs,B,PL1,D1,,\nc.fcs,C,PL1,c01,,\n")
    assert "rows 2, 4, column well: C01 of plate 'PL1' stands in each" in message
    assert "stands in each" in _faults(tmp_path, f"{WELLS}a.fcs,A,PL1,C1,1,\nc.fcs,C,PL1,C1,,\n")


@pytest.mark.parametrize("second", ["PL2,C1,,", "PL1,C1,2,", "PL1,C1,,yes", ",C1,,"])
def test_wells_of_other_plates_replicates_and_excluded_rows_are_no_conflict(tmp_path: Path, second: str) -> None:
    rows = _sheet(tmp_path, f"{WELLS}a.fcs,A,PL1,C1,1,\nc.fcs,C,{second}\n")
    assert [row.well for row in rows] == ["C01", "C01"]


def test_what_is_no_well_stays_as_it_is_written(tmp_path: Path) -> None:
    assert _sheet(tmp_path, "file,sample_id,well\na.fcs,A,tube 3\n")[0].well == "tube 3"


@pytest.mark.parametrize("place", ["01", "B", "Q0", "tube 3", "B49", "2B"])
def test_a_plate_has_no_place_but_its_wells(tmp_path: Path, place: str) -> None:
    message = _faults(tmp_path, f"{WELLS}a.fcs,A,PL1,{place},,\nb.fcs,B,PL1,B2,,\n")
    assert f"row 2, column well: {place!r} is no well of plate 'PL1'" in message
    assert "row 3" not in message


def test_every_fault_is_listed_at_once_with_its_row_and_column(tmp_path: Path) -> None:
    message = _faults(
        tmp_path,
        "file,sample_id,sample_type,day,beads_added\na.fcs,A,sampel,nine,50000\n,B,sample,1,-3\nc.fcs,A,sample,1,20000\n"
        "d.fcs,A,sample,1,20000\n",
    )
    assert "row 2, column sample_type: 'sampel' is none of" in message
    assert "did you mean 'sample'?" in message
    assert "row 2, column day: 'nine' is not a number" in message
    assert "row 3, column file: is empty" in message
    assert "row 3, column beads_added: '-3' must be above 0" in message
    assert "rows 2, 4, 5, column sample_id: 'A' stands in each" in message


def test_a_name_holds_no_vertical_bar_which_stands_between_names(tmp_path: Path) -> None:
    message = _faults(tmp_path, "file,sample_id,subject_id\na.fcs,A|B,P\nb.fcs,C,P|Q\n")
    assert "row 2, column sample_id: 'A|B' holds a vertical bar" in message
    assert "row 3, column subject_id: 'P|Q' holds a vertical bar" in message


def test_an_unknown_column_is_refused_with_the_nearest_name_and_x_columns_are_carried(tmp_path: Path) -> None:
    assert "column bead_added: unknown column, did you mean 'beads_added'?" in _faults(
        tmp_path, "file,sample_id,bead_added\na.fcs,A,1\n"
    )
    (row,) = _sheet(tmp_path, "file,sample_id,x_freezer\na.fcs,A,B12\n")
    assert row.extra == {"x_freezer": "B12"}


def test_a_path_may_not_leave_the_sheets_folder_unless_it_is_absolute(tmp_path: Path) -> None:
    assert "leaves the sheet's folder" in _faults(tmp_path, "file,sample_id\n../a.fcs,A\n")
    assert "leaves the sheet's folder" in _faults(tmp_path, "file,sample_id\nx\\..\\..\\a.fcs,A\n")
    (row,) = _sheet(tmp_path, f"file,sample_id\n{tmp_path}/a.fcs,A\n")
    assert row.file == tmp_path / "a.fcs"


def test_days_come_from_dates_and_may_not_contradict_them(tmp_path: Path) -> None:
    dates = "file,sample_id,collected_at,infused_at,day\n"
    (row,) = _sheet(tmp_path, f"{dates}a.fcs,A,2026-03-10,2026-03-01,\n")
    assert row.day == 9
    assert "disagrees with collected_at - infused_at = 9" in _faults(
        tmp_path, f"{dates}a.fcs,A,2026-03-10,2026-03-01,7\n"
    )


def test_liquid_beads_need_concentration_and_volume(tmp_path: Path) -> None:
    head = "file,sample_id,beads_per_ul,bead_volume_ul\n"
    (row,) = _sheet(tmp_path, f"{head}a.fcs,A,1040,50\n")
    assert row.beads_in_tube == 52_000
    assert "column bead_volume_ul: is missing" in _faults(tmp_path, f"{head}a.fcs,A,1040,\n")


def test_a_cell_in_quotes_may_hold_a_line_break(tmp_path: Path) -> None:
    rows = _sheet(tmp_path, 'file,sample_id,note\na.fcs,A,"two\nlines"\nb.fcs,B,\n')
    assert [row.note for row in rows] == ["two\nlines", None]


@pytest.mark.parametrize("content", [b"", b"file,sample_id\n", b"\xff\xfe\x00", b"FCS3.1\0\0"])
def test_what_is_no_sheet_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "sheet.csv"
    path.write_bytes(content)
    with pytest.raises(SheetError) as caught:
        read_sheet(path)
    assert caught.value.code in {"E080", "E081"}
    assert caught.value.hint


def test_a_sheet_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(SheetError, match="there is no sample sheet"):
        read_sheet(tmp_path / "none.csv")


def test_files_of_the_same_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    rows = rows_from_files([tmp_path / "a" / "x.fcs", tmp_path / "b" / "x.fcs", tmp_path / "y.fcs"])
    assert [row.sample_id for row in rows] == ["a/x.fcs", "b/x.fcs", "y"]


def test_a_vocabulary_ignores_case_and_blanks(tmp_path: Path) -> None:
    (row,) = _sheet(tmp_path, "file,sample_id,count_method,exclude\na.fcs,A,Dual Platform,yes\n")
    assert row.count_method is CountMethod.DUAL_PLATFORM
    assert row.exclude is True


def test_two_data_sets_of_one_file_are_two_samples(tmp_path: Path) -> None:
    from cytocar.sheet.inputs import collect

    (tmp_path / "x.fcs").write_bytes(b"")
    rows = collect([f"{tmp_path}/x.fcs#2", f"{tmp_path}/x.fcs#1"]).samples
    assert [(row.sample_id, row.data_set, row.file_as_given) for row in rows] == [
        ("x#1", 1, "x.fcs#1"),
        ("x#2", 2, "x.fcs#2"),
    ]


def test_a_misspelt_column_hides_no_fault_of_the_rows(tmp_path: Path) -> None:
    message = _faults(tmp_path, "file,sample_id,bead_added,day\na.fcs,A,1,nine\n")
    assert "column bead_added: unknown column" in message
    assert "row 2, column day: 'nine' is not a number" in message


def test_columns_that_a_spreadsheet_left_empty_at_the_end_are_set_aside(tmp_path: Path) -> None:
    (row,) = _sheet(tmp_path, "file,sample_id,,,\r\na.fcs,A,,,\r\n,,,,\r\n")
    assert row.sample_id == "A"
    assert "row 2: has 3 cells, the header has 2" in _faults(tmp_path, "file,sample_id,\na.fcs,A,blood\n")


def test_a_path_with_backslashes_finds_its_file(tmp_path: Path) -> None:
    (tmp_path / "plate").mkdir()
    (tmp_path / "plate" / "a.fcs").write_bytes(b"")
    (row,) = _sheet(tmp_path, "file,sample_id\nplate\\a.fcs,A\n")
    assert row.file == tmp_path / "plate" / "a.fcs"
    assert row.file_as_given == "plate\\a.fcs"


def test_a_fault_of_a_whole_column_stands_once_with_all_its_rows(tmp_path: Path) -> None:
    dates = "".join(f"{day}.fcs;S{day};3/{day}/2026;3/1/2026\n" for day in range(2, 8))
    message = _faults(tmp_path, f"sep=;\nfile;sample_id;collected_at;infused_at;dosis\n{dates}")
    why = "is no ISO 8601 date or time (2026-03-09 or 2026-03-09T14:30); the others likewise"
    assert message.splitlines()[1:] == [
        "  row 2, column dosis: unknown column (a column of your own starts with x_)",
        f"  rows 3-8, column collected_at: '3/2/2026' {why}",
        f"  rows 3-8, column infused_at: '3/1/2026' {why}",
    ]


def test_a_date_that_cannot_be_read_is_not_called_missing_too(tmp_path: Path) -> None:
    message = _faults(tmp_path, "file,sample_id,collected_at,infused_at\na.fcs,S1,3/9/2026,2026-03-01\n")
    assert message.splitlines()[1:] == [
        "  row 2, column collected_at: '3/9/2026' is no ISO 8601 date or time (2026-03-09 or 2026-03-09T14:30)"
    ]


def test_a_folder_is_no_sheet(tmp_path: Path) -> None:
    with pytest.raises(SheetError, match="it is a folder") as error:
        read_sheet(tmp_path)
    assert error.value.hint == "name a file in it"
