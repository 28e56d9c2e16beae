"""Tables as Parquet: the same numbers as in the CSV tables, typed, with units."""

from __future__ import annotations

import csv
from importlib.util import find_spec
from pathlib import Path

import pytest

from cytocar.run.finished.checks import Verdict
from cytocar.run.finished.verify import verify
from cytocar.tables.columns import GATES, Row
from cytocar.tables.parquet import parquet_bytes
from tests.runs import cytocar_command, small_inputs

needs_pyarrow = pytest.mark.skipif(find_spec("pyarrow") is None, reason="pyarrow (extra parquet) is not installed")


@pytest.mark.skipif(find_spec("pyarrow") is not None, reason="pyarrow is installed")
def test_without_pyarrow_nothing_is_counted(tmp_path: Path) -> None:
    answer = cytocar_command("gate", small_inputs(tmp_path), "--parquet", "-o", tmp_path / "run", "--no-report")
    assert (answer.code, "error[E117]" in answer.stderr) == (2, True)
    assert not (tmp_path / "run").exists()


@needs_pyarrow
def test_a_run_holds_the_same_table_twice(tmp_path: Path) -> None:
    from pyarrow import parquet

    sheet = small_inputs(tmp_path)
    run = tmp_path / "run"
    cytocar_command("gate", sheet, "-t", "cart-cd19fc-fixed", "--parquet", "-o", run, "-j", "1", "-q", "--no-report")
    table = parquet.read_table(run / "counts.parquet")
    with (run / "counts.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert table.column_names == list(rows[0])
    for name, kind in (("car_per_ul", float), ("total_events", int), ("status", str)):
        assert table[name].to_pylist() == [kind(row[name]) if row[name] else None for row in rows]
    assert table.schema.field("car_per_ul").metadata[b"unit"] == "cells/µL".encode()
    assert all(check.verdict is not Verdict.CHANGED for check in verify(run))
    who = ("--by", "me", "--reason", "dim")
    assert cytocar_command("override", run, "d9", "car_t", "--value", "20000", *who).code == 0
    assert parquet.read_table(run / "gates.parquet")["source"].to_pylist().count("override") == 1
    assert all(check.verdict is not Verdict.CHANGED for check in verify(run))


@needs_pyarrow
def test_missing_values_are_null_and_types_are_kept() -> None:
    from io import BytesIO

    from pyarrow import parquet

    rows: list[Row] = [{"sample_id": "=A", "value": 3, "clamped": True, "events": None}]
    table = parquet.read_table(BytesIO(parquet_bytes(GATES, rows)))
    assert table["sample_id"].to_pylist() == ["=A"]
    assert table["value"].to_pylist() == [3.0]
    assert table["clamped"].to_pylist() == [True]
    assert table["events"].to_pylist() == [None]
