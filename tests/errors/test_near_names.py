"""One rule for every message that says "did you mean"."""

import time
from pathlib import Path

import pytest

from cytocar.errors.near_names import LONGEST_NAME, did_you_mean, near_names

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


def test_nothing_else_looks_for_near_names() -> None:
    package = Path(near_names.__code__.co_filename).parents[1]
    users = {path.name for path in package.rglob("*.py") if "get_close_matches" in path.read_text(encoding="utf-8")}
    assert users == {"near_names.py"}
