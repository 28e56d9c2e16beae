"""The tube that is looked at: its events kept at hand, counted again with a gate moved, by the code that saves.

Two answers to a moved gate: at once, how many of its parent's events it keeps; and the whole sample counted again, with
every gate that hangs on it placed anew, controls and background included, which is what ``override`` will write.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path

import numpy as np
from msgspec import Struct, field
from msgspec.structs import replace

from cytocar.errors.tree import SampleError
from cytocar.fcs.events import EventTable
from cytocar.fcs.reader import open_fcs
from cytocar.files.places import Place
from cytocar.files.source import FileState, at_hand, file_state
from cytocar.gates.engine.compile import make_step
from cytocar.gates.engine.frame import ALL, BufferedSignals, Floats, Frame
from cytocar.gates.populations import GatedSample
from cytocar.regions.kinds import FixedGate
from cytocar.report.run.source import FinishedRun
from cytocar.run.execute import control_signals
from cytocar.run.finished.override import require_as_counted
from cytocar.run.finished.recorded_plan import located
from cytocar.run.parts import PARTS, Parts, part_name
from cytocar.sample.analysis import count_sample, gate_again
from cytocar.sample.choose_controls import choose_references
from cytocar.sample.control_signals import References, wants_references
from cytocar.sample.protocol import Protocol
from cytocar.sample.result import SampleResult
from cytocar.statistics.intervals import Share


class GateYield(Struct, frozen=True):
    """What a gate keeps of its parent's events."""

    events: int
    of_events: int

    @property
    def percent(self) -> float | None:
        """Percent of the parent; None of an empty one."""
        return Share(self.events, self.of_events).percent


class OpenSample(Struct, eq=False):
    """One sample's file and its controls, open, with the events that its gates choose from."""

    result: SampleResult
    protocol: Protocol
    events: EventTable
    references: References
    states: Mapping[Place, FileState]
    lent: ExitStack
    _gated: GatedSample | None = None
    _parents: dict[str, Frame] = field(default_factory=dict)

    def close(self) -> None:
        """Give back what was lent; that a file has changed since says nothing about what was saved from it."""
        with suppress(SampleError):
            self.lent.close()

    def unchanged(self) -> bool:
        """True if the files are still those that were opened."""
        return all(path.is_file() and file_state(path) == state for path, state in self.states.items())

    def kept_by(self, population: str, gate: FixedGate) -> GateYield:
        """What a gate in place of a population's own would keep."""
        frame = self._parent(population)
        declared = {one.name: one for one in self.protocol.template.populations}
        own = replace(declared[population], parent=ALL, exclude=())
        inside = frame.evaluate(make_step(own, gate, self._sample().plan.axes, declared))
        counted = self.result.population(population)
        return GateYield(int(np.count_nonzero(inside)), counted.of_events if counted else frame.n_events)

    def counted_with(self, population: str, gate: FixedGate | None) -> SampleResult:
        """Return the sample counted with a gate moved; None: with the gate where the template puts it."""
        overrides = {name: moved for name, moved in self.protocol.overrides.items() if name != population}
        overrides |= {population: gate} if gate is not None else {}
        counted = count_sample(
            self.events,
            self.result.sample,
            replace(self.protocol, overrides=overrides),
            references=self.references,
        )
        return replace(counted, file_sha256=self.result.file_sha256)

    def _parent(self, population: str) -> Frame:
        """Return the events that a population's gate chooses from, with the signals that it looks at."""
        if population not in self._parents:
            declared = self._sample().template.population(population)
            markers = self.result.gates[population].markers()
            chunks: dict[str, list[Floats]] = {marker: [] for marker in markers}
            count = 0
            sample = self._sample()
            for block in sample.blocks(*markers):
                inside = block.mask(declared.parent)
                if sample.steady is not None:
                    inside = inside & sample.steady[block.start : block.start + block.n_events]
                for aside in declared.exclude:
                    inside = inside & ~block.mask(aside)
                rows = np.flatnonzero(inside)
                count += rows.size
                for marker, parts in chunks.items():
                    parts.append(np.take(block.signal(marker), rows))
            columns = {marker: np.concatenate(parts or [np.empty(0)]) for marker, parts in chunks.items()}
            self._parents[population] = Frame(BufferedSignals(columns, count))
        return self._parents[population]

    def _sample(self) -> GatedSample:
        if self._gated is None:
            self._gated = gate_again(self.events, self.protocol, self.result)
        return self._gated


class KeptSignals:
    """What the controls of the last sample hold: most often those of the next one too, and they take the longest."""

    def __init__(self) -> None:
        self._key: object = None
        self._references: References = {}

    def of(self, key: object, read: Callable[[], References]) -> References:
        """Return the signals of some controls, read only where they are others than before."""
        if key != self._key:
            self._references, self._key = read(), key
        return self._references


def open_sample(
    run: FinishedRun, result: SampleResult, *, inputs: Place | None, signals: KeptSignals | None = None
) -> OpenSample:
    """Return a sample with its file and controls open; ``kept`` holds signals of controls from sample to sample.

    Raises
    ------
    UsageError
        E103 a file is not there.
    IntegrityError
        E126 the sample's file, or a control's, is not the one that was counted.
    SampleError
        A file cannot be read.
    """
    name = result.sample.sample_id
    samples = located(run.plan.samples, inputs)
    needed = [row for row in samples if row.sample_id in {name, *result.control_ids}]
    require_as_counted(needed, Parts(run.path / PARTS))
    states = {row.file: file_state(row.file) for row in needed}
    own = next(row for row in needed if row.sample_id == name)
    controls = choose_references(own, samples) if wants_references(run.plan.protocols[name].template) else ()
    recorded = [run.manifest["files"].get(f"{PARTS}/{part_name(one)}") for one in controls]
    key = (controls, recorded, [states.get(row.file) for row in samples if row.sample_id in controls])

    def read() -> References:
        with tempfile.TemporaryDirectory(prefix="cytocar-") as scratch:
            return control_signals(own, samples, run.plan.protocols, scratch=Path(scratch))

    references = (signals or KeptSignals()).of(key, read)
    with ExitStack() as lent:
        file = lent.enter_context(at_hand(own.file))
        events = open_fcs(file, data_set=own.data_set)
        return OpenSample(result, run.plan.protocols[name], events, references, states, lent.pop_all())
