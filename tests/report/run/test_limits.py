"""Where linear axes end."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cytocar.fcs.reader import open_fcs
from cytocar.report.run.limits import WIDEST_RANGE, axis_tops
from cytocar.report.run.source import open_finished_run
from tests.runs import cytocar_command


def test_a_linear_axis_ends_above_nearly_all_events_of_every_file(run: Path) -> None:
    finished = open_finished_run(run)
    (sha256,) = finished.templates
    tops = axis_tops(finished, sha256, ("SSC-A", "CAR"))
    for name in ("base", "t0", "t1", "t2"):
        side_scatter = open_fcs(run.parent / f"{name}.fcs").column("SSC-A")
        assert np.quantile(side_scatter, 0.99) < tops["SSC-A"] <= WIDEST_RANGE


def test_an_axis_ends_with_the_widest_range_where_no_file_is_at_hand(run: Path, tmp_path: Path) -> None:
    finished = open_finished_run(run, inputs=tmp_path)
    (sha256,) = finished.templates
    assert axis_tops(finished, sha256, ("FSC-A",)) == {"FSC-A": WIDEST_RANGE}


def test_an_axis_ends_above_every_gate_even_where_few_events_are(
    run: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("fixed")
    told = ("-t", "cart-cd19fc-fixed", "-o", folder / "run", "--count-method", "none", "--no-report", "-q")
    assert cytocar_command("gate", run.parent / "t0.fcs", *told).code == 0
    finished = open_finished_run(folder / "run")
    (sha256,) = finished.templates
    assert axis_tops(finished, sha256, ("FSC-A", "FSC-H"))["FSC-H"] == 262_144  # a corner of `singlets` is at 262,143
