"""The CAR threshold and its background, from references at another gain than the sample's."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from msgspec.structs import replace

from cytocar.gates.adaptive import reference
from cytocar.gates.adaptive.alignment import align
from cytocar.gates.adaptive.density import Floats, Ordered
from cytocar.gates.decision import FitInput, Fitted, ReferenceEvents, Source
from cytocar.regions.boxes import RangeGate
from cytocar.sheet.rows import SampleType
from cytocar.template.gate_kinds import ReferenceGate

CAR = ReferenceGate(marker="CAR", fallback=900, window=(200, 4000))


def negatives(n: int, seed: int, gain: float = 1.0) -> Floats:
    random = np.random.default_rng(seed)
    sticky = random.random(n) < 0.0003
    return gain * np.where(sticky, 1500 * np.exp(random.normal(0, 0.8, n)), random.normal(80, 90, n))


def positives(n: int, seed: int, gain: float = 1.0, median: float = 2500) -> Floats:
    return gain * median * np.exp(np.random.default_rng(seed).normal(0, 0.8, n))


def control(
    n: int = 100_000, kind: SampleType = SampleType.BASELINE, seed: int = 9, name: str = "B1"
) -> ReferenceEvents:
    return ReferenceEvents(name, kind, "t_cells", {"CAR": negatives(n, seed)})


def place(values: Floats, *references: ReferenceEvents, gate: ReferenceGate = CAR) -> Fitted:
    return reference.fit(gate, FitInput("car_t", {"CAR": values}, references=references, seed=1))


def threshold(fitted: Fitted) -> float:
    assert isinstance(fitted.gate, RangeGate)
    assert fitted.gate.min is not None
    return fitted.gate.min


@pytest.mark.parametrize("gain", [0.8, 1.0, 1.2])
@pytest.mark.parametrize("share", [0.0, 0.4])
def test_alignment_finds_the_gain(gain: float, share: float) -> None:
    n = int(50_000 * share)
    sample = np.concatenate([negatives(50_000 - n, 1, gain), positives(n, 2, gain)])
    assert align(Ordered.of(sample), Ordered.of(negatives(100_000, 3)), negative_share=1 - share).gain == pytest.approx(
        gain, rel=0.06
    )


def test_alignment_errs_by_hardly_more_than_it_says() -> None:
    errors = []
    for seed in range(40):
        found = align(Ordered.of(negatives(12_000, seed)), Ordered.of(negatives(20_000, 1000 + seed)))
        errors.append((found.gain - 1) / np.sqrt(found.gain_variance))
    assert 0.75 < np.sqrt(np.mean(np.square(errors))) < 1.6  # by the likelihood's highest point it is 2.0


def test_alignment_at_the_edge_is_not_trusted() -> None:
    assert not align(Ordered.of(negatives(20_000, 1, 3.0)), Ordered.of(negatives(20_000, 2))).trusted


@pytest.mark.parametrize("factor", [0.8, 0.9, 1.1, 1.2])
def test_what_a_matrix_that_no_longer_fits_leaves_in_all_t_cells_is_no_car(factor: float) -> None:
    n = 50_000
    neighbour = 6000 * np.exp(np.random.default_rng(5).normal(0, 0.28, n))
    left = (factor - 1) * 0.1625 * neighbour
    fitted = place(negatives(n, 1, factor) + left, control())
    assert "OFFSET_SHIFT" in fitted.decisions[0].flags
    assert fitted.decisions[0].source is Source.REFERENCE
    assert fitted.decisions[0].kept is not None
    assert fitted.decisions[0].kept < 0.001 * n
    bright = positives(5000, 2, factor) + left[:5000]
    fitted = place(np.concatenate([negatives(45_000, 1, factor) + left[5000:], bright]), control())
    assert fitted.decisions[0].kept == pytest.approx(5000, rel=0.06)


def test_a_reference_that_cannot_be_aligned_is_not_used() -> None:
    fitted = place(negatives(50_000, 1, 3.0), control())
    assert threshold(fitted) == CAR.fallback
    assert fitted.background is None
    assert fitted.decisions[0].source is Source.FALLBACK
    assert "ALIGNMENT_REJECTED" in fitted.decisions[0].flags


def test_of_several_references_only_those_that_can_be_aligned_are_used() -> None:
    odd = ReferenceEvents("B2", SampleType.BASELINE, "t_cells", {"CAR": negatives(40_000, 4, 3.0)})
    values = negatives(50_000, 1)
    fitted = place(values, odd, control(40_000))
    assert "ALIGNMENT_REJECTED" in fitted.decisions[0].flags
    assert fitted.background is not None
    assert fitted.background.control_ids == ("B1",)
    assert threshold(fitted) == threshold(place(values, control(40_000)))
    assert reference.background_above(900, negatives(50_000, 1, 3.0), CAR, [control()]) is None


@pytest.mark.parametrize("share", [0.0, 0.4, 0.9])
def test_a_fallback_within_the_negatives_is_flagged_whatever_the_share_of_positives(share: float) -> None:
    n = int(50_000 * share)
    narrow = np.concatenate([negatives(50_000 - n, 1), positives(n, 2)])
    wide = np.concatenate([negatives(50_000 - n, 1, 3.5), positives(n, 2, 3.5)])
    assert "FALLBACK_TOO_LOW" not in place(narrow).decisions[0].flags
    assert "FALLBACK_TOO_LOW" in place(wide).decisions[0].flags


@pytest.mark.parametrize("gain", [0.8, 1.0, 1.2])
def test_threshold_follows_the_gain_and_keeps_the_positives(gain: float) -> None:
    low, high = negatives(45_000, 1, gain), positives(5000, 2, gain)
    fitted = place(np.concatenate([low, high]), control())
    assert (low >= threshold(fitted)).mean() < 0.01
    assert (high >= threshold(fitted)).mean() > 0.95
    assert fitted.decisions[0].source is Source.REFERENCE
    assert fitted.background is not None
    assert fitted.background.sensitivity == pytest.approx((high >= threshold(fitted)).mean(), abs=0.03)


def test_without_positives_the_references_alone_place_the_threshold() -> None:
    fitted = place(negatives(50_000, 1), control())
    assert "NO_RESOLVED_POSITIVES" in fitted.decisions[0].flags
    assert fitted.background is not None
    assert fitted.background.events < 80
    assert fitted.background.of_events == 100_000


def test_without_a_reference_the_fallback_holds_and_there_is_no_background() -> None:
    fitted = place(negatives(50_000, 1))
    assert threshold(fitted) == 900
    assert fitted.background is None
    assert fitted.decisions[0].flags == ("NO_REFERENCE",)


def test_few_reference_events_are_no_reference() -> None:
    fitted = place(negatives(50_000, 1), control(1500))
    assert fitted.background is None
    assert fitted.decisions[0].flags == ("FEW_REFERENCE_EVENTS",)


def test_reference_events_without_a_number_are_no_reference() -> None:
    lost = ReferenceEvents("B1", SampleType.BASELINE, "t_cells", {"CAR": np.full(20_000, np.nan)})
    fitted = place(negatives(50_000, 1), lost)
    assert fitted.decisions[0].flags == ("FEW_REFERENCE_EVENTS",)


def test_fmo_places_a_threshold_but_never_a_background() -> None:
    gate = replace(CAR, controls=("baseline", "healthy", "fmo"))
    fitted = place(negatives(50_000, 1), control(kind=SampleType.FMO), gate=gate)
    assert fitted.background is None
    assert "FMO_ONLY" in fitted.decisions[0].flags


def test_own_baseline_comes_before_healthy_donors() -> None:
    healthy = control(kind=SampleType.HEALTHY, name="H1", seed=4)
    own = control(kind=SampleType.BASELINE, name="B1", seed=5)
    fitted = place(negatives(50_000, 1), healthy, own)
    assert fitted.background is not None
    assert fitted.background.control_ids == ("B1",)


def test_healthy_donors_fill_up_a_small_baseline() -> None:
    fitted = place(
        negatives(50_000, 1),
        control(kind=SampleType.HEALTHY, name="H1"),
        control(8000, kind=SampleType.BASELINE, name="B1", seed=5),
    )
    assert fitted.background is not None
    assert fitted.background.control_ids == ("B1", "H1")


def test_a_reference_that_holds_positives_is_flagged() -> None:
    values = np.concatenate([negatives(98_000, 3), positives(2000, 4)])
    fitted = place(negatives(50_000, 1), ReferenceEvents("B1", SampleType.BASELINE, "t_cells", {"CAR": values}))
    assert "HIGH_BACKGROUND" in fitted.decisions[0].flags
    assert "HIGH_BACKGROUND" not in place(negatives(50_000, 1), control()).decisions[0].flags


def test_threshold_stays_in_its_window() -> None:
    gate = ReferenceGate(marker="CAR", fallback=2000, window=(1500, 4000))
    fitted = place(negatives(50_000, 1), control(), gate=gate)
    assert threshold(fitted) == 1500
    assert fitted.decisions[0].clamped


def test_order_of_events_does_not_matter() -> None:
    values = np.concatenate([negatives(20_000, 1), positives(500, 2)])
    shuffled = np.random.default_rng(0).permutation(values)
    assert threshold(place(values, control())) == pytest.approx(threshold(place(shuffled, control())), rel=1e-9)


def with_beads(gain: float, n: int = 100_000) -> ReferenceEvents:
    return ReferenceEvents("B1", SampleType.BASELINE, "t_cells", {"CAR": negatives(n, 9)}, {"CAR": gain})


@pytest.mark.parametrize("gain", [0.8, 1.2])
def test_negatives_twice_as_bright_are_followed_where_beads_tell_the_gain(gain: float) -> None:
    values = np.concatenate([negatives(49_500, 1, 2 * gain), positives(500, 2, gain, median=6000)])
    assert "ALIGNMENT_REJECTED" in place(values, control()).decisions[0].flags or gain < 1
    fitted = place(values, with_beads(gain))
    assert fitted.extras["gain"] == pytest.approx(2 * gain, rel=0.05)
    assert fitted.decisions[0].kept == pytest.approx(500, rel=0.1)


def test_a_far_gain_is_not_believed_of_dim_positives() -> None:
    values = np.concatenate([negatives(10_000, 1), positives(40_000, 2, median=700)])
    fitted = place(values, with_beads(1.0))
    assert {"ALIGNMENT_REJECTED", "NEGATIVES_DIFFER"} & set(fitted.decisions[0].flags)


def test_negatives_of_another_shape_ask_for_a_look() -> None:
    random = np.random.default_rng(4)
    some = negatives(50_000, 1)
    some[random.random(50_000) < 0.6] *= 2
    assert "NEGATIVES_DIFFER" in place(some, with_beads(1.0)).decisions[0].flags
    for gain in (0.75, 1.0, 1.3):
        clean = np.concatenate([negatives(30_000, 1, gain), positives(20_000, 2, gain)])
        assert "NEGATIVES_DIFFER" not in place(clean, with_beads(gain)).decisions[0].flags


def test_a_reference_says_where_the_threshold_lies_on_its_own_scale() -> None:
    fitted = place(negatives(50_000, 1, 1.2), control())
    assert fitted.background is not None
    (part,) = fitted.background.parts
    assert part.own and part.sample_id == "B1"
    assert part.place == pytest.approx(threshold(fitted) / 1.2, rel=0.03)


@pytest.mark.parametrize("stain_index", [3.0, 6.0])
def test_positives_that_do_not_stand_out_are_thought_as_dim_as_they_may_be(stain_index: float) -> None:
    random = np.random.default_rng(4)
    fitted = place(np.concatenate([negatives(20_000, 1), random.normal(80, 90, 20_000)]), control())
    assert "NO_RESOLVED_POSITIVES" in fitted.decisions[0].flags
    bright = (80 + 180 * stain_index) * 10 ** random.normal(0, 0.3, 20_000) + random.normal(0, 90, 20_000)
    kept = float((bright >= threshold(fitted)).mean())
    assert fitted.background is not None
    known = fitted.background.sensitivity, fitted.background.sensitivity_sd
    assert abs(kept - known[0]) < 1.5 * known[1]


def test_few_positives_over_a_sticky_background_tell_their_brightness_from_ten_on() -> None:
    dim, random = negatives(20_000, 1), np.random.default_rng(4)

    def measured(cells: int) -> tuple[float, Mapping[str, float]]:
        fitted = place(np.concatenate([dim, 2200 * 10 ** random.normal(0, 0.25, cells)]), control())
        assert "NO_RESOLVED_POSITIVES" in fitted.decisions[0].flags
        assert fitted.background is not None
        return fitted.background.sensitivity_sd, fitted.extras

    doubt_of_none, of_none = measured(3)
    doubt_of_some, of_some = measured(20)
    assert "stain_index" not in of_none
    assert of_some["stain_index"] == pytest.approx(11.8, rel=0.3)
    assert of_some["sensitivity"] > of_none["sensitivity"] + 0.1
    assert doubt_of_some < 0.7 * doubt_of_none


def test_an_index_that_few_positives_tell_asks_for_a_look_below_a_higher_border() -> None:
    def flags(cells: int, stain_index: float) -> tuple[str, ...]:
        random = np.random.default_rng(7)
        bright = (80 + 180 * stain_index) * 10 ** random.normal(0, 0.3, cells)
        fitted = place(np.concatenate([negatives(40_000, 1), bright]), control())
        assert fitted.extras["stain_index"] == pytest.approx(stain_index, rel=0.2)
        return fitted.decisions[0].flags

    assert "LOW_STAIN_INDEX" in flags(400, 4.7)
    assert "LOW_STAIN_INDEX" not in flags(400, 7.0)
    assert "LOW_STAIN_INDEX" not in flags(3000, 4.7)
