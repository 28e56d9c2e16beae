"""The spillover matrix: read from a file's keywords, a CSV or a template, checked, and applied to the needed columns.

A dye lights up detectors other than its own. Row i of the matrix says how much of dye i each detector sees, as a share
of its own detector (diagonal 1): ``measured = signal @ spillover``. To compensate is to multiply by the inverse; with
more detectors than dyes (a spectrum matrix) by the pseudo-inverse, the least-squares answer (Gating-ML 2.0, 6.1).
Negative entries are legal: real matrices have them.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import numpy.typing as npt
from pydantic import model_validator

from cytocar.errors.tree import CompensationError
from cytocar.files.places import Place, place_of
from cytocar.signals.declaration import Declaration

Floats = npt.NDArray[np.float64]

# FCS 3.1 ($SPILLOVER), BD FACSDiva (SPILL), Beckman and others without the dollar, FCS 3.0 ($COMP).
LONGEST_COUNT = 4  # digits: no cytometer has 10,000 detectors, and int() takes thousands
KEYWORDS = ("$SPILLOVER", "SPILLOVER", "SPILL", "$SPILL", "$COMP", "COMP")
HIGHEST_CONDITION = 1e10  # beyond it compensated values have lost more digits than a cytometer measures
SAME = 1e-4  # two matrices agree when no entry differs by more: some programs print four decimals


class Matrix(Declaration):
    """A named spectrum matrix: one row per fluorochrome, one column per detector."""

    fluorochromes: tuple[str, ...]
    detectors: tuple[str, ...]
    values: tuple[tuple[float, ...], ...]
    inverted: bool = False

    @model_validator(mode="after")
    def _shape_fits_names(self) -> Self:
        rows, columns = len(self.fluorochromes), len(self.detectors)
        reasons = []
        if len(set(self.fluorochromes)) < rows or len(set(self.detectors)) < columns:
            reasons.append("a fluorochrome or a detector is named twice")
        if len(self.values) != rows or any(len(row) != columns for row in self.values):
            reasons.append(f"values needs {rows} rows (fluorochromes) of {columns} numbers (detectors)")
        elif rows == 0 or np.linalg.matrix_rank(np.array(self.values)) < rows:
            reasons.append("values cannot be inverted: the rows must not follow from one another")
        if reasons:
            raise ValueError("; ".join(reasons))
        return self


@dataclass(frozen=True, eq=False)
class SpilloverMatrix:
    """How much of each fluorochrome every detector sees.

    Parameters
    ----------
    detectors : tuple of str
        Names of the columns (``$PnN``), d of them.
    fluorochromes : tuple of str
        Names of the rows, k of them; for a square matrix usually the detectors again.
    values : ndarray, shape (k, d)
        The matrix, diagonal 1 by custom.
    origin : str
        Where it came from, for people: ``$SPILLOVER``, a file name, a template's matrix.
    inverted : bool
        The values are the inverse already, of shape (d, k).

    Raises
    ------
    CompensationError
        E051 when it has no usable inverse, E053 when shape or names do not fit.
    """

    detectors: tuple[str, ...]
    fluorochromes: tuple[str, ...]
    values: Floats
    origin: str = "matrix"
    inverted: bool = False
    unmixing: Floats = field(init=False, repr=False)

    def __post_init__(self) -> None:
        values = np.array(self.values, dtype=np.float64)
        _check_shape(self, values)
        unmixing = values if self.inverted else _inverse(values, self.origin)
        for array in (values, unmixing):
            array.setflags(write=False)
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "unmixing", unmixing)

    @classmethod
    def from_keywords(cls, keywords: Mapping[str, str]) -> SpilloverMatrix | None:
        """Return the matrix that a file carries, None if it carries none.

        The keywords may name detectors or number them from 1. Two keywords that disagree are an error: neither is
        the one to trust.
        """
        found = [
            cls._parse(keyword, keywords[keyword], keywords)
            for keyword in KEYWORDS
            if keywords.get(keyword, "").strip(" ,")
        ]
        matrices = [matrix for matrix in found if matrix is not None]
        for other in matrices[1:]:
            if not _agree(matrices[0], other):
                raise CompensationError(
                    f"{matrices[0].origin} and {other.origin} of this file hold different spillover matrices",
                    code="E052",
                    hint='write the right one to a CSV and name it: [compensation] source = "matrix.csv"',
                )
        return matrices[0] if matrices else None

    @classmethod
    def _parse(cls, keyword: str, text: str, keywords: Mapping[str, str]) -> SpilloverMatrix | None:
        items = [item.strip() for item in text.replace("\n", "").rstrip(", ").split(",")]
        if not items[0].isdecimal() or len(items[0]) > LONGEST_COUNT:
            raise _malformed(keyword, f"it starts with {items[0]!r} where the number of channels belongs")
        size = int(items[0])
        if size == 0:
            return None
        names, numbers = items[1 : size + 1], items[size + 1 :]
        if keyword.endswith("COMP") and len(items) == 1 + size * size:
            names, numbers = [str(index + 1) for index in range(size)], items[1:]
        if len(numbers) > size * size and all(re.fullmatch(r"-?\d+", item) for item in numbers):
            raise _decimal_commas(keyword)
        if len(names) != size or len(numbers) != size * size:
            raise _malformed(keyword, f"{size} channels need {size * size} numbers, it has {len(numbers)}")
        values = np.array([_number(item, keyword) for item in numbers]).reshape(size, size)
        detectors = tuple(_detectors(names, keywords))
        return cls(detectors, detectors, _in_shares(values, keyword), origin=keyword)

    @classmethod
    def from_csv(cls, path: str | Place) -> SpilloverMatrix:
        """Return the matrix of a CSV or TSV file: a line of detectors, then one line per fluorochrome.

        Each line may begin with the fluorochrome's name. ``Comp-`` before and ``:: marker`` after a detector's name, as
        FlowJo writes them, are set aside.
        """
        path = place_of(path)
        try:
            text = path.read_text("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise CompensationError(
                f"the spillover matrix {path} cannot be read: {error}",
                code="E056",
                hint="give the path of a CSV file, relative to the template or to the sample sheet",
            ) from error
        lines = [line for line in text.splitlines() if line.strip(" ,;\t")]
        if not lines:
            raise _malformed(path.name, "it is empty")
        separator = max("\t;,", key=lines[0].count)
        if separator != "," and any(re.search(r"\d,\d", line) for line in lines[1:]):
            raise _decimal_commas(path.name)
        rows = [[item.strip() for item in row] for row in csv.reader(lines, delimiter=separator)]
        header, body = rows[0], rows[1:]
        named = any(not _is_number(row[0]) for row in body)
        if named and len(header) == len(body[0]):
            header = header[1:]
        detectors = tuple(_plain(name.removeprefix("#").strip()) for name in header if name)
        rows_of_numbers = [row[1:] if named else row for row in body]
        if len({len(row) for row in rows_of_numbers} | {len(detectors)}) != 1:
            raise _malformed(path.name, f"each line needs {len(detectors)} numbers, one for each detector of line 1")
        values = np.array([[_number(item, path.name) for item in row] for row in rows_of_numbers])
        if not named and len(body) != len(detectors):
            raise _malformed(path.name, f"{len(detectors)} detectors need {len(detectors)} lines of numbers, or names")
        fluorochromes = tuple(_plain(row[0]) for row in body) if named else detectors
        return cls(detectors, fluorochromes, _in_shares(values, path.name), origin=path.name)

    @classmethod
    def from_model(cls, matrix: Matrix, *, origin: str = "template") -> SpilloverMatrix:
        """Return a template's named matrix; more detectors than fluorochromes make it a spectrum matrix.

        Values that are the inverse already are turned to (detectors, fluorochromes) where their shape tells.
        """
        values = np.array(matrix.values, dtype=np.float64, ndmin=2)
        if matrix.inverted and values.shape == (len(matrix.fluorochromes), len(matrix.detectors)):
            values = values if values.shape[0] == values.shape[1] else values.T
        return cls(matrix.detectors, matrix.fluorochromes, values, origin=origin, inverted=matrix.inverted)

    def check_channels(self, available: Collection[str]) -> None:
        """Raise E050 if a detector of the matrix is not among the channels of a file."""
        missing = [detector for detector in self.detectors if detector not in available]
        if missing:
            raise CompensationError(
                f"{self.origin} names channels that the file does not have: {', '.join(missing)}",
                code="E050",
                hint=f"use a matrix for this panel; the file has {', '.join(sorted(available))}",
            )

    def row(self, name: str) -> int | None:
        """Return the row of a fluorochrome or, in a square matrix, of a detector; None if it has none."""
        if name in self.fluorochromes:
            return self.fluorochromes.index(name)
        square = len(self.fluorochromes) == len(self.detectors)
        return self.detectors.index(name) if square and name in self.detectors else None

    def compensate(self, measured: Floats) -> Floats:
        """Return the fluorochromes' signals, shape (n_events, k), of detector values of shape (n_events, d).

        Examples
        --------
        >>> matrix = SpilloverMatrix(("FITC-A", "PE-A"), ("FITC-A", "PE-A"), np.array([[1, 0.2], [0, 1]]))
        >>> matrix.compensate(np.array([[1000.0, 300.0]])).tolist()
        [[1000.0, 100.0]]
        """
        return np.asarray(measured @ self.unmixing)


def _check_shape(matrix: SpilloverMatrix, values: Floats) -> None:
    rows, columns = len(matrix.fluorochromes), len(matrix.detectors)
    expected = (columns, rows) if matrix.inverted else (rows, columns)
    if values.shape != expected or rows > columns or not rows:
        found = " x ".join(map(str, values.shape))
        raise _malformed(matrix.origin, f"{rows} fluorochromes and {columns} detectors do not fit its numbers, {found}")
    repeated = sorted({name for name in matrix.detectors if matrix.detectors.count(name) > 1})
    if repeated:
        raise _malformed(matrix.origin, f"it names {', '.join(repeated)} more than once")
    if not np.isfinite(values).all():
        raise _malformed(matrix.origin, "it has entries that are not finite numbers")


def _inverse(values: Floats, origin: str) -> Floats:
    condition = float(np.linalg.cond(values))
    if not condition < HIGHEST_CONDITION:
        raise CompensationError(
            f"the spillover matrix of {origin} is singular: some of its rows say the same (condition {condition:.3g})",
            code="E051",
            hint="look for a row of zeros, or two dyes with the same spectrum, and calculate the matrix again",
        )
    square = values.shape[0] == values.shape[1]
    return np.asarray(np.linalg.inv(values) if square else np.linalg.pinv(values), dtype=np.float64)


def _in_shares(values: Floats, origin: str) -> Floats:
    if values.shape[0] == values.shape[1] and np.diagonal(values).min() >= 50:
        raise _malformed(origin, "its diagonal is near 100, so it is in percent; shares of 1 are needed")
    return values


def _agree(one: SpilloverMatrix, other: SpilloverMatrix) -> bool:
    if set(one.detectors) != set(other.detectors):
        return False
    order = [other.detectors.index(detector) for detector in one.detectors]
    return bool(np.abs(one.values - other.values[np.ix_(order, order)]).max() <= SAME)


def _detectors(names: Sequence[str], keywords: Mapping[str, str]) -> list[str]:
    """Return ``$PnN`` for names that are channel numbers (and are not themselves channel names)."""
    known = {value.strip() for key, value in keywords.items() if re.fullmatch(r"\$P\d+N", key)}
    if any(name in known for name in names) or not all(
        name.isdecimal() and len(name) <= LONGEST_COUNT for name in names
    ):
        return list(names)
    return [keywords.get(f"$P{int(name)}N", name).strip() for name in names]


def _plain(name: str) -> str:
    return name.split("::", maxsplit=1)[0].strip().removeprefix("Comp-").strip("<>").strip()


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _number(text: str, origin: str) -> float:
    if not _is_number(text):
        raise _malformed(origin, f"{text!r} is not a number")
    return float(text)


def _malformed(origin: str, why: str) -> CompensationError:
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
