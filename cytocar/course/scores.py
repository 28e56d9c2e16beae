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


SCORES: dict[str, Callable[[ClinicalRecord], Iterator[Score]]] = {
    "car-hematotox": car_hematotox,
    "easix": easix,
    "m-easix": modified_easix,
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
