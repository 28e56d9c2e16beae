"""Single events: doublets go, large single cells stay."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from matplotlib.path import Path

from cytocar.gates.adaptive import singlets
from cytocar.gates.adaptive.density import Floats
from cytocar.gates.decision import FitInput, Fitted
from cytocar.regions.polygon import PolygonGate
from cytocar.template.gate_kinds import SingletsGate

Bools = npt.NDArray[np.bool_]

HEIGHT = SingletsGate(area="FSC-A", height="FSC-H")
WIDTH = SingletsGate(area="FSC-A", width="FSC-W", window=(0.4, 2.0))


def tube(n: int, doublets: float = 0.05, blasts: float = 0.1, seed: int = 0) -> tuple[Floats, Floats, Bools]:
    """Return area, height and which events are doublets: areas add, heights hardly."""
    random = np.random.default_rng(seed)
    area = 97e3 * np.exp(random.normal(0, 0.13, n)) * np.where(random.random(n) < blasts, 1.5, 1.0)
    height = 0.8 * area**0.99 * np.exp(random.normal(0, 0.03, n))
    double = random.random(n) < doublets
    partner = random.permutation(n)
    height = np.where(double, np.maximum(height, height[partner]) * 1.05, height)
    area = np.where(double, area + area[partner], area)
    return area, height, double


def inside(fitted: Fitted, x: Floats, y: Floats) -> Bools:
    assert isinstance(fitted.gate, PolygonGate)
    return np.asarray(Path(fitted.gate.vertices).contains_points(np.stack([x, y], axis=1)))


def place(gate: SingletsGate, area: Floats, pulse: Floats) -> Fitted:
    columns = dict(zip(gate.markers(), (area, pulse), strict=True))
    ranges = dict.fromkeys(gate.markers(), 1e6)
    return singlets.fit(gate, FitInput("singlets", columns, ranges=ranges))


@pytest.mark.parametrize("doublets", [0.0, 0.05, 0.2])
@pytest.mark.parametrize("gate", [HEIGHT, WIDTH], ids=["height", "width"])
def test_doublets_go_and_blasts_stay(gate: SingletsGate, doublets: float) -> None:
    area, height, double = tube(20_000, doublets)
    pulse = height if gate.height else 65536 * area / height
    kept = inside(place(gate, area, pulse), area, pulse)
    large = ~double & (area > 120e3)
    assert kept[~double].mean() > 0.98
    assert kept[large].mean() > 0.95
    if doublets:
        assert kept[double].mean() < 0.02


def test_few_events_use_the_median_and_a_flag() -> None:
    area, height, double = tube(300)
    fitted = place(HEIGHT, area, height)
    assert "FEW_EVENTS" in fitted.decisions[0].flags
    kept = inside(fitted, area, height)
    assert kept[~double].mean() > 0.95
    assert kept[double].mean() < 0.1


def test_no_events_give_the_fallback() -> None:
    fitted = place(HEIGHT, np.zeros(0), np.zeros(0))
    assert fitted.decisions[0].value == pytest.approx(0.7)


def test_limits_stay_in_the_window() -> None:
    area, height, _ = tube(5000)
    tight = SingletsGate(area="FSC-A", height="FSC-H", fallback=(0.97, 1.02), window=(0.95, 1.03))
    low, high = place(tight, area, height).decisions
    assert low.value == pytest.approx(0.95)
    assert high.value == pytest.approx(1.03)
    assert "CLAMPED" in low.flags


@pytest.mark.parametrize("value", [5.0, 70_000.0])
def test_events_that_are_all_the_same_are_placed_without_a_line(value: float) -> None:
    area = np.full(4000, value)
    fitted = place(SingletsGate(area="FSC-A", height="FSC-H"), area, area)
    assert inside(fitted, area[:1], area[:1]).tolist() == [True]


@pytest.mark.parametrize("doublets", [0.0, 0.05])
def test_large_single_cells_stay_where_their_area_is_off_the_scale(doublets: float) -> None:
    area, height, double = tube(20_000, doublets)
    large = ~double & (area > 130e3)
    limit = 170e3  # at which the largest blasts are off the scale, and pairs of resting cells too
    ranges = {"FSC-A": limit, "FSC-H": limit}
    cut_area, cut_height = np.minimum(area, limit), np.minimum(height, limit)
    columns = {"FSC-A": cut_area, "FSC-H": cut_height}
    fitted = singlets.fit(HEIGHT, FitInput("singlets", columns, ranges=ranges))
    kept = inside(fitted, cut_area, cut_height)
    assert (cut_area[large] == limit).mean() > 0.1
    assert kept[large].mean() > 0.95
    if doublets:
        assert kept[double].mean() < 0.15  # two blasts together are as high as one large cell
