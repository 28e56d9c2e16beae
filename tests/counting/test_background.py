"""Net shares: the background goes, the uncertainty stays."""

from __future__ import annotations

import numpy as np
import pytest

from cytocar.counting.background import net_share
from cytocar.gates.decision import Background


def reference(events: int = 30, of_events: int = 100_000) -> Background:
    return Background(events, of_events, ("B1",))


def test_background_alone_is_no_positive_share() -> None:
    share = net_share(15, 50_000, reference(), assumed_percent=0.05, seed=1)
    assert share.raw.value == pytest.approx(0.03)
    assert share.net.value == 0
    assert share.net.low == 0
    assert share.net.high is not None
    assert 0 < share.net.high < 0.05


def test_net_is_raw_minus_background_where_nothing_is_missed() -> None:
    share = net_share(515, 50_000, reference(), assumed_percent=0.05, seed=1)
    assert share.net.value == pytest.approx(100 * (0.0103 - 0.000305) / (1 - 0.000305), rel=1e-3)


def test_positives_below_the_threshold_are_added() -> None:
    missed = Background(0, 100_000, ("B1",), sensitivity=0.8, sensitivity_sd=0.05)
    share = net_share(400, 50_000, missed, assumed_percent=0.05, seed=1)
    assert share.net.value == pytest.approx(1.0, rel=0.01)
    assert share.raw.value == pytest.approx(0.8)


def test_the_net_share_is_no_larger_than_what_its_own_interval_thinks_possible() -> None:
    """26 events, of whose kind a curve guesses 19 of 20 below the threshold: 1.6 % was reported for 0.09 %."""
    guessed = Background(1, 30_000, ("B1",), sensitivity=0.053, sensitivity_sd=0.5)
    share = net_share(26, 30_000, guessed, assumed_percent=0.05, seed=1)
    assert share.net.value is not None and share.net.high is not None
    assert share.net.value < share.net.high < 0.5
    known = Background(1, 30_000, ("B1",), sensitivity=0.053)
    assert net_share(26, 30_000, known, assumed_percent=0.05, seed=1).net.value == share.net.value


def test_without_reference_nothing_below_a_tenth_of_a_percent_is_claimed() -> None:
    share = net_share(60, 50_000, None, assumed_percent=0.05, seed=1)
    assert share.lod_percent is not None
    assert share.lod_percent >= 0.1
    assert share.net.low == 0
    assert share.flags == ("NO_REFERENCE",)


def test_empty_parent_is_unknown_not_zero() -> None:
    share = net_share(0, 0, reference(), assumed_percent=0.05, seed=1)
    assert share.raw.value is None
    assert share.net.value is None
    assert share.lod_percent is None


def test_same_seed_same_interval() -> None:
    one, two = (net_share(65, 50_000, reference(), assumed_percent=0.05, seed=7) for _ in range(2))
    assert one == two


def test_limits_fall_with_more_events() -> None:
    few, many = (net_share(0, n, reference(), assumed_percent=0.05, seed=1) for n in (10_000, 200_000))
    assert few.lod_percent is not None
    assert many.lod_percent is not None
    assert many.lod_percent < few.lod_percent
    assert many.lob_events > few.lob_events


def test_limit_of_blank_agrees_with_poisson_where_the_background_is_known() -> None:
    certain = Background(10_000, 100_000_000, ("B1",), between_cv=1e-6)
    assert net_share(0, 50_000, certain, assumed_percent=0.05, seed=1).lob_events == 9  # Poisson mean 5


@pytest.mark.parametrize(("share", "expected"), [(0.0, 0.0), (0.001, 0.1), (0.01, 1.0), (0.4, 40.0)])
def test_interval_covers_the_truth(share: float, expected: float) -> None:
    random = np.random.default_rng(3)
    n, covered, lifted = 50_000, 0, 0
    for seed in range(60):
        rate = 0.0003 * np.exp(random.normal(0, 0.25))
        counted = random.binomial(n, share) + random.binomial(n, rate * (1 - share))
        net = net_share(int(counted), n, reference(int(random.poisson(30))), assumed_percent=0.05, seed=seed).net
        assert net.low is not None
        assert net.high is not None
        covered += net.low <= expected <= net.high
        lifted += net.low > 0
    assert covered >= 54
    if share == 0:
        assert lifted <= 4


def test_without_reference_the_upper_limit_allows_for_no_background_and_for_hidden_positives() -> None:
    share = net_share(11, 100_000, None, assumed_percent=0.05, seed=1)
    assert share.net.value == 0
    assert share.net.high is not None
    assert share.raw.high is not None
    assert share.raw.high <= share.net.high <= 1.4 * share.raw.high


def test_a_background_that_depends_on_the_alignment_widens_the_interval() -> None:
    steep = Background(30, 100_000, ("B1",), shifted_events=(5, 10, 15, 22, 30, 45, 70, 120, 220))
    flat = Background(30, 100_000, ("B1",))
    wide, narrow = (net_share(60, 50_000, one, assumed_percent=0.05, seed=1).net for one in (steep, flat))
    assert wide.low is not None
    assert narrow.low is not None
    assert wide.low < narrow.low


def test_a_share_times_t_cells_carries_both_uncertainties() -> None:
    share = net_share(520, 50_000, reference(), assumed_percent=0.05, seed=1)
    draws = 1000 * np.exp(np.random.default_rng(5).normal(0, 0.3, 20_000))
    product = share.times(1000.0, draws)
    assert share.net.value is not None and product.value == pytest.approx(10 * share.net.value)
    assert product.low is not None and product.high is not None
    assert np.log(product.high / product.low) == pytest.approx(2 * 1.96 * 0.3, rel=0.1)


def test_what_is_not_above_the_background_has_a_lower_limit_of_0_in_cells_per_ul_too() -> None:
    share = net_share(15, 50_000, reference(), assumed_percent=0.05, seed=1)
    assert share.times(1000.0, np.full(20_000, 1000.0)).low == 0
