"""The spillover matrix: read from a file's keywords, a CSV or a template, checked, and applied to the needed columns.

A dye lights up detectors other than its own. Row i of the matrix says how much of dye i each detector sees, as a share
of its own detector (diagonal 1): ``measured = signal @ spillover``. To compensate is to multiply by the inverse; with
more detectors than dyes (a spectrum matrix) by the pseudo-inverse, the least-squares answer (Gating-ML 2.0, 6.1).
Negative entries are legal: real matrices have them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from cytocar.errors.boundary import boundary
from cytocar.errors.tree import CompensationError
from cytocar.files.places import Place, place_of, whole_bytes
from cytocar.signals.declaration import Declaration
from cytocar.signals.matrix_text import malformed, parse_csv, parse_keyword

Floats = npt.NDArray[np.float64]

# FCS 3.1 ($SPILLOVER), BD FACSDiva (SPILL), Beckman and others without the dollar, FCS 3.0 ($COMP).
KEYWORDS = ("$SPILLOVER", "SPILLOVER", "SPILL", "$SPILL", "$COMP", "COMP")
HIGHEST_CONDITION = 1e10  # beyond it compensated values have lost more digits than a cytometer measures
SAME = 1e-4  # two matrices agree when no entry differs by more: some programs print four decimals
LARGEST_ENTRY = 5.0
"""Off the diagonal. The largest in 582 public files is 3.6: a dye seen better beside its detector than in it."""

LARGEST_CONDITION = 100.0
"""By how much the inverse may blow up noise. The largest of those matrices is 16; six times that is a mistake."""

LEAVES_AS_IT_IS = 0.005
"""A matrix changes nothing when no entry off the diagonal is larger. Real ones have one of 0.16 at least (24 files);
at half a percent the brightest cell (100,000) leaves in another detector what an unstained one shows there."""


class Matrix(Declaration, frozen=True, kw_only=True):
    """A named spectrum matrix: one row per fluorochrome, one column per detector."""

    fluorochromes: tuple[str, ...]
    detectors: tuple[str, ...]
    values: tuple[tuple[float, ...], ...]
    inverted: bool = False

    def faults(self) -> Iterator[str]:
        """Yield what does not go together."""
        rows, columns = len(self.fluorochromes), len(self.detectors)
        reasons = []
        if len(set(self.fluorochromes)) < rows or len(set(self.detectors)) < columns:
            reasons.append("a fluorochrome or a detector is named twice")
        if len(self.values) != rows or any(len(row) != columns for row in self.values):
            reasons.append(f"values needs {rows} rows (fluorochromes) of {columns} numbers (detectors)")
        elif rows == 0 or np.linalg.matrix_rank(np.array(self.values)) < rows:
            reasons.append("values cannot be inverted: the rows must not follow from one another")
        yield from reasons


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
        """Return the matrix that a file carries, None if it carries none; see ``carried``."""
        return carried(keywords).matrix

    @classmethod
    def from_csv(cls, path: str | Place) -> SpilloverMatrix:
        """Return the matrix of a CSV or TSV file: a line of detectors, then one line per fluorochrome.

        Each line may begin with the fluorochrome's name. ``Comp-`` before and ``:: marker`` after a detector's name, as
        FlowJo writes them, are set aside.

        Raises
        ------
        CompensationError
            E056 when the file cannot be read, E053 when it holds something else, E051 or E065 when no cytometer has
            such a matrix.
        """
        path = place_of(path)
        hint = "give the path of a CSV file, relative to the template or to the sample sheet"
        with boundary(
            lambda why: CompensationError(f"the spillover matrix {path} cannot be read: {why}", code="E056", hint=hint)
        ):
            text = whole_bytes(path).decode("utf-8-sig")
        matrix = cls(*parse_csv(text, path.name), origin=path.name)
        check_plausible(matrix)
        return matrix

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
        shape = " x ".join(map(str, values.shape))
        raise malformed(matrix.origin, f"{rows} fluorochromes and {columns} detectors do not fit its numbers, {shape}")
    for names in (matrix.detectors, matrix.fluorochromes):
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise malformed(matrix.origin, f"it names {', '.join(repeated)} more than once")
    if not np.isfinite(values).all():
        raise malformed(matrix.origin, "it has entries that are not finite numbers")


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


def _agree(one: SpilloverMatrix, other: SpilloverMatrix) -> bool:
    if set(one.detectors) != set(other.detectors):
        return False
    order = [other.detectors.index(detector) for detector in one.detectors]
    return bool(np.abs(one.values - other.values[np.ix_(order, order)]).max() <= SAME)


# ---------------------------------------------------------------- of a file's keywords


class Carried(Struct, frozen=True, eq=False):
    """The matrix that a file carries, None if it carries none, and keywords that hold another, broken one."""

    matrix: SpilloverMatrix | None
    broken: tuple[CompensationError, ...] = ()


def carried(keywords: Mapping[str, str]) -> Carried:
    """Return the matrix that a file carries.

    The keywords may name detectors or number them from 1. A broken matrix beside a sound one stands back: a Gallios
    writes ``$COMP`` over all parameters with zeros for TIME beside its ``$SPILLOVER``.

    Raises
    ------
    CompensationError
        What is wrong with the first one, when none is sound (E051, E053, E054, E065, E067); E052 when two sound ones
        disagree: neither is the one to trust.
    """
    sound: list[SpilloverMatrix] = []
    broken: list[CompensationError] = []
    for keyword in KEYWORDS:
        if not keywords.get(keyword, "").strip(" ,"):
            continue
        try:
            parsed = parse_keyword(keyword, keywords[keyword], keywords)
            if parsed is not None:
                matrix = SpilloverMatrix(parsed[0], *parsed, origin=keyword)
                check_plausible(matrix)
                sound.append(matrix)
        except CompensationError as error:
            broken.append(error)
    if broken and not sound:
        raise broken[0]
    for other in sound[1:]:
        if not _agree(sound[0], other):
            raise CompensationError(
                f"{sound[0].origin} and {other.origin} of this file hold different spillover matrices",
                code="E052",
                hint='write the right one to a CSV and name it: [compensation] source = "matrix.csv"',
            )
    return Carried(sound[0] if sound else None, tuple(broken))


# ---------------------------------------------------------------- what a matrix does


def off_diagonal(matrix: SpilloverMatrix) -> Floats:
    """Return the entries of a square matrix as shares of each row's own detector, 0 on the diagonal."""
    values = _in_order(matrix)
    with np.errstate(over="ignore"):  # beside next to nothing on the diagonal: an infinite share, and no matrix
        shares = values / np.diagonal(values)[:, None]
    return np.asarray(shares - np.diag(np.diagonal(shares)))


def _in_order(matrix: SpilloverMatrix) -> Floats:
    """Return the values with rows in the order of the columns, where both carry the same names."""
    if set(matrix.fluorochromes) != set(matrix.detectors):
        return matrix.values
    return np.asarray(matrix.values[[matrix.fluorochromes.index(name) for name in matrix.detectors]])


def is_square(matrix: SpilloverMatrix) -> bool:
    """True if this is a spillover matrix of one detector a dye, and not a spectrum matrix or an inverse."""
    return len(matrix.detectors) == len(matrix.fluorochromes) and not matrix.inverted


def check_plausible(matrix: SpilloverMatrix) -> None:
    """Raise E065 for a square matrix that no cytometer has."""
    if not is_square(matrix):
        return
    if np.diagonal(_in_order(matrix)).min() <= 0:
        wrong = "its diagonal holds a number that is not above 0: a dye that its own detector does not see"
    elif (largest := float(np.abs(off_diagonal(matrix)).max())) > LARGEST_ENTRY:
        wrong = f"an entry off the diagonal is {largest:.4g} times its dye's own, more than {LARGEST_ENTRY:g}"
    elif (condition := float(np.linalg.cond(matrix.values))) > LARGEST_CONDITION:
        wrong = f"its condition number is {condition:.3g}, above {LARGEST_CONDITION:g}: compensation is mostly noise"
    else:
        return
    raise CompensationError(
        f"the spillover matrix of {matrix.origin} is none that a cytometer has: {wrong}",
        code="E065",
        hint="calculate it again from single stains (`cytocar compensate`), and name the CSV in the sheet",
    )


def leaves_as_it_is(matrix: SpilloverMatrix, detectors: Collection[str]) -> bool:
    """True if a matrix hardly changes the signals of a panel: no dye of the file spills into its detectors.

    Into two detectors alone there may truly be no spillover; the whole matrix decides then.

    Examples
    --------
    >>> identity = SpilloverMatrix(("A", "B"), ("A", "B"), np.eye(2))
    >>> leaves_as_it_is(identity, ["A", "B"]), leaves_as_it_is(identity, ["A"])
    (True, False)
    >>> values = np.eye(4)
    >>> values[3, 0] = 0.2  # D in A
    >>> leaves_as_it_is(SpilloverMatrix(tuple("ABCD"), tuple("ABCD"), values), ["A", "B", "C"])
    False
    """
    rows = [place for place, name in enumerate(matrix.detectors) if name in detectors]
    if not is_square(matrix) or len(rows) < 2:
        return False
    entries = np.abs(off_diagonal(matrix))
    if len(rows) > 2:
        entries = entries[:, rows]
    return bool(entries.max() <= LEAVES_AS_IT_IS)
