"""What happened to the subjects besides their CAR-T cells: clinical values and interventions, from two tables.

``clinical.csv`` has one value a line (``subject_id,day,variable,value,unit``), ``interventions.csv`` one course of a
drug (``subject_id,name,start_day,end_day,dose,unit``). Values are converted to one unit per variable (see ``units``); a
unit that is not known is kept as written. ``<1.5`` and ``>50000`` are values with a bound, words are texts. Every fault
of both tables is found before anything is said, and all of them are said at once.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from pathlib import Path

from msgspec import Struct

from cytocar.course.units import (
    UNITS,
    VARIABLES,
    Dimension,
    Unit,
    Variable,
    convert,
    find_variable,
    near_units,
    plain,
    unit_as_written,
    variable_name,
)
from cytocar.errors.boundary import boundary
from cytocar.errors.near_names import each_did_you_mean
from cytocar.errors.tree import ClinicalError, counted, listed
from cytocar.tables.delimited import DelimitedTable, Row, read_delimited

CLINICAL_COLUMNS = ("subject_id", "day", "variable", "value", "unit")
INTERVENTION_COLUMNS = ("subject_id", "name", "start_day", "end_day", "dose", "unit")


EVENTS = frozenset(
    (
        "icu", "icu_stay", "intensive_care", "intubation", "ventilation", "mechanical_ventilation", "extubation",
        "cvvhdf", "cvvhd", "crrt", "dialysis", "haemodialysis", "hemodialysis", "ecmo", "leukapheresis", "seizure",
        "infection", "relapse", "progression", "surgery", "biopsy", "hospital", "death",
    )
)  # fmt: skip
"""Interventions without a dose that are no drugs; any other is one if its unit is ``event``."""


SMALLEST, LARGEST = 1e-15, 1e18
"""Of a clinical value that is not 0, in any unit: cells per litre reach 1e13; what lies beyond is a typing mistake, and
cannot be drawn beside others."""


class ClinicalValue(Struct, frozen=True):
    """One value of one variable on one day, in the variable's unit.

    ``bound`` is ``<`` or ``>`` where only that is known of the value, else empty; ``entered`` the variable's name as
    the table writes it, for people.
    """

    subject_id: str
    day: float
    variable: str
    value: float
    unit: str
    bound: str = ""
    note: str = ""
    entered: str = ""

    @property
    def text(self) -> str:
        """The value for people: ``<1.5``.

        Examples
        --------
        >>> ClinicalValue("P1", 0, "il6", 1.5, "ng/L", "<").text
        '<1.5'
        """
        return f"{self.bound}{self.value:g}"


class ClinicalText(Struct, frozen=True):
    """One answer in words on one day, such as a response."""

    subject_id: str
    day: float
    variable: str
    text: str
    note: str = ""


class Intervention(Struct, frozen=True):
    """One course of a drug at one dose. ``end_day`` is ``None`` while it goes on, ``dose`` where none is given."""

    subject_id: str
    name: str
    start_day: float
    end_day: float | None
    dose: float | None = None
    unit: str = ""

    @property
    def is_event(self) -> bool:
        """Whether this is something that happened, such as intubation, and not a drug."""
        return self.dose is None and (self.unit == "event" or plain(self.name) in EVENTS)

    @property
    def dose_text(self) -> str:
        """The dose for people: ``8 mg/kg``, or nothing.

        Examples
        --------
        >>> Intervention("P1", "tocilizumab", 0, 0, 8.0, "mg/kg").dose_text
        '8 mg/kg'
        """
        return "" if self.dose is None else f"{self.dose:g} {self.unit}".strip()


class ClinicalRecord(Struct, frozen=True):
    """Everything that was entered about the subjects, in order of subject, variable or drug, and day."""

    values: tuple[ClinicalValue, ...] = ()
    interventions: tuple[Intervention, ...] = ()
    texts: tuple[ClinicalText, ...] = ()
    notes: tuple[str, ...] = ()

    def of(self, *subject_ids: str) -> ClinicalRecord:
        """Return the part about these subjects."""
        return ClinicalRecord(
            tuple(value for value in self.values if value.subject_id in subject_ids),
            tuple(course for course in self.interventions if course.subject_id in subject_ids),
            tuple(text for text in self.texts if text.subject_id in subject_ids),
            self.notes,
        )

    def series(self, variable: str) -> tuple[ClinicalValue, ...]:
        """Return the values of one variable, in order of days."""
        return tuple(value for value in self.values if value.variable == variable)

    @property
    def variables(self) -> tuple[str, ...]:
        """Names of the variables that have values, listed ones first, in the order of ``units.VARIABLES``."""
        present = {value.variable for value in self.values}
        return (*(name for name in VARIABLES if name in present), *sorted(present - set(VARIABLES)))


def read_record(
    clinical: Path | None = None, interventions: Path | None = None, *, subjects: Collection[str] | None = None
) -> ClinicalRecord:
    """Return the clinical values and interventions of both tables; either may be left out.

    Parameters
    ----------
    clinical, interventions : Path, optional
        CSV files, UTF-8; ``,`` ``;`` or tab, decimal comma only with ``;``.
    subjects : collection of str, optional
        The subjects that have samples: any other in the tables is a fault.

    Raises
    ------
    ClinicalError
        E130, listing every fault of both tables with file and row; E131 when a file cannot be read.
    """
    faults: list[str] = []
    entries: list[ClinicalValue | ClinicalText] = []
    courses: list[Intervention] = []
    notes: dict[str, None] = {}
    if clinical is not None:
        entries = list(_entries(_read(clinical, CLINICAL_COLUMNS, faults), clinical.name, faults, notes))
    if interventions is not None:
        courses = list(_courses(_read(interventions, INTERVENTION_COLUMNS, faults), interventions.name, faults))
    if subjects is not None:
        faults += _strangers(entries, clinical, subjects)
        faults += _strangers(courses, interventions, subjects)
    if faults:
        raise ClinicalError(
            f"{counted(len(faults), 'fault')} in the clinical tables:{listed(faults)}",
            code="E130",
            hint="correct these rows; `cytocar explain E130` lists the columns and units",
        )
    entries.sort(key=lambda entry: (entry.subject_id, entry.variable, entry.day))
    return ClinicalRecord(
        tuple(entry for entry in entries if isinstance(entry, ClinicalValue)),
        tuple(sorted(courses, key=lambda course: (course.subject_id, course.start_day, course.name))),
        tuple(entry for entry in entries if isinstance(entry, ClinicalText)),
        tuple(notes),
    )


def _read(path: Path, columns: tuple[str, ...], faults: list[str]) -> DelimitedTable:
    hint = "give the path of a CSV file, saved as UTF-8"
    with boundary(lambda why: ClinicalError(f"{path.name} cannot be read: {why}", code="E131", hint=hint)):
        table = read_delimited(path)
    missing = [column for column in columns if column not in table.columns]
    if missing:
        faults.append(f"{path.name}: column{'s' if len(missing) > 1 else ''} missing: {', '.join(missing)}")
    strange = [name for name in table.columns if name and name not in (*columns, "note") and not name.startswith("x_")]
    faults += [f"{path.name}: unknown column {name}{meant}" for name, meant in each_did_you_mean(strange, columns)]
    faults += [f"{path.name} {fault}" for fault in table.misfits()]
    # Without its columns no row can be judged: one message about the column, not one for each row.
    return DelimitedTable(table.columns, (), table.decimal_comma) if missing else table


class _RowReader:
    """Reads the cells of one row and notes each fault with file and row."""

    def __init__(self, table: DelimitedTable, row: Row, file: str, faults: list[str]) -> None:
        self._table, self._row, self._file, self._faults = table, row, file, faults
        self._before = len(faults)

    @property
    def sound(self) -> bool:
        """Whether this row has shown no fault so far."""
        return len(self._faults) == self._before

    def fault(self, what: str) -> None:
        self._faults.append(f"{self._file} row {self._row.line}: {what}")

    def text(self, column: str, *, required: bool = True) -> str:
        cell = self._row.cells[column]
        if required and not cell:
            self.fault(f"{column} is empty")
        return cell

    def number(self, column: str, *, required: bool = True) -> float | None:
        cell = self.text(column, required=required)
        if not cell:
            return None
        value = self._table.number(cell)
        if value is None:
            self.fault(f"{column}: {self._table.no_number(cell.lstrip('<>=≤≥ '))}")
        return value

    def bounded(self, column: str) -> tuple[str, float] | None:
        """Return the bound (``<``, ``>`` or none) and the number of a cell; ``None`` where it is no number.

        A laboratory's ``≤`` and ``<=`` mean what ``<`` means: no more is known.
        """
        cell = self._row.cells[column].replace("≤", "<").replace("≥", ">").replace("<=", "<").replace(">=", ">")
        bound = cell[:1] if cell[:1] in ("<", ">") else ""
        value = self._table.number(cell.removeprefix(bound).strip())
        return None if value is None else (bound, value)

    def unit(self, what: str) -> Unit | None:
        """Return the unit of the row, known or as written, or note that it is missing."""
        cell = self._row.cells["unit"]
        if not cell:
            self.fault(f"{what} has no unit")
            return None
        return unit_as_written(cell)


def _entries(
    table: DelimitedTable, file: str, faults: list[str], notes: dict[str, None]
) -> Iterator[ClinicalValue | ClinicalText]:
    """Yield values and texts; ``notes`` take what was kept otherwise than one might think, once each."""
    first_units: dict[str, Unit] = {}
    for row in table.rows:
        cells = _RowReader(table, row, file, faults)
        subject, name = cells.text("subject_id"), cells.text("variable")
        day, number = cells.number("day"), cells.bounded("value")
        note = row.cells.get("note", "")
        if number is None and find_variable(name) is None and row.cells["unit"].lower() in ("", "text"):
            word = cells.text("value")
            if cells.sound and day is not None:
                yield ClinicalText(subject, day, variable_name(name), word, note)
            continue
        if number is None:
            cells.number("value")  # notes the fault
        unit = cells.unit(name or "the value")
        if unit is None or number is None or day is None:
            continue
        variable, listed = _kept_as(name, unit, first_units, notes)
        target = UNITS[listed.unit] if listed else first_units.setdefault(variable, unit)
        value = convert(number[1], unit, target, molar_mass=listed.molar_mass if listed else None)
        if value is None:
            cells.fault(f"{name} in {unit.name}: {unit.dimension.value}, but it is counted in {target.name}")
            continue
        lowest, highest = listed.possible if listed else (-math.inf, math.inf)
        if not lowest <= value <= highest or (value and not SMALLEST <= abs(value) <= LARGEST):
            cells.fault(f"{name} cannot be {number[1]:g} {unit.name}")
        elif target.name == "grade" and not value.is_integer():
            cells.fault(f"{name} is {value:g}, a grade is a whole number")
        if cells.sound:
            yield ClinicalValue(subject, day, variable, value, target.name, number[0], note, name)


def _kept_as(
    name: str, unit: Unit, first_units: dict[str, Unit], notes: dict[str, None]
) -> tuple[str, Variable | None]:
    """Return the name under which a value is kept, and the listed variable behind it.

    A unit that is not known converts to nothing: beside values in another unit it makes a variable of its own.
    """
    listed, variable = find_variable(name), variable_name(name)
    first = UNITS[listed.unit] if listed else first_units.get(variable, unit)
    if first.name == unit.name or Dimension.AS_WRITTEN not in (first.dimension, unit.dimension):
        return variable, listed
    own = f"{variable}_{plain(unit.name)}"
    near = ", ".join(near_units(unit.name)) if unit.dimension is Dimension.AS_WRITTEN else ""
    known = f" (known: {near})" if near else ""
    notes[f"{name} in {unit.name}{known} is not converted to {first.name}: it is kept as {own}"] = None
    return own, None


_DOSES = (Dimension.DOSE, Dimension.NUMBER, Dimension.AS_WRITTEN)


def _courses(table: DelimitedTable, file: str, faults: list[str]) -> Iterator[Intervention]:
    for row in table.rows:
        cells = _RowReader(table, row, file, faults)
        subject, name = cells.text("subject_id"), cells.text("name")
        start, end = cells.number("start_day"), cells.number("end_day", required=False)
        dose = cells.number("dose", required=False)
        unit = cells.unit(f"the dose of {name}") if dose is not None else None
        if dose is not None and dose < 0:
            cells.fault(f"the dose of {name} is negative: {dose:g}")
        if unit is not None and unit.dimension not in _DOSES:
            cells.fault(f"{unit.name} is no unit of a dose ({name})")
        if start is not None and end is not None and end < start:
            cells.fault(f"{name} ends on day {end:g}, before it starts on day {start:g}")
        if cells.sound and start is not None:
            yield Intervention(subject, name, start, end, dose, row.cells["unit"])


def _strangers(
    entries: Collection[ClinicalValue | ClinicalText] | Collection[Intervention],
    path: Path | None,
    subjects: Collection[str],
) -> Iterator[str]:
    file = path.name if path else ""
    strangers = (entry.subject_id for entry in entries if entry.subject_id not in subjects)
    for subject, meant in each_did_you_mean(strangers, subjects):
        yield f"{file}: subject {subject!r} has no sample{meant}"
