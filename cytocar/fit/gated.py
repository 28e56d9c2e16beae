"""The files under a template that grows: each gate, once settled, is applied to every file's held events.

Adaptive gates are placed on each file as a run places them, so that what comes after them is fitted on what a run sees.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from zlib import crc32

import numpy as np
import numpy.typing as npt
from msgspec import Struct, field

from cytocar.fit.lines import Line, Status
from cytocar.fit.tubes import Tube
from cytocar.gates.adaptive import ADAPTIVE
from cytocar.gates.decision import Decision, FitInput
from cytocar.regions.boolean import BooleanGate
from cytocar.signals.scales import AnyScale
from cytocar.template.gate_kinds import AdaptiveGate, Gate
from cytocar.template.model import Population

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
ALL = "all"


class FittedGate(Struct, frozen=True):
    """A population of the template, and what its gate rests on."""

    population: Population
    status: Status
    evidence: tuple[str, ...]
    line: Line | None = None


class Study(Struct):
    """The files, the scales of their axes, and the gates so far.

    ``masks`` holds, by population, which held events of each file are in it; ``left_out`` what was looked for and is
    not in the template, and why; ``doubts`` what a person should look at before the template is believed, each with its
    code; ``odd_files`` what concerns fewer than half of the files, whose lines the others carry. ``topmost``: whether
    the highest valley of CD3 among all events tells where lymphocytes are, not the deepest one; ``t_cells_outside``:
    the share of living events bright in CD3 that the gates before the T cells lose; ``others_above``: whether cells
    that look like no T cells lie above the line of CD3 in some file.
    """

    tubes: tuple[Tube, ...]
    scales: Mapping[str, AnyScale]
    gates: list[FittedGate] = field(default_factory=list)
    masks: dict[str, list[Bools]] = field(default_factory=dict)
    decisions: dict[str, list[tuple[Decision, ...]]] = field(default_factory=dict)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    doubts: list[tuple[str, str]] = field(default_factory=list)
    odd_files: list[tuple[str, str]] = field(default_factory=list)
    topmost: bool = False
    among_lymphocytes: bool = False
    t_cells_outside: float = 0.0
    others_above: bool = False

    def __post_init__(self) -> None:
        """Start from every event."""
        self.masks[ALL] = [np.ones(tube.n_events, dtype=bool) for tube in self.tubes]

    def has(self, *markers: str) -> bool:
        """True if every file has all of some markers."""
        return all(marker in tube.panel for tube in self.tubes for marker in markers)

    def signals(self, marker: str, population: str) -> list[Floats]:
        """Return a marker's signals in a population, file by file."""
        return [tube.signals[marker][mask] for tube, mask in zip(self.tubes, self.masks[population], strict=True)]

    def count(self, population: str) -> int:
        """Return the held events of a population in all files."""
        return sum(int(mask.sum()) for mask in self.masks[population])

    def add(
        self,
        name: str,
        parent: str,
        gate: Gate,
        *,
        status: Status,
        evidence: Sequence[str],
        line: Line | None = None,
        exclude: Sequence[str] = (),
        note: str = "",
    ) -> None:
        """Take a gate into the template and apply it to every file."""
        population = Population(name=name, parent=parent, exclude=tuple(exclude), gate=gate, note=note)
        self.gates.append(FittedGate(population, status, tuple(evidence), line))
        self.masks[name], self.decisions[name] = self.applied(population)

    def doubt(self, code: str, sentence: str, *, files: int | None = None) -> None:
        """Note what a person should look at; what concerns a minority of the files only does not go with the template.

        Parameters
        ----------
        files : int, optional
            How many files it concerns; None where it is about the gates.
        """
        minority = files is not None and 2 * files < len(self.tubes)
        (self.odd_files if minority else self.doubts).append((code, sentence))

    def drop(self, name: str) -> None:
        """Take a gate out again; nothing may stand under it yet."""
        self.gates = [gate for gate in self.gates if gate.population.name != name]
        del self.masks[name], self.decisions[name]

    def applied(self, population: Population) -> tuple[list[Bools], list[tuple[Decision, ...]]]:
        """Return the mask of a population in each file, and the decisions that placed its gate there."""
        masks, decided = [], []
        for index, tube in enumerate(self.tubes):
            within = self.masks[population.parent][index].copy()
            for aside in population.exclude:
                within &= ~self.masks[aside][index]
            mask, decisions = self._inside(population, tube, index, within)
            masks.append(mask)
            decided.append(decisions)
        return masks, decided

    def _inside(
        self, population: Population, tube: Tube, index: int, within: Bools
    ) -> tuple[Bools, tuple[Decision, ...]]:
        gate = population.gate
        if isinstance(gate, BooleanGate):
            return self._combined(gate, index, within), ()
        rows = np.flatnonzero(within)
        columns = {marker: tube.signals[marker][rows] for marker in gate.markers()}
        decisions: tuple[Decision, ...] = ()
        if isinstance(gate, AdaptiveGate):
            given = FitInput(
                population.name,
                columns,
                scales={marker: self.scales[marker] for marker in columns},
                ranges={marker: tube.range_of(marker, self.scales[marker]) for marker in columns},
                seed=crc32(population.name.encode()),
            )
            fitted = ADAPTIVE[gate.kind](gate, given)
            gate, decisions = fitted.gate, fitted.decisions
        if isinstance(gate, BooleanGate):
            raise TypeError("a data-driven gate is placed as a region")
        placed = gate.placed(self.scales.__getitem__)
        mask = np.zeros(tube.n_events, dtype=bool)
        mask[rows] = placed.region.contains(*(columns[marker] for marker in placed.markers))
        return mask, decisions

    def _combined(self, gate: BooleanGate, index: int, within: Bools) -> Bools:
        mask = within
        for name in gate.all_of:
            mask = mask & self.masks[name][index]
        if gate.any_of:
            mask = mask & np.any([self.masks[name][index] for name in gate.any_of], axis=0)
        for name in gate.none_of:
            mask = mask & ~self.masks[name][index]
        return mask
