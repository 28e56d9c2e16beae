"""Each kind of study against the statistics that it rests on; incomplete designs; simulated studies of known truth."""

from __future__ import annotations

import math
from statistics import mean

import numpy as np
import pytest

from cytocar.errors.tree import UsageError
from cytocar.statistics.agreement import passing_bablok
from cytocar.statistics.nested import nested_anova
from cytocar.validation.designs import HIGH, LAYOUTS, LOW, Design, Place
from cytocar.validation.evaluate.statistic import Found, Settings
from cytocar.validation.study import Study, Tube
from cytocar.validation.verdicts import EVALUATE
from tests.statistics.coverage import holds, missed, nominal
from tests.validation.made import study, tube

SETTINGS = Settings()


def _evaluate(of: Study, measurand: str = "car_per_ul") -> Found:
    return EVALUATE[of.kind](of, measurand, SETTINGS)


def _value(found: Found, name: str, level: str = "") -> float:
    (value,) = [one.estimate.value for one in found.statistics if (one.name, one.level) == (name, level)]
    assert value is not None
    return value


def _places(design: Design) -> list[Place]:
    return list(LAYOUTS[design].tubes(LAYOUTS[design].levels, LAYOUTS[design].replicates))


def test_precision_of_20_days_is_the_nested_analysis_of_each_level() -> None:
    rng = np.random.default_rng(1)
    places = _places(Design.PRECISION_20X2X2)
    values = dict(zip(places, rng.normal(100, 5, len(places)).tolist(), strict=True))
    found = _evaluate(study("precision-20x2x2", values))
    of_low = {place: value for place, value in values.items() if place.level == LOW}
    days, runs = [place.day for place in of_low], [place.run for place in of_low]
    anova = nested_anova(list(of_low.values()), {"day": days, "run": runs}, within="rest")
    assert _value(found, "cv_total", LOW) == anova.total.cv.value
    assert _value(found, "cv_within_run", LOW) == anova.components[-1].cv.value
    assert found.notes == ()


def test_three_tubes_instead_of_four_are_evaluated_as_unbalanced_and_said() -> None:
    rng = np.random.default_rng(2)
    places = [Place(LOW, str(day), "1", str(rep)) for day in range(1, 6) for rep in range(1, 5)]
    values = dict(zip(places, rng.normal(100, 5, 20).tolist(), strict=True))
    del values[Place(LOW, "3", "1", "4")]
    found = _evaluate(study("precision-5x4", values))
    assert _value(found, "cv_total", LOW) > 0
    assert any("unbalanced" in note and "day 3 run 1: 3" in note for note in found.notes)
    assert "unbalanced" in found.statistics[1].method


def test_a_design_says_what_of_it_is_missing() -> None:
    places = [Place(LOW, str(day), "1", str(rep)) for day in range(1, 5) for rep in range(1, 4)]
    found = _evaluate(study("precision-5x3", {place: 100.0 + number for number, place in enumerate(places)}))
    assert "low: the design asks for 5 days, there are 4" in found.notes


def test_a_tube_without_its_place_is_refused_by_name() -> None:
    values = {Place(LOW, "1", "", "1"): 1.0, Place(LOW, "1", "1", "2"): 2.0}
    with pytest.raises(UsageError, match="t0: val_run") as caught:
        _evaluate(study("precision-5x3", values))
    assert caught.value.code == "E257"


@pytest.mark.parametrize(
    ("name", "places", "why"),
    [
        ("precision-5x3", [Place(LOW, "1", "1", "1"), Place(LOW, "1", "1", "2")], "2 results .* in 1 runs"),
        ("linearity", [Place(f"{x}", expected=x) for x in (0.25, 0.5, 1.0)], "3 levels"),
        ("detection", [Place("low", expected=1.0), Place("low", rep="2", expected=1.0)], "0 blank tubes"),
        ("comparison", [Place("s1", run="A"), Place("s1", run="B")], "there for 1 sample"),
        ("carry-over", [Place(HIGH, run="1", rep="1"), Place(LOW, run="1", rep="1")], "no sequence"),
        ("stability", [Place("s", hours=24.0), Place("s", hours=48.0)], "times are 24 h, 48 h"),
        ("operators", [Place("s1", operator="A"), Place("s1", operator="B")], "there for 1 sample"),
    ],
)
def test_a_missing_level_is_an_error_that_names_it(name: str, places: list[Place], why: str) -> None:
    with pytest.raises(UsageError, match=why) as caught:
        _evaluate(study(name, {place: 10.0 + number for number, place in enumerate(places)}))
    assert caught.value.code == "E254"


def test_linearity_of_exact_dilutions() -> None:
    places = _places(Design.LINEARITY)
    found = _evaluate(study("linearity", {place: 200 * (place.expected or 0) for place in places}))
    assert _value(found, "slope") == pytest.approx(200)
    assert (_value(found, "order"), _value(found, "nonlinearity")) == (1, 0)
    assert _value(found, "proportionality_r2") == pytest.approx(1)


def _mean(tubes: list[Tube], level: str) -> float:
    return mean(value for one in tubes if one.level == level and (value := one.number("car_percent_of_t_cells")))


def test_detection_by_numbers_and_by_events() -> None:
    rng = np.random.default_rng(3)
    of = 20_000
    places = [Place("blank", rep=str(number), expected=0.0) for number in range(30)]
    places += [Place(f"{x}", rep=str(n), expected=x) for x in (0.05, 0.1, 0.5) for n in range(10)]
    rows = [(place, int(rng.poisson(2 + of * (place.expected or 0) / 100))) for place in places]
    tubes = [
        tube(
            "detection",
            place,
            {"car_percent_of_t_cells": 100 * events / of, "car_events": events, "t_cell_events": of},
            sample_id=f"t{number}",
        )
        for number, (place, events) in enumerate(rows)
    ]
    of_study = study("detection", {})
    found = _evaluate(Study(of_study.name, of_study.kind, tuple(tubes)), "car_percent_of_t_cells")
    assert _value(found, "lob") == pytest.approx(5 / of * 100, rel=0.3)  # 95th percentile of Poisson 2
    assert _value(found, "lob_events") in (4, 5, 6)
    assert _value(found, "lod_events") == pytest.approx(10.5, abs=1.6)
    assert _value(found, "detected", "0.5") == 100
    assert _value(found, "lloq") in [_mean(tubes, level) for level in ("0.1", "0.5")]


def test_comparison_takes_pairs_of_runs_and_expected_values_alike() -> None:
    rng = np.random.default_rng(4)
    truth = rng.uniform(10, 100, 40)
    x, y = truth + rng.normal(0, 2, 40), 1.05 * truth + rng.normal(0, 2, 40)
    pairs = {Place(f"s{n}", run=run): float(v) for n in range(40) for run, v in (("A", x[n]), ("B", y[n]))}
    expected = {Place(f"s{n}", expected=float(x[n])): float(y[n]) for n in range(40)}
    line = passing_bablok(x, y)
    for values in (pairs, expected):
        found = _evaluate(study("comparison", values))
        assert _value(found, "passing_bablok_slope") == line.slope.value
        assert _value(found, "bias_percent") == pytest.approx(5, abs=2)
        assert found.notes == ()


def test_carry_over_is_the_published_formula() -> None:
    values = {}
    for run in ("1", "2"):
        for level, numbers in ((HIGH, (990, 1000, 1010)), (LOW, (14, 10, 10))):
            for rep, value in enumerate(numbers, start=1):
                values[Place(level, "1", run, str(rep))] = float(value)
    assert _value(_evaluate(study("carry-over", values)), "carry_over") == pytest.approx(100 * 4 / 1000)


def test_stability_ends_where_a_level_leaves_the_limit() -> None:
    values = {}
    for specimen in range(6):
        for hours, level in ((0.0, 100), (24.0, 95), (48.0, 85), (72.0, 70)):
            values[Place(f"s{specimen}", hours=hours)] = level * (1 + 0.01 * specimen * (hours > 0))
    found = _evaluate(study("stability", values))
    assert _value(found, "stable_hours") == 48
    assert [one.estimate.low for one in found.statistics if one.name == "stable_hours"] == [48]
    assert _value(found, "percent_of_start", "72 h") == pytest.approx(71.7, abs=0.2)


def test_operators_who_were_not_all_there_are_left_out_and_said() -> None:
    rng = np.random.default_rng(5)
    values = {
        Place(f"s{sample}", operator=who): 10.0 * sample + float(rng.normal(0, 0.5))
        for sample in range(1, 11)
        for who in "ABC"
    }
    del values[Place("s4", operator="B")]
    found = _evaluate(study("operators", values))
    assert _value(found, "icc") > 0.99
    assert any("not measured by each operator and left out: 1 sample," in note for note in found.notes)


def test_a_study_of_precision_finds_components_that_are_known() -> None:
    places = _places(Design.PRECISION_5X3)
    between, within = 4.0, 3.0

    def simulated(rng: np.random.Generator) -> list[bool]:
        days = {str(day): rng.normal(0, between) for day in range(1, 6)}
        values = {place: float(100 + days[place.day] + rng.normal(0, within)) for place in places if place.level == LOW}
        found = {one.name: one.estimate for one in _evaluate(study("precision-5x3", values)).statistics}
        truths = {"mean": 100, "cv_within_run": within, "cv_between_run": between, "cv_total": math.hypot(3, 4)}
        return [holds(found[name], truth) for name, truth in truths.items()]

    assert nominal(missed(simulated, seeds=150))


@pytest.mark.parametrize("design", Design)
@pytest.mark.parametrize("value", [0.0, 5.0, -1.0])
def test_results_that_are_all_the_same_are_evaluated_or_refused_with_a_code(design: Design, value: float) -> None:
    made = study(design.value, dict.fromkeys(_places(design), value))
    try:
        found = _evaluate(made)
    except UsageError as refused:
        assert refused.code == "E254"
        return
    limits = [limit for one in found.statistics for limit in (one.estimate.value, one.estimate.low, one.estimate.high)]
    assert all(limit is None or math.isfinite(limit) for limit in limits)
