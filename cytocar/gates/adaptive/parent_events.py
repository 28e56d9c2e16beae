"""The signals that a data-driven gate sees: those of its parent's events, cut out as far as they are looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
_Values = TypeVar("_Values", bound=npt.NDArray[Any])
_Number = TypeVar("_Number", bound=np.floating[Any])


class ParentEvents(Mapping[str, Floats]):
    """Signals of some events by marker, copied when a marker is asked for.

    Parameters
    ----------
    markers : sequence of str
        What may be asked for.
    signal : callable
        Returns the signal of a marker of all events, shape (n_events,).
    rows : (n,) ndarray of int
        The events to cut out.
    n_events : int
        How many there are to cut from.
    """

    def __init__(
        self, markers: Sequence[str], signal: Callable[[str], Floats], rows: npt.NDArray[np.intp], n_events: int
    ) -> None:
        self._markers = markers
        self._signal = signal
        self._rows = rows
        self._all = rows.size == n_events

    def __getitem__(self, marker: str) -> Floats:
        if marker not in self._markers:
            raise KeyError(marker)
        return self._signal(marker) if self._all else np.take(self._signal(marker), self._rows)

    def __iter__(self) -> Iterator[str]:
        return iter(self._markers)

    def __len__(self) -> int:
        return len(self._markers)

    def thinned(self, marker: str, limit: int) -> Floats:
        """Return ``thin(self[marker], limit)`` without copying the events between."""
        if marker not in self._markers:
            raise KeyError(marker)
        return np.take(self._signal(marker), thin(self._rows, limit))

    def largest(self, marker: str) -> float:
        """Return the largest signal of a marker, -inf of no event and NaN where one is none, without copying all."""
        if marker not in self._markers:
            raise KeyError(marker)
        signal = self._signal(marker)
        parts = (self._rows[first : first + TAKEN_AT_ONCE] for first in range(0, self._rows.size, TAKEN_AT_ONCE))
        return float(np.max([np.take(signal, rows).max() for rows in parts], initial=-np.inf))


TAKEN_AT_ONCE = 32_768
"""Events: their signals stay in the processor's cache."""


def largest(columns: Mapping[str, Floats], marker: str) -> float:
    """Return the largest signal of a marker, -inf of no event, NaN where one is none."""
    if isinstance(columns, ParentEvents):
        return columns.largest(marker)
    return float(columns[marker].max(initial=-np.inf))


def thin(values: _Values, limit: int) -> _Values:
    """Return every k-th event, so that at most ``limit`` remain: deterministic, and even over the acquisition."""
    return values[:: max(1, -(-len(values) // limit))]  # type: ignore[return-value]  # a slice of the same kind


def finite_of(values: npt.NDArray[_Number]) -> npt.NDArray[_Number]:
    """Return the finite ones of some signals: nearly always the very array that was given."""
    with np.errstate(invalid="ignore", over="ignore"):
        return values if np.isfinite(np.add.reduce(values)) else values[np.isfinite(values)]
