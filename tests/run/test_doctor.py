"""The installation examines itself."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from cytocar.files.bundled import sample_data_folder
from cytocar.run import doctor
from cytocar.run.doctor import GOLDEN_SAMPLE, GOLDEN_TABLE, Health, examine, golden_row, is_sound, same_number
from tests.runs import cytocar_command


def test_this_installation_is_sound() -> None:
    answer = cytocar_command("doctor")
    assert answer.code == 0, answer.stdout
    assert "ok      golden sample: " in answer.stdout
    assert "template cart-cd19fc: " in answer.stdout


def test_the_golden_sample_gives_every_number_of_its_table() -> None:
    folder = sample_data_folder() / "small"
    with (folder / GOLDEN_TABLE).open(encoding="utf-8") as file:
        (expected,) = csv.DictReader(file)
    found = golden_row(folder / GOLDEN_SAMPLE)
    assert {name: expected.get(name) for name in found} == found, (
        "where this is meant (a new column, a results change), make the table again: sample_data/README.md says how"
    )


def test_a_wrong_count_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(file: Path) -> dict[str, str]:
        return {**golden_row(file), "car_events": "1"}

    monkeypatch.setattr(doctor, "golden_row", wrong)
    assert not is_sound(examine())
    answer = cytocar_command("doctor")
    assert answer.code == 4
    assert "wrong   golden sample: car_events is 1, expected " in answer.stdout


def test_a_missing_sample_is_a_fault_and_no_crash(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(doctor, "sample_data_folder", lambda: tmp_path)
    assert examine()[-1].health is Health.WRONG


@pytest.mark.parametrize(
    ("expected", "found", "same"),
    [("1.00001", "1.00002", True), ("100", "101", False), ("", "", True), ("", "0", False), ("0", "", False)],
)
def test_numbers_are_the_same_to_the_digits_of_a_table(expected: str, found: str, same: bool) -> None:
    assert same_number(expected, found) is same
