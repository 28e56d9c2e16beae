"""What options say about every row: they fill empty cells, and never contradict a filled one silently."""

from __future__ import annotations

from pathlib import Path

import pytest

from cytocar.errors.tree import UsageError
from cytocar.sheet.inputs import collect, given_for_all
from cytocar.sheet.rows import SampleRow

HEAD = "file,sample_id,subject_id,sample_volume_ul,beads_added,beads_per_ul,bead_volume_ul,count_method\n"


def _collect(folder: Path, rows: str, *named: str, **options: object) -> tuple[SampleRow, ...]:
    (folder / "sheet.csv").write_text(HEAD + rows)
    for name in named:
        (folder / name).write_bytes(b"")
    return collect(
        [folder / name for name in named], sheet=folder / "sheet.csv", given=given_for_all(**options)
    ).samples


def test_an_option_fills_the_empty_cells_of_every_row(tmp_path: Path) -> None:
    rows = _collect(
        tmp_path, "a.fcs,A,,,,,,\nb.fcs,B,P1,50,,,,\n", sample_volume_ul=50, beads_added=2e4, subject_id="P1"
    )
    assert [(row.subject_id, row.sample_volume_ul, row.beads_added) for row in rows] == [("P1", 50.0, 2e4)] * 2


def test_a_cell_that_says_something_else_is_refused_with_row_cell_and_option(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        _collect(
            tmp_path,
            "a.fcs,A,P1,300,,,,\nb.fcs,B,P2,,,,,beads\n",
            sample_volume_ul=50,
            subject_id="P1",
            count_method="none",
        )
    assert caught.value.code == "E086"
    assert caught.value.message.splitlines() == [
        "options and sheet disagree in 3 cells:",
        "  row 2, column sample_volume_ul: the sheet says 300, --sample-volume-ul says 50",
        "  row 3, column count_method: the sheet says beads, --count-method says none",
        "  row 3, column subject_id: the sheet says P2, --subject says P1",
    ]


def test_what_an_option_fills_in_may_not_contradict_another_cell(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="row 2, column beads_added: 20000 disagrees with beads_per_ul x") as caught:
        _collect(tmp_path, "a.fcs,A,,50,,1040,50,\n", beads_added=20_000)
    assert caught.value.code == "E086"


def test_rows_that_are_not_counted_contradict_nothing(tmp_path: Path) -> None:
    (row,) = _collect(tmp_path, "a.fcs,A,,,,,,\nb.fcs,B,,300,,,,\n", "a.fcs", sample_volume_ul=50)
    assert (row.sample_id, row.sample_volume_ul) == ("A", 50)
