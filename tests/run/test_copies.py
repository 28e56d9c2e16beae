"""The same bytes in two rows: two tubes cannot share them, one tube may be counted twice."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from cytocar.run.copies import Recording, copy_findings
from tests.reference_tube import reference_tube
from tests.runs import cytocar_command

SUBJECT, DAY, SPECIMEN, REPLICATE, WELL = ("P1", 7.0, "blood", "1", ("PL1", "A01"))


def _codes(*tubes: tuple[object, ...], content: str = "abc#1") -> dict[str, str]:
    recordings = [Recording(f"s{number}", content, tube) for number, tube in enumerate(tubes)]
    return {name: finding.code for name, finding in copy_findings(recordings)}


@pytest.mark.parametrize(
    "other",
    [
        ("P2", DAY, SPECIMEN, REPLICATE, WELL),
        (SUBJECT, 14.0, SPECIMEN, REPLICATE, WELL),
        (SUBJECT, DAY, "marrow", REPLICATE, WELL),
        (SUBJECT, DAY, SPECIMEN, "2", WELL),
        (SUBJECT, DAY, SPECIMEN, REPLICATE, ("PL1", "A02")),
    ],
)
def test_rows_of_two_tubes_are_told_and_those_of_one_are_not(other: tuple[object, ...]) -> None:
    one = (SUBJECT, DAY, SPECIMEN, REPLICATE, WELL)
    assert _codes(one, other) == {"s0": "W265", "s1": "W265"}
    assert _codes(one, one) == _codes(one, (None,) * 5) == {}
    assert _codes(one, one, other) == dict.fromkeys(("s0", "s1", "s2"), "W265")


def test_other_bytes_and_another_data_set_of_one_file_are_other_recordings() -> None:
    tube = (SUBJECT, DAY, SPECIMEN, REPLICATE, WELL)
    recordings = [Recording("a", "abc#1", tube), Recording("b", "abc#2", ("P2", *tube[1:])), Recording("c", None, tube)]
    assert list(copy_findings(recordings)) == []


def test_a_file_named_without_its_data_set_is_its_first(tmp_path: Path) -> None:
    reference_tube(300).write(tmp_path / "0.fcs")
    lines = ["file,sample_id,subject_id,day", "0.fcs,a,P1,7", "0.fcs#1,b,P1,14"]
    (tmp_path / "sheet.csv").write_text("\n".join(lines), "utf-8")
    answer = cytocar_command("gate", tmp_path / "sheet.csv", "-t", "cart-cd19fc-fixed", "-j", "1", "--format", "csv")
    rows = list(csv.DictReader(answer.stdout.splitlines()))
    assert ["W265" in row["status_codes"] for row in rows] == [True, True], answer.stderr


def test_a_row_that_was_copied_in_the_sheet_and_kept_its_file_asks_for_a_look(tmp_path: Path) -> None:
    for n in range(2):
        reference_tube(300 + n).write(tmp_path / f"{n}.fcs")
    lines = ["file,sample_id,subject_id,day", "0.fcs,a,P1,7", "1.fcs,b,P1,14", "1.fcs,c,P1,28"]
    (tmp_path / "sheet.csv").write_text("\n".join(lines), "utf-8")
    run = tmp_path / "run"
    answer = cytocar_command(
        "gate", tmp_path / "sheet.csv", "-t", "cart-cd19fc-fixed", "-o", run, "-j", "1", "--no-report"
    )
    assert answer.code in (0, 1), answer.stderr
    with (run / "quality.csv").open(encoding="utf-8") as file:
        copied = {row["sample_id"] for row in csv.DictReader(file) if row["code"] == "W265"}
    assert copied == {"b", "c"}


def test_a_donor_who_stands_beside_each_subject_is_one_tube() -> None:
    donor = [Recording(f"d{n}", "abc#1", (f"P{n}", None, None, None, None), shared=True) for n in range(2)]
    patient = Recording("p", "abc#1", ("P3", DAY, None, None, None))
    assert list(copy_findings(donor)) == []
    assert [name for name, _ in copy_findings([*donor, patient])] == ["d0", "d1", "p"]
