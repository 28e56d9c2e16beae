"""TEXT: the keywords of a data set.

FlowIO is asked first and its word is compared with ours (:func:`flowio_objection`). It cannot be the only reader: it
drops every ``$``, so that ``VOL`` and ``$VOL`` (two units) become one keyword, and it refuses or misreads blank-padded
keys, empty values and doubled delimiters that real files hold.
"""

from __future__ import annotations

import re
import struct
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cytocar.errors import ReadError

MAXIMUM_BYTES = 1 << 25
MAXIMUM_PAIRS = 1_000_000

_BLANK = " \t\r\n\x00"


@dataclass(frozen=True, slots=True)
class Text:
    """Keywords as read, keys in upper case with their ``$``, and what had to be repaired on the way."""

    keywords: dict[str, str]
    repairs: tuple[str, ...] = ()


def parse_text(segment: bytes) -> Text:
    r"""Return the keywords of a TEXT segment, whose first byte is the delimiter.

    FCS 3.1, section 3.2.3: a delimiter inside a value is doubled, no key and no value is empty, and none starts with
    the delimiter. Real files do have empty values, so that a doubled delimiter straight after a key is one, and one
    inside a value stands for itself.

    Raises
    ------
    ReadError
        If there is not a single pair, or far too many (E014).

    Examples
    --------
    >>> parse_text(b"/$P1S//$P1N/FITC//PE-A/ $TOT /0012 /").keywords
    {'$P1S': '', '$P1N': 'FITC/PE-A', '$TOT': '0012'}
    """
    delimiter, body = segment[:1], segment[1:]
    if body.count(delimiter) > 2 * MAXIMUM_PAIRS:
        raise _unreadable(f"TEXT holds more than {MAXIMUM_PAIRS:,} keywords")
    encoding = _encoding(segment)
    tokens = [token.decode(encoding) for token in body.split(delimiter)]
    mark = delimiter.decode("latin-1")
    keywords: dict[str, str] = {}
    empty = False
    place = 0
    while place + 1 < len(tokens):
        key = tokens[place].strip(_BLANK).upper()
        if not key:  # blanks between pairs, or a delimiter too many
            place += 1
            continue
        value, place = _value(tokens, place + 1, mark)
        empty = empty or not value
        keywords[key] = value.strip(_BLANK)
    repairs = []
    rest = tokens[place].strip(_BLANK) if place < len(tokens) else ""
    if rest:
        repairs.append(f"TEXT ends with a key without a value ({len(rest)} characters), left out")
    if empty:
        repairs.append("TEXT holds empty values")
    if not keywords:
        raise _unreadable("TEXT holds no keyword")
    return Text(keywords, tuple(repairs))


def _value(tokens: list[str], place: int, mark: str) -> tuple[str, int]:
    """Return the value that starts at ``place`` and the place of the next key."""
    value = tokens[place]
    if not value and not (place + 1 < len(tokens) and not tokens[place + 1]):
        return "", place + 1
    while place + 2 < len(tokens) and not tokens[place + 1]:
        value += mark + tokens[place + 2]
        place += 2
    return value, place + 1


def _encoding(segment: bytes) -> str:
    """UTF-8 (FCS 3.1) or, where the bytes are not, Latin-1 (µ in many vendors' files)."""
    try:
        segment.decode("utf-8")
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8"


def _unreadable(what: str) -> ReadError:
    return ReadError(
        what, code="E014", hint="the file is damaged: export it again from the acquisition software, or copy it again"
    )


_DECISIVE = re.compile(r"\$(PAR|TOT|MODE|DATATYPE|BYTEORD|BEGINDATA|ENDDATA|P\d+[BENGR])")


def flowio_objection(path: Path, base: int, keywords: Mapping[str, str]) -> str | None:
    """Return how FlowIO's reading of HEADER and TEXT differs from ours, or None where it agrees.

    Compared are the keywords that decide how DATA is read. FlowIO's exceptions are whatever its ``int()`` and
    ``split()`` happen to meet, hence the long list.
    """
    import flowio
    from flowio.exceptions import FlowIOException

    try:
        with path.open("rb") as handle, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = flowio.FlowData(handle, only_text=True, ignore_offset_discrepancy=True, nextdata_offset=base).text
    except (
        FlowIOException,
        ValueError,
        KeyError,
        IndexError,
        AttributeError,
        OverflowError,
        struct.error,
        re.error,
    ) as why:
        return f"refuses it ({type(why).__name__}: {why})"
    except OSError as why:
        return f"refuses it ({why.strerror or type(why).__name__})"
    for key, ours in keywords.items():
        if not _DECISIVE.fullmatch(key):
            continue
        value = theirs.get(key.removeprefix("$").lower())
        if value is None:
            return f"does not find {key}"
        if value.strip(_BLANK) != ours.replace("$", "").strip(_BLANK):
            return f"reads {key} as {value.strip(_BLANK)!r} instead of {ours!r}"
    return None
