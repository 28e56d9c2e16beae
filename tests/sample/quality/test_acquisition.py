"""Beads beside cells over a run, crowds at its start, and a CAR signal where none belongs."""

from __future__ import annotations

from fractions import Fraction
from math import comb
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from cytocar.errors.findings import Finding, Severity
from cytocar.fcs.events import EventTable
from cytocar.fcs.reader import open_fcs
from cytocar.sample.analysis import quantify
from cytocar.sample.quality.acquisition import (
    _at_least,
    _kuiper,
    bead_evenness,
    car_beside_t_cells,
    crowded_start,
    dwindled,
    misplaced,
    start_findings,
)
from cytocar.sample.result import SampleResult
from cytocar.simulate import Artefact, Preparation, SimulatedTube, blood_tube
from cytocar.template.load import load_template

Counts = npt.NDArray[np.int64]
TEMPLATE = load_template("cart-cd19fc")
STRETCHES = 1000
EVEN = np.ones(STRETCHES)
PLACE = np.linspace(0, 1, STRETCHES)


def drawn(total: int, rate: npt.NDArray[np.float64] = EVEN, seed: int = 0) -> Counts:
    """Return so many events by stretch of a run, in which they come at this rate."""
    return np.random.default_rng((seed, total)).multinomial(total, rate / rate.sum())


def codes(findings: tuple[Finding, ...]) -> list[str]:
    return [finding.code for finding in findings if finding.code]


# ---------------------------------------------------------------- beads


@pytest.mark.parametrize(("distance", "chance"), [(1.620, 0.10), (1.747, 0.05), (2.001, 0.01)])
def test_kuipers_distribution_has_the_published_critical_values(distance: float, chance: float) -> None:
    assert _kuiper(distance) == pytest.approx(chance, rel=0.02)  # Stephens 1970, table 1


@pytest.mark.parametrize(("beads", "cells"), [(60, 100), (1000, 10_000), (9000, 3000)])
def test_the_chance_given_is_how_often_it_happens(beads: int, cells: int) -> None:
    chances = np.array([misplaced(drawn(beads, seed=i), drawn(cells, seed=i + 10_000)).chance for i in range(600)])
    assert 0.02 < np.mean(chances < 0.05) < 0.07
    assert np.mean(chances < 0.01) < 0.02


BEADS_GO_WRONG = {
    "stop at half time": np.where(PLACE < 0.5, 1.0, 0.0),
    "settle to a half": 1 - 0.5 * PLACE,
    "begin late": np.where(PLACE > 0.1, 1.0, 0.0),
    "come in a clump": np.where(np.abs(PLACE - 0.4) < 0.005, 10.0, 1.0),
    "fade after two thirds": np.where(PLACE < 0.66, 1.0, 0.7),
}


@pytest.mark.parametrize("rate", BEADS_GO_WRONG.values(), ids=list(BEADS_GO_WRONG))
@pytest.mark.parametrize("flow", [EVEN, np.where(np.abs(PLACE - 0.5) < 0.1, 0.1, 1.0)], ids=["steady", "clog"])
def test_beads_that_leave_the_cells_are_found(rate: npt.NDArray[np.float64], flow: npt.NDArray[np.float64]) -> None:
    (finding,) = bead_evenness(drawn(5000, rate * flow), drawn(50_000, flow))
    assert (finding.code, finding.outcome) == ("W292", Severity.REVIEW)


FLOWS = {
    "steady": EVEN,
    "clog": np.where(np.abs(PLACE - 0.5) < 0.1, 0.1, 1.0),
    "a cut": np.where(np.abs(PLACE - 0.5) < 0.1, 0.0, 1.0),
    "faster and faster": 0.2 + PLACE,
    "pulsing": 1 + 0.9 * np.sin(60 * PLACE),
}


@pytest.mark.parametrize("flow", FLOWS.values(), ids=list(FLOWS))
@pytest.mark.parametrize("beads", [50, 1000, 20_000])
def test_uneven_flow_of_beads_and_cells_together_is_no_matter(flow: npt.NDArray[np.float64], beads: int) -> None:
    for seed in range(20):
        (finding,) = bead_evenness(drawn(beads, flow, seed), drawn(30_000, flow, seed + 100))
        assert (finding.code, finding.outcome) == ("", Severity.PASS)


def test_a_small_drift_of_very_many_beads_is_no_alarm() -> None:
    (finding,) = bead_evenness(drawn(1_000_000, 1 - 0.05 * PLACE), drawn(10_000_000))
    assert finding.outcome is Severity.PASS


@pytest.mark.parametrize("flow", FLOWS.values(), ids=list(FLOWS))
def test_beads_that_rise_all_the_time_are_found_by_what_is_missing(flow: npt.NDArray[np.float64]) -> None:
    """An eighth of the beads stays at the bottom of the tube until late: few of them come at a wrong time."""
    rate = 1 - 0.24 * (1 - np.cumsum(flow) / flow.sum())
    for seed, rises in ((1, True), (2, False)):
        beads, cells = drawn(7000, rate * flow, seed), drawn(50_000, flow, seed + 100)
        assert misplaced(beads, cells).share < 0.06
        (finding,) = bead_evenness(beads, cells) if rises else bead_evenness(beads[::-1], cells[::-1])
        assert (finding.code, finding.outcome) == ("W292", Severity.REVIEW)


def test_what_dwindles_is_known_to_its_error_and_seldom_by_chance() -> None:
    shares = [dwindled(drawn(7000, 1 - 0.24 * PLACE, seed), drawn(50_000, seed=seed + 1))[0] for seed in range(50)]
    assert -np.mean(shares) == pytest.approx(0.12, abs=0.01)  # fewer at the end: below 0
    by_chance = [dwindled(drawn(7000, seed=seed), drawn(50_000, seed=seed + 5000))[1] for seed in range(1000)]
    assert np.mean(np.array(by_chance) > 1.96) == pytest.approx(0.05, abs=0.02)


def test_the_message_says_where_and_how_many() -> None:
    (finding,) = bead_evenness(drawn(5000, BEADS_GO_WRONG["stop at half time"]), drawn(50_000))
    assert "20 beads per 100 cells between 0 % and 50 % of the run, 0 in the rest" in finding.message
    assert finding.value == pytest.approx(50, abs=1)


def test_without_beads_or_cells_there_is_nothing_to_compare() -> None:
    assert bead_evenness(drawn(0), drawn(100)) == ()
    assert bead_evenness(drawn(100), drawn(0)) == ()


# ---------------------------------------------------------------- the start


@pytest.mark.parametrize(("events", "drawn_", "marked", "total"), [(3, 10, 5, 100), (1, 4, 2, 9), (7, 50, 8, 60)])
def test_the_chance_of_a_crowd_is_fishers(events: int, drawn_: int, marked: int, total: int) -> None:
    ways = sum(comb(marked, k) * comb(total - marked, drawn_ - k) for k in range(events, min(drawn_, marked) + 1))
    assert _at_least(events, drawn_, marked, total) == pytest.approx(float(Fraction(ways, comb(total, drawn_))))


@pytest.mark.parametrize(("car", "t_cells"), [(2, 500), (10, 20_000), (100, 10_000), (3000, 20_000)])
def test_clean_runs_give_an_alarm_in_less_than_one_of_a_hundred(car: int, t_cells: int) -> None:
    random = np.random.default_rng(car)
    alarms = 0
    for _ in range(500):
        of = random.multinomial(t_cells, EVEN / STRETCHES)
        car_events = random.multivariate_hypergeometric(of, car)
        alarms += bool(codes(start_findings({"car": car_events, "t": of}, car="car", t_cells="t", cells=None)))
    assert alarms <= 2


CARRIED_OVER = [
    (own, carried, lasting)
    for own in (0, 10, 50)
    for carried in (6, 20, 100)
    for lasting in (0.003, 0.02, 0.1)
    if carried > own / 5 and (carried > 20 or lasting < 0.1)  # fewer cannot be told from chance, or do not matter
]


@pytest.mark.parametrize(("own", "carried", "lasting"), CARRIED_OVER)
def test_cells_carried_over_from_the_tube_before_are_found(own: int, carried: int, lasting: float) -> None:
    t_cells, car = drawn(20_000), drawn(own)
    extra = drawn(carried, np.exp(-PLACE / lasting))
    (finding,) = start_findings({"car": car + extra, "t": t_cells + extra}, car="car", t_cells="t", cells=None)
    assert (finding.code, finding.outcome) == ("W293", Severity.REVIEW)


def test_a_crowd_that_adds_little_to_the_count_is_no_alarm() -> None:
    extra = drawn(100, np.exp(-PLACE / 0.01))
    over_time = {"car": drawn(9000) + extra, "t": drawn(20_000, seed=1) + extra}
    assert codes(start_findings(over_time, car="car", t_cells="t", cells=None)) == []


def test_few_car_cells_at_the_start_are_no_crowd() -> None:
    assert crowded_start(drawn(40, np.where(PLACE < 0.2, 0.1, 1.0)), drawn(20_000)) is None


# ---------------------------------------------------------------- whole tubes


def counted(tube: SimulatedTube) -> SampleResult:
    return quantify(
        tube.events, TEMPLATE, beads_added=tube.drawn.beads_added, sample_volume_ul=tube.drawn.sample_volume_ul
    )


def blood(car_per_ul: float, *artefacts: Artefact, seed: int = 3, **preparation: float) -> SimulatedTube:
    prepared = Preparation(sample_volume_ul=20, **preparation)
    return blood_tube(car_per_ul=car_per_ul, preparation=prepared, artefacts=artefacts, seed=seed)


@pytest.mark.parametrize("car_per_ul", [0, 1, 5])
def test_carry_over_into_a_tube_with_few_car_cells_asks_for_a_look(car_per_ul: float) -> None:
    clean, spoilt = counted(blood(car_per_ul)), counted(blood(car_per_ul, Artefact.CARRY_OVER))
    assert "W293" not in codes(clean.findings)
    (finding,) = [finding for finding in spoilt.findings if finding.code == "W293"]
    assert spoilt.status.value == "review"
    rest = float(finding.message.rsplit("(", 1)[1].split(" %")[0])
    assert rest == pytest.approx(clean.car.percent.value, abs=0.25)  # type: ignore[union-attr]  # the template has the role


@pytest.mark.parametrize("artefact", [Artefact.CLOG, Artefact.SURGE, Artefact.DRIFT])
def test_beads_and_cells_of_a_disturbed_run_came_together_all_the_same(artefact: Artefact) -> None:
    assert not {"W292", "W293", "W294"} & set(codes(counted(blood(20, artefact)).findings))


def test_beads_that_stop_half_way_ask_for_a_look() -> None:
    tube = blood(20)
    late = np.arange(len(tube.origin)) > 0.5 * len(tube.origin)
    kept = ~(late & tube.is_kind("beads", "bead_doublets"))
    events = type(tube.events).from_columns(
        {name: column[kept] for name, column in tube.columns.items()}, markers=tube.markers, keywords=tube.keywords
    )
    result = quantify(events, TEMPLATE, beads_added=20_000, sample_volume_ul=20)
    assert "W292" in codes(result.findings)
    assert result.status.value == "review"


def test_a_swapped_name_of_the_car_channel_asks_for_a_look_instead_of_saying_not_detected() -> None:
    tube = blood(20)
    names = {"CD19-Fc": "CD56", "CD56": "CD19-Fc"}
    markers = {detector: names.get(name, name) for detector, name in tube.markers.items()}
    events = type(tube.events).from_columns(tube.columns, markers=markers, keywords=tube.keywords)
    result = quantify(events, TEMPLATE, beads_added=20_000, sample_volume_ul=20)
    assert "W294" in codes(result.findings)
    assert result.status.value == "review"
    assert "W294" not in codes(counted(tube).findings)


def test_car_cells_that_lost_their_cd3_are_no_alarm_as_long_as_t_cells_carry_it_more_often() -> None:
    assert car_beside_t_cells(40, 100, car_percent=80) == ()
    assert car_beside_t_cells(9, 40, car_percent=1) == ()  # too few to say


@pytest.mark.parametrize("template", ["cart-cd19fc", "cart-cd19fc-fixed"])
def test_both_ways_of_gating_look_for_the_car_beside_the_t_cells(template: str) -> None:
    tube = blood(200)
    from cytocar.gates.walk import walk

    found = walk(tube.events, load_template(template), watch=True)
    events, of_events = found.car_beside_t_cells
    beside = found["lymphocytes"].mask & ~found["t_cells"].mask
    side = found.values("all", "SSC-A")
    low = side <= 1.3 * np.median(side[found["t_cells"].mask])  # no monocytes
    assert of_events == pytest.approx((beside & low).sum(), rel=0.02)
    assert (beside & low).sum() < beside.sum()
    assert events < 0.05 * of_events


@pytest.mark.parametrize("template", ["cart-cd19fc", "cart-cd19fc-fixed"])
def test_where_events_lie_in_the_run_is_what_the_masks_say(template: str) -> None:
    from cytocar.gates.walk import walk

    found = walk(blood(200).events, load_template(template), watch=True)
    assert {"beads", "leukocytes", "t_cells", "car_t"} <= set(found.over_time)
    size = -(-found.n_events // STRETCHES)
    for name, counts in found.over_time.items():
        expected = np.bincount(np.flatnonzero(found[name].mask) // size, minlength=len(counts))
        assert np.array_equal(counts, expected)


@pytest.mark.parametrize(
    ("name", "template"),
    [
        ("100715.fcs", "tcell-basic"),
        ("cytopipeline_omip021/Donor1.fcs", "tcell-fortessa"),
        ("cytopipeline_omip021/Donor2.fcs", "tcell-fortessa"),
    ],
)
def test_t_cells_of_real_files_came_with_the_other_cells(name: str, template: str, shared_data: Path) -> None:
    result = quantify(open_fcs(shared_data / "tcell_human" / name), load_template(template))
    checks = [finding for finding in result.findings if finding.check == "t_cell_start"]
    assert [finding.outcome for finding in checks] == [Severity.PASS]


def test_real_t_cells_put_in_front_of_a_run_are_found(shared_data: Path) -> None:
    events = open_fcs(shared_data / "tcell_human" / "100715.fcs")
    template = load_template("tcell-basic")
    from cytocar.gates.walk import walk

    bright = np.flatnonzero(walk(events, template)["cd8"].mask)[:1200]
    order = np.r_[bright, np.arange(events.n_events)]
    columns = {channel.detector: events.column(channel)[order] for channel in events.channels}
    markers = {channel.detector: channel.marker for channel in events.channels if channel.marker}
    spoilt = EventTable.from_columns(columns, markers=markers, keywords=events.keywords)
    (finding,) = [finding for finding in quantify(spoilt, template).findings if finding.code == "W293"]
    assert "T cells came with the first 2 % of the run's events" in finding.message
