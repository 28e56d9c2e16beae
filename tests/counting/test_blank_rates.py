"""The limit of blank decides, the limit of detection describes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import poisson

from cytocar.counting.background import net_share
from cytocar.counting.basis import NoBasis
from cytocar.counting.blank_rates import assumed_rates, measured_rates
from cytocar.counting.limits import CarResult, classify, detection_limits
from cytocar.gates.decision import Background
from cytocar.template.model import Limits


@pytest.mark.parametrize(("background", "blank"), [(0, 0), (0.5, 2), (1, 3), (2, 5), (5, 9), (10, 15)])
def test_a_background_that_is_known_has_the_poisson_limit_of_blank(background: float, blank: int) -> None:
    known = measured_rates(Background(round(background * 1e6), 10**11, (), between_cv=1e-6))
    assert known.limit_of_blank(100_000) == blank


def test_the_rates_have_the_mean_and_the_spread_of_what_was_measured() -> None:
    rates = measured_rates(Background(400, 1_000_000, (), between_cv=0.25))
    assert rates.quantile(0.5) == pytest.approx(4e-4, rel=0.005)  # the factor has the median 1
    assert rates.sd / rates.quantile(0.5) == pytest.approx(np.hypot(0.25, 0.05), rel=0.03)


def test_no_background_at_all_needs_the_events_of_the_claim_alone() -> None:
    none = assumed_rates(0.0)
    assert none.needed(50_000, 13) == 13
    smallest = none.smallest_detected(50_000, 13)
    assert smallest is not None
    assert poisson.sf(12, 50_000 * smallest) == pytest.approx(0.95)


def _detected(events: int, t_cells: int, background: Background) -> bool:
    net = net_share(events, t_cells, background, assumed_percent=0.05, seed=1, fewest_events=13)
    limits = detection_limits(Limits(), t_cells, NoBasis(), net=net)
    return classify(events, limits) in (CarResult.BELOW_LLOQ, CarResult.QUANTIFIED)


@pytest.mark.parametrize(("rate", "control"), [(2e-4, 100_000), (1e-3, 20_000), (1e-3, 500)])
def test_a_tube_at_its_limit_of_detection_is_detected_and_a_blank_is_not(rate: float, control: int) -> None:
    """benchmarks/validity has 2000 tubes of each; here are 300, whose standard error is 1.3 %."""
    random = np.random.default_rng(11)
    t_cells, cv, found, blanks, tubes = 20_000, 0.25, 0, 0, 300
    sd = np.sqrt(np.log1p(cv * cv))
    for _ in range(tubes):
        seen = int(random.poisson(rate * control * np.exp(random.normal(0, sd))))
        background = Background(seen, control, (), between_cv=cv * np.sqrt(2))
        own = rate * np.exp(random.normal(0, sd))
        net = net_share(0, t_cells, background, assumed_percent=0.05, seed=1, fewest_events=13)
        assert net.lod_percent is not None
        share = net.lod_percent / 100
        needed = max(13, net.lob_events + 1, net.first_above)
        found += random.poisson(t_cells * (share + (1 - share) * own)) >= needed
        blanks += random.poisson(t_cells * own) >= needed
    assert 0.90 <= found / tubes <= 0.99
    assert blanks / tubes <= 0.05
    assert _detected(1000, t_cells, background)
    assert not _detected(5, t_cells, background)
