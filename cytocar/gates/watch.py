"""Where in a run the events of some populations lie: their numbers in a thousand equal stretches of its events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]
STRETCHES = 1000


class OverRun:
    """Numbers of events by stretch of the file, added up block by block.

    Attributes
    ----------
    counts : mapping of str to (stretches,) int64
        By population, in the order of acquisition.

    Examples
    --------
    >>> beads = OverRun(["beads"], n_events=2000)
    >>> beads.add("beads", np.array([0, 1, 1999]))
    >>> beads.counts["beads"][[0, 1, -1]]
    array([2, 0, 1])
    """

    def __init__(self, populations: Iterable[str], n_events: int) -> None:
        self._size = max(1, -(-n_events // STRETCHES))
        self._stretches = max(1, -(-n_events // self._size))
        self.counts: Mapping[str, Counts] = {
            name: np.zeros(self._stretches, dtype=np.int64) for name in dict.fromkeys(populations)
        }

    def add(self, population: str, rows: npt.NDArray[np.integer]) -> None:
        """Add events of a population, by their rows in the file."""
        if population in self.counts and rows.size:
            self.counts[population][:] += np.bincount(rows // self._size, minlength=self._stretches)
