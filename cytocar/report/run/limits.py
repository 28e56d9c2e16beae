"""Where the linear axes of a run's pictures end, the same for all samples of a template.

A scale with a top of its own ends there. A plain linear axis would end with the channel's range, of which a plate may
use a small part, such as side scatter at a low voltage: it ends above nearly all events and above every gate instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from msgspec import Struct

from cytocar.errors.tree import SampleError
from cytocar.fcs.reader import open_fcs
from cytocar.gates.decision import fixed_decisions
from cytocar.regions.kinds import FixedGate
from cytocar.report.run.source import FinishedRun
from cytocar.sample.result import SampleResult
from cytocar.signals.panel import resolve
from cytocar.signals.scales import LinearScale
from cytocar.statistics.order import quantile
from cytocar.template.model import Template

FILES_LOOKED_AT = 8
"""Of a plate, evenly spaced."""
NEARLY_ALL = 0.99
ROOM_ABOVE_EVENTS, ROOM_ABOVE_GATES, ROOM_ABOVE_RATIO = 1.15, 1.05, 2.0
WIDEST_RANGE = 262_144.0
"""Top of an axis where no file could be read (BD's 18-bit scale)."""


class Extent(Struct, frozen=True):
    """How far the events of a channel reach in one file, and the channel's range."""

    events: float
    range: float


def axis_tops(run: FinishedRun, sha256: str, markers: Sequence[str]) -> Mapping[str, float]:
    """Where each marker's axis ends, for the template with this hash."""
    template = run.templates[sha256]
    linear = [marker for marker in markers if isinstance(template.scale(marker), LinearScale)]
    results = [result for result in run.counted if result.template.sha256 == sha256]
    looked_at = results[:: -(-len(results) // FILES_LOOKED_AT)] if results and linear else []
    files = [_extents(run, result, linear) for result in looked_at]
    tops = {
        marker: _top([extents[marker] for extents in files if marker in extents], _highest_gate(template, marker))
        for marker in linear
    }
    return {marker: tops.get(marker, WIDEST_RANGE) for marker in markers}


def detectors_of(run: FinishedRun, sha256: str) -> Mapping[str, str]:
    """Return the detector of each marker, for the template with this hash, where the samples looked at agree on it."""
    results = [result for result in run.counted if result.template.sha256 == sha256]
    looked_at = results[:: -(-len(results) // FILES_LOOKED_AT)] if results else []
    detectors_by_marker: dict[str, set[str]] = {}
    for result in looked_at:
        protocol = run.plan.protocols[result.sample.sample_id]
        try:
            events = open_fcs(run.files[result.sample.sample_id], data_set=result.sample.data_set)
            panel = resolve(protocol.template.panel, events.channels, overrides=protocol.markers)
        except SampleError:
            continue
        for marker, channel in panel.items():
            detectors_by_marker.setdefault(marker, set()).add(channel.detector)
    return {marker: detectors.pop() for marker, detectors in detectors_by_marker.items() if len(detectors) == 1}


def _extents(run: FinishedRun, result: SampleResult, markers: Sequence[str]) -> Mapping[str, Extent]:
    """Return the extents of some markers in a sample's file; none where the file cannot be read."""
    sample = result.sample
    protocol = run.plan.protocols[sample.sample_id]
    try:
        events = open_fcs(run.files[sample.sample_id], data_set=sample.data_set)
        panel = resolve(protocol.template.panel, events.channels, overrides=protocol.markers)
        own = [marker for marker in markers if marker in panel]
        columns = events.columns([panel[marker] for marker in own])
    except SampleError:
        return {}
    known = {marker: column[np.isfinite(column)] for marker, column in zip(own, columns.T, strict=True)}
    return {
        marker: Extent(quantile(signals, NEARLY_ALL), panel[marker].range)
        for marker, signals in known.items()
        if signals.size
    }


def _highest_gate(template: Template, marker: str) -> float:
    """Return the highest number that a fixed gate of the template has on a marker, 0 for none."""
    numbers = (
        decision.value
        for population in template.populations
        if isinstance(population.gate, FixedGate)
        for decision in fixed_decisions(population.name, population.gate, template.scale)
        if decision.parameter.startswith(f"{marker} ")
    )
    return max((number for number in numbers if number is not None), default=0.0)


def _top(extents: Sequence[Extent], highest_gate: float) -> float:
    if not extents:  # no file at hand, or a ratio, which has no channel of its own
        return ROOM_ABOVE_RATIO * highest_gate or WIDEST_RANGE
    widest = max(extent.range for extent in extents)
    reached = max(extent.events for extent in extents)
    wanted = max(ROOM_ABOVE_EVENTS * reached, ROOM_ABOVE_GATES * highest_gate)
    return min(wanted, widest) if wanted > 0 else widest
