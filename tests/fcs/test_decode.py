"""Every way in which a file can store a number."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from cytocar import open_fcs
from cytocar.errors.tree import ReadError
from cytocar.fcs.decode import DataSource
from tests.fcs.files import SmallFile, floats, integers

LITTLE, BIG = "1,2,3,4", "4,3,2,1"


@pytest.mark.parametrize("dtype", ["<u1", "<u2", ">u2", "<u4", ">u4", "<u8", ">u8"])
def test_integers_of_every_width_and_byte_order(tmp_path: Path, dtype: str) -> None:
    values = [[1, 2], [200, 250]]
    events = open_fcs(integers(values, dtype).write(tmp_path / "a.fcs"))
    np.testing.assert_array_equal(events.columns(["C1", "C2"]), values)


@pytest.mark.parametrize(("dtype", "datatype"), [("<f4", "F"), (">f4", "F"), ("<f8", "D"), (">f8", "D")])
def test_floats_and_doubles_of_both_byte_orders(tmp_path: Path, dtype: str, datatype: str) -> None:
    values = np.array([[-1.5, 2.25], [1e6, np.inf]])
    path = floats(
        values,
        data=values.astype(dtype).tobytes(),
        datatype=datatype,
        bits=[int(dtype[-1]) * 8] * 2,
        byteord=BIG if dtype[0] == ">" else LITTLE,
    ).write(tmp_path / "a.fcs")
    np.testing.assert_array_equal(open_fcs(path).columns(["C1", "C2"]), values)


@pytest.mark.parametrize("byteord", [LITTLE, BIG])
def test_24_bit_integers(tmp_path: Path, byteord: str) -> None:
    order = "little" if byteord == LITTLE else "big"
    data = b"".join(value.to_bytes(3, order) for value in (1, 2**17 + 5, 70_000, 3))  # type: ignore[arg-type]  # str
    path = SmallFile(data=data, total=2, bits=(24, 24), datatype="I", byteord=byteord).write(tmp_path / "a.fcs")
    np.testing.assert_array_equal(open_fcs(path).columns(["FSC-A", "PE-A"]), [[1, 2**17 + 5], [70_000, 3]])


def test_ten_bits_declared_and_sixteen_stored(tmp_path: Path) -> None:
    path = integers([[1023, 5], [7, 512]], ">u2", bits=[10, 10]).write(tmp_path / "a.fcs")
    events = open_fcs(path)
    np.testing.assert_array_equal(events.columns(["C1", "C2"]), [[1023, 5], [7, 512]])
    assert [finding.code for finding in events.findings] == ["W205"]


def test_ten_bits_packed_without_padding_are_refused_and_not_misread(tmp_path: Path) -> None:
    path = SmallFile(data=bytes(5), total=2, bits=(10, 10), datatype="I").write(tmp_path / "a.fcs")
    with pytest.raises(ReadError) as caught:
        open_fcs(path)
    assert caught.value.code == "E019"


def test_bits_above_the_range_are_masked(tmp_path: Path) -> None:
    """Coulter instruments keep the channel's number in the upper bits of each word."""
    path = integers([[0x8000 | 100, 0x0400 | 7]], "<u2", keywords={"$P1R": "1000", "$P2R": "1024"})
    np.testing.assert_array_equal(open_fcs(path.write(tmp_path / "a.fcs")).columns(["C1", "C2"]), [[100, 7]])


def test_mixed_widths(tmp_path: Path) -> None:
    data = struct.pack(">BIH", 9, 100_000, 513) + struct.pack(">BIH", 8, 7, 6)
    file = SmallFile(names=["A", "B", "C"], bits=[8, 32, 16], data=data, total=2, datatype="I", byteord=BIG)
    values = open_fcs(file.write(tmp_path / "a.fcs")).columns(["A", "B", "C"])
    np.testing.assert_array_equal(values, [[9, 100_000, 513], [8, 7, 6]])


def test_a_data_type_for_each_channel_as_in_fcs_3_2(tmp_path: Path) -> None:
    data = struct.pack("<fdHf", 1.5, 2.5, 300, -4.0)
    file = SmallFile(
        names=["A", "B", "C", "D"],
        bits=[32, 64, 16, 32],
        data=data,
        total=1,
        version="FCS3.2",
        keywords={"$P2DATATYPE": "D", "$P3DATATYPE": "I", "$MODE": None},
    )
    np.testing.assert_array_equal(
        open_fcs(file.write(tmp_path / "a.fcs")).columns(["A", "B", "C", "D"]), [[1.5, 2.5, 300, -4]]
    )


def test_byte_order_of_old_minicomputers(tmp_path: Path) -> None:
    data = bytes([0x02, 0x01, 0x04, 0x03])  # $BYTEORD 3,4,1,2: third, fourth, first, second
    file = SmallFile(
        names=["A"], bits=[32], data=data, total=1, datatype="I", byteord="3,4,1,2", keywords={"$P1R": "0"}
    )
    assert open_fcs(file.write(tmp_path / "a.fcs")).column("A").tolist() == [0x01020304]


def test_a_mixed_byte_order_says_how_shorter_words_are_stored(tmp_path: Path) -> None:
    for byteord, order in (("3,4,1,2", "<u2"), ("2,1,4,3", ">u2")):
        path = integers([[258, 3]], order, byteord=byteord).write(tmp_path / "a.fcs")
        assert open_fcs(path).columns(["C1", "C2"]).tolist() == [[258, 3]]


def test_a_byte_order_of_one_byte_says_nothing_about_longer_values(tmp_path: Path) -> None:
    assert open_fcs(integers([[1, 2]], "<u1", byteord="1").write(tmp_path / "a.fcs")).n_events == 1
    with pytest.raises(ReadError) as caught:
        open_fcs(integers([[1, 2]], "<u2", byteord="1").write(tmp_path / "b.fcs"))
    assert caught.value.code == "E020"


def test_a_range_beyond_64_bits_masks_nothing(tmp_path: Path) -> None:
    file = integers([[2**60, 1]], "<u8", keywords={"$P1R": "18446744073709551616"})
    assert open_fcs(file.write(tmp_path / "a.fcs")).column("C1").tolist() == [2.0**60]


def test_logarithmic_and_linear_amplification(tmp_path: Path) -> None:
    """The ISAC reference file ``int-scale_conversion.fcs``: (256, 256) is (25.6, 10)."""
    amplified = {"$P1R": "1024", "$P1G": "10", "$P2R": "1024", "$P2G": "10", "$P2E": "4,0"}
    path = integers([[256, 256], [512, 512], [768, 768]], ">u2", keywords=amplified).write(tmp_path / "a.fcs")
    values = open_fcs(path).columns(["C1", "C2"])
    np.testing.assert_allclose(values, [[25.6, 10], [51.2, 100], [76.8, 1000]], rtol=1e-12)


def test_amplification_does_not_touch_floats_nor_gain_the_clock(tmp_path: Path) -> None:
    file = floats([[256, 8, 5]], names=["FL1", "FL2", "Time"], keywords={"$P1E": "4,1", "$P2G": "2", "$P3G": "0.01"})
    np.testing.assert_array_equal(
        open_fcs(file.write(tmp_path / "a.fcs")).columns(["FL1", "FL2", "Time"]), [[256, 4, 5]]
    )


@pytest.mark.parametrize(
    ("bits", "data"), [((4, 4), b" 125 150   7  99"), ((4, 4), b"125 150 7   99  "), (None, b"125,150 7\r\n99")]
)
def test_numbers_written_as_text(tmp_path: Path, bits: tuple[int, int] | None, data: bytes) -> None:
    stars = {"$P1B": "*", "$P2B": "*"} if bits is None else {}
    file = SmallFile(data=data, total=2, bits=bits or (8, 8), datatype="A", keywords=stars)
    values = open_fcs(file.write(tmp_path / "a.fcs")).columns(["FSC-A", "PE-A"])
    np.testing.assert_array_equal(values, [[125, 150], [7, 99]])


@pytest.mark.parametrize("data", [b"125 150 7", b"125 150 7 x"])
def test_text_with_too_few_or_no_numbers_is_refused(tmp_path: Path, data: bytes) -> None:
    file = SmallFile(data=data, total=2, datatype="A", keywords={"$P1B": "*", "$P2B": "*"})
    events = open_fcs(file.write(tmp_path / "a.fcs"))
    with pytest.raises(ReadError) as caught:
        events.column("PE-A")
    assert caught.value.code == "E022"


def test_a_file_that_shrinks_while_it_is_read_is_refused(tmp_path: Path) -> None:
    path = floats([[1, 2], [3, 4]]).write(tmp_path / "a.fcs")
    events = open_fcs(path)
    path.write_bytes(path.read_bytes()[:2060])
    with pytest.raises(ReadError) as caught:
        events.column("C1")
    assert caught.value.code == "E023"


def test_more_than_two_gigabytes_need_no_memory_for_what_is_not_asked(tmp_path: Path) -> None:
    """A sparse file: 2^31 + 8 bytes of DATA, of which a few events at its end are written."""
    last = 2**31 // 8
    total = last + 1
    first = 4096
    file = floats(
        [[0, 0]],
        total=total,
        data_at=first,
        data=b"",
        tail=b"",
        header_data=(0, 0),
        text_data=(first, first + total * 8 - 1),
    )
    path = file.write(tmp_path / "large.fcs")
    with path.open("r+b") as handle:
        handle.seek(first + last * 8)
        handle.write(np.array([7, 9], dtype="<f4").tobytes())
    events = open_fcs(path)
    assert events.n_events == total
    assert isinstance(events.source, DataSource)
    end = replace(events.source, first=first + last * 8, n_events=1)
    assert next(end.blocks(10)).column(1).tolist() == [9]
