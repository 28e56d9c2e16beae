"""Some events on their way through the gates: signals when they are asked for, one mask per population.

A frame stands for a block of a file, for the survivors of its scatter gates, or for the events that were kept in memory
because a data-driven gate has to see them all. The gates do not know which. Data-driven gates are placed one after the
other: ten of them below a population that holds a twentieth of the events need not look at all of them ten times, so a
small population gets a frame of its own (``SubframeCache``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from cytocar.fcs.events import BLOCK_EVENTS, Block
from cytocar.gates.engine.axes import Axes, Compensated, Quotient, Recorded, Signal, matrix_rows
from cytocar.regions.boolean import BooleanGate
from cytocar.regions.gate import PlacedRegion

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.intp]

ALL = "all"
# Larger products are shared out to BLAS threads, which wait for each other where several files are gated at once.
EVENTS_AT_ONCE = 2048
WORTH_A_FRAME = 0.5
"""A population with at most this share of its frame's events gets a frame of its own, when a child asks for it."""
FEW_EVENTS = 16_384
"""So many events are looked at faster than they are copied."""


class GateStep(Struct, frozen=True, eq=False):
    """One population, ready to be evaluated: a placed region, or a boolean gate and what it must know to be finite.

    ``finite`` lists the markers behind the populations that a boolean gate negates: an event without a number there is
    in neither of the two.
    """

    name: str
    parent: str
    exclude: tuple[str, ...]
    gate: PlacedRegion | BooleanGate
    finite: tuple[str, ...] = ()


class Signals(Protocol):
    """Compensated linear signals of some events."""

    @property
    def n_events(self) -> int:
        """Number of events."""
        ...

    def signal(self, marker: str) -> Floats:
        """Return the compensated linear signal of a marker, shape (n_events,)."""
        ...


class CompensationRows(Struct, frozen=True, eq=False):
    """The rows of one inverse spillover matrix that are needed, and nothing of the others.

    ``weights`` has shape (k, d); ``position`` maps a row of the whole matrix to one of the k.
    """

    channels: tuple[int, ...]
    weights: Floats
    position: Mapping[int, int]


def compensation_rows(axes: Axes, markers: Iterable[str]) -> Mapping[int, CompensationRows]:
    """What it takes to compensate some markers, by matrix."""
    needed = matrix_rows(axes[marker].signal for marker in markers)
    return {
        matrix: CompensationRows(
            axes.matrices[matrix].channels,
            np.ascontiguousarray(axes.matrices[matrix].weights[:, rows].T),
            {row: position for position, row in enumerate(rows)},
        )
        for matrix, rows in needed.items()
    }


class BlockSignals:
    """Signals of a block of an FCS file, decoded and compensated once, when first asked for."""

    def __init__(self, block: Block, axes: Axes, compensation_rows: Mapping[int, CompensationRows]) -> None:
        self.block = block
        self.axes = axes
        self.compensation_rows = compensation_rows
        self.not_finite: Bools | None = None  # events that were found without a number in some signal
        self._recorded: dict[int, Floats] = {}
        self._compensated: dict[int, Floats] = {}

    @property
    def n_events(self) -> int:
        """Number of events."""
        return self.block.n_events

    def signal(self, marker: str) -> Floats:
        """Return the compensated linear signal of a marker, shape (n_events,)."""
        return self._of(self.axes[marker].signal)

    def _of(self, signal: Signal) -> Floats:
        match signal:
            case Recorded(channel=channel):
                if channel not in self._recorded:
                    self._recorded[channel] = self._checked(self.block.column(channel))
                return self._recorded[channel]
            case Compensated(matrix=matrix, row=row):
                if matrix not in self._compensated:
                    self._compensated[matrix] = self._compensate(self.compensation_rows[matrix])
                signals: Floats = self._compensated[matrix][self.compensation_rows[matrix].position[row]]
                return signals
            case Quotient(ratio=ratio, numerator=numerator, denominator=denominator):
                with np.errstate(divide="ignore", invalid="ignore"):
                    quotient = (self._of(numerator) - ratio.B) / (self._of(denominator) - ratio.C)
                    return np.asarray(ratio.A * quotient)

    def _compensate(self, needed: CompensationRows) -> Floats:
        measured = self.block.columns(needed.channels).T
        signals = np.empty((len(needed.weights), self.n_events))
        with np.errstate(invalid="ignore", over="ignore"):
            for start in range(0, self.n_events, EVENTS_AT_ONCE):
                some = slice(start, start + EVENTS_AT_ONCE)
                np.matmul(needed.weights, measured[:, some], out=signals[:, some])
        return self._checked(signals)

    def _checked(self, signals: Floats) -> Floats:
        """Note which events have no finite number in some signal, shape (n,) or (k, n); seldom any has."""
        with np.errstate(invalid="ignore", over="ignore"):
            total = np.add.reduce(signals, axis=None)
        if not np.isfinite(total):
            if self.not_finite is None:
                self.not_finite = np.zeros(self.n_events, dtype=np.bool_)
            self.not_finite |= ~np.isfinite(np.atleast_2d(signals)).all(axis=0)
        return signals


class BufferedSignals(Struct, frozen=True, eq=False):
    """Signals that were kept in memory."""

    columns: Mapping[str, Floats]
    n_events: int

    def signal(self, marker: str) -> Floats:
        """Return the compensated linear signal of a marker, shape (n_events,)."""
        return self.columns[marker]


class Frame:
    """Events with one mask per population that has been evaluated on them.

    Parameters
    ----------
    signals : Signals
        Of these events.
    base, rows : Frame and ndarray of int, optional
        The frame that these events come from, and their rows in it; no rows means all of them. Populations that were
        evaluated there are known here.
    """

    def __init__(self, signals: Signals, *, base: Frame | None = None, rows: Rows | None = None) -> None:
        self.signals = signals
        self.base = base
        self.rows = rows
        self.masks: dict[str, Bools] = {}
        self.counts: dict[str, int] = {}
        self._places: dict[str, Rows] = {}

    @property
    def n_events(self) -> int:
        """Number of events."""
        return self.signals.n_events

    def knows(self, population: str) -> bool:
        """True if a population has been evaluated, on these events or on the frame that they come from."""
        return population in self.masks or (self.base is not None and self.base.knows(population))

    def mask(self, population: str) -> Bools:
        """Which of these events are in a population, shape (n_events,)."""
        if population not in self.masks:
            if self.base is not None:
                above = self.base.mask(population)
                self.masks[population] = above if self.rows is None else above[self.rows]
            elif population == ALL:
                self.masks[ALL] = np.ones(self.n_events, dtype=np.bool_)
        return self.masks[population]

    def places(self, population: str) -> Rows:
        """Return the rows in this frame of a population that has been evaluated; worked out once."""
        if population not in self._places:
            self._places[population] = np.flatnonzero(self.mask(population))
        return self._places[population]

    def first_rows(self, population: str) -> Rows:
        """Return the rows that a population's events have in the frame that all of them come from."""
        rows, frame = self.places(population), self
        while frame.base is not None:
            rows = rows if frame.rows is None else frame.rows[rows]
            frame = frame.base
        return rows

    def within(self, parent: str, exclude: Iterable[str] = ()) -> Bools:
        """Which events a gate may keep: its parent's, less the populations set aside."""
        inside = self.mask(parent)
        for population in exclude:
            inside = inside & ~self.mask(population)
        return inside

    def rows_within(self, parent: str, exclude: Sequence[str]) -> Rows:
        """Return the rows in this frame of the events that a gate may keep."""
        return np.flatnonzero(self.within(parent, exclude)) if exclude else self.places(parent)

    def evaluate(self, step: GateStep) -> Bools:
        """Return, and remember, which events are in the population of a step."""
        within = self.within(step.parent, step.exclude)
        if isinstance(step.gate, PlacedRegion):
            mask = self._inside(step.gate, within)
        else:
            mask = step.gate.combine(within, self.mask)
            for marker in step.finite:
                mask &= np.isfinite(self.signals.signal(marker))
        self.masks[step.name] = mask
        self.counts[step.name] = int(np.count_nonzero(mask))
        return mask

    def _inside(self, placed: PlacedRegion, within: Bools) -> Bools:
        signals = [self.signals.signal(marker) for marker in placed.markers]
        if placed.cheap:
            mask = placed.region.contains(*signals)
            mask &= within
            return mask
        mask = within.copy()
        few: list[Rows] = []
        for start in range(0, self.n_events, BLOCK_EVENTS):
            some = slice(start, start + BLOCK_EVENTS)
            wanted = mask[some]
            if placed.bounds is not None:
                wanted &= placed.bounds.contains(*(signal[some] for signal in signals))
            if 2 * np.count_nonzero(wanted) < wanted.size:
                few.append(np.flatnonzero(wanted) + start)
            else:
                wanted &= placed.region.contains(*(signal[some] for signal in signals))
        rows = np.concatenate(few) if few else np.empty(0, dtype=np.intp)
        for start in range(0, rows.size, BLOCK_EVENTS):
            some_rows = rows[start : start + BLOCK_EVENTS]
            mask[some_rows] = placed.region.contains(*(np.take(signal, some_rows) for signal in signals))
        return mask


# ---------------------------------------------------------------- small populations


class SubsetSignals:
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


class SubframeCache:
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
        frame = self._within.get(parent) or self._subframe(parent)
        for other in others:
            if other in self._home and not frame.knows(other):
                self._lift(other)
        return frame

    def evaluated(self, population: str, frame: Frame) -> None:
        """Note the frame in which a population was evaluated."""
        self._home[population] = frame

    def _subframe(self, population: str) -> Frame:
        home = self._home.get(population, self._all)
        frame = home
        if population in home.counts and FEW_EVENTS < home.n_events * WORTH_A_FRAME >= home.counts[population]:
            rows = home.places(population)
            frame = Frame(SubsetSignals(home.signals, rows), base=home, rows=rows)
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
