"""Rank correlation of two series of which some values are known only to lie below or above a limit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations

from msgspec import Struct

Bounded = tuple[float, str]
"""A number, and ``<`` or ``>`` where only that is known, else nothing."""


class Tau(Struct, frozen=True):
    """Kendall's tau-b of pairs of values, ``None`` where no two of them can be put in order on both sides.

    ``score`` is concordant less discordant pairs; ``ordered_x`` and ``ordered_y`` are the pairs whose order is known.
    """

    value: float | None
    score: int
    ordered_x: int
    ordered_y: int
    n: int


def censored_tau(xs: Sequence[Bounded], ys: Sequence[Bounded]) -> Tau:
    """Return Kendall's tau-b, where two values whose order the limits leave open count as tied.

    Notes
    -----
    Helsel 2012, Statistics for Censored Environmental Data, chapter 11. Without limits it is the usual tau-b.

    Examples
    --------
    >>> xs = [(1, "<"), (1, "<"), (3, ""), (9, "")]
    >>> ys = [(2, "<"), (5, ""), (6, ""), (8, "")]
    >>> round(censored_tau(xs, ys).value, 4)
    0.9129
    """
    score = ordered_x = ordered_y = 0
    for (x, y), (other_x, other_y) in combinations(zip(xs, ys, strict=True), 2):
        a, b = _order(x, other_x), _order(y, other_y)
        score += a * b
        ordered_x += abs(a)
        ordered_y += abs(b)
    return _tau(score, ordered_x, ordered_y, len(xs))


def joined_tau(parts: Sequence[Tau]) -> Tau:
    """Return the tau over all pairs within the parts, such as within subjects: levels between them do not enter."""
    return _tau(
        sum(part.score for part in parts),
        sum(part.ordered_x for part in parts),
        sum(part.ordered_y for part in parts),
        sum(part.n for part in parts),
    )


def _tau(score: int, ordered_x: int, ordered_y: int, n: int) -> Tau:
    value = score / math.sqrt(ordered_x * ordered_y) if ordered_x and ordered_y else None
    return Tau(value, score, ordered_x, ordered_y, n)


def _order(one: Bounded, other: Bounded) -> int:
    """Return 1 where one is larger, -1 where it is smaller, 0 where they are equal or nobody knows."""
    if one[0] == other[0] and one[1] == other[1]:
        return 0
    if other[1] != ">" and one[1] != "<" and one[0] >= other[0]:
        return 1
    if other[1] != "<" and one[1] != ">" and one[0] <= other[0]:
        return -1
    return 0
