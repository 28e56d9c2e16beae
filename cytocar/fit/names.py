"""What the channels of a file are called, in the words of the alias book: which marker each one stands for.

A name is compared by whole words, never by parts of them, and the longest name wins. Words are what stands between
anything but letters and digits; Greek letters are spelled, ``CD16+56`` is read as two markers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from cytocar.errors.boundary import boundary
from cytocar.errors.tree import UsageError
from cytocar.files.places import whole_bytes
from cytocar.files.toml import parse_toml
from cytocar.signals.declaration import Declaration

if TYPE_CHECKING:
    from cytocar.fcs.events import Channel

BOOK = Path(__file__).parent / "aliases.toml"
OTHER = "other"
"""The entry of names that mean none of the book's markers."""
_GREEK = str.maketrans({"α": "A", "β": "B", "γ": "G", "δ": "D", "ε": "E", "ζ": "Z", "Α": "A", "Β": "B"})
_AREA = {"A", "AREA", "LINA", "ALIN", "INT", "INTEGRAL"}
_HEIGHT = {"H", "HEIGHT", "LINH", "HLIN", "PEAK", "PK"}
_WIDTH = {"W", "WIDTH", "TOF"}
_FORWARD, _SIDE = {"FSC", "FS", "FALS"}, {"SSC", "SS", "BSC"}  # BSC: back scatter (Sony)
_SCALES = {"LIN", "LOG", "PAR", "CHANNEL", "SCATTER", "LA", "LH"}
_NOT_FLUORESCENCE = re.compile(
    r"time|hdr-.*|event.?(length|#|num.*)|original_?id|beaddist|index|eventid|center|offset|residual|width",
    re.I,
)


_FURTHER_SCATTER = re.compile(r"\b(?:([VBYR])(SSC)|(FS|SS)(\d\d))\b", re.IGNORECASE)
"""Side scatter of a violet laser (CytoFLEX: VSSC-A), numbered scatter (ZE5: FS00-A, SS02-A)."""


_DYE_BEHIND = re.compile(
    r"(?<![A-Z0-9])(CD\d{1,3}[A-E]??)"
    r"(?=(?:FITC|PE|APC|PERCP|BV\d|BUV\d|BB\d|RB\d|AF\d|ALEXA|ECD|KRO|V4\d\d|V5\d\d|PACIFIC|SPARK|EFLUOR))"
)
"""A marker with its dye behind it and nothing between: CD4PE, CD3BV421, CD8AAPC."""


class Entry(Declaration):
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
        return TypeAdapter(dict[str, Entry]).validate_python(parse_toml(whole_bytes(path).decode("utf-8")))


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
    """
    plain = re.sub(r"^(fj)?comp[-_ ]", "", text.strip(), flags=re.IGNORECASE).translate(_GREEK).upper()
    plain = re.sub(r"(?<![A-Z0-9])(?:HU|H|A|ANTI)?CD[ _-]?(?=\d)", "CD", plain)
    plain = _DYE_BEHIND.sub(r"\1 ", plain)
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


@dataclass(frozen=True, slots=True)
class Pulse:
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
        label_words = words(_FURTHER_SCATTER.sub(lambda name: f"{name[2] or name[3]} {name[1] or name[4]}", apart))
        which = [word for word in label_words if word in _FORWARD | _SIDE]
        if not which:
            continue
        rest = [word for word in label_words if word not in _FORWARD | _SIDE]
        measures = {
            word: letter for letter, names in zip("AHW", (_AREA, _HEIGHT, _WIDTH), strict=True) for word in names
        }
        suffixes = [measures[word] for word in rest if word in measures]
        further = " ".join(word for word in rest if word not in measures and word not in _SCALES)
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
    >>> measure_of(Channel(0, "PE-A")), measure_of(Channel(0, "CD3"))
    ('A', '')
    """
    match = re.search(r"[-_ ]([AHW])>?$", channel.detector.strip(), flags=re.IGNORECASE)
    return match[1].upper() if match else ""


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


def _best(hits: Sequence[Channel]) -> tuple[Channel, ...]:
    """Return compensated ones of pairs that a program wrote, and areas where other measures stand beside them."""
    wrapped = [hit for hit in hits if re.match(r"(?i)(fj)?comp[-_ ]|<", hit.detector.strip())]
    hits = wrapped or hits
    areas = [hit for hit in hits if measure_of(hit) == "A"]
    return tuple(areas or hits)
