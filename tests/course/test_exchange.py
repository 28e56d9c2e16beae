"""A course for other programs: censoring, study days, reporting periods."""

from __future__ import annotations

from cytocar.counting.limits import CarResult
from cytocar.course.exchange import EXCHANGE, cibmtr, nonmem, redcap, sdtm_cp, sdtm_pc
from cytocar.course.series import Course, CoursePoint
from cytocar.course.subjects import Subject, Subjects
from cytocar.statistics.estimate import Estimate


def point(day: float, per_ul: float, result: CarResult = CarResult.QUANTIFIED) -> CoursePoint:
    return CoursePoint(
        "P1", day, f"d{day:g}", car_result=result, car_per_ul=Estimate(per_ul, None, None),
        car_lod_per_ul=0.3, car_lloq_per_ul=0.5,
    )  # fmt: skip


COURSE = [
    Course(
        "P1",
        (
            point(-5, 0, CarResult.NOT_DETECTED),
            point(0, 0, CarResult.NOT_DETECTED),
            point(9, 1064),
            point(91, 0.4, CarResult.BELOW_LLOQ),
            point(150, 0, CarResult.NOT_DETECTED),
            point(180, 0, CarResult.NOT_DETECTED),
        ),
    )
]
NOBODY = Subjects()


def test_nonmem_has_the_dose_and_censors_at_the_limit() -> None:
    subject = Subject("P1", {"dose_car_t": "3.9e8"})
    dose, before, peak, low, *_ = nonmem(COURSE, Subjects((), (subject,), {"P1": subject}))
    assert (dose["EVID"], dose["AMT"], dose["MDV"]) == (1, 3.9e8, 1)
    assert (before["TIME"], before["DV"], before["CENS"], before["LIMIT"]) == (0, 0.3, 1, 0)
    assert (peak["DV"], peak["CENS"], peak["MDV"]) == (1064, 0, 0)
    assert (low["DV"], low["CENS"], low["LLOQ"]) == (0.5, 1, 0.5)


def test_sdtm_has_no_day_0_and_keeps_what_is_below_the_limit_as_text() -> None:
    rows = list(sdtm_pc(COURSE, NOBODY))
    assert [row["PCDY"] for row in rows] == [-5, 1, 10, 92, 151, 181]
    assert (rows[3]["PCORRES"], rows[3]["PCSTRESN"], rows[3]["PCLLOQ"]) == ("<0.5", None, 0.5)
    assert (rows[2]["PCORRES"], rows[2]["PCSTRESN"]) == ("1064", 1064)
    assert next(iter(sdtm_cp(COURSE, NOBODY)))["CPTESTCD"] == "CART"


def test_redcap_numbers_the_draws_of_each_person() -> None:
    assert [row["redcap_repeat_instance"] for row in redcap(COURSE, NOBODY)] == [1, 2, 3, 4, 5, 6]


def test_cibmtr_takes_the_last_positive_or_the_first_negative_day() -> None:
    found = [(row["to_day"], row["detected"], row["day"]) for row in cibmtr(COURSE, NOBODY)]
    assert found == [(100, "yes", 91), (183, "no", 150)]


def test_every_line_has_only_columns_of_its_form() -> None:
    for columns, lines in EXCHANGE.values():
        names = {column.name for column in columns}
        for row in lines(COURSE, NOBODY):
            assert set(row) <= names
