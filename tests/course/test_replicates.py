"""Replicates and dilutions of one draw: pooled where they agree, and said where they do not."""

from __future__ import annotations

import numpy as np
import pytest

from cytocar.counting.limits import CarResult
from cytocar.course.replicates import CountedSample, pool
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
    counted = ratio_estimate(car, beads).scaled(beads / blood_ul).widened(sample.cv)
    return CountedSample(**{**{name: getattr(sample, name) for name in sample.__slots__}, "car_per_ul": counted})


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
        sample = tube(name, 100)
        net = Estimate(9.0, 5.0, 13.0)
        return CountedSample(**{**{n: getattr(sample, n) for n in sample.__slots__}, "car_per_ul_net": net})

    pooled = pool([with_net("a"), with_net("b"), with_net("c")])
    assert pooled.car_per_ul_net.value == pytest.approx(9.0)
    low, high = pooled.car_per_ul_net.low, pooled.car_per_ul_net.high
    assert low is not None and high is not None
    assert 5.0 < low < 6.5
    assert 11.5 < high < 13.0
