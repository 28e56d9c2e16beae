"""A spillover matrix as text, in a file's keyword or in a CSV: names and numbers, checked for shape only."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from cytocar.errors.boundary import boundary
from cytocar.errors.tree import CompensationError

Floats = npt.NDArray[np.float64]

LONGEST_COUNT = 4  # digits: no cytometer has 10,000 detectors, and int() takes thousands


def parse_keyword(keyword: str, text: str, keywords: Mapping[str, str]) -> tuple[tuple[str, ...], Floats] | None:
    """Return detectors and matrix that a keyword spells, None where it spells a matrix of no channel.

    Raises
    ------
    CompensationError
        E053 or E054 when it spells something else; E067 when it names no channel and is of fewer than the file has.
    """
    items = [item.strip() for item in text.replace("\n", "").rstrip(", ").split(",")]
    if not items[0].isdecimal() or len(items[0]) > LONGEST_COUNT:
        raise malformed(keyword, f"it starts with {items[0]!r} where the number of channels belongs")
    size = int(items[0])
    if size == 0:
        return None
    names, numbers = items[1 : size + 1], items[size + 1 :]
    if keyword.endswith("COMP") and len(items) == 1 + size * size:
        _check_covers_all(keyword, size, keywords.get("$PAR", ""))
        names, numbers = [str(index + 1) for index in range(size)], items[1:]
    if len(numbers) > size * size and all(re.fullmatch(r"-?\d+", item) for item in numbers):
        raise _decimal_commas(keyword)
    if len(names) != size or len(numbers) != size * size:
        raise malformed(keyword, f"{size} channels need {size * size} numbers, it has {len(numbers)}")
    values = np.array([_number(item, keyword) for item in numbers]).reshape(size, size)
    return tuple(_detectors(names, keywords)), _in_shares(values, keyword)


def _check_covers_all(keyword: str, size: int, channels: str) -> None:
    """Refuse a matrix without names that is not of all channels, as FCS 3.0 (3.2.19) wants it."""
    if channels.isdecimal() and size < int(channels):
        raise CompensationError(
            f"{keyword} holds a matrix of {size} channels and names none of the file's {channels}",
            code="E067",
            hint="write it to a CSV with a first line of detectors, and name that: `compensation` in the sheet",
        )


def _detectors(names: Sequence[str], keywords: Mapping[str, str]) -> list[str]:
    """Return ``$PnN`` for names that are channel numbers (and are not themselves channel names)."""
    known = {value.strip() for key, value in keywords.items() if re.fullmatch(r"\$P\d+N", key)}
    if any(name in known for name in names) or not all(
        name.isdecimal() and len(name) <= LONGEST_COUNT for name in names
    ):
        return list(names)
    return [keywords.get(f"$P{int(name)}N", name).strip() for name in names]


# ---------------------------------------------------------------- CSV


def parse_csv(text: str, origin: str) -> tuple[tuple[str, ...], tuple[str, ...], Floats]:
    """Return detectors, fluorochromes and matrix of a CSV or TSV table.

    A line of detectors, then one line per fluorochrome, which may begin with its name or, as R writes it, its number.
    Lines above the detectors (a title), empty columns at the end, and a decimal comma between ``;`` or tabs are
    understood.

    Raises
    ------
    CompensationError
        E053 or E054 when it is something else.
    """
    lines = [line for line in text.splitlines() if line.strip(' ,;\t"')]
    if not lines:
        raise malformed(origin, "it is empty")
    separator = next((mark for mark in "\t;" if mark in lines[-1]), ",")
    with boundary(lambda why: malformed(origin, why)):
        rows = [_without_empty_end([item.strip() for item in row]) for row in csv.reader(lines, delimiter=separator)]
    widest = max(map(len, rows))
    first = next((place for place, row in enumerate(rows) if len(row) >= max(2, widest - 1)), 0)  # below a title
    header, body = rows[first], rows[first + 1 :]
    if not body:
        raise malformed(origin, "it has no line of numbers")
    numbered = header[0] in ("", "#") and [row[0] for row in body] == [str(n) for n in range(1, len(body) + 1)]
    named = numbered or any(not _is_number(_decimal_point(row[0], separator)) for row in body)
    if named and len(header) == len(body[0]):
        header = header[1:]
    detectors = tuple(_plain(name.removeprefix("#").strip()) for name in header if name)
    rows_of_numbers = [row[1:] if named else row for row in body]
    if len({len(row) for row in rows_of_numbers} | {len(detectors)}) != 1:
        raise malformed(origin, f"each line needs {len(detectors)} numbers, one for each detector of the first line")
    values = np.array([[_number(_decimal_point(item, separator), origin) for item in row] for row in rows_of_numbers])
    if (numbered or not named) and len(body) != len(detectors):
        raise malformed(origin, f"{len(detectors)} detectors need {len(detectors)} lines of numbers, or names")
    fluorochromes = detectors if numbered or not named else tuple(_plain(row[0]) for row in body)
    return detectors, fluorochromes, _in_shares(values, origin)


def _without_empty_end(row: list[str]) -> list[str]:
    while row and not row[-1]:
        row.pop()
    return row


def _decimal_point(item: str, separator: str) -> str:
    return item.replace(",", ".") if separator != "," and item.count(",") == 1 else item


def _plain(name: str) -> str:
    return name.split("::", maxsplit=1)[0].strip().removeprefix("Comp-").strip("<>").strip()


# ---------------------------------------------------------------- numbers


def _in_shares(values: Floats, origin: str) -> Floats:
    if values.shape[0] == values.shape[1] and np.diagonal(values).min() >= 50:
        raise malformed(origin, "its diagonal is near 100, so it is in percent; shares of 1 are needed")
    return values


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _number(text: str, origin: str) -> float:
    if not _is_number(text):
        raise malformed(origin, f"{text!r} is not a number")
    return float(text)


def malformed(origin: str, why: str) -> CompensationError:
    """Return the error of a matrix that cannot be read."""
    return CompensationError(
        f"the spillover matrix of {origin} cannot be read: {why}",
        code="E053",
        hint="export the matrix again, or write it as a CSV: a line of detectors, then one line per fluorochrome",
    )


def _decimal_commas(origin: str) -> CompensationError:
    return CompensationError(
        f"the spillover matrix of {origin} is written with decimal commas",
        code="E054",
        hint="write its numbers with a decimal point (0.12, not 0,12)",
    )
