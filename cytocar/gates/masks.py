"""Which events of a file are in which population, one bit an event."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from cytocar.gates.engine.frame import Bools
from cytocar.gates.engine.stream import Part


class PackedMasks:
    """Masks of populations over a whole file, one bit an event, collected from the parts of a pass."""

    def __init__(self, names: Iterable[str], n_events: int) -> None:
        self._n_events = n_events
        self._bits = {name: np.zeros(-(-n_events // 8), dtype=np.uint8) for name in names}

    def add(self, part: Part) -> None:
        """Copy the masks of a block. Blocks begin at multiples of eight events."""
        place = slice(part.start // 8, part.start // 8 - (-part.n_events // 8))
        for name, bits in self._bits.items():
            bits[place] = np.packbits(part.mask(name))

    def mask(self, population: str) -> Bools:
        """Return which events of the file are in a population, shape (n_events,)."""
        return np.unpackbits(self._bits[population], count=self._n_events).view(np.bool_)
