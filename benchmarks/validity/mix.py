"""Samples whose CD4/CD8 ratio is not the control's, where CD4+ and CD8+ T cells differ: counted as one, and by kind.

Shapes of negatives and positives are taken in turn; gains lie within 30 %. The shapes of ``TUNED`` were looked at while
the rules were set, those of ``ONCE`` once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt
from msgspec import Struct
from msgspec.structs import replace

from benchmarks.validity.car import GATE
from benchmarks.validity.shapes import (
    CENTER,
    FRESH,
    FRESH_NEGATIVES,
    HELD_OUT,
    NEGATIVES,
    POSITIVES,
    CarTube,
    Draw,
    Floats,
)
from cytocar.counting.background import net_share
from cytocar.counting.car_t import LARGEST_EXCESS
from cytocar.gates.adaptive import reference
from cytocar.gates.decision import FitInput, Flag, ReferenceEvents
from cytocar.regions.boxes import RangeGate
from cytocar.sample.quality.acceptance import NOTED_FLAGS
from cytocar.sheet.rows import SampleType

HEAD = (
    "sample, T cells of the control",
    "true share",
    "counted",
    "tubes",
    "net/true",
    "RMSE of ln",
    "net holds the truth",
    "of those that do not ask",
    "low > 0, of those that do not ask",
    "asks for a look",
)
Shapes = tuple[Mapping[str, Draw], Mapping[str, Draw]]
TUNED: Shapes = (NEGATIVES, POSITIVES)
ONCE: Shapes = (FRESH_NEGATIVES, {**FRESH, **HELD_OUT})
PERCENTS = (0.0, 1.0, 20.0)
T_CELLS = 30_000
CD4, CD8, NEITHER = 0.6, 0.35, 0.05
"""Of the control's T cells; in a sample of another ratio 0.25 and 0.7."""


class Mix(Struct, frozen=True):
    """CD8+ T cells against CD4+ ones: factors of their negatives' median and spread; factor of the sample's brightness.

    ``cd4`` is the sample's share of CD4+ T cells; positives are CD8+ in three of five.
    """

    center: float = 1.0
    spread: float = 1.0
    brighter: float = 1.0
    cd4: float = 0.25
    control: int = 40_000
    stain_index: float = 6.0

    def draw(self, tube: CarTube, cd4: float, brighter: float, random: np.random.Generator) -> Drawn:
        """Return a tube in which the CD8+ negatives are so bright; ``tube.draw`` puts positives last."""
        values, percent = replace(tube, gain=1.0).draw(random)
        positive = np.arange(len(values)) >= len(values) - round(percent / 100 * len(values))
        kind = random.choice(3, len(values), p=(cd4, 1 - NEITHER - cd4, NEITHER))
        kind[positive] = random.random(int(positive.sum())) < 0.6
        moved = brighter * (self.center * CENTER + self.spread * (values - CENTER))
        values = tube.gain * np.where((kind == 1) & ~positive, moved, values)
        return Drawn(values, kind, percent)


class Drawn(Struct, frozen=True, eq=False):
    """Signals, what each cell is (0 CD4+, 1 CD8+, 2 neither), and the percentage of CAR+ that was drawn."""

    values: Floats
    kind: npt.NDArray[np.int_]
    percent: float


FAMILIES = {
    "the control's ratio, kinds alike": Mix(cd4=CD4),
    "another ratio, kinds alike": Mix(),
    "another ratio, CD8+ a quarter of a spread brighter and wider": Mix(center=1.28, spread=1.25),
    "another ratio, CD8+ twice as bright, 1.8 times as wide": Mix(center=2.0, spread=1.8, stain_index=8.5),
    "the control's ratio, CD8+ 1.2 times as bright as the control's": Mix(cd4=CD4, brighter=1.2),
    "another ratio, CD8+ 1.2 times as bright as the control's": Mix(brighter=1.2),
}
FAMILIES |= {
    f"{name}, small control": replace(FAMILIES[name], control=8000)
    for name in (
        "another ratio, kinds alike",
        "another ratio, CD8+ twice as bright, 1.8 times as wide",
    )
}


def rows(tubes: int, shapes: Shapes = ONCE) -> Iterator[tuple[str, ...]]:
    """Yield two lines for each family and true share: T cells taken as one, and by kind."""
    negatives, positives = (tuple(one) for one in shapes)
    for name, mix in FAMILIES.items():
        for percent in PERCENTS:
            trials = np.array([_trial(mix, percent, number, negatives, positives) for number in range(tubes)])
            for place, counted in enumerate(("as one", "by kind")):
                yield (f"{name}, {mix.control:,}", f"{percent:g} %", counted, str(tubes), *_cells(trials[:, place]))


def _cells(trials: Floats) -> Iterator[str]:
    true, net, low, high, asks = trials.T
    quiet, holds = asks == 0, (low <= true) & (true <= high)
    there = true > 0
    ratio = np.log(np.maximum(net[there], 1e-4) / true[there])
    yield f"{math.exp(float(np.median(ratio))):.3f}" if there.any() else ""
    yield f"{np.sqrt(np.mean(ratio**2)):.3f}" if there.any() else ""
    yield f"{100 * holds.mean():.1f} %"
    yield f"{int(holds[quiet].sum())} of {int(quiet.sum())}"
    yield "" if there.any() else f"{int((low[quiet] > 0).sum())} of {int(quiet.sum())}"
    yield f"{100 * asks.mean():.1f} %"


def _trial(
    mix: Mix, percent: float, number: int, negatives: tuple[str, ...], positives: tuple[str, ...]
) -> list[tuple[float, ...]]:
    random = np.random.default_rng((77, number, round(10 * percent)))
    tube = CarTube(
        t_cells=T_CELLS,
        car_percent=percent,
        stain_index=mix.stain_index,
        negatives=negatives[number % len(negatives)],
        positives=positives[number % len(positives)],
        gain=float(np.exp(random.uniform(np.log(0.77), np.log(1.3)))),
    )
    sample = mix.draw(tube, mix.cd4, mix.brighter, random)
    control = mix.draw(replace(tube, t_cells=mix.control, car_percent=0.0, gain=1.0), CD4, 1.0, random)
    kinds = {"CAR": tuple(np.sort(control.values[control.kind == kind]) for kind in range(3))}
    as_one = ReferenceEvents("B", SampleType.BASELINE, "t_cells", {"CAR": np.sort(control.values)})
    return [_counted(sample, as_one, by_kind=False), _counted(sample, replace(as_one, kinds=kinds), by_kind=True)]


def _counted(sample: Drawn, control: ReferenceEvents, *, by_kind: bool) -> tuple[float, ...]:
    """Return the true share, the net one with its limits, percent, and whether the tube asks for a look."""
    kinds = (sample.kind == 0, sample.kind == 1) if by_kind else ()
    fitted = reference.fit(GATE, FitInput("car_t", {"CAR": sample.values}, references=[control], seed=1, kinds=kinds))
    assert isinstance(fitted.gate, RangeGate)
    events = int((sample.values >= (fitted.gate.min or 0.0)).sum())
    share = net_share(events, T_CELLS, fitted.background, assumed_percent=0.05, seed=1, fewest_events=13)
    net, raw = share.net, share.raw.value or 0.0
    flagged = any(flag not in {*NOTED_FLAGS, Flag.GAIN_SHIFT} for flag in fitted.decisions[0].flags)
    excess = events >= max(13, share.lob_events + 1, share.first_above) and (net.value or 0.0) > LARGEST_EXCESS * raw
    return sample.percent, net.value or 0.0, net.low or 0.0, net.high or 0.0, float(flagged or excess)
