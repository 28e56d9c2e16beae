"""Whether the acquisition was steady: event rate and signals over time.

Clogs, surges and start artefacts are stretches of events that are cut from beads and cells alike, so that counts from
beads stay right.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from msgspec import Struct
from msgspec.structs import replace

from cytocar.errors.findings import Finding, Severity
from cytocar.fcs.keywords import time_step_seconds
from cytocar.gates.chosen import ChosenEvents
from cytocar.sample.quality.event_rate import NO_ORDER_SHARE, log_rates, rate_is_bad, steps_back, without_gaps
from cytocar.sample.quality.level_shift import LARGEST_STEP, LevelShift, find_shifts, together
from cytocar.statistics.order import MAD_TO_SD, medians

if TYPE_CHECKING:
    from cytocar.fcs.events import Block, Channel, EventTable

Floats = npt.NDArray[np.float64]
Signals = npt.NDArray[np.floating]
Bools = npt.NDArray[np.bool_]

SMALLEST_BIN, LARGEST_BIN, FEWEST_BINS = 250, 2000, 10
"""Events of a bin at least and at most, and bins at least: a tenth's quantile needs 250; with ten bins a line can
be told."""
BINS_AIMED_AT = 200
"""Over a run: a clog of half a percent of it fills one."""
FLOW_EVENTS = 50_000
"""Signals are read of so many, evenly over the run: 200 bins of 250."""
EVENTS_LOOKED_AT = 250
"""Events of a bin that its quantiles are taken from: evenly chosen, enough for a tenth's quantile."""
QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
"""Of each signal in a bin: negatives move the low ones, positives the high ones."""
COFACTOR = 150.0
"""Of the asinh axis on a 262,144 scale: below it signals are noise, and linear."""
SIGNAL_MADS, SIGNAL_SCALES = 5.0, 0.25
"""Five scaled MADs happen once in two million by chance; a quarter of the signal's spread keeps tight signals from
alarm."""
LARGEST_DRIFT, DRIFT_NOISES = 0.18, 20.0
"""Of ln(level) over a run, 20 %, beyond 20 standard errors of the line: data-driven gates tolerate a change of 20
%."""
CLEAR_OF_ZERO = 2 * COFACTOR
"""Below it a signal is mostly noise around 0: negatives that move from 10 to 40 are not four times as bright."""
KEPT_PASS, KEPT_REVIEW = 95.0, 70.0
"""Percent of the events that flowed steadily: below the first W282 asks for a look, below the second the run fails
uncut."""


class TimeQuality(Struct, frozen=True, eq=False):
    """Which events to keep, as a mask (n_events,), None for all of them; and what was found."""

    keep: Bools | None
    findings: tuple[Finding, ...]


class _Bins(Struct, frozen=True, eq=False):
    """Equal stretches of an acquisition: bin b is events ``b * size`` to ``(b + 1) * size``, the last one more."""

    size: int
    count: int

    def starts(self) -> npt.NDArray[np.intp]:
        return np.arange(self.count, dtype=np.intp) * self.size

    def spread(self, of_bins: Bools, n_events: int) -> Bools:
        """Return a mask of events from a mask of bins."""
        return np.repeat(of_bins, np.diff(np.r_[self.starts(), n_events]))

    def looked_at(self, values: Signals) -> Signals:
        """Return (signals, count, k) events of each bin, a view; k at most EVENTS_LOOKED_AT, evenly chosen."""
        in_bins = values[:, : self.count * self.size].reshape(len(values), self.count, self.size)
        return in_bins[:, :, :: -(-self.size // EVENTS_LOOKED_AT)]


def time_quality(time: Floats, signals: Mapping[str, Floats]) -> TimeQuality:
    """Which stretches of an acquisition to keep, by event rate and signals over time.

    Parameters
    ----------
    time : (n,) float64
        The Time channel, any unit, in order of acquisition.
    signals : mapping of marker to (n,) float64
        Scatter and fluorescence of the same events, linear scale.

    Notes
    -----
    The events fall into bins of equal numbers. A bin is bad where a quantile of a signal (asinh scale) leaves the
    robust line through all bins by more than ``max(5 MAD, 0.25 of that signal's spread)`` and the bin's share of
    events below that quantile by more than ``max(5 MAD, 5 standard errors)``, or where its log rate leaves the median
    by more than ``max(6 MAD, 0.5)``. A run of bad bins takes one bin on either side with it. Slow drift moves the
    line: it is flagged, never cut. At least 95 % kept passes, at least 70 % is for review; with less, the run fails
    uncut. A step, two levels with more than 30 % of the run on either side (``quality.level_shift``), is flagged and
    not cut: nothing in the file says which of the two is right.
    """
    values = np.stack(list(signals.values())) if signals else np.empty((0, len(time)))
    return _judged(time, tuple(signals), values)


def _judged(time: Floats, markers: Sequence[str], values: Signals, *, tick: float | None = None) -> TimeQuality:
    """Return ``time_quality`` of signals (markers, n), whose order is lost; ``tick``: seconds of a unit of time."""
    bins = _bins(len(time))
    if bins is None:
        return TimeQuality(
            None, (_finding("W280", Severity.NOTE, f"only {len(time)} events, too few to judge the flow"),)
        )
    time = without_gaps(time)
    if not time.size:
        message = "no event has a time that is a finite number, so the flow over time was not judged"
        return TimeQuality(None, (_finding("W280", Severity.NOTE, message),))
    if not np.ptp(time):
        message = "the clock stands still, so the flow over time was not judged"
        return TimeQuality(None, (_finding("W280", Severity.NOTE, message),))
    if (backwards := steps_back(time)) > 0:
        message = f"time runs backwards {backwards} times, so the flow over time was not judged"
        no_order = backwards > NO_ORDER_SHARE * len(time)
        outcome = Severity.NOTE if no_order else Severity.REVIEW
        return TimeQuality(None, (_finding("W281", outcome, message, float(backwards)),))
    rates = log_rates(time, bins.starts(), bins.size)
    rate_bad = rate_is_bad(rates)
    with np.errstate(invalid="ignore"):  # infinities: inf - inf
        signal_bad, drifts, steps = _signals_are_bad(bins.looked_at(values), rate_bad)
    bad = _with_neighbours(rate_bad | signal_bad)
    keep = ~bins.spread(bad, len(time))
    findings = [_kept_finding(100 * float(keep.mean()), bad, rates, rate_bad)]
    findings += [_step_finding(group, markers, time, bins, tick) for group in together(steps)]
    named = zip(markers, drifts, strict=True)
    findings += [_drift_finding(marker, drift) for marker, drift in named if abs(drift.change) > LARGEST_DRIFT]
    uncut = not bad.any() or findings[0].outcome is Severity.FAIL
    return TimeQuality(None if uncut else keep, tuple(findings))


def flow_quality(events: EventTable, channels: Iterable[Channel]) -> TimeQuality:
    """Which events of a file to keep, by its clock and some of its channels, in a pass of its own (``FlowEvents``)."""
    flow, start = FlowEvents(events, channels), 0
    for block in events.blocks() if flow.has_clock else ():
        flow.add(start, block)
        start += block.n_events
    return flow.quality()


class FlowEvents:
    """The clock and some channels of evenly chosen events of a file, at most 50,000, collected block by block.

    Each of these events decides for its neighbours.
    """

    def __init__(self, events: EventTable, channels: Iterable[Channel]) -> None:
        self._events = events
        self._clock = next((channel for channel in events.channels if channel.is_time), None)
        self._signals = tuple(channel for channel in channels if not channel.is_time)  # a clock drifts by design
        self._step = max(1, -(-events.n_events // FLOW_EVENTS))
        self._chosen = ChosenEvents(events.n_events, self._step)  # encoded: a column is decoded once, not once a block

    @property
    def has_clock(self) -> bool:
        """True if the file has a Time channel."""
        return self._clock is not None

    def add(self, start: int, block: Block) -> None:
        """Add a block of the file, from its event ``start`` on."""
        if self._clock is None:
            return
        self._chosen.add(start, block)

    def quality(self) -> TimeQuality:
        """Which events to keep, once all blocks were added; see ``time_quality``."""
        if self._clock is None:
            message = "the file has no Time channel, so the flow over time was not judged"
            return TimeQuality(None, (_finding("W280", Severity.NOTE, message),))
        markers = [channel.marker or channel.detector for channel in self._signals]
        chosen = self._chosen.block()
        time = np.empty(0) if chosen is None else chosen.column(self._clock.index)
        quality = _judged(time, markers, self._values(chosen), tick=time_step_seconds(self._events))
        if quality.keep is None:
            return quality
        return TimeQuality(np.repeat(quality.keep, self._step)[: self._events.n_events], quality.findings)

    def _values(self, chosen: Block | None) -> Signals:
        """Return the signals (signals, n) in single precision, which is put in order in half of the time."""
        values = np.empty((len(self._signals), chosen.n_events if chosen else 0), dtype=np.float32)
        if chosen is not None:
            with np.errstate(over="ignore"):  # a double beyond what single precision holds is as good as infinite
                chosen.copy([channel.index for channel in self._signals], values.T)
        return values


def _bins(n_events: int) -> _Bins | None:
    size = int(np.clip(n_events // BINS_AIMED_AT, SMALLEST_BIN, LARGEST_BIN))
    count = n_events // size
    return _Bins(size, count) if count >= FEWEST_BINS else None


def _signals_are_bad(rows: Signals, rate_bad: Bools) -> tuple[Bools, list[_Drift], list[LevelShift]]:
    """Which bins leave the line of any quantile, each signal's steepest drift over the run, and the steps.

    A quantile that falls between two peaks jumps by chance. So a bin is bad only if a quantile is far away and the
    share of the bin's events below the line differs by more than counting explains. A signal that steps has two lines.

    Parameters
    ----------
    rows : (signals, bins, events) float32 or float64
        Sorted in place.
    """
    rows.sort(axis=2)
    lines = _quantiles_of_sorted(rows)
    spreads = np.maximum(medians(lines[:, 3] - lines[:, 1]) / 1.349, 0.05)
    steady = np.flatnonzero(~rate_bad)
    steps = _steps(lines, steady)
    raised = _raised_by(steps, lines.shape)
    slopes, levels = _robust_lines(steady, (lines - raised)[:, :, steady])
    fitted = levels[:, :, None] + slopes[:, :, None] * np.arange(rows.shape[1]) + raised
    far = _leave(lines - fitted, steady, SIGNAL_SCALES * spreads[:, None, None])
    signals, quantiles = np.nonzero(far.any(axis=2))
    if signals.size:
        bounds = (COFACTOR * np.sinh(fitted[signals, quantiles])).astype(rows.dtype)
        under = ((rows[one] < ends[:, None]) for one, ends in zip(signals, bounds, strict=True))
        below = np.array([one.argmin(axis=1) for one in under])
        below[rows[signals, :, -1] < bounds] = rows.shape[2]  # all of them: no event is the first that is not below
        shares = np.array(QUANTILES)[quantiles]
        counting_sds = np.sqrt(shares * (1 - shares) / rows.shape[2])
        far[signals, quantiles] &= _leave(below / rows.shape[2], steady, SIGNAL_MADS * counting_sds[:, None])
    noises = MAD_TO_SD * medians(np.abs(lines - fitted)) / np.sqrt(rows.shape[1])
    drifts = list(map(_steepest, slopes * rows.shape[1], levels, DRIFT_NOISES * noises))
    return np.asarray(far.any(axis=(0, 1))), drifts, steps


def _steps(lines: Floats, steady: npt.NDArray[np.intp]) -> list[LevelShift]:
    """Return the steps of signals among steady bins, with their places among all bins."""
    return [replace(step, place=int(steady[step.place])) for step in find_shifts(lines[:, :, steady])]


def _raised_by(steps: Sequence[LevelShift], shape: tuple[int, ...]) -> Floats:
    """Return by how much steps raise (signals, quantiles, bins); a short level is left, to be cut like any stretch."""
    raised = np.zeros(shape)
    for step in steps:
        if min(step.place, shape[2] - step.place) > (100 - KEPT_REVIEW) / 100 * shape[2]:
            raised[step.signal, :, step.place :] = step.moves[:, None]
    return raised


class _Drift(Struct, frozen=True):
    """The quantile of a signal that moves most over a run: by how much, and where it begins, both in asinh units."""

    change: float = 0.0
    start: float = 0.0
    quantile: float = 0.5


def _steepest(changes: Floats, levels: Floats, smallest: Floats) -> _Drift:
    """Return the largest of some changes that are more than noise, one of 0 where none is."""
    moved = np.flatnonzero(np.abs(changes) > smallest)
    if not moved.size:
        return _Drift()
    most = int(moved[np.abs(changes[moved]).argmax()])
    return _Drift(float(changes[most]), float(levels[most]), QUANTILES[most])


def _quantiles_of_sorted(rows: Signals) -> Floats:
    """Return the quantiles of (signals, bins, events) in asinh units, shape (signals, quantiles, bins), interpolated.

    Sorting first leaves ten events of each bin to be transformed, not all of them.
    """
    place = np.array(QUANTILES) * (rows.shape[2] - 1)
    below = place.astype(np.intp)
    above = np.minimum(below + 1, rows.shape[2] - 1)
    low, high = (np.arcsinh(rows[:, :, column].astype(np.float64) / COFACTOR) for column in (below, above))
    return np.ascontiguousarray((low + (place - below) * (high - low)).transpose(0, 2, 1))


def _robust_lines(places: npt.NDArray[np.intp], values: Floats) -> tuple[Floats, Floats]:
    """Return slopes and levels of the Theil-Sen lines along the last axis, over pairs half a run apart.

    Levels alone for few places.
    """
    half = len(places) // 2
    if half < FEWEST_BINS // 2:
        nothing = np.zeros(values.shape[:-1])
        return nothing, medians(values) if len(places) else nothing
    apart = places[half : 2 * half] - places[:half]
    slopes = medians((values[..., half : 2 * half] - values[..., :half]) / apart)
    return slopes, medians(values - slopes[..., None] * places)


def _leave(lines: Floats, steady: npt.NDArray[np.intp], smallest: Floats | float) -> Bools:
    """Which values leave the median along the last axis by more than 5 MAD (as an SD) and a minimum."""
    residuals = np.abs(lines - medians(lines[..., steady] if len(steady) else lines)[..., None])
    mads = medians(residuals[..., steady])[..., None] if len(steady) else 0.0
    return np.asarray(residuals > np.maximum(SIGNAL_MADS * MAD_TO_SD * mads, smallest))


def _with_neighbours(bad: Bools) -> Bools:
    """Return runs of two or more bad bins with one bin more on either side: a disturbance rarely ends with a bin."""
    padded = np.r_[False, bad, False]
    in_run = padded[1:-1] & (padded[:-2] | padded[2:])
    run = np.r_[False, in_run, False]
    return np.asarray(bad | run[:-2] | run[2:])


def _kept_finding(percent: float, bad: Bools, rates: Floats, rate_bad: Bools) -> Finding:
    """Return the finding on the share of events kept."""
    if not bad.any():
        return Finding("time", "", Severity.PASS, "the flow was steady", 100.0, KEPT_PASS)
    kinds = []
    slow = rate_bad & (rates < medians(rates))
    if bad[0]:
        kinds.append("an unsteady start")
    if slow.any():
        kinds.append("a clog (slow flow)")
    if (rate_bad & ~slow).any():
        kinds.append("a surge (fast flow)")
    if not rate_bad.any():
        kinds.append("shifted signals")
    what = " and ".join(kinds)
    if percent >= KEPT_PASS:
        return _finding(
            "W282", Severity.NOTE, f"{what}: {percent:.1f} % of the events flowed steadily", percent, KEPT_PASS
        )
    if percent >= KEPT_REVIEW:
        return _finding(
            "W282", Severity.REVIEW, f"{what}: only {percent:.1f} % of the events flowed steadily", percent, KEPT_PASS
        )
    message = f"{what}: {100 - percent:.1f} % of the run is disturbed, too much to cut, so nothing was cut"
    return _finding("W283", Severity.FAIL, message, percent, KEPT_REVIEW)


def _drift_finding(marker: str, drift: _Drift) -> Finding:
    """Return the finding on a drift: a factor where the signal stands clear of 0, else from where to where it went."""
    first, last = (COFACTOR * float(np.sinh(place)) for place in (drift.start, drift.start + drift.change))
    how = (
        f"by {100 * (last / first - 1):+.0f} %"
        if min(first, last) > CLEAR_OF_ZERO
        else f"from {first:.0f} to {last:.0f}"
    )
    which = "" if drift.quantile == 0.5 else f" (the {100 * drift.quantile:.0f} % quantile)"
    return _finding(
        "W284",
        Severity.REVIEW,
        f"{marker} drifts {how}{which} over the run (not corrected)",
        drift.change,
        LARGEST_DRIFT,
    )


def _step_finding(
    group: Sequence[LevelShift], markers: Sequence[str], time: Floats, bins: _Bins, tick: float | None
) -> Finding:
    """Return the finding on signals that step together: when, which, by how much, and what lies on either side."""
    first = int(medians(np.array([step.place for step in group]))) * bins.size
    before = 100 * first / len(time)
    moved = ", ".join(f"{markers[step.signal]} {100 * np.expm1(step.size):+.0f} %" for step in group)
    when = "" if tick is None else f", {tick * (time[first] - time[0]):.0f} s after the first event"
    message = (
        f"signals step in mid-run{when}: {moved}; {before:.0f} % of the events lie before, {100 - before:.0f} % after"
    )
    return _finding("W291", Severity.REVIEW, message, group[0].size, LARGEST_STEP)


def _finding(
    code: str, outcome: Severity, message: str, value: float | None = None, limit: float | None = None
) -> Finding:
    return Finding("time", code, outcome, message, value, limit)
