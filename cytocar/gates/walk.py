"""Walk a template: from the events of a file to its populations.

Fixed gates are answered block by block while the file streams past (``stream``). Where a data-driven gate stands, the
events of its parent are kept; the gate looks at all of them, answers with a fixed gate, and that one is evaluated like
any other. So a sample's gates can be listed, drawn, exported and replaced in one way, whoever placed them.
"""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np
from msgspec import Struct, field

from cytocar.errors.boundary import about
from cytocar.errors.findings import Finding, Severity
from cytocar.fcs.events import EventTable
from cytocar.gates.adaptive.gain_by_beads import with_bead_gains
from cytocar.gates.adaptive.parent_events import ParentEvents
from cytocar.gates.chosen import ChosenEvents, step_of
from cytocar.gates.decision import Background, Decision, FitInput, Fitted, ReferenceEvents, Source, fixed_decisions
from cytocar.gates.engine.axes import Axes
from cytocar.gates.engine.compile import Plan, compile_plan, make_step, plan_for
from cytocar.gates.engine.frame import ALL, Bools, Floats, SubframeCache
from cytocar.gates.engine.stream import EventBuffer, GatedBlock, stream
from cytocar.gates.events_over_time import EventsOverTime, NonTCellCarCounter
from cytocar.gates.medians import Medians, median_of
from cytocar.gates.populations import GatedSample, Population, Populations
from cytocar.regions.ellipse import EllipseGate
from cytocar.regions.kinds import FixedGate
from cytocar.signals.compensation import SpilloverMatrix
from cytocar.template.gate_kinds import AdaptiveGate, ReferenceGate
from cytocar.template.model import Template

if TYPE_CHECKING:
    from cytocar.fcs.events import Block

__all__ = ["GatedSample", "Population", "Populations", "replay", "walk"]

References = Mapping[str, Sequence[ReferenceEvents]]
MOST_EVENTS_KEPT = 4_000_000
"""Events of their parents that data-driven gates look at, all at once, which takes 0.6 GB: of larger files they see
every second, third, ... event. A gate's place is known from 100,000 events; 80 million took 12 GB."""
NOT_FINITE_SHARE = 0.001  # up to here events without a number are a curiosity, beyond it somebody should look


def require_opened(events: object, template: object) -> None:
    """Raise TypeError for the name of a file or template in the place of what opening it gives."""
    for given, kind, opens in ((events, EventTable, "open_fcs"), (template, Template, "load_template")):
        if not isinstance(given, kind):
            raise TypeError(f"{opens}({reprlib.repr(given)}) gives what is needed here; this is no {kind.__name__}")


def walk(
    events: EventTable,
    template: Template,
    *,
    markers: Mapping[str, str] | None = None,
    compensation: SpilloverMatrix | None = None,
    references: References | None = None,
    gate_overrides: Mapping[str, FixedGate] | None = None,
    medians: Sequence[str] = (),
    steady: Bools | None = None,
    watch: bool = False,
    look: Callable[[int, Block], None] | None = None,
) -> Populations:
    """Return the populations of a file.

    Parameters
    ----------
    events : EventTable
        The file. It has to stay open as long as masks or values may be asked for.
    template : Template
        What to look for.
    markers : mapping, optional
        Marker to ``$PnN``, where a person has settled it.
    compensation : SpilloverMatrix, optional
        Takes the place of the template's source.
    references : mapping, optional
        Control samples for ``reference`` gates, by the population that they were gated to (the gate's parent).
    gate_overrides : mapping, optional
        Population to the fixed gate that a person has put in place of the template's.
    medians : sequence of str
        Markers whose medians will be asked for: worked out in the same pass.
    steady : (n_events,) bool, optional
        Events of a steady flow (``cytocar.sample.quality.flow``); the others are in no population but ``all``.
    watch : bool
        Count too where in the run events lie and which CAR signals lie beside the T cells (``Populations.over_time``,
        ``car_beside_t_cells``), and keep evenly chosen events (``Populations.gated``), for ``cytocar.sample.quality``.
    look : callable, optional
        Is shown each block of the file as it was recorded, after the number of its first event.

    Raises
    ------
    PanelError, CompensationError, GateError
        If the template does not fit the file.
    TypeError
        For a name or a path in the place of events or template.
    """
    require_opened(events, template)
    overrides = gate_overrides or {}
    with about(events.path):
        plan = plan_for(events, template, markers=markers, compensation=compensation)
    if overrides:
        plan = compile_plan(template, plan.axes, overrides)
    if plan.deferred and events.n_events > MOST_EVENTS_KEPT:
        settled = partial(walk, template=template, markers=markers, compensation=compensation)
        step = -(-events.n_events // MOST_EVENTS_KEPT)
        some = None if steady is None else steady[::step]
        seen = settled(events.every(step), references=references, gate_overrides=overrides, steady=some)
        whole = settled(events, gate_overrides=seen.fitted, medians=medians, steady=steady, watch=watch, look=look)
        return whole.as_decided(seen, _seen_in_part(step))
    complete, template = template, plan.template
    overrides = {name: gate for name, gate in overrides.items() if name in plan.parents}
    gates = {**_fixed_gates(template), **overrides}
    watched = _Watched.of(template, plan.axes, events.n_events) if watch else None
    tally = _Tally(plan, events.n_events, [marker for marker in medians if marker in plan.axes], watched)
    chosen = ChosenEvents(events.n_events, step_of(events.n_events))
    blocks = partial(stream, events, plan, extra=tally.markers, steady=steady)
    for block in blocks():
        tally.add(block)
        if look is not None:
            look(block.start, block.recorded())
        if watch:
            chosen.add(block.start, block.recorded())
        if watched is not None and not plan.deferred:
            watched.beside.add(block.fluorescence, gates)
        del block  # before the next one is made: it holds 5 MB of arrays
    placed = _place_deferred(plan, tally, template, gates, references or {})
    gates |= {name: fitted.gate for name, fitted in placed.fitted.items()}
    return Populations(
        {**tally.counts, **placed.counts},
        GatedSample(events, template, plan, gates, steady, chosen.block(), chosen.step),
        decisions=tuple(_decisions(plan, placed, overrides)),
        backgrounds=placed.backgrounds,
        findings=(
            *plan.axes.findings,
            *_findings(tally, events.n_events),
            *_shapes(gates),
            *_left_out(complete, template, plan.axes),
        ),
        medians={**tally.medians.of_run(blocks), **placed.medians},
        over_time=watched.over_time.counts if watched else {},
        car_beside_t_cells=(watched.beside.events, watched.beside.of_events) if watched else (0, 0),
    )


def replay(
    events: EventTable,
    template: Template,
    gates: Mapping[str, FixedGate],
    *,
    markers: Mapping[str, str] | None = None,
    compensation: SpilloverMatrix | None = None,
    steady: Bools | None = None,
) -> GatedSample:
    """Return a sample to pass over with the gates that it was counted with, of every population; nothing is decided.

    Parameters are those of ``walk``; ``gates`` are what its ``Populations.fitted`` were.
    """
    axes = plan_for(events, template, markers=markers, compensation=compensation).axes
    plan = compile_plan(template, axes, gates)
    return GatedSample(events, plan.template, plan, gates, steady)


# ---------------------------------------------------------------- the pass over the file


class _Watched(Struct, frozen=True):
    """What is looked at beside the counts, to judge the run."""

    over_time: EventsOverTime
    beside: NonTCellCarCounter

    @classmethod
    def of(cls, template: Template, axes: Axes, n_events: int) -> _Watched:
        """What to watch of a template: the populations that have a role."""
        report = template.report
        roles = (template.counting.beads, report.viable_of, report.viable, report.t_cells, report.car)
        followed = [name for name in roles if name is not None and name != ALL]
        return cls(EventsOverTime(followed, n_events), NonTCellCarCounter(template, axes))


class _Tally:
    """What one pass over a file adds up: counts, events without a number, and what later steps need to see again."""

    def __init__(self, plan: Plan, n_events: int, medians: Sequence[str], watched: _Watched | None) -> None:
        self.counts = dict.fromkeys((ALL, *(step.name for step in (*plan.scatter, *plan.fluorescence))), 0)
        self.not_finite = 0
        side = watched.beside.side if watched is not None else None
        self.markers = tuple(dict.fromkeys((*plan.deferred_markers, *medians, *([side] if side else []))))
        self.kept = EventBuffer(plan, self.markers, n_events, with_rows=watched is not None) if plan.deferred else None
        self.medians = Medians([name for name in self.counts if name != ALL], medians)
        self.watched = watched

    def add(self, block: GatedBlock) -> None:
        """Add a block."""
        self.counts[ALL] += block.n_events
        for name in self.counts:
            if name != ALL:
                self.counts[name] += block.count(name)
            if self.watched is not None and name in self.watched.over_time.counts:
                self.watched.over_time.add(name, block.rows(name))
        self.medians.add(block)
        if self.kept is not None:
            self.kept.add(block)
        self.not_finite += block.not_finite()  # last: what data-driven gates see has been asked for by now


# ---------------------------------------------------------------- data-driven gates


class _Placed(Struct, frozen=True):
    """What became of the populations that waited for data-driven gates."""

    fitted: dict[str, Fitted] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    medians: dict[tuple[str, str], float | None] = field(default_factory=dict)

    @property
    def backgrounds(self) -> dict[str, Background]:
        """Return the backgrounds of gates that were placed by control samples."""
        return {name: fitted.background for name, fitted in self.fitted.items() if fitted.background is not None}


def _place_deferred(
    plan: Plan, tally: _Tally, template: Template, fixed: Mapping[str, FixedGate], references: References
) -> _Placed:
    """Place and evaluate, in order, the gates that had to wait for all of their parent's events."""
    placed = _Placed()
    if tally.kept is None:
        return placed
    frames = SubframeCache(tally.kept.frame())
    declared = {population.name: population for population in template.populations}
    beads = template.counting.beads
    bead_medians: dict[str, tuple[float | None, int]] = {}
    for population in plan.deferred:
        gate = population.gate
        kinds = plan.kinds if population.name == template.report.car else ()
        frame = frames.frame_for(population.parent, (*population.exclude, *gate.references(), *kinds))
        if not isinstance(gate, FixedGate):
            rows = frame.rows_within(population.parent, population.exclude)
            columns = ParentEvents(tally.kept.markers, frame.signals.signal, rows, frame.n_events)
            controls = with_bead_gains(
                references.get(population.parent, ()), references.get(beads or "", ()), bead_medians
            )
            masks = [frame.mask(kind)[rows] for kind in kinds]
            placed.fitted[population.name] = _fit(population.name, gate, columns, plan, controls, masks)
            gate = placed.fitted[population.name].gate
        frame.evaluate(make_step(population, gate, plan.axes, declared))
        frames.evaluated(population.name, frame)
        placed.counts[population.name] = frame.counts[population.name]
        if tally.watched is not None and population.name in tally.watched.over_time.counts:
            tally.watched.over_time.add(population.name, tally.kept.rows(frame.first_rows(population.name)))
        if population.name == beads:
            rows = frame.places(beads)
            for marker in _placed_by_references(template):
                bead_medians[marker] = median_of(np.take(frame.signals.signal(marker), rows)), len(rows)
        for marker in tally.medians.markers:
            rows = frame.places(population.name)
            placed.medians[population.name, marker] = median_of(np.take(frame.signals.signal(marker), rows))
    if tally.watched is not None:
        gates = {**fixed, **{name: fitted.gate for name, fitted in placed.fitted.items()}}
        roles = template.report
        frame = frames.frame_for(roles.lymphocytes or ALL, [roles.t_cells] if roles.t_cells else [])
        tally.watched.beside.add(frame, gates)
    return placed


def _placed_by_references(template: Template) -> set[str]:
    return {one.gate.marker for one in template.populations if isinstance(one.gate, ReferenceGate)}


def _fit(
    population: str,
    gate: AdaptiveGate,
    columns: Mapping[str, Floats],
    plan: Plan,
    references: Sequence[ReferenceEvents],
    kinds: Sequence[Bools],
) -> Fitted:
    from cytocar.gates.adaptive import ADAPTIVE

    axes = {marker: plan.axes[marker] for marker in columns}
    given = FitInput(
        population,
        columns,
        scales={marker: axis.scale for marker, axis in axes.items()},
        ranges={marker: axis.range for marker, axis in axes.items()},
        references=references,
        seed=crc32(population.encode()),
        kinds=kinds,
    )
    return ADAPTIVE[gate.kind](gate, given)


# ---------------------------------------------------------------- what is said about it


def _fixed_gates(template: Template) -> dict[str, FixedGate]:
    return {
        population.name: population.gate
        for population in template.populations
        if isinstance(population.gate, FixedGate)
    }


def _decisions(plan: Plan, placed: _Placed, overrides: Mapping[str, FixedGate]) -> Iterator[Decision]:
    for name in plan.parents:
        if name in placed.fitted:
            yield from placed.fitted[name].decisions
        elif name in overrides:
            yield from fixed_decisions(name, overrides[name], plan.template.scale, source=Source.OVERRIDE)
        else:
            yield from plan.decisions[name]


def _findings(tally: _Tally, n_events: int) -> Iterable[Finding]:
    if tally.not_finite:
        few = tally.not_finite <= NOT_FINITE_SHARE * n_events
        yield Finding(
            check="finite",
            code="W230",
            outcome=Severity.NOTE if few else Severity.REVIEW,
            message=f"{tally.not_finite} events have a signal that is not a finite number; no gate on it holds them",
            value=float(tally.not_finite),
            limit=NOT_FINITE_SHARE * n_events,
        )


def _seen_in_part(step: int) -> Finding:
    return Finding(
        check="gates",
        code="W273",
        outcome=Severity.NOTE,
        message=f"the file is large: data-driven gates were placed on one event in {step}, and every event was counted",
        value=float(step),
    )


def _left_out(complete: Template, part: Template, axes: Axes) -> Iterator[Finding]:
    """Which populations were left out, for want of which optional markers."""
    there = {population.name for population in part.populations}
    missing = [population for population in complete.populations if population.name not in there]
    if not missing:
        return
    lacking = {one.name: [marker for marker in one.gate.markers() if marker not in axes] for one in missing}
    absent = dict.fromkeys(marker for markers in lacking.values() for marker in markers)
    themselves = [name for name, markers in lacking.items() if markers]
    further = len(missing) - len(themselves)
    hanging = f" and {further} that come from {'it' if len(themselves) == 1 else 'them'}" if further else ""
    yield Finding(
        check="optional_markers",
        code="W272",
        outcome=Severity.NOTE,
        message=f"the file has no {', '.join(absent)}; left out: {', '.join(themselves)}{hanging}",
        value=float(len(missing)),
    )


def _shapes(gates: Mapping[str, FixedGate]) -> Iterator[Finding]:
    """Yield the finding on ellipses whose covariance bounds none, so that the formula alone decides."""
    named = [name for name, gate in gates.items() if isinstance(gate, EllipseGate) and gate.as_formula]
    if named:
        yield Finding(
            check="gates",
            code="W271",
            outcome=Severity.REVIEW,
            message=f"the covariance of {', '.join(named)} bounds no ellipse; the standard's formula decided",
        )
