"""What TEXT says about each channel and how its value is stored."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache

from msgspec import Struct

from cytocar.errors.findings import Finding, Severity
from cytocar.errors.tree import ReadError
from cytocar.fcs.decode import WORD_BITS, Field, Stored
from cytocar.fcs.events import Channel
from cytocar.fcs.segments import whole_number

MAXIMUM_BITS = 64
"""Of an integer: the widest that a processor reads."""
MAXIMUM_CHANNELS = 4_096
"""Ten times the widest cytometer: area, height and width of some 130 detectors. A table of genes written as FCS is no
tube of cells, and 50,000 channels held a machine for a minute."""


class Description(Struct, frozen=True):
    """The channels of a data set, how they may be stored (the declared way first), and what was noticed.

    ``widths`` is for ASCII data: the characters of each value, or None where numbers are separated instead.
    ``describes_more`` says that TEXT has keywords for more channels than ``$PAR`` counts.
    """

    channels: tuple[Channel, ...]
    stored: Stored
    layouts: tuple[tuple[Field, ...], ...] = ()
    widths: tuple[int, ...] | None = None
    describes_more: bool = False
    findings: tuple[Finding, ...] = ()


def number(text: str | None) -> float | None:
    """Return the number that a value spells, with a decimal point or comma, or None.

    Examples
    --------
    >>> [number(text) for text in ("1.50", " 0,01", "xxxxxxxxx", None, "1e999", "nan")]
    [1.5, 0.01, None, None, None, None]
    """
    if text is None or not re.fullmatch(r"\s*[+-]?\d{0,40}[.,]?\d{0,40}(?:[eE][+-]?\d{1,3})?\s*", text):
        return None
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        return None
    return value if abs(value) < float("inf") else None


def describe_channels(keywords: Mapping[str, str]) -> Description:
    """The channels and their layout, from ``$PAR``, ``$DATATYPE``, ``$BYTEORD`` and the ``$Pn`` keywords.

    Raises
    ------
    ReadError
        If a keyword that reading needs is missing (E015), cannot be used (E016), or asks for something that is not list
        mode (E017) or not decodable for certain (E020).
    """
    about = ((key, text) for key, text in keywords.items() if key[:2] == "$P" or key in _OF_ALL_CHANNELS)
    return _described(tuple(about), len(keywords))


_OF_ALL_CHANNELS = frozenset({"$MODE", "$DATATYPE", "$BYTEORD"})


@lru_cache(maxsize=8)
def _described(about: tuple[tuple[str, str], ...], most: int) -> Description:
    """Return what keywords say, once for all files that say the same, as those of a plate do; ``most``: channels."""
    keywords = dict(about)
    mode = keywords.get("$MODE", "L").upper() or "L"
    if mode != "L":
        raise ReadError(
            f"$MODE is {mode!r}: the file holds histograms, not events",
            code="E017",
            hint="export list-mode data from the acquisition software",
        )
    count = _needed_count(keywords, most)
    stored = _stored(_needed(keywords, "$DATATYPE"))
    numbers = range(1, count + 1)
    for n in numbers:
        if not any(f"$P{n}{part}" in keywords for part in "BNR"):  # floats need no $PnB, but a channel needs something
            _needed(keywords, f"$P{n}B")
    channels, findings = _channels(keywords, numbers, linear=stored is not Stored.INTEGER)
    if stored is Stored.ASCII:
        separated = any(keywords.get(f"$P{n}B") == "*" for n in numbers)
        characters = None if separated else tuple(_bits(keywords, n) for n in numbers)
        return Description(channels, stored, widths=characters, findings=findings)
    byte_order = _byte_order(_needed(keywords, "$BYTEORD"))
    kinds = [_stored(keywords.get(f"$P{n}DATATYPE", stored)) for n in numbers]
    layouts = []
    for widths in _possible_widths(keywords, kinds):
        fields = [
            Field(channel, kind, _order_of(byte_order, width), _mask(keywords, channel, kind, width))
            for channel, kind, width in zip(channels, kinds, widths, strict=True)
        ]
        layouts.append(tuple(fields))
    describes_more = f"$P{count + 1}B" in keywords
    return Description(channels, stored, tuple(layouts), describes_more=describes_more, findings=findings)


def _needed(keywords: Mapping[str, str], key: str) -> str:
    value = keywords.get(key)
    if not value:
        raise ReadError(
            f"the keyword {key} is missing",
            code="E015",
            hint="the file's TEXT is damaged or not FCS: export it again from the acquisition software",
        )
    return value


def _unusable(key: str, value: str) -> ReadError:
    return ReadError(
        f"{key} is {value[:40]!r}, which cannot be used",
        code="E016",
        hint="the file's TEXT is damaged: export it again from the acquisition software",
    )


def _needed_count(keywords: Mapping[str, str], most: int) -> int:
    spelled = _needed(keywords, "$PAR")
    count = whole_number(spelled)
    if not count or count > min(most, MAXIMUM_CHANNELS):  # each channel needs keywords of its own
        raise _unusable("$PAR", spelled)
    return count


def _stored(spelled: str) -> Stored:
    try:
        return Stored(spelled.strip().upper())
    except ValueError:
        raise _unusable("$DATATYPE", spelled) from None


def _bits(keywords: Mapping[str, str], n: int) -> int:
    spelled = _needed(keywords, f"$P{n}B")
    bits = whole_number(spelled) if re.fullmatch(r"\s*\d+(\.0*)?\s*", spelled) else None  # "1e" may have been 16
    if bits is None or not 1 <= bits <= MAXIMUM_BITS:
        raise _unusable(f"$P{n}B", spelled)
    return bits


def _byte_order(spelled: str) -> tuple[int, ...]:
    """Return the significance of each byte of a word, from 0: (3, 2, 1, 0) where the most significant comes first."""
    digits = [int(digit) - 1 for digit in re.findall(r"\d", spelled)]
    if sorted(digits) != list(range(len(digits))) or not digits:
        raise _unusable("$BYTEORD", spelled)
    return tuple(digits)


def _order_of(significance: tuple[int, ...], width: int) -> tuple[int, ...]:
    """Return the places of a value's bytes from least to most significant.

    ``$BYTEORD`` is given for one word length. Ascending and descending orders hold for every other length too; a mixed
    order such as 3,4,1,2 says how its halves are stored.
    """
    ascending = tuple(range(len(significance)))
    if width == 1:
        return (0,)
    if significance == ascending and len(ascending) > 1:
        return tuple(range(width))
    if significance == ascending[::-1] and len(ascending) > 1:
        return tuple(reversed(range(width)))
    if len(significance) % width == 0:
        first = significance[:width]
        return tuple(first.index(byte) for byte in sorted(first))
    raise ReadError(
        f"$BYTEORD {','.join(str(byte + 1) for byte in significance)} says nothing about values of {width} bytes",
        code="E020",
        hint="export the file again in FCS 3.1 from the acquisition software",
    )


def _possible_widths(keywords: Mapping[str, str], kinds: list[Stored]) -> list[list[int]]:
    """Return bytes per value: as declared where that is whole bytes, then in the next wider words (10 bits in 16)."""
    fixed = {Stored.FLOAT: 32, Stored.DOUBLE: 64}
    declared = [fixed.get(kind) or _bits(keywords, n) for n, kind in enumerate(kinds, 1)]
    wider = [next(word for word in WORD_BITS if word >= bits) for bits in declared]
    choices = [bits for bits in (declared, wider) if all(width % 8 == 0 for width in bits)]
    return [[width // 8 for width in bits] for bits in choices[: 1 if declared == wider else 2]]


def _mask(keywords: Mapping[str, str], channel: Channel, kind: Stored, width: int) -> int | None:
    """Return the bits that ``$PnR`` needs (FCS 3.1, section 3.2.20), or None where all are used.

    >>> _mask({"$P1R": "1000"}, Channel(0, "FSC"), Stored.INTEGER, 2)
    1023
    """
    values = whole_number(keywords.get(f"$P{channel.index + 1}R", ""))
    if kind is not Stored.INTEGER or not values:
        return None
    bits = (values - 1).bit_length()
    return None if bits >= 8 * width else (1 << bits) - 1


def _channels(
    keywords: Mapping[str, str], numbers: range, *, linear: bool
) -> tuple[tuple[Channel, ...], tuple[Finding, ...]]:
    unnamed, log_zero, channels = [], [], []
    for n in numbers:
        if not keywords.get(f"$P{n}N"):
            unnamed.append(f"P{n}")
        decades, offset, repaired = (None, None, False) if linear else _amplification(keywords.get(f"$P{n}E", "0,0"))
        if repaired:
            log_zero.append(f"$P{n}E")
        top = number(keywords.get(f"$P{n}R"))
        bits = whole_number(keywords.get(f"$P{n}B", "")) or 0
        gain = number(keywords.get(f"$P{n}G"))
        channels.append(
            Channel(
                index=n - 1,
                detector=keywords.get(f"$P{n}N") or f"P{n}",
                marker=keywords.get(f"$P{n}S") or keywords.get(f"$P{n}ANALYTE") or None,  # FCS 3.2, section 3.2.20
                bits=bits,
                range=top if top and top > 0 else float(2 ** min(bits, MAXIMUM_BITS)),
                decades=decades,
                offset=offset,
                gain=gain if gain and gain > 0 else None,
                voltage=number(keywords.get(f"$P{n}V")),
            )
        )
    return tuple(channels), _channel_findings(channels, unnamed, log_zero)


def _amplification(spelled: str) -> tuple[float | None, float | None, bool]:
    """Return decades and offset of a logarithmic amplifier, and whether the offset had to be put right.

    ``$PnE`` is "decades,offset"; "4,0" is not allowed but everyday, and is read as 4,1 (FCS 3.1, section 3.2.20).

    >>> _amplification("4,0"), _amplification("0,0"), _amplification("4,0,0,1")
    ((4.0, 1.0, True), (None, None, False), (4.0, 0.1, False))
    """
    parts = spelled.split(",")
    if len(parts) == 4:  # decimal commas
        parts = [".".join(parts[:2]), ".".join(parts[2:])]
    values = [number(part) for part in parts]
    if len(values) != 2 or not values[0] or values[0] < 0:
        return None, None, False
    if not values[1] or values[1] < 0:
        return values[0], 1.0, True
    return values[0], values[1], False


def _channel_findings(channels: list[Channel], unnamed: list[str], log_zero: list[str]) -> tuple[Finding, ...]:
    findings = []
    times = Counter(channel.detector for channel in channels)
    repeated = sorted(name for name, count in times.items() if count > 1)
    if repeated:
        findings.append(("W208", Severity.REVIEW, f"several channels have the same name: {', '.join(repeated)}"))
    if unnamed:
        findings.append(("W209", Severity.NOTE, f"channels without $PnN are called {', '.join(unnamed)}"))
    if log_zero:
        message = f"logarithmic channels with offset 0 ({', '.join(log_zero)}) are read with offset 1"
        findings.append(("W215", Severity.NOTE, message))
    return tuple(Finding("read", code, outcome, message) for code, outcome, message in findings)
