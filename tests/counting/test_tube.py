"""The sheet's tube and the template's counting give a basis, or say what is missing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cytocar.counting.basis import BeadBasis, DualPlatformBasis, NoBasis, VolumetricBasis
from cytocar.counting.tube import METHODS, beads_in_tube, count_basis
from cytocar.errors.tree import CountingError
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
    basis = count_basis(
        COUNTING.model_copy(update={"dual_platform_count": "wbc"}), FULL, EVENTS, method="dual_platform"
    )
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
