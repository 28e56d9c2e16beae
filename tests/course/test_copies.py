"""Transgene copies per volume, and how they go with the cells of the same tube."""

from __future__ import annotations

import pytest

from cytocar.counting.limits import CarResult
from cytocar.course.clinical import ClinicalRecord, ClinicalValue
from cytocar.course.copies import copies_beside_cells, copies_correlations, copies_per_ul
from cytocar.course.series import Course, CoursePoint
from cytocar.statistics.estimate import Estimate


def test_5000_copies_at_5000_leukocytes_are_165_per_ul() -> None:
    assert copies_per_ul(5000, 5000) == pytest.approx(165)


def value(variable: str, day: float, number: float, unit: str) -> ClinicalValue:
    return ClinicalValue("P1", day, variable, number, unit)


@pytest.mark.parametrize(
    ("copies", "lod", "verdict"),
    [(5000, 200, "no contradiction"), (5000, 10, "above the tube's limit of detection"), (0, 10, "both negative")],
)
def test_copies_without_cells_are_judged_by_the_tubes_limit(copies: float, lod: float, verdict: str) -> None:
    point = CoursePoint("P1", 9, "d9", car_result=CarResult.NOT_DETECTED, car_lod_per_ul=lod)
    record = ClinicalRecord((value("transgene", 9, copies, "copies/ug"), value("wbc", 9, 5000, "/uL")))
    (found,) = copies_beside_cells(Course("P1", (point,)), record)
    assert verdict in found.verdict


def test_copies_per_car_cell_take_the_cells_of_the_same_day() -> None:
    point = CoursePoint("P1", 9, "d9", car_result=CarResult.QUANTIFIED, car_per_ul=Estimate(82.5, 80, 85))
    record = ClinicalRecord((value("transgene", 9, 5000, "copies/ug"), value("wbc", 10, 5000, "/uL")))
    (found,) = copies_beside_cells(Course("P1", (point,)), record)
    assert found.copies_per_car_cell == pytest.approx(2)
    assert found.verdict == "both positive"


def at(day: float, per_ul: float, *, lod: float = 1.0) -> CoursePoint:
    result = CarResult.QUANTIFIED if per_ul else CarResult.NOT_DETECTED
    return CoursePoint("P1", day, f"d{day}", car_result=result, car_per_ul=Estimate(per_ul, 0, 0), car_lod_per_ul=lod)


def pcr(day: float, copies: float, bound: str = "") -> tuple[ClinicalValue, ClinicalValue]:
    return (ClinicalValue("P1", day, "transgene", copies, "copies/ug", bound), value("wbc", day, 5000, "/uL"))


def test_copies_per_cell_of_the_subject_bring_copies_to_the_tubes_limit() -> None:
    """165 copies/µL would be 165 cells of one copy, above the limit of 100; of three copies each they are 55."""
    points = (at(9, 55), at(30, 0, lod=100))
    record = ClinicalRecord((*pcr(9, 5000), *pcr(30, 5000)))
    _, late = copies_beside_cells(Course("P1", points), record)
    assert "no contradiction" in late.verdict
    (alone,) = copies_beside_cells(Course("P1", points[1:]), ClinicalRecord(pcr(30, 5000)))
    assert "above the tube's limit" in alone.verdict


@pytest.mark.parametrize(("cells", "verdict"), [(1.0, "fewer than the limit of the PCR"), (40.0, "look at the gate")])
def test_cells_without_copies_are_judged_by_the_limit_of_the_pcr(cells: float, verdict: str) -> None:
    (found,) = copies_beside_cells(Course("P1", (at(9, cells),)), ClinicalRecord(pcr(9, 100, "<")))  # 3.3 copies/µL
    assert verdict in found.verdict
    assert (found.copies_bound, found.copies_per_car_cell) == ("<", None)


def test_copies_and_cells_are_correlated_with_values_below_limits_as_such() -> None:
    points = (at(5, 20), at(9, 300), at(28, 4), at(91, 0), at(182, 0))
    pcrs = (*pcr(5, 900), *pcr(9, 20000), *pcr(28, 200), *pcr(91, 50, "<"), *pcr(182, 50, "<"))
    own = copies_beside_cells(Course("P1", points), ClinicalRecord(pcrs))
    (found,) = copies_correlations({"P1": own})
    assert (found.tau, found.n_pairs, found.n_below_limit, found.p) == (1.0, 5, 2, None)
    assert list(copies_correlations({"P1": own[:3]})) == []  # too few
    six = list(copies_correlations({f"P{n}": own for n in range(6)}))[-1]
    assert (six.subject_id, six.tau, six.n_pairs) == ("", 1.0, 30)
    assert six.p == pytest.approx(2 / 2**6)  # six signs alike
