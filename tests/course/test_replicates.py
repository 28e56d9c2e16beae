"""Replicates and dilutions of one draw: pooled where they agree, and said where they do not."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace
from scipy import stats

from cytocar.counting.limits import CarResult
from cytocar.course.replicates import CountedSample, agreement_of, pool
from cytocar.sample.result import Status
from cytocar.sheet.rows import CountMethod, SampleType
from cytocar.sheet.tube import Specimen
from cytocar.statistics.estimate import Estimate
from cytocar.statistics.intervals import ratio_estimate

BLOOD_UL = 10.0
CI_METHOD = "clopper_pearson + beads 3.6 % + pipetting 2.6 %"


def tube(name: str, car: int, *, beads: int = 5000, blood_ul: float = BLOOD_UL) -> CountedSample:
    sample = CountedSample(
        name,
        "P1",
        9,
        SampleType.SAMPLE,
        Specimen.BLOOD,
        Status.OK,
        "",
        bead_events=beads,
        t_cell_events=round(1000 * blood_ul),
        t_cells_per_ul=1000.0,
        car_events=car,
        car_result=CarResult.QUANTIFIED,
        car_lod_percent=0.15,
        car_lloq_percent=0.25,
        count_method=CountMethod.BEADS,
        ci_method=CI_METHOD,
    )
    return replace(sample, car_per_ul=ratio_estimate(car, beads).scaled(beads / blood_ul).widened(sample.cv))


def test_100_and_20_per_ul_on_one_day_are_no_59_6_that_is_ok() -> None:
    pooled = pool([tube("a", 1000), tube("b", 200)])
    assert pooled.agreement is not None and not pooled.agreement.holds
    assert pooled.status is Status.REVIEW
    low, high = pooled.car_per_ul.low, pooled.car_per_ul.high
    assert low is not None and low < 20
    assert high is not None and high > 100


def test_replicates_that_differ_by_counting_and_by_the_method_s_errors_agree() -> None:
    random = np.random.default_rng(4)
    disagreed = 0
    for _ in range(2000):
        beads = random.poisson(5000, 3)
        factors = np.exp(random.normal(0, 0.0444, 3))
        cars = random.poisson(400 * factors)
        pooled = pool([tube(f"{n}", int(cars[n]), beads=int(beads[n])) for n in range(3)])
        assert pooled.agreement is not None
        disagreed += not pooled.agreement.holds
    assert disagreed <= 8  # 2 expected


def test_dilutions_are_weighed_by_the_blood_examined() -> None:
    pooled = pool([tube("neat", 400), tube("1 to 10", 41, blood_ul=1.0)])
    assert pooled.agreement is not None and pooled.agreement.holds
    assert pooled.status is Status.OK
    assert pooled.car_per_ul.value == pytest.approx(441 / 11)


def test_pooling_lessens_the_counting_part_of_a_net_interval_only() -> None:
    def with_net(name: str) -> CountedSample:
        return replace(tube(name, 100), car_per_ul_net=Estimate(9.0, 5.0, 13.0))

    pooled = pool([with_net("a"), with_net("b"), with_net("c")])
    assert pooled.car_per_ul_net.value == pytest.approx(9.0)
    low, high = pooled.car_per_ul_net.low, pooled.car_per_ul_net.high
    assert low is not None and high is not None
    assert 5.0 < low < 6.5
    assert 11.5 < high < 13.0


def test_what_is_counted_adds_and_what_is_measured_is_weighed_by_blood() -> None:
    one = replace(tube("a", 400), car_cd4_events=100, car_cd8_events=300, cd4_events=700, cd8_events=350)
    other = replace(tube("b", 44, blood_ul=1.0), car_cd4_events=11, car_cd8_events=33, cd4_events=70, cd8_events=90)
    one, other = replace(one, b_cells_per_ul=100.0), replace(other, b_cells_per_ul=12.0, car_lod_percent=0.1)
    pooled = pool([one, replace(other, car_lloq_percent=None, status=Status.REVIEW)])
    assert (pooled.sample_id, pooled.status) == ("a+b", Status.REVIEW)
    assert (pooled.car_events, pooled.t_cell_events, pooled.bead_events) == (444, 11_000, 10_000)
    assert pooled.t_cells_per_ul == pytest.approx(11_000 / 11)
    assert pooled.car_percent_of_t_cells == pytest.approx(100 * 444 / 11_000)
    assert pooled.car_cd4_cd8_ratio.value == pytest.approx(111 / 333)
    assert pooled.cd4_cd8_ratio == pytest.approx(770 / 440)
    assert pooled.b_cells_per_ul == pytest.approx((100 * 10 + 12 * 1) / 11)
    assert (pooled.car_lod_percent, pooled.car_lloq_percent) == (0.1, 0.25)
    assert (pooled.car_lod_per_ul, pooled.car_lloq_per_ul) == pytest.approx((1.0, 2.5))


def test_a_replicate_without_cells_per_ul_adds_to_percentages_only_and_only_among_its_like() -> None:
    without = replace(tube("b", 44), t_cells_per_ul=None, car_per_ul=Estimate(None, None, None))
    assert pool([tube("a", 400), without]).sample_id == "a"
    pooled = pool([without, replace(without, sample_id="c", car_events=56)])
    assert pooled.sample_id == "b+c"
    assert pooled.car_percent_of_t_cells == pytest.approx(100 * 100 / 20_000)
    numbers = (pooled.car_per_ul.value, pooled.t_cells_per_ul, pooled.car_lod_per_ul, pooled.b_cells_per_ul)
    assert (*numbers, pooled.agreement) == (None,) * 5


@pytest.mark.parametrize("method", [CountMethod.BEADS, CountMethod.VOLUMETRIC])
def test_agreement_is_the_chi_square_of_counts_with_the_errors_of_bead_and_pipette(method: CountMethod) -> None:
    tubes = [replace(tube("a", 460), count_method=method), replace(tube("b", 280, blood_ul=5.0), count_method=method)]
    per_ul = 740 / 15
    chi_square = 0.0
    for events, blood in ((460, 10), (280, 5)):
        expected = per_ul * blood
        of_beads = 1 / 5000 if method is CountMethod.BEADS else 0
        chi_square += (events - expected) ** 2 / (expected + expected**2 * (of_beads + 0.036**2 + 0.026**2))
    agreement = agreement_of(tubes)
    assert agreement is not None
    assert agreement.p == pytest.approx(stats.chi2.sf(chi_square, 1))
    assert agreement.scale == pytest.approx(math.sqrt(chi_square))
    assert agreement_of(tubes[:1]) is None
    assert agreement_of([tube("a", 0), tube("b", 0)]) is None
    like = agreement_of([tube("a", 400), tube("b", 400)])
    assert like is not None
    assert (like.p, like.scale) == (1.0, 1.0)


def test_disagreement_widens_by_its_scale_in_logarithms() -> None:
    tubes = [tube("a", 1000), tube("b", 200)]
    pooled, agreement = pool(tubes), agreement_of(tubes)
    alike = pool([tube("a", 600), tube("b", 600)]).car_per_ul  # the same events in all
    assert agreement is not None
    assert pooled.car_per_ul.value == alike.value == pytest.approx(60)
    for limit, narrow in ((pooled.car_per_ul.low, alike.low), (pooled.car_per_ul.high, alike.high)):
        assert math.log((limit or 0) / 60) == pytest.approx(agreement.scale * math.log((narrow or 0) / 60))


def test_without_beads_the_pooled_interval_is_that_of_one_poisson_count() -> None:
    tubes = [replace(tube(name, 20), count_method=CountMethod.VOLUMETRIC, ci_method="garwood") for name in "ab"]
    pooled = pool(tubes).car_per_ul
    garwood = stats.chi2.ppf(0.025, 80) / 2 / 20, stats.chi2.ppf(0.975, 82) / 2 / 20
    assert (pooled.value, pooled.low, pooled.high) == pytest.approx((2.0, *garwood))
    mixed = pool([tubes[0], replace(tube("b", 20), ci_method="clopper_pearson")]).car_per_ul
    assert (mixed.low, mixed.high) == pytest.approx(garwood), "beads in one tube only are beads for none"


def test_the_largest_error_of_the_method_is_the_error_of_all() -> None:
    def pooled(*ci_methods: str) -> Estimate:
        return pool(
            [replace(tube(name, 400), ci_method=one) for name, one in zip("ab", ci_methods, strict=True)]
        ).car_per_ul

    large, small = "clopper_pearson + beads 20 %", "clopper_pearson + beads 3 %"
    assert pooled(large, small) == pooled(small, large) == pooled(large, large)
    assert (pooled(small, small).low or 0) > (pooled(large, small).low or 0)


def test_net_limits_lie_as_far_as_counting_and_what_counting_does_not_tell() -> None:
    net, gated = Estimate(9.0, 5.0, 13.0), Estimate(10.0, 8.0, 12.5)
    alone, both = tube("a", 100).car_per_ul, pool([tube(name, 100) for name in "ab"]).car_per_ul
    pooled = pool([replace(tube(name, 100), car_per_ul=gated, car_per_ul_net=net) for name in "ab"])
    (low, one_low), (high, one_high) = (
        [abs((limit or 0) - 10.0) for limit in limits] for limits in ((both.low, alone.low), (both.high, alone.high))
    )
    expected = 9 - math.hypot(low, math.sqrt(4**2 - one_low**2)), 9 + math.hypot(high, math.sqrt(4**2 - one_high**2))
    assert (pooled.car_per_ul_net.low, pooled.car_per_ul_net.high) == pytest.approx(expected)
    assert (pooled.car_per_ul.low, pooled.car_per_ul.high) == pytest.approx(expected), "the wider of both"
    unequal = pool(
        [replace(tube("a", 90), car_per_ul_net=net), replace(tube("b", 10, blood_ul=1.0), car_per_ul_net=gated)]
    )
    assert unequal.car_per_ul_net.value == pytest.approx((9 * 10 + 10 * 1) / 11)
    assert pool([replace(tube("a", 90), car_per_ul_net=net), tube("b", 90)]).car_per_ul_net.value is None


CLEAR = Estimate(1.0, 0.1, 2.0)


@pytest.mark.parametrize(
    ("cars", "about", "result"),
    [
        # of 20,000 T cells together 0.15 % are 30 events, 0.25 % are 50
        ((15, 14), {}, CarResult.NOT_DETECTED),
        ((15, 15), {}, CarResult.BELOW_LLOQ),
        ((30, 19), {}, CarResult.BELOW_LLOQ),
        ((30, 20), {}, CarResult.QUANTIFIED),
        ((35, 34), {"background_percent": 0.1}, CarResult.BELOW_LLOQ),  # 0.1 % of 20,000 are 20 events more
        ((35, 35), {"background_percent": 0.1}, CarResult.QUANTIFIED),
        ((500, 500), {"car_lod_percent": None}, CarResult.NOT_EVALUABLE),
        ((500, 500), {"car_lloq_percent": None}, CarResult.NOT_EVALUABLE),
        ((500, 500), {"car_result": CarResult.NOT_EVALUABLE}, CarResult.NOT_EVALUABLE),
        ((100, 99), {"car_lod_percent": 1.0}, CarResult.NOT_DETECTED),
        ((200, 199), {"car_lloq_percent": 2.0}, CarResult.BELOW_LLOQ),
        ((125, 124), {"background_percent": 1.0}, CarResult.BELOW_LLOQ),
        ((10, 10), {"car_lob_events": 10, "car_per_ul_net": CLEAR}, CarResult.NOT_DETECTED),
        ((10, 11), {"car_lob_events": 10, "car_per_ul_net": CLEAR}, CarResult.BELOW_LLOQ),
        ((6, 6), {"car_lob_events": 0, "car_per_ul_net": CLEAR}, CarResult.NOT_DETECTED),  # a claim needs 13
        ((6, 7), {"car_lob_events": 0, "car_per_ul_net": CLEAR}, CarResult.BELOW_LLOQ),
        ((40, 40), {"car_lob_events": 0, "car_per_ul_net": Estimate(0.0, 0.0, 50.0)}, CarResult.NOT_DETECTED),
        ((40, 40), {"car_lob_events": 0, "car_per_ul_net": CLEAR}, CarResult.QUANTIFIED),
        ((15, 14), {"car_lob_events": 0}, CarResult.NOT_DETECTED),  # without a net count the LoD decides
    ],
)
def test_what_may_be_claimed_of_pooled_tubes(cars: tuple[int, int], about: dict[str, Any], result: CarResult) -> None:
    assert pool([replace(tube(f"{car}", car), **about) for car in cars]).car_result is result


def test_one_tube_that_can_be_evaluated_is_enough() -> None:
    other = replace(tube("b", 500), car_result=CarResult.NOT_EVALUABLE, car_lod_percent=None, car_lloq_percent=None)
    assert pool([tube("a", 500), other]).car_result is CarResult.QUANTIFIED


def test_the_worst_status_and_the_limits_of_any_tube_count() -> None:
    one = replace(tube("a", 400), status=Status.OK, car_lloq_percent=None, t_cells_per_ul=2000.0)
    other = replace(tube("b", 400), status=Status.NO_COUNT)
    pooled = pool([one, other])
    assert pooled.status is pool([other, one]).status is Status.NO_COUNT
    assert pooled.car_lloq_percent == 0.25
    assert pooled.t_cells_per_ul == pytest.approx(20_000 / 15)
    assert pool([replace(tube(name, 400), status=Status.REVIEW) for name in "ab"]).status is Status.REVIEW
    apart = [replace(tube("a", 1000), status=Status.NO_COUNT), tube("b", 200)]
    assert pool(apart).status is Status.NO_COUNT


def test_more_cells_than_their_parent_holds_are_no_percentage() -> None:
    assert pool([replace(tube(name, 400), t_cell_events=400) for name in "ab"]).car_percent_of_t_cells == 100
    assert pool([replace(tube(name, 401), t_cell_events=400) for name in "ab"]).car_percent_of_t_cells is None


def test_three_tubes_scatter_by_the_root_of_chi_square_over_two() -> None:
    cars = (0, 400, 1100)
    chi_square = sum((car - 500) ** 2 / (500 + 500**2 * (1 / 5000 + 0.036**2 + 0.026**2)) for car in cars)
    agreement = agreement_of([tube(f"{car}", car) for car in cars])
    assert agreement is not None
    assert agreement.scale == pytest.approx(math.sqrt(chi_square / 2))
    assert agreement.p == pytest.approx(stats.chi2.sf(chi_square, 2), abs=1e-12)


def test_tubes_that_scatter_too_much_widen_the_net_count_too_whether_or_not_they_disagree() -> None:
    def pooled(*cars: int) -> CountedSample:
        return pool([replace(tube(f"{car}", car), car_per_ul_net=Estimate(30.0, 20.0, 45.0)) for car in cars])

    apart, alike, near, chance = pooled(1000, 200), pooled(600, 600), pooled(640, 560), pooled(610, 590)
    assert near.agreement is not None
    assert near.agreement.holds
    wide, narrow = pool([tube("a", 640), tube("b", 560)]).car_per_ul, pool([tube("a", 600), tube("b", 600)]).car_per_ul
    for limit, inner in ((wide.low, narrow.low), (wide.high, narrow.high)):
        assert math.log((limit or 0) / 60) == pytest.approx(near.agreement.scale * math.log((inner or 0) / 60))
    assert near.car_per_ul_net.low is not None and near.status is Status.OK
    assert near.car_per_ul_net.low < 0.95 * (alike.car_per_ul_net.low or 0)
    assert (chance.car_per_ul.low, chance.car_per_ul.high) == pytest.approx(
        (alike.car_per_ul.low, alike.car_per_ul.high), rel=1e-4
    )
    assert (apart.car_per_ul_net.low or 0) < (alike.car_per_ul_net.low or 0)
    assert (apart.car_per_ul_net.high or 0) > (alike.car_per_ul_net.high or 0)


def test_the_pooled_interval_is_that_of_all_events_against_all_beads() -> None:
    tubes = [replace(tube(name, 50, beads=100), ci_method="clopper_pearson") for name in "ab"]
    low, high = stats.beta.ppf(0.025, 100, 201), stats.beta.ppf(0.975, 101, 200)  # of 300 events 100 are cells
    pooled = pool(tubes).car_per_ul
    expected = (5.0, *(share / (1 - share) * 200 / 20 for share in (low, high)))
    assert (pooled.value, pooled.low, pooled.high) == pytest.approx(expected)
