"""Evenly chosen events of a gated file, in memory: what checks of the populations look at.

Twenty-five thousand events tell a share of 1 % to a sixteenth of itself, whatever the file's size, at a cost that does
not grow with it. Counts are never made from them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property, reduce, wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

import numpy as np
from msgspec import Struct, field

from cytocar.fcs.events import Block, EventTable, MemorySource
from cytocar.gates.adaptive.cluster import is_scatter
from cytocar.gates.chosen import EVENTS, ChosenEvents, joined, step_of
from cytocar.gates.engine.axes import Compensated, Recorded
from cytocar.gates.engine.frame import ALL, BlockSignals, Bools, BufferedSignals, Floats, Frame, compensation_rows
from cytocar.gates.populations import GatedSample
from cytocar.regions.boolean import BooleanGate
from cytocar.regions.boxes import BoxGate
from cytocar.regions.gate import PlacedRegion
from cytocar.regions.geometry import Box, Interval
from cytocar.regions.kinds import FixedGate
from cytocar.statistics.order import median
from cytocar.template.model import Population as Declared
from cytocar.template.model import Template

OFF_SCALE = 0.999
"""Of a channel's range: from here on a value may stand for any larger one."""
BEYOND = 1.01
"""Of a channel's range: a value as far beyond it shows that the range is not where values end."""


_Answer = TypeVar("_Answer")
_Given = ParamSpec("_Given")
_Asked = Callable[Concatenate["SampledEvents", _Given], _Answer]


def worked_out_once(function: _Asked[_Given, _Answer]) -> _Asked[_Given, _Answer]:
    """Return a function of sampled events that works out each of its answers once for all checks that ask for it.

    Masks and signals among the answers are shared: nobody may write to them.
    """

    @wraps(function)
    def once(sampled: SampledEvents, /, *given: _Given.args, **named: _Given.kwargs) -> _Answer:
        key = function, given, *named.items()
        if key not in sampled.known:
            sampled.known[key] = function(sampled, *given, **named)
        answer: _Answer = sampled.known[key]
        return answer

    return once


class SampledEvents(Struct, frozen=True, eq=False, dict=True):
    """Events of a file, evenly chosen, with all populations as they were gated.

    Attributes
    ----------
    frame : Frame
        Signals and masks of the events.
    channels : mapping of str to (int, float)
        By marker with a channel of its own: that channel, and the end of its range.
    chosen : Block
        The events as they were recorded.
    regions : mapping
        The region of each population's gate as it was applied; none of a boolean one.
    """

    sample: GatedSample
    frame: Frame
    channels: Mapping[str, tuple[int, float]]
    chosen: Block
    regions: Mapping[str, PlacedRegion]
    known: dict[object, Any] = field(default_factory=dict)  # by ``worked_out_once``

    @property
    def template(self) -> Template:
        """Return the template."""
        return self.sample.template

    @property
    def gates(self) -> Mapping[str, FixedGate]:
        """Return each population's gate as it was applied, always a fixed one."""
        return self.sample.gates

    @property
    def lymphoid(self) -> str | None:
        """Return the population that is looked for, T cells, or the lymphocytes of a template that reports none."""
        return self.template.report.t_cells or self.template.report.lymphocytes

    def knows(self, marker: str) -> bool:
        """True if the file has a marker."""
        return marker in self.sample.plan.axes

    def signal(self, marker: str, mask: Bools | None = None) -> Floats:
        """Return a marker's compensated linear signal, of some of the events."""
        signal = self.frame.signals.signal(marker)
        return signal if mask is None else signal.compress(mask)  # a third of the time of signal[mask]

    @worked_out_once
    def median(self, marker: str, population: str) -> float:
        """Return the median signal of a population; NaN of none."""
        return median(np.take(self.signal(marker), self.frame.places(population)))

    @worked_out_once
    def at_the_end(self, marker: str) -> Bools:
        """Return the events whose recorded value is at the end of the range of a marker's channel."""
        channel, end = self.channels[marker]
        return _at_the_end(self.chosen.column(channel), end)

    def range(self, marker: str) -> float:
        """Return the end of the range of a marker's channel."""
        return self.sample.plan.axes[marker].range

    def region(self, population: str) -> PlacedRegion | None:
        """Return the region of a population's gate; None for a boolean one."""
        return self.regions.get(population)

    @worked_out_once
    def in_region(self, population: str, *, axis: int = 0, factor: float = 1.0) -> Bools:
        """Return the events in the region of a population's gate, whatever else they are in; all of a boolean one.

        With a ``factor`` those that would be in it if the signal of one axis were so many times as bright.
        """
        region = self.region(population)
        if region is None:
            return np.ones(self.frame.n_events, dtype=np.bool_)
        if isinstance(region.region, Box):
            sides = enumerate(zip(region.markers, region.region.sides, strict=True))
            return reduce(np.logical_and, [self.side(*one, factor if at == axis else 1.0) for at, one in sides])
        signals = [self.signal(marker) for marker in region.markers]
        if factor != 1:
            signals[axis] = signals[axis] * factor
        return region.region.contains(*signals)

    @worked_out_once
    def side(self, marker: str, side: Interval, factor: float) -> Bools:
        """Return the events between two ends of a box, if a marker's signal were so many times as bright.

        Gates of a quadrant share their sides.
        """
        signal = self.signal(marker)
        return side.contains(signal if factor == 1 else signal * factor)

    def path(self, population: str) -> list[str]:
        """Return a population and those that it comes from, itself first, without ``all``."""
        names = []
        while population != ALL:
            names.append(population)
            population = self.declared[population].parent
        return names

    @worked_out_once
    def behind(self, population: str | None, *, aside: bool = True) -> list[str]:
        """Return a population, all that it comes from, and what these refer to or set ``aside``, nearest first."""
        names: dict[str, None] = {}
        waiting = [population or ALL]
        while waiting:
            name = waiting.pop(0)
            if name != ALL and name not in names:
                names[name] = None
                declared = self.declared[name]
                waiting += [declared.parent, *(declared.exclude if aside else ()), *declared.gate.references()]
        return list(names)

    def regardless_of(self, population: str, *, without: str, marker: str | None = None) -> Bools:
        """Return the events that a population would hold if one gate on its way were not there, nor boolean ones.

        With a ``marker`` the other sides of that gate, a box, stay.
        """
        inside = self.frame.mask(ALL).copy()
        for name in self.path(population):
            for aside in self._set_aside(name):
                inside &= ~self.frame.mask(aside)
            gate = self.gates[name]
            if name == without and marker is not None and isinstance(gate, BoxGate):
                inside &= self.within({axis: ends for axis, ends in gate.sides().items() if axis != marker})
            if name != without:
                inside &= self.in_region(name)
        return inside

    @worked_out_once
    def by_colour(self, population: str) -> Bools:
        """Return the events that the colours alone put into a population: no bound on scatter is asked.

        A gate on scatter that loses cells shows here: they are in this mask and not in the population. Populations set
        aside by scatter alone, pairs of cells, are not asked either.
        """
        inside = self.frame.mask(ALL).copy()
        for name in self.path(population):
            for aside in self._set_aside(name):
                if not self._is_by_scatter(aside):
                    inside &= ~self.frame.mask(aside)
            gate = self.gates[name]
            if isinstance(gate, BoxGate):
                bounds = {marker: ends for marker, ends in gate.sides().items() if not is_scatter(marker)}
                if gate.units == "data":
                    inside &= self.within(bounds)
                    continue
            region = self.region(name)
            if region is not None and not any(is_scatter(marker) for marker in region.markers):
                inside &= self.in_region(name)
        return inside

    def _set_aside(self, name: str) -> tuple[str, ...]:
        """Return the populations that a gate leaves out, beads most often: excluded, or negated by a boolean gate."""
        gate = self.gates[name]
        return (*self.template.population(name).exclude, *(gate.none_of if isinstance(gate, BooleanGate) else ()))

    def _is_by_scatter(self, population: str) -> bool:
        """True if scatter alone decides what is in a population, from all events on; what that leaves out aside."""
        gate = self.gates[population]
        named = gate.markers() or [
            marker
            for one in self.template.population(population).gate.references()
            for marker in self.gates[one].markers()
        ]
        return bool(named) and all(map(is_scatter, named)) and self.declared[population].parent == ALL

    def within(self, bounds: Mapping[str, tuple[float | None, float | None]]) -> Bools:
        inside = np.ones(self.frame.n_events, dtype=np.bool_)
        for marker, (low, high) in bounds.items():
            signal = self.signal(marker)
            if low is not None:
                inside &= signal >= low
            if high is not None:
                inside &= signal < high
        return inside

    @cached_property
    def declared(self) -> Mapping[str, Declared]:
        """Return the template's populations by name."""
        return {population.name: population for population in self.template.populations}


def sampled_events(sample: GatedSample, limit: int = EVENTS) -> SampledEvents:
    """Return evenly chosen events of a file, ``limit`` to twice as many, with every population evaluated on them.

    Those that the pass over the file kept are taken; otherwise it is read again.
    """
    step = step_of(sample.events.n_events, limit)
    chosen = sample.chosen if sample.chosen is not None and sample.step == step else _every(sample.events, step)
    return _of_block(sample, chosen, None if sample.steady is None else sample.steady[::step])


def events_like(
    sample: GatedSample, population: str, marker: str, *, step: int = 1, limit: int = EVENTS
) -> SampledEvents | None:
    """Return all events that have half of what a gate asks of a marker or more, evenly thinned to ``limit``.

    For a population that is rare in its file, of which evenly chosen events hold too few. None where the gate has no
    lower bound above 0 on the marker.

    Parameters
    ----------
    step : int
        Every so-manieth event of the file is looked at: enough where the population is not that rare.
    """
    gate, axes = sample.gates[population], sample.plan.axes
    low = gate.sides().get(marker, (None, None))[0] if isinstance(gate, BoxGate) and gate.units == "data" else None
    if low is None or low <= 0:
        return None
    needed = compensation_rows(axes, [marker])
    parts, rows, start = [], [], 0
    for block in sample.events.blocks():
        first = -start % step
        some = block if step == 1 else block.every(step, first=first)
        bright = np.flatnonzero(BlockSignals(some, axes, needed).signal(marker) >= low / 2)
        parts.append(some.take(bright))
        rows.append(start + first + step * bright)
        start += block.n_events
    whole = joined(parts)
    if whole is None:
        return None
    thinned = np.arange(0, whole.n_events, step_of(whole.n_events, limit))
    steady = None if sample.steady is None else sample.steady[np.concatenate(rows)[thinned]]
    return _of_block(sample, whole.take(thinned), steady)


def _of_block(sample: GatedSample, chosen: Block, steady: Bools | None) -> SampledEvents:
    axes = sample.plan.axes
    signals = BlockSignals(chosen, axes, compensation_rows(axes, axes.by_marker))
    columns = {marker: signals.signal(marker) for marker in axes.by_marker}
    frame = Frame(BufferedSignals(columns, chosen.n_events))
    if steady is not None:
        frame.masks[ALL] = steady
    plan = sample.fixed_plan()
    steps = (*plan.scatter, *plan.fluorescence)
    regions = {step.name: step.gate for step in steps if isinstance(step.gate, PlacedRegion)}
    sampled = SampledEvents(sample, frame, _recorded_channels(sample), chosen, regions)
    for step in steps:
        if step.name in regions:
            frame.masks[step.name] = frame.within(step.parent, step.exclude) & sampled.in_region(step.name)
        else:
            frame.evaluate(step)
    return sampled


def _every(events: EventTable, step: int) -> Block:
    """Return every so-manieth event of a file as a block of its own."""
    chosen, seen = ChosenEvents(events.n_events, step), 0
    for block in events.blocks():
        chosen.add(seen, block)
        seen += block.n_events
    if (whole := chosen.block()) is None:
        (nothing,) = MemorySource(np.empty((1, len(events.channels)))).blocks(1)
        return nothing.take(np.arange(0))
    return whole


def _at_the_end(values: Floats, end: float) -> Bools:
    """Which recorded values are at the end of a channel's range.

    Where values go beyond the range that the file declares, as unmixed spectral data do, the largest is the end.
    """
    highest = float(values.max(initial=0.0))
    return np.asarray(values >= OFF_SCALE * (highest if highest > BEYOND * end else end))


def _recorded_channels(sample: GatedSample) -> dict[str, tuple[int, float]]:
    """Return by marker the channel that it was recorded in, and its range."""
    axes, channels = sample.plan.axes, sample.events.channels
    channel_of: dict[str, int] = {}
    for marker, axis in axes.by_marker.items():
        if isinstance(axis.signal, Recorded):
            channel_of[marker] = axis.signal.channel
        elif isinstance(axis.signal, Compensated):
            matrix = axes.matrices[axis.signal.matrix]
            if matrix.weights.shape[0] == matrix.weights.shape[1]:  # one dye a detector: not so for spectral data
                channel_of[marker] = matrix.channels[axis.signal.row]
    by_index = {channel.index: channel for channel in channels}
    return {marker: (index, by_index[index].range) for marker, index in channel_of.items()}
