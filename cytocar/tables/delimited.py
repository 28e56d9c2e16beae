"""Tables as spreadsheets save them: ``,`` ``;`` or tab between cells, a BOM or none, decimal comma only with ``;``."""

from __future__ import annotations

import csv
import io
import math
import re
from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path

from msgspec import Struct

from cytocar.errors.near_names import each_did_you_mean
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
        """Return a cell that a person wrote as a finite number, ``None`` where it is none or may be two.

        Examples
        --------
        >>> table = parse_delimited("day;value\\n9;1,5\\n")
        >>> table.number("1,5"), table.number("high"), table.number("nan"), table.number("1.200")
        (1.5, None, None, None)
        """
        return None if self.decimal_comma and two_readings(text) else self.printed(text)

    def no_number(self, text: str) -> str:
        """Return why ``number`` is ``None``: ``'1.200' may be 1200 or 1.2000: write one of these``."""
        readings = two_readings(text) if self.decimal_comma else None
        return (
            f"{text!r} may be {' or '.join(readings)}: write one of these" if readings else f"{text!r} is not a number"
        )

    def misfits(self, known: Collection[str] = ()) -> list[str]:
        """Return what makes a cell count for another column, or not at all: names twice or misspelt, rows too long.

        ``known`` are the names that are read; a column of another name is a fault only where it is nearly one of them.

        Examples
        --------
        >>> parse_delimited("Lot,beads\\nA,50,B\\n").misfits(["lot", "beads"])
        ["unknown column 'Lot', did you mean 'lot'?", "row 2 has more cells than the header: 'B'"]
        """
        names = [name for name in self.columns if name]
        met = Counter(names)
        twice = [name for name, times in met.items() if times > 1]
        faults = [f"column {name!r} comes twice" for name in twice]
        absent = [name for name in known if name not in names]
        strange = [name for name in met if absent and name not in known]
        each = each_did_you_mean(strange, absent, alike=_NEAR, most=_MOST_COMPARED)
        faults += [f"unknown column {name!r}{meant}" for name, meant in each if meant]
        # A table whose first column has no name keeps that column under "".
        for row in self.rows if self.columns[:1] != ("",) else ():
            if surplus := row.cells.get(""):
                # 50,000 and 0,5 without quotes are two cells, and the number before the comma would count.
                comma = "; a number with a comma is two cells: write 50000, 0.5" if surplus[:1].isdecimal() else ""
                faults.append(f"row {row.line} has more cells than the header: {surplus!r}{comma}")
        return faults

    def printed(self, text: str) -> float | None:
        """Return a cell that a program wrote, which puts no mark between thousands, as a finite number."""
        try:
            value = float(text.replace(",", ".") if self.decimal_comma else text)
        except ValueError:
            return None
        # Python reads 1_000; a table that says so is more likely damaged.
        return value if math.isfinite(value) and "_" not in text else None


# A letter more, less or other in a word of five or more.
_NEAR = 0.8
# Of a damaged header: every comparison takes 0.1 ms. Tables that people write have tens.
_MOST_COMPARED = 500
_THOUSANDS = re.compile(r"([+-]?[1-9]\d{0,2})([.,])(\d{3})")


def two_readings(text: str) -> tuple[str, str] | None:
    """Return the two numbers that a cell may mean whose mark stands before three digits, each without a doubt.

    Beside ``;`` people write decimal commas, and a point, or a comma, between thousands.

    >>> two_readings("20.000"), two_readings("1,234"), two_readings("0,125"), two_readings("12,5")
    (('20000', '20'), ('1234', '1,2340'), None, None)
    """
    match = _THOUSANDS.fullmatch(text)
    if match is None:
        return None
    whole, mark, digits = match.groups()
    return whole + digits, whole if digits == "000" else f"{whole}{mark}{digits}0"


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
