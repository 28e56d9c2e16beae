"""Estimates and their intervals."""

from __future__ import annotations

import pytest


def test_an_expanded_uncertainty_of_19_1_percent_of_350_is_the_published_interval() -> None:
    """Cytometry B, PMC9300141."""
    from cytocar.statistics.estimate import expanded

    estimate = expanded(350.0, [0.191 / 2])
    assert estimate.low == pytest.approx(283.15)
    assert estimate.high == pytest.approx(416.85)
    assert estimate.value == 350.0
    together = expanded(100.0, [0.03, 0.04])
    assert together.high == pytest.approx(110.0)
    assert expanded(100.0, [0.03, 0.04], coverage=3.0).low == pytest.approx(85.0)
    thirds = expanded(1.0, [1 / 3])
    assert (thirds.low, thirds.high) == (0.333333333, 1.666666667)  # tables compare as texts
