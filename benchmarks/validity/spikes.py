"""Digital spike-ins: events of one real population, added to another real one, in known numbers.

Cells that lack a marker stand for CAR-negative T cells, cells that carry it for CAR-T cells. Half of the negatives, or
another donor's, are the reference. Where a file holds too few negatives they are drawn again and again: shapes are real
then, but rare events are copies, so that only large percentages can be tested. The same tubes without a control judge
what is thought of positives where only a threshold is there.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from msgspec import Struct
from msgspec.structs import replace

from benchmarks.validity.car import Measured, Row, measure
from cytocar.fcs.reader import open_fcs
from cytocar.gates.adaptive.valley import find_valley
from cytocar.signals.compensation import SpilloverMatrix
from cytocar.statistics.intervals import Share
from cytocar.template.gate_kinds import ReferenceGate

Floats = npt.NDArray[np.float64]
DRAWN = 20_000
ANYWHERE = (100.0, 100_000.0)


class Side(Struct, frozen=True):
    """Where negatives or positives come from: a file, and which of its cells by bright and dim markers."""

    file: str
    bright: tuple[str, ...]
    dim: tuple[str, ...] = ()


class Spike(Struct, frozen=True):
    """Positives of a marker added to negatives, in percentages that the number of real negatives allows.

    The reference is another file's negatives, or half of the same ones. Positives are those ``above_border`` times as
    bright as the border to the negatives.
    """

    marker: str
    negatives: Side
    positives: Side
    reference: Side | None = None
    percentages: tuple[float, ...] = (10.0, 40.0)
    above_border: float = 1.0


OMIP = "tcell_human/cytopipeline_omip021/"
CD3, CD4, CD8 = "BV785 - CD3", "APCCy7 - CD4", "BV650 - CD8a"
PBMC = "compensation/flowkit_test_comp/test_comp_example.fcs"
LARGE = "tcell_human/100715.fcs"
ALL_PERCENTAGES = (0.0, 0.1, 1.0, 10.0, 40.0)
SPIKES = {
    "CD8 on CD8- PBMC": Spike("CD8", Side(LARGE, (), ("CD8",)), Side(LARGE, ("CD8",)), percentages=ALL_PERCENTAGES),
    "CD4 on CD4- PBMC": Spike("CD4", Side(LARGE, (), ("CD4",)), Side(LARGE, ("CD4",)), percentages=ALL_PERCENTAGES),
    "clear CD8 on CD8- PBMC": Spike(
        "CD8", Side(LARGE, (), ("CD8",)), Side(LARGE, ("CD8",)), percentages=ALL_PERCENTAGES, above_border=1.5
    ),
    "clear CD4 on CD4- PBMC": Spike(
        "CD4", Side(LARGE, (), ("CD4",)), Side(LARGE, ("CD4",)), percentages=ALL_PERCENTAGES, above_border=1.5
    ),
    "CD8 on CD4 T cells, donor 1": Spike(
        CD8, Side(f"{OMIP}Donor1.fcs", (CD3, CD4), (CD8,)), Side(f"{OMIP}Donor2.fcs", (CD3, CD8), (CD4,))
    ),
    "CD8 on CD4 T cells, donor 2, reference donor 1": Spike(
        CD8,
        Side(f"{OMIP}Donor2.fcs", (CD3, CD4), (CD8,)),
        Side(f"{OMIP}Donor1.fcs", (CD3, CD8), (CD4,)),
        Side(f"{OMIP}Donor1.fcs", (CD3, CD4), (CD8,)),
    ),
    "CD20 on CD4 T cells": Spike("CD20", Side(PBMC, ("CD4",), ("CD20",)), Side(PBMC, ("CD20",), ("CD4",))),
    "CD33 on CD4 T cells": Spike("CD33", Side(PBMC, ("CD4",), ("CD33",)), Side(PBMC, ("CD33",))),
}


def shared_data() -> Path | None:
    """Return the folder of real files: CYTOCAR_SHARED_DATA, or shared/data beside the project, if it is there."""
    named = os.environ.get("CYTOCAR_SHARED_DATA")
    root = Path(__file__).resolve().parents[2]
    places = [Path(named)] if named else [root.parent / "shared" / "data", root.parent.parent / "shared" / "data"]
    return next((place for place in places if place.is_dir()), None)


def rows(tubes: int) -> Iterator[Row]:
    """Yield a line per spike-in and percentage; none without the real files."""
    folder = shared_data()
    if folder is None:
        print("The folder of real FCS files is not here (set CYTOCAR_SHARED_DATA to its path): no spike-ins.")
        return
    for name, spike in SPIKES.items():
        for percent in spike.percentages:
            yield Row(f"{name}, {percent:g} %", _series(folder, spike, percent, tubes))


UNAIDED_HEAD = (
    "without a control",
    "threshold",
    "tubes",
    "net/true",
    "5th to 95th pct.",
    "gated/true",
    "coverage",
    "low > 0",
    "width against the oracle's",
    "asks for a look",
)
PLACED_AT, PLACES = 0.9995, (1.0, 1.4)
"""A fixed threshold is set on a control of another day: this quantile of negatives that the tube does not hold, and
above it."""


def unaided_rows(tubes: int) -> Iterator[tuple[str, ...]]:
    """Yield a line per spike-in, percentage and threshold, for tubes that have no control."""
    folder = shared_data()
    if folder is None:
        print("The folder of real FCS files is not here (set CYTOCAR_SHARED_DATA to its path): no spike-ins.")
        return
    for name, spike in SPIKES.items():
        for percent in (one for one in spike.percentages if one):
            for place in PLACES:
                yield _unaided_row(
                    f"{name}, {percent:g} %",
                    place,
                    [one for one, _ in unaided_tubes(folder, spike, percent, place, tubes)],
                )


def _unaided_row(name: str, place: float, measured: Sequence[Measured]) -> tuple[str, ...]:
    true, raw, net, low, high, asks = np.array(
        [(one.true, one.raw, one.net, one.low, one.high, one.asks) for one in measured]
    ).T
    known = [Share(round(one / 100 * DRAWN), DRAWN).estimate() for one in true]
    oracle = np.array([(one.high or 0.0) - (one.low or 0.0) for one in known])
    least, most = np.quantile(net / true, (0.05, 0.95))
    return (
        name,
        f"{place:g}",
        str(len(true)),
        f"{np.median(net / true):.3f}",
        f"{least:.3f} to {most:.3f}",
        f"{np.median(raw / true):.3f}",
        f"{100 * np.mean((low <= true) & (true <= high)):.0f} %",
        f"{100 * np.mean(low > 0):.0f} %",
        f"{np.median((high - low) / oracle):.2f}",
        f"{100 * np.mean(asks):.0f} %",
    )


def unaided_tubes(
    folder: Path, spike: Spike, percent: float, place: float, tubes: int
) -> Iterator[tuple[Measured, float]]:
    """Yield tubes without a control, and which share of the events in the gate are negatives."""
    for number, (sample, true, others, gain) in enumerate(_tubes(folder, spike, percent, tubes)):
        gate = replace(_gate(spike), fallback=place * float(np.quantile(others, PLACED_AT)), window=ANYWHERE)
        gated = gain * sample >= gate.fallback
        negatives = int(np.count_nonzero(gated[: DRAWN - round(true / 100 * DRAWN)]))
        yield measure(gain * sample, true, [], seed=number, gate=gate), negatives / max(int(np.count_nonzero(gated)), 1)


def _series(folder: Path, spike: Spike, percent: float, tubes: int) -> list[Measured]:
    return [
        measure(gain * sample, true, [control], seed=number, gate=_gate(spike))
        for number, (sample, true, control, gain) in enumerate(_tubes(folder, spike, percent, tubes))
    ]


def _tubes(folder: Path, spike: Spike, percent: float, tubes: int) -> Iterator[tuple[Floats, float, Floats, float]]:
    """Yield the signals of each sample, its true percentage, negatives that it does not hold, and its gain."""
    negatives = signals(folder, spike.negatives, spike.marker)
    positives = signals(folder, spike.positives, spike.marker)
    positives = positives[positives >= spike.above_border * positives.min()]
    other = signals(folder, spike.reference, spike.marker) if spike.reference else None
    for number in range(tubes):
        random = np.random.default_rng((5, number))
        shuffled = random.permutation(negatives)
        mine, theirs = (shuffled, other) if other is not None else np.array_split(shuffled, 2)
        gain = random.uniform(0.8, 1.2)
        n_positive = int(random.binomial(DRAWN, percent / 100))
        dim = _draw(mine, DRAWN - n_positive, random)
        sample = np.concatenate([dim, random.choice(positives, n_positive)])
        yield sample, 100 * n_positive / DRAWN, _draw(theirs, DRAWN, random), gain


def _draw(signals: Floats, n: int, random: np.random.Generator) -> Floats:
    """Return n events, each at most once where there are enough."""
    return random.choice(signals, n, replace=len(signals) < n)


def _gate(spike: Spike) -> ReferenceGate:
    return ReferenceGate(marker="CAR", fallback=1000, window=(20, 50_000), note=spike.marker)


@cache
def signals(folder: Path, side: Side, marker: str) -> Floats:
    """Return a marker's compensated signal in the cells of one side; bright and dim are parted at each valley."""
    events = open_fcs(folder / side.file)
    matrix = SpilloverMatrix.from_keywords(events.keywords)
    assert matrix is not None
    compensated = events.columns(matrix.detectors) @ np.linalg.inv(matrix.values)
    names = {channel.detector: channel.marker or channel.detector for channel in events.channels}
    signal = {names[detector]: compensated[:, column] for column, detector in enumerate(matrix.detectors)}
    chosen = np.ones(events.n_events, dtype=bool)
    for name in side.bright:
        chosen &= signal[name] >= _valley(signal[name])
    for name in side.dim:
        chosen &= signal[name] < _valley(signal[name])
    return signal[marker][chosen]


def _valley(values: Floats) -> float:
    valley = find_valley(values, window=ANYWHERE)
    assert valley is not None
    return valley.at
