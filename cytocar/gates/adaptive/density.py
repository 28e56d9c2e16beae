"""Smoothed densities of one marker: what the data-driven gates look at.

Densities are histograms of 1024 bins on an asinh axis, smoothed with a Gaussian: a millisecond or two for
40,000 events, and the same for a million, since a density needs no more events than that (``thinned``). Counts of gates
are never thinned.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from cytocar.gates.adaptive.parent_events import ParentEvents, finite_of, thin
from cytocar.statistics.order import quantiles

Floats = npt.NDArray[np.float64]

BINS = 1024
"""On the asinh axis: finer than any smoothing that is used, and a millisecond to smooth."""
DENSITY_EVENTS = 40_000
"""A smoothed density needs no more; counts of gates are never thinned."""
FEW_LEVELS = 4096
"""Signals with fewer distinct values come from a coarse converter, and are spread within their steps."""
FULL_SCALE_PER_COFACTOR = 262144 / 150
"""asinh(x / 150) on a 262,144 scale; other full scales (four-decade 10,000) in proportion."""


class Density(Struct, frozen=True, eq=False):
    """Smoothed event density on an even grid of the asinh axis.

    ``centers`` and ``heights`` have shape (bins,); ``heights`` add up to the number of events looked at.
    """

    centers: Floats
    heights: Floats

    def lower_peaks(self, places: npt.NDArray[np.intp]) -> Floats:
        """Return the lower of the greatest heights left and right of some inner bins, shape (n,)."""
        left, right = (np.maximum.accumulate(heights) for heights in (self.heights, self.heights[::-1]))
        return np.minimum(left[places - 1], right[-places - 2])


def cofactor(full_scale: float | None) -> float:
    """Return the asinh cofactor for a channel's full scale.

    Examples
    --------
    >>> round(cofactor(262144), 6), round(cofactor(None), 6)
    (150.0, 150.0)
    """
    return (full_scale or 262144.0) / FULL_SCALE_PER_COFACTOR


class Ordered(Struct, frozen=True, eq=False):
    """Finite signals in ascending order, shape (n,): quantiles and counts are look-ups."""

    values: Floats

    @classmethod
    def of(cls, values: Floats) -> Ordered:
        """Return the finite ones of some signals in order.

        Examples
        --------
        >>> ordered = Ordered.of(np.array([3.0, 1.0, np.nan, 2.0]))
        >>> len(ordered), ordered.quantile(0.25), ordered.above(2.0)
        (3, 1.5, 2)
        """
        finite = finite_of(values)
        in_order = bool((finite[1:] >= finite[:-1]).all())  # a control's signals are kept so
        return cls(finite if in_order else np.sort(finite))

    def __len__(self) -> int:
        return len(self.values)

    def above(self, threshold: float) -> int:
        """Return the number of signals at or above a threshold."""
        return len(self.values) - int(np.searchsorted(self.values, threshold))

    def from_on(self, threshold: float) -> Floats:
        """Return the signals at or above a threshold, in order."""
        return self.values[np.searchsorted(self.values, threshold) :]

    def quantile(self, share: float) -> float:
        """Return the value below which a share of the signals lies, interpolated as ``numpy.quantile`` does."""
        place = share * (len(self.values) - 1)
        below = int(place)
        low, high = self.values[below], self.values[min(below + 1, len(self.values) - 1)]
        return float(low + (place - below) * (high - low))

    def center_and_spread(self) -> tuple[float, float]:
        """Return the median and half the distance between the 15.9 % and 84.1 % quantiles: 1 SD of a normal."""
        return self.quantile(0.5), max((self.quantile(0.841) - self.quantile(0.159)) / 2, 1e-9)


def thinned(columns: Mapping[str, Floats], marker: str, limit: int = DENSITY_EVENTS) -> Floats:
    """Return a marker's signal of every k-th event, so that at most ``limit`` remain."""
    return columns.thinned(marker, limit) if isinstance(columns, ParentEvents) else thin(columns[marker], limit)


def dither(values: Floats, *, seed: int) -> Floats:
    """Return values spread over the gap to the next level where digitising left few levels, else the values as given.

    A ten-bit channel shows combs instead of peaks; each event moves by up to half the gap to its neighbours.
    """
    some = values[:FEW_LEVELS]
    with np.errstate(over="ignore"):
        single = some.astype(np.float32)  # has fewer levels, counted in half of the time
    if _has_many_levels(single) or _has_many_levels(some):
        return values
    levels, which = np.unique(values, return_inverse=True)
    if len(levels) > FEW_LEVELS or len(levels) < 3 or len(values) < 4 * len(levels):
        return values
    gaps = np.diff(levels)
    half_gap = np.minimum(np.r_[gaps[0], gaps], np.r_[gaps, gaps[-1]])[which] / 2
    spread: Floats = np.random.default_rng(seed).uniform(-1, 1, len(values)) * half_gap
    return values + spread


def _has_many_levels(values: npt.NDArray[np.floating]) -> bool:
    return bool(1 + np.count_nonzero(np.diff(np.sort(values))) > 0.75 * len(values))


def bandwidth(values: Floats) -> float:
    """Return the smoothing width: Silverman's rule of thumb, at least 0.08 asinh units.

    ``0.9 min(sd, IQR / 1.34) n^-0.2`` (Silverman 1986, eq. 3.31).
    """
    low, high = quantiles(values, (0.25, 0.75))
    spread = min(float(values.std()), float(high - low) / 1.34)
    return max(0.9 * spread * math.pow(len(values), -0.2), 0.08)


def density(values: Floats, width: float, bins: int = BINS) -> Density:
    """Return the density of values, smoothed by a Gaussian with standard deviation ``width``.

    Parameters
    ----------
    values : (n,) float64
        Events on the axis that is smoothed (asinh or ln), n >= 1.
    width : float
        In units of that axis.
    """
    low, high = float(values.min()) - 4 * width, float(values.max()) + 4 * width
    step = max((high - low) / bins, 1e-12)
    counts = np.bincount(np.minimum(((values - low) / step).astype(np.intp), bins - 1), minlength=bins)
    reach = min(int(4 * width / step) + 1, bins // 2 - 1)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) * step / width) ** 2)
    heights = np.convolve(counts, kernel / kernel.sum(), mode="same").astype(np.float64)
    return Density(low + np.arange(0.5, bins) * step, heights)
