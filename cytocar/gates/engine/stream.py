"""One pass over a file: block after block through the fixed gates, in constant memory.

Each block is decoded as far as its gates ask. The scatter gates see every event; what they leave is compacted, once,
and only the survivors are compensated.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from cytocar.fcs.events import BLOCK_EVENTS
from cytocar.gates.engine.compile import Plan
from cytocar.gates.engine.frame import (
    ALL,
    BlockSignals,
    Bools,
    BufferedSignals,
    CompensationRows,
    Floats,
    Frame,
    GateStep,
    compensation_rows,
)
from cytocar.regions.gate import PlacedRegion

if TYPE_CHECKING:
    from cytocar.fcs.events import Block, Channel, EventTable

FEW_ENOUGH_TO_COMPACT = 0.8  # beyond this share of survivors, copying them costs more than it saves


class GatedBlock(Struct, frozen=True, eq=False):
    """A block whose fixed populations have been evaluated; valid until the next one is asked for."""

    start: int
    scatter: Frame
    fluorescence: Frame
    in_fluorescence: frozenset[str]

    @property
    def n_events(self) -> int:
        """Events of the block."""
        return self.scatter.n_events

    def count(self, population: str) -> int:
        """Return the number of events of the block in a population."""
        return self.frame_of([population]).counts[population]

    def mask(self, population: str) -> Bools:
        """Which events of the block are in a population, shape (n_events,)."""
        if population == ALL:
            return np.ones(self.n_events, dtype=np.bool_)
        if population not in self.in_fluorescence:
            return self.scatter.mask(population)
        return self._spread(self.fluorescence.mask(population))

    def rows(self, population: str) -> npt.NDArray[np.intp]:
        """Return the rows in the file of the population's events."""
        frame = self.frame_of([population])
        rows = frame.places(population)
        return self.start + (rows if frame.rows is None else frame.rows[rows])

    def values(self, population: str, marker: str) -> Floats:
        """Return a marker's compensated signal of the population's events."""
        ((_, values),) = self.values_of(population, [marker])
        return values

    def values_of(self, population: str, markers: Iterable[str]) -> Iterator[tuple[str, Floats]]:
        """Yield each marker with its compensated signal of the population's events."""
        frame = self.frame_of([population])
        for marker in markers:
            yield marker, np.take(frame.signals.signal(marker), frame.places(population))

    def signal(self, marker: str) -> Floats:
        """Return a marker's compensated signal of every event of the block; the marker was asked for as an extra."""
        return self.scatter.signals.signal(marker)

    def frame_of(self, populations: Iterable[str]) -> Frame:
        """Return the events that the gates of some populations saw: the survivors of the scatter gates, or all."""
        return self.scatter if self.in_fluorescence.isdisjoint(populations) else self.fluorescence

    def column(self, channel: Channel) -> Floats:
        """Return a channel of every event of the block, linear and not compensated."""
        return self.recorded().column(channel.index)

    def recorded(self) -> Block:
        """Return the block as it was recorded."""
        signals = self.scatter.signals
        if not isinstance(signals, BlockSignals):
            raise TypeError("the events of a pass are blocks of a file")
        return signals.block

    def not_finite(self) -> int:
        """How many events have no finite number in some signal that was looked at."""
        lost = [
            self._spread(frame.signals.not_finite) if frame is self.fluorescence else frame.signals.not_finite
            for frame in (self.scatter, self.fluorescence)
            if isinstance(frame.signals, BlockSignals) and frame.signals.not_finite is not None
        ]
        return int(np.count_nonzero(np.logical_or.reduce(lost))) if lost else 0

    def _spread(self, mask: Bools) -> Bools:
        """Return a mask of the survivors as one of the whole block."""
        if self.fluorescence.rows is None:
            return mask
        spread = np.zeros(self.n_events, dtype=np.bool_)
        spread[self.fluorescence.rows] = mask
        return spread


def stream(
    events: EventTable, plan: Plan, *, extra: Iterable[str] = (), steady: Bools | None = None
) -> Iterator[GatedBlock]:
    """Yield the events of a file, block by block, with every fixed population of the plan evaluated.

    Parameters
    ----------
    extra : iterable of str
        Markers whose signals will be asked for beside those that the gates look at.
    steady : (n_events,) bool, optional
        Events of a steady flow; the others are in no population but ``all``.
    """
    _reuse_memory()
    needed = compensation_rows(plan.axes, (*extra, *_markers(plan.fluorescence)))
    start = 0
    for block in events.blocks(block_size(events.n_events)):
        yield _gated(block, plan, needed, start, None if steady is None else steady[start : start + block.n_events])
        start += block.n_events


def block_size(n_events: int) -> int:
    """Return the events of a block: a file of less than two blocks is one, since each costs the same Python.

    Examples
    --------
    >>> [block_size(n_events) for n_events in (1000, 50_000, 1_000_000)]
    [32768, 50000, 32768]
    """
    return n_events if BLOCK_EVENTS < n_events < 2 * BLOCK_EVENTS else BLOCK_EVENTS


def _gated(
    block: Block, plan: Plan, needed: Mapping[int, CompensationRows], start: int, steady: Bools | None
) -> GatedBlock:
    """Return a block gated; nothing but what is returned holds its arrays, so that the next block takes their place."""
    scatter = Frame(BlockSignals(block, plan.axes, needed))
    if steady is not None:
        scatter.masks[ALL] = steady
    for step in plan.scatter:
        scatter.evaluate(step)
    rows = _survivors(scatter, plan)
    survivors = scatter.signals if rows is None else BlockSignals(block.take(rows), plan.axes, needed)
    fluorescence = Frame(survivors, base=scatter, rows=rows)
    for step in plan.fluorescence:
        fluorescence.evaluate(step)
    return GatedBlock(start, scatter, fluorescence, plan.in_fluorescence)


@cache
def _reuse_memory() -> None:
    """Let the C library keep freed arrays of up to 16 MB for the next block, once per process.

    glibc asks the kernel for each large array anew, and every fresh page costs a fault: half the time of a plate. It
    stops doing so for sizes up to the largest that was ever freed (mallopt(3), M_MMAP_THRESHOLD). This one is never
    written to, so it takes no memory; elsewhere it does nothing.
    """
    np.empty(16 * 2**20, dtype=np.uint8)


LARGEST_REUSED = 2**24
"""Numbers, 134 MB: ten markers of 1.6 million events. Larger files are few, and their memory goes back at once."""
REFERENCES_OF_NO_VIEW = 2
"""The variable, and the argument of ``sys.getrefcount``."""
_reused: list[npt.NDArray[np.float64]] = []
"""What the last pass kept events in; a worker counts file after file, and fresh pages are a tenth of a tube's time."""


def _memory(n: int) -> npt.NDArray[np.float64]:
    """Return n numbers to write to: in the memory of an earlier pass, if nothing looks at it any longer.

    A view of an array holds a reference to it, so references tell; popping it keeps other threads away meanwhile.
    """
    memory = _reused.pop() if _reused else None
    if memory is None or memory.size < n or sys.getrefcount(memory) > REFERENCES_OF_NO_VIEW:
        memory = np.empty(n)
    if memory.size <= LARGEST_REUSED:
        _reused[:] = [memory]
    return memory[:n]


def _survivors(scatter: Frame, plan: Plan) -> npt.NDArray[np.intp] | None:
    """Return the rows that the fluorescence stage has to see; None for (nearly) all of them."""
    if ALL in plan.entrance or not plan.fluorescence:
        return None
    rows = np.flatnonzero(np.logical_or.reduce([scatter.mask(population) for population in plan.entrance]))
    return rows if rows.size < FEW_ENOUGH_TO_COMPACT * scatter.n_events else None


def _markers(steps: Iterable[GateStep]) -> tuple[str, ...]:
    looked_at = (step.gate.markers if isinstance(step.gate, PlacedRegion) else step.finite for step in steps)
    return tuple(dict.fromkeys(marker for markers in looked_at for marker in markers))


class EventBuffer:
    """The events that data-driven gates have to see, collected from the blocks of a pass: needed signals, and masks."""

    def __init__(self, plan: Plan, markers: Iterable[str], n_events: int, *, with_rows: bool = False) -> None:
        self.plan = plan
        self.markers = tuple(markers)
        self.from_fluorescence = plan.in_fluorescence.issuperset(plan.kept)
        streamed = {step.name for step in (*plan.scatter, *plan.fluorescence)}
        links = {link for population in plan.deferred for link in (population.parent, *population.exclude)}
        links |= {link for population in plan.deferred for link in population.gate.references()}
        links |= set(plan.kinds)
        # Memory that is never written to is never taken from the machine.
        self._columns = _memory(len(self.markers) * n_events).reshape(len(self.markers), n_events)
        self._masks = {name: np.empty(n_events, dtype=np.bool_) for name in links & streamed}
        self._rows = np.empty(n_events, dtype=np.uint32) if with_rows else None
        self.n_events = 0

    def add(self, block: GatedBlock) -> None:
        """Copy what is needed of a block."""
        frame = block.fluorescence if self.from_fluorescence else block.scatter
        rows: npt.NDArray[np.intp] | slice = slice(None)
        count = frame.n_events
        inside = np.logical_or.reduce([frame.mask(name) for name in self.plan.kept])
        if not inside.all():
            rows = np.flatnonzero(inside)
            count = rows.size
        place = slice(self.n_events, self.n_events + count)
        if self._rows is not None:
            of_block = np.arange(frame.n_events) if frame.rows is None else frame.rows
            self._rows[place] = block.start + of_block[rows]
        for column, marker in zip(self._columns, self.markers, strict=True):
            column[place] = frame.signals.signal(marker)[rows]
        for name, mask in self._masks.items():
            whole = block.mask(name) if not self.from_fluorescence else frame.mask(name)
            mask[place] = whole[rows]
        self.n_events += count

    def rows(self, places: npt.NDArray[np.intp]) -> npt.NDArray[np.uint32]:
        """Return the rows in the file of some of the kept events; rows were asked for."""
        if self._rows is None:
            raise ValueError("the rows of events were not kept")
        return self._rows[places]

    def frame(self) -> Frame:
        """Return the kept events as a frame that knows the populations of the pass."""
        columns = {marker: column[: self.n_events] for marker, column in zip(self.markers, self._columns, strict=True)}
        frame = Frame(BufferedSignals(columns, self.n_events))
        frame.masks.update({name: mask[: self.n_events] for name, mask in self._masks.items()})
        return frame
