from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import flowio
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from cytocar.fcs import write
from cytocar.fcs.write import ByteOrder, Storage, write_fcs


def as_array(file: flowio.FlowData) -> NDArray[np.float64]:
    return np.asarray(file.as_array(preprocess=False), dtype=np.float64)


@pytest.mark.parametrize("byte_order", ["little", "big"])
@pytest.mark.parametrize("storage", ["float32", "float64", "uint8", "uint16", "uint32"])
def test_flowio_reads_back_what_was_written(tmp_path: Path, storage: Storage, byte_order: ByteOrder) -> None:
    columns = {"FSC-A": np.array([1.0, 200.0, 255.0]), "PE-A": np.array([0.0, 7.0, 9.0])}

    write_fcs(tmp_path / "a.fcs", columns, storage=storage, byte_order=byte_order)

    file = flowio.FlowData(str(tmp_path / "a.fcs"))
    assert file.pnn_labels == ["FSC-A", "PE-A"]
    assert as_array(file).T.tolist() == [[1, 200, 255], [0, 7, 9]]


def test_markers_ranges_and_keywords_are_stated(tmp_path: Path) -> None:
    write_fcs(
        tmp_path / "a.fcs",
        {"PE-A": [1.0], "Time": [2.0]},
        markers={"PE-A": "CD19-Fc"},
        ranges={"Time": 5000},
        keywords={"$CYT": "bench 2", "$P1V": "512"},
    )

    text = flowio.FlowData(str(tmp_path / "a.fcs")).text
    assert (text["p1s"], text["p2r"], text["cyt"], text["p1v"]) == ("CD19-Fc", "5000", "bench 2", "512")


def test_a_delimiter_inside_a_value_is_doubled(tmp_path: Path) -> None:
    write_fcs(tmp_path / "a.fcs", {"PE-A": [1.0]}, keywords={"$CYT": "bench | two"})

    assert b"|$CYT|bench || two|" in (tmp_path / "a.fcs").read_bytes()


def test_a_table_without_events_is_a_file_without_data(tmp_path: Path) -> None:
    write_fcs(tmp_path / "a.fcs", {"PE-A": []})

    head = (tmp_path / "a.fcs").read_bytes()
    assert b"|$TOT|0|" in head
    assert head[26:42].split() == [b"0", b"0"]


def test_data_beyond_eight_digits_is_located_by_text_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(write, "_HEADER_MAXIMUM", 1000)

    write_fcs(tmp_path / "a.fcs", {"PE-A": np.arange(500.0)})

    content = (tmp_path / "a.fcs").read_bytes()
    assert content[26:42].split() == [b"0", b"0"]
    begin = int(content.split(b"|$BEGINDATA|")[1].split(b"|")[0])
    assert np.frombuffer(content, "<f4", 500, begin).tolist() == list(range(500))


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40).filter(str.strip))
def test_text_and_data_settle_whatever_the_length_of_a_keyword(value: str) -> None:
    stated = {"$TOT": "3", "NOTE": value}

    text, data_begin = write._settled_text(stated, 12_345)

    assert write._TEXT_BEGIN + len(text) == data_begin
    assert f"|$BEGINDATA|{data_begin}|$ENDDATA|{data_begin + 12_344}|".encode() in text


def test_a_failed_write_leaves_the_old_file_and_nothing_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "a.fcs"
    write_fcs(path, {"PE-A": [1.0]})
    before = path.read_bytes()

    def full_disk(*_: object) -> Iterator[bytes]:
        yield b"half"
        raise OSError("no space left")

    monkeypatch.setattr(write, "_rows", full_disk)
    with pytest.raises(OSError, match="no space"):
        write_fcs(path, {"PE-A": [2.0]})

    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.fcs"]


@pytest.mark.parametrize(
    ("columns", "storage", "keywords", "message"),
    [
        ({"A": [1.0], "B": [1.0, 2.0]}, "float32", {}, "differ in shape"),
        ({}, "float32", {}, "at least one channel"),
        ({"A,B": [1.0]}, "float32", {}, "comma"),
        ({"A": [256]}, "uint8", {}, "outside 0 to 256"),
        ({"A": [1.0]}, "float32", {"$TOT": "9"}, "cannot be given"),
        ({"A": [1.0]}, "float32", {"NOTE": ""}, "no value"),
    ],
)
def test_what_no_reader_could_use_is_refused(
    tmp_path: Path, columns: dict[str, list[float]], storage: Storage, keywords: dict[str, str], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        write_fcs(tmp_path / "a.fcs", columns, keywords=keywords, storage=storage)
    assert not list(tmp_path.iterdir())
