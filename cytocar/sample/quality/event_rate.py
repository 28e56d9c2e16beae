"""Events per unit of time over an acquisition: events without a time, time that runs backwards, and the rates."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cytocar.statistics.order import MAD_TO_SD, medians

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

RATE_MADS, SMALLEST_RATE_CHANGE = 6.0, 0.5
"""Six scaled MADs, and ln(rate) by 0.5: a flow 1.65 times faster or slower. Less cuts what pumps do by themselves."""
NO_ORDER_SHARE = 0.1
"""Of the events: where time runs backwards more often, they are not in the order of acquisition (an export that draws
or sorts events), no fault of the run; a clock that is set back, or tubes that were joined, go back a few times."""


def without_gaps(time: Floats) -> Floats:
    """Return a clock whose events without a finite time take that of the event before; empty where none has one.

    One NaN would make every comparison with the median rate false, and any flow steady.

    Examples
    --------
    >>> without_gaps(np.array([np.nan, 1.0, np.inf, 3.0])).tolist()
    [1.0, 1.0, 1.0, 3.0]
    """
    known = np.flatnonzero(np.isfinite(time))
    if known.size == time.size:
        return time
    if not known.size:
        return time[known]
    latest = np.searchsorted(known, np.arange(time.size), side="right") - 1
    return time[known[np.maximum(latest, 0)]]


def steps_back(time: Floats) -> int:
    """How often time jumps back by more than a hundredth of the acquisition; by any step where it ends earlier.

    Examples
    --------
    >>> steps_back(np.array([5.0, 4.0, 3.0])), steps_back(np.array([0.0, 3.0, 2.999, 4.0]))
    (2, 0)
    """
    smallest = 0.01 * float(np.ptp(time)) if time[-1] > time[0] else 0.0
    return int(np.count_nonzero(np.diff(time) < -smallest))


def log_rates(time: Floats, starts: npt.NDArray[np.intp], size: int) -> Floats:
    """Return ln(events per unit of time) of each bin; a bin within one tick of the clock counts as one tick.

    Parameters
    ----------
    time : (n,) float64
        Finite, in order of acquisition.
    starts : (bins,) intp
        The first event of each bin.
    size : int
        Events of a bin.
    """
    ends = np.r_[starts[1:], len(starts) * size - 1]
    # stable: one look at a clock that runs forward, where the default sorts in full
    steps = np.diff(np.sort(time[:: max(1, len(time) // 100_000)], kind="stable"))
    ticks = steps.compress(steps > 0)
    tick = float(ticks.min()) if len(ticks) else 1.0
    return np.log(size / np.maximum(time[ends] - time[starts], min(tick, 1e30)))


def rate_is_bad(rates: Floats) -> Bools:
    """Return which bins' log rate leaves the median by more than six scaled MADs, and by 0.5 at least."""
    residual = np.abs(rates - medians(rates))
    limit = max(RATE_MADS * MAD_TO_SD * float(medians(residual)), SMALLEST_RATE_CHANGE)
    return np.asarray(residual > limit)
