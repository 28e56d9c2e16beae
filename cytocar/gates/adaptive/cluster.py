"""The ``cluster`` gate: counting beads (a tight spot, and pairs of them), or lymphocytes around T cells (``core``).

Both are found on ln axes near the place that the template names, and drawn as a polygon. Too few events, or a centre
too far away: everything within the template's factor of its place, and a flag.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from cytocar.gates.adaptive.density import Floats, thinned
from cytocar.gates.adaptive.parent_events import thin
from cytocar.gates.adaptive.valley import find_valley, full_scale
from cytocar.gates.decision import PAIRS_PERCENT, Decision, Fitted, Flag, ReferenceEvents, Source, differs
from cytocar.regions.polygon import PolygonGate
from cytocar.signals.scales import Scale
from cytocar.template.gate_kinds import ClusterGate

FEWEST_EVENTS = 50
"""Events for a place and a covariance: with 50 the centre is known to a seventh of the cluster's width."""
FITTED_EVENTS = 30_000
"""Looked at, evenly over the run: more make it slower and move a centre by less than a hundredth of its width."""
DISTANCE_SQUARE = 13.8
"""Squared Mahalanobis distance: the 99.9 % quantile of chi-square with 2 degrees of freedom."""
REWEIGHTS = 5
"""Rounds of leaving out events far from the fit: more change nothing once the members stay the same."""
LARGEST_BEAD_CV = 0.10
"""Counting beads are dyed evenly; a wider spot is not theirs alone and is flagged WIDE_CLUSTER."""
LARGEST_PAIR_PERCENT = 3.0
"""Beads that stick together by more than this are flagged BEAD_DOUBLETS; the count takes a pair as two in any case."""
MIXTURE_EVENTS, EM_ROUNDS, SETTLED = 5000, 25, 2e-4
"""Events looked at, rounds at most, and the change of the shares that ends them: more take longer."""
SMALLEST_SECOND_SHARE, FEWEST_SECOND = 0.01, 30
"""A second normal with less, or with fewer events, is a heavy tail of the first and no population."""
MIDDLE = 4.6
"""Squared distance that holds 90 % of a normal's events."""
EDGE_SHARES = (0.90, 0.95, 0.975, 0.99, 0.995, 0.999)
"""Shares of a normal's events between which an ellipse may end: never less than 90 %, never more than 99.9 %."""
FEWEST_FOREIGN = 10
"""More foreign events than this in a shell, so that a handful by chance does not end the ellipse."""
CORNERS = 64
"""Of the polygon that stands for an ellipse of the same area: 64 stay within 0.2 % of its radius."""


@dataclass(frozen=True, slots=True, eq=False)
class Ellipse:
    """An ellipse on ln axes: centre (2,), covariance (2, 2), squared Mahalanobis distance of its edge."""

    center: Floats
    covariance: Floats
    distance_square: float = DISTANCE_SQUARE

    def distances(self, points: Floats) -> Floats:
        """Return the squared Mahalanobis distances (n,) of points (n, 2)."""
        (a, b), (_, d) = self.covariance
        dx, dy = points[:, 0] - self.center[0], points[:, 1] - self.center[1]
        return np.asarray((d * dx * dx - 2 * b * dx * dy + a * dy * dy) / (a * d - b * b))

    def inside(self, points: Floats) -> npt.NDArray[np.bool_]:
        """Return which points (n, 2) lie in the ellipse."""
        return self.distances(points) <= self.distance_square

    def edge(self) -> Floats:
        """Return corners (CORNERS, 2) that stand a little outside, so that their polygon has the ellipse's area."""
        angle = np.linspace(0, 2 * np.pi, CORNERS, endpoint=False)
        reach = np.sqrt(self.distance_square * angle[1] / np.sin(angle[1]))
        circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        return np.asarray(self.center + reach * circle @ np.linalg.cholesky(self.covariance).T)


def fit(
    population: str,
    gate: ClusterGate,
    columns: Mapping[str, Floats],
    *,
    scales: Mapping[str, Scale],
    ranges: Mapping[str, float],
    references: Sequence[ReferenceEvents],
    seed: int,
) -> Fitted:
    """Return the gate as a polygon around the cluster of the parent's events."""
    near, within = np.log(np.asarray(gate.near)), float(np.log(gate.within))
    fallback = (Ellipse(near, np.eye(2) * within**2, 1.0),)
    flags: list[Flag] = []
    if gate.core:
        core, others = _core(gate, columns, scales=scales, ranges=ranges, seed=seed, flags=flags)
        points, others = (cloud[_around(cloud, near, 2 * within)] for cloud in (core, others))
        found = _mixed(points, others) if len(points) >= FEWEST_EVENTS else ()
    else:
        points = _box(gate, columns)
        found = _spot(points) if len(points) >= FEWEST_EVENTS else ()
    flags.extend(_doubts(found, len(points), near, within, tight=not gate.core))
    if Flag.CLUSTER_OUT_OF_WINDOW in flags:
        found = ()
    beads = bool(found) and not gate.core and Flag.WIDE_CLUSTER not in flags
    placed = (*found, _pairs_of(found[0])) if beads else found or fallback
    kept, kept_by_fallback = (int(np.count_nonzero(_inside(region, points))) for region in (placed, fallback))
    if differs(kept, kept_by_fallback):
        flags.append(Flag.DIFFERS_FROM_FIXED)
    decisions = tuple(
        Decision(
            population=population,
            kind=gate.kind,
            parameter=f"center_{axis}",
            value=float(np.exp(center)),
            source=Source.CLUSTER if found else Source.FALLBACK,
            window=(middle / gate.within, middle * gate.within),
            events=len(points),
            fallback=middle,
            flags=tuple(flags),
            kept=kept,
            kept_by_fallback=kept_by_fallback,
        )
        for axis, center, middle in zip((gate.x, gate.y), placed[0].center, gate.near, strict=True)
    )
    if beads:
        decisions += (_pair_decision(population, gate, columns, *placed),)
    return Fitted(_polygon(gate, placed), decisions)


def _polygon(gate: ClusterGate, ellipses: Sequence[Ellipse]) -> PolygonGate:
    """Return the convex hull of ellipses, in data units."""
    corners = np.exp(_hull(np.concatenate([ellipse.edge() for ellipse in ellipses])))
    return PolygonGate(kind="polygon", x=gate.x, y=gate.y, vertices=tuple((float(x), float(y)) for x, y in corners))


def _pairs_of(single: Ellipse) -> Ellipse:
    """Return where two beads stuck together lie: at twice the signal on both axes, with some room."""
    return replace(single, center=single.center + np.log(2), distance_square=1.5 * DISTANCE_SQUARE)


def _pair_decision(
    population: str, gate: ClusterGate, columns: Mapping[str, Floats], single: Ellipse, pair: Ellipse
) -> Decision:
    """Return the share of pairs among single beads and pairs, percent, flagged from 3 % on.

    A pair is one event in the gate and two beads in the tube: ``counting.beads_acquired`` makes up for it.
    """
    x, y = np.exp(single.center)
    signals = columns[gate.x], columns[gate.y]
    bright = np.flatnonzero(signals[0] > x / 2)
    bright = bright[signals[1][bright] > y / 2]
    points = _logs(signals[0][bright], signals[1][bright])
    singles, doubles = int(np.count_nonzero(single.inside(points))), int(np.count_nonzero(pair.inside(points)))
    percent = 100 * doubles / max(1, singles + doubles)
    flags = (Flag.BEAD_DOUBLETS,) if percent >= LARGEST_PAIR_PERCENT else ()
    return Decision(
        population, gate.kind, PAIRS_PERCENT, percent, Source.CLUSTER, events=singles + doubles, flags=flags
    )


def _doubts(found: tuple[Ellipse, ...], events: int, near: Floats, within: float, *, tight: bool) -> list[Flag]:
    """Return the flags of a cluster: not found, found too far away, or too wide for beads."""
    if not found:
        return [Flag.FEW_EVENTS if events < FEWEST_EVENTS else Flag.NO_CLUSTER]
    flags: list[Flag] = []
    if float(np.abs(found[0].center - near).max()) > within:
        flags.append(Flag.CLUSTER_OUT_OF_WINDOW)
    if tight and float(np.sqrt(np.diag(found[0].covariance).max())) > LARGEST_BEAD_CV:
        flags.append(Flag.WIDE_CLUSTER)
    return flags


def _logs(x: Floats, y: Floats) -> Floats:
    """Return (m, 2) natural logs of the events that are positive and finite on both axes; each axis lies contiguous."""
    positive = (x > 0) & (y > 0) & np.isfinite(x) & np.isfinite(y)
    rows = slice(None) if positive.all() else np.flatnonzero(positive)
    return np.asarray(np.log(np.stack([x[rows], y[rows]])).T)


def _around(points: Floats, center: Floats, reach: float) -> npt.NDArray[np.bool_]:
    return np.asarray(np.abs(points - center).max(axis=1, initial=0) < reach)


def _inside(ellipses: Sequence[Ellipse], points: Floats) -> npt.NDArray[np.bool_]:
    inside = np.zeros(len(points), dtype=bool)
    for ellipse in ellipses:
        inside |= ellipse.inside(points)
    return inside


# ---------------------------------------------------------------- which events are looked at


def _box(gate: ClusterGate, columns: Mapping[str, Floats]) -> Floats:
    """Return the events around ``near``: beyond ``within``, so that a spot at its edge is whole."""
    reach = gate.within**1.5
    x, y = columns[gate.x], columns[gate.y]
    rows = np.flatnonzero((x > gate.near[0] / reach) & (x < gate.near[0] * reach))
    x, y = x[rows], y[rows]
    beside = (y > gate.near[1] / reach) & (y < gate.near[1] * reach)
    return _logs(thin(x[beside], FITTED_EVENTS), thin(y[beside], FITTED_EVENTS))


def _core(
    gate: ClusterGate,
    columns: Mapping[str, Floats],
    *,
    scales: Mapping[str, Scale],
    ranges: Mapping[str, float],
    seed: int,
    flags: list[Flag],
) -> tuple[Floats, Floats]:
    """Return the events bright in every core marker, and the others; no core where a marker has no valley."""
    x, y = (thinned(columns, axis, FITTED_EVENTS) for axis in (gate.x, gate.y))
    bright = np.ones(len(x), dtype=bool)
    for marker, window in gate.core.items():
        values = thinned(columns, marker, FITTED_EVENTS)
        valley = find_valley(
            values[np.isfinite(values)],
            window=window,
            prominence=0.15,
            full_scale=full_scale(scales.get(marker), ranges.get(marker)),
            range_limit=ranges.get(marker),
            seed=seed,
        )
        if valley is None:
            flags.append(Flag.NO_VALLEY)
            return np.zeros((0, 2)), _logs(x, y)
        bright &= values >= valley.at
    return _logs(x[bright], y[bright]), _logs(x[~bright], y[~bright])


# ---------------------------------------------------------------- where the cluster is


def _spot(points: Floats) -> tuple[Ellipse, ...]:
    """Return the ellipse of one tight spot: from the tallest place of the plane, reweighted; nothing if none holds."""
    spot = _reweighted(points, start=_mode(points), radius=0.25, smallest_sd=0.01)
    return () if spot is None else (spot,)


def _mixed(core: Floats, others: Floats) -> tuple[Ellipse, ...]:
    """Return the ellipses of a population of mixed sizes: the main spot of its core, and one of its larger cells.

    Activated T cells (blasts) are larger, and few or many. One ellipse loses them, or grows over the monocytes. So a
    mixture of two normals is fitted to the core, and each ellipse ends where the others take over (``_edge``).
    """
    main = _reweighted(core, start=_mode(core), radius=0.35, smallest_sd=0.05)
    if main is None:
        return ()
    beside, own = (int(np.count_nonzero(main.distances(cloud) < MIDDLE)) for cloud in (others, core))
    ratio = beside / max(1, own)
    placed: list[Ellipse] = []
    for spot in _two_normals(thin(core, MIXTURE_EVENTS), main):
        core, others = (cloud[~_inside(placed, cloud)] for cloud in (core, others))
        placed.append(replace(spot, distance_square=_edge(spot, core, others, ratio)))
    return tuple(placed)


def _edge(spot: Ellipse, core: Floats, others: Floats, ratio: float) -> float:
    """Return the squared distance at which events that do not belong outnumber those that do, shell by shell.

    ``ratio`` is the number of others (B and NK cells) per core event in the middle of the population; others beyond
    that ratio are foreign (monocytes). Never less than the ellipse's 90 %, never more than its 99.9 %.
    """
    shells = 2 * np.log(1 / (1 - np.array(EDGE_SHARES)))  # quantiles of chi-square with 2 degrees of freedom
    own = np.histogram(spot.distances(core), shells)[0]
    beside = np.histogram(spot.distances(others), shells)[0]
    foreign = np.maximum(beside - ratio * own, 0.0)
    outnumbered = np.flatnonzero(foreign > own * (1 + ratio) + FEWEST_FOREIGN)
    return float(shells[outnumbered[0]] if len(outnumbered) else shells[-1])


def _two_normals(points: Floats, main: Ellipse) -> tuple[Ellipse, ...]:
    """Return the one or two normals that describe points: expectation maximisation from the main spot.

    The second is kept if it holds at least 1 % and its centre is not the main one's: a heavy tail is no population.
    """
    far = points[main.distances(points) > 6]
    if len(far) < FEWEST_EVENTS:
        return (main,)
    parts = [main, Ellipse(np.median(far, axis=0), main.covariance)]
    shares = np.array([0.8, 0.2])
    for _ in range(EM_ROUNDS):
        logs = np.stack(
            [-0.5 * part.distances(points) - 0.5 * np.log(np.linalg.det(part.covariance)) for part in parts]
        )
        likely = shares[:, None] * np.exp(logs)
        likely /= likely.sum(axis=0) + 1e-300
        before, shares = shares, likely.mean(axis=1)
        if shares.min() * len(points) < FEWEST_SECOND:
            return (main,)
        for index, weights in enumerate(likely):
            center = weights @ points / weights.sum()
            offset = points - center
            covariance = (offset * weights[:, None]).T @ offset / weights.sum() + np.eye(2) * 0.03**2
            parts[index] = Ellipse(center, covariance)
        if float(np.abs(shares - before).max()) < SETTLED:
            break
    big, small = (parts[index] for index in np.argsort(-shares))
    if shares.min() < SMALLEST_SECOND_SHARE or float(big.distances(small.center[None])[0]) < 1:
        return (main,)
    return (big, small)


def _mode(points: Floats) -> Floats:
    """Return the tallest place of the plane, on a grid of 0.04 ln units summed over its neighbours."""
    step = 0.04
    low = points.min(axis=0)
    cells = ((points - low) / step).astype(np.intp)
    width, height = cells.max(axis=0) + 1
    counts = np.bincount(cells[:, 0] * height + cells[:, 1], minlength=int(width * height)).reshape(width, height)
    padded = np.pad(counts, 1)
    smooth = np.zeros_like(counts)
    for i in range(3):
        for j in range(3):
            smooth += padded[i : i + width, j : j + height]
    tallest = np.array(np.unravel_index(np.argmax(smooth), smooth.shape))
    return np.asarray(low + (tallest + 0.5) * step)


def _reweighted(points: Floats, *, start: Floats, radius: float, smallest_sd: float) -> Ellipse | None:
    """Return mean and covariance of the events near ``start``, found again from those inside their own ellipse."""
    ellipse = Ellipse(start, np.eye(2) * radius**2, 1.0)
    for _ in range(REWEIGHTS):
        members = np.flatnonzero(ellipse.inside(points))
        if len(members) < FEWEST_EVENTS:
            return None
        x, y = points[members, 0], points[members, 1]
        center = np.array([x.mean(), y.mean()])
        x -= center[0]
        y -= center[1]
        across = (x * y).sum()  # not x @ y: BLAS would wake its threads, which wait for each other on a busy machine
        covariance = np.array([[(x * x).sum(), across], [across, (y * y).sum()]]) / (len(x) - 1)
        floor = max(0.0, smallest_sd**2 - float(np.diag(covariance).min()))
        ellipse = Ellipse(center, covariance + np.eye(2) * (floor + 1e-9))
    return ellipse


def _hull(points: Floats) -> Floats:
    """Return the corners of the convex hull, counter-clockwise (Andrew's monotone chain, 1979)."""
    ordered = points[np.lexsort((points[:, 1], points[:, 0]))]
    return np.array([*_half_hull(ordered)[:-1], *_half_hull(ordered[::-1])[:-1]])


def _half_hull(ordered: Floats) -> list[Floats]:
    hull: list[Floats] = []
    for point in ordered:
        while len(hull) >= 2:
            (ax, ay), (bx, by) = hull[-1] - hull[-2], point - hull[-2]
            if ax * by - ay * bx > 0:
                break
            hull.pop()
        hull.append(point)
    return hull
