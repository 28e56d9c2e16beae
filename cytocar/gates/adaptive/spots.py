"""Tight spots on ln axes: an ellipse around events that are nearly alike, and which of several spots are beads.

Counting beads are made alike: their signals vary by some percent where cells of one kind vary by twenty and more. So
beads are found by that, wherever they are; pairs of beads are as tight, at twice the signal.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from msgspec import Struct
from msgspec.structs import replace

from cytocar.gates.adaptive.density import Floats

FEWEST_EVENTS = 50
"""Events for a place and a covariance: with 50 the centre is known to a seventh of the cluster's width."""
DISTANCE_SQUARE = 13.8
"""Squared Mahalanobis distance: the 99.9 % quantile of chi-square with 2 degrees of freedom."""
REWEIGHTS = 5
"""Rounds of leaving out events far from the fit: more change nothing once the members stay the same."""
CORNERS = 64
"""Of the polygon that stands for an ellipse of the same area: 64 stay within 0.2 % of its radius."""
LARGEST_BEAD_CV = 0.10
"""Counting beads vary by 3 to 7 %; lymphocytes stained alike by 20 % and more."""
MOST_SPOTS = 8
"""Beads, their pairs and triplets, a second kind with its own, and two to spare."""
FEW_BESIDE = 0.25
"""Events in the ring of the same area around a spot, as a share of its own: more, and it is a part of something."""
PAIR_TOLERANCE = 0.12
"""In ln units: pairs lie within a tenth of twice the signal, less where the detector is not quite linear."""
SECOND_SHARE = 0.2
"""A second spot with at least so many of the first one's events: which one was counted into the tube?"""


class Ellipse(Struct, frozen=True, eq=False):
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
        """Which points (n, 2) lie in the ellipse."""
        return self.distances(points) <= self.distance_square

    def edge(self) -> Floats:
        """Return corners (CORNERS, 2) that stand a little outside, so that their polygon has the ellipse's area."""
        angle = np.linspace(0, 2 * np.pi, CORNERS, endpoint=False)
        reach = np.sqrt(self.distance_square * angle[1] / np.sin(angle[1]))
        circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        return np.asarray(self.center + reach * circle @ np.linalg.cholesky(self.covariance).T)


def logs_of(x: Floats, y: Floats) -> Floats:
    """Return (m, 2) natural logs of the events that are positive and finite on both axes; each axis lies contiguous."""
    positive = (x > 0) & (y > 0) & np.isfinite(x) & np.isfinite(y)
    rows = slice(None) if positive.all() else np.flatnonzero(positive)
    return np.asarray(np.log(np.stack([x[rows], y[rows]])).T)


def some_of(points: Floats, wanted: npt.NDArray[np.bool_]) -> Floats:
    """Return some of the points (n, 2) as (m, 2); each axis lies contiguous, which every step with them gains by."""
    return points.T.compress(wanted, axis=1).T


def mode_of(points: Floats) -> Floats:
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


def reweighted(points: Floats, *, start: Floats, radius: float, smallest_sd: float) -> Ellipse | None:
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


# ---------------------------------------------------------------- which spots are beads


class BeadSpot(Struct, frozen=True, eq=False):
    """The spot of single beads, where pairs of them lie, and how many events each holds.

    ``others`` is the number of spots that are neither, and hold at least a fifth as many events.
    """

    single: Ellipse
    pair: Ellipse
    singles: int
    pairs: int
    others: int = 0


def bead_spot(points: Floats, *, top: Floats) -> BeadSpot | None:
    """Return the spot that is counting beads: the one that holds most events, of those that are no pairs of another.

    Parameters
    ----------
    points : (n, 2) float64
        Natural logs of two colours of events bright in both.
    top : (2,) float64
        Natural logs of the ends of both ranges, ``inf`` where there is none: events there pile up whatever they are.
    """
    below = some_of(points, (points < top + np.log(0.999)).all(axis=1))
    spots = tight_spots(below)
    counts = [int(np.count_nonzero(spot.inside(below))) for spot in spots]
    alone = [
        number
        for number, spot in enumerate(spots)
        if not any(
            _is_pair(spot, single) and counts[number] < count for single, count in zip(spots, counts, strict=True)
        )
    ]
    if not alone:
        return None
    main = max(alone, key=lambda number: counts[number])
    pair = pairs_of(spots[main], top)
    rivals = [n for n in alone if n != main and counts[n] >= max(FEWEST_EVENTS, SECOND_SHARE * counts[main])]
    return BeadSpot(spots[main], pair, counts[main], int(np.count_nonzero(pair.inside(points))), len(rivals))


def tight_spots(points: Floats) -> list[Ellipse]:
    """Return every spot whose events are nearly alike, the tallest place of the plane first."""
    spots: list[Ellipse] = []
    for _ in range(MOST_SPOTS):
        if len(points) < FEWEST_EVENTS:
            break
        start = mode_of(points)
        spot = reweighted(points, start=start, radius=0.25, smallest_sd=0.01)
        if spot is None:
            points = some_of(points, Ellipse(start, np.eye(2) * 0.25**2, 1.0).distances(points) > 1)
            continue
        if _is_tight(spot, points):
            spots.append(spot)
        left = spot.distances(points) > spot.distance_square
        points = some_of(points, left & (Ellipse(start, np.eye(2) * 0.25**2, 1.0).distances(points) > 1))
    return spots


def _is_tight(spot: Ellipse, points: Floats) -> bool:
    if float(np.sqrt(np.diag(spot.covariance).max())) > LARGEST_BEAD_CV:
        return False
    distances = spot.distances(points)
    own = np.count_nonzero(distances <= spot.distance_square)
    around = np.count_nonzero((distances > spot.distance_square) & (distances <= 2 * spot.distance_square))
    return bool(around <= FEW_BESIDE * own)


def _is_pair(spot: Ellipse, single: Ellipse) -> bool:
    """True if a spot lies where two or three of another spot's beads stuck together do."""
    apart = spot.center - single.center
    return any(bool((np.abs(apart - np.log(beads)) < PAIR_TOLERANCE).all()) for beads in (2, 3))


def pairs_of(single: Ellipse, top: Floats) -> Ellipse:
    """Where two beads stuck together lie: at twice the signal or at the range's end, with some room."""
    return replace(single, center=np.minimum(single.center + np.log(2), top), distance_square=1.5 * DISTANCE_SQUARE)


def inside_any(ellipses: Sequence[Ellipse], points: Floats) -> npt.NDArray[np.bool_]:
    """Which points lie in one ellipse or another."""
    inside = np.zeros(len(points), dtype=bool)
    for ellipse in ellipses:
        inside |= ellipse.inside(points)
    return inside
