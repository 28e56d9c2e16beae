"""A cohort of simulated tubes: who, when, and what is in them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from cytocar.kinetics.expansion_models import stein_cohort
from cytocar.simulate.cohort import simulate_cohort


def test_each_subject_has_a_baseline_and_a_tube_on_each_day(tmp_path: Path) -> None:
    told: list[Path] = []
    sheet = simulate_cohort(tmp_path, n_subjects=2, days=[7, 28], seed=3, on_tube=told.append)
    with sheet.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["subject_id"], row["day"], row["sample_type"]) for row in rows] == [
        (subject, day, "baseline" if day == "-6" else "sample")
        for subject in ("S001", "S002")
        for day in ("-6", "7", "28")
    ]
    assert [path.name for path in told] == [row["file"] for row in rows]
    assert rows[1]["sample_id"] == "S001-day007"


def test_the_truth_of_a_tube_is_the_models_course(tmp_path: Path) -> None:
    simulate_cohort(tmp_path, n_subjects=1, days=[7], seed=3)
    (subject,) = stein_cohort(1, [7], seed=3)
    truth = json.loads((tmp_path / "S001-day007.truth.json").read_text("utf-8"))
    assert truth["truth"]["cells_per_ul"]["car_t"] == pytest.approx(float(subject.cells_per_ul[0]))
