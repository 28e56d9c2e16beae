"""Tubes that differ from their control: brighter negatives, sticky cells, cells that bind; and which ask for a look.

T cells, CD3-negative lymphocytes and beads of sample and control, each with signals of its own; counted as
``cytocar gate`` counts them. The shapes of one half of the families were looked at while defaults were chosen, those of
the other half once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from benchmarks.validity.car import GATE
from benchmarks.validity.shapes import FRESH, FRESH_NEGATIVES, CarTube, Draw, Floats
from cytocar.counting.background import NetShare, net_share
from cytocar.counting.car_t import LARGEST_EXCESS, rise_matters
from cytocar.counting.witness import Witnesses, rise_of
from cytocar.gates.adaptive import reference
from cytocar.gates.decision import FitInput, Fitted, Flag, ReferenceEvents, Source
from cytocar.regions.boxes import RangeGate
from cytocar.sample.bead_gain import LARGEST_DISAGREEMENT
from cytocar.sample.quality.acceptance import NOTED_FLAGS
from cytocar.sample.witnesses import comparable
from cytocar.sheet.rows import SampleType

HEAD = (
    "sample against its control",
    "true share",
    "tubes",
    "asks for a look",
    "low > 0, all",
    "low > 0, of those that do not ask",
    "net/true",
    "coverage of those that do not ask",
)
Bools = npt.NDArray[np.bool_]
TUNED, ONCE = ("normal", "long tail"), tuple(FRESH_NEGATIVES)
PERCENTS = (0.0, 0.1, 0.3, 1.0)
"""Of undisturbed tubes: what a false alarm costs shows where the share is smallest."""
BEAD_SD = 0.01
"""Of ln(bead peak), sample against control: one lot, one day."""


class Disturbance(Struct, frozen=True):
    """What is different in the sample: factors on its negatives and sticky cells, percent of all cells that bind.

    ``part`` of the negatives are brighter; ``added`` is the mean autofluorescence that comes on top, gamma distributed.
    """

    brighter: float = 1.0
    part: float = 1.0
    added: float = 0.0
    sticky: float = 1.0
    bind_percent: float = 0.0

    def on(self, values: Floats, positive: Bools, random: np.random.Generator) -> Floats:
        """Return signals with the disturbance, of CAR+ cells too where they bind."""
        brighter = ~positive & (random.random(len(values)) < self.part)
        moved = np.where(brighter, values * self.brighter, values)
        if self.added:
            moved = moved + np.where(positive, 0.0, random.gamma(2.0, self.added / 2, len(moved)))
        binding = random.random(len(moved)) < self.bind_percent / 100
        return np.where(binding, 12 * moved, moved)


KINDS = {
    "as the control": Disturbance(),
    "negatives 1.5 times as bright": Disturbance(brighter=1.5),
    "negatives 2 times as bright": Disturbance(brighter=2.0),
    "6 of 10 negatives 2 times as bright": Disturbance(brighter=2.0, part=0.6),
    "autofluorescence added to all": Disturbance(added=120.0),
    "sticky cells 5 times as frequent": Disturbance(sticky=5.0),
    "sticky cells 20 times as frequent": Disturbance(sticky=20.0),
    "1 % of all cells bind 12 times as much": Disturbance(bind_percent=1.0),
}


def rows(
    tubes: int, *, negatives: tuple[str, ...] = ONCE, positives: Mapping[str, Draw] = FRESH
) -> Iterator[tuple[str, ...]]:
    """Yield a line for each disturbance and true share; shapes are taken in turn, gains lie within 30 %."""
    for name, kind in KINDS.items():
        for percent in PERCENTS if kind == Disturbance() else (0.0, 1.0):
            trials = [_trial(kind, percent, number, negatives, tuple(positives)) for number in range(tubes)]
            asks, low, ratio, covered = np.array(trials).T
            quiet = asks == 0
            yield (
                name,
                f"{percent:g} %",
                str(tubes),
                f"{100 * asks.mean():.1f} %",
                f"{100 * low.mean():.1f} %" if percent < 1 else "",
                f"{int((low * quiet).sum())} of {int(quiet.sum())}" if not percent else "",
                f"{np.median(ratio):.3f}" if percent else "",
                f"{int((covered * quiet).sum())} of {int(quiet.sum())}",
            )


def _trial(
    kind: Disturbance, percent: float, number: int, negatives: tuple[str, ...], positives: tuple[str, ...]
) -> tuple[float, float, float, float]:
    random = np.random.default_rng((34, number, round(10 * percent)))
    gain = float(np.exp(random.uniform(np.log(0.7), np.log(1.3))))
    shape = negatives[number % len(negatives)]
    tube = CarTube(
        t_cells=30_000,
        car_percent=percent,
        stain_index=(6.0, 12.0)[number % 2],
        negatives=shape,
        positives=positives[number % len(positives)],
        sticky_percent=0.02 * kind.sticky,
    )
    control = CarTube(t_cells=60_000, negatives=shape)
    drawn, true = tube.draw(random)
    positive = np.arange(len(drawn)) >= len(drawn) - round(true / 100 * len(drawn))
    values = gain * kind.on(drawn, positive, random)
    beside = CarTube(t_cells=8000, negatives=shape, sticky_percent=tube.sticky_percent).draw(random)[0]
    beside = gain * kind.on(beside, np.zeros(len(beside), bool), random)
    control_beside = CarTube(t_cells=16_000, negatives=shape).draw(random)[0]
    control_signals = control.draw(random)[0]
    of_beads = gain * float(np.exp(random.normal(0, BEAD_SD)))
    references = [ReferenceEvents("B", SampleType.BASELINE, "t_cells", {"CAR": control_signals}, {"CAR": of_beads})]
    fitted = reference.fit(GATE, FitInput("car_t", {"CAR": values}, references=references, seed=1))
    assert isinstance(fitted.gate, RangeGate)
    threshold = fitted.gate.min or 0.0
    rise = None
    if fitted.background is not None and comparable(part := fitted.background.parts[0], of_beads):
        above, control_above = int((beside >= threshold).sum()), int((control_beside >= part.place).sum())
        rise = rise_of(Witnesses(above, len(beside), control_above, len(control_beside)))
    events = int((values >= threshold).sum())
    net = net_share(events, len(values), fitted.background, assumed_percent=0.05, seed=1, fewest_events=13, rise=rise)
    asks = _asks(fitted, net, events, of_beads)
    low, high, value = net.net.low or 0.0, net.net.high or 0.0, net.net.value or 0.0
    return float(asks), float(low > 0), value / true if true else 0.0, float(low <= true <= high)


def _asks(fitted: Fitted, net: NetShare, events: int, bead_gain: float) -> bool:
    """Return whether a finding sends the tube to review: flags of the gate (not its gain), W321, W322, W325."""
    decision = fitted.decisions[0]
    raw, value = net.raw.value or 0.0, net.net.value or 0.0
    detected = events >= max(13, net.lob_events + 1, net.first_above)
    gain = fitted.extras.get("gain") if decision.source is Source.REFERENCE else None
    flagged = any(flag not in {*NOTED_FLAGS, Flag.GAIN_SHIFT} for flag in decision.flags)
    brighter = gain is not None and abs(math.log(gain / bead_gain)) > LARGEST_DISAGREEMENT
    excess = detected and raw > 0 and value > LARGEST_EXCESS * raw
    return flagged or brighter or excess or rise_matters(net)
