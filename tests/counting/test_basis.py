"""Absolute counts against the worked numbers, and what each method asks for."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from cytocar.counting.basis import BeadBasis, CountBasis, DualPlatformBasis, NoBasis, VolumetricBasis
from cytocar.counting.tube import MOST_PAIRS_PERCENT, with_pairs
from cytocar.errors.findings import Severity
from cytocar.errors.tree import CountingError
from cytocar.statistics.estimate import UNKNOWN, Estimate


def beads(bead_events: int, beads_added: float = 50_000, **options: Any) -> BeadBasis:
    return BeadBasis(bead_events=bead_events, beads_added=beads_added, sample_volume_ul=50, **options)


@pytest.mark.parametrize(
    ("cells", "bead_events", "beads_added", "per_ul"),
    [(53_200, 20_000, 20_000, 1064), (5_000, 10_000, 52_000, 520), (10, 20_000, 52_000, 0.52)],
)
def test_beads_give_the_worked_counts(cells: int, bead_events: int, beads_added: float, per_ul: float) -> None:
    assert beads(bead_events, beads_added).concentration(cells).value == pytest.approx(per_ul)


@pytest.mark.parametrize(
    ("cells", "bead_events", "expected"),
    [
        (0, 8000, (0, 0, 0.461)),
        (3, 8000, (0.375, 0.077, 1.10)),
        (600, 8000, (75, 68.9, 81.5)),
        (600, 200, (3000, 2552, 3539)),
    ],
)
def test_beads_give_the_worked_intervals(cells: int, bead_events: int, expected: tuple[float, float, float]) -> None:
    estimate = beads(bead_events).concentration(cells)
    assert (estimate.value, estimate.low, estimate.high) == pytest.approx(expected, rel=7e-3)


def test_dual_platform_gives_the_worked_count() -> None:
    assert DualPlatformBasis(200_000, 2000).concentration(10_640).value == pytest.approx(106.4)


def test_volumetric_gives_the_worked_count() -> None:
    assert VolumetricBasis(acquired_volume_ul=30.5).concentration(2193).value == pytest.approx(71.90, abs=0.005)


def test_volumetric_multiplies_the_dilution_in_the_tube_and_before_it() -> None:
    basis = VolumetricBasis(acquired_volume_ul=100, sample_volume_ul=50, final_volume_ul=500, dilution_factor=2)
    assert basis.concentration(100).value == pytest.approx(100 / 100 * 10 * 2)
    assert basis.findings == ()


def test_volumetric_without_any_dilution_says_that_it_took_the_blood_as_undiluted() -> None:
    (finding,) = VolumetricBasis(acquired_volume_ul=100, sample_volume_ul=50).findings
    assert (finding.code, finding.outcome) == ("W221", Severity.REVIEW)


def test_beads_multiply_the_dilution_before_pipetting() -> None:
    assert beads(10_000, dilution_factor=4).concentration(100).value == pytest.approx(40)


BASES: list[CountBasis] = [
    beads(10_000),
    beads(60, cvs={"beads": 0.05}),
    VolumetricBasis(acquired_volume_ul=25.0),
    VolumetricBasis(acquired_volume_ul=25.0, cvs={"pipetting": 0.1}),
    DualPlatformBasis(50_000, 1500.0),
    DualPlatformBasis(50_000, 1500.0, cvs={"analyser": 0.03}),
]


@pytest.mark.parametrize("basis", BASES, ids=lambda basis: f"{basis.method}-{basis.ci_method}")
@given(events=st.integers(0, 50_000))
def test_every_interval_holds_the_count_that_one_event_makes(basis: CountBasis, events: int) -> None:
    estimate = basis.concentration(events)
    per_event = basis.per_event()
    assert per_event is not None
    assert estimate.value is not None
    assert estimate.low is not None
    assert estimate.high is not None
    assert estimate.value == pytest.approx(events * per_event)
    assert 0 <= estimate.low <= estimate.value * (1 + 1e-12)
    assert estimate.value * (1 - 1e-12) <= estimate.high


@pytest.mark.parametrize(
    ("basis", "name"),
    [
        (beads(10_000), "clopper_pearson"),
        (beads(10_000, cvs={"beads": 0.036, "pipetting": 0.026}), "clopper_pearson + beads 3.6 % + pipetting 2.6 %"),
        (VolumetricBasis(acquired_volume_ul=1, cvs={"pipetting": 0.125}), "garwood + pipetting 12.5 %"),
        (DualPlatformBasis(10, 10, cvs={"analyser": 0.03}), "clopper_pearson + analyser 3 %"),
        (NoBasis(), ""),
    ],
)
def test_the_name_of_the_interval_tells_its_systematic_term(basis: CountBasis, name: str) -> None:
    assert basis.ci_method == name


def test_a_systematic_term_dominates_a_large_count() -> None:
    estimate = beads(1_000_000, beads_added=2_000_000, cvs={"beads": 0.05}).concentration(1_000_000)
    assert estimate.high is not None
    assert estimate.value is not None
    assert math.log(estimate.high / estimate.value) == pytest.approx(1.96 * 0.05, rel=2e-3)


def test_no_count_method_gives_no_concentration() -> None:
    assert NoBasis().concentration(100) == UNKNOWN
    assert NoBasis().per_event() is None
    assert NoBasis().findings == ()


def test_a_population_outside_the_reference_still_has_a_ratio_to_it() -> None:
    estimate = DualPlatformBasis(1000, 2000.0).concentration(4000)
    assert isinstance(estimate, Estimate)
    assert estimate.value == pytest.approx(8000)
    assert estimate.high is not None
    assert estimate.high > 8000


def test_the_whole_reference_is_the_analysers_count() -> None:
    estimate = DualPlatformBasis(1000, 2000.0).concentration(1000)
    assert estimate.value == estimate.high == 2000


def test_few_beads_are_a_finding_for_review() -> None:
    (finding,) = beads(999).findings
    assert (finding.code, finding.outcome, finding.value, finding.limit) == ("W220", Severity.REVIEW, 999, 1000)
    (finding,) = beads(1000).findings
    assert finding.outcome is Severity.PASS


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda: beads(0), "E031"),
        (lambda: beads(50_001), "E070"),
        (lambda: VolumetricBasis(acquired_volume_ul=30, dilution_factor=0), "E035"),
        (lambda: VolumetricBasis(acquired_volume_ul=30, sample_volume_ul=-1), "E035"),
        (lambda: beads(49), "E032"),
        (lambda: beads(5000, beads_added=0), "E035"),
        (lambda: beads(5000, beads_added=-1), "E035"),
        (lambda: beads(5000, beads_added=math.inf), "E035"),
        (lambda: beads(5000, beads_added=math.nan), "E035"),
        (lambda: BeadBasis(5000, 50_000, sample_volume_ul=0), "E035"),
        (lambda: beads(5000, dilution_factor=0), "E035"),
        (lambda: VolumetricBasis(acquired_volume_ul=0), "E033"),
        (lambda: VolumetricBasis(acquired_volume_ul=-3), "E035"),
        (lambda: VolumetricBasis(acquired_volume_ul=math.inf), "E035"),
        (lambda: VolumetricBasis(acquired_volume_ul=30, final_volume_ul=500), "E034"),
        (lambda: VolumetricBasis(acquired_volume_ul=30, final_volume_ul=500, sample_volume_ul=501), "E035"),
        (lambda: DualPlatformBasis(5000, 0), "E035"),
        (lambda: DualPlatformBasis(0, 1500), "E037"),
    ],
)
def test_what_cannot_be_counted_is_refused_with_a_code_and_a_remedy(make: Callable[[], CountBasis], code: str) -> None:
    with pytest.raises(CountingError) as caught:
        make()
    assert caught.value.code == code
    assert caught.value.hint


def test_blood_may_fill_the_tube_and_a_count_that_cannot_be_is_named() -> None:
    undiluted = VolumetricBasis(acquired_volume_ul=100, sample_volume_ul=300, final_volume_ul=300)
    assert undiluted.concentration(100).value == pytest.approx(1.0)
    with pytest.raises(CountingError, match=r"^the analyser's count \(cells/µL\)"):
        DualPlatformBasis(5000, 0)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: beads(5000, beads_added=0), "beads_added"),
        (lambda: BeadBasis(5000, 50_000, sample_volume_ul=0), "sample_volume_ul"),
        (lambda: beads(5000, dilution_factor=0), "dilution_factor"),
        (lambda: VolumetricBasis(acquired_volume_ul=-3), "acquired_volume_ul"),
        (lambda: VolumetricBasis(acquired_volume_ul=3, final_volume_ul=-3), "final_volume_ul"),
    ],
)
def test_a_number_that_cannot_be_is_named(make: Callable[[], CountBasis], name: str) -> None:
    with pytest.raises(CountingError, match=f"^{name} is "):
        make()


def test_one_dilution_is_enough_to_say_what_was_counted() -> None:
    assert VolumetricBasis(acquired_volume_ul=30, dilution_factor=2).findings == ()
    assert VolumetricBasis(acquired_volume_ul=30, sample_volume_ul=50, final_volume_ul=500).findings == ()
    (finding,) = VolumetricBasis(acquired_volume_ul=30).findings
    assert (finding.check, beads(1000).findings[0].check) == ("volume", "beads")


def test_all_beads_may_be_counted() -> None:
    assert beads(50_000).concentration(100).value == pytest.approx(2)


def test_draws_of_few_events_keep_half_an_event_as_jeffreys_rule_does() -> None:
    import numpy as np
    from scipy import stats

    quantiles = [0.5, 0.975]
    drawn = DualPlatformBasis(2, 100.0).draws(0, np.random.default_rng(5), 100_000)
    assert np.quantile(drawn, quantiles) == pytest.approx(100 * stats.beta(0.5, 2.5).ppf(quantiles), rel=0.03)
    more = DualPlatformBasis(1, 100.0).draws(2, np.random.default_rng(5), 100_000)
    assert np.quantile(more, quantiles) == pytest.approx(100 * stats.f(5, 3).ppf(quantiles) * 5 / 3, rel=0.04)


def test_fifty_beads_are_enough_for_a_count() -> None:
    assert beads(50).concentration(50).value == pytest.approx(1000)


@pytest.mark.parametrize(("cells", "bead_events"), [(4, 100), (30, 2000), (400, 300)])
def test_the_interval_of_a_bead_count_covers_the_truth_as_often_as_it_says(cells: float, bead_events: float) -> None:
    import numpy as np

    random = np.random.default_rng(11)
    truth = cells / bead_events * 1000
    covered = 0
    for n_cells, n_beads in zip(random.poisson(cells, 600), random.poisson(bead_events, 600), strict=True):
        estimate = beads(int(n_beads)).concentration(int(n_cells))
        assert estimate.low is not None
        assert estimate.high is not None
        covered += estimate.low <= truth <= estimate.high
    assert covered >= 0.94 * 600


@pytest.mark.parametrize("events", [3, 400, 1000, 4000])
def test_draws_of_a_dual_platform_count_are_those_of_jeffreys_rule(events: int) -> None:
    import numpy as np
    from scipy.stats import beta

    quantiles = [0.025, 0.5, 0.975]
    drawn = DualPlatformBasis(1000, 2000.0).draws(events, np.random.default_rng(5), 40_000)
    if events <= 1000:
        expected = 2000 * beta(events + 0.5, 1000 - events + 0.5).ppf(quantiles)
    else:  # a quotient of two gammas is the odds of a beta
        share = beta(events + 0.5, 1000.5).ppf(quantiles)
        expected = 2000 * share / (1 - share)
    assert np.quantile(drawn, quantiles) == pytest.approx(expected, rel=0.03)
    with_error = DualPlatformBasis(1000, 2000.0, cvs={"analyser": 0.3}).draws(events, np.random.default_rng(6), 40_000)
    spread = float(np.var(np.log(with_error)) - np.var(np.log(drawn)))
    assert spread == pytest.approx(math.log(1.09), abs=0.012)  # log-normal: the variance of a CV of 30 %


@pytest.mark.parametrize("events", [2, 30, 4000])
def test_draws_of_beads_and_volumes_are_those_of_poisson_counts(events: int) -> None:
    import numpy as np
    from scipy import stats

    quantiles = [0.025, 0.5, 0.975]
    by_volume = VolumetricBasis(acquired_volume_ul=20.0, dilution_factor=4.0, cells_per_event=1.5)
    drawn = by_volume.draws(events, np.random.default_rng(5), 40_000)
    assert np.quantile(drawn, quantiles) == pytest.approx(0.3 * stats.gamma(events + 0.5).ppf(quantiles), rel=0.04)
    by_beads = beads(60, dilution_factor=2, cells_per_event=1.25)
    drawn = by_beads.draws(events, np.random.default_rng(5), 40_000)
    ratio = stats.f(2 * events + 1, 121).ppf(quantiles) * (2 * events + 1) / 121  # of two gammas
    assert np.quantile(drawn, quantiles) == pytest.approx(2500 * ratio, rel=0.04)
    for basis in (by_volume, by_beads):
        wide, narrow = (
            np.var(np.log(replace(basis, cvs=cvs).draws(4000, np.random.default_rng(6), 40_000)))
            for cvs in ({"pipetting": 0.3, "beads": 0.4}, {})
        )
        assert wide - narrow == pytest.approx(math.log(1.25), rel=0.03)  # of a CV of 50 %, log-normal


@pytest.mark.parametrize(("percent", "factor"), [(None, 1.0), (0.0, 1.0), (20.0, 1.25)])
def test_cells_in_pairs_count_with_the_single_ones(percent: float | None, factor: float) -> None:
    volume = VolumetricBasis(acquired_volume_ul=100.0, dilution_factor=2.0)
    for basis in (beads(1000), volume):
        alone, both = (one.concentration(800).value for one in (basis, with_pairs(basis, percent)))
        assert both == pytest.approx(factor * (alone or 0))
    analyser = DualPlatformBasis(1000, 2000.0)
    assert with_pairs(analyser, percent) is analyser, "pairs are missing from its reference too"
    assert with_pairs(beads(1000), 99.9) == with_pairs(beads(1000), MOST_PAIRS_PERCENT)
