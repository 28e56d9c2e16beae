"""Calculated scores against the published point tables."""

from __future__ import annotations

import pytest

from cytocar.course.clinical import ClinicalRecord, ClinicalValue, Intervention
from cytocar.course.scores import SCORES, SOURCES, car_hematotox, easix, modified_easix, scores_of
from cytocar.course.units import VARIABLES

HEALTHY = {"platelets": 250.0, "ferritin": 100.0, "anc": 3000.0, "haemoglobin": 140.0, "crp": 1.0}


def record(values: dict[str, float], day: float = -6, *, drugs: tuple[Intervention, ...] = ()) -> ClinicalRecord:
    return ClinicalRecord(
        tuple(ClinicalValue("P1", day, name, value, VARIABLES[name].unit) for name, value in values.items()), drugs
    )


def hematotox(**changed: float) -> float | None:
    (score,) = car_hematotox(record(HEALTHY | changed))
    return score.value


@pytest.mark.parametrize(
    ("variable", "value", "points"),
    [
        ("platelets", 176, 0),
        ("platelets", 175, 1),
        ("platelets", 75, 1),
        ("platelets", 74, 2),
        ("ferritin", 649, 0),
        ("ferritin", 650, 1),
        ("ferritin", 2000, 1),
        ("ferritin", 2001, 2),
        ("anc", 1201, 0),
        ("anc", 1199, 1),
        ("haemoglobin", 91, 0),
        ("haemoglobin", 89, 1),
        ("crp", 29, 0),
        ("crp", 31, 1),
    ],
)
def test_each_variable_of_car_hematotox_gives_its_points(variable: str, value: float, points: int) -> None:
    assert hematotox(**{variable: value}) == points


def test_car_hematotox_reaches_seven() -> None:
    assert hematotox(platelets=10, ferritin=9000, anc=100, haemoglobin=70, crp=200) == 7


def test_the_case_scores_two_for_its_ferritin() -> None:
    (score,) = car_hematotox(record(HEALTHY | {"ferritin": 2598, "crp": 19.5}))
    assert (score.value, score.category) == (2, "high")
    assert "ferritin 2598 ug/L (day -6)" in score.inputs


def test_values_after_lymphodepletion_do_not_count() -> None:
    drugs = (Intervention("P1", "Fludarabine", -4, -2, 25, "mg/m2"),)
    late = record(HEALTHY, day=-3, drugs=drugs)
    (score,) = car_hematotox(late)
    assert score.value is None
    assert score.note == "no value by day -4: platelets, ferritin, anc, haemoglobin, crp"
    early = record(HEALTHY, day=-5, drugs=drugs)
    both = ClinicalRecord(early.values + late.values, drugs)
    (score,) = car_hematotox(ClinicalRecord(tuple(sorted(both.values, key=lambda v: v.day)), drugs))
    assert score.day == -5


def test_a_missing_variable_is_named_and_nothing_imputed() -> None:
    values = {name: value for name, value in HEALTHY.items() if name != "ferritin"}
    (score,) = car_hematotox(record(values))
    assert (score.value, score.note) == (None, "no value by day 0: ferritin")


def test_easix_divides_by_the_platelets_of_the_same_day() -> None:
    (score,) = easix(record({"ldh": 400, "creatinine": 1.2, "platelets": 60}, day=3))
    assert score.value == pytest.approx(8)
    assert score.day == 3


def test_modified_easix_takes_crp_in_mg_per_dl() -> None:
    (score,) = modified_easix(record({"ldh": 400, "crp": 30, "platelets": 60}, day=3))
    assert score.value == pytest.approx(20)  # 30 mg/L is 3 mg/dL


def test_a_day_that_lacks_a_variable_has_no_easix() -> None:
    (score,) = easix(record({"ldh": 400, "platelets": 60}))
    assert (score.value, score.note) == (None, "no day with ldh, creatinine, platelets")


def test_no_platelets_give_no_quotient() -> None:
    (score,) = easix(record({"ldh": 400, "creatinine": 1.0, "platelets": 0}))
    assert (score.value, score.note) == (None, "platelets are 0")


@pytest.mark.parametrize("name", SCORES)
def test_every_score_of_nobody_is_nothing(name: str) -> None:
    assert list(SCORES[name](ClinicalRecord())) == []


def entered(variable: str, unit: str, *pairs: tuple[float, float]) -> ClinicalRecord:
    return ClinicalRecord(tuple(ClinicalValue("P1", day, variable, value, unit) for day, value in pairs))


def test_ice_scores_give_the_grade_that_the_score_alone_decides() -> None:
    record = entered("ice", "points", (5, 10), (6, 8), (7, 3), (8, 2), (9, 0))
    assert [score.value for score in SCORES["icans-by-ice"](record)] == [0, 1, 2, 3, 3]


def test_thrombocytopenia_is_graded_by_the_days_below_with_bounds_for_missing_days() -> None:
    early, late = SCORES["t-icaht"](entered("platelets", "G/L", (3, 90), (8, 45), (10, 40), (20, 120), (60, 80)))
    assert (early.value, early.note) == (1, "up to grade 2 with the days that were not measured")
    assert (late.value, late.note) == (1, "one test below; the definition asks for two or more")
    (deep, _) = SCORES["t-icaht"](entered("platelets", "G/L", *((day, 15) for day in range(5, 19))))
    assert deep.value == 4


def test_days_of_thrombocytopenia_are_added_up_over_several_falls() -> None:
    falls = [(day, 40) for day in (5, 6, 7, 15, 16, 17, 18)]
    (early, _) = SCORES["t-icaht"](entered("platelets", "G/L", *falls, (8, 60), (14, 60), (19, 60)))
    assert (early.value, early.note) == (2, "")


def every_day(value: float, first: int = 0, last: int = 30) -> list[tuple[float, float]]:
    return [(day, value) for day in range(first, last + 1)]


@pytest.mark.parametrize(
    ("values", "grade"),
    [
        (every_day(501), 0),
        ([*every_day(800, 0, 4), *every_day(500, 5, 10), *every_day(800, 11)], 1),
        ([*every_day(800, 0, 4), *every_day(500, 5, 11), *every_day(800, 12)], 2),
        ([*every_day(800, 0, 4), *every_day(500, 5, 18), *every_day(800, 19)], 3),
        (every_day(500), 4),
        ([*every_day(800, 0, 4), *every_day(100, 5, 11), *every_day(800, 12)], 3),
        ([*every_day(800, 0, 4), *every_day(100, 5, 18), *every_day(800, 19)], 4),
    ],
)
def test_early_neutropenia_is_graded_by_depth_and_days(values: list[tuple[float, float]], grade: int) -> None:
    early, late = SCORES["icaht"](entered("anc", "/uL", *values))
    assert (early.score, early.value, early.note) == ("ICAHT early", grade, "")
    assert (late.value, late.note) == (None, "no anc from day 31 to 100")


@pytest.mark.parametrize(
    ("days_above", "grade", "note"),
    [(2, 3, ""), (3, 2, "grade 3 if the days of all falls are added up")],
)
def test_a_recovery_of_fewer_than_three_days_is_none(days_above: int, grade: int, note: str) -> None:
    second = 13 + days_above
    falls = [*every_day(400, 5, 12), *every_day(400, second, second + 7)]
    between = [*every_day(800, 0, 4), *every_day(800, 13, 12 + days_above), *every_day(800, second + 8)]
    early, _ = SCORES["icaht"](entered("anc", "/uL", *falls, *between))
    assert (early.value, early.note) == (grade, note)


@pytest.mark.parametrize(("anc", "grade"), [(1501, 0), (1500, 1), (1000, 2), (500, 3), (100, 4)])
def test_late_neutropenia_is_graded_by_depth(anc: float, grade: int) -> None:
    _, late = SCORES["icaht"](entered("anc", "/uL", (40, anc), (50, anc)))
    assert (late.value, late.note) == (grade, "")


def test_unmeasured_days_bound_the_grade_of_neutropenia() -> None:
    early, _ = SCORES["icaht"](entered("anc", "/uL", (0, 900), (6, 400), (9, 300), (21, 900)))
    assert (early.value, early.note) == (1, "up to grade 3 with the days that were not measured")


def test_a_value_below_a_limit_of_the_analyser_is_below_that_limit() -> None:
    low = ClinicalRecord(tuple(ClinicalValue("P1", day, "platelets", 20, "G/L", "<") for day in (8, 9)))
    assert [score.value for score in SCORES["t-icaht"](low)] == [3, None]


def test_the_highest_grade_of_each_period_is_told_with_its_day() -> None:
    values = [("crs_grade", 0, 2), ("crs_grade", 3, 3), ("icans_grade", 7, 4), ("icans_grade", 40, 1), ("ice", 6, 5)]
    own = ClinicalRecord(tuple(ClinicalValue("P1", d, name, v, VARIABLES[name].unit) for name, d, v in values))
    found = {score.score: (score.day, score.value) for score in SCORES["highest-grades"](own)}
    assert found == {
        "highest CRS grade, early": (3, 3),
        "highest ICANS grade, early": (7, 4),
        "highest ICANS grade, late": (40, 1),
        "highest ICANS by ICE, early": (6, 2),
    }


def test_every_score_names_its_source() -> None:
    assert SOURCES.keys() == SCORES.keys()
    found = scores_of(("icaht", "t-icaht"), entered("anc", "/uL", (5, 300)))
    assert {score.source for score in found} == {SOURCES["icaht"], SOURCES["t-icaht"]}
