"""A course as other programs take it: NONMEM, REDCap, SDTM domains PC and CP, and CIBMTR's dates.

Each form keeps the published rules of its program; ``tests/course/test_exchange_rules.py`` reads every line by them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from enum import StrEnum

from msgspec import Struct, field

from cytocar.counting.limits import CarResult
from cytocar.course.series import Course, CoursePoint
from cytocar.course.subjects import Subjects
from cytocar.sample.result import Status
from cytocar.sheet.tube import Specimen
from cytocar.tables.columns import Column, Row, Value, parse_columns


class Study(Struct, frozen=True):
    """What a form asks besides the course: the study's name, the subjects, the specimen."""

    name: str = ""
    subjects: Subjects = field(default_factory=Subjects)
    specimen: Specimen = Specimen.BLOOD

    def date_of(self, subject_id: str, day: float) -> date | None:
        """Return the date of a day after the first infusion, where that is known."""
        subject = self.subjects.by_id.get(subject_id)
        first = subject.first_infused if subject else None
        return None if first is None else first + timedelta(days=int(day // 1))


_BELOW = frozenset({CarResult.BELOW_LLOQ, CarResult.NOT_DETECTED})

NONMEM = parse_columns("""
ID    int -        | number of the subject, in order of SUBJ
SUBJ  str -        | pseudonym without blanks and commas, at which NONMEM would split; drop it in $INPUT
TIME  num days     | days from infusion
AMT   num cells    | CAR-T cells infused, on the record of the dose
DV    num cells/µL | CAR-T cells per µL; below the limit the limit itself
CENS  int -        | 1 where the value lies below DV
LIMIT num cells/µL | lower end of what is censored: 0
MDV   int -        | 1 where there is no observation
EVID  int -        | 1 dose, 2 infusion of an unknown dose, 0 observation
LLOQ  num cells/µL | lower limit of quantification of the sample
""")
REDCAP_INSTRUMENT = "cart_count"
REDCAP = parse_columns("""
record_id                str -        | pseudonym of the person
redcap_repeat_instrument str -        | cart_count
redcap_repeat_instance   int -        | number of the draw
cart_day                 num days     | days from infusion
cart_per_ul              num cells/µL | CAR-T cells per µL; empty below the limit
cart_result              str -        | quantified, below_lloq, not_detected, not_evaluable
cart_lloq_per_ul         num cells/µL | lower limit of quantification of the sample
cart_percent_of_t        num %        | CAR+ in percent of T cells
cart_cd4_cd8             num -        | CD4+ to CD8+ CAR-T cells
cart_status              str -        | ok, review, no_count, failed, excluded
""")
REDCAP_DICTIONARY = tuple(
    Column(name, "string", "", "column of REDCap's data dictionary, as it is uploaded")
    for name in (
        "Variable / Field Name", "Form Name", "Section Header", "Field Type", "Field Label",
        "Choices, Calculations, OR Slider Labels", "Field Note", "Text Validation Type OR Show Slider Number",
        "Text Validation Min", "Text Validation Max", "Identifier?", "Branching Logic (Show field only if...)",
        "Required Field?", "Custom Alignment", "Question Number (surveys only)", "Matrix Group Name",
        "Matrix Ranking?", "Field Annotation",
    )
)  # fmt: skip
"""The eighteen columns that REDCap asks for, in its order."""
_REDCAP_CHOICES: Mapping[str, type[StrEnum]] = {"cart_result": CarResult, "cart_status": Status}


def _sdtm(domain: str, markers: str = "") -> tuple[Column, ...]:
    return parse_columns(f"""
    STUDYID str - | study, of --study
    DOMAIN str - | {domain}
    USUBJID str - | study and pseudonym of the person
    {domain}SEQ int - | number of the record within the person
    {domain}TESTCD str - | short name of the test
    {domain}TEST str - | name of the test{markers}
    {domain}ORRES str - | result as reported
    {domain}ORRESU str - | its unit: 10^6/L is cells/µL in CDISC's words
    {domain}STRESC str - | result in standard form, as text
    {domain}STRESN num - | result as a number; empty below the limit
    {domain}STRESU str - | its unit
    {domain}STAT str - | NOT DONE where there is no result
    {domain}REASND str - | why
    {domain}NAM str - | laboratory; yours to fill in
    {domain}SPEC str - | specimen
    {domain}METHOD str - | FLOW CYTOMETRY
    {domain}LLOQ num cells/µL | lower limit of quantification
    VISITNUM num - | planned visit; yours to fill in
    {domain}DTC str - | date of the draw, ISO 8601, where subjects.csv has the date of infusion
    {domain}DY int days | study day: the day of infusion is day 1, there is no day 0
    """)


SDTM_PC = _sdtm("PC")
SDTM_CP = _sdtm("CP", "\nCPMRKSTR str - | markers that define the population; yours to fill in")
CIBMTR = parse_columns("""
subject_id str -    | pseudonym of the person
from_day   num days | first day of the reporting period
to_day     num days | last day of the reporting period
detected   str -    | yes where any test of the period was positive, no where all were negative
day        num days | last positive test, or the first negative one where all are
n_tests    int -    | tests of the period with a result
date       str -    | that day as a date, where subjects.csv has the date of infusion
""")
FIRST_PERIODS = ((0.0, 100.0), (100.0, 183.0), (183.0, 365.0))
"""Reporting periods: 100 days, 6 months, 1 year, then each year; a day on a border belongs to the earlier one."""
_DAYS_PER_YEAR = 365.0
"""As the periods are written in days: leap days do not move a border by more than one."""
CELLS_PER_UL = "10^6/L"
"""CDISC's term for cells/µL (codelist UNIT, C71620; an example of SDTMIG 3.4 in CP). ``/uL`` is none of its terms."""


def nonmem(courses: Sequence[Course], study: Study) -> Iterator[Row]:
    """Yield doses and observations in order of time; a value below the limit lies between LIMIT, 0, and DV, the limit.

    CENS and LIMIT are read so by Monolix and nlmixr2 (M4; without LIMIT M3), and are for $ERROR in NONMEM. An infusion
    of which no dose is known is another event (EVID 2): NONMEM refuses a dose of nothing.
    """
    for number, course in enumerate(courses, start=1):
        base: dict[str, Value] = {"ID": number, "SUBJ": re.sub(r"[^\w.+-]", "_", course.subject_id)}
        rows = [*_doses(course, study.subjects), *map(_observation, _after_infusion(course))]
        yield from (base | row for row in sorted(rows, key=lambda row: (row["TIME"], not row["EVID"])))


def _doses(course: Course, subjects: Subjects) -> Iterator[dict[str, Value]]:
    subject = subjects.by_id.get(course.subject_id)
    dose = subject.cells.get("dose_car_t", "").replace(",", ".") if subject else ""
    for place, day in enumerate(subject.infusion_days if subject else (0.0,)):
        amount = float(dose) if dose and place == 0 else None
        yield {"TIME": day, "AMT": amount, "MDV": 1, "EVID": 1 if amount else 2, "CENS": 0}


def _after_infusion(course: Course) -> list[CoursePoint]:
    return [point for point in course.points if point.day >= 0 and point.has_car_gate]


def _observation(point: CoursePoint) -> dict[str, Value]:
    value, below = _observed(point)
    return {
        "TIME": point.day,
        "DV": value,
        "CENS": int(below),
        "LIMIT": 0.0 if below else None,
        "MDV": int(value is None),
        "EVID": 0,
        "LLOQ": point.car_lloq_per_ul,
    }


def _observed(point: CoursePoint) -> tuple[float | None, bool]:
    """Return the value and whether it is a limit: that of detection where nothing was seen."""
    if point.quantified:
        return point.car_per_ul.value, False
    limit = point.car_lod_per_ul if point.car_result is CarResult.NOT_DETECTED else point.car_lloq_per_ul
    return (limit, True) if point.car_result in _BELOW and limit else (None, False)


def redcap(courses: Sequence[Course], _study: Study) -> Iterator[Row]:
    """Yield a repeating instrument with one instance a draw."""
    for course in courses:
        for number, point in enumerate(course.points, start=1):
            yield {
                "record_id": course.subject_id,
                "redcap_repeat_instrument": REDCAP_INSTRUMENT,
                "redcap_repeat_instance": number,
                "cart_day": point.day,
                "cart_per_ul": point.car_per_ul.value if point.quantified else None,
                "cart_result": point.car_result,
                "cart_lloq_per_ul": point.car_lloq_per_ul,
                "cart_percent_of_t": point.car_percent_of_t_cells,
                "cart_cd4_cd8": point.car_cd4_cd8_ratio.value if point.quantified else None,
                "cart_status": point.status,
            }


def redcap_dictionary(_courses: Sequence[Course], _study: Study) -> Iterator[Row]:
    """Yield the fields of the instrument ``cart_count``: upload them first, then set it to repeat, then import.

    ``record_id`` stands in a form before it, as REDCap has it; skip it where the project has one.
    """
    for column in REDCAP:
        if column.name.startswith("redcap_"):
            continue
        words = _REDCAP_CHOICES.get(column.name)
        own = "number" if column.type == "number" else ""
        values = ["" for _ in REDCAP_DICTIONARY]
        values[0], values[1] = column.name, "subject" if column.name == "record_id" else REDCAP_INSTRUMENT
        values[3], values[4], values[6] = "dropdown" if words else "text", column.meaning, column.unit
        values[5] = " | ".join(f"{word}, {word.replace('_', ' ')}" for word in words) if words else ""
        values[7] = own
        yield {key.name: value for key, value in zip(REDCAP_DICTIONARY, values, strict=True)}


_CART = ("CART", "CAR-T Cells")


def sdtm_pc(courses: Sequence[Course], study: Study) -> Iterator[Row]:
    """Yield the domain of concentrations: one record of CAR-T cells/µL a draw."""
    for course in courses:
        stained = [point for point in course.points if point.has_car_gate]
        for number, point in enumerate(stained, start=1):
            yield _sdtm_row("PC", number, point, _CART, study)


def sdtm_cp(courses: Sequence[Course], study: Study) -> Iterator[Row]:
    """Yield the domain of cell phenotypes: CAR-T cells and every population of each draw that has a concentration.

    Beads, and whatever else is never counted per volume, are no phenotype.
    """
    held = ((name, count) for course in courses for point in course.points for name, count in point.populations.items())
    names = list(dict.fromkeys(name for name, count in held if count.per_ul.value is not None))
    tests = _tests(names)
    for course in courses:
        number = 0
        for point in course.points:
            own_names = [name for name in point.populations if name in tests]
            for name in ("", *own_names) if point.has_car_gate else own_names:
                number += 1
                own = point if not name else point.of_population(name)
                yield _sdtm_row("CP", number, own, tests[name] if name else _CART, study)


def _tests(names: Sequence[str]) -> Mapping[str, tuple[str, str]]:
    """Return a short name of up to 8 letters for each population, each its own, and a name of up to 40.

    Examples
    --------
    >>> _tests(["lymphocytes", "lymphocyte_scatter", "7aad_low"])["lymphocyte_scatter"]
    ('LYMPHOC2', 'lymphocyte_scatter')
    """
    short: dict[str, tuple[str, str]] = {}
    taken = {_CART[0]}
    for name in names:
        letters = re.sub(r"[^A-Z0-9]", "", name.upper()) or "CELLS"
        first = code = (letters if letters[0].isalpha() else f"P{letters}")[:8]
        number = 1
        while code in taken:
            number += 1
            code = f"{first[: 8 - len(str(number))]}{number}"
        taken.add(code)
        short[name] = (code, name if len(name) <= 40 else f"{name[:31]} {code}")
    return short


_NOT_DONE = {Status.FAILED: "not counted: the file failed", Status.EXCLUDED: "excluded"}
SPECIMENS = {Specimen.MARROW: "BONE MARROW", Specimen.CSF: "CEREBROSPINAL FLUID"}
"""Where CDISC's word is not the sheet's."""


def _sdtm_row(domain: str, number: int, point: CoursePoint, test: tuple[str, str], study: Study) -> Row:
    value, below = _observed(point)
    text = "" if value is None else f"<{value:.4g}" if below else f"{value:.6g}"
    day = int(point.day // 1)
    drawn = study.date_of(point.subject_id, point.day)
    row: dict[str, Value] = {
        "STUDYID": study.name,
        "DOMAIN": domain,
        "USUBJID": f"{study.name}-{point.subject_id}" if study.name else point.subject_id,
        f"{domain}SEQ": number,
        f"{domain}TESTCD": test[0],
        f"{domain}TEST": test[1],
        f"{domain}ORRES": text,
        f"{domain}ORRESU": CELLS_PER_UL if text else "",
        f"{domain}STRESC": text,
        f"{domain}STRESN": None if below else value,
        f"{domain}STRESU": CELLS_PER_UL if text else "",
        f"{domain}STAT": "" if text else "NOT DONE",
        f"{domain}REASND": "" if text else _NOT_DONE.get(point.status, "no cells/uL"),
        f"{domain}SPEC": SPECIMENS.get(study.specimen, study.specimen.value.upper()),
        f"{domain}METHOD": "FLOW CYTOMETRY",
        f"{domain}LLOQ": point.car_lloq_per_ul,
        f"{domain}DTC": drawn.isoformat() if drawn else "",
        f"{domain}DY": day + 1 if day >= 0 else day,
    }
    return row


def cibmtr(courses: Sequence[Course], study: Study) -> Iterator[Row]:
    """Yield for each period whether CAR-T cells were detected, and the day that CIBMTR's form asks for.

    All tests of the period negative: the first negative one; else the last positive one.
    """
    for course in courses:
        for start, end in _periods(max((point.day for point in course.points), default=0.0)):
            own = [p for p in course.points if (start < p.day <= end) or (start == 0 == p.day)]
            tested = [p for p in own if p.car_result is not CarResult.NOT_EVALUABLE]
            positive = [p.day for p in tested if p.car_result is not CarResult.NOT_DETECTED]
            if tested:
                day = max(positive) if positive else min(p.day for p in tested)
                date = study.date_of(course.subject_id, day)
                yield {
                    "subject_id": course.subject_id,
                    "from_day": start,
                    "to_day": end,
                    "detected": "yes" if positive else "no",
                    "day": day,
                    "n_tests": len(tested),
                    "date": date.isoformat() if date else "",
                }


def _periods(last_day: float) -> Iterator[tuple[float, float]]:
    yield from FIRST_PERIODS
    start = FIRST_PERIODS[-1][1]
    while start < last_day:
        yield start, start + _DAYS_PER_YEAR
        start += _DAYS_PER_YEAR


EXCHANGE: dict[str, tuple[tuple[Column, ...], Callable[[Sequence[Course], Study], Iterator[Row]]]] = {
    "nonmem": (NONMEM, nonmem),
    "redcap": (REDCAP, redcap),
    "redcap-dictionary": (REDCAP_DICTIONARY, redcap_dictionary),
    "sdtm-pc": (SDTM_PC, sdtm_pc),
    "sdtm-cp": (SDTM_CP, sdtm_cp),
    "cibmtr": (CIBMTR, cibmtr),
}
"""Each form by the name that asks for it: its columns, and what yields its lines."""
