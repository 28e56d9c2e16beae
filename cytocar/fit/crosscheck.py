"""A second opinion on CD4 and CD8: a mixture of normals and density clusters, which warn and never place a line.

Where both populations exist a mixture is the best placer; where one does not, it invents it. So lines come from
valleys (``evidence``), and what the two methods count differently is said.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cytocar.fit.gated import Study
from cytocar.gates.adaptive.parent_events import thin

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]

COMPARED_EVENTS = 4000
FEWEST_EVENTS = 300
MOST_COMPONENTS = 6
SMALLEST_GAP = 0.08
"""Share of the axis between the centres of negative and positive components; less is one group."""
LARGEST_DIFFERENCE = 0.20
SMALLEST_CLUSTER, SMALLEST_CLUSTER_SHARE, NEIGHBOURS = 25, 0.01, 10


def compare_with_clusters(study: Study, parent: str) -> None:
    """Doubt CD4 and CD8 counts that differ by more than a fifth from what mixture and clusters count."""
    if not {"cd4", "cd8"} <= study.masks.keys() or not study.has("CD4", "CD8"):
        return
    each = max(1, COMPARED_EVENTS // len(study.tubes))
    rows = [thin(np.flatnonzero(mask), each) for mask in study.masks[parent]]
    points = np.concatenate(
        [
            np.stack(
                [study.scales[marker].approximate(tube.signals[marker][chosen]) for marker in ("CD4", "CD8")], axis=1
            )
            for tube, chosen in zip(study.tubes, rows, strict=True)
        ]
    )
    if len(points) < FEWEST_EVENTS:
        return
    from threadpoolctl import threadpool_limits

    counted = [
        sum(int(mask[chosen].sum()) for mask, chosen in zip(study.masks[name], rows, strict=True))
        for name in ("cd4", "cd8")
    ]
    with threadpool_limits(1):  # threads of BLAS wait for each other on a busy machine: 0.3 s against 6 s
        opinions = (("a mixture of normals", _mixture(points)), ("density clusters", _clusters(points)))
    for method, counts in opinions:
        if counts is None:
            continue
        differing = [
            f"{name} {1 if count == 0 else other / count:.2f} times"
            for name, count, other in zip(("CD4", "CD8"), counted, counts, strict=True)
            if abs(other - count) > LARGEST_DIFFERENCE * max(count, 1) + 2 * np.sqrt(count + other)
        ]
        if differing:
            study.doubt("W347", f"{method} count {' and '.join(differing)} as many cells: look at CD4 against CD8")


def _mixture(points: Floats) -> tuple[int, int] | None:
    """Return CD4+CD8- and CD8+CD4- events by the mixture with the least BIC."""
    from sklearn.mixture import GaussianMixture

    fits = [
        GaussianMixture(number, random_state=0, reg_covar=1e-5, max_iter=60, tol=5e-3).fit(points)
        for number in range(1, MOST_COMPONENTS + 1)
    ]
    best = min(fits, key=lambda fit: float(fit.bic(points)))
    return _quadrants(np.asarray(best.means_), np.asarray(best.predict(points)))


def _clusters(points: Floats) -> tuple[int, int] | None:
    """Return CD4+CD8- and CD8+CD4- events by HDBSCAN; what it calls noise belongs to the nearest centre."""
    from sklearn.cluster import HDBSCAN

    smallest = max(SMALLEST_CLUSTER, round(SMALLEST_CLUSTER_SHARE * len(points)))
    labels = np.asarray(HDBSCAN(min_cluster_size=smallest, min_samples=NEIGHBOURS, copy=True).fit_predict(points))
    if labels.max(initial=-1) < 1:
        return None
    centers = np.array([np.median(points[labels == label], axis=0) for label in range(labels.max() + 1)])
    noise = labels < 0
    distances = ((points[noise, np.newaxis] - centers) ** 2).sum(axis=2)
    labels[noise] = distances.argmin(axis=1)
    return _quadrants(centers, labels)


def _quadrants(centers: Floats, labels: Ints) -> tuple[int, int] | None:
    """Return events of the single-positive quadrants; components are parted at the largest gap of their centres."""
    positive = np.zeros(centers.shape, dtype=bool)
    for axis in (0, 1):
        ordered = np.sort(centers[:, axis])
        gaps = np.diff(ordered)
        if not len(gaps) or gaps.max() < SMALLEST_GAP:
            return None
        positive[:, axis] = centers[:, axis] > ordered[gaps.argmax()]
    of_events = positive[labels]
    return int((of_events[:, 0] & ~of_events[:, 1]).sum()), int((of_events[:, 1] & ~of_events[:, 0]).sum())
