"""The regions that gates are: boxes, polygons, ellipses; each answers which events lie inside, from data values.

Events are not moved to the axes' scales where that can be avoided (logicle costs ten times a comparison):

* A box moves its edges to data units, once.
* A polygon looks each event up in a bitmap of 512 x 512 cells over the axes' scales, from places that are good to 1e-7;
  only in cells near an edge, a few in a thousand, the exact places are worked out and the edges are counted.
* An ellipse decides by the same approximate places unless the distance is within their error of the limit.

All comparisons are false for NaN, and every region is bounded against infinities: they are in no gate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from cytocar.errors.tree import GateError
from cytocar.signals.scales import AnyScale

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

LOWEST = -np.finfo(np.float64).max  # an open lower bound: every number, but not -inf
CELLS = 512
"""On either axis of a polygon's bitmap: only events in cells at the rim are tested exactly. It changes no answer."""
OUTSIDE, INSIDE, UNDECIDED = 0, 1, 2
"""What a cell of the bitmap says about the events in it."""
POINTS_AT_ONCE = 32_768  # of an exact test: they stay in the processor's cache
WORTH_A_BITMAP = 100_000  # drawing the bitmap costs as much as the exact test of about so many points times edges
PLACE_ERROR = 1e-7  # of a scale's `approximate`, as a share of its length


# ---------------------------------------------------------------- box


class Interval(Struct, frozen=True):
    """``low <= x < high`` in data units; open ends are finite all the same."""

    low: float = LOWEST
    high: float = np.inf

    @classmethod
    def of(cls, scale: AnyScale, low: float | None, high: float | None, *, on_scale: bool) -> Interval:
        """Return the interval between two bounds, which may be given on the axis' scale.

        On a log scale without a lower bound values of 0 and below have no place, so no interval that is given on the
        scale holds them.
        """
        if not on_scale:
            return cls(LOWEST if low is None else low, np.inf if high is None else high)
        floor = scale.lowest()
        return cls(
            floor if low is None else max(scale.edge(low), floor),
            np.inf if high is None else scale.edge(high),
        )

    def contains(self, x: Floats) -> Bools:
        """Mask of the values that lie inside."""
        inside = x >= self.low
        inside &= x < self.high
        return inside


class Box(Struct, frozen=True):
    """An interval on each of any number of axes (Gating-ML 2.0, 5.1.1 and 5.1.5)."""

    sides: tuple[Interval, ...]

    def contains(self, *signals: Floats) -> Bools:
        """Mask of the events that lie inside, from their signals in data units, one array per axis."""
        inside = self.sides[0].contains(signals[0])
        for side, signal in zip(self.sides[1:], signals[1:], strict=True):
            inside &= side.contains(signal)
        return inside


# ---------------------------------------------------------------- polygon


@dataclass(slots=True, eq=False)
class Polygon:
    """A closed polygon with straight edges on the axes' scales, inside by the even-odd rule (Gating-ML 2.0, 5.1.2).

    Parameters
    ----------
    x_scale, y_scale : AnyScale
        The scales of the two axes.
    corners : ndarray, shape (v, 2)
        On the scales. An edge may cross another one.

    Attributes
    ----------
    bounds : Box, optional
        In data units, around all corners, where places on a scale take long to work out.
    """

    x_scale: AnyScale
    y_scale: AnyScale
    corners: Floats
    bounds: Box | None = field(init=False)
    _edges: Edges = field(init=False)
    _asked: int = field(default=0, init=False)
    _bitmap: Bitmap | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        curved = any(scale.is_curved for scale in (self.x_scale, self.y_scale))
        self.bounds = _around(self.corners, (self.x_scale, self.y_scale)) if curved else None
        self._edges = Edges.of(self.corners)

    @classmethod
    def of(cls, x_scale: AnyScale, y_scale: AnyScale, vertices: npt.ArrayLike, *, on_scale: bool) -> Polygon:
        """Return the polygon of vertices that are given in data units, or on the axes' scales.

        Raises
        ------
        GateError
            E078 if a vertex has no place on a log scale.
        """
        corners = np.array(vertices, dtype=np.float64)
        if not on_scale:
            corners[:, 0] = x_scale.unbounded(corners[:, 0])
            corners[:, 1] = y_scale.unbounded(corners[:, 1])
        if not np.isfinite(corners).all():
            raise GateError(
                "a polygon has a corner at or below 0 on a log scale, where there is no such place",
                code="E078",
                hint="move the corner above 0, or give the marker a logicle or asinh scale",
            )
        return cls(x_scale, y_scale, corners)

    def contains(self, *signals: Floats) -> Bools:
        """Mask of the events that lie inside, from their signals in data units."""
        x, y = signals
        if self.bounds is None:
            return self._inside(x, y)
        inside = self.bounds.contains(x, y)
        rows = np.flatnonzero(inside)
        inside[rows] = self._inside(x[rows], y[rows])
        return inside

    def _inside(self, x: Floats, y: Floats) -> Bools:
        self._asked += x.size * len(self.corners)
        if self._asked < WORTH_A_BITMAP:
            return self._exact(x, y)
        if self._bitmap is None:
            self._bitmap = Bitmap.draw(self.corners)
        states = self._bitmap.look_up(self.x_scale.approximate(x), self.y_scale.approximate(y))
        inside: Bools = states == INSIDE
        undecided = np.flatnonzero(states == UNDECIDED)
        if undecided.size:
            inside[undecided] = self._exact(x[undecided], y[undecided])
        return inside

    def _exact(self, x: Floats, y: Floats) -> Bools:
        return self._edges.contain(self.x_scale.forward(x), self.y_scale.forward(y))


def _around(corners: Floats, axis_scales: Sequence[AnyScale]) -> Box:
    """Return a box in data units that holds all corners, a little wider: comparisons that save working out places."""
    sides = []
    for scale, low, high in zip(axis_scales, corners.min(axis=0), corners.max(axis=0), strict=True):
        margin = PLACE_ERROR * (1 + abs(low) + abs(high))
        with np.errstate(over="ignore"):
            ends = scale.inverse([low - margin, high + margin])
        at_bound_min = scale.bound_min is not None and low <= scale.bound_min
        at_bound_max = scale.bound_max is not None and high >= scale.bound_max
        sides.append(Interval(LOWEST if at_bound_min else float(ends[0]), np.inf if at_bound_max else float(ends[1])))
    return Box(tuple(sides))


def inside_polygon(corners: Floats, x: Floats, y: Floats) -> Bools:
    """Mask of the points that lie inside a polygon by the even-odd rule.

    A point is inside if a ray from it crosses an odd number of edges. Each edge holds its lower end and not its upper
    one, so that a ray through a corner counts once (Sunday, "Inclusion of a point in a polygon", 2001, the crossing
    test); arithmetic and order are those of FlowKit's C code, so that points on an edge fall on the same side.

    Examples
    --------
    >>> bow_tie = np.array([[0.0, 0.0], [2.0, 2.0], [2.0, 0.0], [0.0, 2.0]])
    >>> inside_polygon(bow_tie, np.array([0.5, 1.0, 1.5]), np.array([1.0, 1.5, 1.0])).tolist()
    [True, False, True]
    """
    return Edges.of(corners).contain(x, y)


class Edges(Struct, frozen=True, eq=False):
    """A polygon's edges by the height at which a ray can cross them: two of many, for most polygons.

    Between two neighbouring heights of ``levels`` the same edges reach from below a point to above it. ``crossed`` has
    a row for each such slab (the first below all corners, the last above) and as many columns as the richest needs; the
    edge behind the last one stands for none. Falling edges are stored with the sign of their direction changed, so that
    one comparison serves both.
    """

    levels: Floats
    crossed: npt.NDArray[np.intp]
    low_x: float
    high_x: float
    from_x: Floats
    from_y: Floats
    across: Floats
    up: Floats

    @classmethod
    def of(cls, corners: Floats) -> Edges:
        """Return the edges of a polygon's corners (v, 2)."""
        (from_x, from_y), (to_x, to_y) = corners.T, np.roll(corners, -1, axis=0).T
        levels = np.sort(from_y)
        levels = levels[np.append(True, levels[1:] > levels[:-1])]  # np.unique would load masked arrays first
        starts_below, ends_below = (ends <= levels[:, np.newaxis] for ends in (from_y, to_y))
        spans = np.vstack([np.zeros(len(corners), dtype=np.bool_), starts_below ^ ends_below])
        counts = np.count_nonzero(spans, axis=1)
        crossed = np.full((len(spans), int(counts.max())), len(corners))
        crossed[np.arange(crossed.shape[1]) < counts[:, np.newaxis]] = np.nonzero(spans)[1]
        sign = np.where(from_y < to_y, 1.0, -1.0)
        across, up = sign * (to_x - from_x), sign * (to_y - from_y)
        ends = float(from_x.min()), float(from_x.max())
        return cls(levels, crossed, *ends, *(np.append(values, 0.0) for values in (from_x, from_y, across, up)))

    def contain(self, x: Floats, y: Floats) -> Bools:
        """Mask of the points that lie inside; see ``inside_polygon``."""
        inside = np.empty(x.shape, dtype=np.bool_)
        for start in range(0, x.size, POINTS_AT_ONCE):
            some = slice(start, start + POINTS_AT_ONCE)
            inside[some] = self._odd_crossings(x[some], y[some])
        inside &= x >= self.low_x
        inside &= x <= self.high_x
        return inside

    def _odd_crossings(self, x: Floats, y: Floats) -> Bools:
        """Mask of the points with an odd number of edges on one side."""
        slab = np.searchsorted(self.levels, y, side="right")  # a NaN lies above all levels
        odd = np.zeros(x.shape, dtype=np.bool_)
        # Infinities (inf - inf) and places that become one: the bounds of the polygon keep them out.
        with np.errstate(invalid="ignore", over="ignore"):
            for edge in self.crossed.T:
                which = edge.take(slab)
                side = self.across.take(which) * (y - self.from_y.take(which))
                side -= (x - self.from_x.take(which)) * self.up.take(which)
                odd ^= side > 0
        return odd


class Bitmap(Struct, frozen=True, eq=False):
    """A polygon drawn on 512 x 512 cells with a rim of outside cells: inside, outside, or too near an edge to say.

    Attributes
    ----------
    origin, per_unit : (float, float)
        Corner of the first cell, and cells per unit of each axis.
    cells : ndarray of uint8, shape ((CELLS + 2) ** 2,)
        States, row by row.
    """

    origin: tuple[float, float]
    per_unit: tuple[float, float]
    cells: npt.NDArray[np.uint8]

    @classmethod
    def draw(cls, corners: Floats) -> Bitmap:
        """Return the bitmap of a polygon.

        Cells within one cell of an edge are undecided, which also covers the error of approximate places.
        """
        low, high = corners.min(axis=0), corners.max(axis=0)
        # Two cells of margin hold the undecided cells along the bounds; a cell is never finer than the places are.
        per_unit = (CELLS - 4) / np.maximum(high - low, PLACE_ERROR * 10 * CELLS)
        origin = low - 2 / per_unit
        drawn = (corners - origin) * per_unit + 1  # in cells, behind the rim
        states = _fill(drawn)
        states[_near_edges(drawn)] = UNDECIDED
        return cls(tuple(origin), tuple(per_unit), states.ravel())

    def look_up(self, x: Floats, y: Floats) -> npt.NDArray[np.uint8]:
        """Return the states of the cells in which points lie; NaN and points far away are in the rim."""
        cell = _cell(y, self.origin[1], self.per_unit[1])
        cell *= CELLS + 2
        cell += _cell(x, self.origin[0], self.per_unit[0])
        # A NaN's cell is the lowest integer, times an even width, plus a column: 0 or negative, the corner of the rim.
        return np.asarray(self.cells.take(cell, mode="clip"))


def _cell(places: Floats, origin: float, per_unit: float) -> npt.NDArray[np.int32]:
    with np.errstate(invalid="ignore", over="ignore"):
        position = places * per_unit
        position += 1.0 - origin * per_unit
        np.clip(position, 0.0, CELLS + 1.0, out=position)
        return position.astype(np.int32)


def _fill(drawn: Floats) -> npt.NDArray[np.uint8]:
    """Mask of the cells with their middle inside: every edge that crosses a row of cells flips those behind it.

    An even number of edges crosses each row, so that the next one begins outside: row by row is one long row.
    """
    ends = np.roll(drawn, -1, axis=0)
    heights = np.stack([drawn[:, 1], ends[:, 1]])
    first, last = np.ceil(heights.min(axis=0) - 0.5).astype(np.intp), np.ceil(heights.max(axis=0) - 0.5).astype(np.intp)
    edge, step = _counted_out(last - first)
    row = first[edge] + step
    (from_x, from_y), (to_x, to_y) = drawn[edge].T, ends[edge].T
    crossing = from_x + (row + 0.5 - from_y) * (to_x - from_x) / (to_y - from_y)
    flips = np.sort(row * (CELLS + 2) + np.ceil(crossing - 0.5).astype(np.intp))
    runs = np.diff(flips, prepend=0, append=(CELLS + 2) ** 2)
    states = np.where(np.arange(runs.size) % 2, INSIDE, OUTSIDE).astype(np.uint8)
    return states.repeat(runs).reshape(CELLS + 2, CELLS + 2)


def _near_edges(drawn: Floats) -> Bools:
    """Mask of the cells that an edge touches or nearly touches: those of points every half cell, and around them."""
    way = np.roll(drawn, -1, axis=0) - drawn
    steps = (2 * np.abs(way).max(axis=1)).astype(np.intp) + 1
    edge, step = _counted_out(steps + 1)
    points = (drawn[edge] + way[edge] * (step / steps[edge])[:, np.newaxis]).astype(np.intp)
    touched = np.zeros((CELLS + 2, CELLS + 2), dtype=np.bool_)
    touched[points[:, 1], points[:, 0]] = True
    wider = touched.copy()
    wider[1:] |= touched[:-1]
    wider[:-1] |= touched[1:]
    near = wider.copy()
    near[:, 1:] |= wider[:, :-1]
    near[:, :-1] |= wider[:, 1:]
    return near


def _counted_out(counts: npt.NDArray[np.intp]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return, for so many steps of each edge, the edge of every step and its number from 0.

    >>> [steps.tolist() for steps in _counted_out(np.array([2, 0, 3]))]
    [[0, 0, 2, 2, 2], [0, 1, 0, 1, 2]]
    """
    edge = np.repeat(np.arange(counts.size), counts)
    return edge, np.arange(edge.size) - np.repeat(np.cumsum(counts) - counts, counts)


# ---------------------------------------------------------------- ellipse


class Ellipse(Struct, frozen=True, eq=False):
    """``(v - center)' covariance^-1 (v - center) <= distance_square`` on the axes' scales (Gating-ML 2.0, 5.1.3)."""

    axis_scales: tuple[AnyScale, ...]
    center: Floats
    precision: Floats  # the inverse of the covariance
    distance_square: float

    @classmethod
    def of(
        cls, axis_scales: Sequence[AnyScale], center: npt.ArrayLike, covariance: npt.ArrayLike, distance_square: float
    ) -> Ellipse:
        """Return the ellipse (ellipsoid) of a centre, a covariance matrix and a squared Mahalanobis distance."""
        precision = np.linalg.inv(np.array(covariance, dtype=np.float64))
        return cls(tuple(axis_scales), np.array(center, dtype=np.float64), precision, distance_square)

    def contains(self, *signals: Floats) -> Bools:
        """Mask of the events inside or on the boundary, from their signals in data units."""
        with np.errstate(invalid="ignore", over="ignore"):
            distance = self._distance(
                [scale.approximate(x) for scale, x in zip(self.axis_scales, signals, strict=True)]
            )
            inside = distance <= self.distance_square
            if any(scale.is_curved for scale in self.axis_scales):
                near = np.flatnonzero(np.abs(distance - self.distance_square) <= self._distance_error())
                exact = [scale.forward(x[near]) for scale, x in zip(self.axis_scales, signals, strict=True)]
                inside[near] = self._distance(exact) <= self.distance_square
        return inside

    def _distance(self, places: Sequence[Floats]) -> Floats:
        """Return squared Mahalanobis distances from the centre."""
        offsets = [place - middle for place, middle in zip(places, self.center, strict=True)]
        total: Floats = np.zeros_like(offsets[0])
        for row, offset in zip(self.precision, offsets, strict=True):
            projected = sum(weight * other for weight, other in zip(row, offsets, strict=True))
            total += projected * offset
        return total

    def _distance_error(self) -> float:
        """How far the squared distance can be off near the boundary, for places that are off by PLACE_ERROR."""
        stretch = np.linalg.eigvalsh((self.precision + self.precision.T) / 2)
        if stretch[0] <= 0:
            return float("inf")  # no ellipse: the distance is known nowhere from approximate places
        error = PLACE_ERROR * np.sqrt(self.center.size * stretch[-1])
        return float(error * (2 * np.sqrt(self.distance_square) + error))
