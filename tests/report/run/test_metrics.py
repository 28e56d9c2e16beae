"""Strips of a number over all samples: where the marks stand, and which samples lie apart."""

from __future__ import annotations

import math

import pytest

from cytocar.report.run.metrics import FEWEST_SAMPLES, strips
from cytocar.tables.columns import COUNTS, Row


def rows(*beads: float | None) -> list[Row]:
    empty = dict.fromkeys((column.name for column in COUNTS), None)
    return [{**empty, "sample_id": f"s{number}", "bead_events": value} for number, value in enumerate(beads)]


def test_a_value_far_from_the_median_is_named_and_the_others_are_not() -> None:
    (strip,) = strips(rows(1000, 1010, 990, 1005, 995, 1002, 998, 1001, 100))
    assert [mark.sample_id for mark in strip.outliers] == ["s8"]
    assert (strip.low, strip.median, strip.high) == ("100", "1,000", "1,010")


def test_marks_stand_on_a_logarithmic_axis_from_the_smallest_to_the_largest_value() -> None:
    (strip,) = strips(rows(*[1, 10, 100] * 3))
    assert [mark.place for mark in strip.marks[:3]] == pytest.approx([0.0, 0.5, 1.0])


def test_equal_values_have_no_outliers_and_few_samples_no_strip() -> None:
    (strip,) = strips(rows(*[5.0] * FEWEST_SAMPLES))
    assert strip.outliers == ()
    assert all(math.isfinite(mark.place) for mark in strip.marks)
    assert list(strips(rows(*[5.0] * (FEWEST_SAMPLES - 1)))) == []
    assert list(strips(rows(*[None] * 20))) == []
