"""TEXT: the keywords of a data set.

FlowIO is asked first and its word is compared with ours (:func:`flowio_objection`). It cannot be the only reader: it
drops every ``$``, so that ``VOL`` and ``$VOL`` (two units) become one keyword, and it refuses or misreads blank-padded
keys, empty values and doubled delimiters that real files hold.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from functools import lru_cache

from msgspec import Struct
from msgspec.structs import replace

from cytocar.errors.tree import ReadError
from cytocar.files.places import Place

MAXIMUM_BYTES = 1 << 24
"""Of TEXT, 16 MB: fifty thousand channels need less; a longer one is no TEXT, and would only take memory."""
MAXIMUM_PAIRS = 500_000
"""Keywords: ten for each of fifty thousand channels."""
SEARCHED_BYTES = 1 << 20
"""Of TEXT: the keywords that are looked for stand in its first megabyte."""
MAXIMUM_KEY = 1000
"""Characters: a longer keyword is a value whose delimiter was lost."""

_BLANK = " \t\r\n\x00"
_BLANK_BYTES = _BLANK.encode()


class Text(Struct, frozen=True):
    """Keywords as read, keys in upper case with their ``$``, and what had to be repaired on the way.

    ``length`` is how many bytes of the segment are text: its declared end may lie inside DATA.
    """

    keywords: dict[str, str]
    delimiter: bytes = b"/"
    length: int = 0
    repairs: tuple[str, ...] = ()
    has_supplement: bool = False

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
    encoding = _encoding(segment, mark)
    written, rest = _plain_pairs(segment, mark, encoding) or _pairs(segment, mark, encoding)
    keywords: dict[str, str] = {}
    strange = 0
    for written_key, value in written:
        key = written_key.strip(_BLANK).upper()
        if len(key) > MAXIMUM_KEY or not key.isprintable():
            strange += 1
            continue
        keywords[key] = value.strip(_BLANK)
    if strange >= len(keywords):
        raise _unreadable("TEXT holds no keywords" if not strange else f"{strange:,} keys of TEXT are no text")
    repairs = [f"{strange:,} keys of TEXT are no text and left out"] if strange else []
    if rest.strip(_BLANK):
        repairs.append("TEXT ends with a key without a value, which is left out")
    if any(not value for _, value in written):
        repairs.append("TEXT holds empty values")
    if delimiter is None and not _complete(keywords):
        lost = {key: text for key, text in _standard_pairs(segment, mark).items() if key not in keywords}
        if lost:
            keywords |= lost
            repairs.append(f"a value holds a single delimiter; {len(lost)} standard keywords were found by their names")
    return Text(keywords, mark, len(segment), tuple(repairs))


def _plain_pairs(segment: bytes, mark: bytes, encoding: str) -> tuple[list[tuple[str, str]], str] | None:
    """Return keys and values as written, and what is left behind the last, of a TEXT in which nothing is in doubt.

    None where a delimiter is doubled, the first byte is none, or a key is blank.
    """
    if segment[:1] != mark or mark + mark in segment or segment.count(mark) > 2 * MAXIMUM_PAIRS:
        return None
    tokens = segment[1:].decode(encoding).split(mark.decode(encoding))
    keys, values = tokens[:-1:2], tokens[1::2]
    if not all(key.strip(_BLANK) for key in keys):
        return None
    return list(zip(keys, values, strict=False)), tokens[-1] if len(tokens) % 2 else ""


def _pairs(segment: bytes, mark: bytes, encoding: str) -> tuple[list[tuple[str, str]], str]:
    """Return the same of any TEXT, by the rules of the standard."""
    pairs, rest = split_pairs(segment, mark)
    written = [
        (segment[pair.key].decode(encoding), segment[pair.value].replace(mark + mark, mark).decode(encoding))
        for pair in pairs
    ]
    return written, segment[rest].decode(encoding)


class Pair(Struct, frozen=True):
    """Where a keyword and its value stand in a TEXT segment, without the delimiters around them."""

    key: slice
    value: slice


def split_pairs(segment: bytes, mark: bytes) -> tuple[list[Pair], slice]:
    """Where each keyword and value stands, and what is left behind the last of them.

    Raises
    ------
    ReadError
        If there are far too many (E014).

    Examples
    --------
    >>> pairs, rest = split_pairs(b"/A/1//2/B//rest", b"/")
    >>> [(pair.key, pair.value) for pair in pairs], rest
    ([(slice(1, 2, None), slice(3, 7, None)), (slice(8, 9, None), slice(10, 10, None))], slice(11, 15, None))
    """
    blanks = len(segment) - len(segment.lstrip(b" \x00"))
    start = blanks + 1 if segment[blanks : blanks + 1] == mark else 0
    if segment.count(mark) > 2 * MAXIMUM_PAIRS:
        raise _unreadable(f"TEXT holds more than {MAXIMUM_PAIRS:,} keywords")
    ends = [match.start() for match in re.finditer(re.escape(mark), segment)]
    ends = [end for end in ends if end >= start] + [len(segment)]
    starts = [start, *(end + 1 for end in ends[:-1])]
    pairs: list[Pair] = []
    place = 0
    doubled = mark + mark in segment
    while place + 1 < len(ends):
        key = slice(starts[place], ends[place])
        if not segment[key].strip(_BLANK_BYTES):  # blanks between pairs, or a delimiter too many
            place += 1
            continue
        last = _end_of_value(starts, ends, place + 1) if doubled else place + 1
        pairs.append(Pair(key, slice(starts[place + 1], ends[last])))
        place = last + 1
    return pairs, slice(starts[place] if place < len(starts) else len(segment), len(segment))


def _end_of_value(starts: list[int], ends: list[int], place: int) -> int:
    """Return the token that ends the value which begins at token ``place``: doubled delimiters belong to it."""
    tokens = len(ends)

    def empty(token: int) -> bool:
        return token < tokens and starts[token] == ends[token]

    if empty(place) and not empty(place + 1):
        return place
    while place + 2 < tokens and empty(place + 1):
        place += 2
    return place


def _encoding(segment: bytes, mark: bytes) -> str:
    """UTF-8 (FCS 3.1) or, where the bytes are not, Latin-1 (the µ of many vendors)."""
    try:
        segment.decode("utf-8")
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8" if mark.isascii() else "latin-1"


def _without_data(segment: bytes, mark: bytes) -> bytes:
    """Return the segment without bytes of DATA at its end, which TEXT of Cytosplore's files runs into.

    What follows the last delimiter stays if it is printable: Cytek's SpectroFlo leaves the last delimiter out.
    """
    end = segment.rfind(mark) + 1
    rest = segment[end:].strip(_BLANK_BYTES)
    printable = rest and all(32 <= byte <= 126 for byte in rest)
    return segment if printable else segment[:end]


def _complete(keywords: Mapping[str, str]) -> bool:
    count = keywords.get("$PAR", "")
    if not count.isdecimal() or int(count) > len(keywords):
        return False
    needed = ("$TOT", "$DATATYPE", "$BYTEORD", *(f"$P{n}{part}" for n in range(1, int(count) + 1) for part in "BRN"))
    return all(key in keywords for key in needed)


_STANDARD = re.compile(rb"\$(?:PAR|TOT|MODE|DATATYPE|BYTEORD|NEXTDATA|BEGINDATA|ENDDATA|P\d{1,4}[BERNSGV])")


def _standard_pairs(segment: bytes, mark: bytes) -> dict[str, str]:
    """Return the keywords that reading needs, found by name wherever they stand between delimiters.

    A value with a single delimiter inside (flowCore writes such files) turns keys into values up to the next one.
    """
    tokens = segment[:SEARCHED_BYTES].split(mark)
    pairs: dict[str, str] = {}
    place = 1  # before the first delimiter there is no key
    while place + 2 < len(tokens):  # and behind the last one no value
        key = tokens[place].strip()
        if _STANDARD.fullmatch(key):
            pairs[key.decode("ascii")] = tokens[place + 1].decode("latin-1").strip(_BLANK)
            place += 1
        place += 1
    return pairs


def _unreadable(what: str) -> ReadError:
    return ReadError(
        what, code="E014", hint="the file is damaged: export it again from the acquisition software, or copy it again"
    )


MOST_DIGITS = 6
"""Of ``$PAR``: what claims a million parameters is damaged, and is refused elsewhere."""


@lru_cache(maxsize=8)
def _decisive(count: str) -> tuple[str, ...]:
    """Return the keywords that decide how DATA of so many parameters is read."""
    parameters = range(1, 1 + (int(count) if count.isdecimal() and len(count) < MOST_DIGITS else 0))
    of_each = (f"$P{number}{part}" for number in parameters for part in "BENGR")
    return ("$PAR", "$TOT", "$MODE", "$DATATYPE", "$BYTEORD", "$BEGINDATA", "$ENDDATA", *of_each)


def flowio_objection(path: Place, base: int, keywords: Mapping[str, str]) -> str | None:
    """How FlowIO's reading of HEADER and TEXT differs from ours, or None where it agrees.

    Compared are the keywords that decide how DATA is read. What FlowIO raises is whatever its ``int()``, ``split()``
    and ``read()`` happen to meet in a damaged file, EOFError and MemoryError among them: all of it is its refusal.
    """
    import flowio

    try:
        with path.open("rb") as handle, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = flowio.FlowData(handle, only_text=True, ignore_offset_discrepancy=True, nextdata_offset=base).text
    except OSError as why:
        return f"refuses it ({why.strerror or type(why).__name__})"
    except Exception as why:  # noqa: BLE001 -- the boundary of a library
        return f"refuses it ({type(why).__name__}: {why})"
    for key in _decisive(keywords.get("$PAR", "")):
        ours = keywords.get(key)
        if ours is None:
            continue
        value = theirs.get(key.removeprefix("$").lower())
        if value is None:
            return f"does not find {key}"
        if value.strip(_BLANK) != ours.replace("$", "").strip(_BLANK):
            return f"reads {key} as {value.strip(_BLANK)!r} instead of {ours!r}"
    return None
