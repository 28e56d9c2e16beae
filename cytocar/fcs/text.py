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
from dataclasses import dataclass, replace
from pathlib import Path

from cytocar.errors import ReadError

MAXIMUM_BYTES = 1 << 24
MAXIMUM_PAIRS = 500_000
SEARCHED_BYTES = 1 << 20
MAXIMUM_KEY = 1000

_BLANK = " \t\r\n\x00"


@dataclass(frozen=True, slots=True)
class Text:
    """Keywords as read, keys in upper case with their ``$``, and what had to be repaired on the way.

    ``length`` is how many bytes of the segment are text: its declared end may lie inside DATA.
    """

    keywords: dict[str, str]
    delimiter: bytes = b"/"
    length: int = 0
    repairs: tuple[str, ...] = ()

    def with_repair(self, repair: str) -> Text:
        """Return this TEXT with one more repair."""
        return replace(self, repairs=(*self.repairs, repair))


def parse_text(segment: bytes, *, delimiter: bytes | None = None) -> Text:
    r"""Return the keywords of a TEXT segment, whose first byte is the delimiter unless another one is given.

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
    mark = delimiter or segment.lstrip(b" \x00")[:1]
    if not mark:
        raise _unreadable("TEXT is blank")
    segment = _without_data(segment, mark)
    tokens = _tokens(segment, mark)
    keywords: dict[str, str] = {}
    empty = False
    place = 0
    while place + 1 < len(tokens):
        key = tokens[place].strip(_BLANK).upper()
        if not key:  # blanks between pairs, or a delimiter too many
            place += 1
            continue
        value, place = _value(tokens, place + 1, mark.decode("latin-1"))
        if len(key) > MAXIMUM_KEY or not key.isprintable():
            raise _unreadable(f"TEXT holds a key that is no text (after {len(keywords):,} keywords)")
        empty = empty or not value
        keywords[key] = value.strip(_BLANK)
    repairs = []
    rest = tokens[place].strip(_BLANK) if place < len(tokens) else ""
    if rest:
        repairs.append("TEXT ends with a key without a value, which is left out")
    if empty:
        repairs.append("TEXT holds empty values")
    if not keywords:
        raise _unreadable("TEXT holds no keyword")
    if delimiter is None and not _complete(keywords):
        lost = {key: text for key, text in _standard_pairs(segment, mark).items() if key not in keywords}
        if lost:
            keywords |= lost
            repairs.append(f"a value holds a single delimiter; {len(lost)} standard keywords were found by their names")
    return Text(keywords, mark, len(segment), tuple(repairs))


def _tokens(segment: bytes, mark: bytes) -> list[str]:
    start = segment.lstrip(b" \x00")
    body = start[1:] if start.startswith(mark) else segment
    if body.count(mark) > 2 * MAXIMUM_PAIRS:
        raise _unreadable(f"TEXT holds more than {MAXIMUM_PAIRS:,} keywords")
    try:
        return body.decode("utf-8").split(mark.decode("ascii"))
    except UnicodeDecodeError:  # Latin-1: the µ of many vendors
        return body.decode("latin-1").split(mark.decode("latin-1"))


def _without_data(segment: bytes, mark: bytes) -> bytes:
    """Return the segment without bytes of DATA at its end, which TEXT of Cytosplore's files runs into.

    What follows the last delimiter stays if it is printable: Cytek's SpectroFlo leaves the last delimiter out.
    """
    end = segment.rfind(mark) + 1
    rest = segment[end:].strip(_BLANK.encode())
    printable = rest and all(32 <= byte <= 126 for byte in rest)
    return segment if printable else segment[:end]


def _complete(keywords: Mapping[str, str]) -> bool:
    count = keywords.get("$PAR", "")
    if not count.isdecimal() or int(count) > len(keywords):
        return False
    needed = ("$TOT", "$DATATYPE", "$BYTEORD", *(f"$P{n}{part}" for n in range(1, int(count) + 1) for part in "BRN"))
    return all(key in keywords for key in needed)


_STANDARD = rb"\$(?:PAR|TOT|MODE|DATATYPE|BYTEORD|NEXTDATA|BEGINDATA|ENDDATA|P\d{1,4}[BERNSGV])"


def _standard_pairs(segment: bytes, mark: bytes) -> dict[str, str]:
    """Return the keywords that reading needs, found by name wherever they stand between delimiters.

    A value with a single delimiter inside (flowCore writes such files) turns keys into values up to the next one.
    """
    between = re.escape(mark)
    segment = segment[:SEARCHED_BYTES]
    found = re.findall(
        between + rb"\s*(" + _STANDARD + rb")\s*" + between + rb"([^" + between + rb"]*)(?=" + between + rb")", segment
    )
    return {key.decode("ascii"): text.decode("latin-1").strip(_BLANK) for key, text in found}


def _value(tokens: list[str], place: int, mark: str) -> tuple[str, int]:
    """Return the value that starts at ``place`` and the place of the next key."""
    value = tokens[place]
    if not value and not (place + 1 < len(tokens) and not tokens[place + 1]):
        return "", place + 1
    while place + 2 < len(tokens) and not tokens[place + 1]:
        value += mark + tokens[place + 2]
        place += 2
    return value, place + 1


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
