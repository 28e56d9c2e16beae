"""Columns become an FCS 3.1 file: for simulated tubes, for tests, and for tables that other programs should open.

The order of a written file is HEADER, TEXT, DATA, CRC. TEXT states where DATA lies, and its own length depends on how
many digits that takes: the two are settled by repetition before anything is written. The file appears under its name
only when it is complete.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Storage = Literal["float32", "float64", "uint8", "uint16", "uint32"]
ByteOrder = Literal["little", "big"]

_DATATYPE: Mapping[Storage, str] = {"float32": "F", "float64": "D", "uint8": "I", "uint16": "I", "uint32": "I"}
_DELIMITER = "|"
_TEXT_BEGIN = 256
"""Byte: behind HEADER's 58, with room to spare; where TEXT begins is then known before it is written."""
_HEADER_MAXIMUM = 99_999_999  # eight digits a field; beyond, HEADER says 0 and TEXT alone counts (FCS 3.1, 3.1)
_ROWS_AT_ONCE = 65_536
"""It changes no byte of the file, only the memory that writing takes."""
_DEFAULT_RANGE = 262_144.0
"""$PnR of floating-point channels: 2^18, as BD's digital instruments write it."""
_OURS = re.compile(
    r"\$(BEGIN|END)(ANALYSIS|DATA|STEXT)|\$(BYTEORD|DATATYPE|MODE|NEXTDATA|PAR|TOT)|\$P\d+[BN]", re.IGNORECASE
)


def write_fcs(
    path: Path | str,
    columns: Mapping[str, ArrayLike],
    *,
    markers: Mapping[str, str] | None = None,
    ranges: Mapping[str, float] | None = None,
    keywords: Mapping[str, str] | None = None,
    storage: Storage = "float32",
    byte_order: ByteOrder = "little",
) -> None:
    """Write an FCS 3.1 list-mode file, completely or not at all.

    Parameters
    ----------
    path : Path or str
        Where the file goes; a file of that name is replaced.
    columns : mapping of str to (n_events,) array
        Detector (``$PnN``) to values, in the order of the channels.
    markers : mapping of str to str, optional
        Detector to antigen or dye (``$PnS``).
    ranges : mapping of str to float, optional
        Detector to ``$PnR``; without one 262,144, or what the storage holds for integers.
    keywords : mapping of str to str, optional
        Further keywords, ``$PnE``, ``$PnG`` and ``$SPILLOVER`` among them. Values may hold any character.
    storage : {"float32", "float64", "uint8", "uint16", "uint32"}
        How each value is stored (``$DATATYPE`` and ``$PnB``).
    byte_order : {"little", "big"}
        ``$BYTEORD``.

    Raises
    ------
    ValueError
        If columns differ in length, a detector's name holds a comma (FCS 3.1, 3.2.20), a keyword is one that only the
        writer can know, an integer does not fit its channel, or a keyword is empty.
    OSError
        If the file cannot be written.

    Notes
    -----
    The standard: Spidlen et al. 2010, doi 10.1002/cyto.a.20825, sections 3.1 (HEADER) and 3.2 (TEXT).

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     write_fcs(Path(folder) / "a.fcs", {"FITC-A": [1.0, 2.0]}, markers={"FITC-A": "CD3"})
    ...     (Path(folder) / "a.fcs").read_bytes()[:6]
    b'FCS3.1'
    """
    detectors = tuple(columns)
    values = [np.asarray(columns[detector]) for detector in detectors]
    n_events = _common_length(detectors, values)
    kind = np.dtype(storage).newbyteorder("<" if byte_order == "little" else ">")
    limits = [_range_of(detector, ranges or {}, kind) for detector in detectors]
    if kind.kind == "u":
        _refuse_what_does_not_fit(detectors, values, limits)

    stated = _stated_keywords(detectors, markers or {}, limits, n_events, kind)
    for key, value in (keywords or {}).items():
        if _OURS.fullmatch(key):
            raise ValueError(f"{key} follows from the columns and cannot be given")
        stated[key.upper()] = value
    data_bytes = n_events * len(detectors) * kind.itemsize
    text, data_begin = _settled_text(stated, data_bytes)

    header = _header(len(text), data_begin, data_bytes)
    padding = b" " * (_TEXT_BEGIN - len(header))
    _write_complete(Path(path), header + padding + text, _rows(values, kind))


def _common_length(detectors: Sequence[str], values: Sequence[NDArray[np.generic]]) -> int:
    if not detectors:
        raise ValueError("an FCS file needs at least one channel")
    lengths = {column.shape for column in values}
    if len(lengths) != 1 or len(next(iter(lengths))) != 1:
        raise ValueError(f"columns differ in shape: {sorted(lengths)}")
    for detector in detectors:
        if "," in detector:
            raise ValueError(f"{detector!r}: a $PnN may not hold a comma")
    return len(values[0])


def _range_of(detector: str, ranges: Mapping[str, float], kind: np.dtype[np.generic]) -> float:
    largest = 2.0 ** (8 * kind.itemsize) if kind.kind == "u" else _DEFAULT_RANGE
    return ranges.get(detector, largest)


def _refuse_what_does_not_fit(
    detectors: Sequence[str], values: Sequence[NDArray[np.generic]], limits: Sequence[float]
) -> None:
    for detector, column, limit in zip(detectors, values, limits, strict=True):
        numbers = column.astype(np.float64)
        if numbers.size and not (numbers.min() >= 0 and numbers.max() < limit):
            raise ValueError(f"{detector}: integers outside 0 to {limit:g} would be masked by readers")


def _stated_keywords(
    detectors: Sequence[str],
    markers: Mapping[str, str],
    limits: Sequence[float],
    n_events: int,
    kind: np.dtype[np.generic],
) -> dict[str, str]:
    width = kind.itemsize
    order = range(1, 5) if kind.byteorder == "<" or (kind.byteorder in "=|" and np.little_endian) else range(4, 0, -1)
    stated = {
        "$BEGINANALYSIS": "0",
        "$ENDANALYSIS": "0",
        "$BEGINSTEXT": "0",
        "$ENDSTEXT": "0",
        "$BYTEORD": ",".join(str(byte) for byte in order),
        "$DATATYPE": _DATATYPE[_storage_name(kind)],
        "$MODE": "L",
        "$NEXTDATA": "0",
        "$PAR": str(len(detectors)),
        "$TOT": str(n_events),
    }
    for number, (detector, limit) in enumerate(zip(detectors, limits, strict=True), start=1):
        stated[f"$P{number}N"] = detector
        if marker := markers.get(detector):
            stated[f"$P{number}S"] = marker
        stated[f"$P{number}B"] = str(8 * width)
        stated[f"$P{number}E"] = "0,0"
        stated[f"$P{number}R"] = f"{limit:.0f}"
    return stated


def _storage_name(kind: np.dtype[np.generic]) -> Storage:
    return next(name for name in _DATATYPE if np.dtype(name).newbyteorder("=") == kind.newbyteorder("="))


def _settled_text(stated: Mapping[str, str], data_bytes: int) -> tuple[bytes, int]:
    """Return TEXT and where DATA begins; each depends on the other only through the number of digits."""
    data_begin = 0
    while True:
        data_end = data_begin + data_bytes - 1 if data_bytes else 0
        text = _text({**stated, "$BEGINDATA": str(data_begin if data_bytes else 0), "$ENDDATA": str(data_end)})
        if _TEXT_BEGIN + len(text) == data_begin:
            return text, data_begin
        data_begin = _TEXT_BEGIN + len(text)


def _text(keywords: Mapping[str, str]) -> bytes:
    fields: list[str] = []
    for key, value in keywords.items():
        if not key or not value:
            raise ValueError(f"keyword {key!r} has no value; FCS 3.1 does not allow empty ones")
        fields += [key, value]
    doubled = (field.replace(_DELIMITER, 2 * _DELIMITER) for field in fields)
    return (_DELIMITER + _DELIMITER.join(doubled) + _DELIMITER).encode("utf-8")


def _header(text_bytes: int, data_begin: int, data_bytes: int) -> bytes:
    data_end = data_begin + data_bytes - 1
    if not data_bytes or data_end > _HEADER_MAXIMUM:
        data_begin = data_end = 0
    offsets = (_TEXT_BEGIN, _TEXT_BEGIN + text_bytes - 1, data_begin, data_end, 0, 0)
    return ("FCS3.1    " + "".join(f"{offset:>8d}" for offset in offsets)).encode("ascii")


def _rows(values: Sequence[NDArray[np.generic]], kind: np.dtype[np.generic]) -> Iterator[bytes]:
    for begin in range(0, len(values[0]), _ROWS_AT_ONCE):
        part = [column[begin : begin + _ROWS_AT_ONCE] for column in values]
        block = np.empty((len(part[0]), len(part)), dtype=kind)
        for index, column in enumerate(part):
            block[:, index] = column
        yield block.tobytes()


def _write_complete(path: Path, head: bytes, rows: Iterator[bytes]) -> None:
    """Write beside the final name, then rename: nobody ever sees half a file."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with partial.open("wb") as file:
            file.write(head)
            for block in rows:
                file.write(block)
            file.write(b"00000000")  # CRC not computed (FCS 3.1, 3.5)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
