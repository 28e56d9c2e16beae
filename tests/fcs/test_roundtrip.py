"""Any valid file reads as it was written, whatever its numbers, delimiter, names and blanks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cytocar import open_fcs
from tests.fcs.files import SmallFile

many = settings(max_examples=200, deadline=5000, suppress_health_check=[HealthCheck.function_scoped_fixture])
WIDTHS = st.sampled_from([8, 16, 24, 32, 40, 64])
NAMES = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")), min_size=1, max_size=8)


def integer_bytes(rows: list[list[int]], widths: list[int], *, big: bool) -> bytes:
    return b"".join(
        value.to_bytes(width // 8, "big" if big else "little")
        for row in rows
        for value, width in zip(row, widths, strict=True)
    )


@many
@given(data=st.data(), big=st.booleans(), crc=st.sampled_from([b"", b"00000000"]), at=st.integers(1500, 2500))
def test_integers_of_any_widths(tmp_path: Path, data: st.DataObject, big: bool, crc: bytes, at: int) -> None:
    widths = data.draw(st.lists(WIDTHS, min_size=1, max_size=5))
    row = st.tuples(*(st.integers(0, 2 ** min(width, 50) - 1) for width in widths)).map(list)
    rows = data.draw(st.lists(row, max_size=8))
    file = SmallFile(
        names=[f"P-{n}" for n in range(len(widths))],
        bits=widths,
        data=integer_bytes(rows, widths, big=big),
        total=len(rows),
        datatype="I",
        byteord="4,3,2,1" if big else "1,2,3,4",
        keywords={f"$P{n}R": str(2**width) for n, width in enumerate(widths, 1)},
        tail=crc,
        data_at=at,
    )
    events = open_fcs(file.write(tmp_path / "a.fcs"))
    np.testing.assert_array_equal(
        events.columns(events.channels), np.array(rows, dtype=np.float64).reshape(-1, len(widths))
    )


@many
@given(
    names=st.lists(NAMES, min_size=1, max_size=4, unique=True),
    notes=st.dictionaries(NAMES.map(lambda name: f"note {name}".upper().strip()), NAMES, max_size=4),
    delimiter=st.sampled_from(list("/|\\\x0c!*^.+[(\x1e\r\n")),
    blanks=st.text(" \t", max_size=3),
)
def test_names_and_values_survive_any_delimiter(
    tmp_path: Path, names: list[str], notes: dict[str, str], delimiter: str, blanks: str
) -> None:
    names = [name for name in names if not name.startswith(delimiter)] or ["A"]  # FCS 3.1 forbids it
    notes = {key: text for key, text in notes.items() if delimiter not in key and not text.startswith(delimiter)}
    keywords = {key: blanks + text + blanks for key, text in notes.items()}
    file = SmallFile(
        names=names,
        bits=[32] * len(names),
        data=np.arange(3 * len(names), dtype="<f4").tobytes(),
        total=3,
        delimiter=delimiter,
        keywords=keywords,
    )
    events = open_fcs(file.write(tmp_path / "a.fcs"))
    assert [channel.detector for channel in events.channels] == names
    assert {key: events.keywords[key] for key in notes} == notes
    np.testing.assert_array_equal(events.column(events.channels[0]), np.arange(3) * len(names))
