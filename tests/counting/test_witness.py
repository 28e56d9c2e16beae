"""CD3-negative lymphocytes as a witness: a lower limit, a second number and a look, never another first number."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import cytocar
from cytocar.counting.background import NetShare, net_share
from cytocar.counting.car_t import rise_matters
from cytocar.counting.witness import CONVINCING, RISES, Rise, Witnesses, rise_of
from cytocar.fcs.events import EventTable
from cytocar.gates.decision import Background, ReferenceCount
from cytocar.simulate import Preparation, blood_tube

CONTROL = Background(20, 100_000, ("B",), between_cv=None, parts=(ReferenceCount(True, 100_000, (20,)),))


def share(car_events: int, witnesses: Witnesses | None) -> NetShare:
    rise = rise_of(witnesses) if witnesses else None
    return net_share(car_events, 50_000, CONTROL, assumed_percent=0.05, seed=1, rise=rise)


def test_the_number_does_not_know_the_witness_and_its_lower_limit_does() -> None:
    found, alone = share(400, Witnesses(120, 15_000, 6, 30_000)), share(400, None)
    assert (found.net.value, found.net.high) == (alone.net.value, alone.net.high)
    assert found.low_by_controls == alone.net.low
    assert (found.first_above, found.lob_events, found.lod_percent) == (
        alone.first_above,
        alone.lob_events,
        alone.lod_percent,
    )


def test_a_rise_on_cells_without_a_car_explains_as_many_t_cells() -> None:
    found = share(400, Witnesses(120, 15_000, 6, 30_000))  # 0.8 % of T cells, 0.8 % of the others
    assert found.low_by_controls and found.low_by_controls > 0.6
    assert found.net.low == found.witnessed.low == 0
    assert found.witnessed.value is not None and found.witnessed.value < 0.4
    assert found.rise_probability is not None and found.rise_probability > 0.999
    assert rise_matters(found)


def test_a_rise_that_takes_more_than_a_quarter_asks_though_cells_are_left() -> None:
    found = share(600, Witnesses(70, 15_000, 6, 30_000))
    assert found.net.low and found.net.value and found.witnessed.value
    assert found.witnessed.value < 0.75 * found.net.value
    assert rise_matters(found)


def test_few_more_witnesses_than_usual_widen_and_do_not_ask() -> None:
    found, alone = share(40, Witnesses(6, 8000, 3, 16_000)), share(40, None)
    assert alone.net.low and found.net.low == 0
    assert not rise_matters(found)
    assert share(400, Witnesses(6, 8000, 3, 16_000)).net.low == pytest.approx(share(400, None).net.low, rel=0.2)


def test_without_a_rise_both_numbers_agree() -> None:
    found = share(400, Witnesses(3, 15_000, 6, 30_000))
    assert found.rise_probability is not None and found.rise_probability < CONVINCING
    assert found.witnessed.value == pytest.approx(found.net.value, rel=0.02)


@pytest.mark.parametrize("rise", [0.001, 0.01])
def test_a_rise_is_found_where_it_is(rise: float) -> None:
    random = np.random.default_rng(4)
    held = 0
    for _ in range(60):
        usual = 2e-4 * np.exp(random.normal(0, 0.25, 2))
        here = int(random.poisson(15_000 * (usual[0] + rise)))
        found = rise_of(Witnesses(here, 15_000, int(random.poisson(30_000 * usual[1])), 30_000))
        assert found is not None
        order = np.argsort(found.rises)
        weights = found.weights[order]
        low, high = np.interp([0.025, 0.975], np.cumsum(weights) - 0.5 * weights, found.rises[order])
        held += bool(low <= rise <= high)
    assert held >= 52


@pytest.mark.parametrize(("seen", "control"), [(0, 6), (9, 6), (40, 12)])
def test_what_is_thought_of_a_rise_is_bayes_rule_over_sampled_rates(seen: int, control: int) -> None:
    random = np.random.default_rng(8)
    rates = random.beta(control + 0.5, 30_000 - control + 0.5, 200_000)
    rates *= np.exp(random.normal(0, np.sqrt(np.log1p(0.25**2)), len(rates)))
    tried = [0.0, *np.geomspace(3e-5, 0.05, 60), *(rates.mean() * np.geomspace(1, 20, 30))]
    likelihood = np.array([stats.poisson.pmf(seen, 15_000 * (rates + rise)).mean() for rise in tried])
    weights = likelihood * np.array([0.1, *[0.27 / 60] * 60, *[0.63 / 30] * 30])
    found = rise_of(Witnesses(seen, 15_000, control, 30_000))
    assert found is not None
    assert found.rises == pytest.approx(tried, rel=5e-3)
    assert found.weights == pytest.approx(weights / weights.sum(), rel=0.03, abs=1e-4)
    assert found.probability == pytest.approx(1 - weights[0] / weights.sum(), abs=5e-3)


def test_five_times_as_many_sticky_cells_leave_no_claim_and_cost_little_from_a_fifth_of_a_percent_on() -> None:
    random = np.random.default_rng(12)

    def claims(sticky: float, positives: float) -> float:
        above = 0
        for seed in range(60):
            rate = 1.6e-4 * np.exp(random.normal(0, 0.3))
            witnesses = Witnesses(
                int(random.poisson(8000 * sticky * rate)), 8000, int(random.poisson(16_000 * rate)), 16_000
            )
            events = int(random.poisson(30_000 * (sticky * rate + positives)))
            control = Background(int(random.poisson(60_000 * rate)), 60_000, ("B",))
            rise = rise_of(witnesses)
            net = net_share(events, 30_000, control, assumed_percent=0.05, seed=seed, fewest_events=13, rise=rise)
            above += bool(net.net.low)
        return above / 60

    assert claims(5, 0) <= 0.025
    assert claims(1, 0) == 0
    assert claims(1, 0.0018) > 0.97


def test_t_cells_share_a_rise_up_to_a_factor_and_not_always() -> None:
    rise = Rise(np.array([0.0, 0.01]), np.array([0.5, 0.5]))
    drawn = rise.draws(np.random.default_rng(3), 100_000)
    assert np.mean(drawn == 0) == pytest.approx(0.5 + 0.5 * 0.05, abs=0.005)
    logs = np.log(drawn[drawn > 0] / 0.01)
    assert (logs.mean(), logs.std()) == pytest.approx((0.0, 0.4), abs=0.01)


def test_few_witnesses_say_nothing() -> None:
    assert rise_of(Witnesses(9, 999, 0, 30_000)) is None
    assert rise_of(Witnesses(9, 9000, 0, 999)) is None
    assert rise_of(Witnesses(9, 1000, 0, 1000)) is not None


def test_a_rate_beyond_all_that_is_tried_is_a_rise() -> None:
    found = rise_of(Witnesses(900_000, 1_000_000, 0, 30_000))
    assert found is not None and found.probability == 1
    assert found.rises[np.argmax(found.weights)] == RISES[-1]


def with_sticky_cells(tube: EventTable, percent: float) -> EventTable:
    """Return a tube in which so many percent of all events hold the CAR reagent, whatever they are."""
    columns = {channel.detector: np.array(tube.column(channel.detector)) for channel in tube.channels}
    random = np.random.default_rng(3)
    sticky = random.random(tube.n_events) < percent / 100
    columns["PE-A"][sticky] += random.gamma(3, 700, int(sticky.sum()))
    markers = {channel.detector: channel.marker for channel in tube.channels if channel.marker}
    return EventTable.from_columns(columns, markers=markers, keywords=dict(tube.keywords))


def test_a_tube_in_which_all_cells_bind_asks_for_a_look_and_a_clean_one_does_not() -> None:
    prepared = Preparation(drawn_share=0.6, beads_added=20_000)
    template = cytocar.load_template("cart-cd19fc")
    clean, control = (blood_tube(car_per_ul=0, preparation=prepared, seed=seed).events for seed in (1, 2))
    car = blood_tube(car_per_ul=30, preparation=prepared, seed=3).events
    rows = [
        cytocar.quantify(tube, template, beads_added=20_000, sample_volume_ul=50, controls=[control]).row()
        for tube in (with_sticky_cells(clean, 1.0), car)
    ]
    assert "W325" in str(rows[0]["status_codes"])
    assert rows[0]["car_percent_witnessed_low"] == 0
    assert "W325" not in str(rows[1]["status_codes"])
    assert rows[1]["car_percent_witnessed"] == pytest.approx(rows[1]["car_percent_net"], rel=0.03)
