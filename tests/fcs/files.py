"""FCS files built byte by byte, so that a test shows everything that is in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt


@dataclass
class SmallFile:
    """A data set of which every part can be made wrong.

    ``names`` and ``bits`` give the channels, ``data`` the bytes of DATA. ``header_data`` and ``text_data`` override the
    offsets that HEADER and TEXT give (first, last), ``keywords`` add to or replace TEXT (None removes).
    """

    names: Sequence[str] = ("FSC-A", "PE-A")
    bits: Sequence[int] = (32, 32)
    data: bytes = b""
    total: int = 0
    datatype: str = "F"
    byteord: str = "1,2,3,4"
    version: str = "FCS3.1"
    delimiter: str = "/"
    encoding: str = "utf-8"
    keywords: Mapping[str, str | None] = field(default_factory=dict)
    header_data: tuple[int, int] | None = None
    text_data: tuple[int, int] | None = None
    tail: bytes = b"00000000"
    data_at: int = 2048

    def build(self) -> bytes:
        first, last = self.data_at, self.data_at + len(self.data) - 1
        header_first, header_last = self.header_data or (first, last)
        text_first, text_last = self.text_data or (first, last)
        pairs: dict[str, str | None] = {
            "$BEGINDATA": str(text_first),
            "$ENDDATA": str(text_last),
            "$NEXTDATA": "0",
            "$MODE": "L",
            "$DATATYPE": self.datatype,
            "$BYTEORD": self.byteord,
            "$PAR": str(len(self.names)),
            "$TOT": str(self.total),
        }
        for n, (name, bits) in enumerate(zip(self.names, self.bits, strict=True), 1):
            pairs |= {f"$P{n}N": name, f"$P{n}B": str(bits), f"$P{n}E": "0,0", f"$P{n}R": str(2 ** min(bits, 18))}
        pairs |= self.keywords
        mark = self.delimiter
        written = {key: value.replace(mark, mark * 2) for key, value in pairs.items() if value is not None}
        text = (mark + "".join(f"{key}{mark}{value}{mark}" for key, value in written.items())).encode(self.encoding)
        offsets = (58, 58 + len(text) - 1, header_first, header_last, 0, 0)
        header = f"{self.version:<10}" + "".join(f"{offset:>8}" for offset in offsets)
        start = header.encode("ascii") + text
        assert len(start) <= self.data_at, "TEXT does not fit before DATA"
        return start.ljust(self.data_at) + self.data + self.tail

    def write(self, path: Path) -> Path:
        path.write_bytes(self.build())
        return path


def floats(values: npt.ArrayLike, **parts: object) -> SmallFile:
    """A file of 32-bit floats, one row an event; ``parts`` replace fields of SmallFile."""
    matrix = np.asarray(values, dtype="<f4")
    names = [f"C{n}" for n in range(1, matrix.shape[1] + 1)]
    made = {"names": names, "bits": [32] * len(names), "data": matrix.tobytes(), "total": len(matrix)} | parts
    return SmallFile(**made)  # type: ignore[arg-type]  # whatever the test wants to make wrong


def integers(values: npt.ArrayLike, dtype: str, **parts: object) -> SmallFile:
    """A file of integers of one NumPy type such as ``>u2``, one row an event."""
    matrix = np.asarray(values, dtype=dtype)
    names = [f"C{n}" for n in range(1, matrix.shape[1] + 1)]
    made = {
        "names": names,
        "bits": [8 * matrix.dtype.itemsize] * len(names),
        "data": matrix.tobytes(),
        "total": len(matrix),
        "datatype": "I",
        "byteord": "4,3,2,1" if dtype.startswith(">") else "1,2,3,4",
    } | parts
    return SmallFile(**made)  # type: ignore[arg-type]  # whatever the test wants to make wrong
