"""Damaged files: a correct read or an error with a code, never anything else.

The long run is ``benchmarks/fuzz/reader.py``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cytocar import EventTable, open_fcs
from cytocar.errors.findings import Severity
from cytocar.errors.tree import ReadError
from cytocar.fcs import data_sets
from cytocar.fcs.text import parse_text
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


def test_a_file_that_ends_inside_analysis_is_read(tmp_path: Path) -> None:
    """FlowIO reads ANALYSIS and ends with EOFError, which no list of its exceptions names."""
    content = bytearray(floats(VALUES).build())
    content[42:58] = f"{len(content) - 4:>8}{len(content) + 400:>8}".encode("ascii")
    events = outcome(tmp_path / "a.fcs", bytes(content))
    assert isinstance(events, EventTable)
    np.testing.assert_array_equal(events.columns(events.channels), VALUES)


def test_a_delimiter_that_is_repeated_costs_linear_time() -> None:
    mark = b"\n"
    pairs = {b"$PAR": b"1", b"$TOT": b"1", b"$MODE": b"L"}
    segment = mark + b"".join(key + mark + value + mark for key, value in pairs.items()) + mark * 900_000
    text = parse_text(segment)  # a quadratic search would take hours
    assert text.keywords["$TOT"] == "1"


def test_standard_keywords_are_found_behind_a_single_delimiter_in_a_value() -> None:
    segment = b"/$PAR/1/NOTE/a/b/$TOT/7/$DATATYPE/F/"
    assert parse_text(segment).keywords["$TOT"] == "7"


def test_one_number_of_a_million_digits_is_refused(tmp_path: Path) -> None:
    data = b"1" * 1_000_000 + b" 1 1 1 "
    file = SmallFile(data=data, total=2, datatype="A", bits=(1, 1), keywords={"$P1B": "*", "$P2B": "*"})
    refused = outcome(tmp_path / "a.fcs", file.build())
    assert isinstance(refused, ReadError)
    assert refused.code == "E022"
    assert "1,000,000 characters" in refused.message


@pytest.mark.parametrize(("bits", "data"), [("4", b" 100 200 300 400"), ("*", b"100 200 300 400")])
def test_text_data_without_its_last_byte_is_cut_short(tmp_path: Path, bits: str, data: bytes) -> None:
    widths = {"$P1B": bits, "$P2B": bits}
    whole = SmallFile(data=data, total=2, datatype="A", bits=(1, 1), keywords=widths, tail=b"").build()
    events = outcome(tmp_path / "whole.fcs", whole)
    assert isinstance(events, EventTable)
    assert events.columns(events.channels)[-1, -1] == 400
    refused = outcome(tmp_path / "cut.fcs", whole[:-1])
    assert isinstance(refused, ReadError)
    assert refused.code == "E018"


def test_bits_that_are_no_number_are_refused_and_not_guessed(tmp_path: Path) -> None:
    file = integers(VALUES, ">u2", keywords={"$P1B": "1e"})  # one damaged byte of 16
    refused = outcome(tmp_path / "a.fcs", file.build())
    assert isinstance(refused, ReadError)
    assert refused.code == "E016"


def test_a_header_with_a_damaged_end_of_data_asks_for_a_look_where_text_begins_elsewhere(tmp_path: Path) -> None:
    data = integers(VALUES, ">u2")
    elsewhere = integers(VALUES, ">u2", header_data=(data.data_at - 46, 128), tail=b"0" * 64)
    events = outcome(tmp_path / "a.fcs", elsewhere.build())
    assert isinstance(events, EventTable)
    assert [finding.code for finding in events.findings if finding.outcome is Severity.REVIEW] == ["W202"]
    same = integers(VALUES, ">u2", header_data=(data.data_at, 128))
    assert not [
        finding
        for finding in open_fcs(_written(tmp_path / "b.fcs", same.build())).findings
        if finding.outcome is Severity.REVIEW
    ]


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_a_long_chain_of_data_sets_is_compared_in_linear_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compared = 0

    def count(one: EventTable, other: EventTable) -> bool:
        nonlocal compared
        compared += 1
        return False

    monkeypatch.setattr(data_sets, "same_events", count)
    table = outcome(tmp_path / "a.fcs", floats(VALUES).build())
    assert isinstance(table, EventTable)
    assert len(data_sets.group_acquisitions([table] * 200)) == 200
    assert compared <= 200 * data_sets.NEIGHBOURS
