"""Regions against flowutils' C code, event for event, and against each other."""

from __future__ import annotations

import numpy as np
import pytest
from flowutils import gating

from cytocar.errors.tree import GateError
from cytocar.regions import geometry
from cytocar.regions.geometry import Box, Ellipse, Interval, Polygon, inside_polygon
from cytocar.signals.scales import AnyScale, HyperlogScale, LinearScale, LogicleScale, LogScale

LINEAR = LinearScale()
CURVED: list[AnyScale] = [LogicleScale(), HyperlogScale(), LogScale(T=1e5)]


def spread(rng: np.random.Generator, n_events: int) -> np.ndarray:
    return np.concatenate([rng.normal(0, 300, n_events // 2), 10 ** rng.uniform(0, 5.5, n_events - n_events // 2)])


@pytest.mark.parametrize("seed", range(12))
def test_polygons_agree_with_flowkit_on_whole_numbers_and_their_edges(seed: int) -> None:
    rng = np.random.default_rng(seed)
    corners = np.round(rng.uniform(0, 1000, (rng.integers(3, 12), 2)) / 50) * 50
    points = np.round(rng.normal(500, 300, (40_000, 2)) / 10) * 10  # many lie on edges and corners
    expected = gating.points_in_polygon(corners, np.ascontiguousarray(points))
    x, y = points.T
    np.testing.assert_array_equal(inside_polygon(corners, x, y), expected)
    by_bitmap = Polygon.of(LINEAR, LINEAR, corners, on_scale=False).contains(x, y)
    np.testing.assert_array_equal(by_bitmap, expected)


@pytest.mark.parametrize("scale", CURVED, ids=str)
def test_polygons_on_curved_scales_agree_with_flowkit(scale: AnyScale) -> None:
    rng = np.random.default_rng(7)
    x, y = spread(rng, 60_000), spread(rng, 60_000)[::-1].copy()
    corners = rng.uniform(-0.1, 1.1, (9, 2))
    places = np.column_stack([scale.forward(x), scale.forward(y)])
    expected = gating.points_in_polygon(corners, places)
    np.testing.assert_array_equal(Polygon.of(scale, scale, corners, on_scale=True).contains(x, y), expected)


def test_vertices_in_data_units_make_edges_that_are_straight_on_the_scale() -> None:
    scale = LogicleScale()
    on_scale = np.array([[0.2, 0.2], [0.9, 0.3], [0.6, 0.95]])
    in_data = scale.inverse(on_scale)
    x, y = spread(np.random.default_rng(3), 5000), spread(np.random.default_rng(4), 5000)
    one = Polygon.of(scale, scale, on_scale, on_scale=True).contains(x, y)
    other = Polygon.of(scale, scale, in_data, on_scale=False).contains(x, y)
    np.testing.assert_array_equal(one, other)


def test_a_corner_without_a_place_on_a_log_scale_is_refused() -> None:
    with pytest.raises(GateError, match="log scale") as caught:
        Polygon.of(LogScale(), LINEAR, [[0, 1], [100, 1], [100, 100]], on_scale=False)
    assert caught.value.code == "E078"


def test_the_bitmap_is_drawn_only_when_it_pays() -> None:
    polygon = Polygon.of(LINEAR, LINEAR, [[0, 0], [10, 0], [5, 10]], on_scale=False)
    x = np.linspace(0, 10, geometry.WORTH_A_BITMAP)
    assert polygon.contains(x[:100], x[:100]).tolist() == inside_polygon(polygon.corners, x[:100], x[:100]).tolist()
    np.testing.assert_array_equal(polygon.contains(x, x), inside_polygon(polygon.corners, x, x))


def test_crossings_of_an_edge_leave_holes() -> None:
    star = np.array([[0, 3], [5, 3], [1, 0], [2.5, 5], [4, 0]], dtype=np.float64)
    middle, arm = inside_polygon(star, np.array([2.5, 2.5]), np.array([2.5, 4.5]))
    assert not middle
    assert arm


@pytest.mark.parametrize("dimensions", [2, 3, 5])
@pytest.mark.parametrize("scale", [LINEAR, *CURVED[:2]], ids=str)
def test_ellipses_agree_with_flowkit_in_any_dimension(dimensions: int, scale: AnyScale) -> None:
    rng = np.random.default_rng(dimensions)
    factor = rng.normal(size=(dimensions, dimensions)) * 0.2
    covariance = factor @ factor.T + 0.01 * np.eye(dimensions)
    center = np.full(dimensions, 0.4)
    signals = [rng.normal(0.4, 0.5, 30_000) if scale is LINEAR else spread(rng, 30_000) for _ in range(dimensions)]
    places = np.column_stack([scale.forward(signal) for signal in signals])
    expected = gating.points_in_ellipsoid(covariance, center, 3.0, places)
    ellipse = Ellipse.of([scale] * dimensions, center, covariance, 3.0)
    np.testing.assert_array_equal(ellipse.contains(*signals), expected)


def test_the_boundary_of_an_ellipse_is_inside() -> None:
    circle = Ellipse.of([LINEAR, LINEAR], [0, 0], np.eye(2), 25.0)
    assert circle.contains(np.array([3.0, 3.0]), np.array([4.0, 4.1])).tolist() == [True, False]


def test_an_interval_holds_its_lower_edge_and_not_its_upper_one() -> None:
    assert Interval(1.0, 2.0).contains(np.array([0.9, 1.0, 1.9, 2.0])).tolist() == [False, True, True, False]


@pytest.mark.parametrize("scale", CURVED, ids=str)
def test_an_interval_on_the_scale_is_the_same_in_data_units(scale: AnyScale) -> None:
    x = spread(np.random.default_rng(9), 20_000)
    with np.errstate(invalid="ignore"):
        places = scale.forward(x)
        expected = (places >= 0.31) & (places < 0.69)
    np.testing.assert_array_equal(Interval.of(scale, 0.31, 0.69, on_scale=True).contains(x), expected)


def test_values_without_a_place_on_a_log_scale_are_in_no_interval_of_that_scale() -> None:
    log = LogScale(T=10000, M=5)
    assert Interval.of(log, None, 0.5, on_scale=True).contains(np.array([-3.0, 0.0, 1.0])).tolist() == [
        False,
        False,
        True,
    ]
    assert Interval.of(log, None, 100.0, on_scale=False).contains(np.array([-3.0, 0.0])).tolist() == [True, True]


NOWHERE = np.array([np.nan, np.inf, -np.inf])


@pytest.mark.parametrize(
    "region",
    [
        Box((Interval(), Interval())),
        Box((Interval(low=5.0), Interval(high=5.0))),
        Polygon.of(LINEAR, LINEAR, [[-9, -9], [9, -9], [9, 9], [-9, 9]], on_scale=False),
        Polygon.of(CURVED[0], CURVED[0], [[-9, -9], [9, -9], [9, 9], [-9, 9]], on_scale=True),
        Ellipse.of([LINEAR, LINEAR], [0, 0], np.eye(2), 1e9),
        Ellipse.of([CURVED[0], CURVED[1]], [0, 0], np.eye(2), 1e9),
    ],
    ids=lambda region: type(region).__name__,
)
@pytest.mark.parametrize("repeats", [1, 20_000])
def test_nan_and_infinities_are_in_no_region(region: Box | Polygon | Ellipse, repeats: int) -> None:
    nowhere, one = np.repeat(NOWHERE, repeats), np.ones(3 * repeats)
    assert not region.contains(nowhere, one).any()
    assert not region.contains(one, nowhere).any()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("repeats", [1, 20])
def test_numbers_near_the_largest_there_are_lie_outside_and_warn_of_nothing(repeats: int) -> None:
    polygon = Polygon.of(LinearScale(), LinearScale(), [(0, 0), (1e5, 1e5), (1e5, 0), (0, 2e5)], on_scale=True)
    huge = np.array([1e308, -1e308, 5e4, 1e308, -1e308] * 2000)
    other = np.array([1e308, 5e4, -1e308, 5e4, 1e308] * 2000)
    for _ in range(repeats):
        assert not polygon.contains(huge, other).any()
