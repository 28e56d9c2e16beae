"""Medians and quantiles are NumPy's, to the last bit."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from cytocar.statistics.order import MAD_TO_SD, median, medians, quantile, quantiles

SHARES = (0.0, 0.005, 0.16, 0.25, 0.5, 0.6827, 0.84, 0.95, 0.995, 1.0, *np.random.default_rng(1).uniform(0, 1, 40))


@pytest.mark.parametrize("n", [1, 2, 3, 10, 999, 5000])
def test_quantiles_and_medians_are_those_of_numpy(n: int) -> None:
    random = np.random.default_rng(n)
    for values in (random.normal(100, 30, n), np.exp(random.normal(5, 3, n)), random.integers(0, 7, n).astype(float)):
        before = values.copy()
        assert quantiles(values, SHARES).tolist() == np.quantile(values, SHARES).tolist()
        assert quantiles(np.sort(values), SHARES, in_order=True).tolist() == np.quantile(values, SHARES).tolist()
        assert [quantile(values, share) for share in SHARES] == np.quantile(values, SHARES).tolist()
        assert float(medians(values)) == median(values) == float(np.median(values))
        assert (values == before).all()


@pytest.mark.parametrize("n", [4097, 30_000])
def test_of_many_values_they_are_too_whatever_their_order(n: int) -> None:
    random = np.random.default_rng(n)
    drawn = random.normal(100, 30, n)
    a_sample_sees_one_value = np.where(np.arange(n) % (n // 1000), drawn, 1e6)
    mostly_one_value = np.where(random.random(n) < 0.9, 7.0, drawn)
    for values in (drawn, np.sort(drawn), a_sample_sees_one_value, mostly_one_value):
        exact = np.quantile(values, SHARES)
        assert quantiles(values, SHARES).tolist() == exact.tolist()
        assert [quantiles(values, [share, 0.5])[0] for share in SHARES] == exact.tolist()
        assert [quantile(values, share) for share in SHARES] == exact.tolist()
        assert median(values) == float(np.median(values))


@pytest.mark.parametrize("shape", [(3, 7), (3, 8), (2, 5, 2)])
def test_medians_go_along_the_last_axis(shape: tuple[int, ...]) -> None:
    values = np.random.default_rng(2).normal(0, 1, shape)
    assert medians(values).tolist() == np.median(values, axis=-1).tolist()


def test_the_median_deviation_of_normal_values_is_this_part_of_the_standard_deviation() -> None:
    assert pytest.approx(1 / norm.ppf(0.75), abs=5e-5) == MAD_TO_SD


def test_a_number_that_is_none_leaves_no_quantile() -> None:
    assert np.isnan(quantiles(np.array([1.0, np.nan, 2.0]), (0.0, 0.5))).all()
    assert np.isnan([median(np.array([1.0, np.nan])), quantile(np.array([np.nan, 1.0]), 0.5)]).all()


def test_of_no_values_there_is_no_median_and_no_quantile() -> None:
    nothing = np.empty(0)
    assert np.isnan([median(nothing), quantile(nothing, 0.5), *quantiles(nothing, (0.1, 0.9))]).all()
