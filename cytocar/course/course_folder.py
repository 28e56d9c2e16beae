"""Reads back the folder of a course: what each subject's number is for a name such as ``peak`` or ``il6@5``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean

from msgspec import Struct

from cytocar.course.clinical import Intervention
from cytocar.course.groups import Measure, Value
from cytocar.course.responses import WINDOW_DAYS, intervals
from cytocar.course.subjects import Subjects, read_subjects
from cytocar.course.tables import KINETICS, SERIES
from cytocar.course.units import variable_name
from cytocar.errors.tree import UsageError
from cytocar.tables.delimited import DelimitedTable, Row, read_delimited

ALIASES = {"peak": "cmax_per_ul", "persistence": "persistence_days", "half_life": "half_life_days"}
_KINETICS = {column.name: column for column in KINETICS if column.type in ("number", "integer")}
_CAR = "car_per_ul"
DAY_TOLERANCE = 1.0
"""``il6@5`` takes the nearest value within a day: visits slip by one."""
PHASES = ("before", "during", "after")


class Dated(Struct, frozen=True):
    """One value of a variable on a day."""

    day: float
    value: Value


_REDUCERS: dict[str, Callable[[Sequence[Dated]], Value]] = {
    "max": lambda dated: max(dated, key=lambda one: (one.value.number, one.value.bound != "<")).value,
    "min": lambda dated: min(dated, key=lambda one: (one.value.number, one.value.bound != "<")).value,
    "first": lambda dated: dated[0].value,
    "last": lambda dated: dated[-1].value,
    "mean": lambda dated: Value(fmean(one.value.number for one in dated)),
}


class CourseFolder(Struct, frozen=True):
    """The tables of a course that comparisons need: values by variable and subject, in order of days."""

    kinetics: Mapping[str, Row]
    values: Mapping[str, Mapping[str, Sequence[Dated]]]
    units: Mapping[str, str]
    subjects: Subjects
    interventions: Sequence[Intervention]

    def measures(self, names: Sequence[str]) -> list[Measure]:
        """What these names stand for; ``all@max`` is every clinical variable.

        Raises
        ------
        UsageError
            E165 for a name that is neither a number of the kinetics nor a variable with ``@``.
        """
        measures = []
        for name in self._spelt_out(names):
            variable, at, when = name.partition("@")
            column = ALIASES.get(name, name)
            if column in _KINETICS and not at:
                measures.append(Measure(name, _KINETICS[column].unit, dict(self._of_kinetics(column))))
                continue
            own = self._variable(variable)
            reduced = {}
            for subject, dated in self.values[own].items():
                value = _at(dated, when)
                if value is not None:
                    reduced[subject] = value
            measures.append(Measure(name, self.units[own], reduced))
        return measures

    def pairs(self, names: Sequence[str], phases: tuple[str, str], drug: str) -> list[tuple[Measure, Measure]]:
        """Return each variable in two phases around each subject's first interval of a drug.

        Before: the last value up to the first day; during: the last one until the last day; after: the first one after
        it, each within four weeks. With ``@max`` and its like: over all values of the phase.

        Raises
        ------
        UsageError
            E165 for an unknown variable, E136 for a drug that nobody had.
        """
        spans = {
            subject: intervals(own)[0]
            for subject in {course.subject_id for course in self.interventions}
            if (own := [c for c in self.interventions if c.subject_id == subject and c.name == drug])
        }
        if not spans:
            given = sorted({course.name for course in self.interventions})
            raise UsageError(
                f"no intervention is called {drug!r}",
                code="E136",
                hint=f"there are: {', '.join(given)}" if given else "the course was made without --interventions",
            )
        windows = {
            subject: {
                "before": (span.start_day - WINDOW_DAYS, span.start_day),
                "during": (span.start_day, span.start_day + WINDOW_DAYS if span.end_day is None else span.end_day),
                "after": (span.end_day or span.start_day, (span.end_day or span.start_day) + WINDOW_DAYS),
            }
            for subject, span in spans.items()
        }
        pairs = []
        for name in self._spelt_out(names):
            variable, _, when = name.partition("@")
            own_name = self._variable(variable)
            sides: list[Measure] = []
            for phase in phases:
                values = {}
                for subject, bounds in windows.items():
                    low, high = bounds[phase]
                    inside = [one for one in self.values[own_name].get(subject, ()) if low < one.day <= high]
                    if inside:
                        how = when or ("first" if phase == "after" else "last")
                        values[subject] = _REDUCERS[how](inside)
                sides.append(Measure(name, self.units[own_name], values))
            pairs.append((sides[0], sides[1]))
        return pairs

    def _spelt_out(self, names: Sequence[str]) -> Iterator[str]:
        """Yield each name once: what is asked for twice must not count twice where p values are adjusted."""
        spelt: dict[str, None] = {}
        for name in names:
            if name == "all" or name.startswith("all@"):
                spelt.update({variable + name[3:]: None for variable in self.values if variable != _CAR})
            else:
                spelt[name] = None
        yield from spelt

    def _variable(self, name: str) -> str:
        own = name if name == _CAR else variable_name(name)
        if own not in self.values:
            raise UsageError(
                f"{name!r} is neither a number of the kinetics nor a clinical variable of this course",
                code="E165",
                hint=f"there are: {', '.join([*ALIASES, *_KINETICS, *self.values][:40])}; variables with @max, @5, ...",
            )
        return own

    def _of_kinetics(self, column: str) -> Iterator[tuple[str, Value]]:
        for subject, row in self.kinetics.items():
            text = row.cells.get(column, "")
            if text:
                yield subject, Value(float(text))
            elif column == "cmax_per_ul" and row.cells.get("n_timepoints", "0") not in ("", "0"):
                yield subject, Value(0.0, "<")  # samples with a result, none quantified: a peak below every limit


def _at(dated: Sequence[Dated], when: str) -> Value | None:
    if when in _REDUCERS:
        return _REDUCERS[when](dated)
    try:
        day = float(when)
    except ValueError:
        raise UsageError(
            f"@{when} is no time",
            code="E165",
            hint=f"write @ and a day, or one of {', '.join(_REDUCERS)}: il6@5, ferritin@max",
        ) from None
    near = [one for one in dated if abs(one.day - day) <= DAY_TOLERANCE]
    return min(near, key=lambda one: abs(one.day - day)).value if near else None


def read_course(folder: Path) -> CourseFolder:
    """Return the tables of a folder that ``cytocar series -o`` wrote.

    Raises
    ------
    UsageError
        E166 when it is none.
    """
    kinetics, series = _table(folder, "kinetics", required=True), _table(folder, "series", required=True)
    covariates, interventions = _table(folder, "covariates"), _table(folder, "interventions")
    values: dict[str, dict[str, list[Dated]]] = {}
    units: dict[str, str] = {}
    for row in series.rows:
        value = _car_value(row)
        if value is not None:
            _add(values, _CAR, row, value)
    units[_CAR] = next(column.unit for column in SERIES if column.name == _CAR)
    for row in covariates.rows:
        if row.cells.get("value"):
            units.setdefault(row.cells["variable"], row.cells.get("unit", ""))
            value = Value(float(row.cells["value"]), row.cells.get("bound", ""))
            _add(values, row.cells["variable"], row, value)
    for by_subject in values.values():
        for dated in by_subject.values():
            dated.sort(key=lambda one: one.day)
    subjects = folder / "subjects.csv"
    return CourseFolder(
        kinetics={row.cells["subject_id"]: row for row in kinetics.rows},
        values=values,
        units=units,
        subjects=read_subjects(subjects if subjects.is_file() else None),
        interventions=[_intervention(row) for row in interventions.rows],
    )


def _add(values: dict[str, dict[str, list[Dated]]], variable: str, row: Row, value: Value) -> None:
    of_subject = values.setdefault(variable, {}).setdefault(row.cells["subject_id"], [])
    of_subject.append(Dated(float(row.cells["day"]), value))


def _car_value(row: Row) -> Value | None:
    result = row.cells.get("car_result", "")
    if result == "quantified" and row.cells.get(_CAR):
        return Value(float(row.cells[_CAR]))
    limit = row.cells.get("car_lod_per_ul" if result == "not_detected" else "car_lloq_per_ul", "")
    return Value(float(limit), "<") if result in ("not_detected", "below_lloq") and limit else None


def _intervention(row: Row) -> Intervention:
    end = row.cells["end_day"]
    return Intervention(
        row.cells["subject_id"], row.cells["name"], float(row.cells["start_day"]), float(end) if end else None
    )


def _table(folder: Path, name: str, *, required: bool = False) -> DelimitedTable:
    path = folder / f"{name}.csv"
    if not path.is_file() and not required:
        return DelimitedTable((), (), decimal_comma=False)
    try:
        return read_delimited(path)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{folder} is no course: {path.name} cannot be read",
            code="E166",
            hint="give the folder that `cytocar series RUN... -o COURSE` wrote",
        ) from error
