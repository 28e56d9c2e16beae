"""Medians of signals in populations, collected while a file streams past."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import product

import numpy as np
import numpy.typing as npt

from cytocar.gates.adaptive.parent_events import finite_of
from cytocar.gates.engine.stream import GatedBlock
from cytocar.statistics.order import middle_of

Signals = npt.NDArray[np.float32]
KEPT_ON_EITHER_SIDE = 16_384
"""Signals around the middle that stay in memory: fewer, and a file that drifts has to be read again."""
LOOKED_AT_ONCE = 32_768
"""Signals that wait to be looked at together: a small population has hundreds in a block."""
SAMPLE = 1000
"""Values that tell where a rank is, to a thirtieth of the others."""


def median_of(values: npt.NDArray[np.floating]) -> float | None:
    """Return the median of the finite values, None if there is none.

    Examples
    --------
    >>> median_of(np.array([1.0, 5.0, np.nan, 3.0])), median_of(np.empty(0))
    (3.0, None)
    """
    values = finite_of(values)
    return middle_of(values, (values.size - 1) // 2, values.size // 2) if values.size else None


class StreamingMedian:
    """The middle of signals that stream past, in memory that hardly grows with them.

    Signals are kept until there are many; then only those around the middle, while those below and above are counted.
    The middle of all that will come is near the middle of what has come, unless the sample changes: ``median`` says
    nothing then, and the signals have to be looked at again.

    Examples
    --------
    >>> middle = StreamingMedian()
    >>> for start in range(0, 1_000_000, 50_000):
    ...     middle.add(np.random.default_rng(start).permutation(50_000) % 1001)
    >>> middle.median(), middle.held < 150_000
    ((499.5, True), True)
    """

    def __init__(self) -> None:
        self.held = self._held_before = 0
        self._below = self._above = 0
        self._low, self._high = -np.inf, np.inf
        self._near: list[Signals] = []
        self._waiting: list[Signals] = []
        self._n_waiting = 0

    def add(self, values: npt.NDArray[np.floating]) -> None:
        """Add signals, shape (n,); those that are not finite are left out."""
        self._waiting.append(values.astype(np.float32, copy=False))
        self._n_waiting += values.size
        if self._n_waiting >= LOOKED_AT_ONCE:
            self._look()

    def _look(self) -> None:
        """Sort the waiting signals into those around the middle, below and above it."""
        if not self._waiting:
            return
        self._near.append(self._between(finite_of(np.concatenate(self._waiting))))
        self._waiting, self._n_waiting = [], 0
        self.held += self._near[-1].size
        needed = self._kept_on_either_side()
        if self.held > max(8 * needed, 2 * self._held_before):  # ties cannot be parted: look at them seldom
            self._narrow(needed)
            self._held_before = self.held

    def _between(self, values: Signals) -> Signals:
        """Return the signals that are neither too low nor too high, and count the others."""
        if self._low == -np.inf:
            return values
        near = np.flatnonzero((values >= self._low) & (values <= self._high))
        below = int(np.count_nonzero(values < self._low))
        self._below += below
        self._above += values.size - near.size - below
        return np.take(values, near)

    def median(self) -> tuple[float | None, bool]:
        """Return the median, None without signals, and whether it is known."""
        self._look()
        n_signals = self._below + self.held + self._above
        if not n_signals:
            return None, True
        first, last = (rank - self._below for rank in ((n_signals - 1) // 2, n_signals // 2))
        if first < 0 or last >= self.held:
            return None, False
        return middle_of(np.concatenate(self._near), first, last), True

    def _kept_on_either_side(self) -> int:
        """How many signals to keep below and above the middle: 16 standard errors of its rank and more."""
        return max(KEPT_ON_EITHER_SIDE, int(8 * np.sqrt(self._below + self.held + self._above)))

    def _narrow(self, needed: int) -> None:
        near = np.concatenate(self._near)
        middle = (self._below + self.held + self._above) // 2 - self._below
        first, last = max(0, middle - needed), min(self.held - 1, middle + needed)
        if first >= last:
            return
        sample = np.sort(near[:: near.size // SAMPLE + 1])
        self._low, self._high = (sample[rank * (sample.size - 1) // (near.size - 1)] for rank in (first, last))
        self._near = [self._between(near)]
        self.held = self._near[0].size


class Medians:
    """Medians of some markers in some populations, collected block by block.

    They are written with six digits: single precision holds seven, at half the memory.
    """

    def __init__(self, populations: Iterable[str], markers: Sequence[str]) -> None:
        self.markers = tuple(markers)
        self._populations = tuple(populations) if markers else ()
        self._middles = {key: StreamingMedian() for key in product(self._populations, self.markers)}

    def add(self, block: GatedBlock) -> None:
        """Add the events of a block."""
        single: dict[tuple[bool, str], Signals] = {}  # a signal that several populations share is converted once
        for population in self._populations:
            if block.count(population):
                frame, where = block.frame_of([population]), population in block.in_fluorescence
                for marker in self.markers:
                    if (where, marker) not in single:
                        single[where, marker] = frame.signals.signal(marker).astype(np.float32)
                    self._middles[population, marker].add(np.take(single[where, marker], frame.places(population)))

    def of_run(self, again: Callable[[], Iterable[GatedBlock]]) -> dict[tuple[str, str], float | None]:
        """Return the medians by population and marker.

        Where the sample changed on its way, so that one is not known, ``again`` is asked for the blocks once more.
        """
        medians = {key: middle.median() for key, middle in self._middles.items()}
        missed: dict[tuple[str, str], list[Signals]] = {key: [] for key, (_, known) in medians.items() if not known}
        for block in again() if missed else ():
            for (population, marker), chunks in missed.items():
                chunks += [values.astype(np.float32) for _, values in block.values_of(population, [marker])]
        return {key: median for key, (median, _) in medians.items()} | {
            key: median_of(np.concatenate(chunks)) for key, chunks in missed.items()
        }
