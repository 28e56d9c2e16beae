"""What may be claimed about the CAR-T cells of a sample whose gate was placed by controls."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

import cytocar
from cytocar.counting.background import NetShare, net_share
from cytocar.counting.basis import BeadBasis, CountBasis, NoBasis
from cytocar.counting.blank_rates import assumed_rates, measured_rates
from cytocar.counting.car_t import SEED, CarCount, car_count, rise_matters
from cytocar.counting.limits import CarResult, detection_limits
from cytocar.counting.plan import t_cells_needed
from cytocar.counting.tube import with_gates
from cytocar.counting.unseen_positives import usual_sensitivity
from cytocar.counting.witness import Witnesses, rise_of
from cytocar.errors.findings import Finding, Severity
from cytocar.gates.adaptive import reference
from cytocar.gates.decision import THRESHOLD_SD, Background, Decision, Flag, Source
from cytocar.sheet.rows import CountMethod
from cytocar.simulate import Preparation, blood_tube
from cytocar.statistics.estimate import UNKNOWN, Estimate
from cytocar.statistics.intervals import Share
from cytocar.template.model import Template

SMALL = Preparation(sample_volume_ul=50, beads_added=20_000, drawn_share=0.9)


def counted() -> cytocar.SampleResult:
    tube, baseline = (blood_tube(car_per_ul=car, preparation=SMALL, seed=seed) for car, seed in ((100, 1), (0, 2)))
    template = cytocar.load_template("cart-cd19fc")
    about = {"beads_added": 20_000.0, "sample_volume_ul": 50.0}
    return cytocar.quantify(tube.events, template, controls=[baseline.events], **about)  # type: ignore[arg-type]


def test_positives_that_cannot_be_told_from_negatives_are_not_quantified(monkeypatch: pytest.MonkeyPatch) -> None:
    assert counted().row()["car_result"] == "quantified"
    monkeypatch.setattr(reference, "SMALLEST_STAIN_INDEX", 1e6)
    row = counted().row()
    assert row["car_result"] == "not_evaluable"
    assert row["status"] == "review"
    assert row["car_per_ul"] is not None  # the estimate stays


# ---------------------------------------------------------------- on populations that are made up

TEMPLATE = cytocar.load_template("cart-cd19fc")
FIXED = cytocar.load_template("cart-cd19fc-fixed")
NO_CAR = cytocar.load_template("bcell-aplasia")
BEADS = BeadBasis(bead_events=10_000, beads_added=10_000, sample_volume_ul=50)  # an event is 0.02 cells/µL
CLEAN = Background(30, 10**6, ("B",), between_cv=0.25)


class Made(dict[str, SimpleNamespace]):
    """Populations by name, and decisions."""

    decisions: tuple[Decision, ...] = ()


def made(car: int, t_cells: int, *decisions: Decision) -> Any:
    populations = Made(car_t=SimpleNamespace(events=car), t_cells=SimpleNamespace(events=t_cells))
    populations.decisions = decisions
    return populations


def decision(parameter: str, value: float, *flags: Flag, population: str = "car_t") -> Decision:
    return Decision(population, "reference", parameter, value, Source.REFERENCE, flags=flags)


def count(
    car: int,
    t_cells: int = 50_000,
    *decisions: Decision,
    background: Background | None = CLEAN,
    template: Template = TEMPLATE,
    basis: CountBasis = BEADS,
    asked_for: CountMethod = CountMethod.BEADS,
    **options: Any,
) -> tuple[CarCount, dict[str, Finding]]:
    options.setdefault("gate_cvs", {})
    known = {} if background is None else {"car_t": background}
    found, findings = car_count(made(car, t_cells, *decisions), template, basis, known, asked_for=asked_for, **options)
    assert found is not None
    return found, {finding.code: finding for finding in findings}


def test_a_template_without_a_car_counts_none() -> None:
    assert car_count(made(5, 10), NO_CAR, BEADS, {}, asked_for=CountMethod.BEADS, gate_cvs={}) == (None, ())


def test_share_net_share_and_concentrations_are_those_of_their_parts() -> None:
    car, findings = count(1015, gate_cvs={"car_t": 0.1, "t_cells": 0.2, "beads": 0.9})
    net = net_share(1015, 50_000, CLEAN, assumed_percent=0.05, seed=SEED, fewest_events=13)
    assert car.percent == Share(1015, 50_000).estimate()
    assert (car.net_percent, car.background_percent) == (net.net, net.background_percent)
    assert car.limits == detection_limits(TEMPLATE.limits, 50_000, BEADS, net=net)
    assert (car.result, car.witnessed_percent, findings) == (CarResult.QUANTIFIED, UNKNOWN, {})
    gated = with_gates(BEADS, 0.1).concentration(1015)
    assert car.per_ul.value == gated.value
    assert (car.per_ul.low, car.per_ul.high) == (
        min(gated.low or 0.0, car.net_per_ul.low or 0.0),
        max(gated.high or 0.0, car.net_per_ul.high or 0.0),
    )
    total = with_gates(BEADS, 0.2)
    assert car.net_per_ul.value == pytest.approx((net.net.value or 0) / 100 * 1000)
    assert (car.net_per_ul.high or 0) / (car.net_per_ul.low or 1) == pytest.approx(
        math.exp(2 * 1.96 * math.hypot(0.2, 1 / math.sqrt(1015))), rel=0.1
    )
    assert total.concentration(50_000).value == 1000
    assert car.concentration() == car.per_ul
    assert car.concentration(gated=False) == car.net_per_ul
    assert (car.report(), car.report(gated=False)) == ("20.3", f"{car.net_per_ul.value:.1f}")
    missed = replace(CLEAN, sensitivity=0.8)
    bare, _ = count(1015, basis=NoBasis(), asked_for=CountMethod.NONE, background=missed)
    assert (bare.report(), bare.report(gated=False)) == ("2.03 % of T cells", "2.53 % of T cells")
    both, _ = count(1015, background=missed)
    assert (both.report(), both.report(gated=False)) == ("20.3", "25.3")


def test_without_a_gate_by_controls_there_is_no_net_share() -> None:
    car, _ = count(1000, template=FIXED, background=None)
    assert (car.net_percent, car.background_percent, car.net_per_ul) == (UNKNOWN, None, UNKNOWN)
    assert car.concentration(gated=False) == car.per_ul
    assert car.report(gated=False) == car.report() == "20.0"
    assert car.limits == detection_limits(FIXED.limits, 50_000, BEADS)


@pytest.mark.parametrize(
    ("options", "result"),
    [
        ({}, CarResult.QUANTIFIED),
        ({"asked_for": CountMethod.VOLUMETRIC}, CarResult.NOT_EVALUABLE),
        ({"is_the_car": False}, CarResult.NOT_EVALUABLE),
    ],
)
def test_what_cannot_be_counted_or_is_no_car_is_not_evaluable(options: dict[str, Any], result: CarResult) -> None:
    assert count(1000, **options)[0].result is result


@pytest.mark.parametrize(
    ("car", "population", "flag", "result"),
    [
        (1000, "car_t", Flag.NOT_QUANTIFIABLE, CarResult.NOT_EVALUABLE),
        (1000, "cd8", Flag.NOT_QUANTIFIABLE, CarResult.QUANTIFIED),
        (1000, "car_t", Flag.LOW_STAIN_INDEX, CarResult.QUANTIFIED),
        (2, "car_t", Flag.NOT_QUANTIFIABLE, CarResult.NOT_DETECTED),
    ],
)
def test_positives_that_overlap_the_negatives_are_no_number_but_none_is_none(
    car: int, population: str, flag: Flag, result: CarResult
) -> None:
    assert count(car, 50_000, decision("threshold", 900.0, flag, population=population))[0].result is result


POSITIVE = Background(10_000, 10**6, ("B",), between_cv=0.25)  # 1 % of the baseline's T cells lie in the gate


@pytest.mark.parametrize(
    ("car", "above_fallback", "flags", "result"),
    [
        (300, 400, (Flag.HIGH_BACKGROUND,), CarResult.NOT_EVALUABLE),
        (20, 400, (Flag.HIGH_BACKGROUND,), CarResult.NOT_EVALUABLE),  # the threshold moved up over them
        (20, 40, (Flag.HIGH_BACKGROUND,), CarResult.NOT_DETECTED),  # no more than any tube may show
        (300, 400, (), CarResult.NOT_DETECTED),
        (5000, 5000, (Flag.HIGH_BACKGROUND,), CarResult.QUANTIFIED),
    ],
)
def test_what_only_a_positive_baseline_denies_is_not_evaluable(
    car: int, above_fallback: int, flags: tuple[Flag, ...], result: CarResult
) -> None:
    placed = Decision(
        "car_t", "reference", "threshold", 900.0, Source.REFERENCE, flags=flags, kept_by_fallback=above_fallback
    )
    assert count(car, 50_000, placed, background=POSITIVE)[0].result is result


def test_few_car_t_cells_beside_a_positive_baseline_are_not_called_absent() -> None:
    tube, baseline = (blood_tube(car_per_ul=car, preparation=SMALL, seed=seed) for car, seed in ((5, 15), (20, 3)))
    about = {"beads_added": 20_000.0, "sample_volume_ul": 50.0}
    row = cytocar.quantify(tube.events, TEMPLATE, controls=[baseline.events], **about).row()  # type: ignore[arg-type]
    assert (row["car_result"], row["status"]) == ("not_evaluable", "review")
    assert row["car_per_ul"] == pytest.approx(5, rel=0.3)


def test_without_a_control_the_tube_s_own_positives_tell_what_is_missed() -> None:
    known = decision("sensitivity", 0.8), decision("sensitivity_sd", 0.05)
    expected = net_share(1000, 50_000, None, assumed_percent=0.05, seed=SEED, fewest_events=13, unaided=(0.8, 0.05))
    assert count(1000, 50_000, *known, background=None)[0].net_percent == expected.net
    alone = net_share(1000, 50_000, None, assumed_percent=0.05, seed=SEED, fewest_events=13)
    for part in (known[:1], known[1:], [decision("sensitivity", 0.8, population="x"), known[1]]):
        assert count(1000, 50_000, *part, background=None)[0].net_percent == alone.net


def test_without_a_control_negatives_that_fall_through_the_threshold_reach_the_lower_limit() -> None:
    expected = net_share(1000, 50_000, None, assumed_percent=0.05, seed=SEED, fewest_events=13, falling=400)
    assert count(1000, 50_000, decision("falling_negatives", 400), background=None)[0].net_percent == expected.net


def test_limits_of_a_tube_with_too_few_positives_hold_for_the_stain_index_that_the_gate_names() -> None:
    dim = replace(
        TEMPLATE,
        populations=tuple(
            replace(one, gate=replace(one.gate, stain_index=3.0)) if one.name == TEMPLATE.report.car else one
            for one in TEMPLATE.populations
        ),
    )
    placed = decision(THRESHOLD_SD, 4.3)
    unresolved = replace(CLEAN, resolved=False, place=4.3)
    for background, decisions in ((None, (placed,)), (unresolved, ())):
        usual, low = (
            count(0, 50_000, *decisions, background=background, template=one)[0].limits.lod_percent or 0
            for one in (TEMPLATE, dim)
        )
        assert low / usual == pytest.approx(usual_sensitivity(4.3, 6.0) / usual_sensitivity(4.3, 3.0), rel=0.01)
    seen = [count(0, 50_000, background=replace(CLEAN, place=4.3), template=one)[0] for one in (TEMPLATE, dim)]
    assert seen[0].limits == seen[1].limits
    about = count(0, 12_000, background=unresolved)[1]["W222"]
    blank = measured_rates(unresolved)
    assert about.limit == t_cells_needed(0.1, blank, fewest_events=13, sensitivity=usual_sensitivity(4.3, 6.0))


@pytest.mark.parametrize(("sensitivity", "asks"), [(0.75, True), (0.78, False)])
def test_a_net_count_far_above_the_gated_one_asks_for_a_look(sensitivity: float, asks: bool) -> None:
    missed = replace(CLEAN, sensitivity=sensitivity)
    found, findings = count(1000, background=missed)
    assert ("W321" in findings) is asks
    assert "W321" not in count(3, background=missed)[1]
    if asks:
        times = (found.net_percent.value or 0) / 2
        about = findings["W321"]
        assert (about.check, about.outcome, about.limit) == ("net", Severity.REVIEW, 1.3)
        assert about.value == pytest.approx(times)
        assert f"net count {times:.2f} times the gated one" in about.message


@pytest.mark.parametrize(
    ("car", "t_cells", "background", "outcome"),
    [
        pytest.param(0, 19_443 * 2, CLEAN, None, id="reached"),
        pytest.param(0, 13_000, None, None, id="13 events of 0.1 % are enough without a control"),
        pytest.param(0, 12_999, None, Severity.NOTE, id="nearly, and nothing there"),
        pytest.param(0, 1_300, None, Severity.NOTE, id="a tenth, and nothing there"),
        pytest.param(0, 1_299, None, Severity.REVIEW, id="less than a tenth"),
        pytest.param(15, 5_000, None, Severity.REVIEW, id="a claim on too few"),
        pytest.param(100, 5_000, None, Severity.NOTE, id="quantified all the same"),
        pytest.param(15, 13_500, CLEAN, Severity.NOTE, id="a claim on enough for the events"),
    ],
)
def test_how_many_t_cells_the_aim_needs_is_noted_or_asked(
    car: int, t_cells: int, background: Background | None, outcome: Severity | None
) -> None:
    template = FIXED if background is None else TEMPLATE
    _, findings = count(car, t_cells, background=background, template=template)
    about = findings.get("W222")
    assert (about.outcome if about else None) is outcome
    if about is not None:
        blank = assumed_rates(0.0) if background is None else measured_rates(background)
        needed = t_cells_needed(0.1, blank, fewest_events=13)
        assert (about.check, about.value, about.limit) == ("t_cell_events", t_cells, needed)
        assert about.message == f"{t_cells:,} T cells acquired; to reach 0.1 % this tube needed {needed:,}"


def test_an_aim_that_the_background_hides_cannot_be_reached_and_an_aim_of_nothing_is_none() -> None:
    sticky = replace(CLEAN, events=3000)
    about = count(0, 40_000, background=sticky)[1]["W222"]
    assert about.message == "40,000 T cells acquired; 0.1 % cannot be reached over this background"
    assert about.limit is None
    aimless = replace(TEMPLATE, limits=replace(TEMPLATE.limits, detection_percent=0.0))
    assert "W222" not in count(0, 500, template=aimless)[1]
    half = replace(CLEAN, sensitivity=0.5)
    seen = count(0, 12_000, background=half)[1]["W222"]
    assert seen.limit == t_cells_needed(0.1, measured_rates(half), fewest_events=13, sensitivity=0.5)


def witnessed(*, low: float | None, value: float, witnessed_low: float, probability: float | None = 0.98) -> NetShare:
    return NetShare(
        UNKNOWN,
        Estimate(1.0, 0.5, 1.5),
        0.05,
        3,
        witnessed=Estimate(value, witnessed_low, 1.2),
        low_by_controls=low,
        rise_probability=probability,
    )


@pytest.mark.parametrize(
    ("net", "asks"),
    [
        pytest.param(witnessed(low=0.5, value=0.9, witnessed_low=0.4), False, id="a tenth less"),
        pytest.param(witnessed(low=0.5, value=0.45, witnessed_low=0.1), True, id="below the lower limit"),
        pytest.param(witnessed(low=0.1, value=0.74, witnessed_low=0.4), True, id="more than a quarter less"),
        pytest.param(witnessed(low=0.1, value=0.75, witnessed_low=0.4), False, id="a quarter less"),
        pytest.param(witnessed(low=0.5, value=0.9, witnessed_low=0.0), True, id="perhaps none"),
        pytest.param(witnessed(low=0.0, value=0.1, witnessed_low=0.0), False, id="none by the controls alone"),
        pytest.param(witnessed(low=None, value=0.1, witnessed_low=0.0), False, id="nothing asked"),
        pytest.param(witnessed(low=0.5, value=0.1, witnessed_low=0.0, probability=0.97), True, id="just convincing"),
        pytest.param(witnessed(low=0.5, value=0.1, witnessed_low=0.0, probability=0.96), False, id="not convincing"),
        pytest.param(witnessed(low=0.5, value=0.1, witnessed_low=0.0, probability=None), False, id="no witnesses"),
    ],
)
def test_a_rise_matters_where_it_makes_another_result(net: NetShare, asks: bool) -> None:
    assert rise_matters(net) is asks


def test_cells_that_bind_as_those_without_cd3_do_are_a_second_number_and_a_look() -> None:
    rise = rise_of(Witnesses(120, 15_000, 6, 30_000))
    car, findings = count(400, rise=rise)
    net = net_share(400, 50_000, CLEAN, assumed_percent=0.05, seed=SEED, fewest_events=13, rise=rise)
    assert car.witnessed_percent == net.witnessed
    about = findings["W325"]
    assert (about.check, about.outcome, about.value) == ("witness", Severity.REVIEW, net.witnessed.value)
    assert about.limit == net.low_by_controls
    low, high = net.witnessed.low or 0, net.witnessed.high or 0
    assert f"{net.witnessed.value:.3g} ({low:.3g} to {high:.3g}) % are CAR+, not {net.net.value:.3g} %" in about.message
