"""A step in mid-run: signals that change their level once and stay there, as when somebody moves a voltage.

A drift is a line, a clog or a surge comes back; a step leaves two regimes, and gates fit one of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from cytocar.statistics.order import MAD_TO_SD, medians

Floats = npt.NDArray[np.float64]

SMALLEST_PART = 0.10
"""Share of the bins that has to lie on either side of a step: what is shorter comes and goes."""
FEWEST_BINS = 4
"""On either side of a step, for its noise to be known."""
LARGEST_STEP = 0.15
"""Of ln(level after / level before). Data-driven gates tolerate a change of 20 %."""
SMALLEST_MOVE, MOVED_QUANTILES = 0.03, 3
"""Asinh units, and quantiles that move at least so far: one or two move because other events came."""
SAME_FACTOR, SAME_SHARE = 0.05, 0.15
"""Of ln(factor), and of its size: how far quantiles may disagree about one gain."""
NOISES = 6.0
"""Standard errors that a quantile has to move by: twice the usual three, for hundreds of places are tried."""
BETTER_THAN_A_LINE = 0.5
"""Of the variance that a line leaves: with more left by two levels it is a drift."""


class LevelShift(Struct, frozen=True, eq=False):
    """One signal's step.

    ``place`` is the first bin after it, among the bins looked at; ``moves`` the change of each quantile (quantiles,),
    asinh units; ``size`` is ln(level after / level before).
    """

    signal: int
    place: int
    moves: Floats
    size: float


def find_shifts(lines: Floats) -> list[LevelShift]:
    """Return the signals that step, and where.

    Parameters
    ----------
    lines : (signals, quantiles, bins) float64
        Quantiles of each signal over the run, on an asinh scale.

    Notes
    -----
    All quantiles of a signal share the place: the split that explains most of their variance, each in units of its own
    noise (least squares for one change point, Hinkley 1970, Biometrika 57:1). It is a step if at least three quantiles
    move by more than six standard errors and by one factor, as another gain moves them; if two levels leave less than
    half of the variance that a line leaves; and if the level changes by more than 15 %. A quantile between two peaks
    jumps by chance, so the others decide; and a median over five bins goes first, so that single bins decide nothing.
    """
    bins = lines.shape[2]
    edge = max(FEWEST_BINS, int(np.ceil(SMALLEST_PART * bins)))
    if bins < 2 * edge + 1:
        return []
    smooth = _running_median(lines)
    noise = np.maximum(MAD_TO_SD * medians(np.abs(np.diff(lines, axis=2))) / np.sqrt(2), 1e-6)
    scaled = (smooth - smooth.mean(axis=2, keepdims=True)) / noise[:, :, None]
    before = np.arange(1, bins)
    explained = np.cumsum(scaled, axis=2)[:, :, :-1] ** 2 * bins / (before * (bins - before))
    places = edge + np.argmax(explained.sum(axis=1)[:, edge - 1 : bins - edge], axis=1)
    squares = (scaled**2).sum(axis=(1, 2))
    left = squares - explained[np.arange(len(lines)), :, places - 1].sum(axis=1)
    better = np.flatnonzero(left <= BETTER_THAN_A_LINE * (squares - _told_by_a_line(scaled)))
    steps = [_step_of(signal, int(places[signal]), smooth[signal], noise[signal]) for signal in better.tolist()]
    return [step for step in steps if step is not None]


def _step_of(signal: int, place: int, lines: Floats, noise: Floats) -> LevelShift | None:
    """Return the step of one signal, quantiles (quantiles, bins) with their noise (quantiles,); None if small."""
    first, second = medians(lines[:, :place]), medians(lines[:, place:])
    moves = second - first
    error = noise * np.sqrt(1 / place + 1 / (lines.shape[1] - place))
    sure = np.abs(moves) > np.maximum(SMALLEST_MOVE, NOISES * error)
    size = _gain(first[sure], second[sure])
    return None if size is None or abs(size) < LARGEST_STEP else LevelShift(signal, place, moves, size)


def _gain(first: Floats, second: Floats) -> float | None:
    """Return ln(level after / level before) of the quantiles that agree about it.

    None where fewer than three change by one factor: then other events came, not another gain.
    """
    same_side = first * second > 0
    factors = np.log(np.sinh(second[same_side]) / np.sinh(first[same_side]))
    if not factors.size:
        return None
    middle = float(medians(factors))
    agreeing = factors[np.abs(factors - middle) <= SAME_FACTOR + SAME_SHARE * abs(middle)]
    return float(medians(agreeing)) if len(agreeing) >= MOVED_QUANTILES else None


def _told_by_a_line(scaled: Floats) -> Floats:
    """Return the sums of squares (signals,) that straight lines explain of centred rows (signals, quantiles, bins)."""
    places = np.arange(scaled.shape[2]) - (scaled.shape[2] - 1) / 2
    slopes = scaled @ places / float(places @ places)
    return np.asarray((slopes**2).sum(axis=1) * float(places @ places))


def _running_median(lines: Floats) -> Floats:
    """Return the median of five neighbours along the last axis; the ends are repeated."""
    bins = lines.shape[2]
    padded = lines[:, :, np.arange(-2, bins + 2).clip(0, bins - 1)]
    a, b, c, d, e = (padded[:, :, first : first + bins] for first in range(5))
    low = np.maximum(np.minimum(a, b), np.minimum(c, d))  # neither of the two least of four
    high = np.minimum(np.maximum(a, b), np.maximum(c, d))
    return np.maximum(np.minimum(low, high), np.minimum(np.maximum(low, high), e))  # 20 times as fast as a partition


def together(steps: Sequence[LevelShift], *, apart: int = 2) -> list[list[LevelShift]]:
    """Return steps in groups that happen at one place, at most ``apart`` bins from the largest of each group."""
    groups: list[list[LevelShift]] = []
    for step in sorted(steps, key=lambda step: -abs(step.size)):
        group = next((group for group in groups if abs(group[0].place - step.place) <= apart), None)
        if group is None:
            groups.append([step])
        else:
            group.append(step)
    return groups
