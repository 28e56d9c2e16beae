"""Who the subjects are: ``subjects.csv``, one line each, with product, target, dose, infusions, arm and response.

Any column that begins with ``x_`` may be added. Everything is carried as written; only infusion dates, dose and weight
are read as more than text.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import date
from pathlib import Path
from statistics import median

from msgspec import Struct, field

from cytocar.errors.boundary import boundary
from cytocar.errors.near_names import did_you_mean, each_did_you_mean
from cytocar.errors.tree import ClinicalError, counted, listed
from cytocar.tables.columns import Column, Row, Value, parse_columns
from cytocar.tables.delimited import DelimitedTable, read_delimited

SUBJECTS = parse_columns("""
subject_id str -     | pseudonym of the person
product    str -     | infusion product
car_target str -     | antigens of the CAR: CD19, CD22, BCMA, dual
dose_car_t num cells | CAR-T cells infused
weight_kg  num kg    | body weight
infused_at str -     | dates of infusion, ISO 8601, separated by semicolons
arm        str -     | arm of the study
response   str -     | response to treatment
""")
MOST_NUMBERS = 4
"""Different numbers in a column (doses, ages) up to which each is a group: more are two, about their median."""
_NUMBERS = tuple(column.name for column in SUBJECTS if column.type == "number")


class Subject(Struct, frozen=True):
    """One line of ``subjects.csv``: its cells as written, and the days of its infusions counted from the first."""

    subject_id: str
    cells: Mapping[str, str]
    infusion_days: tuple[float, ...] = (0.0,)
    first_infused: date | None = None

    def days_from_last_infusion(self, day: float) -> float:
        """Return the days since the latest infusion on or before a day; before the first, since the first.

        Examples
        --------
        >>> twice = Subject("P1", {}, (0.0, 120.0))
        >>> [twice.days_from_last_infusion(day) for day in (-5, 9, 120, 130)]
        [-5.0, 9.0, 0.0, 10.0]
        """
        return day - max((infused for infused in self.infusion_days if infused <= day), default=self.infusion_days[0])


class Subjects(Struct, frozen=True):
    """The table, in its order; empty where none was given."""

    columns: tuple[str, ...] = ()
    rows: tuple[Subject, ...] = ()
    by_id: Mapping[str, Subject] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def groups(self, column: str) -> dict[str, str]:
        """Return the group of each subject that has one: its word, or its side of the median of many numbers.

        Raises
        ------
        ClinicalError
            E164 when the table has no such column, or no subject has a word in it.
        """
        named = {subject.subject_id: subject.cells[column] for subject in self.rows if subject.cells.get(column)}
        if not named:
            there = [name for name in self.columns if name != "subject_id"]
            absent = f"subjects.csv has no column {column!r}{did_you_mean(column, there)}"
            raise ClinicalError(
                absent if there and column not in there else f"no subject has a group in the column {column!r}",
                code="E164",
                hint=f"columns of subjects.csv: {', '.join(there)}" if there else "give subjects.csv with --subjects",
            )
        return _halves(named) if len(set(named.values())) > MOST_NUMBERS else named


def _halves(named: Mapping[str, str]) -> dict[str, str]:
    """Return numbers as two groups about their median; words stay what they are."""
    try:
        numbers = {subject: float(text.replace(",", ".")) for subject, text in named.items()}
    except ValueError:
        return dict(named)
    middle = median(numbers.values())
    return {s: f"{middle:g} or less" if number <= middle else f"above {middle:g}" for s, number in numbers.items()}


def read_subjects(path: Path | None, *, known: Collection[str] | None = None) -> Subjects:
    """Return the subjects of a table; ``known`` are those that have samples.

    A subject without a sample is noted; it is a fault where its name is nearly that of one who is not in the table.

    Raises
    ------
    ClinicalError
        E163, listing every fault; E131 when the file cannot be read.
    """
    if path is None:
        return Subjects()
    hint = "give the path of a CSV file, saved as UTF-8"
    with boundary(lambda why: ClinicalError(f"{path.name} cannot be read: {why}", code="E131", hint=hint)):
        table = read_delimited(path)
    faults = list(_column_faults(table))
    rows = [] if faults else list(_rows(table, faults))
    faults += table.misfits()
    by_id = {row.subject_id: row for row in rows}
    notes = []
    strangers = [subject for subject in by_id if subject and known is not None and subject not in known]
    for subject, meant in each_did_you_mean(strangers, set(known or ()) - set(by_id)):
        if meant:
            faults.append(f"subject {subject!r} has no sample{meant}")
        else:
            notes.append(f"subject {subject} of {path.name} has no sample yet")
    if faults:
        raise ClinicalError(
            f"{counted(len(faults), 'fault')} in {path.name}:{listed(faults)}",
            code="E163",
            hint="correct these rows; `cytocar explain E163` lists the columns",
        )
    return Subjects(table.columns, tuple(rows), by_id, tuple(notes))


def _column_faults(table: DelimitedTable) -> Iterator[str]:
    names = [column.name for column in SUBJECTS]
    if "subject_id" not in table.columns:
        yield "column missing: subject_id"
    strange = [column for column in table.columns if column and column not in names and not column.startswith("x_")]
    for column, meant in each_did_you_mean(strange, names, " (your own begin with x_)"):
        yield f"unknown column {column}{meant}"


def _rows(table: DelimitedTable, faults: list[str]) -> Iterator[Subject]:
    met: set[str] = set()
    for row in table.rows:
        subject = row.cells["subject_id"]
        if not subject or subject in met:
            faults.append(f"row {row.line}: " + (f"{subject!r} comes twice" if subject else "subject_id is empty"))
        met.add(subject)
        for column in _NUMBERS:
            text = row.cells.get(column, "")
            number = table.number(text)
            if text and number is None:
                faults.append(f"row {row.line}: {column}: {table.no_number(text)}")
            elif number is not None and number <= 0:
                faults.append(f"row {row.line}: {column} is no number above 0: {text!r}")
        dates = _infusions(row.cells.get("infused_at", ""), row.line, faults)
        days = tuple(float((day - dates[0]).days) for day in dates) or (0.0,)
        yield Subject(subject, dict(row.cells), days, dates[0] if dates else None)


def _infusions(text: str, line: int, faults: list[str]) -> list[date]:
    """Return the dates of infusion, the first one first."""
    dates = []
    for word in filter(None, map(str.strip, text.split(";"))):
        try:
            dates.append(date.fromisoformat(word[:10]))
        except ValueError:
            faults.append(f"row {line}: infused_at is no date: {word!r} (2024-03-05; several are separated by ;)")
    return sorted(dates)


def subject_columns(subjects: Subjects) -> tuple[Column, ...]:
    """Return the columns of the table as it is written again: those that it had."""
    known = {column.name: column for column in SUBJECTS}
    return tuple(
        known.get(name, Column(name, "string", "", "column of subjects.csv")) for name in subjects.columns if name
    )


def subject_rows(subjects: Subjects) -> Iterator[Row]:
    """Yield the lines of the table as they were written; a number with a decimal comma gets a point."""
    for subject in subjects.rows:
        row: dict[str, Value] = dict(subject.cells)
        for column in _NUMBERS:
            if row.get(column):
                row[column] = float(str(row[column]).replace(",", "."))
        yield row
