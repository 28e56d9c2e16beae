"""How many tubes ask below a border of the stain index: on shapes looked at once, and on real positives made as bright.

Real positives are multiplied so that the median of all of them lies at the index; negatives are half of the real ones,
the other half is the control.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np

from benchmarks.validity.car import placed
from benchmarks.validity.kept_back import ACTIVATION, KEPT_BACK
from benchmarks.validity.shapes import UNSEEN, UNSEEN_NEGATIVES, CarTube, Floats
from benchmarks.validity.spikes import DRAWN, LARGE, SPIKES, shared_data, signals
from benchmarks.validity.strata import T_CELLS, Stratum
from cytocar.gates.decision import ReferenceEvents
from cytocar.sheet.rows import SampleType
from cytocar.template.gate_kinds import ReferenceGate

HEAD = ("shapes, control", "stain index", "CAR+ cells", "tubes", "index told", "asks below 4, 4.25, 4.5, 4.75, 5")
BORDERS = (4.0, 4.25, 4.5, 4.75, 5.0)
INDICES, EVENTS = (4.0, 6.0), (150, 200, 500)
REAL = {
    **{name: SPIKES[name] for name in ("CD8 on CD8- PBMC", "CD4 on CD4- PBMC")},
    **{name: spike for name, spike in KEPT_BACK.items() if name.endswith((LARGE, ACTIVATION))},
}
"""Files with enough negatives for a control of their own."""
Tube = Callable[[np.random.Generator], tuple[Floats, Sequence[ReferenceEvents]]]


def rows(tubes: int) -> Iterator[tuple[str, ...]]:
    """Yield a line per control, index and number of CAR+ cells, over all shapes; then over all real files."""
    for control in ("own", "healthy"):
        for stain_index in INDICES:
            for events in EVENTS:
                stratum = Stratum(stain_index, events, control)
                yield _row(f"unseen, {control}", stratum, [partial(_simulated, stratum)] * tubes)
    folder = shared_data()
    if folder is None:
        return
    for stain_index in INDICES:
        for events in EVENTS:
            stratum = Stratum(stain_index, events)
            sides = [
                (signals(folder, one.negatives, one.marker), signals(folder, one.positives, one.marker))
                for one in REAL.values()
            ]
            drawn = [partial(_real, stratum, *side) for side in sides for _ in range(max(1, tubes // len(sides)))]
            yield _row("real, own", stratum, drawn)


def _row(name: str, stratum: Stratum, tubes: Sequence[Tube]) -> tuple[str, ...]:
    told = np.array([_told(*draw(np.random.default_rng((411, n)))) for n, draw in enumerate(tubes)])
    low, middle, high = np.nanquantile(told, (0.05, 0.5, 0.95))
    asks = [f"{100 * np.mean(told < border):.0f}" for border in BORDERS]
    return (
        name,
        f"{stratum.stain_index:g}",
        str(stratum.events),
        str(len(told)),
        f"{middle:.1f} ({low:.1f} to {high:.1f})",
        ", ".join(asks) + " %",
    )


def _told(values: Floats, controls: Sequence[ReferenceEvents]) -> float:
    """Return the stain index that the gate tells; not a number where it tells none."""
    gate = ReferenceGate(marker="CAR", fallback=1000, window=(20, 50_000))
    fitted, _ = placed(values, controls, gate=gate)
    return next((one.value for one in fitted.decisions if one.parameter == "stain_index" and one.value), float("nan"))


def _simulated(stratum: Stratum, random: np.random.Generator) -> tuple[Floats, Sequence[ReferenceEvents]]:
    shape = tuple(UNSEEN_NEGATIVES)[random.integers(len(UNSEEN_NEGATIVES))]
    tube = CarTube(
        t_cells=T_CELLS,
        car_percent=100 * stratum.events / T_CELLS,
        stain_index=stratum.stain_index,
        negatives=shape,
        positives=tuple(UNSEEN)[random.integers(len(UNSEEN))],
        gain=float(np.exp(random.uniform(np.log(0.8), np.log(1.25)))),
    )
    return tube.draw(random)[0], stratum.controls(shape, random)


def _real(
    stratum: Stratum, negatives: Floats, positives: Floats, random: np.random.Generator
) -> tuple[Floats, Sequence[ReferenceEvents]]:
    middle = float(np.median(negatives))
    spread = middle - float(np.quantile(negatives, 0.159))
    factor = (middle + 2 * stratum.stain_index * spread) / float(np.median(positives))
    mine, theirs = np.array_split(random.permutation(negatives), 2)
    few = random.choice(mine, DRAWN - stratum.events, replace=len(mine) < DRAWN)
    values = np.concatenate([few, factor * random.choice(positives, stratum.events)])
    control = ReferenceEvents("B1", SampleType.BASELINE, "t_cells", {"CAR": theirs})
    return random.uniform(0.8, 1.2) * values, [control]
