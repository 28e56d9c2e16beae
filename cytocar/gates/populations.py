"""The populations of one sample: counts at once; masks and values by another pass over the file, when asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, ValuesView
from copy import copy
from typing import overload

import numpy as np
from msgspec import Struct

from cytocar.errors.findings import Finding
from cytocar.fcs.events import Block, EventTable
from cytocar.gates.decision import Background, Decision
from cytocar.gates.engine.compile import Plan, compile_plan
from cytocar.gates.engine.frame import ALL, Bools, Floats
from cytocar.gates.engine.stream import GatedBlock, stream
from cytocar.gates.events_over_time import Counts
from cytocar.gates.medians import median_of
from cytocar.regions.kinds import FixedGate
from cytocar.template.model import Template


class Population(Struct, frozen=True, eq=False):
    """One named population of one sample.

    Attributes
    ----------
    name, parent : str
        As in the template; ``all``, every event, is its own parent.
    events : int
        Number of events.
    """

    name: str
    parent: str
    events: int
    _masks: MasksOnDemand

    @property
    def mask(self) -> Bools:
        """Which events of the file are in the population, shape (n_events,)."""
        return self._masks.mask(self.name)


class Populations(Mapping[str, Population]):
    """Every population of one sample by name, ``all`` first, then in the template's order.

    Attributes
    ----------
    n_events : int
        Events in the file.
    compensation : str
        Where the spillover matrix came from: ``$SPILLOVER``, a file name, ``none``.
    decisions : tuple of Decision
        One per parameter of every gate, as in ``gates.csv``.
    fitted : mapping
        Each population's gate as it was applied to this sample, always a fixed one.
    gated : GatedSample
        What it takes to pass over the file again with the same gates.
    backgrounds : mapping
        Background of populations that were placed by control samples.
    findings : tuple of Finding
        What was noticed while gating.
    over_time : mapping of str to (stretches,) int64
        How the events of the populations with a role fall over the run.
    car_beside_t_cells : tuple of int
        Lymphocytes beside the T cells that pass the CAR gate, and all lymphocytes beside the T cells.
    """

    def __init__(
        self,
        counts: Mapping[str, int],
        sample: GatedSample,
        *,
        decisions: tuple[Decision, ...],
        backgrounds: Mapping[str, Background],
        findings: tuple[Finding, ...],
        medians: Mapping[tuple[str, str], float | None],
        over_time: Mapping[str, Counts],
        car_beside_t_cells: tuple[int, int],
    ) -> None:
        self.n_events = sample.events.n_events
        self.compensation = sample.plan.axes.compensation
        self.decisions = decisions
        self.fitted = sample.gates
        self.backgrounds = backgrounds
        self.findings = findings
        self.over_time = over_time
        self.car_beside_t_cells = car_beside_t_cells
        self.gated = sample
        self._medians = medians
        masks = MasksOnDemand(sample)
        parents = {ALL: ALL, **sample.plan.parents}
        self._populations = {name: Population(name, parent, counts[name], masks) for name, parent in parents.items()}

    def as_decided(self, other: Populations, finding: Finding) -> Populations:
        """Return these counts with the decisions behind their gates, which were made on other events of the file."""
        decided = copy(self)
        decided.decisions, decided.backgrounds = other.decisions, other.backgrounds
        decided.findings = (*self.findings, finding)
        return decided

    def __getitem__(self, name: str) -> Population:
        return self._populations[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._populations)

    def __len__(self) -> int:
        return len(self._populations)

    def _repr_html_(self) -> str:
        """Return the counts as a table, for notebooks."""
        from html import escape

        rows = []
        for one in self._populations.values():
            of_events = self._populations[one.parent].events
            share = f"{100 * one.events / of_events:.3g}" if of_events and one.name != ALL else ""
            cells = (escape(one.name), escape(one.parent), f"{one.events:,}", share)
            rows.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
        head = "<tr><th>population</th><th>parent</th><th>events</th><th>% of parent</th></tr>"
        return f"<table>{head}{''.join(rows)}</table>"

    @overload
    def values(self) -> ValuesView[Population]: ...

    @overload
    def values(self, population: str, marker: str) -> Floats: ...

    def values(self, population: str | None = None, marker: str | None = None) -> ValuesView[Population] | Floats:
        """Return a marker's compensated linear signal of a population's events; without arguments, the populations.

        The signal is worked out again by a pass over the file.
        """
        if population is None or marker is None:
            return super().values()
        chunks = [block.values(population, marker) for block in self.gated.blocks(marker)]
        return np.concatenate(chunks) if chunks else np.empty(0)

    def median(self, population: str, marker: str) -> float | None:
        """Return the median of a marker's compensated linear signal in a population.

        None for an empty population, and for an optional marker that the file does not have.
        """
        if marker not in self.gated.plan.axes:
            return None
        if (population, marker) not in self._medians:
            return median_of(self.values(population, marker))
        return self._medians[population, marker]


class GatedSample(Struct, frozen=True, eq=False):
    """What it takes to gate the same file again and get the same answer: every gate is fixed by now.

    ``chosen`` are every ``step``-th event, still encoded, where the pass was asked to keep some (``sampled_events``).
    """

    events: EventTable
    template: Template
    plan: Plan
    gates: Mapping[str, FixedGate]
    steady: Bools | None = None
    chosen: Block | None = None
    step: int = 1

    def blocks(self, *markers: str) -> Iterator[GatedBlock]:
        """Yield the file's blocks with every population evaluated, and with the signals of these markers."""
        return stream(self.events, self.fixed_plan(), extra=markers, steady=self.steady)

    def fixed_plan(self) -> Plan:
        """Return the plan of the gates as they were applied, none of which waits for data."""
        return compile_plan(self.template, self.plan.axes, self.gates) if self.plan.deferred else self.plan


class MasksOnDemand:
    """Masks of all populations of a sample, made by one pass when the first of them is asked for."""

    def __init__(self, sample: GatedSample) -> None:
        self._sample = sample
        self._packed: PackedMasks | None = None

    def mask(self, population: str) -> Bools:
        """Which events of the file are in a population, shape (n_events,)."""
        if self._packed is None:
            packed = PackedMasks((ALL, *self._sample.plan.parents), self._sample.events.n_events)
            for block in self._sample.blocks():
                packed.add(block)
            self._packed = packed
        return self._packed.mask(population)


class PackedMasks:
    """Masks of populations over a whole file, one bit an event, collected from the blocks of a pass."""

    def __init__(self, names: Iterable[str], n_events: int) -> None:
        self._n_events = n_events
        self._bits = {name: np.zeros(-(-n_events // 8), dtype=np.uint8) for name in names}

    def add(self, block: GatedBlock) -> None:
        """Copy the masks of a block. Blocks begin at multiples of eight events."""
        place = slice(block.start // 8, block.start // 8 - (-block.n_events // 8))
        for name, bits in self._bits.items():
            bits[place] = np.packbits(block.mask(name))

    def mask(self, population: str) -> Bools:
        """Which events of the file are in a population, shape (n_events,)."""
        return np.unpackbits(self._bits[population], count=self._n_events).view(np.bool_)
