"""Which bundled templates suit a file: their markers are named in it, it has their matrix, and they find T cells in it.

Names alone do not tell: on a cytometer of other voltages a template finds all its markers and no T cells. So each one
whose names fit is tried on some of the events.
"""

from __future__ import annotations

from functools import cache

from msgspec import Struct
from msgspec.structs import replace

from cytocar.errors.tree import CompensationError, CytocarError, PanelError
from cytocar.fcs.events import EventTable
from cytocar.gates.decision import Flag
from cytocar.gates.walk import walk
from cytocar.signals.applied_matrix import already_compensated
from cytocar.signals.compensation import carried, leaves_as_it_is
from cytocar.signals.marker import Marker
from cytocar.signals.panel import Panel, resolve
from cytocar.template.load import bundled_templates, load_template
from cytocar.template.model import Template

EVENTS_TRIED = 50_000
"""Evenly over the file: 0.01 to 0.05 s a template, and enough for every line of its gates."""
FEWEST_EVENTS, MOST_EVENTS = 200, 5_000_000
"""Fewer show no population, more take seconds to read; then names and matrix decide."""
FEWEST_T_CELLS = 50
"""Of the events tried: the fewest of which a valley is placed."""
NOT_PLACED = {Flag.NO_VALLEY, Flag.FEW_EVENTS}


class Suited(Struct, frozen=True):
    """A template whose markers are named in a file, and what it finds among the events tried.

    ``markers`` is the number of stained markers that it reads. ``lymphocytes`` and ``t_cells`` are None where it has no
    such population or was not tried; ``refused`` says why it finds nothing, "" if it does.
    """

    name: str
    markers: int
    lymphocytes: int | None = None
    t_cells: int | None = None
    refused: str = ""


def suited_templates(events: EventTable, *, tried: bool = True) -> tuple[Suited, ...]:
    """Return the bundled templates whose markers and matrix a file has, those that read most of its markers first.

    Parameters
    ----------
    tried : bool
        Try each on the events; else nothing but names is looked at.
    """
    suited: list[Suited] = []
    tried &= FEWEST_EVENTS <= events.n_events <= MOST_EVENTS
    few = events.every(max(1, -(-events.n_events // EVENTS_TRIED)))
    for name, template in _bundled().items():
        try:
            panel = resolve(template.panel, events.channels)
        except PanelError:
            continue
        if not _lacking(events, template) and _has_matrix(events, template, panel):
            stained = sum(channel.is_fluorescence for channel in panel.values())
            one = Suited(name, stained)
            suited.append(_tried(one, template, few) if tried else one)
    return tuple(sorted(suited, key=lambda one: -one.markers))


def _tried(one: Suited, template: Template, events: EventTable) -> Suited:
    try:
        populations = walk(events, template)
    except CytocarError as error:
        return Suited(one.name, one.markers, refused=f"{error.code}: {error.message.splitlines()[0]}")
    report = template.report
    lymphocytes, t_cells = (
        None if role is None else populations[role].events for role in (report.lymphocytes, report.t_cells)
    )
    flags = {flag for one in populations.decisions if one.population == report.t_cells for flag in one.flags}
    nothing = t_cells is not None and (t_cells < FEWEST_T_CELLS or not flags.isdisjoint(NOT_PLACED))
    return Suited(one.name, one.markers, lymphocytes, t_cells, "no T cells are found" if nothing else "")


def _has_matrix(events: EventTable, template: Template, panel: Panel) -> bool:
    """True if the file brings what a template compensates with: a matrix that changes the panel's signals.

    Unmixed files of spectral cytometers bring none, or the identity. Their units are others, too.
    """
    if template.compensation.source != "file" or template.compensation.missing == "none" or already_compensated(panel):
        return True
    dyes = [channel.detector for channel in panel.values() if channel.is_fluorescence]
    try:
        matrix = carried(events.keywords).matrix
    except CompensationError:
        return False
    return matrix is not None and not leaves_as_it_is(matrix, dyes)


def nearest_template(events: EventTable) -> tuple[str | None, tuple[str, ...]]:
    """Return the bundled template that lacks the fewest markers in this data set, and these.

    None if every one has less than half of its stained markers by name: detectors alone say nothing about a panel. One
    that lacks no marker lacks a spillover matrix.
    """
    lacking = {}
    for name, template in _bundled().items():
        stained = {marker: entry for marker, entry in template.panel.items() if entry.aliases and _needed(entry)}
        stained = {marker: entry for marker, entry in stained.items() if marker[:3] not in ("FSC", "SSC")}
        named = [marker for marker, entry in stained.items() if _named(events, marker, entry)]
        if 2 * len(named) > len(stained):
            lacking[name] = _lacking(events, template)
    if not lacking:
        return None, ()
    name = min(lacking, key=lambda one: len(lacking[one]))
    return name, lacking[name] or ("spillover matrix",)


@cache
def _bundled() -> dict[str, Template]:
    return {name: load_template(name) for name in bundled_templates()}


def _needed(entry: Marker) -> bool:
    return not entry.optional and entry.ratio is None and entry.fluorochrome is None


def _lacking(events: EventTable, template: Template) -> tuple[str, ...]:
    """Return the markers that have no channel, or one that is named after something else."""
    return tuple(name for name, entry in template.panel.items() if _needed(entry) and not _has(events, name, entry))


def _has(events: EventTable, name: str, marker: Marker) -> bool:
    try:
        channel = resolve({name: marker}, events.channels)[name]
    except PanelError:
        return False
    return not (marker.aliases and channel.marker) or _named(events, name, marker)


def _named(events: EventTable, name: str, marker: Marker) -> bool:
    """True if a marker is found by its names, not by the detector of another laboratory."""
    try:
        resolve({name: replace(marker, detectors=())}, events.channels)
    except PanelError:
        return False
    return True
