"""Whether a matrix takes away more than there is: bright cells of one dye far below the negatives of another.

Spillover only adds. So a compensated signal that lies below zero by more than noise, wherever another dye is bright,
tells that the matrix is of other settings, or that it was applied before. Too little compensation cannot be told so:
cells that are bright in two dyes may carry both markers.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cytocar.signals.compensation import SpilloverMatrix, is_square, off_diagonal
from cytocar.statistics.order import MAD_TO_SD, medians, quantiles

Floats = npt.NDArray[np.float64]

OVER_COMPENSATED, FEWEST_PAIRS = 0.02, 2
"""Share of detector pairs in which a bright signal pulls the other below its negatives: 0 to 0.014 in eight files that
were compensated once, 0.033 to 0.107 in the same files compensated twice, 0.103 in one whose matrix is wrong."""
BRIGHT_IN_ALL = 1 / 100
"""Share of the scale above which beads lie in every colour: they are bright together, whatever the matrix is."""
TIGHT_LN = 0.3
"""Beads, with a CV of at most 10 %, lie within this of their median in every colour, natural log."""
FEWEST_COMPARED = 30
"""Bright events, and negative values, whose median is known to a fifth of their spread."""

LARGE_ENTRY = 0.05
"""Of a matrix: below it noise hides the light."""
NOT_COMPENSATED = 0.8
"""Share of the large entries of a matrix whose light shows in the values: 0.91 to 1 in eight stained files of other
laboratories as recorded, 0.09 to 0.67 in the same files once compensated."""


def takes_too_much(pairs: int, over: list[tuple[int, int]]) -> bool:
    """True if so many pairs of dyes are over-compensated that the matrix cannot be the file's.

    Examples
    --------
    >>> takes_too_much(56, [(0, 1)]), takes_too_much(56, [(0, 1), (2, 3)])
    (False, True)
    """
    return pairs > 0 and len(over) >= max(FEWEST_PAIRS, OVER_COMPENSATED * pairs)


def without_beads(measured: Floats, top: float) -> npt.NDArray[np.bool_]:
    """Which events are no counting beads: bright in all colours, and one tight spot; dead cells are a smear.

    Parameters
    ----------
    measured : (n_events, d) float64
        Detector values as recorded.
    top : float
        End of the detectors' range.
    """
    beads: npt.NDArray[np.bool_] = np.all(measured > BRIGHT_IN_ALL * top, axis=1)
    if not beads.any():
        return ~beads
    logs = np.log(measured[beads])
    tight = np.abs(logs - medians(logs.T)).max(axis=1) < TIGHT_LN
    beads[beads] = tight if np.mean(tight) > 0.5 else False
    return ~beads


def over_compensated(signals: Floats) -> tuple[int, list[tuple[int, int]]]:
    """How many pairs of dyes were compared, and those in which bright events of one lie below the other's rest.

    Parameters
    ----------
    signals : (n_events, k) float64
        Compensated signals.

    Notes
    -----
    The top 5 % in i against the lower half in i: over if the median in j is lower by more than 3 robust standard
    deviations of the lower half, and lies below zero by more than its noise: CD4 cells lie below CD8 cells in CD8, and
    not below zero.
    """
    count, over = signals.shape[1], list[tuple[int, int]]()
    if signals.shape[0] * 0.05 < FEWEST_COMPARED:
        return 0, over
    columns = np.ascontiguousarray(signals.T, dtype=np.float32)  # put in order in half of the time
    for i, (own, in_order) in enumerate(zip(columns, np.sort(columns, axis=1), strict=True)):
        middle, high = quantiles(in_order, (0.5, 0.95), in_order=True)
        middle_of_bright = medians(columns.compress(own >= high, axis=1))
        others = np.flatnonzero(middle_of_bright < 0)  # only these can be over-compensated
        if not others.size:
            continue
        rest, middle_of_bright = columns[others].compress(own <= middle, axis=1), middle_of_bright[others]
        rest.sort(axis=1)
        low, center, up = (rest[:, round(share * (rest.shape[1] - 1))] for share in (0.159, 0.5, 0.841))
        far = center - middle_of_bright > 3 * np.maximum((up - low) / 2, 1e-9)
        below_zero = middle_of_bright < -_noise(rest)
        over += [(i, j) for j in others[far & below_zero].tolist() if j != i]
    return count * (count - 1), over


def _noise(rest: Floats) -> Floats:
    """Return one sigma of each signal's noise around zero, from the negative values; 0 where there are few.

    Parameters
    ----------
    rest : (k, n_events) float64
        Signals, sorted.
    """
    below = np.count_nonzero(rest < 0, axis=1)
    middle = rest[np.arange(len(rest)), np.maximum(below - 1, 0) // 2]
    return np.where(below >= FEWEST_COMPARED, -MAD_TO_SD * middle, 0.0)


def as_recorded(matrix: SpilloverMatrix, measured: Floats) -> bool:
    """True if values show the light that a matrix takes away, so that they cannot be compensated already.

    Parameters
    ----------
    measured : (n_events, d) float64
        Values of the matrix's detectors, without beads.

    Notes
    -----
    Spillover only adds: of the top 5 % in i nine of ten carry at least half of what the matrix says of i in j. Once
    compensated, those that are not stained with j lie around zero.
    """
    if not is_square(matrix) or len(measured) * 0.05 < FEWEST_COMPARED:
        return False
    shares = off_diagonal(matrix)
    seen: list[bool] = []
    for i, own in enumerate(measured.T):
        bright = own >= np.quantile(own, 0.95)
        for j in np.flatnonzero(shares[i] >= LARGE_ENTRY):
            light = np.quantile(measured[bright, j] / np.maximum(own[bright], 1e-9), 0.1)
            seen.append(bool(light >= shares[i, j] / 2))
    return len(seen) > 0 and float(np.mean(seen)) >= NOT_COMPENSATED
