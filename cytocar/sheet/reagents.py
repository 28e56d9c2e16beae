"""Lots of reagents and beads: a table of the laboratory, and a sheet completed from it.

``reagents.csv`` has a row for each lot: ``reagent, clone, lot, expiry``; of beads their number,
``beads_per_tube`` or ``beads_per_ul``;
``used_from`` and ``used_to`` where a reagent has several lots. What a lot decides (the number of beads) is written into
the sheet, where the run keeps it; the lots of the other reagents stand beside it as ``x_lot_REAGENT``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path

from msgspec import Struct

from cytocar.errors.boundary import boundary, one_of_many
from cytocar.errors.tree import SampleError, SheetError
from cytocar.fcs.keywords import acquired_at
from cytocar.fcs.reader import open_fcs, split_data_set
from cytocar.files.places import beside
from cytocar.sheet.cells import read_cells
from cytocar.sheet.laboratory import LOT_COLUMN
from cytocar.sheet.rows import SampleRow, faulty_sheet
from cytocar.sheet.spelling import moment
from cytocar.tables.columns import Column, csv_text
from cytocar.tables.delimited import DelimitedTable, Row, read_delimited

EXPIRED = "x_expired_lots"
"""Column of the sheet for the lots that were past their date when a tube was acquired."""
_COLUMNS = ("reagent", "clone", "lot", "expiry", "beads_per_tube", "beads_per_ul", "used_from", "used_to")
SAME_COUNT = 0.01
"""A sheet that gives another number of beads than its lot by more than 1 % has a slip in one of the two."""


class Lot(Struct, frozen=True):
    """One lot of a reagent; ``beads_per_tube`` or ``beads_per_ul`` where it is beads."""

    reagent: str
    lot: str
    clone: str
    expiry: date | None
    beads_per_tube: float | None
    beads_per_ul: float | None
    used_from: date | None
    used_to: date | None

    @property
    def beads(self) -> tuple[float | None, float | None]:
        """The beads in a tube, and in a µL."""
        return self.beads_per_tube, self.beads_per_ul

    @property
    def is_beads(self) -> bool:
        """Whether a tube's beads are counted by it."""
        return self.beads != (None, None)

    def used_on(self, day: date | None) -> bool:
        """True if it may have been in use on a day; without days it may."""
        if day is None:
            return True
        return (self.used_from is None or self.used_from <= day) and (self.used_to is None or day <= self.used_to)

    def named(self) -> str:
        """Return the lot with its clone, as tables show it."""
        return f"{self.lot} ({self.clone})" if self.clone else self.lot


class Completed(Struct, frozen=True):
    """A sheet with the lots of its tubes, and what a person should know."""

    text: str
    expired: tuple[str, ...]
    notes: tuple[str, ...]


def read_lots(path: Path) -> tuple[Lot, ...]:
    """Return the lots of a table.

    Raises
    ------
    SheetError
        E266 with every fault of the table.
    """
    with boundary(
        lambda why: SheetError(f"{path} cannot be read: {why}", code="E266", hint="give a CSV file in UTF-8")
    ):
        table = read_delimited(path)
    missing = [f"column {name} is missing" for name in ("reagent", "lot") if name not in table.columns]
    faults = missing + table.misfits(_COLUMNS)
    lots: list[Lot] = []
    first: dict[str, tuple[float | None, float | None]] = {}
    rows = () if missing else table.rows
    for row in rows:
        try:
            lot = _lot(table, row)
        except ValueError as fault:
            faults.append(f"row {row.line}: {fault}")
            continue
        lots.append(lot)
        if lot.is_beads and first.setdefault(lot.lot, lot.beads) != lot.beads:
            faults.append(f"row {row.line}: beads of lot {lot.lot} have another number of beads in a row above")
    if faults:
        raise SheetError(
            f"{path.name}: {'; '.join(faults)}", code="E266", hint="columns: reagent, clone, lot, expiry, ..."
        )
    return tuple(lots)


def _lot(table: DelimitedTable, row: Row) -> Lot:
    cells = row.cells
    days: dict[str, date | None] = {}
    for name in ("expiry", "used_from", "used_to"):
        text = cells.get(name, "")
        try:
            days[name] = date.fromisoformat(text) if text else None
        except ValueError:
            raise ValueError(f"{name} {text!r} is no date (2026-03-31)") from None
    numbers: dict[str, float | None] = {}
    for name in ("beads_per_tube", "beads_per_ul"):
        text = cells.get(name, "")
        numbers[name] = table.number(text) if text else None
        if text and numbers[name] is None:
            raise ValueError(f"{name}: {table.no_number(text)}")
        if text and not (numbers[name] or 0.0) > 0:
            raise ValueError(f"{name} {text!r} is no number above 0")
    if not cells["reagent"] or not cells["lot"]:
        raise ValueError("reagent or lot is empty")
    return Lot(
        cells["reagent"],
        cells["lot"],
        cells.get("clone", ""),
        days["expiry"],
        numbers["beads_per_tube"],
        numbers["beads_per_ul"],
        days["used_from"],
        days["used_to"],
    )


def complete_sheet(sheet: Path, lots: Sequence[Lot], *, day_of: Callable[[SampleRow], date | None]) -> Completed:
    """Return a sheet with the beads of each tube's lot, and the lots of the other reagents.

    Parameters
    ----------
    day_of : callable
        The day on which a tube was made, by which lots are chosen and their expiry is told; see ``day_of_tube``.

    Raises
    ------
    SheetError
        E266 with every row whose lot is not in the table, or whose beads are others than the lot's.
    """
    cells = read_cells(sheet, what="sample sheet")
    if cells.faults:
        raise faulty_sheet(sheet, [*map(str, cells.faults)])
    header = [cell.strip() for cell in cells.lines[0][1] if cell.strip()]
    faults: list[str] = []
    expired: dict[str, list[str]] = {}
    undated = 0
    made = []
    for number, line in cells.lines[1:]:
        values = {column: cell.strip() for column, cell in zip(header, line, strict=False)}
        if cells.decimal_comma:  # what is written has points
            values = {name: re.sub(r"^([+-]?\d+),(\d+)$", r"\1.\2", cell) for name, cell in values.items()}
        where = f"row {number}"
        try:
            day = day_of(_tube(sheet, values))
        except ValueError as fault:
            faults.append(f"{where}, column collected_at: {fault}")
            continue
        used = list(_used(values.get("bead_lot", ""), lots, day, where, faults))
        undated += day is None
        for lot in used:
            values |= _cells(values, lot, where, faults)
            if lot.expiry is not None and day is not None and day > lot.expiry:
                expired.setdefault(f"{lot.reagent} lot {lot.lot}, {lot.expiry}", []).append(
                    values.get("sample_id", where)
                )
        past = [f"{lot.reagent} {lot.lot}" for lot in used if lot.expiry and day and day > lot.expiry]
        values[EXPIRED] = "; ".join(past)
        made.append(values)
    if faults:
        raise SheetError(
            f"{sheet.name} and the table of lots do not fit:\n  " + "\n  ".join(faults),
            code="E266",
            hint="correct bead_lot in the sheet, or the lot's row in the table",
        )
    if not expired:
        for values in made:
            del values[EXPIRED]
    names = list(dict.fromkeys([*header, *(name for values in made for name in values)]))
    text = csv_text([Column(name, "string", "", "") for name in names], made)
    warnings = tuple(f"{lot} was past its date for {', '.join(ids[:4])}" for lot, ids in expired.items())
    notes = (f"{undated} tubes have no day, so the expiry of their lots is not checked",) if undated else ()
    return Completed(text, warnings, notes)


def _tube(sheet: Path, cells: Mapping[str, str]) -> SampleRow:
    """What tells the day of a tube: liquid beads without their number are no valid row yet."""
    given = cells.get("collected_at")
    collected = moment(given, False) if given else None
    file, data_set = split_data_set(beside(sheet.parent, cells.get("file", "")))
    return SampleRow(file=file, file_as_given="", sample_id="", data_set=data_set, collected_at=collected)


def _used(bead_lot: str, lots: Sequence[Lot], day: date | None, where: str, faults: list[str]) -> Iterator[Lot]:
    """Yield the lot of each reagent that a tube was made with."""
    if bead_lot:
        own = [lot for lot in lots if lot.is_beads and lot.lot == bead_lot]
        if own:
            yield own[0]
        else:
            faults.append(f"{where}, column bead_lot: {bead_lot!r} is not in the table of lots")
    for reagent in dict.fromkeys(lot.reagent for lot in lots if not lot.is_beads):
        possible = [lot for lot in lots if lot.reagent == reagent and lot.used_on(day)]
        if len(possible) == 1:
            yield possible[0]
        elif len(possible) > 1:
            named = ", ".join(lot.lot for lot in possible)
            faults.append(
                f"{where}: {reagent} may be of lot {named}; used_from and used_to of the table tell them apart"
            )


def _cells(row: Mapping[str, str], lot: Lot, where: str, faults: list[str]) -> dict[str, str]:
    """What a lot writes into its row; a number that stands there already must be the lot's."""
    if not lot.is_beads:
        return {LOT_COLUMN + re.sub(r"\W+", "_", lot.reagent): lot.named()}
    column = "beads_added" if lot.beads_per_tube is not None else "beads_per_ul"
    number = lot.beads_per_tube if lot.beads_per_tube is not None else lot.beads_per_ul
    given = row.get(column, "")
    if given and number and not _same(given, number):
        faults.append(f"{where}, column {column}: {given}, but lot {lot.lot} has {number:g}")
    return {column: f"{number:.10g}"}


def _same(given: str, number: float) -> bool:
    try:
        return abs(float(given.replace(",", ".")) / number - 1) <= SAME_COUNT
    except ValueError:
        return False


def day_of_tube(row: SampleRow, otherwise: date | None) -> date | None:
    """Return the day on which a tube was acquired: by its file, else ``collected_at``, else the one given."""
    try:
        with one_of_many():
            acquired = acquired_at(open_fcs(row.file, data_set=row.data_set))
    except SampleError:
        acquired = None
    if acquired is not None:
        return acquired.date()
    return datetime.fromisoformat(row.collected_at).date() if row.collected_at else otherwise
