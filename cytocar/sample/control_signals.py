"""The signals of control samples on their way to the ``reference`` gates of others: gathered, kept, found again."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cytocar.errors.tree import SampleError
from cytocar.fcs.reader import open_fcs
from cytocar.files.source import at_hand
from cytocar.gates.adaptive.parent_events import thin
from cytocar.gates.decision import Background, ReferenceEvents
from cytocar.gates.events_over_time import LowScatter, side_scatter
from cytocar.gates.walk import Populations, walk
from cytocar.regions.boxes import RangeGate
from cytocar.regions.kinds import FixedGate
from cytocar.sample.blank_controls import blank_tube
from cytocar.sample.quality.labels import check_car_reagent, gated_channels
from cytocar.sample.quality.stain_levels import MOST_CELLS
from cytocar.sample.quality.stored import check_detectors_live
from cytocar.sample.quality.unstained import GRANULOCYTE_SSC
from cytocar.sheet.rows import SampleRow, SampleType
from cytocar.signals.panel import resolve
from cytocar.template.gate_kinds import ReferenceGate
from cytocar.template.model import Template

if TYPE_CHECKING:
    from cytocar.counting.blank_tubes import BlankTube
    from cytocar.fcs.events import EventTable
    from cytocar.sample.protocol import Protocol

WITNESSES = "\x01CD3-negative lymphocytes"
"""In place of a population's name: what no template calls one of its own. No NUL: a zip archive cuts names there."""
GRANULOCYTES = "\x01granulocytes"
"""Likewise: what binds a little of every reagent (``sample.missing_reagent``)."""
KINDS = ("\x01CD4+", "\x01CD8+", "\x01neither")
"""Behind a population's name: the kinds of T cells in it."""
References = Mapping[str, Sequence[ReferenceEvents]]
"""Signals of control samples by the population that a ``reference`` gate looks into."""


def wants_references(template: Template) -> bool:
    """True if a template has gates that are placed by control samples."""
    return any(isinstance(population.gate, ReferenceGate) for population in template.populations)


def save_references(sample: SampleRow, protocol: Protocol, folder: Path) -> tuple[Path, BlankTube | None] | None:
    """Write a control's signals for every ``reference`` gate; return where, and what it says about backgrounds.

    ``None`` when the control cannot be read.

    Why it cannot be read is said by the control's own row; the samples that wanted it miss a control, and say so.
    """
    if protocol.refused is not None:
        return None
    name = hashlib.sha256(sample.sample_id.encode()).hexdigest()[:24]
    path = folder / f"{name}.npz"
    try:
        with at_hand(sample.file) as file:
            events = open_fcs(file, data_set=sample.data_set)
            panel = resolve(protocol.template.panel, events.channels, overrides=protocol.markers)
            check_car_reagent(protocol.template, panel, sample.sample_type, settled=protocol.markers)
            check_detectors_live(events, gated_channels(protocol.template, panel))
            populations = walk(events, protocol.template, markers=protocol.markers, compensation=protocol.compensation)
            is_fmo = sample.sample_type is SampleType.FMO
            signals_of = _signals(populations, left_out=sample.stain_target if is_fmo else None)
            tube = blank_tube(populations, protocol.template, sample, signals=signals_of)
    except SampleError:
        return None
    arrays = {
        f"{parent}\n{marker}": values
        for parent, of_parent in signals_of.items()
        for marker, values in of_parent.items()
    }
    arrays["about"] = np.array([sample.sample_id, sample.sample_type])
    np.savez(path, allow_pickle=False, **arrays)
    return path, tube


def references_from(controls: Sequence[EventTable], template: Template) -> References:
    """What CAR-negative controls that are open already say to the ``reference`` gates, as baselines.

    They are named by their files, else by their number.

    Raises
    ------
    SampleError
        A control cannot be gated.
    """
    by_population: dict[str, list[ReferenceEvents]] = defaultdict(list)
    for number, control in enumerate(controls if wants_references(template) else (), start=1):
        name = control.path.name if control.path else f"control {number}"
        for one in _reference_events(name, SampleType.BASELINE, _signals(walk(control, template))):
            by_population[one.population].append(one)
    return by_population


def _reference_events(
    sample_id: str, kind: SampleType, signals_of: Mapping[str, Mapping[str, np.ndarray]]
) -> tuple[ReferenceEvents, ...]:
    """Return a control's signals by population, with those of the kinds of T cells beside the signals of all."""
    return tuple(
        ReferenceEvents(
            sample_id,
            kind,
            population,
            values,
            kinds={
                marker: tuple(signals_of[population + name][marker] for name in KINDS)
                for marker in signals_of.get(population + KINDS[0], {})
            },
        )
        for population, values in signals_of.items()
        if not population.endswith(KINDS)
    )


def _signals(populations: Populations, *, left_out: str | None = None) -> Mapping[str, Mapping[str, np.ndarray]]:
    """Return the signals that a control shows to each ``reference`` gate, by the gate's parent and marker, in order.

    Put in order once, and not for each sample that they place a gate of. The counting beads' signals go with them:
    they tell the detector's gain (``bead_gain``); those of CD4+ and of CD8+ T cells (``gates.adaptive.mix``); those of
    the CD3-negative lymphocytes (``witness``), and some of the granulocytes' (``missing_reagent``). An FMO that names
    what was left out of it (``stain_target``) says nothing about the gates of other markers: it is stained for these.
    """
    template = populations.gated.template
    roles = template.report
    wanted: dict[tuple[str, str], _Cells] = {}
    for population in template.populations:
        gate = population.gate
        if isinstance(gate, ReferenceGate) and _is_control_of(gate.marker, template, left_out):
            parent = population.parent
            wanted[parent, gate.marker] = (parent,), ()
            if (beads := template.counting.beads) is not None:
                wanted[beads, gate.marker] = (beads,), ()
            if population.name != roles.car:
                continue
            if roles.lymphocytes and roles.t_cells:
                wanted[WITNESSES, gate.marker] = (roles.lymphocytes,), (roles.t_cells,)
            if roles.viable and roles.t_cells:
                beside = (roles.t_cells, *([template.counting.beads] if template.counting.beads else []))
                wanted[GRANULOCYTES, gate.marker] = (roles.viable,), beside
            for name, cells in zip(KINDS, _kinds(parent, populations.gated.plan.kinds), strict=False):
                wanted[parent + name, gate.marker] = cells
    chunks: dict[tuple[str, str], list[np.ndarray]] = {key: [] for key in wanted}
    side, low = side_scatter(populations.gated.plan.axes), LowScatter()
    extra = dict.fromkeys((*(marker for _, marker in wanted), *([side] if side else [])))
    for block in populations.gated.blocks(*extra) if wanted else ():
        for (name, marker), (inside, outside) in wanted.items():
            mask = np.logical_and.reduce([block.mask(one) for one in inside])
            for one in outside:
                mask &= ~block.mask(one)
            if name == WITNESSES and side:
                mask &= low.among(block.signal(side), block.mask(outside[0]))
            if name == GRANULOCYTES and side:
                mask &= low.beyond(block.signal(side), block.mask(outside[0]), GRANULOCYTE_SSC)
            chunks[name, marker].append(block.signal(marker)[mask])
    signals_of: dict[str, dict[str, np.ndarray]] = defaultdict(dict)
    for (name, marker), several in chunks.items():
        signals = np.sort(np.concatenate(several)) if several else np.empty(0)
        signals_of[name][marker] = thin(signals, MOST_CELLS) if name == GRANULOCYTES else signals
    return signals_of


_Cells = tuple[tuple[str, ...], tuple[str, ...]]
"""Cells that are in all of some populations, and in none of others."""


def _kinds(parent: str, kinds: Sequence[str]) -> tuple[_Cells, ...]:
    """Return which cells are CD4+, CD8+ and neither, among those that the CAR gate looks into; none where not known."""
    if not kinds:
        return ()
    cd4, cd8 = kinds
    return ((parent, cd4), (cd8,)), ((parent, cd8), ()), ((parent,), (cd4, cd8))


def _is_control_of(marker: str, template: Template, target: str | None) -> bool:
    """True if a control says something about a marker: it names none that was left out, or this one."""
    names = {name.casefold() for name in (marker, *template.panel[marker].aliases, *template.panel[marker].detectors)}
    return target is None or any(part.strip().casefold() in names for part in re.split(r"[,;]", target))


def load_references(paths: Sequence[Path]) -> Mapping[str, tuple[ReferenceEvents, ...]]:
    """Return control signals by the population that they belong to, in the order of the paths."""
    by_population: dict[str, list[ReferenceEvents]] = defaultdict(list)
    for path in paths:
        for events in _load(path):
            by_population[events.population].append(events)
    return {population: tuple(events) for population, events in by_population.items()}


def backgrounds_of(
    populations: Populations,
    template: Template,
    overrides: Mapping[str, FixedGate],
    references: Mapping[str, Sequence[ReferenceEvents]],
) -> Mapping[str, Background]:
    """Return the backgrounds of the gates that controls place; of one that a person moved, above its new threshold."""
    backgrounds = dict(populations.backgrounds)
    for name, gate in overrides.items():
        if name not in populations:
            continue  # the file has not its marker
        declared = template.population(name)
        if isinstance(declared.gate, ReferenceGate) and isinstance(gate, RangeGate) and gate.min is not None:
            from cytocar.gates.adaptive.reference import background_above

            values = populations.values(declared.parent, declared.gate.marker)
            within = populations[declared.parent].mask
            kinds = populations.gated.plan.kinds if name == template.report.car else ()
            masks = [populations[kind].mask[within] for kind in kinds]
            controls = references.get(declared.parent, ())
            background = background_above(gate.min, values, declared.gate, controls, masks)
            backgrounds |= {name: background} if background else {}
    return backgrounds


@lru_cache(maxsize=32)
def _load(path: Path) -> tuple[ReferenceEvents, ...]:
    with np.load(path, allow_pickle=False) as arrays:
        sample_id, kind = (str(word) for word in arrays["about"])
        signals: dict[str, dict[str, np.ndarray]] = defaultdict(dict)
        for key in arrays.files:
            if key != "about":
                population, marker = key.split("\n")
                signals[population][marker] = arrays[key]
    return _reference_events(sample_id, SampleType(kind), signals)
