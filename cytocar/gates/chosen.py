"""Evenly chosen events of a file: how many, and how they are collected."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cytocar.fcs.events import Block

EVENTS = 25_000
"""Looked at: a share of 1 % is known to a sixteenth of itself, and a million events cost no more than these."""


def step_of(n_events: int, limit: int = EVENTS) -> int:
    """Which so-manieth event to choose, so that ``limit`` to twice as many are.

    Examples
    --------
    >>> step_of(1_000_000), step_of(40_000)
    (40, 1)
    """
    return max(1, n_events // limit)


class ChosenEvents:
    """Every so-manieth event of a file, collected block by block, as they were recorded.

    Parameters
    ----------
    n_events : int
        Of the file.
    step : int
        Which so-manieth.

    Examples
    --------
    >>> from cytocar.fcs.events import EventTable
    >>> chosen, start = ChosenEvents(7, 3), 0
    >>> for block in EventTable.from_columns({"Time": range(7)}).blocks(4):
    ...     chosen.add(start, block)
    ...     start += block.n_events
    >>> chosen.block().column(0).tolist()
    [0.0, 3.0, 6.0]
    """

    def __init__(self, n_events: int, step: int) -> None:
        self.step = step
        self._size, self._n = -(-n_events // step), 0
        self._all: Block | None = None

    def add(self, start: int, block: Block) -> None:
        """Add a block of the file, from its event ``start`` on."""
        some = block.raw[-start % self.step :: self.step]
        if len(some) == len(block.raw) == self._size:  # the whole file: no other block comes that takes its memory
            self._all, self._n = block, len(some)
            return
        if self._all is None:
            self._all = Block(np.empty((self._size, some.shape[1]), some.dtype), block.codecs)
        self._all.raw[self._n : self._n + len(some)] = some
        self._n += len(some)

    def block(self) -> Block | None:
        """Return what was collected as one block; None where no block was added."""
        return None if self._all is None else Block(self._all.raw[: self._n], self._all.codecs)


def joined(parts: Sequence[Block]) -> Block | None:
    """Return blocks of one file as one; None of none."""
    return Block(np.concatenate([part.raw for part in parts]), parts[0].codecs) if parts else None
