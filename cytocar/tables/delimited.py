"""Tables as spreadsheets save them: ``,`` ``;`` or tab between cells, a BOM or none, decimal comma only with ``;``."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from cytocar.files.places import whole_bytes


class Row(Struct, frozen=True):
    """One line of a table: its number in the file (the header is 1) and its cells, stripped, by column name."""

    line: int
    cells: Mapping[str, str]


class DelimitedTable(Struct, frozen=True):
    """A table of text cells. ``decimal_comma`` tells that ``1,5`` means one and a half."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    decimal_comma: bool

    def number(self, text: str) -> float | None:
        """Return a cell as a finite number, ``None`` where it is none.

        Examples
        --------
        >>> table = parse_delimited("day;value\\n9;1,5\\n")
        >>> table.number("1,5"), table.number("high"), table.number("nan")
        (1.5, None, None)
        """
        try:
            value = float(text.replace(",", ".") if self.decimal_comma else text)
        except ValueError:
            return None
        # Python reads 1_000; a table that says so is more likely damaged.
        return value if math.isfinite(value) and "_" not in text else None


def read_delimited(path: Path) -> DelimitedTable:
    """Return the table in a UTF-8 file.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is not UTF-8 text.
    csv.Error
        If it is no table.
    """
    return parse_delimited(whole_bytes(path).decode("utf-8-sig"))


def parse_delimited(text: str) -> DelimitedTable:
    """Return the table in a text: the separator is the one of ``,`` ``;`` and tab that the header uses most.

    Blank lines are left out; cells beyond the header get no name and are kept under ``""``.

    Examples
    --------
    >>> table = parse_delimited("subject_id,day\\nP1,0\\n\\nP1,9\\n")
    >>> table.columns, [row.line for row in table.rows]
    (('subject_id', 'day'), [2, 4])
    """
    header = next(iter(text.splitlines()), "")
    separator = max(",;\t", key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    columns: list[str] = []
    rows = []
    for record in reader:
        cells = [cell.strip() for cell in record]
        if not any(cells):
            continue
        if not columns:
            columns = cells
            continue
        named = dict(zip(columns, cells + [""] * (len(columns) - len(cells)), strict=False))
        surplus = " ".join(cell for cell in cells[len(columns) :] if cell)
        rows.append(Row(reader.line_num, {**named, "": surplus} if surplus else named))
    return DelimitedTable(tuple(columns), tuple(rows), decimal_comma=separator == ";")
