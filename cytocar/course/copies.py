"""Transgene copies beside CAR-T cells: copies/µg DNA brought to copies/µL of blood through the leukocytes.

A leukocyte holds 6.6 pg of DNA: copies/µL = copies/µg x leukocytes/µL x 6.6e-6 µg. Both methods are then per volume and
can be laid beside each other; how many copies a CAR-T cell holds is their ratio.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from cytocar.counting.limits import CarResult
from cytocar.course.clinical import ClinicalRecord
from cytocar.course.series import Course

DNA_UG_PER_CELL = 6.6e-6
"""A diploid human cell (IJMS 2024;25:2673)."""
NEAREST_DAYS = 1.0
"""Leukocytes and cells are taken from the nearest day within one of the PCR's."""


@dataclass(frozen=True, slots=True)
class Copies:
    """One PCR of one day; ``verdict`` says how it goes with the cells that were counted."""

    subject_id: str
    day: float
    copies_per_ug: float
    wbc_per_ul: float | None
    copies_per_ul: float | None
    car_per_ul: float | None
    copies_per_car_cell: float | None
    verdict: str


def copies_per_ul(copies_per_ug: float, wbc_per_ul: float) -> float:
    """Return copies per µL of blood.

    Examples
    --------
    >>> round(copies_per_ul(5000, 5000), 6)
    165.0
    """
    return copies_per_ug * wbc_per_ul * DNA_UG_PER_CELL


def copies_beside_cells(course: Course, record: ClinicalRecord) -> Iterator[Copies]:
    """Yield each transgene value of a subject beside the leukocytes and CAR-T cells of its day."""
    leukocytes = {value.day: value.value for value in record.series("wbc") if not value.bound}
    points = {point.day: point for point in course.points if point.has_car_gate}
    for value in record.series("transgene"):
        wbc = leukocytes.get(_nearest(leukocytes, value.day))
        per_ul = copies_per_ul(value.value, wbc) if wbc else None
        point = points.get(_nearest(points, value.day))
        result = point.car_result if point else CarResult.NOT_EVALUABLE
        cells = point.car_per_ul.value if point and point.quantified else None
        limit = point.car_lod_per_ul if point else None
        yield Copies(
            subject_id=course.subject_id,
            day=value.day,
            copies_per_ug=value.value,
            wbc_per_ul=wbc,
            copies_per_ul=per_ul,
            car_per_ul=cells,
            copies_per_car_cell=per_ul / cells if per_ul and cells else None,
            verdict=_verdict(value.value > 0 and value.bound != "<", result, per_ul, limit),
        )


def _nearest(days: Iterable[float], day: float) -> float:
    near = [one for one in days if abs(one - day) <= NEAREST_DAYS]
    return min(near, key=lambda one: abs(one - day), default=float("inf"))


def _verdict(found: bool, result: CarResult, per_ul: float | None, limit: float | None) -> str:
    """Return how PCR and cells go together, judged by the limit of detection of that tube."""
    if result is CarResult.NOT_EVALUABLE:
        return "no cells counted"
    seen = result is not CarResult.NOT_DETECTED
    if seen == found:
        return "both positive" if seen else "both negative"
    if seen:
        return "cells without copies: look at the gate and at the PCR"
    if per_ul is None or limit is None:
        return "copies without cells; without leukocytes the limit cannot be compared"
    if per_ul < limit:
        return "copies without cells: fewer than the tube's limit of detection, no contradiction"
    return "copies without cells, above the tube's limit of detection: antigen lost from view, or unexpressed copies"
