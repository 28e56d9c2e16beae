"""Clinical scores, calculated from entered values when asked for: research figures, not diagnostic ones.

A score needs all of its variables, measured close enough together; what is missing is named, nothing is imputed.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from cytocar.course.clinical import ClinicalRecord, ClinicalValue

LYMPHODEPLETION = frozenset({"fludarabine", "cyclophosphamide", "bendamustine"})
"""Drugs whose first course before infusion ends the time of CAR-HEMATOTOX."""


@dataclass(frozen=True, slots=True)
class Score:
    """One calculated score of one subject; ``value`` is ``None`` where ``note`` says what is missing.

    ``day`` is that of the latest value used. ``inputs`` lists what went in: variable, value, unit, day.
    """

    subject_id: str
    score: str
    day: float | None
    value: float | None
    category: str
    inputs: str
    note: str


@dataclass(frozen=True, slots=True)
class _Item:
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
            yield _without(subject, "CAR-HEMATOTOX", values, f"no value by day {last_day:g}: {', '.join(missing)}")
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
            note=f"last values by day {last_day:g}",
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


def t_icaht(record: ClinicalRecord) -> Iterator[Score]:
    """Yield the grade of thrombocytopenia, early (day 0 to 30) and late (day 31 to 100), with bounds for missing days.

    Notes
    -----
    Early: platelets < 50 G/L for 1-6 days grade 1, 7 and more grade 2; < 20 G/L for 1-13 days grade 3, 14 and more
    grade 4. Late: < 100 G/L grade 1, < 50 grade 2, < 20 as before. The grade is that of
    the days between values that are below; the highest that unmeasured days allow stands in the note.
    """
    for subject, own in _subjects(record):
        for name, (first, last) in (("T-ICAHT early", EARLY_DAYS), ("T-ICAHT late", LATE_DAYS)):
            values = [value for value in own.series("platelets") if first <= value.day <= last]
            if not values:
                yield _without(subject, name, [], f"no platelets from day {first:g} to {last:g}")
                continue
            late = name.endswith("late")
            least, most = (_icaht_grade(values, (first, last), late=late, longest=longest) for longest in (False, True))
            lowest = min(values, key=lambda value: value.value)
            note = "" if least == most else f"up to grade {most} with the days that were not measured"
            yield Score(subject, name, values[-1].day, float(least), "", f"lowest: {_listed([lowest])}", note)


def _icaht_grade(values: list[ClinicalValue], period: tuple[float, float], *, late: bool, longest: bool) -> int:
    """Return the grade from the longest run of days below each threshold."""
    days = {limit: _days_below(values, limit, period, longest=longest) for limit in (20.0, 50.0, 100.0)}
    if days[20.0]:
        return 4 if days[20.0] >= 14 else 3
    if late:
        return 2 if days[50.0] else 1 if days[100.0] else 0
    return (2 if days[50.0] >= 7 else 1) if days[50.0] else 0


def _days_below(values: list[ClinicalValue], limit: float, period: tuple[float, float], *, longest: bool) -> int:
    """Return the longest run of days below: between its first and last value, or up to the values around it."""
    best = 0
    for index, value in enumerate(values):
        if value.value >= limit or (index and values[index - 1].value < limit):
            continue
        end = index
        while end + 1 < len(values) and values[end + 1].value < limit:
            end += 1
        if longest:
            start_day = values[index - 1].day + 1 if index else period[0]
            end_day = values[end + 1].day - 1 if end + 1 < len(values) else period[1]
        else:
            start_day, end_day = value.day, values[end].day
        best = max(best, int(end_day - start_day) + 1)
    return best


SCORES: dict[str, Callable[[ClinicalRecord], Iterator[Score]]] = {
    "car-hematotox": car_hematotox,
    "easix": easix,
    "m-easix": modified_easix,
    "icans-by-ice": icans_by_ice,
    "t-icaht": t_icaht,
}
"""Each score, by the name that asks for it."""


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
    return "; ".join(f"{value.variable} {value.value:g} {value.unit} (day {value.day:g})" for value in values)
