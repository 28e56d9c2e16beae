"""The table of events: blocks, columns, and what outlives the next block."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cytocar import EventTable, open_fcs
from cytocar.errors.tree import ReadError
from cytocar.fcs import events as table
from tests.fcs.files import floats


def test_blocks_give_every_event_once_and_in_order(tmp_path: Path) -> None:
    values = np.arange(20, dtype="<f4").reshape(10, 2)
    events = open_fcs(floats(values).write(tmp_path / "a.fcs"))
    blocks = [(block.n_events, block.column(1)) for block in events.blocks(4)]
    assert [size for size, _ in blocks] == [4, 4, 2]
    assert np.concatenate([column for _, column in blocks]).tolist() == values[:, 1].tolist()


def test_taken_events_outlive_the_block_that_they_came_from(tmp_path: Path) -> None:
    events = open_fcs(floats([[1, 2], [3, 4], [5, 6], [7, 8]]).write(tmp_path / "a.fcs"))
    taken = [block.take(np.array([1])) for block in events.blocks(2)]
    assert [block.column(0).tolist() for block in taken] == [[3.0], [7.0]]


def test_columns_of_a_block_are_float64_and_each_contiguous() -> None:
    events = EventTable.from_columns({"A": [1, 2], "B": [3, 4], "C": [5, 6]})
    block = next(events.blocks())
    values = block.columns([2, 0])
    assert values.tolist() == [[5, 1], [6, 2]]
    assert values.dtype == np.float64
    assert values[:, 0].flags["C_CONTIGUOUS"]


def test_columns_of_different_length_are_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="one length"):
        EventTable.from_columns({"A": [1, 2], "B": [3]})


def test_an_empty_table_has_empty_columns() -> None:
    events = EventTable.from_columns({"A": [], "B": []})
    assert (events.n_events, events.column("B").shape, list(events.blocks())) == (0, (0,), [])


def test_columns_read_by_several_threads_are_those_that_one_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = np.random.default_rng(2).normal(0, 1000, (50_001, 3)).astype("<f4")
    events = open_fcs(floats(values).write(tmp_path / "a.fcs"))
    alone = events.columns(["C3", "C1"])
    monkeypatch.setattr(table, "WORTH_A_THREAD", 1)
    monkeypatch.setattr(table, "READERS", 4)
    assert np.array_equal(events.columns(["C3", "C1"]), alone)
    assert np.array_equal(events.columns(events.channels), values)
    assert np.array_equal(events.every(7).columns(events.channels), values[::7])
    assert [part.n_events for part in events.source.parts(4)] == [12_501, 12_501, 12_501, 12_498]
    (tmp_path / "a.fcs").write_bytes((tmp_path / "a.fcs").read_bytes()[:-100])
    with pytest.raises(ReadError, match="became shorter"):
        events.columns(events.channels)
