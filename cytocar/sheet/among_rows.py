"""What the rows of a sheet say of one another: names that stand twice or nowhere, two ways of writing numbers."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence

from cytocar.errors.near_names import each_did_you_mean
from cytocar.fcs.keywords import well_name
from cytocar.tables.delimited import two_readings

Line = tuple[int, Mapping[str, str]]


def among_rows(
    lines: Sequence[tuple[int, Sequence[str]]], header: Sequence[str], *, numeric: Collection[str]
) -> list[str]:
    """Return the faults of a sheet's rows together, each with row and column.

    Parameters
    ----------
    lines : sequence of number and cells
        The rows as they stand in the sheet.
    numeric : collection of str
        Columns of numbers that may be written with a decimal comma.
    """
    named = [
        (number, {column: cell.strip() for column, cell in zip(header, cells, strict=False)}) for number, cells in lines
    ]
    return [
        *_duplicates(named),
        *_places_that_no_plate_has(named),
        *_shared_wells(named),
        *_controls_of_nobody(named),
        *_two_decimal_marks(named, numeric),
    ]


MOST_SINGLE = 3
"""Rows that are named one by one: a column of dates in another form is one fault of a plate, and not ninety-six."""


def each_once(faults: Sequence[tuple[int, str, str]]) -> list[str]:
    """Return faults of rows in words; what many rows have in one column stands once, with all their numbers.

    Faults are alike that differ in the cell and in numbers only.

    >>> each_once([(row, "day", f"'{row}. Mai' is not a number") for row in (2, 3, 4, 7)])
    ["rows 2-4, 7, column day: '2. Mai' is not a number; the others likewise"]
    """
    alike: dict[tuple[str, str], list[tuple[int, str]]] = defaultdict(list)
    for row, column, fault in faults:
        alike[column, re.sub(r"'[^']*'|[\d.,:-]+", "", fault)].append((row, fault))
    lines = []
    for (column, _), rows in alike.items():
        where = f", column {column}" if column else ""
        if len(rows) <= MOST_SINGLE:
            lines += [(row, f"row {row}{where}: {fault}") for row, fault in rows]
        else:
            first, fault = rows[0]
            lines.append((first, f"rows {_ranges([row for row, _ in rows])}{where}: {fault}; the others likewise"))
    return [words for _, words in sorted(lines, key=lambda one: one[0])]


def _ranges(numbers: Sequence[int]) -> str:
    """Return ascending numbers as people list them: ``2-4, 7``."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)


def _duplicates(lines: Sequence[Line]) -> Iterator[str]:
    places: dict[str, list[str]] = defaultdict(list)
    for number, cells in lines:
        if cells.get("sample_id"):
            places[cells["sample_id"]].append(str(number))
    for name, numbers in places.items():
        if len(numbers) > 1:
            yield f"rows {', '.join(numbers)}, column sample_id: {name!r} stands in each; each tube needs its own"


def _places_that_no_plate_has(lines: Sequence[Line]) -> Iterator[str]:
    """Yield places on a plate that no plate has, ``O1`` typed as ``01`` say: the page of the plate would lack the well.

    Without a plate the column may hold any name of a tube's place.
    """
    for number, cells in lines:
        place = cells.get("well", "")
        if place and cells.get("plate_id") and not well_name(place):
            yield (
                f"row {number}, column well: {place!r} is no well of plate {cells['plate_id']!r}: write a letter and a "
                "number, B02 say, or leave plate_id empty for a place that is on no plate"
            )


def _shared_wells(lines: Sequence[Line]) -> Iterator[str]:
    """Yield wells of a plate that several rows name: a page of the plate has room for one, and one row is wrong.

    Acquisitions of one well are told apart by ``replicate``; a row that is excluded has left its well.
    """
    places: dict[tuple[str, str], list[tuple[int, str]]] = defaultdict(list)
    for number, cells in lines:
        well = well_name(cells.get("well", ""))
        if well and cells.get("plate_id") and cells.get("exclude", "").lower() in {"", "no", "false", "0"}:
            places[cells["plate_id"], well].append((number, cells.get("replicate", "")))
    for (plate, well), rows in places.items():
        if len(rows) > 1 and len(rows) > len({replicate for _, replicate in rows if replicate}):
            numbers = ", ".join(str(number) for number, _ in rows)
            yield (
                f"rows {numbers}, column well: {well} of plate {plate!r} stands in each; correct one, exclude one, or "
                "tell acquisitions of one well apart under replicate"
            )


def _controls_of_nobody(lines: Sequence[Line]) -> Iterator[str]:
    """Yield names under ``control_for`` that no row has as its sample or subject: such a control would be lost.

    One acquisition of a file with several is named ``S1#2``.
    """
    known = {cells[column] for _, cells in lines for column in ("sample_id", "subject_id") if cells.get(column)}
    absent = [
        (number, name)
        for number, cells in lines
        for name in names_of(cells.get("control_for", ""))
        if name not in known and re.sub(r"#\d+$", "", name) not in known
    ]
    several = " (several are separated by |)"
    meant = dict(each_did_you_mean((name for _, name in absent), sorted(known), several))
    for number, name in absent:
        yield f"row {number}, column control_for: no row has the sample or subject {name!r}{meant[name]}"


def names_of(cell: str) -> tuple[str, ...]:
    """Return the names of a cell that holds several, separated by ``|``, ``,`` or ``;``.

    >>> names_of("S1| S2")
    ('S1', 'S2')
    """
    return tuple(word.strip() for word in re.split(r"[|,;]", cell) if word.strip())


def _two_decimal_marks(lines: Sequence[Line], numeric: Collection[str]) -> Iterator[str]:
    """Yield the fault of a sheet with decimal commas and decimal points: one of them may be a thousands mark."""
    marked = [
        (number, column, cells[column])
        for number, cells in lines
        for column in numeric
        if re.fullmatch(r"[+-]?\d*[.,]\d+", cells.get(column, "")) and not two_readings(cells[column])
    ]
    points, commas = ([one for one in marked if mark in one[2]] for mark in ".,")
    if points and commas:
        (row, column, cell), (other_row, _, other) = points[0], commas[0]
        yield f"row {row}, column {column}: {cell!r}, but {other!r} in row {other_row}: one sheet, one decimal mark"
