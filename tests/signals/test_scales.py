"""Scales against flowutils (the C code of Moore and Parks), against their definitions, and against themselves."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from flowutils import transforms
from hypothesis import given
from hypothesis import strategies as st

from cytocar.signals.scales import AnyScale, AsinhScale, HyperlogScale, LinearScale, LogicleScale, LogScale

# T, W, M, A: the default, those of Gating-ML's reference cases, wide and narrow linear parts, negative decades.
PARAMETERS = [
    (262144, 0.5, 4.5, 0),
    (10000, 1, 4.5, 0),
    (10000, 0.5, 4.5, 0.5),
    (1000, 1, 4, 1),
    (1000, 0.1, 4, -0.1),
    (262144, 2.25, 4.5, 0),
    (4194304, 1.5, 6, 0.2),
]
LOGICLES = [LogicleScale(T=T, W=W, M=M, A=A) for T, W, M, A in PARAMETERS]
HYPERLOGS = [HyperlogScale(T=T, W=W, M=M, A=A) for T, W, M, A in PARAMETERS]
ASINHS = [AsinhScale(), AsinhScale(T=10000, M=4, A=1)]
EVERY = [LinearScale(), LinearScale(T=1000.0, A=100.0), LogScale(), *ASINHS, *LOGICLES, *HYPERLOGS]


def signals(top: float) -> np.ndarray:
    """Return signals of all sizes and both signs, as compensation leaves them, and some far beyond the scale."""
    rng = np.random.default_rng(5)
    sizes = 10 ** rng.uniform(-4, 7, 4000)
    return np.concatenate([[0.0, top], rng.normal(0, top / 500, 4000), sizes, -sizes])


@pytest.mark.parametrize("scale", LOGICLES, ids=str)
def test_logicle_agrees_with_flowutils(scale: LogicleScale) -> None:
    x = signals(scale.T)
    expected = transforms.logicle(x, None, t=scale.T, w=scale.W, m=scale.M, a=scale.A)
    np.testing.assert_allclose(scale.forward(x), expected, rtol=0, atol=1e-9)
    back = transforms.logicle_inverse(expected, None, t=scale.T, w=scale.W, m=scale.M, a=scale.A)
    np.testing.assert_allclose(scale.inverse(expected), back, rtol=1e-9, atol=scale.T * 1e-12)


@pytest.mark.parametrize("scale", HYPERLOGS, ids=str)
def test_hyperlog_agrees_with_flowutils(scale: HyperlogScale) -> None:
    x = signals(scale.T)
    expected = transforms.hyperlog(x, None, t=scale.T, w=scale.W, m=scale.M, a=scale.A)
    np.testing.assert_allclose(scale.forward(x), expected, rtol=0, atol=1e-9)
    back = transforms.hyperlog_inverse(expected, None, t=scale.T, w=scale.W, m=scale.M, a=scale.A)
    np.testing.assert_allclose(scale.inverse(expected), back, rtol=1e-9, atol=scale.T * 1e-12)


@pytest.mark.parametrize("scale", ASINHS, ids=str)
def test_asinh_agrees_with_flowutils(scale: AsinhScale) -> None:
    x = signals(scale.T)
    expected = transforms.asinh(x, None, t=scale.T, m=scale.M, a=scale.A)
    np.testing.assert_allclose(scale.forward(x), expected, rtol=0, atol=1e-12)


def test_log_and_linear_are_their_definitions() -> None:
    assert LogScale(T=10000, M=5).forward([10000.0, 1000.0, 0.1]).tolist() == [1.0, 0.8, 0.0]
    assert LinearScale(T=1000.0, A=100.0).forward([1000.0, -100.0]).tolist() == [1.0, 0.0]
    assert LinearScale().forward([7.25]).tolist() == [7.25]


def test_values_at_or_below_zero_have_no_place_on_a_log_scale() -> None:
    zero, negative = LogScale().forward([0.0, -5.0])
    assert zero == -np.inf
    assert np.isnan(negative)


@pytest.mark.parametrize("scale", LOGICLES, ids=str)
def test_logicle_with_no_linear_part_is_a_hyperbolic_sine(scale: LogicleScale) -> None:
    flat = LogicleScale(T=scale.T, W=0.0, M=scale.M)
    x = signals(scale.T)
    expected = np.arcsinh(x / scale.T * np.sinh(scale.M * np.log(10))) / (scale.M * np.log(10))
    np.testing.assert_allclose(flat.forward(x), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("scale", EVERY, ids=str)
def test_inverse_undoes_forward(scale: AnyScale) -> None:
    x = np.abs(signals(10000.0)) + 1e-3
    np.testing.assert_allclose(scale.inverse(scale.forward(x)), x, rtol=1e-9, atol=1e-6)


@pytest.mark.parametrize("scale", EVERY, ids=str)
def test_approximate_places_are_good_to_a_ten_millionth(scale: AnyScale) -> None:
    x = np.abs(signals(10000.0)) + 1e-3
    np.testing.assert_allclose(scale.approximate(x), scale.forward(x), rtol=1e-12, atol=1e-7)


@pytest.mark.parametrize("scale", EVERY, ids=str)
def test_what_is_not_a_number_stays_so(scale: AnyScale) -> None:
    for place in (scale.forward, scale.approximate):
        assert np.isnan(place(np.array([np.nan]))[0])
        assert place(np.array([np.inf]))[0] == np.inf
        assert place(np.array([3.0, np.nan, -np.inf]))[0] == pytest.approx(scale.forward(3.0), abs=1e-7)


@given(
    place=st.floats(-0.2, 1.2),
    scale=st.sampled_from(EVERY),
    steps=st.integers(-50, 50),
)
def test_an_edge_decides_in_data_units_as_it_does_on_the_scale(place: float, scale: AnyScale, steps: int) -> None:
    edge = scale.edge(place)
    x = edge + steps * np.spacing(edge)
    found = float(scale.forward(x))
    assert (x >= edge) == (found >= place) or abs(found - place) <= 2**-52


def test_a_log_scale_with_a_lower_bound_holds_zero_and_negative_values_there() -> None:
    bounded = LogScale(T=100.0, M=2.0, bound_min=0.0)
    assert bounded.forward([-5.0, 0.0, 1.0, 10.0]).tolist() == [0.0, 0.0, 0.0, 0.5]
    assert np.isnan(bounded.forward(np.nan))
    assert np.isnan(LogScale(T=100.0, M=2.0).forward(-5.0))


def test_bounds_hold_places_at_the_bound() -> None:
    bounded = LinearScale(T=100.0, bound_min=0.2, bound_max=0.6)
    assert bounded.forward([10.0, 50.0, 90.0]).tolist() == [0.2, 0.5, 0.6]
    assert bounded.edge(0.1) == -np.inf
    assert bounded.edge(0.7) == np.inf
    assert bounded.edge(0.5) == 50.0


@pytest.mark.parametrize("scale", EVERY, ids=str)
def test_every_scale_rises_over_all_values_that_have_a_place(scale: AnyScale) -> None:
    x = np.unique(signals(10000.0))
    x = x[x >= scale.lowest()]
    assert (np.diff(scale.forward(x)) > 0).all()


def test_every_scale_that_a_template_can_declare_is_under_these_tests() -> None:
    assert {type(scale) for scale in EVERY} == set(get_args(AnyScale))
