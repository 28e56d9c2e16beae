"""The table of subjects: carried whole, infusions counted from the first, faults all at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from cytocar.course.subjects import read_subjects, subject_columns, subject_rows
from cytocar.errors.tree import ClinicalError

HEAD = "subject_id,product,car_target,dose_car_t,weight_kg,infused_at,arm,response,x_site\n"


def table(tmp_path: Path, rows: str, head: str = HEAD) -> Path:
    path = tmp_path / "subjects.csv"
    path.write_text(head + rows, "utf-8")
    return path


def test_a_reinfusion_is_counted_from_the_last_and_from_the_first(tmp_path: Path) -> None:
    subjects = read_subjects(table(tmp_path, "P1,A,CD22,2e6,31,2024-03-05; 2024-07-03,one,CR,Basel\n"))
    subject = subjects.by_id["P1"]
    assert list(subject.infusion_days) == [0.0, 120.0]
    assert [subject.days_from_last_infusion(day) for day in (-6, 28, 120, 148)] == [-6, 28, 0, 28]


def test_everything_entered_is_written_again(tmp_path: Path) -> None:
    subjects = read_subjects(table(tmp_path, "P1,A,dual,2e6,31,2024-03-05,one,CR,Basel\n"))
    assert [column.name for column in subject_columns(subjects)] == HEAD.strip().split(",")
    (row,) = subject_rows(subjects)
    assert (row["dose_car_t"], row["car_target"], row["x_site"]) == (2e6, "dual", "Basel")


def test_subjects_are_grouped_by_any_column(tmp_path: Path) -> None:
    subjects = read_subjects(table(tmp_path, "P1,,,,,,one,,Basel\nP2,,,,,,two,,\n"))
    assert subjects.groups("arm") == {"P1": "one", "P2": "two"}
    assert subjects.groups("x_site") == {"P1": "Basel"}
    for column, message in {
        "sex": "subjects.csv has no column 'sex'",
        "Arms": "subjects.csv has no column 'Arms', did you mean 'arm'?",
        "response": "no subject has a group in the column 'response'",
    }.items():
        with pytest.raises(ClinicalError) as caught:
            subjects.groups(column)
        assert (caught.value.code, caught.value.message) == ("E164", message)


def test_all_faults_come_at_once(tmp_path: Path) -> None:
    path = table(tmp_path, "P1,,,many,31,soon,,,\nP1,,,,,,,,\n,,,,,,,,x\nP022,,,,,,,,\n")
    with pytest.raises(ClinicalError) as caught:
        read_subjects(path, known={"P1", "P02"})
    assert caught.value.code == "E163"
    assert [line.strip() for line in caught.value.message.splitlines()[1:]] == [
        "row 2: dose_car_t: 'many' is not a number",
        "row 2: infused_at is no date: 'soon' (2024-03-05; several are separated by ;)",
        "row 3: 'P1' comes twice",
        "row 4: subject_id is empty",
        "subject 'P022' has no sample, did you mean 'P02'?",
    ]
    with pytest.raises(ClinicalError, match=r"unknown column arms, did you mean 'arm'\?"):
        read_subjects(table(tmp_path, "", "subject_id,arms\n"))


def test_a_cell_beyond_the_header_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(ClinicalError, match="row 2 has more cells than the header: '5'"):
        read_subjects(table(tmp_path, "P1,75,5\n", "subject_id,weight_kg\n"))


def test_a_dose_that_may_be_thousands_is_asked_about(tmp_path: Path) -> None:
    path = table(tmp_path, "P1;1.200;70,5\n", "subject_id;dose_car_t;weight_kg\n")
    with pytest.raises(ClinicalError, match=r"row 2: dose_car_t: '1\.200' may be 1200 or 1\.2000"):
        read_subjects(path)


def test_a_subject_who_has_no_sample_yet_is_noted_and_costs_nobody(tmp_path: Path) -> None:
    subjects = read_subjects(table(tmp_path, "P1,,,,,,one,,\nP2,,,,,,two,,\n"), known={"P1"})
    assert subjects.notes == ("subject P2 of subjects.csv has no sample yet",)
    assert subjects.groups("arm") == {"P1": "one", "P2": "two"}


def test_many_numbers_are_two_groups_about_their_median(tmp_path: Path) -> None:
    rows = "".join(f"P{n},,,{n}e6,,,{n % 2},,\n" for n in range(1, 7))
    subjects = read_subjects(table(tmp_path, rows))
    assert subjects.groups("dose_car_t") == {
        f"P{n}": "3.5e+06 or less" if n < 4 else "above 3.5e+06" for n in range(1, 7)
    }
    assert set(subjects.groups("arm").values()) == {"0", "1"}
