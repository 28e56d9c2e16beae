"""A line of several files taken into a template, or the reason why there is none."""

from __future__ import annotations

from typing import Literal

from cytocar.fit.evidence import StainScale
from cytocar.fit.gated import Study
from cytocar.fit.lines import Line, draw_line
from cytocar.signals.scales import AsinhScale, LogicleScale
from cytocar.template.gate_kinds import ValleyGate


def stain_scale(study: Study, marker: str) -> StainScale:
    """Return the scale of a stained marker's axis."""
    scale = study.scales[marker]
    if not isinstance(scale, LogicleScale | AsinhScale):
        raise TypeError(f"{marker} is on a {scale.kind} scale")
    return scale


def take_line(study: Study, name: str, parent: str, line: Line, *, keep: Literal["above", "below"]) -> None:
    """Add the gate of a line: a valley in its window, and where the files do not show it, its fallback."""
    gate = ValleyGate(
        marker=line.marker,
        keep=keep,
        fallback=line.at,
        window=line.window,
    )
    study.add(name, parent, gate, status=line.status, evidence=line.in_words(), line=line)
    if line.moved:
        sentence = f"the line of {line.marker} differs between files by a factor of {10**line.spread:.1f} (sd)"
        study.doubt("W337", f"{sentence}: a detector, a voltage or a reagent has changed; fit the groups apart")


def why_no_line(study: Study, marker: str, parent: str) -> str:
    events = study.count(parent)
    close = draw_line(marker, study.signals(marker, parent), stain_scale(study, marker), separation=0)
    if close is not None:
        apart = max(valley.separation for valley in (*close.own, close.pooled) if valley is not None)
        return f"{marker} shows two groups only {apart:.1f} decades apart: unstained or dying cells look like that"
    return f"{marker} shows no two groups among {events:,} events of {parent}"
