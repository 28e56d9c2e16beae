"""Some events on their way through the gates: signals when they are asked for, one mask per population.

A frame stands for a block of a file, for the survivors of its scatter gates, or for the events that were kept in memory
because a data-driven gate has to see them all. The gates do not know which.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from cytocar.fcs.events import BLOCK_EVENTS, Block
from cytocar.gates.engine.axes import Axes, Compensated, Quotient, Recorded, Signal, mixture_rows
from cytocar.gates.fixed.place import PlacedRegion, combine
from cytocar.template.gate_kinds import BooleanGate

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.intp]

ALL = "all"
# Larger products are shared out to BLAS threads, which wait for each other where several files are gated at once.
EVENTS_AT_ONCE = 2048


@dataclass(frozen=True, slots=True, eq=False)
class Step:
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


@dataclass(frozen=True, slots=True, eq=False)
class Unmixing:
    """The rows of one inverse spillover matrix that are needed, and nothing of the others.

    ``weights`` has shape (k, d); ``position`` maps a row of the whole mixture to one of the k.
    """

    channels: tuple[int, ...]
    weights: Floats
    position: Mapping[int, int]


def unmixings(axes: Axes, markers: Iterable[str]) -> Mapping[int, Unmixing]:
    """Return what it takes to compensate some markers, by mixture."""
    needed = mixture_rows(axes[marker].signal for marker in markers)
    return {
        mixture: Unmixing(
            axes.mixtures[mixture].channels,
            np.ascontiguousarray(axes.mixtures[mixture].weights[:, rows].T),
            {row: position for position, row in enumerate(rows)},
        )
        for mixture, rows in needed.items()
    }


class BlockSignals:
    """Signals of a block of an FCS file, decoded and compensated once, when first asked for."""

    def __init__(self, block: Block, axes: Axes, unmixings: Mapping[int, Unmixing]) -> None:
        self.block = block
        self.axes = axes
        self.unmixings = unmixings
        self.not_finite: Bools | None = None  # events that were found without a number in some signal
        self._recorded: dict[int, Floats] = {}
        self._mixtures: dict[int, Floats] = {}

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
            case Compensated(mixture=mixture, row=row):
                if mixture not in self._mixtures:
                    self._mixtures[mixture] = self._compensate(self.unmixings[mixture])
                signals: Floats = self._mixtures[mixture][self.unmixings[mixture].position[row]]
                return signals
            case Quotient(ratio=ratio, numerator=numerator, denominator=denominator):
                with np.errstate(divide="ignore", invalid="ignore"):
                    quotient = (self._of(numerator) - ratio.B) / (self._of(denominator) - ratio.C)
                    return np.asarray(ratio.A * quotient)

    def _compensate(self, unmixing: Unmixing) -> Floats:
        measured = self.block.columns(unmixing.channels).T
        signals = np.empty((len(unmixing.weights), self.n_events))
        with np.errstate(invalid="ignore", over="ignore"):
            for start in range(0, self.n_events, EVENTS_AT_ONCE):
                some = slice(start, start + EVENTS_AT_ONCE)
                np.matmul(unmixing.weights, measured[:, some], out=signals[:, some])
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


@dataclass(frozen=True, slots=True, eq=False)
class KeptSignals:
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

    @property
    def n_events(self) -> int:
        """Number of events."""
        return self.signals.n_events

    def knows(self, population: str) -> bool:
        """Return whether a population has been evaluated, on these events or on the frame that they come from."""
        return population in self.masks or (self.base is not None and self.base.knows(population))

    def mask(self, population: str) -> Bools:
        """Return which of these events are in a population, shape (n_events,)."""
        if population not in self.masks:
            if self.base is not None:
                above = self.base.mask(population)
                self.masks[population] = above if self.rows is None else above[self.rows]
            elif population == ALL:
                self.masks[ALL] = np.ones(self.n_events, dtype=np.bool_)
        return self.masks[population]

    def rows_of(self, mask: Bools) -> Rows:
        """Return the rows that some of these events have in the frame that all of them come from."""
        rows, frame = np.flatnonzero(mask), self
        while frame.base is not None:
            rows = rows if frame.rows is None else frame.rows[rows]
            frame = frame.base
        return rows

    def within(self, parent: str, exclude: Iterable[str] = ()) -> Bools:
        """Return which events a gate may keep: its parent's, less the populations set aside."""
        inside = self.mask(parent)
        for population in exclude:
            inside = inside & ~self.mask(population)
        return inside

    def evaluate(self, step: Step) -> Bools:
        """Return, and remember, which events are in the population of a step."""
        within = self.within(step.parent, step.exclude)
        if isinstance(step.gate, PlacedRegion):
            mask = self._inside(step.gate, within)
        else:
            mask = combine(step.gate, within, self.mask)
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
        for start in range(0, self.n_events, BLOCK_EVENTS):
            some = slice(start, start + BLOCK_EVENTS)
            asked = mask[some]
            if 2 * np.count_nonzero(asked) < asked.size:
                rows = np.flatnonzero(asked)
                asked[rows] = placed.region.contains(*(signal[some][rows] for signal in signals))
            else:
                asked &= placed.region.contains(*(signal[some] for signal in signals))
        return mask
