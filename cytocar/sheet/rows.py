"""The sample sheet: one row per tube or well, read whole, every fault listed at once.

Columns, vocabulary and units are declared once, in ``COLUMNS``; ``read_sheet`` turns each row into a ``SampleRow``.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from itertools import pairwise
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from cytocar.errors.near_names import did_you_mean, each_did_you_mean
from cytocar.errors.tree import SheetError, counted, listed
from cytocar.fcs.keywords import well_name
from cytocar.fcs.reader import split_data_set
from cytocar.files.nearest import same_name
from cytocar.files.places import Address, Place, beside, is_address, is_there, without_secrets
from cytocar.sheet.among_rows import among_rows, each_once, names_of
from cytocar.sheet.cells import Cells, read_cells
from cytocar.sheet.laboratory import LABORATORY_COLUMNS, LaboratoryTube
from cytocar.sheet.plausible import impossible
from cytocar.sheet.spelling import Parser, choice, flag, moment, not_negative, number, positive, text
from cytocar.sheet.tube import Specimen


class SampleType(StrEnum):
    """What a tube is for."""

    SAMPLE = "sample"
    BASELINE = "baseline"
    HEALTHY = "healthy"
    FMO = "fmo"
    UNSTAINED = "unstained"
    SINGLE_STAIN = "single_stain"
    PROCESS_CONTROL = "process_control"
    EQA = "eqa"
    BLANK = "blank"


class CountMethod(StrEnum):
    """How events become cells/µL."""

    BEADS = "beads"
    VOLUMETRIC = "volumetric"
    DUAL_PLATFORM = "dual_platform"
    NONE = "none"


class SampleRow(LaboratoryTube, frozen=True, omit_defaults=True):
    """One tube or well, as the sheet (or the command line) describes it.

    ``file`` is where the FCS file lies, ``file_as_given`` what the sheet says without secrets (this is what tables
    show), ``data_set`` the 1-based data set of ``name.fcs#2``. Numbers are in the units of their names. Absent is
    ``None``. What a count needs to know about the tube is declared in ``Tube``.
    """

    file: Place
    file_as_given: str
    sample_id: str
    data_set: int | None = None
    sample_type: SampleType = SampleType.SAMPLE
    subject_id: str | None = None
    day: float | None = None
    collected_at: str | None = None
    infused_at: str | None = None
    replicate: str | None = None
    control_for: tuple[str, ...] = ()
    stain_target: str | None = None
    plate_id: str | None = None
    well: str | None = None
    count_method: CountMethod | None = None
    bead_lot: str | None = None
    template: str | None = None
    compensation: str | None = None
    overrides: str | None = None
    operator: str | None = None
    exclude: bool = False
    exclude_reason: str | None = None
    note: str | None = None
    extra: Mapping[str, str] = field(default_factory=dict)

    @property
    def carried(self) -> dict[str, str]:
        """What the sheet says of the tube and tables carry through: ``CARRIED`` and ``x_*``, as far as filled in."""
        own = {column: getattr(self, column) for column in CARRIED} | dict(self.extra)
        return {column: f"{value:.6g}" if isinstance(value, float) else value for column, value in own.items() if value}


CARRIED = ("bead_lot", "operator", "note", *LABORATORY_COLUMNS)
"""Columns that are carried to the end of every table with a row per sample, as are those that begin with ``x_``."""


def carried_columns(rows: Iterable[SampleRow]) -> tuple[str, ...]:
    """The columns that these rows fill: the known ones first, then ``x_*`` in order of appearance."""
    present = dict.fromkeys(column for row in rows for column in row.carried)
    return (*(column for column in CARRIED if column in present), *(c for c in present if c not in CARRIED))


# ---------------------------------------------------------------- cells of the table

_NUMBERS = (number, positive, not_negative)


def _well(value: str, _comma: bool) -> str:
    """Return a well in one spelling, ``B02`` for ``b2``; what is none stays as it is."""
    return well_name(value) or value


def _identifier(value: str, _comma: bool) -> str:
    """Return the name of a sample or subject; ``|`` stands between the names of several in ``control_for``."""
    if "|" in value:
        raise ValueError(f"{value!r} holds a vertical bar, which stands between several names; write it without")
    return value


def _several(value: str, _comma: bool) -> tuple[str, ...]:
    return names_of(value)


COLUMNS: Mapping[str, Parser] = {
    "file": text,
    "sample_id": _identifier,
    "sample_type": choice(SampleType),
    "subject_id": _identifier,
    "day": number,
    "collected_at": moment,
    "infused_at": moment,
    "replicate": text,
    "specimen": choice(Specimen),
    "control_for": _several,
    "stain_target": text,
    "plate_id": text,
    "well": _well,
    "count_method": choice(CountMethod),
    "sample_volume_ul": positive,
    "beads_added": positive,
    "beads_per_ul": positive,
    "bead_volume_ul": positive,
    "bead_lot": text,
    "acquired_volume_ul": positive,
    "dilution_factor": positive,
    "lymphocytes_per_ul": not_negative,
    "wbc_per_ul": not_negative,
    "template": text,
    "compensation": text,
    "overrides": text,
    "operator": text,
    "exclude": flag,
    "exclude_reason": text,
    "note": text,
    **dict.fromkeys(("val_study", "val_level", "val_day", "val_run", "val_rep", "val_operator"), text),
    **dict.fromkeys(("val_expected", "val_hours", "vcn_per_cell"), not_negative),
    **dict.fromkeys(("bag_volume_ml", "tnc_per_ml", "weight_kg"), positive),
}
NUMERIC = [name for name, parse in COLUMNS.items() if parse in _NUMBERS]
"""Columns of numbers."""


def nearest(word: str) -> str:
    """Return ``, did you mean 'COLUMN'?`` for a misspelt column, or nothing.

    >>> nearest("Sample ID"), nearest("sample_volume_ul [µL]"), nearest("dya")
    (", did you mean 'sample_id'?", ", did you mean 'sample_volume_ul'?", ", did you mean 'day'?")
    """
    return did_you_mean(_without_unit(word), COLUMNS)


def _without_unit(word: str) -> str:
    return re.split(r"[\[(]", word)[0]


# ---------------------------------------------------------------- reading


class SheetRows(Struct, frozen=True):
    """What a sheet holds, by the number of each row in the file.

    ``faulty`` are rows with a cell that cannot be used, as far as they can be read; ``faults`` are those of all rows.
    """

    rows: Mapping[int, SampleRow]
    faulty: Mapping[int, SampleRow]
    faults: tuple[str, ...]


def read_sheet(path: Place) -> tuple[SampleRow, ...]:
    """Return the rows of a sample sheet.

    Parameters
    ----------
    path : Path or Address
        CSV, UTF-8 with or without BOM, separated by ``,``, ``;`` or tab, a decimal comma only with ``;``; or the first
        worksheet of an .xlsx file.

    Raises
    ------
    SheetError
        E080 not readable, E081 no rows, E082 with every fault of every row, each with its row and column.
    """
    return tuple(numbered_rows(path).values())


def numbered_rows(path: Place) -> Mapping[int, SampleRow]:
    """Return the rows of a sample sheet by their numbers in the file; see ``read_sheet``."""
    sheet = look_through(path)
    if sheet.faults:
        raise faulty_sheet(path, sheet.faults)
    return sheet.rows


def faulty_sheet(path: Place, faults: Sequence[str]) -> SheetError:
    """Return the error of a sheet that cannot be used, with every fault."""
    return SheetError(
        f"{path.name} has {counted(len(faults), 'fault')}:{listed(faults)}",
        code="E082",
        hint="correct what is named above; `cytocar sheet check SHEET` looks again without analysing anything",
    )


def look_through(path: Place) -> SheetRows:
    """Return all that a sheet holds, rows and faults.

    Raises
    ------
    SheetError
        E080 not readable, E081 no rows.
    """
    cells = _table(path)
    header, lines = cells.lines[0][1], cells.lines[1:]
    faults = [*_header_faults(header, cells.lines[0][0]), *map(str, cells.faults)]
    of_rows: list[tuple[int, str, str]] = []
    if cells.beside and not {"file", "sample_id"} <= set(header):
        faults.append(_not_read(cells.beside))
    rows: dict[int, SampleRow] = {}
    faulty: dict[int, SampleRow] = {}
    if {"file", "sample_id"} <= set(header):
        for place, line in lines:
            doubtful = {name for column, name in enumerate(header) if (place, column) in cells.doubtful}
            row, row_faults = _row(
                path.parent, dict(zip(header, line, strict=False)), set(header) if cells.decimal_comma else doubtful
            )
            if len(line) > len(header) and any(cell.strip() for cell in line[len(header) :]):
                row_faults.append(("", _too_long(line, header, comma=cells.separator == ",")))
            of_rows += [(place, name, fault) for name, fault in row_faults]
            if row is not None:
                (faulty if row_faults else rows)[place] = row
        faults += each_once(of_rows)
        faults += among_rows(lines, header, numeric=NUMERIC if cells.decimal_comma else ())
    return SheetRows(rows, faulty, tuple(faults))


def _too_long(line: Sequence[str], header: Sequence[str], *, comma: bool) -> str:
    """What a row with more cells than the header says; an unquoted decimal comma makes two cells of a number."""
    words = f"has {len(line)} cells, the header has {len(header)}"
    pairs = pairwise(line)
    split = [f"{left},{right}" for left, right in pairs if left.strip().isdecimal() and right.strip().isdecimal()]
    if not comma or not split:
        return words
    return f"{words}; a decimal comma may be the cause ({' or '.join(split)}): write a point"


def _table(path: Place) -> Cells:
    """Return the cells of a sheet, its header without blanks and without empty columns at the end."""
    cells = read_cells(path, what="sample sheet")
    if len(cells.lines) < 2:
        beside = f"; {_not_read(cells.beside)}" if cells.beside else ""
        raise SheetError(
            f"{path.name} has no row of a sample{beside}",
            code="E081",
            hint="the first line names the columns (file,sample_id,...), each further line is one tube; "
            "`cytocar sheet new FOLDER` drafts one",
        )
    place, names = cells.lines[0]
    header = [cell.strip() for cell in names]
    while header and not header[-1]:
        header.pop()  # spreadsheets export columns that were once in use
    return replace(cells, lines=((place, header), *cells.lines[1:]))


def _not_read(worksheets: Sequence[str]) -> str:
    names = ", ".join(map(repr, worksheets))
    return f"the first worksheet alone is read, and not {names}: move the sheet of the samples to the front"


def _header_faults(header: Sequence[str], row: int) -> list[str]:
    strange = dict.fromkeys(name for name in header if name not in COLUMNS and not name.startswith("x_"))
    meant = dict(each_did_you_mean(map(_without_unit, strange), COLUMNS))
    faults = [f"row {row}, column {name or '(empty)'}: unknown column{meant[_without_unit(name)]}" for name in strange]
    if faults:
        faults[-1] += " (a column of your own starts with x_)"
    faults += [f"row {row}: column {name} stands twice" for name, times in Counter(header).items() if times > 1]
    faults += [f"row {row}: column {name} is missing" for name in ("file", "sample_id") if name not in header]
    return faults


def _row(
    folder: Place, cells: Mapping[str, str], decimal_comma: Collection[str]
) -> tuple[SampleRow | None, list[tuple[str, str]]]:
    """Return a row and its faults by column; ``decimal_comma``: the columns in which a comma may be a decimal one."""
    values, faults = _values(cells, decimal_comma)
    faults += [(column, "is empty") for column in ("file", "sample_id") if not (cells.get(column) or "").strip()]
    spoilt = {column for column, _ in faults}
    faults += [(column, why) for column, why in disagreements(values) if column not in spoilt]
    as_given = values.pop("file", "")
    named = {"file": as_given, "template": values.get("template"), "compensation": values.get("compensation")}
    named["overrides"] = values.get("overrides")
    faults += [(column, leaves) for column, place in named.items() if place and (leaves := _leaves(place))]
    faults += [
        (column, "holds a key or a signature, and the manifest would keep it; copy the file beside the sheet")
        for column, place in named.items()
        if column != "file" and place and without_secrets(place) != place
    ]
    if not as_given or _leaves(as_given):
        return None, faults
    file, data_set = split_data_set(_place(folder, as_given))
    values = {"sample_id": as_given, **values}
    values["day"] = values.get("day", days_between(values.get("infused_at"), values.get("collected_at")))
    extra = {column: (cell or "").strip() for column, cell in cells.items() if column.startswith("x_")}
    return SampleRow(
        file=file, file_as_given=without_secrets(as_given), data_set=data_set, extra=extra, **values
    ), faults


def _values(cells: Mapping[str, str], decimal_comma: Collection[str]) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    values: dict[str, Any] = {}
    faults: list[tuple[str, str]] = []
    for column, cell in cells.items():
        value = (cell or "").strip()
        if not value or column not in COLUMNS:
            continue
        try:
            values[column] = COLUMNS[column](value, column in decimal_comma)
        except ValueError as fault:
            faults.append((column, str(fault)))
    return values, faults


def check_cells(cells: Mapping[str, str]) -> tuple[list[str], dict[str, Any]]:
    """Return the faults in words, and the values, of cells that come from the command line, by column."""
    values, faults = _values(cells, decimal_comma=())
    return [f"{column}: {fault}" for column, fault in [*faults, *disagreements(values)]], values


def disagreements(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return columns of a row that contradict others or cannot be, each with why."""
    faults: list[tuple[str, str]] = []
    day, collected, infused = (values.get(name) for name in ("day", "collected_at", "infused_at"))
    if collected and infused:
        by_dates = days_between(infused, collected)
        if by_dates is None:
            faults.append(("collected_at", "has a time zone and infused_at has none, or the other way round"))
        elif day is not None and abs(day - by_dates) >= 1:
            faults.append(("day", f"{day:g} disagrees with collected_at - infused_at = {by_dates:g}"))
    elif infused and day is None:
        faults.append(("collected_at", "is missing, so infused_at gives no day"))
    added, per_ul, volume = (values.get(name) for name in ("beads_added", "beads_per_ul", "bead_volume_ul"))
    if (per_ul is None) != (volume is None):
        missing = "beads_per_ul" if per_ul is None else "bead_volume_ul"
        faults.append((missing, "is missing: liquid beads need both beads_per_ul and bead_volume_ul"))
    elif added is not None and per_ul is not None and abs(per_ul * volume / added - 1) > 0.01:
        faults.append(("beads_added", f"{added:g} disagrees with beads_per_ul x bead_volume_ul = {per_ul * volume:g}"))
    return [*faults, *impossible(values)]


def days_between(infused_at: str | None, collected_at: str | None) -> float | None:
    """Return days from infusion to collection; whole days where either has no time of day.

    Examples
    --------
    >>> days_between("2026-03-01", "2026-03-10T18:00")
    9.0
    >>> days_between("2026-03-01T06:00", "2026-03-10T18:00")
    9.5
    """
    if not infused_at or not collected_at:
        return None
    start, end = datetime.fromisoformat(infused_at), datetime.fromisoformat(collected_at)
    if len(infused_at) <= 10 or len(collected_at) <= 10:
        return float((end.date() - start.date()).days)
    if (start.tzinfo is None) != (end.tzinfo is None):
        return None
    return (end - start).total_seconds() / 86_400


def _place(folder: Place, as_given: str) -> Place:
    """Where a file lies; ``plate\\A1.fcs`` of a sheet made on Windows is found on other systems too."""
    place = beside(folder, as_given)
    if isinstance(place, Address) or is_there(split_data_set(place)[0]):
        return place
    if "\\" in as_given:
        place = folder / PureWindowsPath(as_given).as_posix()
    return (same_name(place) if isinstance(place, Path) else None) or place


def _leaves(place: str) -> str | None:
    if is_address(place) or Path(place).is_absolute():
        return None
    if ".." in PurePosixPath(place).parts or ".." in PureWindowsPath(place).parts:
        return f"{place!r} leaves the sheet's folder; give an absolute path if that is meant"
    return None
