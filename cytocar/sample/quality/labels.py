"""Is this the marker? What a file's labels say against the channels that a template takes."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from cytocar.errors.findings import Finding, Severity
from cytocar.errors.tree import PanelError
from cytocar.sheet.rows import SampleType
from cytocar.signals.panel import answers, marker_words

if TYPE_CHECKING:
    from cytocar.fcs.events import Channel
    from cytocar.signals.marker import Marker
    from cytocar.signals.panel import Panel
    from cytocar.template.model import Template

CHECK = "labels"
LABEL_CODES = frozenset({"W247", "W248"})
STAINED_OTHERWISE = frozenset({SampleType.FMO, SampleType.UNSTAINED, SampleType.SINGLE_STAIN, SampleType.BLANK})
"""Tubes whose labels need not name the panel: something was left out of them on purpose."""

_NO_REAGENT = re.compile(r"isotype|iso|ig[gma]\d?[ab]?|fmo|unstained|empty|dump|blank|none|neg(ative)?|control|ctrl")
"""Words of labels that say that no reagent of the panel is there."""


def gated_channels(template: Template, panel: Panel) -> tuple[Channel, ...]:
    """Return the channels that a template's gates look at."""
    gated = {marker for population in template.populations for marker in population.gate.markers()}
    return tuple(channel for marker, channel in panel.items() if marker in gated)


def check_car_reagent(
    template: Template, panel: Panel, sample_type: SampleType, *, settled: Collection[str] = ()
) -> None:
    """Refuse a control whose CAR channel carries no CAR reagent, as its label says: it shows no background of one.

    Raises
    ------
    PanelError
        E069 for the label of an isotype control, an FMO, an empty or a dump channel.
    """
    if missing := _without_reagent(template, panel, sample_type, settled=settled):
        name = missing[0]
        raise PanelError(
            f"{_no_reagent(name, panel[name])}: it is no control",
            code="E069",
            hint=f"say in the sheet what the tube is (sample_type fmo, unstained ...), or settle the channel with "
            f"--marker {name}={panel[name].detector}",
        )


def car_is_labelled_otherwise(
    template: Template, panel: Panel, sample_type: SampleType, *, settled: Collection[str] = ()
) -> bool:
    """True if the file calls the CAR channel something else than the CAR: then no CAR-T cell may be claimed."""
    if sample_type in STAINED_OTHERWISE:
        return False
    if _without_reagent(template, panel, sample_type, settled=settled):
        return True
    unsettled = (name for name in _car_markers(template) if name in panel and name not in settled)
    return any(_contradicts(name, template.panel[name], panel[name]) for name in unsettled)


def _car_markers(template: Template) -> tuple[str, ...]:
    car = template.report.car
    return () if car is None else tuple(template.population(car).gate.markers())


def _without_reagent(
    template: Template, panel: Panel, sample_type: SampleType, *, settled: Collection[str]
) -> list[str]:
    """Return the markers of the CAR gate whose labels say that no reagent is there."""
    if sample_type in STAINED_OTHERWISE:
        return []
    unsettled = (name for name in _car_markers(template) if name in panel and name not in settled)
    return [name for name in unsettled if _says_no_reagent(name, template.panel[name], panel[name])]


def _no_reagent(name: str, channel: Channel) -> str:
    return f"{channel.detector} should carry {name}, and the file calls it {channel.marker!r}: no CAR reagent"


def _says_no_reagent(name: str, marker: Marker, channel: Channel) -> bool:
    words = marker_words(channel.marker or "")
    own = any(_NO_REAGENT.fullmatch(word) for alias in (name, *marker.aliases) for word in marker_words(alias))
    return not own and any(_NO_REAGENT.fullmatch(word) for word in words)


def label_findings(
    template: Template, panel: Panel, sample_type: SampleType, *, settled: Collection[str] = ()
) -> Iterator[Finding]:
    """What labels say against the panel (the name, or the usual detector, of another marker), or that they agree.

    Parameters
    ----------
    settled : collection of str
        Markers whose channel a person has named: nothing is asked about these.
    """
    if sample_type in STAINED_OTHERWISE:
        return
    panel_left = {name: panel[name] for name in panel if name not in settled and panel[name].is_fluorescence}
    declared = template.panel
    unstained = _without_reagent(template, panel, sample_type, settled=settled)
    others = {name: on for name, on in panel_left.items() if name not in unstained}
    contradicted = [_taken(name, on) for name, on in others.items() if _contradicts(name, declared[name], on)]
    owners = {name: owner for name, on in panel_left.items() if (owner := _usual_owner(name, template, on))}
    exchanged = [f"{name} on {panel_left[name].detector} (of {owner})" for name, owner in owners.items()]
    for name in unstained:
        message = f"{_no_reagent(name, panel[name])}, so no CAR-T cell is claimed"
        yield Finding(CHECK, "E069", Severity.REVIEW, message)
    if contradicted:
        message = f"labels of other markers: {', '.join(contradicted)}"
        yield Finding(CHECK, "W247", Severity.REVIEW, message, float(len(contradicted)), 0.0)
    if exchanged:
        message = f"markers on the usual detector of another: {', '.join(exchanged)}"
        yield Finding(CHECK, "W248", Severity.REVIEW, message, float(len(exchanged)), 0.0)
    if not unstained and not contradicted and not exchanged:
        unnamed = [_taken(name, on) for name, on in panel_left.items() if not _named(name, declared[name], on)]
        rest = f"; by their detectors alone: {', '.join(unnamed)}" if unnamed else ""
        yield Finding(CHECK, "", Severity.PASS, f"{len(panel_left) - len(unnamed)} markers have their own label{rest}")


def _named(name: str, marker: Marker, channel: Channel) -> bool:
    return any(answers(alias, channel.marker or channel.detector) for alias in (name, *marker.aliases))


def _contradicts(name: str, marker: Marker, channel: Channel) -> bool:
    """True if a channel that was taken by its detector is labelled as something else.

    A marker without aliases goes by its detector alone, whatever the label (Gating-ML, FlowJo).
    """
    if not marker.aliases or not marker_words(channel.marker or ""):
        return False
    return not _named(name, marker, channel) or _says_no_reagent(name, marker, channel)


def _usual_owner(name: str, template: Template, channel: Channel) -> str | None:
    """Return the marker whose usual detector a channel is, for a marker that has others of its own."""
    usual = template.panel[name].detectors
    if not usual or channel.detector in usual:
        return None
    owners = (other for other, marker in template.panel.items() if channel.detector in marker.detectors)
    return next(owners, None)


def _taken(name: str, channel: Channel) -> str:
    return f"{name} would be {channel.detector}, called {channel.marker!r}" if channel.marker else channel.detector
