"""The panel of some files: which channel carries what a template looks for, or what has to be asked.

Names settle it, never the data. What no name settles is refused with the detectors and a command to fill in, never with
an assignment ready to paste; a person's ``--marker CD3=B515-A`` goes before everything.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from cytocar.errors.tree import PanelError
from cytocar.fit.names import Book, candidates, is_fluorescence, pulse_of, shared_channels
from cytocar.signals.panel import UNMIX_FIRST, raw_spectral

if TYPE_CHECKING:
    from cytocar.fcs.events import Channel

T_MARKERS = ("CD3", "CD4", "CD8")
NEVER_GUESSED = (*T_MARKERS, "CAR")
"""Markers that are asked about if two channels may be them; others are left out, and that is said."""
OPTIONAL = ("CD45", "viability", "CD19", "CD20", "CD16", "CD56", "CD14", "dump")
SCATTER = ("FSC-A", "FSC-H", "FSC-W", "SSC-A", "SSC-H", "SSC-W")


class FoundPanel(Struct, frozen=True):
    """The channels of one file by the marker that they carry; ``notes`` say what was left out."""

    channels: Mapping[str, Channel]
    notes: tuple[str, ...] = ()

    def __contains__(self, marker: str) -> bool:
        """True if a marker has a channel."""
        return marker in self.channels

    def signature(self) -> tuple[tuple[str, str], ...]:
        """Return marker and detector of each: files with the same one can share a gate."""
        return tuple(sorted((marker, channel.detector.strip()) for marker, channel in self.channels.items()))


def find_panel(
    channels: Sequence[Channel], book: Book, *, settled: Mapping[str, str] | None = None, file: str = "FILE"
) -> FoundPanel:
    """Return the channel of a file that carries each marker.

    Parameters
    ----------
    settled : mapping, optional
        Marker to detector, as a person says.
    file : str
        The file's name, for the command in a refusal.

    Raises
    ------
    PanelError
        E200 if no name says which channels carry CD3, CD4 or CD8; E201 if two channels may be one of them; E202 if a
        settled detector is not there.
    """
    named = dict(candidates(channels, book))
    chosen = {marker: _settled(channels, marker, detector) for marker, detector in (settled or {}).items()}
    for marker, entry in book.items():
        if entry.instead_of and entry.instead_of not in (*named, *chosen) and marker in named:
            named[entry.instead_of] = named[marker]
    notes = [
        f"CD8 is {_shown(named['CD8'][0])}: CD8b alone misses NK and some gamma-delta T cells"
        for _ in range(1)
        if "CD8b" in named and named.get("CD8") == named["CD8b"]
    ]
    for marker in (*NEVER_GUESSED, *OPTIONAL):
        hits = named.get(marker, ())
        if marker in chosen or not hits:
            continue
        if len(hits) == 1:
            chosen[marker] = hits[0]
        elif marker in NEVER_GUESSED:
            raise _ambiguous(marker, hits, file)
        else:
            notes.append(f"{marker} is left out: {', '.join(map(_shown, hits))} may be it; settle it with --marker")
    notes += [
        f"{marker} is left out: on {', '.join(map(_shown, shared))} it shares a dye with another marker"
        for marker in NEVER_GUESSED
        if marker not in chosen and (shared := shared_channels(channels, book, marker))
    ]
    if not any(marker in chosen for marker in T_MARKERS):
        raise _nameless(channels, file)
    taken = [channel.index for marker, channel in chosen.items() if marker not in ("viability", "dump", "CD14", "CD16")]
    if len(set(taken)) < len(taken):
        raise PanelError(
            "two markers are settled on one channel",
            code="E202",
            hint="give each --marker a detector of its own",
        )
    return FoundPanel({**_scatter(channels), **chosen}, tuple(notes))


def _scatter(channels: Sequence[Channel]) -> dict[str, Channel]:
    """Return the scatter channels by their usual names; where only heights are stored, they stand for the areas.

    Of two side scatters the first with an area is taken, one of plain name before ``SSC-B``: area and height must be of
    one detector.
    """
    named: dict[str, Channel] = {}
    for kind in ("FSC", "SSC"):
        detectors: dict[str, dict[str, Channel]] = {}
        for channel in channels:
            pulse = pulse_of(channel)
            if pulse is not None and pulse.forward == (kind == "FSC"):
                detectors.setdefault(pulse.further, {}).setdefault(pulse.measure, channel)
        if not detectors:
            continue
        for measures in detectors.values():
            if "" in measures:  # FSC beside FSCA and FSCW is the height
                measures.setdefault("H" if "A" in measures else "A", measures.pop(""))
        name = min(detectors, key=lambda further: ("A" not in detectors[further], bool(further)))
        measures = detectors[name]
        if "A" not in measures and "H" in measures:
            measures["A"] = measures.pop("H")
        named |= {f"{kind}-{measure}": channel for measure, channel in measures.items()}
    return {name: named[name] for name in SCATTER if name in named}


def _settled(channels: Sequence[Channel], marker: str, detector: str) -> Channel:
    def plain(name: str) -> str:
        return re.sub(r"[\W_]+", "", name).casefold()

    exact = [channel for channel in channels if channel.detector.strip() == detector.strip()]
    hits = exact or [channel for channel in channels if plain(channel.detector) == plain(detector)]
    if len(hits) == 1:
        return hits[0]
    sentence = "has no such detector" if not hits else f"has {len(hits)} detectors of that name"
    raise PanelError(
        f"--marker {marker}={detector}: the file {sentence}\n  detectors: {_listed(channels)}",
        code="E202",
        hint=f"name the one that carries {marker} in place of {detector}",
    )


def _shown(channel: Channel) -> str:
    label = (channel.marker or "").strip()
    return f"{channel.detector} ({label})" if label else channel.detector


def _listed(channels: Sequence[Channel]) -> str:
    return ", ".join(_shown(channel) for channel in channels if is_fluorescence(channel)) or "none"


def _nameless(channels: Sequence[Channel], file: str) -> PanelError:
    raw = raw_spectral(channels)
    hint = UNMIX_FIRST if raw else f"say which detector carries what: {_command(file, T_MARKERS)}"
    why = "these are raw spectral detectors, not markers" if raw else "no channel is named after CD3, CD4 or CD8"
    return PanelError(f"{why}\n  detectors: {_listed(channels)}", code="E200", hint=hint)


def _ambiguous(marker: str, hits: Sequence[Channel], file: str) -> PanelError:
    return PanelError(
        f"{marker} may be any of {', '.join(map(_shown, hits))}",
        code="E201",
        hint=f"say which one it is: {_command(file, (marker,))}",
    )


def _command(file: str, markers: Sequence[str]) -> str:
    """Return the command in which a person names detectors; as it stands it is refused (E202)."""
    named = " ".join(f"--marker {marker}=DETECTOR" for marker in markers)
    return f"cytocar template fit {_quoted(file)} {named} -o mine.toml"


def _quoted(name: str) -> str:
    return name if re.fullmatch(r"[\w./-]+", name) else f"'{name}'"
