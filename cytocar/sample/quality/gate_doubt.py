"""How many of a population's cells the place of its gates' borders decides: the gates' part of an interval.

Two things are asked of each border on the way to a population, or behind a boolean gate: how many of its events come
and go if the border lay elsewhere, and how many may lie beyond it unseen, as the density of the population there and
its spread let one expect. In a gap between two populations both are nil.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import reduce

import numpy as np
import numpy.typing as npt
from msgspec import Struct, field

from cytocar.gates.adaptive.density import FULL_SCALE_PER_COFACTOR
from cytocar.gates.decision import Decision, Source
from cytocar.gates.sampled_events import SampledEvents
from cytocar.regions.boolean import BooleanGate
from cytocar.regions.gate import Bools
from cytocar.regions.geometry import LOWEST, Box, Interval
from cytocar.statistics.order import quantile
from cytocar.template.gate_kinds import ReferenceGate

Rows = npt.NDArray[np.intp]

FIXED_CV, PLACED_CV = 0.10, 0.05
"""By how much a border may lie elsewhere: a detector's gain differs by 10 % from day to day, and moves the cells under
a fixed border; gates that follow the data are known to half of that. A valley tells it itself, by its floor."""
UNIFORM = 1 / math.sqrt(12)
"""Standard deviation of a place that may lie anywhere in a stretch, in units of the stretch."""
SMALLEST_CHANGE = 0.001
"""Of a population: where moving a border changes less, there is no doubt worth a look at its spread."""
NEAREST_BORDER = 0.5
"""Standard deviations between a population's median and its border that are supposed at least."""


class _Moved(Struct, frozen=True, eq=False):
    """One border in two places: the gate, its marker, and the events of its parent that one place alone keeps.

    ``first`` and ``second`` say which of them each place keeps; ``stretch`` is the distance of both places on the
    marker's asinh axis; ``placing`` is the standard deviation of the border, in units of the stretch; ``touched`` are
    the populations that it can change. ``known`` holds for each place the populations of these events that were asked
    for before: most are behind several others.
    """

    gate: str
    marker: str
    rows: Rows
    first: Bools
    second: Bools
    border: float | None
    stretch: float
    placing: float
    touched: frozenset[str]
    known: tuple[dict[str, Bools], dict[str, Bools]] = field(default_factory=lambda: ({}, {}))


def gate_doubts(
    sampled: SampledEvents, populations: Iterable[str], decisions: Sequence[Decision]
) -> Mapping[str, float]:
    """Return by population the coefficient of variation that its gates leave to its number of cells.

    Notes
    -----
    For each border: the events that come and go between the ends of a valley's floor, over the root of 12, or with 10 %
    of gain; and the tail beyond it, the density d of the population at the border (per unit of asinh) times s^2 / z,
    with s the spread on its other side and z the distance of its median: the mass beyond z of a normal population,
    known to between nothing and twice as much. All add in quadrature. A gate that control samples place is not asked:
    its doubt is in the net count's interval.
    """
    floors = {one.population: one.floor for one in decisions if one.floor is not None}
    placed = {one.population for one in decisions if one.source not in (Source.FIXED, Source.FALLBACK, Source.OVERRIDE)}
    behind = {name: set(sampled.behind(name)) for name in sampled.gates}
    borders = [
        moved
        for name in sampled.gates
        if not isinstance(sampled.declared[name].gate, ReferenceGate)
        for touched in [frozenset(other for other in behind if name in behind[other])]
        for moved in _moved(sampled, name, touched, floors.get(name), PLACED_CV if name in placed else FIXED_CV)
        if moved.rows.size
    ]
    return {name: math.hypot(*_doubts(sampled, name, borders)) for name in populations}


def _moved(
    sampled: SampledEvents, name: str, touched: frozenset[str], floor: tuple[float, float] | None, cv: float
) -> Iterator[_Moved]:
    """Yield each border of a gate in two places."""
    placed = sampled.region(name)
    if placed is None:
        return
    declared = sampled.declared[name]
    parent = sampled.frame.within(declared.parent, declared.exclude)
    if isinstance(placed.region, Box):
        sides = list(zip(placed.markers, placed.region.sides, strict=True))
        for marker, side in sides:
            per_unit = sampled.range(marker) / FULL_SCALE_PER_COFACTOR
            beside = [sampled.side(*other, 1.0) for other in sides if other[0] != marker]
            for border in (side.low, side.high):
                if border in (LOWEST, np.inf):
                    continue
                first, second = floor or sorted((border / (1 + cv / 2), border * (1 + cv / 2)))
                between = parent & Interval(first, second).contains(sampled.signal(marker))
                rows = np.flatnonzero(reduce(np.logical_and, beside, between))
                stretch = math.asinh(second / per_unit) - math.asinh(first / per_unit)
                none, every = np.zeros(rows.size, dtype=np.bool_), np.ones(rows.size, dtype=np.bool_)
                yield _Moved(name, marker, rows, none, every, border, stretch, UNIFORM if floor else 1.0, touched)
        return
    stems = {marker.rsplit("-", 1)[0] for marker in placed.markers}
    if len(placed.markers) > 1 and len(stems) == 1:  # area and height of one signal: no gain moves their ratio
        return
    for axis, marker in enumerate(placed.markers):
        one, other = (sampled.in_region(name, axis=axis, factor=factor) for factor in (1 + cv / 2, 1 / (1 + cv / 2)))
        rows = np.flatnonzero(parent & (one != other))
        yield _Moved(name, marker, rows, one[rows], other[rows], None, cv, 1.0, touched)


def _doubts(sampled: SampledEvents, population: str, borders: Sequence[_Moved]) -> Iterator[float]:
    """What each border leaves open, as a share of the population."""
    own = sampled.frame.places(population)
    events = own.size
    if not events:
        return
    for moved in borders:
        if population not in moved.touched or moved.rows.size < SMALLEST_CHANGE * events:
            continue
        first, second = (_inside(sampled, population, moved, place) for place in (0, 1))
        change = abs(int(np.count_nonzero(first)) - int(np.count_nonzero(second))) / events
        if change < SMALLEST_CHANGE:
            continue
        yield moved.placing * change
        if moved.border is not None:
            yield _tail(sampled, own, moved, density=change / moved.stretch)


def _tail(sampled: SampledEvents, own: Rows, moved: _Moved, *, density: float) -> float:
    """Return the share of a population that may lie beyond a border.

    The density there times the length over which it falls off: as a normal population of this spread would (s^2 / z),
    or as it does between the border and half way to the median, whichever is longer.
    """
    per_unit = sampled.range(moved.marker) / FULL_SCALE_PER_COFACTOR
    signals = np.take(sampled.signal(moved.marker), own)
    border = math.asinh((moved.border or 0.0) / per_unit)
    middle = np.arcsinh(quantile(signals, 0.5) / per_unit)
    spread = max(abs(float(np.arcsinh(quantile(signals, 0.84 if border < middle else 0.16) / per_unit) - middle)), 1e-9)
    distance = max(abs(float(middle) - border), NEAREST_BORDER * spread)
    inwards = np.array([0.0, 0.25, 0.5]) * (distance if middle >= border else -distance)
    below = [np.count_nonzero(signals < place) for place in per_unit * np.sinh(border + inwards)]
    near, further = np.abs(np.diff(below)) + 0.5
    falls = math.log(further / near)
    length = 0.25 * distance / falls if falls > 0.25 else distance
    return density * max(spread**2 / distance, min(length, distance))


def _inside(sampled: SampledEvents, population: str, moved: _Moved, place: int) -> Bools:
    """Which of the events between both places of a border are in a population, if the border is in this one."""
    known = moved.known[place]
    if population not in known:
        if population in moved.touched:
            known[population] = _worked_out(sampled, population, moved, place)
        else:
            known[population] = sampled.frame.mask(population)[moved.rows]
    return known[population]


def _worked_out(sampled: SampledEvents, population: str, moved: _Moved, place: int) -> Bools:
    declared, gate = sampled.declared[population], sampled.gates[population]
    inside = _inside(sampled, declared.parent, moved, place)
    for aside in declared.exclude:
        inside = inside & ~_inside(sampled, aside, moved, place)
    if isinstance(gate, BooleanGate):
        return gate.combine(inside, lambda name: _inside(sampled, name, moved, place))
    if population == moved.gate:
        return inside & (moved.first, moved.second)[place]
    return inside & sampled.in_region(population)[moved.rows]
