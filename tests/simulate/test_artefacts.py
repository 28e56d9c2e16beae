from __future__ import annotations

import numpy as np
import pytest

from cytocar.simulate import Artefact, Preparation, SimulatedTube, blood_tube
from cytocar.simulate.artefacts import SPOIL


def tube_with(*artefacts: Artefact) -> SimulatedTube:
    return blood_tube(car_per_ul=200, preparation=Preparation(sample_volume_ul=20), artefacts=artefacts, seed=5)


CLEAN = tube_with()


def test_every_artefact_has_its_function() -> None:
    assert set(SPOIL) == set(Artefact)


@pytest.mark.parametrize("artefact", list(Artefact))
def test_an_artefact_changes_the_tube_and_is_named_in_what_was_drawn(artefact: Artefact) -> None:
    spoilt = tube_with(artefact)

    assert spoilt.drawn.artefacts == (artefact.value,)
    assert spoilt.truth == CLEAN.truth
    same_events = all(np.array_equal(spoilt.columns[name], CLEAN.columns[name]) for name in CLEAN.columns)
    assert not (same_events and spoilt.markers == CLEAN.markers and spoilt.keywords == CLEAN.keywords)


def test_artefacts_do_not_depend_on_the_order_in_which_they_are_named() -> None:
    one = tube_with(Artefact.CLOG, Artefact.DRIFT)
    other = tube_with(Artefact.DRIFT, Artefact.CLOG)

    assert all(np.array_equal(one.columns[name], other.columns[name]) for name in one.columns)


@pytest.mark.parametrize(("artefact", "faster"), [(Artefact.CLOG, False), (Artefact.SURGE, True)])
def test_uneven_flow_changes_the_rate_and_loses_nothing(artefact: Artefact, faster: bool) -> None:
    def busiest_and_calmest(tube: SimulatedTube) -> tuple[float, float]:
        counts, _ = np.histogram(tube.columns["Time"], bins=60)
        return counts.max() / np.median(counts), counts.min() / np.median(counts)

    spoilt = tube_with(artefact)

    busiest, calmest = busiest_and_calmest(spoilt)
    assert len(spoilt.origin) == len(CLEAN.origin)
    assert busiest > 4 if faster else calmest < 0.3


def test_a_voltage_step_brightens_the_car_detector_only_at_the_end() -> None:
    spoilt = tube_with(Artefact.VOLTAGE_STEP)
    beads = spoilt.is_kind("beads")
    time, signal = spoilt.columns["Time"][beads], spoilt.columns["PE-A"][beads]

    early, late = np.median(signal[time < 0.5 * time.max()]), np.median(signal[time > 0.7 * time.max()])

    assert late / early == pytest.approx(1.6, rel=0.02)


def test_names_swap_spillover_and_beads_can_go_missing() -> None:
    swapped = tube_with(Artefact.SWAPPED_NAMES)
    assert (swapped.markers["V450-A"], swapped.markers["APC-H7-A"]) == ("CD8", "CD4")
    assert "$SPILLOVER" not in tube_with(Artefact.MISSING_SPILLOVER).keywords
    assert not tube_with(Artefact.MISSING_BEADS).is_kind("beads", "bead_doublets").any()


def test_carried_over_cells_come_first() -> None:
    tube = tube_with(Artefact.CARRY_OVER)
    carried = tube.columns["Time"][tube.is_kind("carry_over")]

    assert len(carried) > 50
    assert np.median(carried) < 0.05 * tube.columns["Time"].max()
