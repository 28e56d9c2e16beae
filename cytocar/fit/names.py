"""What the channels of a file are called, in the words of the alias book: which marker each one stands for.

A name is compared by whole words, never by parts of them, and the longest name wins. Words are what stands between
anything but letters and digits; Greek letters are spelled, ``CD16+56`` is read as two markers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from cytocar.errors.boundary import boundary
from cytocar.errors.tree import UsageError
from cytocar.files.places import whole_bytes
from cytocar.files.toml import parse_toml
from cytocar.signals.declaration import Declaration, declare

if TYPE_CHECKING:
    from cytocar.fcs.events import Channel

BOOK = Path(__file__).parent / "aliases.toml"
OTHER = "other"
"""The entry of names that mean none of the book's markers."""
_GREEK = str.maketrans({"α": "A", "β": "B", "γ": "G", "δ": "D", "ε": "E", "ζ": "Z", "Α": "A", "Β": "B"})
_AREA = {"A", "AREA", "LINA", "ALIN", "LOGA", "ALOG", "INT", "INTEGRAL"}
_HEIGHT = {"H", "HEIGHT", "LINH", "HLIN", "LOGH", "HLOG", "PEAK", "PK"}
_WIDTH = {"W", "WIDTH", "TOF"}
_MEASURES = {word: letter for letter, names in zip("AHW", (_AREA, _HEIGHT, _WIDTH), strict=True) for word in names}
_LOGARITHMIC = {"LOG", "LOGA", "ALOG", "LOGH", "HLOG"}
_FORWARD = {"FSC", "FS", "FALS", "SALS", "FORWARD"}  # SALS: small-angle light scatter (Apogee)
_SIDE = {"SSC", "SS", "BSC", "LALS", "SIDE"}  # BSC: back scatter (Sony); LALS: large-angle light scatter
_SCALES = {"LIN", "LINEAR", "PAR", "CHANNEL", "SCATTER", "LA", "LH"}
_NOT_FLUORESCENCE = re.compile(
    r"time|hdr-.*|event.?(length|#|num.*)|original_?id|beaddist|index|eventid|center|offset|residual|width",
    re.I,
)


_FURTHER_SCATTER = re.compile(
    r"(?<![A-Z0-9])(?:([VBYR]|BLU|VIO|RED|YEL|GRN|\d{3}(?:NM)?)(FSC|SSC)|(FSC?|SSC?)(\d+))(?![A-Z])", re.IGNORECASE
)
"""Side scatter of a violet laser (CytoFLEX: VSSC-A), numbered scatter (ZE5: FS00-A, SS02-A; FSC1-A, SSC488/10-A)."""


_DYE_BEHIND = re.compile(
    r"(?<![A-Z0-9])(CD\d{1,3}[A-E]??)"
    r"(?=(?:FITC|PE|APC|PERCP|BV\d|BUV\d|BB\d|R[BY]\d|AF?\d|AX\d|ALEXA|ECD|KRO|V4\d\d|V5\d\d|PACIFIC|SPARK|EFLUOR|"
    r"VIO|SB\d|CFLUOR|NFLUOR|PC[57]|CD\d|POS(?![A-Z])))"
)
"""A marker with its dye, or a further marker, behind it and nothing between: CD4PE, CD3BV421, CD8AAPC, CD16CD56."""
_SHARED_DYE = re.compile(r"(?<![A-Z0-9])CD\d{1,2}(?:[/&](?:16|19|20|56)(?!\d))+")
"""Markers on one dye, of which the first alone is written out: CD16/56, CD3/19."""


class Entry(Declaration, frozen=True, kw_only=True):
    """The names of one marker; ``instead_of`` makes it the second choice for another."""

    names: tuple[str, ...]
    instead_of: str | None = None


Book = Mapping[str, Entry]


def alias_book(further: Path | None = None) -> Book:
    """Return the names of each marker: those that ship, and those of a file of the laboratory.

    Raises
    ------
    UsageError
        E203 if the file is not a table of names.
    """
    book = _read(BOOK)
    if further is None:
        return book
    joined = dict(book)
    for marker, entry in _read(further).items():
        before = joined.get(marker)
        names = entry.names if before is None else (*before.names, *entry.names)
        joined[marker] = Entry(names=names, instead_of=entry.instead_of or (before.instead_of if before else None))
    return joined


def _read(path: Path) -> Book:
    hint = 'each marker is a table with its names: [CAR], below it names = ["our CAR reagent"]'
    with boundary(
        lambda why: UsageError(
            f"the alias book {path.name} cannot be used: {why.splitlines()[0]}", code="E203", hint=hint
        )
    ):
        return declare(dict[str, Entry], parse_toml(whole_bytes(path).decode("utf-8")))


# ---------------------------------------------------------------- words


def words(text: str) -> tuple[str, ...]:
    """Return the words of a label in upper case.

    Examples
    --------
    >>> words("CD16+56 PE-A"), words("CD8α"), words("CD4+")
    (('CD16', 'CD56', 'PE', 'A'), ('CD8A',), ('CD4',))
    >>> words("CD 3-FITC"), words("anti-hCD4"), words("mCD45")
    (('CD3', 'FITC'), ('ANTI', 'CD4'), ('MCD45',))
    >>> words("CD3FITC"), words("CD8APC-Cy7-A"), words("CD45RA")
    (('CD3', 'FITC'), ('CD8', 'APC', 'CY7', 'A'), ('CD45RA',))
    >>> words("CD16/56 PE"), words("CD3VioBlue-A"), words("BV650 670/30-A")
    (('CD16', 'CD56', 'PE'), ('CD3', 'VIOBLUE', 'A'), ('BV650', '670', '30', 'A'))
    """
    plain = re.sub(r"^(fj)?comp[-_ ]", "", text.strip(), flags=re.IGNORECASE).translate(_GREEK).upper()
    plain = re.sub(r"(?<![A-Z0-9])(?:HU|H|A|ANTI)?CD[ _-]?(?=\d)", "CD", plain)
    plain = _SHARED_DYE.sub(lambda name: re.sub("[/&]", "+", name[0]), _DYE_BEHIND.sub(r"\1 ", plain))
    split: list[str] = []
    for word in re.split(r"[^A-Z0-9+']+", plain):
        parts = [part for part in word.split("+") if part]
        split += [f"CD{part}" if index and part.isdecimal() else part for index, part in enumerate(parts)]
    return tuple(split)


def markers_of(label: str, book: Book) -> tuple[str, ...]:
    """Return the markers that a label names, in its order.

    Examples
    --------
    >>> book = alias_book()
    >>> markers_of("APCCy7 - CD4", book), markers_of("CD45RA", book), markers_of("VIVID / CD14", book)
    (('CD4',), (), ('viability', 'CD14'))
    >>> markers_of("CD19-Fc PE", book), markers_of("CD8 B PE", book), markers_of("PE-Cy5 CD33", book)
    (('CAR',), ('CD8',), ())
    """
    label_words = words(label)
    meant = _meanings(tuple((marker, entry.names) for marker, entry in book.items()))
    markers: list[str] = []
    place = 0
    while place < len(label_words):
        for length in range(min(4, len(label_words) - place), 0, -1):
            marker = meant.get((length, "".join(label_words[place : place + length])))
            if marker is not None:
                if marker != OTHER and marker not in markers:
                    markers.append(marker)
                place += length
                break
        else:
            place += 1
    return tuple(markers)


@cache
def _meanings(entries: tuple[tuple[str, tuple[str, ...]], ...]) -> Mapping[tuple[int, str], str]:
    """Return marker by (number of words, the words joined): a name of two words may be written as one."""
    meanings: dict[tuple[int, str], str] = {}
    for marker, names in entries:
        for name in names:
            spelled = words(name)
            meanings[len(spelled), "".join(spelled)] = marker
            meanings.setdefault((1, "".join(spelled)), marker)
    return meanings


# ---------------------------------------------------------------- channels


class Pulse(Struct, frozen=True):
    """A scatter channel: forward or side, which measure of its pulse, and of which further detector (``SSC-B``)."""

    forward: bool
    measure: str
    further: str = ""


def pulse_of(channel: Channel) -> Pulse | None:
    """Return the scatter signal of a channel, None for fluorescence and anything else.

    Examples
    --------
    >>> from cytocar.fcs.events import Channel
    >>> [pulse_of(Channel(0, name)) for name in ("FSC-A", "SSC-B-H", "FS PEAK LIN", "PE-A")]
    [Pulse(forward=True, measure='A', further=''), Pulse(forward=False, measure='H', further='B'),
     Pulse(forward=True, measure='H', further=''), None]
    """
    for text in (channel.detector, channel.marker or ""):
        apart = re.sub(r"(?i)\b([fs]sc)(area|height|width|[ahw])\b", r"\1 \2", text)
        label_words = words(_FURTHER_SCATTER.sub(lambda name: f"{name[2] or name[3]} {name[1] or name[4]} ", apart))
        which = [word for word in label_words if word in _FORWARD | _SIDE]
        if not which or (which[0] in ("FORWARD", "SIDE") and "SCATTER" not in label_words):
            continue
        rest = [word for word in label_words if word not in _FORWARD | _SIDE]
        suffixes = [_MEASURES[word] for word in rest if word in _MEASURES]
        others = [word for word in rest if word not in _MEASURES and word not in _SCALES | _LOGARITHMIC]
        further = " ".join([*others, *(["LOG"] if {*rest} & _LOGARITHMIC else [])])
        return Pulse(which[0] in _FORWARD, suffixes[-1] if suffixes else "", further)
    return None


def is_fluorescence(channel: Channel) -> bool:
    """True if a channel is a signal of dyes: not scatter, clock, or a number that a program added."""
    return (
        pulse_of(channel) is None and not channel.is_time and not _NOT_FLUORESCENCE.fullmatch(channel.detector.strip())
    )


def measure_of(channel: Channel) -> str:
    """Return A, H or W of a detector's name, blank where it has none.

    Examples
    --------
    >>> from cytocar.fcs.events import Channel
    >>> [measure_of(Channel(0, name)) for name in ("PE-A", "CD3", "FL1 PEAK LIN", "GRN-B-HLog", "FITC Area")]
    ['A', '', 'H', 'H', 'A']
    """
    return next((_MEASURES[word] for word in reversed(words(channel.detector)[1:]) if word in _MEASURES), "")


def is_logarithmic(channel: Channel) -> bool:
    """True if a detector's name says that its amplifier is logarithmic."""
    return not _LOGARITHMIC.isdisjoint(words(channel.detector))


def candidates(channels: Sequence[Channel], book: Book) -> Mapping[str, tuple[Channel, ...]]:
    """Return the channels that each marker of the book may stand for, by their labels, else by their detectors.

    A channel that names two markers serves viability and dump only: no line on it parts one of the two.
    """
    hits_of: dict[str, list[Channel]] = {}
    for channel in channels:
        if not is_fluorescence(channel):
            continue
        label = (channel.marker or "").strip()
        named = markers_of(label or channel.detector, book)
        if not label and "/" in channel.detector:
            named = tuple(marker for marker in named if marker != "viability")  # PI/PE-Cy5: a detector for either
        for marker in named:
            if len(named) == 1 or marker in ("viability", "dump") or {*named} <= {"CD16", "CD56"}:
                hits_of.setdefault(marker, []).append(channel)
    return {marker: _best(hits) for marker, hits in hits_of.items()}


def shared_channels(channels: Sequence[Channel], book: Book, marker: str) -> tuple[Channel, ...]:
    """Return the channels whose label names a marker and another one: one dye for both, so no line on it parts them."""
    named = {channel: markers_of((channel.marker or "").strip() or channel.detector, book) for channel in channels}
    return tuple(
        channel
        for channel, markers in named.items()
        if marker in markers and len(markers) > 1 and not {"viability", "dump"} & {*markers}
    )


def _best(hits: Sequence[Channel]) -> tuple[Channel, ...]:
    """Return compensated ones of pairs that a program wrote, linear ones and areas where others stand beside them."""
    wrapped = [hit for hit in hits if re.match(r"(?i)(fj)?comp[-_ ]|<", hit.detector.strip())]
    hits = wrapped or hits
    hits = [hit for hit in hits if not is_logarithmic(hit)] or hits
    areas = [hit for hit in hits if measure_of(hit) == "A"]
    pulses = [hit for hit in hits if measure_of(hit) != "W"]
    return tuple(areas or pulses or hits)
