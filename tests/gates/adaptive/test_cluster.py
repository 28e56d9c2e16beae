"""Beads are found where they went; lymphocytes are found with their blasts."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.path import Path
from msgspec.structs import replace

from cytocar.gates.adaptive import cluster
from cytocar.gates.adaptive.density import Floats
from cytocar.gates.decision import FitInput, Fitted, Flag, Source
from cytocar.regions.polygon import PolygonGate
from cytocar.template.gate_kinds import ClusterGate

BEADS = ClusterGate(x="CD4", y="CD8", near=(60_000, 60_000))
LYMPHOCYTES = ClusterGate(x="FSC-A", y="SSC-A", near=(97_000, 38_000), core={"CD3": (400, 5000)})


def spot(center: tuple[float, float], cv: tuple[float, float], n: int, seed: int) -> Floats:
    return np.asarray(np.array(center) * np.exp(np.random.default_rng(seed).normal(0, cv, (n, 2))))


def inside(fitted: Fitted, points: Floats) -> Floats:
    assert isinstance(fitted.gate, PolygonGate)
    return np.asarray(Path(fitted.gate.vertices).contains_points(points))


def find_beads(points: Floats) -> Fitted:
    columns = {"CD4": points[:, 0], "CD8": points[:, 1]}
    return cluster.fit(BEADS, FitInput("beads", columns))


@pytest.mark.parametrize("moved", [1 / 1.5, 1.0, 1.5])
@pytest.mark.parametrize("n", [200, 20_000])
def test_beads_are_found_when_their_centre_moves(moved: float, n: int) -> None:
    beads = spot((60_000 * moved, 60_000 * moved), (0.05, 0.05), n, 0)
    cells = np.concatenate([spot((4000, 200), (0.3, 0.5), 20_000, 1), spot((80, 20_000), (0.5, 0.3), 10_000, 2)])
    fitted = find_beads(np.concatenate([beads, cells]))
    assert inside(fitted, beads).mean() >= 0.99
    assert inside(fitted, cells).sum() == 0
    assert fitted.decisions[0].source is Source.CLUSTER


@pytest.mark.parametrize(("pairs", "flagged"), [(50, False), (1000, True)])
def test_pairs_of_beads_stay_in_and_are_flagged_when_many(pairs: int, flagged: bool) -> None:
    single, double = spot((60_000, 60_000), (0.05, 0.05), 10_000, 0), spot((120_000, 120_000), (0.04, 0.04), pairs, 1)
    fitted = find_beads(np.concatenate([single, double]))
    assert inside(fitted, double).mean() > 0.98
    decision = fitted.decisions[-1]
    assert decision.value == pytest.approx(100 * pairs / (10_000 + pairs), rel=0.05)
    assert ("BEAD_DOUBLETS" in decision.flags) is flagged


def test_no_beads_give_the_fallback_and_a_flag() -> None:
    fitted = find_beads(spot((4000, 200), (0.3, 0.5), 20_000, 1))
    assert {decision.source for decision in fitted.decisions} == {Source.FALLBACK}
    assert "FEW_EVENTS" in fitted.decisions[0].flags


@pytest.mark.parametrize("place", [(150_000, 150_000), (30_000, 20_000), (8000, 9000)])
def test_beads_are_followed_wherever_they_went_and_the_move_is_flagged(place: tuple[float, float]) -> None:
    cells = np.concatenate([spot((3500, 200), (0.3, 0.5), 20_000, 1), spot((80, 17_000), (0.5, 0.3), 10_000, 2)])
    beads = spot(place, (0.05, 0.05), 5000, 1)
    fitted = find_beads(np.concatenate([beads, cells]))
    assert inside(fitted, beads).mean() > 0.99
    assert inside(fitted, cells).sum() == 0
    assert fitted.decisions[0].source is Source.CLUSTER
    assert fitted.decisions[0].flags == (Flag.CLUSTER_OUT_OF_WINDOW,)


def test_pairs_at_the_template_s_place_are_not_taken_for_beads_half_as_bright() -> None:
    single, double = spot((30_000, 30_000), (0.05, 0.05), 10_000, 0), spot((60_000, 60_000), (0.04, 0.04), 900, 1)
    fitted = find_beads(np.concatenate([single, double]))
    assert fitted.decisions[0].value == pytest.approx(30_000, rel=0.01)
    assert fitted.decisions[-1].value == pytest.approx(100 * 900 / 10_900, rel=0.05)


def test_pairs_at_the_end_of_the_range_are_pairs_all_the_same() -> None:
    single, double = spot((180_000, 180_000), (0.05, 0.05), 10_000, 0), spot((360_000, 360_000), (0.04, 0.04), 900, 1)
    points = np.minimum(np.concatenate([single, double]), 262_143)
    columns = {"CD4": points[:, 0], "CD8": points[:, 1]}
    ranges = {"CD4": 262_144.0, "CD8": 262_144.0}
    fitted = cluster.fit(BEADS, FitInput("beads", columns, ranges=ranges))
    assert inside(fitted, points).mean() > 0.98
    assert fitted.decisions[-1].value == pytest.approx(100 * 900 / 10_900, rel=0.1)


def test_two_kinds_of_beads_are_none_to_count_by() -> None:
    fitted = find_beads(
        np.concatenate([spot((60_000, 60_000), (0.05, 0.05), 5000, 0), spot((22_000, 25_000), (0.05, 0.05), 3000, 1)])
    )
    assert fitted.decisions[0].source is Source.FALLBACK
    assert fitted.decisions[0].flags == (Flag.SEVERAL_CLUSTERS,)


@pytest.mark.parametrize(("cv", "flag"), [(0.15, Flag.WIDE_CLUSTER), (0.4, Flag.NO_CLUSTER)])
def test_spread_out_events_are_flagged_as_no_tight_spot(cv: float, flag: Flag) -> None:
    fitted = find_beads(spot((60_000, 60_000), (cv, cv), 2000, 1))
    assert flag in fitted.decisions[0].flags


def find_lymphocytes(blast_share: float, blast_size: float, gain: float = 1.0) -> tuple[Fitted, dict[str, Floats]]:
    random = np.random.default_rng(5)
    n_blasts = int(20_000 * blast_share)
    clouds = {
        "resting": gain * spot((97e3, 38e3), (0.12, 0.15), 20_000 - n_blasts, 1),
        "blasts": gain * spot((97e3 * blast_size, 38e3 * (2 * blast_size - 1)), (0.16, 0.2), n_blasts, 2),
        "nk": gain * spot((97e3, 38e3), (0.12, 0.15), 5000, 3),
        "monocytes": gain * spot((150e3, 85e3), (0.12, 0.15), 4000, 4),
    }
    cd3 = [6000 * np.exp(random.normal(0, 0.28, 20_000)), random.normal(90, 60, 5000), random.normal(200, 100, 4000)]
    points = np.concatenate(list(clouds.values()))
    columns = {"FSC-A": points[:, 0], "SSC-A": points[:, 1], "CD3": np.concatenate(cd3)}
    fitted = cluster.fit(LYMPHOCYTES, FitInput("lymphocytes", columns))
    return fitted, clouds


@pytest.mark.parametrize("gain", [0.8, 1.0, 1.2])
@pytest.mark.parametrize(("share", "size"), [(0.05, 1.15), (0.3, 1.15), (0.6, 1.15), (0.05, 1.4), (0.3, 1.4)])
def test_lymphocytes_are_found_with_their_blasts(share: float, size: float, gain: float) -> None:
    fitted, clouds = find_lymphocytes(share, size, gain)
    assert inside(fitted, clouds["resting"]).mean() > 0.99
    assert inside(fitted, clouds["nk"]).mean() > 0.99
    assert inside(fitted, clouds["blasts"]).mean() > 0.90


def test_monocytes_stay_out_where_blasts_do_not_reach_them() -> None:
    fitted, clouds = find_lymphocytes(0.2, 1.15)
    assert inside(fitted, clouds["monocytes"]).mean() < 0.12


def test_other_cells_end_the_lymphocytes_only_beyond_the_least_share() -> None:
    lymphocytes = spot((97e3, 38e3), (0.12, 0.15), 2000, 1)
    points = np.concatenate([lymphocytes, spot((125e3, 60e3), (0.12, 0.15), 20_000, 4)])
    cd3 = np.concatenate([np.full(2000, 6000.0), np.full(20_000, 90.0)]) * np.random.default_rng(3).lognormal(
        0, 0.2, 22_000
    )
    given = FitInput("lymphocytes", {"FSC-A": points[:, 0], "SSC-A": points[:, 1], "CD3": cd3})
    kept = {
        least: inside(cluster.fit(replace(LYMPHOCYTES, least=least), given), lymphocytes).mean()
        for least in (0.9, 0.99)
    }
    assert kept[0.9] == pytest.approx(0.9, abs=0.02)
    assert kept[0.99] == pytest.approx(0.99, abs=0.01)


def test_dead_cells_with_less_cd45_are_no_larger_t_cells() -> None:
    """A second ellipse around them would span the monocytes, which lie between."""
    clouds = {
        "living": spot((12e3, 38e3), (0.25, 0.21), 12_000, 1),
        "dead": spot((4.3e3, 58e3), (0.25, 0.4), 900, 2),
        "monocytes": spot((8e3, 85e3), (0.2, 0.2), 2500, 4),
    }
    cd3 = np.repeat([6000.0, 3000.0, 90.0], [12_000, 900, 2500]) * np.random.default_rng(3).lognormal(0, 0.2, 15_400)
    points = np.concatenate([*clouds.values()])
    gate = replace(LYMPHOCYTES, x="CD45", near=(12_000.0, 38_000.0))
    fitted = cluster.fit(gate, FitInput("lymphocytes", {"CD45": points[:, 0], "SSC-A": points[:, 1], "CD3": cd3}))
    assert inside(fitted, clouds["living"]).mean() > 0.98
    assert inside(fitted, clouds["dead"]).mean() < 0.2
    assert inside(fitted, clouds["monocytes"]).mean() < 0.2


def test_no_t_cells_give_the_fallback_and_a_flag() -> None:
    points = spot((97e3, 38e3), (0.12, 0.15), 5000, 1)
    columns = {"FSC-A": points[:, 0], "SSC-A": points[:, 1], "CD3": np.random.default_rng(0).normal(90, 60, 5000)}
    fitted = cluster.fit(LYMPHOCYTES, FitInput("lymphocytes", columns))
    assert fitted.decisions[0].source is Source.FALLBACK
    assert "NO_VALLEY" in fitted.decisions[0].flags
