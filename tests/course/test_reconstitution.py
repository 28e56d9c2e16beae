"""Nadir, depth and length of aplasia of each kind of cells."""

from __future__ import annotations

import pytest

from cytocar.course.clinical import ClinicalRecord, ClinicalValue
from cytocar.course.draws import CellCount
from cytocar.course.reconstitution import reconstitution
from cytocar.course.rows import reconstitution_row
from cytocar.course.series import Course, CoursePoint
from cytocar.statistics.estimate import Estimate


def test_b_cells_that_were_not_seen_are_below_the_tubes_limit_and_not_zero() -> None:
    counts = ((-6, 120, 60.0), (28, 0, 0.0), (91, 4, 2.0), (274, 80, 40.0))
    points = tuple(
        CoursePoint("P1", day, f"d{day}", populations={"b_cells": CellCount(n, Estimate(v, v / 2, v * 2), 2.0)})
        for day, n, v in counts
    )
    (found,) = reconstitution(Course("P1", points), ClinicalRecord())
    assert (found.nadir_day, found.nadir_bound) == (28, "<")
    assert found.nadir_per_ul == pytest.approx(2.9957 / 2, abs=1e-3)
    assert found.baseline_per_ul == 60
    assert found.below is not None
    assert (found.below.shortest_days, found.below.longest_days, found.below.recovered_day) == (63, 280, 274)


def test_cd4_cells_below_200_come_from_clinical_values() -> None:
    values = [ClinicalValue("P1", day, "cd4", n, "/uL") for day, n in ((-6, 500), (30, 80), (180, 150), (365, 260))]
    (found,) = reconstitution(Course("P1", ()), ClinicalRecord(tuple(values)))
    assert (found.cells, found.nadir_per_ul, found.depth_percent) == ("cd4", 80, 16)
    assert found.below is not None
    assert (found.below.first_day_below, found.below.recovered_day) == (30, 365)


@pytest.mark.parametrize(("threshold", "below"), [(None, None), (100.0, (30, 365))])
def test_nk_cells_have_a_line_only_where_the_user_gives_one(
    threshold: float | None, below: tuple[float, float] | None
) -> None:
    values = [ClinicalValue("P1", day, "nk_cells", n, "/uL") for day, n in ((-6, 200), (30, 40), (180, 90), (365, 120))]
    (found,) = reconstitution(Course("P1", ()), ClinicalRecord(tuple(values)), nk_threshold=threshold)
    assert (found.nadir_per_ul, found.depth_percent) == (40, 20)
    assert (found.below and (found.below.first_day_below, found.below.recovered_day)) == below
    assert reconstitution_row("P1", found).get("threshold_per_ul") == threshold
