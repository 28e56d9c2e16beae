"""Net cells/µL by stain index, events and control: bias, coverage, and width against an oracle that knows the cells.

Shapes that were looked at once, after all defaults were set; gains lie within 30 %; beads (3.6 %), preparation (2.6 %)
and gates (2 %) err as the templates say.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from benchmarks.validity.car import GATE
from benchmarks.validity.limits import CVS
from benchmarks.validity.shapes import FRESH, FRESH_NEGATIVES, CarTube
from cytocar.counting.background import net_share
from cytocar.counting.basis import BeadBasis
from cytocar.gates.adaptive import reference
from cytocar.gates.decision import FitInput, ReferenceEvents
from cytocar.regions.boxes import RangeGate
from cytocar.sample.quality.acceptance import NOTED_FLAGS
from cytocar.sheet.rows import SampleType

HEAD = (
    "stain index, control",
    "CAR+ cells",
    "tubes",
    "net/true",
    "gated/true",
    "net holds the truth",
    "gated holds the truth",
    "width against the oracle's",
    "asks for a look",
)
T_CELLS, BEADS, ADDED, BLOOD_UL = 20_000, 10_000, 50_000, 50.0
NEGATIVES = tuple(FRESH_NEGATIVES)
EVENTS = (20, 200, 2000, 8000)


@dataclass(frozen=True, slots=True)
class Stratum:
    """Tubes of one kind: stain index, expected CAR+ cells of 20,000 T cells, and which controls there are."""

    stain_index: float
    events: int
    control: str = "own"

    def controls(self, shape: str, random: np.random.Generator) -> list[ReferenceEvents]:
        """Return the control tubes' signals: the own baseline, three healthy donors, or none."""
        if self.control == "none":
            return []
        kind = SampleType.BASELINE if self.control == "own" else SampleType.HEALTHY
        gains = [1.0] if self.control == "own" else np.exp(random.normal(0, 0.05, 3))
        tube = CarTube(t_cells=40_000 if self.control == "own" else 20_000, negatives=shape)
        return [
            ReferenceEvents(f"C{number}", kind, "t_cells", {"CAR": gain * tube.draw(random)[0]})
            for number, gain in enumerate(gains)
        ]


def rows(tubes: int) -> Iterator[tuple[str, ...]]:
    """Yield the line of each stratum."""
    every = [Stratum(stain_index, events) for stain_index in (12.0, 6.0, 4.0, 3.0) for events in EVENTS]
    every += [Stratum(6.0, events, control) for control in ("healthy", "none") for events in EVENTS[:3]]
    for stratum in every:
        yield stratum_row(stratum, tubes)


def stratum_row(stratum: Stratum, tubes: int) -> tuple[str, ...]:
    """Return the line of a stratum."""
    many = np.array([_trial(stratum, np.random.default_rng((52, number))) for number in range(tubes)])
    net, gated, holds, gated_holds, width, asks = many.T
    return (
        f"{stratum.stain_index:g}, {stratum.control}",
        str(stratum.events),
        str(tubes),
        f"{np.median(net):.3f}",
        f"{np.median(gated):.3f}",
        f"{100 * holds.mean():.1f} %",
        f"{100 * gated_holds.mean():.1f} %",
        f"{np.median(width):.2f}",
        f"{100 * asks.mean():.0f} %",
    )


def _trial(stratum: Stratum, random: np.random.Generator) -> tuple[float, ...]:
    shape = NEGATIVES[random.integers(len(NEGATIVES))]
    share = stratum.events / T_CELLS
    lot, pipette, gates = np.exp(random.normal(0, (*CVS.values(), 0.02)))
    tube = CarTube(
        t_cells=int(random.poisson(T_CELLS * pipette)),
        car_percent=100 * share * gates / (1 - share + share * gates),
        stain_index=stratum.stain_index,
        negatives=shape,
        positives=tuple(FRESH)[random.integers(len(FRESH))],
        gain=math.exp(random.uniform(math.log(0.7), math.log(1.3))),
    )
    values, drawn_percent = tube.draw(random)
    references = stratum.controls(shape, random)
    fitted = reference.fit(GATE, FitInput("car_t", {"CAR": values}, references=references, seed=1))
    assert isinstance(fitted.gate, RangeGate)
    events = int((values >= (fitted.gate.min or 0.0)).sum())
    measured = {one.parameter: one.value or 0.0 for one in fitted.decisions}
    unaided = (measured["sensitivity"], measured["sensitivity_sd"]) if "sensitivity_sd" in measured else None
    net = net_share(
        events, len(values), fitted.background, assumed_percent=0.05, seed=1, fewest_events=13, unaided=unaided
    )
    basis = BeadBasis(
        bead_events=int(random.poisson(BEADS * lot)), beads_added=ADDED, sample_volume_ul=BLOOD_UL, cvs=CVS
    )
    assert net.low_draws is not None
    draws = basis.draws(len(values), np.random.default_rng(1), len(net.low_draws))
    found = net.times(basis.concentration(len(values)).value, draws)
    gated, oracle = basis.concentration(events), basis.concentration(round(drawn_percent / 100 * len(values)))
    truth = share * T_CELLS / BEADS * ADDED / BLOOD_UL
    ends = [(one.low or 0.0, one.high or 0.0) for one in (found, gated, oracle)]
    return (
        (found.value or 0.0) / truth,
        (gated.value or 0.0) / truth,
        *(low <= truth <= high for low, high in ends[:2]),
        (ends[0][1] - ends[0][0]) / (ends[2][1] - ends[2][0]),
        any(flag not in NOTED_FLAGS for flag in fitted.decisions[0].flags),
    )
