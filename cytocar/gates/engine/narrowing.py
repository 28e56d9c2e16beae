"""Events that get fewer from gate to gate: a frame of their own for the children of a small population.

Data-driven gates are placed on events in memory, one after the other. Ten gates below a population that holds a
twentieth of them need not look at all of them ten times.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from cytocar.gates.engine.frame import Floats, Frame, Rows, Signals

WORTH_NARROWING = 0.5
"""A population with at most this share of its frame's events gets a frame of its own, when a child asks for it."""
FEW_EVENTS = 16_384
"""So many events are looked at faster than they are copied."""


class SomeOf:
    """Signals of some rows of others, copied when a marker is first asked for."""

    def __init__(self, signals: Signals, rows: Rows) -> None:
        self._signals = signals
        self._rows = rows
        self._columns: dict[str, Floats] = {}

    @property
    def n_events(self) -> int:
        """Number of events."""
        return self._rows.size

    def signal(self, marker: str) -> Floats:
        """Return the compensated linear signal of a marker, shape (n_events,)."""
        if marker not in self._columns:
            self._columns[marker] = np.take(self._signals.signal(marker), self._rows)
        return self._columns[marker]


class Narrowing:
    """The frames of one sample: the events that were kept, and those of smaller populations within.

    Parameters
    ----------
    frame : Frame
        All events; it knows the populations that were evaluated before.
    """

    def __init__(self, frame: Frame) -> None:
        self._all = frame
        self._home: dict[str, Frame] = {}
        self._within: dict[str, Frame] = {}

    def frame_for(self, parent: str, others: Iterable[str]) -> Frame:
        """Return the smallest frame that holds a population's events and knows some others."""
        frame = self._within.get(parent) or self._narrowed(parent)
        for other in others:
            if other in self._home and not frame.knows(other):
                self._lift(other)
        return frame

    def evaluated(self, population: str, frame: Frame) -> None:
        """Note the frame in which a population was evaluated."""
        self._home[population] = frame

    def _narrowed(self, population: str) -> Frame:
        home = self._home.get(population, self._all)
        frame = home
        if population in home.counts and FEW_EVENTS < home.n_events * WORTH_NARROWING >= home.counts[population]:
            rows = np.flatnonzero(home.mask(population))
            frame = Frame(SomeOf(home.signals, rows), base=home, rows=rows)
        self._within[population] = frame
        return frame

    def _lift(self, population: str) -> None:
        """Make a population known to every frame: it is none outside the rows of its own."""
        frame = self._home[population]
        mask = frame.masks[population]
        while frame.base is not None:
            if frame.rows is not None:
                whole = np.zeros(frame.base.n_events, dtype=np.bool_)
                whole[frame.rows] = mask
                mask = whole
            frame = frame.base
            frame.masks[population] = mask
        self._home[population] = frame
