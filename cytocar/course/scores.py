"""Clinical scores, calculated from entered values when asked for: research figures, not diagnostic ones.

A score needs all of its variables, measured close enough together; what is missing is named, nothing is imputed.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby

from msgspec import Struct
from msgspec.structs import replace

from cytocar.course.clinical import ClinicalRecord, ClinicalValue
from cytocar.course.units import VARIABLES
from cytocar.tables.columns import day_text

LYMPHODEPLETION = frozenset({"fludarabine", "cyclophosphamide", "bendamustine"})
"""Drugs whose first course before infusion ends the time of CAR-HEMATOTOX."""


class Score(Struct, frozen=True):
    """One calculated score of one subject; ``value`` is ``None`` where ``note`` says what is missing.

    ``day`` is that of the latest value used. ``inputs`` lists what went in: variable, value, unit, day. ``source`` is
    where the score was published.
    """

    subject_id: str
    score: str
    day: float | None
    value: float | None
    category: str
    inputs: str
    note: str
    source: str = ""


class _Item(Struct, frozen=True):
    """One point, where the variable is on the worse side of a threshold."""

    variable: str
    threshold: float
    worse: Callable[[float, float], bool]


# In the units of ``units.VARIABLES``: CRP 3.0 mg/dL is 30 mg/L, haemoglobin 9.0 g/dL is 90 g/L. The paper leaves ANC,
# haemoglobin and CRP that equal their threshold open: they count as the worse side here.
_HEMATOTOX: tuple[tuple[_Item, ...], ...] = (
    (_Item("platelets", 175, operator.le), _Item("platelets", 75, operator.lt)),
    (_Item("ferritin", 650, operator.ge), _Item("ferritin", 2000, operator.gt)),
    (_Item("anc", 1200, operator.le),),
    (_Item("haemoglobin", 90, operator.le),),
    (_Item("crp", 30, operator.ge),),
)


def car_hematotox(record: ClinicalRecord) -> Iterator[Score]:
    """Yield CAR-HEMATOTOX, 0 to 7, for each subject, from the last values before lymphodepletion.

    Notes
    -----
    Rejeski et al. 2021, Blood 138:2499: platelets > 175 / 75-175 / < 75 G/L 0/1/2; ferritin < 650 / 650-2000 / > 2000
    µg/L 0/1/2; ANC > 1200 / < 1200 per µL 0/1; haemoglobin > 9.0 / < 9.0 g/dL 0/1; CRP < 3.0 / > 3.0 mg/dL 0/1. Low is
    0-1, high 2 and more. Without a course of a lymphodepleting drug: the last values before infusion.
    """
    for subject, own in _subjects(record):
        last_day = _before_lymphodepletion(own)
        used = [_latest(own, items[0].variable, last_day) for items in _HEMATOTOX]
        missing = [items[0].variable for items, value in zip(_HEMATOTOX, used, strict=True) if value is None]
        values = [value for value in used if value is not None]
        if missing:
            yield _without(
                subject, "CAR-HEMATOTOX", values, f"no value by day {day_text(last_day)}: {', '.join(missing)}"
            )
            continue
        points = sum(
            item.worse(value.value, item.threshold)
            for items, value in zip(_HEMATOTOX, values, strict=True)
            for item in items
        )
        yield Score(
            subject_id=subject,
            score="CAR-HEMATOTOX",
            day=max(value.day for value in values),
            value=float(points),
            category="high" if points >= 2 else "low",
            inputs=_listed(values),
            note=f"last values by day {day_text(last_day)}",
        )


def easix(record: ClinicalRecord) -> Iterator[Score]:
    """Yield EASIX for each day on which its variables were measured: LDH x creatinine / platelets.

    Luft et al. 2017, Lancet Haematol 4:e414: LDH in U/L, creatinine in mg/dL, platelets in G/L.
    """
    yield from _quotient(record, "EASIX", "creatinine", per=1.0)


def modified_easix(record: ClinicalRecord) -> Iterator[Score]:
    """Yield m-EASIX for each day on which its variables were measured: LDH x CRP / platelets.

    Pennisi et al. 2021, Blood Adv 5:3397: LDH in U/L, CRP in mg/dL, platelets in G/L.
    """
    yield from _quotient(record, "m-EASIX", "crp", per=10.0)  # entered CRP is kept in mg/L


def icans_by_ice(record: ClinicalRecord) -> Iterator[Score]:
    """Yield the ICANS grade of each ICE score: 7-9 grade 1, 3-6 grade 2, 0-2 grade 3.

    Lee et al. 2019, Biol Blood Marrow Transplant 25:625. Consciousness, seizures, motor findings and oedema may make
    the grade higher; a patient who cannot be aroused has grade 4, which no ICE score tells.
    """
    for subject, own in _subjects(record):
        entries = own.series("ice")
        if not entries:
            yield _without(subject, "ICANS by ICE", [], "no ICE score was entered")
        for value in entries:
            grade = next(grade for lowest, grade in ((10, 0), (7, 1), (3, 2), (0, 3)) if value.value >= lowest)
            note = "of the ICE score alone; grade 4 if unarousable" if value.value == 0 else "of the ICE score alone"
            yield Score(subject, "ICANS by ICE", value.day, float(grade), "", _listed([value]), note)


EARLY_DAYS, LATE_DAYS = (0.0, 30.0), (31.0, 100.0)
"""Periods of ICAHT."""
STABLE_DAYS = 3
"""Fewer days above a limit are no recovery: they count to the fall (CIBMTR's rule; note of table 1 of T-ICAHT)."""


class _Toxicity(Struct, frozen=True):
    """Grades of a cytopenia by the days spent below limits: (limit, days at least, grade), early and late.

    ``added_up``: all falls of the period count together, else the longest alone.
    """

    name: str
    variable: str
    at_the_limit: bool
    added_up: bool
    early: tuple[tuple[float, int, int], ...]
    late: tuple[tuple[float, int, int], ...]


_T_ICAHT = _Toxicity(
    "T-ICAHT",
    "platelets",
    at_the_limit=False,
    added_up=True,
    early=((50, 1, 1), (50, 7, 2), (20, 1, 3), (20, 14, 4)),
    late=((100, 1, 1), (50, 1, 2), (20, 1, 3), (20, 14, 4)),
)
_ICAHT = _Toxicity(
    "ICAHT",
    "anc",
    at_the_limit=True,
    added_up=False,
    early=((500, 1, 1), (500, 7, 2), (500, 14, 3), (500, 31, 4), (100, 7, 3), (100, 14, 4)),
    late=((1500, 1, 1), (1000, 1, 2), (500, 1, 3), (100, 1, 4)),
)


def t_icaht(record: ClinicalRecord) -> Iterator[Score]:
    """Yield the grade of thrombocytopenia, early (day 0 to 30) and late (day 31 to 100), with bounds for missing days.

    Notes
    -----
    Rejeski et al. 2025, doi 10.1182/blood.2025028833, table 1; days are added up over the period, a recovery of fewer
    than three days among them. Early: platelets < 50 G/L for 1-6 days grade 1, 7 and more grade 2; < 20 G/L for 1-13
    days grade 3, 14 and more grade 4. Late: < 100 G/L grade 1, < 50 grade 2, < 20 as before. The grade is that of the
    days between values that are below; the highest that unmeasured days around them allow stands in the note; a fall
    that no value shows is not counted.
    """
    yield from _cytopenia(record, _T_ICAHT)


def icaht(record: ClinicalRecord) -> Iterator[Score]:
    """Yield the grade of neutropenia, early (day 0 to 30) and late (day 31 to 100), with bounds for missing days.

    Notes
    -----
    Rejeski et al. 2023, Blood 142:865 (EHA/EBMT). Early: ANC <= 500/µL for less than 7 days grade 1, 7-13 days grade 2,
    14 and more grade 3, never above grade 4; <= 100/µL for 7 days and more grade 3, 14 and more grade 4. Late:
    <= 1500/µL grade 1, <= 1000 grade 2, <= 500 grade 3, <= 100 grade 4. The longest fall counts, and goes on through a
    recovery of fewer than three days, as in the published code of Liang et al. (automatedicahtgrading, index.Rmd), by
    which this table was checked. Where falls added up would be a higher grade, the note says so.
    """
    yield from _cytopenia(record, _ICAHT)


def _cytopenia(record: ClinicalRecord, toxicity: _Toxicity) -> Iterator[Score]:
    for subject, own in _subjects(record):
        for word, period, steps in (("early", EARLY_DAYS, toxicity.early), ("late", LATE_DAYS, toxicity.late)):
            name = f"{toxicity.name} {word}"
            values = [v for v in own.series(toxicity.variable) if period[0] <= v.day < period[1] + 1]
            if not values:
                missing = f"no {toxicity.variable} from day {period[0]:g} to {period[1]:g}"
                yield _without(subject, name, [], missing)
                continue
            least, most = (_grade(values, period, steps, toxicity, most=most) for most in (False, True))
            lowest = min(values, key=lambda value: value.value)
            notes = [f"up to grade {most} with the days that were not measured"] if most > least else []
            together = _grade(values, period, steps, replace(toxicity, added_up=True), most=False)
            if together > least:
                notes.append(f"grade {together} if the days of all falls are added up")
            limit = max(limit for limit, _, _ in steps)
            if word == "late" and least and sum(_is_below(v, limit, toxicity) for v in values) == 1:
                notes.append("one test below; the definition asks for two or more")
            yield Score(
                subject, name, values[-1].day, float(least), "", f"lowest: {_listed([lowest])}", "; ".join(notes)
            )


def _grade(
    values: Sequence[ClinicalValue],
    period: tuple[float, float],
    steps: Sequence[tuple[float, int, int]],
    toxicity: _Toxicity,
    *,
    most: bool,
) -> int:
    """Return the highest grade that the days below the limits reach: those known, or ``most`` that may have been."""
    reached = [0]
    for limit, days, grade in steps:
        by_day: dict[int, bool] = {}
        for value in values:
            by_day[int(value.day)] = by_day.get(int(value.day), False) or _is_below(value, limit, toxicity)
        falls = _falls(by_day, period, most=most)
        if (sum(falls) if toxicity.added_up else max(falls, default=0)) >= days:
            reached.append(grade)
    return max(reached)


def _is_below(value: ClinicalValue, limit: float, toxicity: _Toxicity) -> bool:
    at_it = value.value == limit and (toxicity.at_the_limit or value.bound == "<") and value.bound != ">"
    return value.value < limit or at_it


def _falls(by_day: Mapping[int, bool], period: tuple[float, float], *, most: bool) -> list[int]:
    """Return the days of each fall: between values that are below, or up to the values around them that are not.

    Examples
    --------
    >>> measured = {3: False, 8: True, 10: True, 20: False, 25: True}
    >>> _falls(measured, (0, 30), most=False), _falls(measured, (0, 30), most=True)
    ([3, 1], [27])
    >>> _falls({4: True, 6: False, 7: True}, (0, 30), most=False)  # above for two days at most: no recovery
    [4]
    """
    days = sorted(by_day)
    falls: list[tuple[int, int]] = []
    for below, run in groupby(days, key=by_day.__getitem__):
        own = list(run)
        if not below:
            continue
        first, last = own[0], own[-1]
        if most:
            place, end = days.index(first), days.index(last)
            first = days[place - 1] + 1 if place else int(period[0])
            last = days[end + 1] - 1 if end + 1 < len(days) else int(period[1])
        if falls and first - falls[-1][1] <= STABLE_DAYS:
            first = falls.pop()[0]
        falls.append((first, last))
    return [last - first + 1 for first, last in falls]


def highest_grades(record: ClinicalRecord) -> Iterator[Score]:
    """Yield the highest entered grade of each kind, such as of CRS and ICANS, early (day 0 to 30) and late (31 to 100).

    Grades of the ICE score (``icans_by_ice``) are among them. A grade that was not entered is not known to be 0.
    """
    for subject, own in _subjects(record):
        entries = {VARIABLES[name].label if name in VARIABLES else name: own.series(name) for name in own.variables}
        graded = {f"{label} grade": values for label, values in entries.items() if values[0].unit == "grade"}
        kinds = {name: [(v.day, v.value) for v in values] for name, values in graded.items()}
        by_ice = [(s.day, s.value) for s in icans_by_ice(own) if s.day is not None and s.value is not None]
        if by_ice:
            kinds["ICANS by ICE"] = by_ice
        if not kinds:
            yield _without(subject, "highest grade", [], "no grade was entered")
        for name, of_kind in kinds.items():
            for word, (first, last) in (("early", EARLY_DAYS), ("late", LATE_DAYS)):
                within = [entry for entry in of_kind if first <= entry[0] < last + 1]
                if within:
                    day, grade = max(within, key=lambda entry: (entry[1], -entry[0]))
                    note = f"highest of {len(within)} entered from day {first:g} to {last:g}"
                    yield Score(subject, f"highest {name}, {word}", day, grade, "", "", note)


SCORES: dict[str, Callable[[ClinicalRecord], Iterator[Score]]] = {
    "car-hematotox": car_hematotox,
    "easix": easix,
    "m-easix": modified_easix,
    "icans-by-ice": icans_by_ice,
    "t-icaht": t_icaht,
    "icaht": icaht,
    "highest-grades": highest_grades,
}
"""Each score, by the name that asks for it."""
SOURCES = {
    "car-hematotox": "Rejeski et al. 2021, Blood 138:2499",
    "easix": "Luft et al. 2017, Lancet Haematol 4:e414",
    "m-easix": "Pennisi et al. 2021, Blood Adv 5:3397",
    "icans-by-ice": "Lee et al. 2019, Biol Blood Marrow Transplant 25:625",
    "t-icaht": "Rejeski et al. 2025, doi 10.1182/blood.2025028833",
    "icaht": "Rejeski et al. 2023, Blood 142:865",
    "highest-grades": "as entered",
}
"""Where each score was published."""


def scores_of(names: Sequence[str], record: ClinicalRecord) -> list[Score]:
    """Return the scores of these names, each with its source."""
    return [replace(score, source=SOURCES[name]) for name in names for score in SCORES[name](record)]


def _quotient(record: ClinicalRecord, name: str, factor: str, *, per: float) -> Iterator[Score]:
    variables = ("ldh", factor, "platelets")
    for subject, own in _subjects(record):
        by_day = [{value.day: value for value in own.series(variable)} for variable in variables]
        days = sorted(set.intersection(*(set(values) for values in by_day)))
        if not days:
            yield _without(subject, name, [], f"no day with {', '.join(variables)}")
        for day in days:
            ldh, second, platelets = (values[day] for values in by_day)
            if platelets.value == 0:
                yield _without(subject, name, [ldh, second, platelets], "platelets are 0")
                continue
            value = ldh.value * second.value / per / platelets.value
            yield Score(subject, name, day, value, "", _listed([ldh, second, platelets]), "")


def _subjects(record: ClinicalRecord) -> Iterator[tuple[str, ClinicalRecord]]:
    for subject in sorted({value.subject_id for value in record.values}):
        yield subject, record.of(subject)


def _before_lymphodepletion(record: ClinicalRecord) -> float:
    """Return the last day whose values count as before lymphodepletion, else as before infusion."""
    starts = [
        course.start_day
        for course in record.interventions
        if course.name.lower() in LYMPHODEPLETION and course.start_day <= 0
    ]
    return min(starts, default=0.0)


def _latest(record: ClinicalRecord, variable: str, last_day: float) -> ClinicalValue | None:
    before = [value for value in record.series(variable) if value.day <= last_day]
    return before[-1] if before else None


def _without(subject: str, score: str, values: list[ClinicalValue], note: str) -> Score:
    return Score(subject, score, None, None, "", _listed(values), note)


def _listed(values: list[ClinicalValue]) -> str:
    return "; ".join(f"{value.variable} {value.value:g} {value.unit} (day {day_text(value.day)})" for value in values)
