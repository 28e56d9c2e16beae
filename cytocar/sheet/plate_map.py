"""Plate maps as laboratories draw them: grids with letters down and numbers across, one below the other.

The cell in a grid's corner names the column of the sample sheet that the grid fills: nothing or ``sample_id`` for the
samples' names, ``day``, ``subject_id``, ``sample_volume_ul`` and so on for further grids. A title may stand in a line
above. CSV (``,`` ``;`` or tab), or the first worksheet of an .xlsx file (extra ``xlsx``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from cytocar.errors.tree import SheetError
from cytocar.fcs.keywords import well_name
from cytocar.sheet.cells import read_cells
from cytocar.sheet.rows import COLUMNS, nearest

Grid = Sequence[Sequence[str]]


def read_plate_map(path: Path) -> Mapping[str, Mapping[str, str]]:
    """The cells of a plate map: sheet column -> well -> text.

    Raises
    ------
    SheetError
        E080 when the file cannot be read; E085 when it holds no grid, a grid of an unknown column, or two of one.
    """
    read = read_cells(path, what="plate map")
    filled = dict(read.lines)
    lines = [filled.get(number, []) for number in range(1, max(filled, default=0) + 1)]
    cells_of: dict[str, dict[str, str]] = {}
    for column, cells in grids(lines):
        if column not in COLUMNS and not column.startswith("x_"):
            raise _fault(f"{path.name}: a grid is named {column!r}, which is no column of a sheet{nearest(column)}")
        if column in cells_of:
            raise _fault(f"{path.name} has two grids for {column}")
        cells_of[column] = cells
    wells = [number for number, line in read.lines if re.fullmatch(r"[A-Pa-p]", line[0].strip())]
    faults = [str(one) for one in read.faults if any(one.first <= number <= one.last for number in wells)]
    if faults:
        raise _fault(f"{path.name}: {'; '.join(faults)}")
    if "sample_id" not in cells_of:
        raise _fault(f"{path.name} holds no grid of samples: letters A, B, C down, numbers 1, 2, 3 across")
    return cells_of


def grids(lines: Grid) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield each grid's column name and its cells by well; empty cells are left out.

    Examples
    --------
    >>> list(grids([["", "1", "2"], ["A", "D7", "D9"], ["B", "", "D28"], [], ["day", "1", "2"], ["A", "7", "9"]]))
    [('sample_id', {'A01': 'D7', 'A02': 'D9', 'B02': 'D28'}), ('day', {'A01': '7', 'A02': '9'})]
    """
    place = 0
    while place < len(lines):
        numbers = _numbers_across(lines[place])
        if numbers is None:
            place += 1
            continue
        corner = lines[place][0].strip().lower().replace(" ", "_")
        above = lines[place - 1][0].strip().lower().replace(" ", "_") if place and lines[place - 1] else ""
        column = corner or (above if above in COLUMNS or above.startswith("x_") else "") or "sample_id"
        place += 1
        cells: dict[str, str] = {}
        while place < len(lines) and lines[place] and re.fullmatch(r"[A-Pa-p]", lines[place][0].strip()):
            letter = lines[place][0].strip().upper()
            texts = lines[place][1:]
            cells |= {f"{letter}{number:02d}": text.strip() for number, text in zip(numbers, texts, strict=False)}
            place += 1
        yield column, {well: text for well, text in cells.items() if text and well_name(well)}


def _numbers_across(line: Sequence[str]) -> list[int] | None:
    """Return the numbers of a grid's first line (1, 2, 3 ... at most 24), else None."""
    texts = [text.strip().removesuffix(".0") for text in line[1:]]
    while texts and not texts[-1]:
        texts.pop()
    if not texts or [text for text in texts if not text.isdecimal()]:
        return None
    numbers = [int(text) for text in texts]
    return numbers if numbers == list(range(1, len(numbers) + 1)) and len(numbers) <= 24 else None


def _fault(message: str) -> SheetError:
    return SheetError(
        message,
        code="E085",
        hint="draw the grid with letters down the first column and numbers across the first line; name further grids "
        "(day, subject_id, ...) in their corner cell",
    )
