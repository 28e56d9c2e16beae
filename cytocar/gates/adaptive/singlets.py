"""The ``singlets`` gate: single events by the ratio of pulse height (or width) to area.

Two cells that cross the laser together add their areas but not their heights. The ratio of single events drifts with
size, so its mode is followed over the area; the spread is taken from the upper side, where no doublets are. (A robust
regression of height on area is pulled to the doublets: they are the majority among the largest events.)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from msgspec import Struct

from cytocar.gates.adaptive.density import Floats, density, thinned
from cytocar.gates.adaptive.parent_events import largest
from cytocar.gates.decision import Decision, FitInput, Fitted, Flag, Source, differs
from cytocar.regions.polygon import PolygonGate
from cytocar.statistics.order import median, medians, quantile, quantiles
from cytocar.template.gate_kinds import SingletsGate

FEWEST_EVENTS = 50
"""Events for a median line; with fewer the template's fallback is used."""
FEWEST_FOR_LINE = 500
"""Events for a line of modes; with fewer it is one of medians, and the gate is flagged FEW_EVENTS."""
AREA_BINS = 12
"""Most knots of the line: height / area changes slowly with area."""
FEWEST_PER_BIN = 100
"""Events for a mode; with fewer there are fewer knots."""
RATIO_BINS = 256
"""Of ln(height / area): finer than the smoothing."""
USUAL_SIGMAS_BELOW = 3.0
"""Doublets lie below the line of height / area; a gate with its limit farther off may keep every event."""
SMALLEST_SIGMA = 0.01
"""Of ln(height / area): digitised pulses are no narrower, and simulated ones must not close the gate."""
OFF_SCALE = 0.999
"""Of the channel's range: pulses cut off at the top have no ratio."""
EXPECTED_KEPT = (0.70, 0.999)
"""Of the events: outside it the gate is flagged UNUSUAL_SHARE_KEPT. It moves nothing."""


class _Line(Struct, frozen=True, eq=False):
    """ln(height / area) of single events over ln(area): straight from the first knot to the last, constant outside."""

    knots: Floats
    ratios: Floats

    def at(self, area: Floats) -> Floats:
        first, last = float(self.knots[0]), float(self.knots[-1])
        slope = float(self.ratios[-1] - self.ratios[0]) / (last - first) if last > first else 0.0
        return np.asarray(self.ratios[0] + slope * (np.minimum(np.maximum(area, first), last) - first))


class _Limits(Struct, frozen=True):
    """Lowest and highest ln(height / area), relative to the line."""

    low: float
    high: float

    def count(self, residual: Floats) -> int:
        return int(np.count_nonzero((residual > self.low) & (residual < self.high)))


def fit(gate: SingletsGate, given: FitInput) -> Fitted:
    """Return the gate as a polygon on area and height (or width) around the line of single events.

    The limits are factors of the sample's own mode of height / area, and so are the template's ``fallback`` and
    ``window``: 1 is the mode itself.
    """
    area, ratio = _pulses(gate, given.columns, given.ranges)
    flags: list[Flag] = []
    fallback = _Limits(float(np.log(gate.fallback[0])), float(np.log(gate.fallback[1])))
    limits = fallback
    line = _median_line(area, ratio) if len(area) < FEWEST_FOR_LINE else _mode_line(area, ratio)
    residual = ratio - line.at(area)
    if len(area) < FEWEST_FOR_LINE:
        flags.append(Flag.FEW_EVENTS)
        if len(area) >= FEWEST_EVENTS:
            # the median absolute deviation of a normal spread is 0.6745 sigma
            spread = median(np.abs(residual)) / 0.6745
            limits = _Limits(-4 * max(spread, SMALLEST_SIGMA), fallback.high)
    else:
        sigma = max(_spread_above(residual), SMALLEST_SIGMA)
        limits = _Limits(-gate.sigmas[0] * sigma, gate.sigmas[1] * sigma)
    placed = _Limits(max(limits.low, float(np.log(gate.window[0]))), min(limits.high, float(np.log(gate.window[1]))))
    if placed != limits:
        flags.append(Flag.CLAMPED)
    kept, kept_by_fallback = placed.count(residual), fallback.count(residual)
    most = EXPECTED_KEPT[1] if gate.sigmas[0] <= USUAL_SIGMAS_BELOW else 1.0
    if len(area) >= FEWEST_FOR_LINE and not EXPECTED_KEPT[0] <= kept / len(area) <= most:
        flags.append(Flag.UNUSUAL_SHARE_KEPT)
    if differs(kept, kept_by_fallback):
        flags.append(Flag.DIFFERS_FROM_FIXED)
    decisions = tuple(
        Decision(
            population=given.population,
            kind=gate.kind,
            parameter=parameter,
            value=float(np.exp(value)),
            source=Source.FALLBACK if len(area) < FEWEST_EVENTS else Source.SINGLETS,
            window=gate.window,
            clamped=Flag.CLAMPED in flags,
            events=len(area),
            fallback=fallback_value,
            flags=tuple(flags),
            kept=kept,
            kept_by_fallback=kept_by_fallback,
        )
        for parameter, value, fallback_value in (
            ("ratio_min", placed.low, gate.fallback[0]),
            ("ratio_max", placed.high, gate.fallback[1]),
        )
    )
    return Fitted(_polygon(gate, line, placed, _top(gate, given.columns, given.ranges)), decisions)


def _pulse(gate: SingletsGate) -> str:
    pulse = gate.height or gate.width
    if pulse is None:
        raise ValueError("a singlets gate names height or width")
    return pulse


def _pulses(gate: SingletsGate, columns: Mapping[str, Floats], ranges: Mapping[str, float]) -> tuple[Floats, Floats]:
    """Return ln(area) and ln(height / area), without events at the range limits; 1 / width stands for the ratio."""
    pulse = _pulse(gate)
    area, height = thinned(columns, gate.area), thinned(columns, pulse)
    usable = (area > 0) & (height > 0)
    usable &= (area < OFF_SCALE * ranges.get(gate.area, np.inf)) & (height < OFF_SCALE * ranges.get(pulse, np.inf))
    log_area, log_pulse = np.log(area[usable]), np.log(height[usable])
    return log_area, (log_pulse - log_area if gate.height else -log_pulse)


def single_line(area: Floats, ratio: Floats) -> Callable[[Floats], Floats]:
    """Return the line that the ``singlets`` gate is placed around: ln(height / area) of single events, by ln(area).

    Parameters
    ----------
    area, ratio : (n,) float64
        ln(area) and ln(height / area), without events off the scale.
    """
    return (_median_line(area, ratio) if len(area) < FEWEST_FOR_LINE else _mode_line(area, ratio)).at


def _median_line(area: Floats, ratio: Floats) -> _Line:
    if len(area) == 0:
        return _Line(np.zeros(1), np.zeros(1))
    return _Line(np.array([median(area)]), np.array([median(ratio)]))


def _spread_above(above: Floats) -> float:
    """Return the half-width that holds as much above a line as one sigma of a normal spread; 0 if nothing is above."""
    upper = above[above > 0]
    return quantile(upper, 0.6827) if len(upper) else 0.0


def _mode_line(area: Floats, ratio: Floats) -> _Line:
    """Return the Theil-Sen line through the modes of the ratio in bins of area (Sen 1968)."""
    bins = min(AREA_BINS, len(area) // FEWEST_PER_BIN)
    edges = quantiles(area, np.linspace(0, 1, bins + 1)[1:-1].tolist())
    which = np.searchsorted(edges, area).astype(np.uint8)
    in_bins = np.split(np.argsort(which, kind="stable"), np.cumsum(np.bincount(which))[:-1])
    members = [rows for rows in in_bins if rows.size]  # equal areas fall into one bin and leave others empty
    centers = np.array([medians(area[rows]) for rows in members])
    modes = np.array([_single_mode(ratio[rows]) for rows in members])
    first, second = np.triu_indices(len(members), 1)
    apart = centers[second] - centers[first]
    distinct = apart > 1e-9
    slopes = (modes[second] - modes[first])[distinct] / apart[distinct]
    slope = median(slopes) if len(slopes) else 0.0
    level = median(modes - slope * centers)
    return _Line(centers, level + slope * centers)


def _single_mode(ratio: Floats) -> float:
    """Return the highest ratio among the peaks of at least 0.3 of the tallest: doublets have the lower ratios."""
    low, high = quantiles(ratio, (0.25, 0.75))
    width = max(0.9 * min(float(ratio.std()), float(high - low) / 1.34) * len(ratio) ** -0.2, 0.01)
    smooth = density(ratio, width, RATIO_BINS)
    heights = smooth.heights
    peaks = np.flatnonzero((heights[1:-1] > heights[:-2]) & (heights[1:-1] >= heights[2:])) + 1
    tall = peaks[heights[peaks] >= 0.3 * heights.max()]
    return float(smooth.centers[tall[-1] if len(tall) else heights.argmax()])


class _Top(Struct, frozen=True):
    """Area from which on an event is off the scale, and the far corner of the plane: beyond every event."""

    off_scale: float
    area: float
    pulse: float


def _top(gate: SingletsGate, columns: Mapping[str, Floats], ranges: Mapping[str, float]) -> _Top:
    area, pulse = (1.01 * max(largest(columns, axis), 1.0, ranges.get(axis, 1.0)) for axis in (gate.area, _pulse(gate)))
    return _Top(OFF_SCALE * ranges.get(gate.area, np.inf), area, pulse)


def _polygon(gate: SingletsGate, line: _Line, limits: _Limits, top: _Top) -> PolygonGate:
    """Return the band between the limits over the area, and beyond it the single events whose area is off the scale.

    Large cells reach the end of the area's range before that of the height. There the height alone tells: a single
    event is at least as high as the band is where the scale ends, and two cells together are not.
    """
    end = min(top.off_scale, top.area)
    areas = np.r_[np.exp(line.knots[line.knots < np.log(end)]), end]
    ratios = line.at(np.log(areas))
    edges = []
    for limit in (limits.low, limits.high):
        pulse = areas * np.exp(ratios + limit) if gate.height else np.exp(-(ratios + limit))
        start = 0.0 if gate.height else float(pulse[0])
        edges.append([(0.0, start), *zip(areas.tolist(), pulse.tolist(), strict=True)])
    corners = [*edges[0], *reversed(edges[1])]
    if end < top.area:
        beyond = [(top.area, edges[0][-1][1])]
        beyond += [(top.area, top.pulse), (end, top.pulse)] if gate.height else [(top.area, edges[1][-1][1])]
        corners = [*edges[0], *beyond, *reversed(edges[1])]
    return PolygonGate(x=gate.area, y=_pulse(gate), vertices=tuple(corners))
