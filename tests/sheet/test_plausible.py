"""Numbers of a tube that cannot be, each a fault of its row, and those at the edge of what can."""

from __future__ import annotations

from pathlib import Path

import pytest

from cytocar.errors.tree import SheetError
from cytocar.sheet.plausible import impossible
from cytocar.sheet.rows import read_sheet


@pytest.mark.parametrize(
    ("column", "number"),
    [
        ("sample_volume_ul", 0.05),
        ("sample_volume_ul", 50_000.0),
        ("beads_added", 20.0),
        ("beads_per_ul", 1_040_000.5),
        ("dilution_factor", 0.5),
        ("dilution_factor", 0.1),
        ("acquired_volume_ul", 0.1),
        ("wbc_per_ul", 5.2),
        ("lymphocytes_per_ul", 1.8),
        ("wbc_per_ul", 5_200_000.0),
    ],
)
def test_a_number_in_another_unit_is_named_with_its_range(column: str, number: float) -> None:
    ((named, why),) = impossible({column: number})
    assert named == column
    assert "cannot be" in why


@pytest.mark.parametrize(
    "values",
    [
        {"sample_volume_ul": 1.0, "beads_added": 1000.0, "dilution_factor": 1.0},
        {"wbc_per_ul": 10.0, "lymphocytes_per_ul": 0.0},
        {"wbc_per_ul": 3.0, "specimen": "csf"},
        {"lymphocytes_per_ul": 2_000_000.0, "specimen": "product"},
        {"lymphocytes_per_ul": 1010.0, "wbc_per_ul": 1000.0},
    ],
)
def test_the_least_and_the_most_that_there_is_passes(values: dict[str, float | str | None]) -> None:
    assert list(impossible(values)) == []


def test_more_lymphocytes_than_leukocytes_cannot_be() -> None:
    ((column, _),) = impossible({"lymphocytes_per_ul": 3000.0, "wbc_per_ul": 2000.0})
    assert column == "lymphocytes_per_ul"


def _faults(folder: Path, text: str) -> str:
    (folder / "sheet.csv").write_text(text, "utf-8")
    with pytest.raises(SheetError) as refused:
        read_sheet(folder / "sheet.csv")
    assert refused.value.code == "E082"
    return refused.value.message


def test_a_row_with_an_impossible_number_is_a_fault_of_the_sheet(tmp_path: Path) -> None:
    message = _faults(tmp_path, "file,sample_id,sample_volume_ul\na.fcs,A,50\nb.fcs,B,0.05\n")
    assert "row 3, column sample_volume_ul: 0.05 cannot be" in message


# ---------------------------------------------------------------- one number format


@pytest.mark.parametrize(("cell", "plain"), [("20.000", "20000"), ("20,000", "20000"), ("1.234", "1234")])
def test_a_thousands_mark_beside_semicolons_is_asked_about(tmp_path: Path, cell: str, plain: str) -> None:
    message = _faults(tmp_path, f"file;sample_id;beads_added\na.fcs;A;{cell}\n")
    assert f"row 2, column beads_added: '{cell}' may be {plain} or" in message
    assert "has 1 fault" in message


@pytest.mark.parametrize("cell", ["0,125", "0.125", "20000", "1,5"])
def test_what_can_only_be_a_fraction_is_read(tmp_path: Path, cell: str) -> None:
    (tmp_path / "sheet.csv").write_text(f"file;sample_id;day\na.fcs;A;{cell}\n", "utf-8")
    (row,) = read_sheet(tmp_path / "sheet.csv")
    assert row.day == float(cell.replace(",", "."))


def test_a_sheet_has_one_decimal_mark(tmp_path: Path) -> None:
    message = _faults(tmp_path, "file;sample_id;sample_volume_ul\na.fcs;A;50,5\nb.fcs;B;50.5\n")
    assert "row 3, column sample_volume_ul: '50.5', but '50,5' in row 2: one sheet, one decimal mark" in message


# ---------------------------------------------------------------- controls of nobody


@pytest.mark.parametrize("name", ["S01", "day 9, tube 1"])
def test_a_control_of_nobody_is_a_fault(tmp_path: Path, name: str) -> None:
    message = _faults(
        tmp_path, f'file,sample_id,sample_type,control_for\na.fcs,S1,sample,\nb.fcs,B,baseline,"{name}"\n'
    )
    assert "row 3, column control_for: no row has the sample or subject" in message


def test_a_control_of_a_subject_or_of_one_acquisition_is_somebodys(tmp_path: Path) -> None:
    text = "file,sample_id,subject_id,sample_type,control_for\na.fcs,S1,P1,sample,\nb.fcs,B,,baseline,P1|S1#2\n"
    (tmp_path / "sheet.csv").write_text(text, "utf-8")
    assert read_sheet(tmp_path / "sheet.csv")[1].control_for == ("P1", "S1#2")


@pytest.mark.parametrize(
    ("column", "can_be", "cannot_be"),
    [
        ("bag_volume_ml", (1.0, 50.0, 500.0), (0.05, 50_000.0)),
        ("tnc_per_ml", (1e6, 1e8), (20.0, 1e30)),
        ("weight_kg", (3.0, 70.0), (0.07, 70_000.0)),
        ("vcn_per_cell", (0.0, 4.2), (1e9,)),
    ],
)
def test_numbers_of_a_product_in_another_unit_are_refused(
    column: str, can_be: tuple[float, ...], cannot_be: tuple[float, ...]
) -> None:
    assert [list(impossible({column: value})) for value in can_be] == [[] for _ in can_be]
    assert [[name for name, _ in impossible({column: value})] for value in cannot_be] == [[column] for _ in cannot_be]
