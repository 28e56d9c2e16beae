"""The ``valley`` gate: a threshold at the valley between two peaks of one marker (viability, CD45, CD3, CD4, CD8).

A valley counts only inside the template's window, with enough events on both sides and enough depth; several are
smoothed until one is left. No valley: the template's fallback, and a flag. Never an unguarded minimum.
"""

from __future__ import annotations

import numpy as np
from msgspec import Struct

from cytocar.gates.adaptive.density import (
    DENSITY_EVENTS,
    Density,
    Floats,
    bandwidth,
    cofactor,
    density,
    dither,
)
from cytocar.gates.adaptive.parent_events import finite_of, thin
from cytocar.gates.decision import Decision, FitInput, Fitted, Flag, Source, differs
from cytocar.regions.boxes import RangeGate
from cytocar.signals.scales import AnyScale, LinearScale
from cytocar.template.gate_kinds import ValleyGate

FEWEST_EVENTS = 100
"""For a density with two peaks; with fewer the template's fallback is used, and the gate is flagged FEW_EVENTS."""
SMOOTHINGS = (1.0, 1.4, 2.0, 2.8, 4.0)
"""Widths in units of the rule of thumb, tried until one valley is left: half an octave each."""
CLEAR_PROMINENCE = 0.25
"""Depth of the valley against its lower peak; a shallower one is used and flagged DIM."""
FEWEST_BESIDE = 20
"""Events on either side of a valley: fewer are no population."""
SMALLEST_SHARE_BESIDE = 0.003
"""Of the events, on either side of a valley: less is a tail of the other."""
FLOOR_HEIGHT = 0.05
"""Of the lower peak: up to so much above the minimum the border could lie as well, as far as the density tells."""
LARGEST_FLOOR_SHARE = 0.10
"""Of the events kept: beyond it, where in a plateau the border came to lie decides a tenth of the population."""


class Valley(Struct, frozen=True):
    """A minimum between two peaks: where, in data units, ``1 - height / lower peak``, and the ends of its floor."""

    at: float
    prominence: float
    floor: tuple[float, float]


def fit(gate: ValleyGate, given: FitInput) -> Fitted:
    """Return the gate as a range, placed at the valley of the parent's events."""
    finite = finite_of(given.columns[gate.marker])
    flags: list[Flag] = []
    valley = None
    if len(finite) < FEWEST_EVENTS:
        flags.append(Flag.FEW_EVENTS)
    else:
        valley = find_valley(
            finite,
            window=gate.window,
            prominence=gate.prominence,
            full_scale=full_scale(given.scales.get(gate.marker), given.ranges.get(gate.marker)),
            range_limit=given.ranges.get(gate.marker),
            seed=given.seed,
        )
        if valley is None:
            flags.append(Flag.NO_VALLEY)
        elif valley.prominence < CLEAR_PROMINENCE:
            flags.append(Flag.DIM)
    clamped = valley is not None and not gate.window[0] < valley.at < gate.window[1]
    if clamped:
        flags.append(Flag.CLAMPED)
    value = gate.fallback if valley is None else valley.at
    above = gate.keep == "above"
    kept, kept_by_fallback = (
        int(np.count_nonzero(finite >= at if above else finite < at)) for at in (value, gate.fallback)
    )
    if differs(kept, kept_by_fallback):
        flags.append(Flag.DIFFERS_FROM_FIXED)
    floor_events = None if valley is None else events_between(finite, *valley.floor)
    if floor_events is not None and floor_events > LARGEST_FLOOR_SHARE * kept + FEWEST_BESIDE:
        flags.append(Flag.FLAT_VALLEY)
    decision = Decision(
        population=given.population,
        kind=gate.kind,
        parameter="threshold",
        value=value,
        source=Source.FALLBACK if valley is None else Source.VALLEY,
        window=gate.window,
        clamped=clamped,
        events=len(finite),
        fallback=gate.fallback,
        flags=tuple(flags),
        kept=kept,
        kept_by_fallback=kept_by_fallback,
        floor=None if valley is None else valley.floor,
        floor_events=floor_events,
    )
    low, high = (value, None) if above else (None, value)
    return Fitted(RangeGate(marker=gate.marker, min=low, max=high), (decision,))


def events_between(values: Floats, low: float, high: float) -> int:
    """How many signals lie from ``low`` up to ``high``.

    Examples
    --------
    >>> events_between(np.array([1.0, 2.0, 3.0]), 2.0, 3.0)
    1
    """
    return int(np.count_nonzero((values >= low) & (values < high)))


def full_scale(scale: AnyScale | None, range_limit: float | None) -> float | None:
    """Return the top of a marker's axis: its scale's T, else the channel's range."""
    if scale is None or isinstance(scale, LinearScale):
        return range_limit
    return scale.T


def find_valley(
    values: Floats,
    *,
    window: tuple[float, float],
    prominence: float = CLEAR_PROMINENCE,
    full_scale: float | None = None,
    range_limit: float | None = None,
    seed: int = 0,
) -> Valley | None:
    """Return the one valley inside the window, None if there is none that the events support.

    Parameters
    ----------
    values : (n,) float64
        Finite signals, linear scale.
    window : (low, high)
        In data units; a valley outside does not count.
    prominence : float
        Smallest ``1 - f_valley / min(peaks)``.
    range_limit : float, optional
        Events at this limit stay out of the density: they pile up there whatever they are.
    """
    per_unit = cofactor(full_scale)
    looked_at = thin(values, DENSITY_EVENTS)
    if range_limit is not None:
        looked_at = looked_at.compress(looked_at < 0.999 * range_limit)
    if len(looked_at) < FEWEST_EVENTS:
        return None
    signal = np.arcsinh(dither(looked_at, seed=seed) / per_unit)
    low, high = np.arcsinh(np.asarray(window) / per_unit).tolist()
    width = bandwidth(signal)
    valleys: list[Valley] = []
    for smoothing in SMOOTHINGS:
        candidates = _valleys(density(signal, width * smoothing), low, high, prominence)
        valleys = candidates or valleys
        if len(candidates) <= 1:
            break
    if not valleys:
        return None
    best = max(valleys, key=lambda valley: valley.prominence)
    left, at, right = (float(np.sinh(place) * per_unit) for place in (best.floor[0], best.at, best.floor[1]))
    return Valley(min(max(at, window[0]), window[1]), best.prominence, (left, right))


def _valleys(smooth: Density, low: float, high: float, prominence: float) -> list[Valley]:
    """Return each minimum that is deep enough and has enough on both sides, places on the asinh axis.

    The place is the middle of the valley's floor, held inside the window: between well separated peaks the density is
    almost nil over a wide stretch, and its exact minimum is chance.
    """
    heights = smooth.heights
    minima = np.flatnonzero((heights[1:-1] < heights[:-2]) & (heights[1:-1] <= heights[2:])) + 1
    below = np.cumsum(heights)
    fewest = max(FEWEST_BESIDE, SMALLEST_SHARE_BESIDE * below[-1])
    lower_peaks = smooth.lower_peaks(minima)
    depths = 1 - heights[minima] / lower_peaks
    deep = (depths >= prominence) & (fewest <= below[minima]) & (below[minima] <= below[-1] - fewest)
    valleys = []
    for index, lower_peak, depth in zip(*(each[deep].tolist() for each in (minima, lower_peaks, depths)), strict=True):
        left, right = _floor(smooth, index, lower_peak)
        if left <= high and right >= low:
            wide = _floor(smooth, index, lower_peak, FLOOR_HEIGHT)
            valleys.append(Valley(min(max((left + right) / 2, low), high), depth, wide))
    return valleys


def _floor(smooth: Density, index: int, lower_peak: float, rise: float = 0.01) -> tuple[float, float]:
    """Return the stretch around a minimum where the density stays within 1 % of the lower peak from it, or ``rise``."""
    floor = smooth.heights <= smooth.heights[index] + rise * lower_peak
    left = index - int(np.argmin(floor[index::-1])) + 1
    right = index + int(np.argmin(floor[index:])) - 1
    return float(smooth.centers[left]), float(smooth.centers[right])
