"""What is said of a file that is not there: the one that was meant."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest

from cytocar.files.nearest import is_no_text, printable, same_name, why_not_there
from cytocar.sheet.inputs import collect
from cytocar.sheet.rows import read_sheet


@pytest.mark.parametrize("name", ["REF.FCS", "ref", "Ref.fcs", "reff.fcs"])
def test_the_nearest_file_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "ref.fcs").touch()
    (tmp_path / "other.fcs").touch()
    assert why_not_there(tmp_path / name) == " (there is ref.fcs)"


def test_a_name_like_no_other_is_only_said_to_be_missing(tmp_path: Path) -> None:
    (tmp_path / "ref.fcs").touch()
    assert why_not_there(tmp_path / "month03.fcs") == ""


@pytest.mark.parametrize(("on_disk", "in_sheet"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_two_forms_of_unicode_are_one_name(tmp_path: Path, on_disk: str, in_sheet: str) -> None:
    name = "Müller_Tag9.fcs"
    stored = tmp_path / unicodedata.normalize(on_disk, name)  # type: ignore[arg-type]  # a form's name
    stored.touch()
    if not (tmp_path / unicodedata.normalize(in_sheet, name)).exists():  # type: ignore[arg-type]  # a form's name
        assert same_name(tmp_path / unicodedata.normalize(in_sheet, name)) == stored  # type: ignore[arg-type]
    sheet = tmp_path / "sheet.csv"
    sheet.write_text(f"file,sample_id\n{unicodedata.normalize(in_sheet, name)},S1\n", "utf-8")  # type: ignore[arg-type]
    assert read_sheet(sheet)[0].file.exists()


def test_a_name_that_is_no_text_is_one_row_that_will_fail(tmp_path: Path) -> None:
    (tmp_path / "good.fcs").write_bytes(b"FCS3.1")
    try:
        with open(os.fsencode(tmp_path) + b"/Blut_\xe4.fcs", "wb") as file:  # noqa: PTH123 -- a path of bytes
            file.write(b"FCS3.1")
    except OSError:
        pytest.skip("this file system has no such names")
    rows = collect([tmp_path]).samples
    assert [row.file_as_given for row in rows] == ["Blut_\\xe4.fcs", "good.fcs"]
    assert is_no_text(printable(tmp_path / os.fsdecode(b"Blut_\xe4.fcs")))
