"""Transgene copies per volume, and how they go with the cells of the same tube."""

from __future__ import annotations

import pytest

from cytocar.counting.limits import CarResult
from cytocar.course.clinical import ClinicalRecord, ClinicalValue
from cytocar.course.copies import copies_beside_cells, copies_per_ul
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
