"""Tables that cytocar wrote, read back as what their columns are declared to be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from cytocar.tables.columns import Column, Value
from cytocar.tables.delimited import DelimitedTable


class TypedRow(Struct, frozen=True):
    """A line of a table: its number in the file, and its values by column; an empty cell is ``None``."""

    line: int
    values: Mapping[str, Value]

    def text(self, column: str) -> str:
        """Return a value of a column of text; empty where there is none."""
        value = self.values.get(column)
        return value if isinstance(value, str) else ""

    def number(self, column: str) -> float | None:
        """Return a value of a column of numbers."""
        value = self.values.get(column)
        return value if isinstance(value, int | float) else None

    def whole(self, column: str) -> int | None:
        """Return a value of a column of integers."""
        value = self.values.get(column)
        return value if isinstance(value, int) else None


def typed_rows(table: DelimitedTable, columns: Sequence[Column]) -> Iterator[TypedRow]:
    """Yield the rows of a table; columns that are not among those declared are text.

    Raises
    ------
    ValueError
        If a cell is not what its column is declared to be; the message names row, column and cell.

    Examples
    --------
    >>> from cytocar.tables.columns import COUNTS
    >>> from cytocar.tables.delimited import parse_delimited
    >>> [row] = typed_rows(parse_delimited("sample_id,day,car_events,x_ward\\n'=d9,9,117,7\\n"), COUNTS)
    >>> row.values
    {'sample_id': '=d9', 'day': 9.0, 'car_events': 117, 'x_ward': '7'}
    """
    declared = {column.name: column for column in columns}
    text = Column("", "string", "", "")
    for row in table.rows:
        values = {}
        for name, cell in row.cells.items():
            try:
                values[name] = _value(cell, declared.get(name, text), table)
            except ValueError as error:
                raise ValueError(f"row {row.line}: {name} is {cell!r}, not {error}") from None
        yield TypedRow(row.line, values)


def _value(cell: str, column: Column, table: DelimitedTable) -> Value:
    """Return the value that ``columns.cell`` wrote, or that a spreadsheet made of it."""
    if column.type == "string":
        return plain(cell)
    if cell == "":
        return None
    if column.type == "boolean":
        if cell.lower() not in ("true", "false"):
            raise ValueError("true or false")
        return cell.lower() == "true"
    number = table.printed(cell)
    if number is None:
        raise ValueError("a number")
    if column.type == "number":
        return number
    if not number.is_integer():
        raise ValueError("a whole number")
    return int(number)


def plain(text: str) -> str:
    """Return a text as it was before ``columns.neutral`` kept spreadsheets from running it.

    >>> plain("'=2+3"), plain("'tis")
    ('=2+3', "'tis")
    """
    return text[1:] if text[:1] == "'" and text[1:2] and text[1] in "=+-@＝＋－＠" else text
