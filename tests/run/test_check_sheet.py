"""What ``cytocar sheet check`` finds before anything is analysed."""

from __future__ import annotations

from pathlib import Path

import pytest

from cytocar.errors.tree import SheetError, UsageError
from cytocar.run.check_sheet import check_sheet
from cytocar.sheet.inputs import given_for_all
from tests.reference_tube import reference_tube

HEAD = "file,sample_id,sample_volume_ul,beads_added,acquired_volume_ul,count_method,well\n"


def _refused(folder: Path, rows: str) -> SheetError:
    for name in ("a.fcs", "b.fcs"):
        reference_tube(50).write(folder / name)
    (folder / "sheet.csv").write_text(HEAD + rows)
    with pytest.raises(SheetError) as caught:
        check_sheet(folder / "sheet.csv")
    return caught.value


def test_cells_and_files_are_faulted_at_once(tmp_path: Path) -> None:
    error = _refused(tmp_path, 'a.fcs,A,"60,5",20000,,,\nnone.fcs,N,50,20000,,,\ngone.fcs,G,fifty,20000,,,\n')
    assert error.code == "E082"
    assert "4 faults" in error.message
    for fault in ("'60,5' is written with a decimal comma: write 60.5", "N: there is no file none.fcs", "G: there is"):
        assert fault in error.message


def test_a_draft_whose_beads_are_not_filled_in_counts_by_volume_and_says_so(tmp_path: Path) -> None:
    error = _refused(tmp_path, "a.fcs,A,50,,450,,\nb.fcs,B,50,,,,\n")
    assert error.code == "E083"
    assert "A: beads_added is empty, so it is counted by acquired_volume_ul" in error.message
    assert "B: counts by beads, but beads_added is empty" in error.message
    assert error.hint == "correct them before you run it: no sample is without a fault"


def test_samples_without_a_fault_are_counted_in_what_to_do(tmp_path: Path) -> None:
    error = _refused(tmp_path, "a.fcs,A,50,,,,\nb.fcs,B,50,,30,volumetric,\n")
    assert "1 thing will go wrong:\n  A: counts by beads" in error.message
    assert error.hint == "correct them, or run anyway: the other 1 of 2 samples is not affected"


def test_options_fill_empty_cells_as_those_of_a_run_do(tmp_path: Path) -> None:
    _refused(tmp_path, "a.fcs,A,50,,,,\nb.fcs,B,,20000,,,\n")
    given = given_for_all(beads_added=20000, sample_volume_ul=50)
    assert [(row.beads_added, row.sample_volume_ul) for row in check_sheet(tmp_path / "sheet.csv", given=given)] == [
        (20000, 50),
        (20000, 50),
    ]
    with pytest.raises(UsageError) as caught:
        check_sheet(tmp_path / "sheet.csv", given=given_for_all(beads_added=1000, sample_volume_ul=50))
    assert caught.value.code == "E086"


def test_files_that_are_no_whole_fcs_files_are_faults_unless_their_row_is_excluded(tmp_path: Path) -> None:
    whole = reference_tube(50).write(tmp_path / "whole.fcs").read_bytes()
    (tmp_path / "half.fcs").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.fcs").write_text("a report")
    header = "file,sample_id,sample_volume_ul,beads_added,exclude,exclude_reason\n"
    rows = "".join(f"{name}.fcs,{name},50,20000,,\n" for name in ("whole", "half", "text"))
    (tmp_path / "sheet.csv").write_text(header + rows)
    with pytest.raises(SheetError, match="2 things will go wrong") as caught:
        check_sheet(tmp_path / "sheet.csv")
    assert "half: the file is cut short" in caught.value.message
    assert "[E018]" in caught.value.message
    assert "text: not an FCS file" in caught.value.message
    excluded = rows.replace("half,50,20000,,", "half,50,20000,yes,cut short").replace(
        "text,50,20000,,", "text,50,20000,yes,no file"
    )
    (tmp_path / "sheet.csv").write_text(header + excluded)
    assert len(check_sheet(tmp_path / "sheet.csv")) == 3


def test_a_file_whose_channels_are_not_those_of_its_template_is_a_fault(tmp_path: Path) -> None:
    error = _refused(tmp_path, "a.fcs,A,50,20000,,,\nb.fcs,B,50,,,,\n")
    assert "E040" not in error.message
    rows = "file,sample_id,sample_volume_ul,beads_added,template\na.fcs,A,50,20000,\nb.fcs,B,50,20000,t-memory\n"
    (tmp_path / "sheet.csv").write_text(rows)
    with pytest.raises(SheetError) as caught:
        check_sheet(tmp_path / "sheet.csv")
    assert "1 thing will go wrong" in caught.value.message
    assert "B: " in caught.value.message
    assert "[E040]" in caught.value.message
    assert (caught.value.hint or "").endswith("the other 1 of 2 samples is not affected")


def test_a_folder_of_the_files_name_is_named_as_one_and_the_file_of_another_well_is_no_near_name(
    tmp_path: Path,
) -> None:
    for name in ("tube_P02_362.fcs", "a.fcs"):
        reference_tube(50).write(tmp_path / name)
    (tmp_path / "folder.fcs").mkdir()
    rows = "folder.fcs,F,50,20000,,,\ntube_P01_361.fcs,P,50,20000,,,\na.fcs,A,50,20000,,,\n"
    (tmp_path / "sheet.csv").write_text(HEAD + rows)
    with pytest.raises(SheetError, match="2 things will go wrong") as caught:
        check_sheet(tmp_path / "sheet.csv")
    assert "F: folder.fcs cannot be opened: it is a folder, not a file [E010]" in caught.value.message
    assert caught.value.message.endswith("P: there is no file tube_P01_361.fcs")
