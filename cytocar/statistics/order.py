"""Medians and quantiles of small arrays: those of NumPy to the last bit, whose own functions take longer to begin."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def medians(values: Floats) -> Floats:
    """Return the medians along the last axis, none of it NaN: those of ``numpy.median``.

    Examples
    --------
    >>> medians(np.array([[3.0, 1.0, 2.0], [5.0, 9.0, 7.0]])).tolist(), float(medians(np.array([1.0, 4.0, 2.0, 3.0])))
    ([2.0, 7.0], 2.5)
    """
    half = values.shape[-1] // 2
    if values.shape[-1] % 2:
        return np.asarray(np.partition(values, half, axis=-1)[..., half])
    ordered = np.partition(values, (half - 1, half), axis=-1)
    return np.asarray((ordered[..., half - 1] + ordered[..., half]) / 2)


def quantiles(values: Floats, shares: Sequence[float], *, in_order: bool = False) -> Floats:
    """Return the values below which these shares of some others lie, interpolated as ``numpy.quantile`` does.

    Parameters
    ----------
    values : (n,) float64
        n >= 1; with a NaN among them every quantile is NaN.
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
    if np.isnan(values[last] if in_order else values.max()):
        return np.full(len(place), np.nan)
    ordered = values if in_order else np.partition(values, (*below.tolist(), *above.tolist()))
    low, high, share = ordered[below], ordered[above], place - below
    return np.where(share < 0.5, low + (high - low) * share, high - (high - low) * (1 - share))
