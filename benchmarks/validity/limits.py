"""Tubes at their own limit of detection, blanks, and the interval of net cells/µL: counts from known truth."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cytocar.counting.background import net_share
from cytocar.counting.basis import BeadBasis
from cytocar.gates.decision import Background

DETECTION_HEAD = ("background, T cells of the control", "tubes", "detected at the LoD", "blanks detected", "median LoD")
CELLS_HEAD = ("CAR+ events", "tubes", "net cells/µL holds the truth", "by counting alone", "median width")
CVS = {"beads": 0.036, "pipetting": 0.026}
TUBE_CV = 0.25


def detection_rows(tubes: int) -> Iterator[tuple[str, ...]]:
    """Yield how often a tube at its printed limit of detection is detected, and a blank; 20,000 T cells."""
    t_cells, sd = 20_000, np.sqrt(np.log1p(TUBE_CV**2))
    for percent, control in (
        (0.0, 100_000),
        (0.02, 100_000),
        (0.02, 15_000),
        (0.05, 100_000),
        (0.1, 20_000),
        (0.1, 500),
        (0.05, 500),
        (0.3, 2000),
    ):
        random = np.random.default_rng((15, round(1000 * percent), control))
        at_limit, blanks, limits = 0, 0, []
        for _ in range(tubes):
            usual, own = percent / 100 * np.exp(random.normal(0, sd, 2))
            background = Background(int(random.poisson(usual * control)), control, (), between_cv=TUBE_CV * np.sqrt(2))
            net = net_share(0, t_cells, background, assumed_percent=0.05, seed=1, fewest_events=13)
            needed = max(13, net.lob_events + 1, net.first_above)
            share = (net.lod_percent or 50.0) / 100
            limits.append(100 * share)
            at_limit += random.poisson(t_cells * (share + (1 - share) * own)) >= needed
            blanks += random.poisson(t_cells * own) >= needed
        yield (
            f"{percent:g} %, {control}",
            str(tubes),
            f"{100 * at_limit / tubes:.1f} %",
            f"{100 * blanks / tubes:.1f} %",
            f"{np.median(limits):.3f} %",
        )


def cells_rows(tubes: int) -> Iterator[tuple[str, ...]]:
    """Yield how often the interval of net cells/µL holds the truth; beads and preparation err as templates name it."""
    t_cells, beads_added, blood_ul, beads = 50_000, 50_000, 50.0, 10_000
    sd = np.sqrt(np.log1p(TUBE_CV**2))
    for car in (50, 300, 3000, 10_000):
        random = np.random.default_rng((16, car))
        held = counting = 0
        widths = []
        for _ in range(tubes):
            usual, own = 2e-4 * np.exp(random.normal(0, sd, 2))
            sensitivity = min(random.normal(0.95, 0.02), 1.0)
            seen = int(random.poisson(usual * 100_000))
            background = Background(
                seen, 100_000, (), between_cv=TUBE_CV * np.sqrt(2), sensitivity=0.95, sensitivity_sd=0.02
            )
            lot, pipette, gates = np.exp(random.normal(0, (*CVS.values(), 0.02)))
            share = car / t_cells
            acquired = int(random.poisson(t_cells * pipette))
            bead_events = int(random.poisson(beads * lot))
            positives = share * gates
            events = int(random.binomial(acquired, positives * sensitivity + (1 - positives) * own))
            basis = BeadBasis(bead_events=bead_events, beads_added=beads_added, sample_volume_ul=blood_ul, cvs=CVS)
            net = net_share(events, acquired, background, assumed_percent=0.05, seed=1, fewest_events=13)
            assert net.low_draws is not None
            draws = basis.draws(acquired, np.random.default_rng(1), len(net.low_draws))
            found = net.times(basis.concentration(acquired).value, draws)
            bare = BeadBasis(bead_events=bead_events, beads_added=beads_added, sample_volume_ul=blood_ul)
            alone = bare.concentration(events)
            truth = car / beads * beads_added / blood_ul
            held += (found.low or 0) <= truth <= (found.high or 0)
            counting += (alone.low or 0) <= truth <= (alone.high or 0)
            widths.append(((found.high or 0) - (found.low or 0)) / truth)
        yield (
            str(car),
            str(tubes),
            f"{100 * held / tubes:.1f} %",
            f"{100 * counting / tubes:.1f} %",
            f"{100 * np.median(widths):.0f} %",
        )
