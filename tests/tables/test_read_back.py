"""Tables that cytocar wrote come back with the values and types that they were written from."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cytocar.tables.columns import Column, Value, csv_text
from cytocar.tables.delimited import parse_delimited
from cytocar.tables.read_back import typed_rows

COLUMNS = (
    Column("name", "string", "", "a text"),
    Column("events", "integer", "events", "a number of events"),
    Column("per_ul", "number", "cells/µL", "a concentration"),
    Column("clamped", "boolean", "", "a yes or no"),
)
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=9)


@given(
    st.lists(
        st.tuples(
            TEXTS.filter(lambda text: not text.startswith("'")),
            st.none() | st.integers(-(10**9), 10**9),
            st.none() | st.floats(-1e9, 1e9).map(lambda value: float(f"{value:.6g}")),
            st.none() | st.booleans(),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_what_was_written_is_read(rows: list[tuple[Value, ...]]) -> None:
    names = [column.name for column in COLUMNS]
    written = [dict(zip(names, row, strict=True)) for row in rows]
    table = parse_delimited(csv_text(COLUMNS, written))
    assert [dict(row.values) for row in typed_rows(table, COLUMNS)] == written


@pytest.mark.parametrize(
    ("cell", "column", "wanted"),
    [("many", "events", "a number"), ("3.5", "events", "a whole number"), ("nan", "per_ul", "a number"),
     ("1", "clamped", "true or false")],
)  # fmt: skip
def test_a_cell_that_is_not_what_its_column_is_declared_to_be_is_named(cell: str, column: str, wanted: str) -> None:
    table = parse_delimited(f"name,{column}\nd9,{cell}\n")
    with pytest.raises(ValueError, match=f"row 2: {column} is '{cell}', not {wanted}"):
        list(typed_rows(table, COLUMNS))


def test_a_spreadsheet_with_decimal_commas_is_read_alike() -> None:
    [row] = typed_rows(parse_delimited("name;events;per_ul\nd9;1E+05;1,5\n"), COLUMNS)
    assert dict(row.values) == {"name": "d9", "events": 100_000, "per_ul": 1.5}
    assert (row.text("name"), row.whole("events"), row.number("per_ul")) == ("d9", 100_000, 1.5)
    assert (row.text("events"), row.whole("name"), row.number("name")) == ("", None, None)
