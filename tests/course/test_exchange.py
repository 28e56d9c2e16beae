"""A course for other programs: censoring, study days, reporting periods."""

from __future__ import annotations

from datetime import date

from cytocar.counting.limits import CarResult
from cytocar.course.draws import CellCount
from cytocar.course.exchange import EXCHANGE, Study, cibmtr, nonmem, redcap, sdtm_cp, sdtm_pc
from cytocar.course.series import Course, CoursePoint
from cytocar.course.subjects import Subject, Subjects
from cytocar.sheet.tube import Specimen
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
NOBODY = Study()


def test_nonmem_has_the_dose_and_censors_at_the_limit() -> None:
    subject = Subject("P1", {"dose_car_t": "3.9e8"})
    dose, before, peak, low, *_ = nonmem(COURSE, Study(subjects=Subjects((), (subject,), {"P1": subject})))
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


def test_a_period_is_never_dropped_for_being_late_and_days_are_dates_where_the_infusion_is() -> None:
    later = [Course("P1", (point(100, 3), point(101, 2), point(1500, 1), point(1825, 0, CarResult.NOT_DETECTED)))]
    subject = Subject("P1", {}, (0.0,), date(2024, 3, 5))
    rows = list(cibmtr(later, Study(subjects=Subjects((), (subject,), {"P1": subject}))))
    found = [(row["from_day"], row["to_day"], row["detected"], row["day"]) for row in rows]
    assert found == [(0, 100, "yes", 100), (100, 183, "yes", 101), (1460, 1825, "yes", 1500)]
    assert [row["date"] for row in rows] == ["2024-06-13", "2024-06-14", "2028-04-13"]
    assert rows[-1]["n_tests"] == 2


def test_nonmem_takes_events_in_order_of_time_and_no_dose_of_nothing() -> None:
    subject = Subject("P1", {"dose_car_t": "3.9e8"}, (0.0, 120.0))
    rows = list(nonmem(COURSE, Study(subjects=Subjects((), (subject,), {"P1": subject}))))
    assert [row["TIME"] for row in rows] == [0, 0, 9, 91, 120, 150, 180]
    assert [(row["TIME"], row["EVID"], row["AMT"]) for row in rows if row["EVID"]] == [(0, 1, 3.9e8), (120, 2, None)]
    assert next(row["EVID"] for row in nonmem(COURSE, NOBODY)) == 2  # no dose is known


def test_sdtm_names_study_specimen_and_date() -> None:
    subject = Subject("P1", {}, (0.0,), date(2024, 3, 5))
    study = Study("ABC-1", Subjects((), (subject,), {"P1": subject}), Specimen.MARROW)
    before, _, peak, *_ = sdtm_pc(COURSE, study)
    assert (peak["STUDYID"], peak["USUBJID"], peak["PCSPEC"]) == ("ABC-1", "ABC-1-P1", "BONE MARROW")
    assert (before["PCDTC"], peak["PCDTC"], peak["PCDY"]) == ("2024-02-29", "2024-03-14", 10)
    plain = next(iter(sdtm_pc(COURSE, NOBODY)))
    assert (plain["STUDYID"], plain["USUBJID"], plain["PCSPEC"], plain["PCDTC"]) == ("", "P1", "BLOOD", "")


def test_two_populations_never_share_a_test_code() -> None:
    names = ("lymphocytes", "lymphocyte_scatter", "lymphocyte_scatter_2", "7aad_low", "cart")
    one = CoursePoint("P1", 9, "d9", populations={name: CellCount(30, Estimate(3, 2, 4), 10.0) for name in names})
    rows = list(sdtm_cp([Course("P1", (one,))], NOBODY))
    codes = [row["CPTESTCD"] for row in rows]
    assert len(set(codes)) == len(codes) == 6
    assert all(str(code).isalnum() and str(code)[0].isalpha() and len(str(code)) <= 8 for code in codes)


def test_a_draw_without_a_car_stain_is_no_car_t_record() -> None:
    other = CoursePoint(
        "P1", 30, "b", has_car_gate=False, populations={"b_cells": CellCount(30, Estimate(3, 2, 4), 10.0)}
    )
    assert list(sdtm_pc([Course("P1", (other,))], NOBODY)) == []
    assert [row["CPTESTCD"] for row in sdtm_cp([Course("P1", (other,))], NOBODY)] == ["BCELLS"]


def test_every_line_has_only_columns_of_its_form() -> None:
    for columns, lines in EXCHANGE.values():
        names = {column.name for column in columns}
        for row in lines(COURSE, NOBODY):
            assert set(row) <= names
