"""Groups of subjects side by side, and the same subjects before and after: what is compared, and the comparison.

Works on the folder that ``cytocar series -o`` wrote. Values below a limit are smaller than all that were measured and
tied with each other: everything up to the highest limit of a variable counts as equal. Those above one likewise.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

from msgspec import Struct
from msgspec.structs import replace

from cytocar.course.cohort import quantile
from cytocar.statistics.ranks import (
    Shift,
    benjamini_hochberg,
    holm,
    mann_whitney,
    shift_between,
    shift_of_pairs,
    signed_rank,
)

FEWEST_FOR_P = 5
"""Subjects per group, or pairs: with four against four no more extreme result than p = .029 exists."""
NOT_LOGARITHMIC = frozenset({"NPX", "score", "grade", "points", "C", "days", ""})
"""Units of which a ratio means nothing: differences are given instead."""


class Value(Struct, frozen=True):
    """One subject's number; ``bound`` is ``<`` or ``>`` where it is a limit."""

    number: float
    bound: str = ""


class Measure(Struct, frozen=True):
    """What is compared: a name, its unit, and each subject's value."""

    name: str
    unit: str
    values: Mapping[str, Value]


class Side(Struct, frozen=True):
    """One group of a comparison; quartiles are ``None`` where they fall below a limit."""

    name: str
    n: int
    n_below: int
    lower_quartile: float | None
    median: float | None
    upper_quartile: float | None


class Comparison(Struct, frozen=True):
    """One measure in two groups, or in pairs.

    ``effect`` is the first group over, or less, the second; in pairs the later over, or less, the earlier.
    """

    measure: str
    unit: str
    first: Side
    second: Side
    statistic: float | None
    p: float | None
    p_method: str
    p_holm: float | None
    p_bh: float | None
    effect_kind: str
    effect: Shift | None
    note: str


def compare(measures: Sequence[Measure], groups: Mapping[str, str]) -> list[Comparison]:
    """Return each pair of groups for each measure; p values are adjusted over all of them.

    Examples
    --------
    >>> values = {f"P{i}": Value(float(i)) for i in range(10)}
    >>> arms = {f"P{i}": "AB"[i >= 5] for i in range(10)}
    >>> (found,) = compare([Measure("peak", "cells/µL", values)], arms)
    >>> found.first.median, found.second.median, round(found.p, 4)
    (2.0, 7.0, 0.0079)
    """
    names = sorted(set(groups.values()))
    comparisons = []
    for measure in measures:
        of_group = {
            name: [value for subject, value in sorted(measure.values.items()) if groups.get(subject) == name]
            for name in names
        }
        for first, second in combinations(names, 2):
            if of_group[first] and of_group[second]:
                comparisons.append(_between(measure, (first, of_group[first]), (second, of_group[second])))
    return _adjusted(comparisons)


def compare_pairs(pairs: Sequence[tuple[Measure, Measure]], names: tuple[str, str]) -> list[Comparison]:
    """Return the comparison of two measures of the same subjects, such as before and after a drug."""
    comparisons = []
    for first, second in pairs:
        both = sorted(first.values.keys() & second.values.keys())
        if both:
            comparisons.append(
                _of_pairs(first, names, [first.values[s] for s in both], [second.values[s] for s in both])
            )
    return _adjusted(comparisons)


def _between(measure: Measure, first: tuple[str, list[Value]], second: tuple[str, list[Value]]) -> Comparison:
    a, b, kind = _comparable(first[1], second[1], measure.unit)
    enough = min(len(a), len(b)) >= FEWEST_FOR_P
    test = mann_whitney(a, b) if enough else None
    return Comparison(
        measure=measure.name,
        unit=measure.unit,
        first=_side(*first),
        second=_side(*second),
        statistic=test.statistic if test else None,
        p=test.p if test else None,
        p_method=f"Mann-Whitney, {test.method}" if test else "",
        p_holm=None,
        p_bh=None,
        effect_kind=kind,
        effect=_effect(shift_between(a, b), kind),
        note="" if enough else f"fewer than {FEWEST_FOR_P} in a group: no p value",
    )


def _of_pairs(measure: Measure, names: tuple[str, str], first: list[Value], second: list[Value]) -> Comparison:
    a, b, kind = _comparable(first, second, measure.unit)
    differences = [late - early for early, late in zip(a, b, strict=True)]
    enough = len(differences) >= FEWEST_FOR_P
    test = signed_rank(differences) if enough else None
    return Comparison(
        measure=measure.name,
        unit=measure.unit,
        first=_side(names[0], first),
        second=_side(names[1], second),
        statistic=test.statistic if test else None,
        p=test.p if test else None,
        p_method=f"signed rank, {test.method}" if test else "",
        p_holm=None,
        p_bh=None,
        effect_kind=kind,
        effect=_effect(shift_of_pairs(differences), kind),
        note="" if enough else f"fewer than {FEWEST_FOR_P} pairs: no p value",
    )


def _comparable(first: Sequence[Value], second: Sequence[Value], unit: str) -> tuple[list[float], list[float], str]:
    """Return both sides as numbers to rank, logarithms where ratios mean something, and the kind of effect."""
    every = (*first, *second)
    floor = max((value.number for value in every if value.bound == "<"), default=-math.inf)
    ceiling = min((value.number for value in every if value.bound == ">"), default=math.inf)
    clamped = [[min(max(value.number, floor), ceiling) for value in side] for side in (first, second)]
    if unit in NOT_LOGARITHMIC or min(min(side) for side in clamped) <= 0:
        return clamped[0], clamped[1], "difference"
    return [math.log(v) for v in clamped[0]], [math.log(v) for v in clamped[1]], "fold"


def _effect(shift: Shift, kind: str) -> Shift:
    if kind == "difference":
        return shift
    low, high = (None if bound is None else math.exp(bound) for bound in (shift.low, shift.high))
    return Shift(math.exp(shift.value), low, high)


def _side(name: str, values: Sequence[Value]) -> Side:
    ordered = sorted(-math.inf if value.bound == "<" else value.number for value in values)
    lower, median, upper = (
        None if value == -math.inf else value for value in (quantile(ordered, share) for share in (0.25, 0.5, 0.75))
    )
    return Side(name, len(values), sum(value.bound == "<" for value in values), lower, median, upper)


def _adjusted(comparisons: Sequence[Comparison]) -> list[Comparison]:
    tested = [one for one in comparisons if one.p is not None]
    p_values = [one.p for one in tested if one.p is not None]
    adjusted: Iterator[tuple[float, float]] = zip(holm(p_values), benjamini_hochberg(p_values), strict=True)
    by_id = {id(one): pair for one, pair in zip(tested, adjusted, strict=True)}
    return [
        replace(one, p_holm=by_id[id(one)][0], p_bh=by_id[id(one)][1]) if id(one) in by_id else one
        for one in comparisons
    ]
