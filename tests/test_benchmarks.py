"""The benchmarks tell medians, cold and warm apart, and write what they measured where the record stands."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from benchmarks import checks, report, required, suite, whole_runs
from benchmarks.measure import Measurement, joined, measure
from benchmarks.validity import (
    among,
    at_the_limit,
    borders,
    cells,
    disturbed,
    gates,
    joint,
    kept_back,
    look_oracle,
    mix,
    silent,
    spikes,
    unaided_oracle,
)


def taken(process_s: float, *, inside_s: float | None = None, again_s: float | None = None) -> Measurement:
    return Measurement(process_s, process_s, inside_s, again_s, 20.0, None, 0.5)


def test_runs_are_joined_by_their_medians() -> None:
    runs = [taken(3, inside_s=0.3), taken(1, inside_s=0.1, again_s=0.05), taken(2, inside_s=0.2)]
    assert joined(runs) == taken(2, inside_s=0.2, again_s=0.05)


def test_a_program_is_measured_from_outside_and_says_what_it_took_inside() -> None:
    code = 'print(\'{"seconds": 0.5, "again": 0.25, "counts": [7]}\')'
    found = measure([sys.executable, "-c", code], repeats=1)
    assert (found.inside_s, found.again_s, found.counts) == (0.5, 0.25, [7])
    assert found.process_s > 0
    assert found.peak_mb > 1


def test_a_program_that_fails_is_not_measured() -> None:
    with pytest.raises(RuntimeError, match="failed"):
        measure([sys.executable, "-c", "raise SystemExit(3)"], repeats=1)
    assert measure([sys.executable, "-c", "raise SystemExit(3)"], repeats=1, allowed=(0, 3)).process_s > 0


def test_what_is_asked_for_stands_beside_what_was_measured_cold_and_warm() -> None:
    rows = [
        suite.Row("1M", suite.FLOWKIT, taken(4, inside_s=2.0, again_s=1.8)),
        suite.Row("1M", suite.CYTOCAR, taken(0.4, inside_s=0.1, again_s=0.05)),
        suite.Row("1M", suite.command_with(1), taken(0.5)),
    ]
    lines = required.table(rows, {"import numpy": taken(0.1), "load a template": taken(0.15)}).splitlines()
    assert "| 1M, in process | 30 times or more | 20.0 |" in lines
    assert "| 1M, in process, the second time | 45 times or more | 36.0 |" in lines
    assert f"| 1M, {suite.command_with(1)} | 14 times or more | 8.0 |" in lines
    assert "| `load a template` | 60 ms or less | 50 ms |" in lines


def test_a_part_of_the_record_is_replaced_and_the_others_stay(tmp_path: Path) -> None:
    record = tmp_path / "record.md"
    record.write_text("a\n<!-- one: begin -->\nold\n<!-- one: end -->\nb\n<!-- two: begin -->\nc\n<!-- two: end -->\n")
    report.write_between_marks(record, "new", part="one")
    assert record.read_text().splitlines()[2] == "new"
    assert record.read_text().splitlines()[-2] == "c"
    with pytest.raises(ValueError, match="three"):
        report.write_between_marks(record, "new", part="three")


def test_the_record_has_a_place_for_every_part() -> None:
    text = (Path(__file__).parents[1] / "docs" / "performance.md").read_text("utf-8")
    assert all(f"<!-- {part}: {end} -->" in text for part in ("measured", "whole runs") for end in ("begin", "end"))


def test_many_subjects_are_those_of_a_scenario_under_many_names(tmp_path: Path) -> None:
    (tmp_path / "scenario").mkdir()
    for name in ("counts.csv", "clinical.csv", "interventions.csv", "subjects.csv"):
        (tmp_path / "scenario" / name).write_text("subject_id,day\nK01,3\nK02,\n")
    whole_runs._many_subjects(tmp_path / "scenario", tmp_path / "many", copies=2)
    with (tmp_path / "many" / "clinical.csv").open(newline="") as table:
        rows = list(csv.DictReader(table))
    assert [row["subject_id"] for row in rows] == ["K01-00", "K02-00", "K01-01", "K02-01"]
    assert rows[0]["day"] == "3"


@pytest.mark.parametrize(
    ("lines", "head"),
    [
        (mix.rows(1), mix.HEAD),
        (joint.rows(1), joint.HEAD),
        (cells.rows(1, cells.HELD_OUT), cells.HEAD),
        (among.rows(1), among.HEAD),
        (gates.rows(1), gates.HEAD),
        (disturbed.rows(1), disturbed.HEAD),
        (unaided_oracle.rows(1), unaided_oracle.HEAD),
        (at_the_limit.rows(1), at_the_limit.HEAD),
        (borders.rows(1), borders.HEAD),
        (silent.rows(1, dict(list(silent.TUNED.items())[:1])), silent.HEAD),
    ],
    ids=["mix", "joint", "cells", "among", "gates", "disturbed", "unaided_oracle", "at_the_limit", "borders", "silent"],
)
def test_validity_is_measured_on_tubes_that_can_be_drawn(lines: Iterable[Sequence[str]], head: Sequence[str]) -> None:
    assert len(next(iter(lines))) == len(head)


def test_an_oracle_tells_an_index_from_a_far_one_and_hardly_from_a_near_one() -> None:
    shapes = ("beta", "trapezium")
    assert look_oracle.asks_elsewhere(3.0, 200, 12.0, shapes=shapes, tubes=200) == 0
    assert 0.7 < look_oracle.asks_elsewhere(4.0, 20, 4.2, shapes=shapes, tubes=400) < 0.9


def test_the_time_of_a_check_is_its_own_and_that_of_all_counts_what_calls_another_once() -> None:
    class Room:
        @staticmethod
        def outer() -> int:
            return Room.inner() + sum(range(100_000))

        @staticmethod
        def inner() -> int:
            return sum(range(1_000_000))

    spent = checks.Spent()
    spent.watch(Room, "outer")
    spent.watch(Room, "inner")
    assert Room.outer() > 0
    assert spent.seconds["outer"] > spent.seconds["inner"] > 0
    assert spent.together == spent.seconds["outer"]


def test_the_cost_of_checks_is_taken_of_a_tube(tmp_path: Path) -> None:
    whole, spent = checks.measured(tmp_path, "cart-cd19fc-fixed", blood_ul=20, rounds=1)
    assert 0 < spent.seconds["evidence"] <= spent.together < whole


def test_real_spike_ins_without_a_control_are_held_against_what_was_added(monkeypatch: pytest.MonkeyPatch) -> None:
    if spikes.shared_data() is None:
        pytest.skip("the real files are not here")
    monkeypatch.setattr(spikes, "SPIKES", {"CD33 on CD4 T cells": spikes.SPIKES["CD33 on CD4 T cells"]})
    rows = [dict(zip(spikes.UNAIDED_HEAD, row, strict=True)) for row in spikes.unaided_rows(2)]
    assert [row["threshold"] for row in rows] == ["1", "1.4", "1", "1.4"]
    assert all(0.9 < float(row["net/true"]) < 1.1 for row in rows)


def test_spike_ins_of_files_kept_back_say_who_misses_the_truth_and_does_not_ask(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if spikes.shared_data() is None:
        pytest.skip("the real files are not here")
    monkeypatch.setattr(kept_back, "KEPT_BACK", dict(list(kept_back.KEPT_BACK.items())[:1]))
    monkeypatch.setattr(kept_back, "PERCENTAGES", (0.1,))
    rows = [dict(zip(kept_back.HEAD, row, strict=True)) for row in kept_back.rows(2)]
    assert [row["threshold"] for row in rows] == ["0.8", "1", "1.2", "1.4"]
    assert rows[-1]["holds the truth"] == "100 %"
