"""Medians and quantiles: those of NumPy to the last bit, whose own functions take ten times as long.

NumPy puts one rank in its place with the processor's vector instructions, and several at once without them; all in
order only with those of some processors. Of 25,000 values, µs: one rank 27 or 220, two at once 230 or 350, all of them
90 or 780 (Intel with AVX-512, AMD Zen 4). So ranks are put in their places one after the other, each among what the one
before has left below it. NumPy's median and quantile ask for three ranks and more at once.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

MAD_TO_SD = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation: 1 / its 75 % quantile."""


def median(values: npt.NDArray[np.floating]) -> float:
    """Return the median of values, shape (n,); NaN of none, and where one of them is NaN.

    Examples
    --------
    >>> median(np.array([3.0, 1.0, 2.0])), median(np.array([1.0, 4.0, 2.0, 3.0]))
    (2.0, 2.5)
    """
    if not values.size or np.isnan(values.max()):
        return float("nan")
    return middle_of(values, (values.size - 1) // 2, values.size // 2)


def middle_of(values: npt.NDArray[np.floating], first: int, last: int) -> float:
    """Return the mean of the values at two neighbouring ranks, or at one that is given twice; none is NaN.

    Examples
    --------
    >>> middle_of(np.array([30.0, 10.0, 20.0]), 1, 2)
    25.0
    """
    ordered = np.partition(values, last)
    high = float(ordered[last])
    return high if first == last else (float(ordered[:last].max()) + high) / 2


def medians(values: Floats) -> Floats:
    """Return the medians along the last axis, none of it NaN.

    Examples
    --------
    >>> medians(np.array([[3.0, 1.0, 2.0], [5.0, 9.0, 7.0]])).tolist(), float(medians(np.array([1.0, 4.0, 2.0, 3.0])))
    ([2.0, 7.0], 2.5)
    """
    half = values.shape[-1] // 2
    ordered = np.partition(values, half)
    if values.shape[-1] % 2:
        return np.asarray(ordered[..., half])
    return np.asarray((ordered[..., :half].max(axis=-1) + ordered[..., half]) / 2)


def quantile(values: Floats, share: float) -> float:
    """Return the value below which a share of the others lies; see ``quantiles``.

    Examples
    --------
    >>> quantile(np.array([4.0, 1.0, 3.0, 2.0]), 0.4)
    2.2
    """
    if not values.size or np.isnan(values.max()):
        return float("nan")
    place = share * (len(values) - 1)
    below = int(place)
    ordered = np.partition(values, below)
    low = ordered[below]
    high = ordered[below + 1 :].min() if below + 1 < len(values) else low
    return float(_between(low, high, np.float64(place - below)))


def quantiles(values: Floats, shares: Sequence[float], *, in_order: bool = False) -> Floats:
    """Return the values below which these shares of some others lie, interpolated as ``numpy.quantile`` does.

    Parameters
    ----------
    values : (n,) float64
        Of none, and with a NaN among them, every quantile is NaN.
    shares : (q,) float
        0 to 1.
    in_order : bool
        Whether the values ascend.

    Examples
    --------
    >>> quantiles(np.array([4.0, 1.0, 3.0, 2.0]), (0.0, 0.4, 1.0)).tolist()
    [1.0, 2.2, 4.0]
    """
    last = len(values) - 1
    place = last * np.asarray(shares, dtype=np.float64)
    below = place.astype(np.intp)
    above = np.minimum(below + 1, last)
    if last < 0 or np.isnan(values[last] if in_order else values.max()):
        return np.full(len(place), np.nan)
    if in_order:
        return _between(values[below], values[above], place - below)
    at = _at_ranks(values, {*below.tolist(), *above.tolist()})
    low, high = (np.array([at[rank] for rank in ranks.tolist()]) for ranks in (below, above))
    return _between(low, high, place - below)


MOST_RANKS = 8
"""Put in their places one by one; of more, half are within what is left below one of the others: order is faster."""


def _at_ranks(values: Floats, ranks: Collection[int]) -> Mapping[int, float]:
    """Return the values at some ranks, by rank."""
    if len(ranks) > MOST_RANKS:
        ordered = np.sort(values)
        return {rank: ordered[rank] for rank in ranks}
    ordered, end = values.copy(), len(values)
    at: dict[int, float] = {}
    for rank in sorted(ranks, reverse=True):
        if rank + 1 in at and rank + 1 == end:
            at[rank] = ordered[:end].max()  # all that is less than its neighbour
            continue
        ordered[:end].partition(rank)
        at[rank], end = ordered[rank], rank
    return at


def _between(low: Any, high: Any, share: Any) -> Floats:
    """Return what lies a share of the way from low to high, rounded as NumPy does it."""
    return np.asarray(np.where(share < 0.5, low + (high - low) * share, high - (high - low) * (1 - share)))
