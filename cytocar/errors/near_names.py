"""The names that a misspelt one nearly is: one rule for every message that says "did you mean"."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches

from cytocar.errors.tree import FAULTS_SHOWN

ALIKE = 0.6
"""Twice the letters in common, in their order, over the letters of both: ``difflib``'s own rule. Of a word of five
letters two may be wrong; at 0.5 ``cd3`` is near ``cd45``."""
LONGEST_NAME = 100
"""Letters: longer ones are no misspelt names, and comparing grows with the product of both lengths."""


def near_names(word: str, names: Iterable[str], *, most: int = 1, alike: float = ALIKE) -> list[str]:
    """Return the names that a word nearly is, the nearest first; case, blanks, hyphens and underlines do not count.

    Parameters
    ----------
    most : int
        How many at most.
    alike : float
        From 0 to 1 for the same word.

    Examples
    --------
    >>> near_names("Car per uL", ["car_per_ul", "cd4_per_ul", "note"])
    ['car_per_ul']
    >>> near_names("x", ["car_per_ul"])
    []
    """
    if len(word) > LONGEST_NAME:
        return []
    spelt: dict[str, list[str]] = {}
    for name in names:
        spelt.setdefault(_plain(name), []).append(str(name))  # of a StrEnum its value
    close = get_close_matches(_plain(word), spelt, n=most, cutoff=alike)
    return [name for one in close for name in spelt[one]][:most]


def did_you_mean(word: str, names: Iterable[str], otherwise: str = "", *, alike: float = ALIKE) -> str:
    """Return ``, did you mean 'NAME'?`` with the nearest of the names, or what is said where none is near.

    Examples
    --------
    >>> did_you_mean("markr", ["marker", "min", "max"])
    ", did you mean 'marker'?"
    """
    return "".join(f", did you mean {name!r}?" for name in near_names(word, names, alike=alike)) or otherwise


def each_did_you_mean(
    words: Iterable[str], names: Iterable[str], otherwise: str = "", *, alike: float = ALIKE, most: int = FAULTS_SHOWN
) -> Iterator[tuple[str, str]]:
    """Yield each word once, with what ``did_you_mean`` says of it; words beyond ``most`` are compared with nothing.

    A comparison takes some 10 µs, and a damaged table has a hundred thousand strange names; no list shows more than
    the first ``FAULTS_SHOWN``.

    Examples
    --------
    >>> list(each_did_you_mean(["dya", "x", "dya"], ["day", "well"]))
    [('dya', ", did you mean 'day'?"), ('x', '')]
    """
    known = tuple(names)
    for number, word in enumerate(dict.fromkeys(words)):
        yield word, did_you_mean(word, known, otherwise, alike=alike) if number < most else ""


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]+", "_", name.strip().casefold())
