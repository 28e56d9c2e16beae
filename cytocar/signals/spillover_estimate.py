"""The spillover matrix from single-stain controls: two ways to estimate it, and what an estimate leaves uncorrected.

``medians`` is the textbook way: the median of each control less that of the unstained one, in shares of the stain's
own detector. It takes every event and supposes that nearly all of them are stained. ``regression`` follows AutoSpill
(Roca et al., Nat Commun 2021, 12:2890): slopes through negatives and positives of cells alone, corrected until what is
left is flat. It needs no negative population to be told from a positive one, and outliers do not move it.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from cytocar.errors.tree import CompensationError
from cytocar.signals.compensation import SpilloverMatrix
from cytocar.statistics.order import MAD_TO_SD

Floats = npt.NDArray[np.float64]

HUBER_K = 1.345  # 95 % as efficient as least squares on normal errors (Huber 1981)
FLAT = 1e-3  # passes end when no slope is left above this share
PASSES = 20
"""At most; they end before, when no slope is left (FLAT)."""
WEIGHTINGS = 50
"""At most, of the robust line; more change nothing once the weights have settled."""
PASS_SLOPE, WARN_SLOPE = 0.002, 0.005  # slopes after compensation: good, and still usable
FEWEST_EVENTS = 100
"""Of a control and of the unstained one: of fewer a median is not known to an eighth of a standard deviation."""


class Method(StrEnum):
    """How spillover is estimated."""

    MEDIANS = "medians"
    REGRESSION = "regression"


class SingleStain(Struct, frozen=True, eq=False):
    """One control: the detector of its stain, and its signals, shape (n_events, n_detectors), linear scale.

    ``cells`` are the same signals of the events to draw lines through: no debris, none at the end of a detector.
    """

    detector: str
    signals: Floats
    cells: Floats


class Estimated(Struct, frozen=True, eq=False):
    """A matrix, and the largest slope that it leaves in each control, as a share of the stain's own signal."""

    matrix: SpilloverMatrix
    left: tuple[float, ...]


def estimate(stains: Sequence[SingleStain], unstained: Floats, method: Method) -> Estimated:
    """Return the spillover matrix of single stains, one row and one column for each.

    Parameters
    ----------
    stains : sequence of SingleStain
        Their signals have one column for each stain, in the order of the stains.
    unstained : (n_events, n_stains) float64
        Signals of the control without a stain.
    method : Method
        Medians or regression, see the head of this module.

    Raises
    ------
    CompensationError
        E047 when a control is no brighter than the unstained one, or has too few events.
    """
    for position, stain in enumerate(stains):
        _check_stained(stain, unstained, position)
    values = _by_medians(stains, unstained) if method is Method.MEDIANS else _by_regression(stains)
    detectors = tuple(stain.detector for stain in stains)
    matrix = SpilloverMatrix(detectors, detectors, values, origin=f"single stains ({method})")
    slopes = np.abs(_slopes_left(stains, values))
    return Estimated(matrix, tuple(float(slope) for slope in slopes.max(axis=1)))


def _check_stained(stain: SingleStain, unstained: Floats, position: int) -> None:
    if min(len(stain.cells), len(unstained)) < FEWEST_EVENTS:
        raise CompensationError(
            f"the control of {stain.detector} has {len(stain.cells):,} events to measure, the unstained one"
            f" {len(unstained):,}; {FEWEST_EVENTS} are needed of each",
            code="E047",
            hint="acquire more events of this control",
        )
    if not np.median(stain.signals[:, position]) > np.median(unstained[:, position]):
        raise CompensationError(
            f"the control of {stain.detector} is no brighter there than the unstained one",
            code="E047",
            hint="check which file is which (stain_target in the sheet), or stain the control again",
        )


def _by_medians(stains: Sequence[SingleStain], unstained: Floats) -> Floats:
    """Return median(stain) - median(unstained) over its value in the stain's own detector (Bagwell & Adams 1993)."""
    nothing = np.median(unstained, axis=0)
    rows = np.array([np.median(stain.signals, axis=0) - nothing for stain in stains])
    return np.asarray(rows / np.diagonal(rows)[:, None], dtype=np.float64)


def _by_regression(stains: Sequence[SingleStain]) -> Floats:
    """Return the matrix whose compensation leaves slopes below ``FLAT``.

    Slopes E that compensation with S leaves mean that a control's signals lie along (I + E) S: that is the next S.
    """
    size = len(stains)
    spillover = np.eye(size)
    for _ in range(PASSES):
        left = _slopes_left(stains, spillover)
        spillover = (np.eye(size) + left) @ spillover
        spillover /= np.diagonal(spillover)[:, None]
        if np.abs(left).max(initial=0.0) < FLAT:
            break
    return spillover


def _slopes_left(stains: Sequence[SingleStain], spillover: Floats) -> Floats:
    """Return (n, n) slopes of every other detector on the stain's own after compensation; 0 on the diagonal."""
    slopes = np.zeros((len(stains), len(stains)))
    inverse = np.linalg.inv(spillover)
    for row, stain in enumerate(stains):
        signals = stain.cells @ inverse
        for column in range(len(stains)):
            if column != row:
                slopes[row, column] = huber_slope(signals[:, row], signals[:, column])
    return slopes


def huber_slope(x: Floats, y: Floats) -> float:
    """Return the slope of a straight line through y over x that outliers in y do not turn.

    Parameters
    ----------
    x, y : (n,) float64

    Notes
    -----
    Iteratively reweighted least squares; residuals beyond 1.345 SD, by their median deviation, weigh k/|r|.

    Examples
    --------
    >>> x = np.arange(100.0)
    >>> y = 0.25 * x + 3
    >>> y[90:93] += 1000
    >>> round(huber_slope(x, y), 3)
    0.25
    """
    weights = np.ones_like(x)
    slope = 0.0
    for _ in range(WEIGHTINGS):
        total = weights.sum()
        x_mean, y_mean = weights @ x / total, weights @ y / total
        spread = weights @ (x - x_mean) ** 2
        if spread == 0:
            return 0.0
        before, slope = slope, float(weights @ ((x - x_mean) * (y - y_mean)) / spread)
        residuals = np.abs(y - y_mean - slope * (x - x_mean))
        scale = MAD_TO_SD * float(np.median(residuals))
        if scale == 0 or abs(slope - before) < FLAT / 100:
            break
        weights = np.minimum(1.0, HUBER_K * scale / np.maximum(residuals, 1e-300))
    return slope
