"""The sheet's tube and the template's counting give a basis, or say what is missing."""

from __future__ import annotations

from typing import get_args, get_type_hints

import pytest
from msgspec.structs import replace

from cytocar.counting.basis import BeadBasis, DualPlatformBasis, NoBasis, VolumetricBasis
from cytocar.counting.tube import METHODS, beads_in_tube, count_basis, with_gates, with_pairs
from cytocar.errors.tree import CountingError
from cytocar.sheet.rows import CountMethod
from cytocar.sheet.tube import Tube
from cytocar.template.model import Counting, Cv

COUNTING = Counting(
    method="beads",
    beads="beads",
    dual_platform_reference="lymphocytes",
    cv=Cv(beads=0.03, pipetting=0.04, analyser=0.02),
)
EVENTS = {"beads": 5000, "lymphocytes": 20_000, "car_t": 100}
FULL = Tube(beads_added=50_000, sample_volume_ul=50, acquired_volume_ul=30, lymphocytes_per_ul=1500, wbc_per_ul=4000)


def test_sheet_template_and_registry_name_the_same_count_methods() -> None:
    of_templates = get_args(get_type_hints(Counting)["method"])
    assert set(METHODS) == set(CountMethod) == set(of_templates), "ARCHITECTURE.md, To add: a count method"


@pytest.mark.parametrize("method", [method for method in METHODS if method != NoBasis.method])
def test_an_interval_carries_what_the_gates_leave_open_whatever_the_method(method: str) -> None:
    basis = count_basis(COUNTING, FULL, EVENTS, method=method)
    plain, doubted = basis.concentration(100), with_gates(basis, 0.5).concentration(100)
    assert plain.low is not None
    assert doubted.low is not None
    assert doubted.low < plain.low


def test_beads_carry_the_errors_of_lot_and_pipette() -> None:
    basis = count_basis(COUNTING, FULL, EVENTS)
    assert isinstance(basis, BeadBasis)
    assert basis.bead_events == 5000
    assert dict(basis.cvs) == {"beads": 0.03, "pipetting": 0.04}


def test_the_sheet_overrides_the_templates_method() -> None:
    assert isinstance(count_basis(COUNTING, FULL, EVENTS, method="volumetric"), VolumetricBasis)
    assert isinstance(count_basis(COUNTING, FULL, EVENTS, method="dual_platform"), DualPlatformBasis)
    assert isinstance(count_basis(COUNTING, FULL, EVENTS, method="none"), NoBasis)


def test_the_template_says_which_analyser_count_it_means() -> None:
    basis = count_basis(replace(COUNTING, dual_platform_count="wbc"), FULL, EVENTS, method="dual_platform")
    assert isinstance(basis, DualPlatformBasis)
    assert basis.reference_per_ul == 4000


@pytest.mark.parametrize("method", METHODS)
def test_every_method_counts_a_fully_described_tube(method: str) -> None:
    basis = count_basis(COUNTING, FULL, EVENTS, method=method)
    assert basis.method == method
    assert (basis.concentration(100).value is None) == (basis.per_event() is None)


def test_liquid_beads_are_their_concentration_times_their_volume() -> None:
    assert beads_in_tube(Tube(beads_per_ul=1000, bead_volume_ul=52)) == 52_000


def test_two_bead_numbers_that_agree_are_one() -> None:
    assert beads_in_tube(Tube(beads_added=52_000, beads_per_ul=1040, bead_volume_ul=50)) == 52_000


@pytest.mark.parametrize(
    ("added", "agrees"), [(50_000, True), (49_505, True), (49_504, False), (50_505, True), (50_506, False)]
)
def test_two_bead_numbers_agree_within_one_percent(added: float, agrees: bool) -> None:
    tube = Tube(beads_added=added, beads_per_ul=1000, bead_volume_ul=50)
    if agrees:
        assert beads_in_tube(tube) == added
        return
    with pytest.raises(CountingError, match=f"beads_added is {added:g}, but .* is 50000") as caught:
        beads_in_tube(tube)
    assert caught.value.code == "E039"


@pytest.mark.parametrize(
    ("tube", "name"),
    [
        (Tube(beads_per_ul=-1.0, bead_volume_ul=50.0), "beads_per_ul"),
        (Tube(beads_per_ul=0.0, bead_volume_ul=50.0), "beads_per_ul"),
        (Tube(beads_per_ul=1000.0, bead_volume_ul=0.0), "bead_volume_ul"),
        (Tube(beads_per_ul=-1000.0, bead_volume_ul=-50.0), "beads_per_ul"),
        (Tube(beads_added=0.0), "beads_added"),
        (Tube(beads_added=-3.0), "beads_added"),
    ],
)
def test_a_number_of_beads_that_cannot_be_is_named(tube: Tube, name: str) -> None:
    with pytest.raises(CountingError, match=f"^{name} is ") as caught:
        beads_in_tube(tube)
    assert caught.value.code == "E035"


def test_beads_carry_the_dilution_and_the_fewest_that_are_enough() -> None:
    few = replace(COUNTING, minimum_beads=6000)
    basis = count_basis(few, replace(FULL, dilution_factor=4), EVENTS)
    assert basis.concentration(100).value == pytest.approx(100 / 5000 * 50_000 / 50 * 4)
    assert [finding.code for finding in basis.findings] == ["W220"]


def test_numbers_of_a_tube_that_no_tube_has_are_refused() -> None:
    with pytest.raises(CountingError, match=r"^sample_volume_ul .*0\.05") as caught:
        count_basis(COUNTING, replace(FULL, sample_volume_ul=0.05), EVENTS)
    assert caught.value.code == "E072"


@pytest.mark.parametrize(("percent", "factor"), [(60.0, 2.5), (61.0, 2.5), (59.0, 1 / 0.41)])
def test_pairs_are_made_up_for_as_far_as_six_in_ten(percent: float, factor: float) -> None:
    basis = BeadBasis(bead_events=1000, beads_added=1000, sample_volume_ul=50)
    assert with_pairs(basis, percent).concentration(100).value == pytest.approx(2 * factor)


@pytest.mark.parametrize(
    ("tube", "method", "code"),
    [
        (replace(FULL, beads_added=None), "beads", "E030"),
        (replace(FULL, beads_added=None, beads_per_ul=1000.0), "beads", "E030"),
        (replace(FULL, beads_per_ul=1000.0, bead_volume_ul=52.0), "beads", "E039"),
        (replace(FULL, beads_added=0.0), "beads", "E035"),
        (replace(FULL, beads_added=None, beads_per_ul=-1.0, bead_volume_ul=50.0), "beads", "E035"),
        (replace(FULL, sample_volume_ul=None), "beads", "E034"),
        (replace(FULL, acquired_volume_ul=None), "volumetric", "E033"),
        (replace(FULL, lymphocytes_per_ul=None), "dual_platform", "E036"),
    ],
)
def test_what_the_tube_lacks_is_named(tube: Tube, method: str, code: str) -> None:
    with pytest.raises(CountingError) as caught:
        count_basis(COUNTING, tube, EVENTS, method=method)
    assert caught.value.code == code


@pytest.mark.parametrize("method", ["beads", "dual_platform"])
def test_a_template_without_the_population_of_the_method_is_named(method: str) -> None:
    with pytest.raises(CountingError) as caught:
        count_basis(Counting(), FULL, EVENTS, method=method)
    assert caught.value.code == "E038"


def test_a_volume_carries_the_dilutions_and_the_error_of_the_pipette() -> None:
    tube = Tube(sample_volume_ul=50, acquired_volume_ul=30, dilution_factor=4)
    basis = count_basis(COUNTING, tube, EVENTS, method="volumetric")
    assert isinstance(basis, VolumetricBasis)
    assert dict(basis.cvs) == {"pipetting": 0.04}
    assert basis.concentration(300).value == pytest.approx(300 / 30 * 4)
    in_the_tube = replace(COUNTING, final_volume_ul=500.0)
    assert count_basis(in_the_tube, tube, EVENTS, method="volumetric").concentration(300).value == pytest.approx(
        300 / 30 * 500 / 50 * 4
    )


@pytest.mark.parametrize(
    ("tube", "final", "held"),
    [
        (Tube(sample_volume_ul=50, acquired_volume_ul=51), None, 50),
        (Tube(sample_volume_ul=50, acquired_volume_ul=101, dilution_factor=2), None, 100),
        (Tube(sample_volume_ul=50, acquired_volume_ul=501), 500.0, 500),
    ],
)
def test_no_instrument_draws_more_than_the_tube_holds(tube: Tube, final: float | None, held: float) -> None:
    counting = replace(COUNTING, final_volume_ul=final)
    with pytest.raises(CountingError, match=f"cannot have acquired .* held {held:g} µL") as caught:
        count_basis(counting, tube, EVENTS, method="volumetric")
    assert caught.value.code == "E071"
    full = replace(tube, acquired_volume_ul=held)
    assert count_basis(counting, full, EVENTS, method="volumetric").per_event() is not None


def test_an_analysers_count_carries_its_own_error() -> None:
    basis = count_basis(COUNTING, FULL, EVENTS, method="dual_platform")
    assert isinstance(basis, DualPlatformBasis)
    assert dict(basis.cvs) == {"analyser": 0.02}
    assert basis.concentration(100).value == pytest.approx(100 / 20_000 * 1500)


@pytest.mark.parametrize(
    ("counting", "tube", "method", "words"),
    [
        (Counting(), FULL, "dual_platform", "dual_platform, but the template names no population under .* dual_plat"),
        (Counting(), FULL, "beads", "beads, but the template names no population under .* beads"),
        (COUNTING, replace(FULL, acquired_volume_ul=None), "volumetric", "in neither the file nor the sheet"),
        (COUNTING, replace(FULL, lymphocytes_per_ul=None), "dual_platform", "lymphocytes_per_ul is missing"),
        (COUNTING, replace(FULL, acquired_volume_ul=0.0), "volumetric", "the acquired volume is 0"),
    ],
)
def test_the_message_names_what_is_missing(counting: Counting, tube: Tube, method: str, words: str) -> None:
    with pytest.raises(CountingError, match=words):
        count_basis(counting, tube, EVENTS, method=method)


def test_the_analysers_other_count_is_named_where_it_is_given() -> None:
    with pytest.raises(CountingError, match="the template counts by it, and not by wbc_per_ul, which is given"):
        count_basis(COUNTING, replace(FULL, lymphocytes_per_ul=None), EVENTS, method="dual_platform")
