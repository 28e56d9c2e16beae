"""The ``cluster`` gate: counting beads (a tight spot, and pairs of them), or lymphocytes around T cells (``core``).

Both are found on ln axes and drawn as a polygon: beads wherever they are bright and tight, lymphocytes near the place
that the template names. Nothing found: everything within the template's factor of its place, and a flag; such a region
is drawn, but never counted by (``Source.FALLBACK``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from msgspec.structs import replace

from cytocar.gates.adaptive.density import Floats, thinned
from cytocar.gates.adaptive.parent_events import thin
from cytocar.gates.adaptive.spots import (
    FEWEST_EVENTS,
    BeadSpot,
    Ellipse,
    bead_spot,
    inside_any,
    logs_of,
    mode_of,
    reweighted,
    some_of,
)
from cytocar.gates.adaptive.valley import find_valley, full_scale
from cytocar.gates.decision import PAIRS_PERCENT, Decision, FitInput, Fitted, Flag, Source, differs
from cytocar.regions.polygon import PolygonGate
from cytocar.statistics.order import medians
from cytocar.template.gate_kinds import ClusterGate

FITTED_EVENTS = 30_000
"""Looked at, evenly over the run: more make it slower and move a centre by less than a hundredth of its width."""
LARGEST_PAIR_PERCENT = 3.0
"""Beads that stick together by more than this are flagged BEAD_DOUBLETS; the count takes a pair as two in any case."""
WIDEST_BEAD_CV = 0.20
"""Beads as wide as this are counted, and looked at: their detector drifted. Beyond it they are no beads."""
FAR = 32.0
"""Beads are looked for down to this part of their usual brightness: below it all cells are as bright."""
MIXTURE_EVENTS, EM_ROUNDS, SETTLED = 5000, 25, 2e-4
"""Events looked at, rounds at most, and the change of the shares that ends them: more take longer."""
SMALLEST_SECOND_SHARE, FEWEST_SECOND = 0.01, 30
"""A second normal with less, or with fewer events, is a heavy tail of the first and no population."""
MIDDLE = 4.6
"""Squared distance that holds 90 % of a normal's events."""
EDGE_SHARES = (0.95, 0.975, 0.99, 0.995, 0.999)
"""Shares of a normal's events at which an ellipse may end, beyond the least one of its gate."""
DIMMER = 0.4
"""Of ln CD45: larger T cells carry as much as the others or more, dead ones about a third."""
FEWEST_FOREIGN = 10
"""More foreign events than this in a shell, so that a handful by chance does not end the ellipse."""


def fit(gate: ClusterGate, given: FitInput) -> Fitted:
    """Return the gate as a polygon around the cluster of the parent's events."""
    if gate.core:
        return _fit_lymphocytes(gate, given)
    return _fit_beads(gate, given)


def _fit_lymphocytes(gate: ClusterGate, given: FitInput) -> Fitted:
    near, within = np.log(np.asarray(gate.near)), float(np.log(gate.within))
    flags: list[Flag] = []
    core, others = _core(gate, given, flags)
    points, others = (some_of(cloud, _around(cloud, near, 2 * within)) for cloud in (core, others))
    apart = not (is_scatter(gate.x) and is_scatter(gate.y))
    ellipses = _mixed(points, others, apart=apart, least=gate.least) if len(points) >= FEWEST_EVENTS else ()
    if not ellipses:
        flags.append(Flag.FEW_EVENTS if len(points) < FEWEST_EVENTS else Flag.NO_CLUSTER)
    elif float(np.abs(ellipses[0].center - near).max()) > within:
        flags.append(Flag.CLUSTER_OUT_OF_WINDOW)
        ellipses = ()
    return Fitted(*_placed(given.population, gate, points, ellipses, flags))


def _fit_beads(gate: ClusterGate, given: FitInput) -> Fitted:
    """Return the gate around the beads, wherever they are; no spot, or several: the fallback, which counts nothing."""
    near, within = np.log(np.asarray(gate.near)), float(np.log(gate.within))
    top = np.log([given.ranges.get(axis, np.inf) for axis in (gate.x, gate.y)])
    points = _bright(gate, given.columns)
    spot = bead_spot(points, top=top)
    flags: list[Flag] = []
    ellipses: tuple[Ellipse, ...] = ()
    if spot is None:
        box = some_of(points, _around(points, near, 1.5 * within))
        ellipses = _wide_spot(box)
        flags.append(
            Flag.FEW_EVENTS if len(box) < FEWEST_EVENTS else Flag.WIDE_CLUSTER if ellipses else Flag.NO_CLUSTER
        )
    elif spot.others:
        flags.append(Flag.SEVERAL_CLUSTERS)
    else:
        ellipses = (spot.single, spot.pair)
        if float(np.abs(spot.single.center - near).max()) > within:
            flags.append(Flag.CLUSTER_OUT_OF_WINDOW)
    polygon, decisions = _placed(given.population, gate, points, ellipses, flags)
    if spot is not None and ellipses:
        decisions += (_pair_decision(given.population, gate, spot),)
    return Fitted(polygon, decisions)


def _placed(
    population: str, gate: ClusterGate, points: Floats, ellipses: tuple[Ellipse, ...], flags: list[Flag]
) -> tuple[PolygonGate, tuple[Decision, ...]]:
    """Return the polygon around what was found, or the template's place, and the decisions on its centre.

    Beads that were found are not held against the place in the template: they are where they are.
    """
    near = np.log(np.asarray(gate.near))
    fallback = (Ellipse(near, np.eye(2) * float(np.log(gate.within)) ** 2, 1.0),)
    placed = ellipses or fallback
    kept, kept_by_fallback = (int(np.count_nonzero(inside_any(region, points))) for region in (placed, fallback))
    if gate.core and differs(kept, kept_by_fallback):
        flags.append(Flag.DIFFERS_FROM_FIXED)
    decisions = tuple(
        Decision(
            population=population,
            kind=gate.kind,
            parameter=f"center_{axis}",
            value=float(np.exp(center)),
            source=Source.CLUSTER if ellipses else Source.FALLBACK,
            window=(middle / gate.within, middle * gate.within),
            events=len(points),
            fallback=middle,
            flags=tuple(flags),
            kept=kept,
            kept_by_fallback=kept_by_fallback,
        )
        for axis, center, middle in zip((gate.x, gate.y), placed[0].center, gate.near, strict=True)
    )
    return _polygon(gate, placed), decisions


def _polygon(gate: ClusterGate, ellipses: Sequence[Ellipse]) -> PolygonGate:
    """Return the convex hull of ellipses, in data units."""
    corners = np.exp(_hull(np.concatenate([ellipse.edge() for ellipse in ellipses])))
    return PolygonGate(x=gate.x, y=gate.y, vertices=tuple((float(x), float(y)) for x, y in corners))


def _pair_decision(population: str, gate: ClusterGate, spot: BeadSpot) -> Decision:
    """Return the share of pairs among single beads and pairs, percent, flagged from 3 % on.

    A pair is one event in the gate and two beads in the tube: ``counting.beads_acquired`` makes up for it.
    """
    together = spot.singles + spot.pairs
    percent = 100 * spot.pairs / max(1, together)
    flags = (Flag.BEAD_DOUBLETS,) if percent >= LARGEST_PAIR_PERCENT else ()
    return Decision(population, gate.kind, PAIRS_PERCENT, percent, Source.CLUSTER, events=together, flags=flags)


def _around(points: Floats, center: Floats, reach: float) -> npt.NDArray[np.bool_]:
    x, y = points.T
    return np.asarray((np.abs(x - center[0]) < reach) & (np.abs(y - center[1]) < reach))


# ---------------------------------------------------------------- which events are looked at


def _bright(gate: ClusterGate, columns: Mapping[str, Floats]) -> Floats:
    """Return the events bright on both axes; on scatter, where every event is, those around the template's place."""
    reach = gate.within**1.5 if is_scatter(gate.x) or is_scatter(gate.y) else FAR
    x, y = columns[gate.x], columns[gate.y]
    rows = np.flatnonzero((x > gate.near[0] / reach) & (y > gate.near[1] / reach))
    points = logs_of(x[rows], y[rows])
    if reach < FAR:
        points = some_of(points, _around(points, np.log(np.asarray(gate.near)), float(np.log(reach))))
    return np.asfortranarray(thin(points, FITTED_EVENTS))


def is_scatter(axis: str) -> bool:
    """True if an axis is a pulse of scattered light.

    Examples
    --------
    >>> is_scatter("SSC-A"), is_scatter("CD4")
    (True, False)
    """
    return axis.upper().startswith(("FSC", "SSC", "BSC", "FS ", "SS ", "FS-", "SS-"))


def _core(gate: ClusterGate, given: FitInput, flags: list[Flag]) -> tuple[Floats, Floats]:
    """Return the events bright in every core marker, and the others; no core where a marker has no valley."""
    x, y = (thinned(given.columns, axis, FITTED_EVENTS) for axis in (gate.x, gate.y))
    bright = np.ones(len(x), dtype=bool)
    for marker, window in gate.core.items():
        values = thinned(given.columns, marker, FITTED_EVENTS)
        valley = find_valley(
            values[np.isfinite(values)],
            window=window,
            prominence=0.15,
            full_scale=full_scale(given.scales.get(marker), given.ranges.get(marker)),
            range_limit=given.ranges.get(marker),
            seed=given.seed,
        )
        if valley is None:
            flags.append(Flag.NO_VALLEY)
            return np.zeros((0, 2)), logs_of(x, y)
        bright &= values >= valley.at
    return logs_of(x[bright], y[bright]), logs_of(x[~bright], y[~bright])


# ---------------------------------------------------------------- where the cluster is


def _wide_spot(points: Floats) -> tuple[Ellipse, ...]:
    """Return the one spot near the template's place, if it is no wider than beads through a drifting detector."""
    if len(points) < FEWEST_EVENTS:
        return ()
    spot = reweighted(points, start=mode_of(points), radius=0.25, smallest_sd=0.01)
    narrow = spot is not None and float(np.sqrt(np.diag(spot.covariance).max())) <= WIDEST_BEAD_CV
    return (spot,) if spot is not None and narrow else ()


def _mixed(core: Floats, others: Floats, *, apart: bool, least: float) -> tuple[Ellipse, ...]:
    """Return the ellipses of a population of mixed sizes: the main spot of its core, and one of its larger cells.

    Activated T cells (blasts) are larger, and few or many. One ellipse loses them, or grows over the monocytes. So a
    mixture of two normals is fitted to the core, and each ellipse ends where the others take over (``_edge``). Where a
    colour sets monocytes ``apart`` (CD45), a second ellipse in their midst, or of dimmer cells, is none of larger
    cells; on scatter alone blasts lie among them.
    """
    main = reweighted(core, start=mode_of(core), radius=0.35, smallest_sd=0.05)
    if main is None:
        return ()
    beside, own = (int(np.count_nonzero(main.distances(cloud) < MIDDLE)) for cloud in (others, core))
    ratio = beside / max(1, own)
    placed: list[Ellipse] = []
    for spot in _two_normals(np.asfortranarray(thin(core, MIXTURE_EVENTS)), main):
        core, others = (some_of(cloud, ~inside_any(placed, cloud)) for cloud in (core, others))
        dim = bool(placed) and spot.center[0] < placed[0].center[0] - DIMMER
        if placed and apart and (dim or _is_foreign(spot, core, others, ratio)):
            break
        placed.append(replace(spot, distance_square=_edge(spot, core, others, ratio, least)))
    return tuple(placed)


def _is_foreign(spot: Ellipse, core: Floats, others: Floats, ratio: float) -> bool:
    """True if a second spot lies in the midst of others: pairs of T cells with monocytes lie where these do."""
    own, beside = (int(np.count_nonzero(spot.distances(cloud) < MIDDLE)) for cloud in (core, others))
    return beside - ratio * own > own * (1 + ratio) + FEWEST_FOREIGN


def _edge(spot: Ellipse, core: Floats, others: Floats, ratio: float, least: float) -> float:
    """Return the squared distance at which events that do not belong outnumber those that do, shell by shell.

    ``ratio`` is the number of others (B and NK cells) per core event in the middle of the population; others beyond
    that ratio are foreign (monocytes). Never less than the ellipse's ``least`` share, never more than its 99.9 %.
    """
    shares = np.array([least, *(share for share in EDGE_SHARES if share > least)])
    shells = 2 * np.log(1 / (1 - shares))  # quantiles of chi-square with 2 degrees of freedom
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
    parts = [main, Ellipse(medians(far.T), main.covariance)]
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


def _hull(points: Floats) -> Floats:
    """Return the corners of the convex hull, counter-clockwise (Andrew's monotone chain, 1979)."""
    ordered = points[np.lexsort((points[:, 1], points[:, 0]))].tolist()
    return np.array([*_half_hull(ordered)[:-1], *_half_hull(ordered[::-1])[:-1]])


def _half_hull(ordered: Sequence[list[float]]) -> list[list[float]]:
    hull: list[list[float]] = []
    for x, y in ordered:
        while len(hull) >= 2:
            (last_x, last_y), (from_x, from_y) = hull[-1], hull[-2]
            if (last_x - from_x) * (y - from_y) - (last_y - from_y) * (x - from_x) > 0:
                break
            hull.pop()
        hull.append([x, y])
    return hull
