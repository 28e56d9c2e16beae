"""Estimates and their intervals."""

from __future__ import annotations

import pytest


def test_an_expanded_uncertainty_of_19_1_percent_of_350_is_the_published_interval() -> None:
    """Cytometry B, PMC9300141."""
    from cytocar.statistics.estimate import expanded

    estimate = expanded(350.0, [0.191 / 2])
    assert estimate.low == pytest.approx(283.15)
    assert estimate.high == pytest.approx(416.85)
    together = expanded(100.0, [0.03, 0.04])
    assert together.high == pytest.approx(110.0)
