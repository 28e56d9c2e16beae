"""Writing a drafted sheet as its name says: CSV, or a workbook that any spreadsheet program opens in columns."""

from __future__ import annotations

import csv
from io import BytesIO, StringIO
from pathlib import Path

from cytocar.sheet.cells import WORKSHEETS, require_openpyxl
from cytocar.sheet.rows import NUMERIC
from cytocar.tables.read_back import plain


def save_sheet(path: Path, text: str) -> None:
    """Write the CSV of a sheet; as a workbook where the name ends in ``.xlsx``, in which numbers are numbers.

    Raises
    ------
    SheetError
        E080 where a workbook is asked for and the extra ``xlsx`` is not installed.
    """
    if path.suffix.lower() in WORKSHEETS:
        path.write_bytes(_workbook(text, path.name))
    else:
        path.write_text(text, "utf-8")


def _workbook(text: str, name: str) -> bytes:
    require_openpyxl(name)
    from openpyxl import Workbook

    workbook = Workbook()
    sheet = workbook.active
    header, *lines = csv.reader(StringIO(text, newline=""))
    sheet.append(header)
    for line in lines:
        sheet.append(
            [float(cell) if cell and column in NUMERIC else None for column, cell in zip(header, line, strict=True)]
        )
        for column, cell in enumerate(line, start=1):
            if cell and header[column - 1] not in NUMERIC:
                written = sheet.cell(sheet.max_row, column)
                written.value, written.data_type = plain(cell), "s"  # text, whatever it begins with
    buffer = BytesIO()
    workbook.save(buffer)
    return buffer.getvalue()
