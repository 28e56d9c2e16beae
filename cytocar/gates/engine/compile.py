"""What has to be done to a file, worked out once per template and layout of channels, and remembered.

The order of the work is what makes it fast::

    every block   scatter gates on recorded channels      (scatter stage)
                  survivors compacted, once
                  their needed detectors compensated,     (fluorescence stage)
                  the other fixed gates
    all blocks    events before a data-driven gate kept   (deferred)
                  gates placed and evaluated on them

Populations keep the template's names; a step may refer to any population of an earlier stage.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from cytocar.errors.tree import GateError
from cytocar.gates.decision import Decision, fixed_decisions
from cytocar.gates.engine.axes import Axes, Quotient, Recorded, resolve_axes
from cytocar.gates.engine.frame import ALL, GateStep
from cytocar.regions.boolean import BooleanGate
from cytocar.regions.gate import PlacedRegion
from cytocar.regions.kinds import FixedGate
from cytocar.signals.compensation import KEYWORDS, SpilloverMatrix
from cytocar.template.gate_kinds import Gate, ReferenceGate
from cytocar.template.model import Population, Template
from cytocar.template.parts import without_markers

if TYPE_CHECKING:
    from cytocar.fcs.events import EventTable

PLANS_KEPT = 32
"""Of templates and layouts, in memory: a plate needs one. More would only take memory."""


class Plan(Struct, frozen=True, eq=False, dict=True):
    """A template on one layout of channels.

    Attributes
    ----------
    template : Template
        The part of the template that the layout allows (``cytocar.template.parts``).
    axes : Axes
        Where each marker's signal comes from.
    scatter, fluorescence : tuple of GateStep
        Fixed populations without a data-driven one above them: on recorded channels only, and the others.
    deferred : tuple of Population
        Populations that wait for a data-driven gate, parents first.
    deferred_markers : tuple of str
        Markers whose signals the deferred populations ask for.
    entrance : tuple of str
        Populations of the scatter stage whose events the fluorescence stage has to see.
    kept : tuple of str
        Populations of the stages whose events the deferred ones have to see.
    parents : mapping
        Every population and its parent, in the template's order.
    kinds : tuple of str
        CD4+ and CD8+ T cells, where they are known before controls place the CAR gate.
    """

    template: Template
    axes: Axes
    scatter: tuple[GateStep, ...]
    fluorescence: tuple[GateStep, ...]
    deferred: tuple[Population, ...]
    deferred_markers: tuple[str, ...]
    entrance: tuple[str, ...]
    kept: tuple[str, ...]
    parents: Mapping[str, str]
    kinds: tuple[str, ...] = ()

    @property
    def in_fluorescence(self) -> frozenset[str]:
        """Return the populations of the fluorescence stage."""
        return frozenset(step.name for step in self.fluorescence)

    @cached_property
    def decisions(self) -> Mapping[str, Sequence[Decision]]:
        """Return by population what ``gates.csv`` says of the template's fixed gates, the same in every file."""
        return {
            one.name: fixed_decisions(one.name, one.gate, self.template.scale)
            for one in self.template.populations
            if isinstance(one.gate, FixedGate)
        }


def plan_for(
    events: EventTable,
    template: Template,
    *,
    markers: Mapping[str, str] | None = None,
    compensation: SpilloverMatrix | None = None,
) -> Plan:
    """Return the plan of a template on the layout of a file, compiled when it is first seen in this process.

    Files of one plate share channels and matrix, and so a plan.
    """
    key = (
        id(template),
        id(compensation),
        tuple((channel.detector, channel.marker, channel.top) for channel in events.channels),
        tuple(sorted((markers or {}).items())),
        tuple(events.keywords.get(keyword) for keyword in KEYWORDS),
    )
    remembered = _PLANS.get(key)
    if remembered is None:
        axes = resolve_axes(template, events.channels, events.keywords, markers=markers, compensation=compensation)
        # The template and the matrix stay alive beside the plan, so that their ids are not given to others.
        remembered = (compile_plan(template, axes), template, compensation)
        _PLANS[key] = remembered
        while len(_PLANS) > PLANS_KEPT:
            _PLANS.popitem(last=False)
    else:
        _PLANS.move_to_end(key)
    return remembered[0]


_PLANS: OrderedDict[tuple[object, ...], tuple[Plan, Template, SpilloverMatrix | None]] = OrderedDict()


def compile_plan(template: Template, axes: Axes, gates: Mapping[str, FixedGate] | None = None) -> Plan:
    """Return the plan of a template whose gates may be replaced, by population.

    Populations of optional markers that the file does not have are left out.

    Raises
    ------
    GateError
        E058 if none is left.
    """
    replaced = gates or {}
    template = _allowed_part(template, axes)
    populations = [
        replace(population, gate=replaced[population.name]) if population.name in replaced else population
        for population in template.populations
    ]
    declared = {population.name: population for population in populations}
    scatter: dict[str, GateStep] = {}
    fluorescence: dict[str, GateStep] = {}
    deferred: list[Population] = []
    waiting: set[str] = set()
    order = _parents_first(populations, last=template.report.car)
    for population in order:
        gate = population.gate
        if not isinstance(gate, FixedGate) or waiting.intersection(_links(population)):
            waiting.add(population.name)
            deferred.append(population)
            continue
        step = make_step(population, gate, axes, declared)
        looked_at = step.gate.markers if isinstance(step.gate, PlacedRegion) else step.finite
        recorded = all(isinstance(axes[marker].signal, Recorded) for marker in looked_at)
        stage = scatter if recorded and not fluorescence.keys() & set(_links(population)) else fluorescence
        stage[population.name] = step
    return Plan(
        template=template,
        axes=axes,
        scatter=tuple(scatter.values()),
        fluorescence=tuple(fluorescence.values()),
        deferred=tuple(deferred),
        deferred_markers=_unique(
            marker for population in deferred for marker in _markers_of(population.gate, declared, axes)
        ),
        entrance=_unique(step.parent for step in fluorescence.values() if step.parent not in fluorescence),
        kept=_unique(population.parent for population in deferred if population.parent not in waiting),
        parents={population.name: population.parent for population in template.populations},
        kinds=_kinds_before_car(template, [population.name for population in order]),
    )


def _kinds_before_car(template: Template, order: Sequence[str]) -> tuple[str, ...]:
    """Return the CD4+ and CD8+ T cells of a template whose CAR gate controls place, if both are known before it."""
    report = template.report
    if report.car is None or report.cd4 is None or report.cd8 is None:
        return ()
    placed = isinstance(template.population(report.car).gate, ReferenceGate)
    before = order[: order.index(report.car)]
    return (report.cd4, report.cd8) if placed and report.cd4 in before and report.cd8 in before else ()


def _allowed_part(template: Template, axes: Axes) -> Template:
    absent = [marker for marker in template.panel if marker not in axes]
    part, left_out = without_markers(template, absent)
    if left_out and not part.populations:
        raise GateError(
            f"every population of the template looks at {' or '.join(absent)}, which this file does not have",
            code="E058",
            hint=f"name its channel: --marker {absent[0]}=CHANNEL; or take a template of the markers that are there",
        )
    return part


def make_step(population: Population, gate: FixedGate, axes: Axes, declared: Mapping[str, Population]) -> GateStep:
    """Return a population with a fixed gate as a step.

    Parameters
    ----------
    declared : mapping
        Every population of the template by name, for what a boolean gate negates.
    """
    if isinstance(gate, BooleanGate):
        finite = _markers_of(gate, declared, axes)
        return GateStep(population.name, population.parent, population.exclude, gate, finite)
    return GateStep(population.name, population.parent, population.exclude, gate.placed(lambda name: axes[name].scale))


def _links(population: Population) -> tuple[str, ...]:
    return (population.parent, *population.exclude, *population.gate.references())


def _parents_first(populations: Iterable[Population], *, last: str | None) -> list[Population]:
    """Return populations in an order in which each stands behind all that it refers to, else as they were.

    One goes behind all that need not stand behind it.
    """
    waiting = sorted(populations, key=lambda population: population.name == last)
    done = {ALL}
    ordered = []
    while waiting:
        ready = next((population for population in waiting if done.issuperset(_links(population))), None)
        if ready is None:
            names = ", ".join(population.name for population in waiting)
            raise GateError(
                f"populations refer to each other, or to one that does not exist: {names}",
                code="E059",
                hint="a population's parent, exclude and boolean lists may not lead back to itself",
            )
        waiting.remove(ready)
        done.add(ready.name)
        ordered.append(ready)
    return ordered


def _markers_of(gate: Gate, declared: Mapping[str, Population], axes: Axes) -> tuple[str, ...]:
    """Return the markers that a gate asks for; of a boolean one, those that decide what it negates."""
    return _markers_behind(gate.none_of, declared, axes) if isinstance(gate, BooleanGate) else gate.markers()


def _markers_behind(names: Iterable[str], declared: Mapping[str, Population], axes: Axes) -> tuple[str, ...]:
    """Return the markers with channels of their own that decide some populations, through all that they refer to."""
    open_names = [name for name in names if name != ALL]
    seen: set[str] = set()
    markers: dict[str, None] = {}
    while open_names:
        name = open_names.pop()
        if name in seen:
            continue
        seen.add(name)
        population = declared[name]
        open_names += [link for link in (population.parent, *population.gate.references()) if link != ALL]
        for marker in population.gate.markers():
            signal = axes[marker].signal
            markers |= dict.fromkeys(
                (signal.ratio.numerator, signal.ratio.denominator) if isinstance(signal, Quotient) else (marker,)
            )
    return tuple(markers)


def _unique(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
