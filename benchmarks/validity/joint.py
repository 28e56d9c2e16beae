"""Tubes of one subject counted together: error and coverage beside each tube's own net share.

A subject is a baseline and ten tubes of 0.02 to 40 % CAR+, of one shape and stain index, gains 10 % apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from msgspec.structs import replace

from benchmarks.validity.car import GATE
from benchmarks.validity.shapes import FRESH, HELD_OUT, NEGATIVES, POSITIVES, SEVERE, CarTube, Draw, Floats
from cytocar.counting.background import net_share
from cytocar.gates.adaptive import reference
from cytocar.gates.adaptive.positives import Seen
from cytocar.gates.adaptive.shared_shape import shared_shape
from cytocar.gates.decision import Background, FitInput, ReferenceEvents
from cytocar.regions.boxes import RangeGate
from cytocar.sheet.rows import SampleType

HEAD = (
    "stain index, true share",
    "tubes",
    "alone: net/true",
    "RMSE",
    "coverage",
    "joint: net/true",
    "RMSE",
    "coverage",
    "width, joint to alone",
)
SHARES = (0.02, 0.05, 0.08, 0.3, 1.0, 2.0, 5.0, 10.0, 20.0, 40.0)
STRATA = (("below 0.1 %", 0.0, 0.1), ("0.3 to 1 %", 0.1, 1.5), ("2 to 5 %", 1.5, 6.0), ("10 to 40 %", 6.0, 100.0))
SHAPES: Mapping[str, Mapping[str, Draw]] = {"tuned": {**POSITIVES, **SEVERE}, "held out": HELD_OUT, "fresh": FRESH}


def rows(subjects: int, kinds: str = "held out", *, first: int = 0) -> Iterator[tuple[str, ...]]:
    """Yield a line for each stain index and stratum; shapes of negatives and positives in turn."""
    shapes = [(negatives, positives) for negatives in NEGATIVES for positives in SHAPES[kinds]]
    for stain_index in (3.0, 4.0, 6.0, 12.0):
        measured, refused = [], 0
        for number in range(subjects):
            negatives, positives = shapes[number % len(shapes)]
            case = CarTube(t_cells=20_000, stain_index=stain_index, negatives=negatives, positives=positives)
            found = subject(case, np.random.default_rng((17, round(stain_index), first + number)))
            refused += found is None
            measured += found or []
        table = np.array(measured)
        for name, low, high in STRATA:
            yield (f"{stain_index:g}, {name}", *_summary(table[(table[:, 0] >= low) & (table[:, 0] < high)]))
        yield (f"{stain_index:g}, subjects refused", f"{refused} of {subjects}", *[""] * 7)


def subject(case: CarTube, random: np.random.Generator, *, brighter: float = 1.0) -> list[tuple[float, ...]] | None:
    """Return share asked for, true share, own and joint net share with their limits, for each tube; None if refused.

    Tubes of 10 % are ``brighter`` by that factor than the others.
    """
    control, _ = replace(case, t_cells=100_000).draw(random)
    references = [ReferenceEvents("B", SampleType.BASELINE, "t_cells", {"CAR": control})]
    tubes = []
    for share in SHARES:
        index = case.stain_index * (brighter if share == 10.0 else 1.0)
        gain = float(np.exp(random.normal(0, 0.1)))
        values, true = replace(case, car_percent=share, gain=gain, stain_index=index).draw(random)
        found = _seen(values, references)
        if found is not None:
            tubes.append((share, true, *found))
    shape = shared_shape([seen for _, _, seen, _ in tubes])
    if shape.refused:
        return None
    measured = []
    for (share, true, seen, background), (mean, sd) in zip(tubes, shape.sensitivities, strict=True):
        both = (background, replace(background, sensitivity=mean, sensitivity_sd=sd))
        nets = [net_share(seen.above, seen.events, one, assumed_percent=0.05, seed=1).net for one in both]
        numbers = [number or 0.0 for net in nets for number in (net.value, net.low, net.high)]
        measured.append((share, true, *numbers))
    return measured


def _seen(values: Floats, references: list[ReferenceEvents]) -> tuple[Seen, Background] | None:
    fitted = reference.fit(GATE, FitInput("car_t", {"CAR": values}, references=references, seed=1))
    if fitted.background is None or not isinstance(fitted.gate, RangeGate) or fitted.gate.min is None:
        return None
    return reference.seen_above(fitted.gate.min, values, GATE, references)


def _summary(table: Floats) -> tuple[str, ...]:
    table = table[table[:, 1] > 0]
    true = table[:, 1]
    cells = []
    for value, low, high in (table[:, 2:5].T, table[:, 5:8].T):
        cells += [
            f"{np.median(value / true):.3f}",
            f"{100 * np.sqrt(np.mean((value / true - 1) ** 2)):.1f} %",
            f"{100 * np.mean((low <= true) & (true <= high)):.1f} %",
        ]
    ratio = np.median((table[:, 7] - table[:, 6]) / np.maximum(table[:, 4] - table[:, 3], 1e-9))
    return (str(len(table)), *cells, f"{ratio:.2f}")
