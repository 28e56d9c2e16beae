"""Medians and quantiles: those of NumPy to the last bit, whose own functions take ten times as long.

NumPy puts one rank in its place with the processor's vector instructions, and several at once without them. Of 25,000
values, µs: one rank 27 or 265, two at once 230 or 350, all of them 90 or 790 (Intel with AVX-512, AMD Zen 4). NumPy's
median and quantile ask for three ranks and more at once. Here a sample tells between which values a rank lies, and only
these are put in their places: 100 µs on the AMD, the bracket checked by counting, so that it changes no answer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
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
    low, high = map(float, _two_at(values, first, last, _sample(values)))
    return high if first == last else (low + high) / 2


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
    low, high = _two_at(values, below, min(below + 1, len(values) - 1), _sample(values))
    return _between(low, high, place - below)


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
    if last < 0 or np.isnan(values[last] if in_order else values.max()):
        return np.full(len(shares), np.nan)
    places = [last * share for share in shares]
    ranks = [(int(place), min(int(place) + 1, last)) for place in places]
    sample = None if in_order or len(places) > MOST_SHARES else _sample(values)
    if sample is not None:
        at = [_two_at(values, *two, sample) for two in ranks]
    else:
        ordered = values if in_order else np.sort(values)
        at = [(ordered[below], ordered[above]) for below, above in ranks]
    return np.array([_between(*two, place - below) for two, place, (below, _) in zip(at, places, ranks, strict=True)])


MANY = 4096
"""Values: fewer are put in their places, or in order, faster than a sample is taken of them."""
MOST_SHARES = 5
"""Looked for one after the other; for more, all values are put in order."""
SAMPLE = 1000
"""Values that tell where a rank is, to a sixtieth of the others."""


def _sample(values: npt.NDArray[Any]) -> npt.NDArray[Any] | None:
    """Return a thousand evenly chosen ones of many values, in order."""
    return np.sort(values[:: values.size // SAMPLE]) if values.size > MANY else None


def _two_at(values: npt.NDArray[Any], first: int, last: int, sample: npt.NDArray[Any] | None) -> tuple[Any, Any]:
    """Return the values at two neighbouring ranks, or at one that is given twice."""
    near, below = (values, 0) if sample is None else _around(values, first, last, sample)
    ordered = np.partition(near, last - below)
    high = ordered[last - below]
    return (high if first == last else ordered[: last - below].max()), high


def _around(values: npt.NDArray[Any], first: int, last: int, sample: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], int]:
    """Return the values around some ranks, and how many lie below these; all values where the sample misleads."""
    place, reach = first * sample.size // values.size, 3 * math.isqrt(sample.size) // 2  # 3 SD of the median's place
    low = sample[place - reach] if place >= reach else -np.inf
    high = sample[place + reach] if place + reach < sample.size else np.inf
    from_low = values >= low
    near, below = values.compress(from_low & (values <= high)), values.size - int(np.count_nonzero(from_low))
    return (near, below) if below <= first and last < below + near.size else (values, 0)


def _between(low: Any, high: Any, share: float) -> float:
    """Return what lies a share of the way from low to high, rounded as NumPy does it."""
    apart = float(high - low)  # in the precision of the values
    return float(low) + apart * share if share < 0.5 else float(high) - apart * (1 - share)
