"""Tables as spreadsheets save them."""

from __future__ import annotations

from pathlib import Path

import pytest

from cytocar.tables.delimited import parse_delimited, read_delimited


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_every_separator_and_line_end_gives_the_same_table(separator: str, end: str) -> None:
    table = parse_delimited(end.join(separator.join(line) for line in (["a", "b"], ["1", "x y"], ["", ""], ["2", ""])))
    assert table.columns == ("a", "b")
    assert [(row.line, dict(row.cells)) for row in table.rows] == [
        (2, {"a": "1", "b": "x y"}),
        (4, {"a": "2", "b": ""}),
    ]


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes("﻿day;value\n9;1,5\n".encode())
    table = read_delimited(path)
    assert table.columns == ("day", "value")
    assert table.number(table.rows[0].cells["value"]) == 1.5


def test_a_decimal_comma_needs_semicolons() -> None:
    assert parse_delimited("a\tb\n").number("1,5") is None


def test_cells_beyond_the_header_are_kept_without_a_name() -> None:
    (row,) = parse_delimited("a,b\n1,2,3\n").rows
    assert row.cells[""] == "3"


def test_an_empty_text_is_an_empty_table() -> None:
    table = parse_delimited("")
    assert (table.columns, table.rows) == ((), ())


def test_quoted_cells_may_hold_separators_and_line_ends() -> None:
    (row,) = parse_delimited('a,b\n"1,2","x\ny"\n').rows
    assert dict(row.cells) == {"a": "1,2", "b": "x\ny"}


def test_a_mark_before_three_digits_is_not_guessed_at_beside_semicolons() -> None:
    german = parse_delimited("day;value\n")
    assert [german.number(text) for text in ("1.200", "1,200", "-52.312", "1.234.567")] == [None] * 4
    assert [german.number(text) for text in ("0,125", "12,5", "1200", "1.25")] == [0.125, 12.5, 1200, 1.25]
    assert german.no_number("1.200") == "'1.200' may be 1200 or 1.2000: write one of these"
    assert german.no_number("20.000") == "'20.000' may be 20000 or 20: write one of these"
    assert german.no_number("high") == "'high' is not a number"
    assert parse_delimited("day,value\n").number("1.200") == 1.2
    assert german.printed("1,234") == 1.234


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        (
            "lot,beads\nA,50,000\n",
            ["row 2 has more cells than the header: '000'; a number with a comma is two cells: write 50000, 0.5"],
        ),
        ("lot;beads\nA;50;\nB;;;x\n", ["row 3 has more cells than the header: 'x'"]),
        ("lot,beads,lot\n", ["column 'lot' comes twice"]),
        ("lot,Beads\nA,5\n", ["unknown column 'Beads', did you mean 'beads'?"]),
        ("lot,beds,note\nA,5,x\n", ["unknown column 'beds', did you mean 'beads'?"]),
        (",T | Count\ntube1.fcs,60\n", []),
    ],
)
def test_cells_in_the_wrong_column_are_faults(text: str, faults: list[str]) -> None:
    assert parse_delimited(text).misfits(["lot", "beads"]) == faults


def test_a_damaged_header_of_many_columns_is_told_at_once() -> None:
    header = ",".join(["lots", *(f"column {number}" for number in range(30_000)), "beads", "beads"])
    faults = parse_delimited(f"{header}\n1\n").misfits(["lot", "beads"])
    assert faults == ["column 'beads' comes twice", "unknown column 'lots', did you mean 'lot'?"]
