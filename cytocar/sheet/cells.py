"""The cells of a sheet as text: CSV as spreadsheets save it, or the first worksheet of an .xlsx file (extra ``xlsx``).

A line ``sep=;`` above a CSV, which Excel writes and reads, names the separator.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from io import BytesIO, StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from cytocar.errors.boundary import boundary
from cytocar.errors.tree import SheetError
from cytocar.files.places import Place, whole_bytes
from cytocar.tables.delimited import two_readings
from cytocar.tables.read_back import plain

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

WORKSHEETS = (".xlsx", ".xlsm")
MOST_BYTES = 50_000_000
"""Of a workbook when unpacked: 10,000 rows of 20 cells take 8 MB; a file of a few kilobytes can unpack to gigabytes."""

MOST_ROWS = 100_000
"""A study has thousands of tubes; a worksheet can claim a million rows in five hundred bytes."""

MOST_CELLS = 5_000_000
"""A sheet has 20 columns; one cell in column XFD makes each row 16,384 cells wide."""

_SEPARATOR_LINE = re.compile(r"\s*\"?sep=(.)\"?\s*\r?\n?", re.IGNORECASE)


class CellFault(Struct, frozen=True):
    """A cell, or several, of a worksheet in which a person sees another thing than a reader, and in which rows."""

    first: int
    last: int
    text: str

    def __str__(self) -> str:
        return self.text


class Cells(Struct, frozen=True):
    """Lines that hold something, each with its number in the file, and what separates the cells of a CSV.

    ``faults`` are cells of a worksheet that show another thing; ``beside`` names the worksheets that are not
    read. ``doubtful`` are the row and the place in it, from 0, of cells of a worksheet that hold text, not a number,
    and may be two numbers: the program that wrote 20.000 did not read it as one.
    """

    lines: tuple[tuple[int, list[str]], ...]
    separator: str | None = None
    faults: tuple[CellFault, ...] = ()
    beside: tuple[str, ...] = ()
    doubtful: frozenset[tuple[int, int]] = frozenset()

    @property
    def decimal_comma(self) -> bool:
        """Whether a comma in a number is a decimal one."""
        return self.separator == ";"


def read_cells(path: Place, *, what: str) -> Cells:
    """Return the cells of a table.

    Parameters
    ----------
    path : Path or Address
        CSV, UTF-8 with or without BOM, separated by ``,``, ``;`` or tab; or .xlsx.
    what : str
        What it is, for people: ``sample sheet``.

    Raises
    ------
    SheetError
        E080 when it cannot be read.
    """
    try:
        content = whole_bytes(path)
    except FileNotFoundError:
        raise SheetError(f"there is no {what} {path}", code="E080", hint="check the path") from None
    except OSError as error:
        raise SheetError(
            f"the {what} {path} cannot be read: {error.strerror}",
            code="E080",
            hint="name a file in it" if isinstance(path, Path) and path.is_dir() else "check its permissions",
        ) from error
    if path.suffix.lower() in WORKSHEETS:
        return _of_worksheet(content, f"the {what} {path.name}")
    return _of_csv(content, path.name)


def _of_csv(content: bytes, name: str) -> Cells:
    with boundary(lambda why: SheetError(f"{name} {_CSV_FAULT}: {why}", code="E080", hint="save it as 'CSV UTF-8'")):
        text = content.decode("utf-8-sig")
        if "\0" in text:
            raise SheetError(f"{name} is not a text file", code="E080", hint="save the sheet as 'CSV UTF-8' or .xlsx")
        named = _SEPARATOR_LINE.match(text)
        first = next((line for line in text.splitlines() if line.strip()), "")
        separator = named[1] if named else max(",;\t", key=first.count)
        reader = csv.reader(StringIO(text, newline=""), delimiter=separator, strict=True)
        lines = [(reader.line_num, [*map(plain, cells)]) for cells in reader if any(cell.strip() for cell in cells)]
    return Cells(tuple(lines[1:] if named else lines), separator)


_CSV_FAULT = "is not a CSV table"


def require_openpyxl(name: str) -> None:
    """Refuse to read or write a workbook without the extra for it (E080)."""
    try:
        import openpyxl  # noqa: F401
    except ImportError as error:
        raise SheetError(
            f"{name} is an .xlsx file, which needs the extra `xlsx`",
            code="E080",
            hint="pip install '.[xlsx]' in the clone of cytocar, or save it as 'CSV UTF-8'",
        ) from error


def _of_worksheet(content: bytes, name: str) -> Cells:
    require_openpyxl(name)
    from zipfile import ZipFile

    from openpyxl import load_workbook

    with boundary(lambda why: _unreadable(name, why)):
        with ZipFile(BytesIO(content)) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
        if unpacked > MOST_BYTES:
            raise _unreadable(name, f"it would unpack to {unpacked:,} bytes")
        workbook = load_workbook(BytesIO(content), read_only=True, data_only=True)
        sheet, *others = workbook.worksheets
        sheet.reset_dimensions()  # what the file says of its size may be anything
        doubtful: set[tuple[int, int]] = set()
        lines = tuple(_filled(sheet.iter_rows(values_only=True), name, doubtful))
        with ZipFile(BytesIO(content)) as archive:
            faults = tuple(_seen_otherwise(archive.read(sheet._worksheet_path)))
        return Cells(lines, None, faults, tuple(other.title for other in others), frozenset(doubtful))


def _seen_otherwise(worksheet: bytes) -> Iterator[CellFault]:
    """Yield cells of a worksheet, as its XML has them, in which a person sees another thing than a reader.

    Of merged cells the first one alone holds what is seen in all. A formula has no value until a spreadsheet program
    has computed and saved it, and may have come to an error. Rows that a filter hides are read as all others.

    >>> cells = b'<row><c r="G2"><f>25*2</f><v/></c><c r="H2" t="e"><f>1/0</f><v>#DIV/0!</v></c></row>'
    >>> list(map(str, _seen_otherwise(cells)))
    ['cell G2: a formula without a value: open and save it in a spreadsheet program', 'cell H2: #DIV/0! is an error']
    >>> list(map(str, _seen_otherwise(b'<mergeCells><mergeCell ref="C2:C5"/></mergeCells>')))
    ['cells C2:C5 are merged: the first of them alone holds the value: unmerge them and fill each']
    """
    from defusedxml.ElementTree import iterparse

    for _, element in iterparse(BytesIO(worksheet)):
        where = element.get("r", "")
        match _tag(element):
            case "c":
                has = {_tag(part): part.text for part in element.iter()}
                if element.get("t") == "e":
                    yield _fault_at(where, where, f"cell {where}: {has.get('v') or 'it'} is an error")
                elif "f" in has and not has.get("v") and element.get("t") != "str":
                    what = "a formula without a value: open and save it in a spreadsheet program"
                    yield _fault_at(where, where, f"cell {where}: {what}")
            case "row":
                if element.get("hidden") in ("1", "true") and any(map(_holds_value, element)):
                    text = f"row {where} is hidden: show it, or delete it if it is not to be counted"
                    yield _fault_at(where, where, text)
                element.clear()  # a worksheet can have a hundred thousand
            case "mergeCell":
                first, _, last = element.get("ref", "").partition(":")
                what = "are merged: the first of them alone holds the value: unmerge them and fill each"
                yield _fault_at(first, last, f"cells {first}:{last} {what}")


def _tag(element: Element) -> str:
    """Return the name of an element without its namespace."""
    return element.tag.rpartition("}")[2]


def _holds_value(cell: Element) -> bool:
    return any(_tag(part) in ("v", "t") and part.text for part in cell.iter())


def _fault_at(first: str, last: str, text: str) -> CellFault:
    """Return a fault of the rows from one cell, such as ``C2``, to another."""
    rows = [int(re.sub(r"\D", "", place) or 0) for place in (first, last)]
    return CellFault(rows[0], rows[1], text)


def _filled(
    rows: Iterator[Sequence[Any]], name: str, doubtful: set[tuple[int, int]]
) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that hold something; ``doubtful`` gets the places of text that may be two numbers."""
    seen = 0
    for number, row in enumerate(rows, start=1):
        seen += len(row)
        if number > MOST_ROWS or seen > MOST_CELLS:
            raise _unreadable(name, f"it has more than {MOST_ROWS:,} rows, or {MOST_CELLS:,} cells")
        if row.count(None) == len(row):
            continue
        cells = [_text(value) for value in row]
        doubtful.update(
            (number, place) for place, value in enumerate(row) if isinstance(value, str) and two_readings(cells[place])
        )
        if any(cells):
            yield number, cells


def _text(value: object) -> str:
    """Return the cell of a worksheet as a CSV would hold it.

    >>> [_text(value) for value in (None, 50.0, 0.25, True, datetime(2026, 3, 9), " S1 ")]
    ['', '50', '0.25', 'yes', '2026-03-09', 'S1']
    """
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case float():
            return str(int(value)) if value.is_integer() else repr(value)
        case datetime(hour=0, minute=0, second=0):
            return value.date().isoformat()
        case date():
            return value.isoformat()
    return str(value).strip()


def _unreadable(name: str, why: str) -> SheetError:
    return SheetError(f"{name} cannot be read: {why}", code="E080", hint="save it as 'CSV UTF-8'")
