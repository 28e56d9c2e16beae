"""Medians of signals in populations, collected while a file streams past."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from cytocar.gates.masks import PackedMasks
from cytocar.gates.stream import Part


def median_of(values: npt.NDArray[np.floating]) -> float | None:
    """Return the median of the finite values, None if there is none.

    A sample tells where the middle is about to be, so that only a tenth of many values have to be put in order.

    Examples
    --------
    >>> median_of(np.array([1.0, 5.0, np.nan, 3.0])), median_of(np.empty(0))
    (3.0, None)
    """
    if not np.isfinite(np.add.reduce(values)):
        values = values[np.isfinite(values)]
    if not values.size:
        return None
    middle = (values.size - 1) // 2, values.size // 2
    sample = np.sort(values[:: values.size // 1000 + 1])
    low, high = sample[int(0.45 * (sample.size - 1))], sample[int(0.55 * (sample.size - 1))]
    below = int(np.count_nonzero(values < low))
    near = values[(values >= low) & (values <= high)]
    if not below <= middle[0] <= middle[1] < below + near.size:
        below, near = 0, values
    ranks = [rank - below for rank in middle]
    return float(np.mean(np.partition(near, ranks)[ranks], dtype=np.float64))


class Medians:
    """Signals of some markers over a whole file, and the masks of the populations whose medians are wanted.

    Medians are written with six digits: single precision holds seven, at half the memory.
    """

    def __init__(self, populations: Iterable[str], markers: Sequence[str], n_events: int) -> None:
        self.populations = tuple(populations)
        self.markers = tuple(markers)
        self._masks = PackedMasks(self.populations, n_events)
        self._signals = np.empty((len(self.markers), n_events), dtype=np.float32)

    def add(self, part: Part) -> None:
        """Copy what is needed of a block."""
        self._masks.add(part)
        place = slice(part.start, part.start + part.n_events)
        for row, marker in zip(self._signals, self.markers, strict=True):
            row[place] = part.first.signals.signal(marker)

    def by_population(self) -> dict[tuple[str, str], float | None]:
        """Return the median of each population and marker."""
        found = {}
        for population in self.populations:
            mask = self._masks.mask(population)
            for marker, signals in zip(self.markers, self._signals, strict=True):
                found[population, marker] = median_of(signals[mask])
        return found
