"""Tubes at the limit of detection that a blank prints, with the gate placed on signals.

A blank is counted with its control, then a tube with as many CAR+ cells as the blank's limit says, of the same shapes
and gain, with the same control. The limit supposes the stain index that the template names: 6 where it names none.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from benchmarks.validity.car import placed, unaided_of
from benchmarks.validity.shapes import CarTube, Floats
from benchmarks.validity.strata import CONTROLS, ONCE, T_CELLS, Shapes, Stratum
from cytocar.counting.background import net_share
from cytocar.counting.unseen_positives import usual_sensitivity
from cytocar.gates.decision import THRESHOLD_SD, ReferenceEvents

HEAD = (
    "stain index, control",
    "tubes",
    "blanks detected",
    "median LoD",
    "detected at the LoD for 6",
    "median LoD for this index",
    "detected at that",
)


class Counted(Struct, frozen=True):
    """One tube: whether it is detected, and its limit of detection, percent of T cells."""

    detected: bool
    lod_percent: float


def rows(tubes: int, *, halves: Shapes = ONCE, seed: int = 330) -> Iterator[tuple[str, ...]]:
    """Yield for each control and stain index how many tubes at a blank's limit are detected."""
    for control in CONTROLS:
        for stain_index in (12.0, 6.0, 4.0, 3.0):
            usual, named = (
                [trial(Stratum(stain_index, 0, control), supposed, halves, (seed, number)) for number in range(tubes)]
                for supposed in (6.0, stain_index)
            )
            yield (
                f"{stain_index:g}, {control}",
                str(tubes),
                f"{100 * np.mean([blank.detected for blank, _ in usual]):.1f} %",
                *(
                    cell
                    for trials in (usual, named)
                    for cell in (
                        f"{np.median([blank.lod_percent for blank, _ in trials]):.3f} %",
                        f"{100 * np.mean([at_limit.detected for _, at_limit in trials]):.1f} %",
                    )
                ),
            )


def trial(stratum: Stratum, supposed: float, halves: Shapes, seed: tuple[int, int]) -> tuple[Counted, Counted]:
    """Return a blank, and a tube at its limit."""
    random = np.random.default_rng(seed)
    negatives, positives = (tuple(one) for one in halves)
    shape = negatives[random.integers(len(negatives))]
    blank = CarTube(
        t_cells=T_CELLS,
        stain_index=stratum.stain_index,
        negatives=shape,
        positives=positives[random.integers(len(positives))],
        gain=math.exp(random.uniform(math.log(0.7), math.log(1.3))),
    )
    controls = stratum.controls(shape, random)
    counted = _counted(blank.draw(random)[0], controls, supposed)
    at_limit = replace(blank, car_percent=counted.lod_percent)
    return counted, _counted(at_limit.draw(random)[0], controls, supposed)


def _counted(values: Floats, controls: list[ReferenceEvents], supposed: float) -> Counted:
    fitted, events = placed(values, controls)
    measured = {one.parameter: one.value or 0.0 for one in fitted.decisions}
    net = net_share(
        events,
        len(values),
        fitted.background,
        assumed_percent=0.05,
        seed=1,
        fewest_events=13,
        unaided=unaided_of(fitted),
        usual=usual_sensitivity(measured[THRESHOLD_SD], supposed),
    )
    needed = max(13, net.lob_events + 1, net.first_above, 0 if controls else math.ceil(len(values) / 1000))
    return Counted(events >= needed, 50.0 if net.lod_percent is None else net.lod_percent)
