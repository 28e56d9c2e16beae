"""Spillover matrices from single stains: a published reference, and mixtures made here."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from cytocar.errors.tree import CompensationError
from cytocar.signals.spillover_estimate import Estimated, Method, SingleStain, estimate

TRUTH = np.array([[1.0, 0.2, 0.01], [0.03, 1.0, 0.15], [0.0, 0.05, 1.0]])
NAMES = ("FITC-A", "PE-A", "APC-A")
Floats = npt.NDArray[np.float64]


def stained(position: int, *, share: float = 0.5, outliers: int = 0) -> Floats:
    """4,000 events, some of them stained with the dye at ``position``, after spillover and noise."""
    random = np.random.default_rng(position + 1)
    dyes = np.zeros((4000, 3))
    positives = random.random(4000) < share
    dyes[positives, position] = random.lognormal(9.0, 0.4, positives.sum())
    signals = dyes @ TRUTH + random.normal(100, 20, (4000, 3))
    signals[:outliers, (position + 1) % 3] += 20_000
    return np.asarray(signals, dtype=np.float64)


def estimated(method: Method, *, share: float, outliers: int = 0) -> Estimated:
    controls = [stained(position, share=share, outliers=outliers) for position in range(3)]
    stains = [SingleStain(name, signals, signals) for name, signals in zip(NAMES, controls, strict=True)]
    return estimate(stains, stained(0, share=0.0), method)


@pytest.mark.parametrize("method", Method)
def test_both_methods_find_the_matrix_of_controls_that_are_all_stained(method: Method) -> None:
    found = estimated(method, share=1.0)
    assert found.matrix.detectors == NAMES
    np.testing.assert_allclose(found.matrix.values, TRUTH, atol=0.003)
    assert max(found.left) < 0.005


def test_regression_needs_neither_a_majority_of_stained_cells_nor_clean_ones() -> None:
    found = estimated(Method.REGRESSION, share=0.3, outliers=80)
    np.testing.assert_allclose(found.matrix.values, TRUTH, atol=0.003)


def test_a_control_that_took_no_stain_is_refused() -> None:
    signals = stained(0, share=0.0)
    with pytest.raises(CompensationError, match="no brighter") as refused:
        estimate([SingleStain("FITC-A", signals - 5, signals)], signals, Method.MEDIANS)
    assert refused.value.code == "E047"


def test_a_control_of_a_handful_of_events_is_refused() -> None:
    signals = stained(0, share=1.0)
    with pytest.raises(CompensationError, match="12 events to measure"):
        estimate([SingleStain("FITC-A", signals, signals[:12])], stained(0, share=0.0), Method.MEDIANS)
