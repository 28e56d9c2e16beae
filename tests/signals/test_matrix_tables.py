"""Tables that hold a matrix as spreadsheets, R and people write them, all of one and the same matrix."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cytocar.errors.tree import CompensationError
from cytocar.signals.compensation import SpilloverMatrix

DETECTORS = ("FITC-A", "PE-A", "APC-A")
VALUES = np.array([[1, 0.1625, 0.0183], [0.0104, 1, 0.1544], [0, 0.01, 1]])


def _lines(*, first: str = "", names: tuple[str, ...] = (), mark: str = ",", end: str = "", comma: bool = False) -> str:
    rows = [[f"{entry:g}".replace(".", "," if comma else ".") for entry in row] for row in VALUES]
    head = [*([""] if names else []), *DETECTORS]
    body = [[*([name] if names else []), *row] for name, row in zip(names or DETECTORS, rows, strict=True)]
    return first + "".join(mark.join(row) + end + "\n" for row in (head, *body))


@pytest.mark.parametrize(
    "text",
    [
        _lines(),
        _lines(mark=";", comma=True),
        _lines(mark=";", comma=True, names=DETECTORS),
        _lines(mark="\t", comma=True),
        _lines(end=",,") + ",,,,\n",
        _lines(first="Spillover matrix 14.03.2024\n"),
        _lines(first="Spillover matrix\n\n", names=DETECTORS),
        _lines(names=("1", "2", "3")),
        _lines(names=('"1"', '"2"', '"3"')),
        _lines(names=DETECTORS),
    ],
)
def test_the_matrix_is_read_from_every_way_of_writing_it(tmp_path: Path, text: str) -> None:
    path = tmp_path / "matrix.csv"
    path.write_text(text, "utf-8")
    matrix = SpilloverMatrix.from_csv(path)
    assert matrix.detectors == DETECTORS
    assert matrix.fluorochromes == DETECTORS
    np.testing.assert_array_equal(matrix.values, VALUES)


def test_rows_named_after_dyes_keep_their_names_and_their_order(tmp_path: Path) -> None:
    path = tmp_path / "dyes.csv"
    path.write_text(_lines(names=("dye0", "dye1", "dye2")), "utf-8")
    matrix = SpilloverMatrix.from_csv(path)
    assert matrix.fluorochromes == ("dye0", "dye1", "dye2")
    assert [matrix.row(name) for name in DETECTORS] == [0, 1, 2]


def test_rows_in_another_order_than_the_columns_are_no_implausible_matrix(tmp_path: Path) -> None:
    path = tmp_path / "order.csv"
    path.write_text(",A,B\nB,0.1,1\nA,1,0.2\n", "utf-8")
    assert SpilloverMatrix.from_csv(path).row("A") == 1


def test_a_dye_named_by_two_rows_is_a_coded_error(tmp_path: Path) -> None:
    path = tmp_path / "twice.csv"
    path.write_text(_lines(names=("FITC-A", "FITC-A", "APC-A")), "utf-8")
    with pytest.raises(CompensationError, match="FITC-A more than once") as refused:
        SpilloverMatrix.from_csv(path)
    assert refused.value.code == "E053"
