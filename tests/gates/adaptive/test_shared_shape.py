"""One shape for the tubes of a subject: what bright tubes tell a dim one, in any order, and when there is none."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from cytocar.gates.adaptive.positives import LOW_STAIN_INDEX, OVERLAP_DOUBT, Seen
from cytocar.gates.adaptive.shared_shape import shared_shape

THRESHOLD = 4.5
"""In standard deviations of the negatives."""


def tube(positives: int, median: float = 12.0, *, seed: int = 1, log_sd: float = 0.8) -> Seen:
    """Return 20,000 T cells, so many of them positive, about a threshold."""
    random = np.random.default_rng(seed)
    bright = median * np.exp(random.normal(0, log_sd, positives)) + random.normal(size=positives)
    sample = np.sort(np.concatenate([random.normal(size=20_000 - positives), bright]))
    reference = np.sort(random.normal(size=100_000))
    return Seen(sample[sample > 0.9], reference[reference > 0.9], 20_000, 100_000, THRESHOLD)


def test_the_few_positives_of_one_tube_are_seen_as_the_many_of_the_others_are() -> None:
    many, few = [tube(4000, seed=1), tube(2000, seed=2), tube(800, seed=3)], tube(6, seed=4)
    shape = shared_shape([*many, few])
    bright = 12.0 * np.exp(np.random.default_rng(9).normal(0, 0.8, 100_000))
    true = float(np.mean(bright + np.random.default_rng(8).normal(size=100_000) >= THRESHOLD))
    mean, sd = shape.sensitivities[-1]
    assert mean == pytest.approx(true, abs=0.05)
    assert sd < 0.12
    assert shape.median == pytest.approx(12, rel=0.1)
    assert not shape.refused


def test_overlap_with_the_negatives_widens_every_tubes_sensitivity() -> None:
    apart, close = ([tube(2000, median, seed=seed) for seed in (1, 2, 3)] for median in (24.0, 7.0))
    clear, overlapping = shared_shape(apart), shared_shape(close)
    assert clear.stain_index is not None and overlapping.stain_index is not None
    assert clear.stain_index > 9 and overlapping.stain_index < LOW_STAIN_INDEX
    for mean, sd in overlapping.sensitivities:
        assert sd > OVERLAP_DOUBT * (1 - mean)
    assert all(
        sd < 0.5 * sd_of for (_, sd), (_, sd_of) in zip(clear.sensitivities, overlapping.sensitivities, strict=True)
    )


def test_any_order_of_the_tubes_gives_the_same_numbers() -> None:
    tubes = [tube(3000, seed=1), tube(500, seed=2), tube(40, seed=3), tube(0, seed=4)]
    first = dict(zip(map(id, tubes), shared_shape(tubes).sensitivities, strict=True))
    for order in permutations(tubes):
        shape = shared_shape(order)
        assert dict(zip(map(id, order), shape.sensitivities, strict=True)) == first


@pytest.mark.parametrize(
    ("tubes", "why"),
    [
        ([tube(3000), tube(500, seed=2)], "2 tubes"),
        ([tube(20), tube(30, seed=2), tube(0, seed=3)], "100 are needed"),
        ([tube(3000), tube(2000, seed=2), tube(2000, median=24, seed=3)], "not as bright"),
    ],
)
def test_tubes_that_share_no_shape_are_refused_with_the_reason(tubes: list[Seen], why: str) -> None:
    shape = shared_shape(tubes)
    assert why in shape.refused
    assert shape.sensitivities == ()
