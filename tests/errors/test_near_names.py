"""One rule for every message that says "did you mean"."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cytocar.course.clinical import read_record
from cytocar.course.subjects import read_subjects
from cytocar.errors.near_names import LONGEST_NAME, did_you_mean, near_names
from cytocar.errors.tree import FAULTS_SHOWN, CytocarError
from cytocar.sheet.rows import read_sheet
from cytocar.template.load import parse_template

COLUMNS = ["car_per_ul", "cd4_per_ul", "beads_added", "note"]


@pytest.mark.parametrize(
    ("word", "near"),
    [
        ("car_per_u", ["car_per_ul"]),
        ("CAR-per uL ", ["car_per_ul"]),
        ("bead added", ["beads_added"]),
        ("volume", []),
        ("", []),
    ],
)
def test_a_misspelt_name_finds_its_own(word: str, near: list[str]) -> None:
    assert near_names(word, COLUMNS) == near


def test_names_that_are_one_when_plain_are_all_near() -> None:
    assert near_names("cd4 t", ["CD4_T", "cd4-t", "b_cells"], most=3) == ["CD4_T", "cd4-t"]


def test_what_no_name_is_near_to_gets_what_else_there_is() -> None:
    assert did_you_mean("x", COLUMNS, " (your own begin with x_)") == " (your own begin with x_)"
    assert did_you_mean("notes", COLUMNS, " (none)") == ", did you mean 'note'?"


def test_a_name_of_a_million_letters_is_compared_with_nothing() -> None:
    start = time.process_time()
    assert near_names("a" * 1_000_000, ["a" * LONGEST_NAME]) == []
    assert time.process_time() - start < 1  # difflib takes minutes


@pytest.fixture
def comparisons(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The words that were compared with names."""
    compared: list[str] = []

    def noting(word: str, *args: object, **options: object) -> list[str]:
        compared.append(word)
        return []

    monkeypatch.setattr("cytocar.errors.near_names.get_close_matches", noting)
    return compared


STRANGE = [f"strange {number}" for number in range(3000)]


def _sheet_header(folder: Path) -> None:
    read_sheet(_table(folder, ["file", "sample_id", *STRANGE], ["a.fcs", "a"]))


def _sheet_controls(folder: Path) -> None:
    rows = [[f"{number}.fcs", str(number), name] for number, name in enumerate(STRANGE)]
    read_sheet(_table(folder, ["file", "sample_id", "control_for"], *rows))


def _subject_columns(folder: Path) -> None:
    read_subjects(_table(folder, ["subject_id", *STRANGE], ["P1"]))


def _subjects(folder: Path) -> None:
    read_subjects(_table(folder, ["subject_id"], *([name] for name in [*STRANGE, "P1", "P1"])), known=["P2"])


def _clinical_columns(folder: Path) -> None:
    read_record(_table(folder, ["subject_id", "day", *STRANGE], ["P1", "1"]), None, subjects=["P1"])


def _template_keys(_: Path) -> None:
    parse_template("".join(f"'{name}' = 1\n" for name in STRANGE), source="t.toml")


def _table(folder: Path, *rows: list[str]) -> Path:
    path = folder / "table.csv"
    path.write_text("".join(",".join(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "read", [_sheet_header, _sheet_controls, _subject_columns, _subjects, _clinical_columns, _template_keys]
)
def test_a_damaged_table_of_any_length_is_compared_as_far_as_a_list_of_faults_shows(
    read: Callable[[Path], None], comparisons: list[str], tmp_path: Path
) -> None:
    with pytest.raises(CytocarError):
        read(tmp_path)
    assert 0 < len(comparisons) <= 2 * FAULTS_SHOWN  # a template is read a second time with its keys mended


def test_nothing_else_looks_for_near_names() -> None:
    package = Path(near_names.__code__.co_filename).parents[1]
    users = {path.name for path in package.rglob("*.py") if "get_close_matches" in path.read_text(encoding="utf-8")}
    assert users == {"near_names.py"}
