"""Damaged files: a correct read or an error with a code, never anything else.

The long run is ``benchmarks/fuzz_reader.py``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cytocar import EventTable, open_fcs
from cytocar.errors.tree import ReadError
from tests.fcs.files import SmallFile, floats, integers

VALUES = np.arange(60, dtype=np.float64).reshape(20, 3)
FILES = (
    floats(VALUES, keywords={"$SPILLOVER": "2,C1,C2,1,0.1,0,1", "NOTE": "a/b"}),
    integers(VALUES, ">u2"),
    integers(VALUES, "<u4", bits=[20, 20, 20], version="FCS2.0"),
    SmallFile(data=b"10 20 30 40 ", total=2, datatype="A", bits=(3, 3)),
)
many = settings(max_examples=300, deadline=5000, suppress_health_check=[HealthCheck.function_scoped_fixture])


def outcome(path: Path, content: bytes) -> EventTable | ReadError:
    """Open and read everything; anything but a table or a ReadError escapes and fails the test."""
    path.write_bytes(content)
    try:
        events = open_fcs(path)
        events.columns(events.channels)
    except ReadError as error:
        assert error.code.startswith("E0")
        assert error.hint
        return error
    return events


@many
@given(data=st.data(), content=st.sampled_from([file.build() for file in FILES]))
def test_changed_bytes_anywhere(tmp_path: Path, data: st.DataObject, content: bytes) -> None:
    damaged = bytearray(content)
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=8)):
        damaged[place] = data.draw(st.integers(0, 255))
    outcome(tmp_path / "a.fcs", bytes(damaged))


@many
@given(data=st.data(), content=st.sampled_from([file.build() for file in FILES]))
def test_inserted_and_removed_pieces(tmp_path: Path, data: st.DataObject, content: bytes) -> None:
    place = data.draw(st.integers(0, len(content)))
    removed = data.draw(st.integers(0, 300))
    outcome(tmp_path / "a.fcs", content[:place] + data.draw(st.binary(max_size=60)) + content[place + removed :])


@many
@given(end=st.integers(0, 2048 + 12 * 20 - 1))
def test_a_file_cut_anywhere_before_its_last_event_is_refused(tmp_path: Path, end: int) -> None:
    assert isinstance(outcome(tmp_path / "a.fcs", floats(VALUES).build()[:end]), ReadError)


@many
@given(total=st.integers(0, 10**12).filter(lambda total: total != len(VALUES)))
def test_a_wrong_total_is_refused_or_put_right(tmp_path: Path, total: int) -> None:
    read = outcome(tmp_path / "a.fcs", floats(VALUES, total=total).build())
    assert isinstance(read, ReadError) or (read.n_events == len(VALUES) and read.findings)


@many
@given(first=st.integers(0, 99_999_999), last=st.integers(0, 99_999_999), header=st.booleans())
def test_one_wrong_pair_of_offsets_does_not_move_a_single_value(
    tmp_path: Path, first: int, last: int, header: bool
) -> None:
    place = "header_data" if header else "text_data"
    read = outcome(tmp_path / "a.fcs", floats(VALUES, **{place: (first, last)}).build())
    assert isinstance(read, EventTable)
    np.testing.assert_array_equal(read.columns(read.channels), VALUES)


@pytest.mark.parametrize("key", ["$PAR", "$P1B", "$P2R", "$TOT", "$BEGINDATA", "$ENDDATA", "$NEXTDATA", "$BEGINSTEXT"])
@pytest.mark.parametrize("value", ["0", "-1", "9" * 15, "9" * 40, "1e300", "nan", "", "\x00", "ÿ", "32.5", "0x10"])
def test_impossible_numbers_are_read_past_or_refused(tmp_path: Path, key: str, value: str) -> None:
    outcome(tmp_path / "a.fcs", integers(VALUES, "<u2", keywords={key: value}).build())


def test_a_file_of_delimiters_takes_no_time_and_no_memory(tmp_path: Path) -> None:
    length = 10_000_000
    header = f"FCS3.1    {58:>8}{57 + length:>8}" + f"{0:>8}" * 4
    error = outcome(tmp_path / "a.fcs", header.encode() + b"/" * length)
    assert isinstance(error, ReadError)
    assert error.code == "E014"
