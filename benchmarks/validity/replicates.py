"""Tubes of one draw, pooled: how often the interval holds the truth where they scatter more than they should.

Counts alone: each tube has its own errors of beads and pipette, as the templates say, and beyond these a scatter of
its own, which nobody told. The numbers of tubes of ``TUNED`` were looked at while the rule was set, ``ONCE`` once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from msgspec.structs import replace

from cytocar.counting.limits import CarResult
from cytocar.course.replicates import CountedSample, pool
from cytocar.sample.result import Status
from cytocar.sheet.rows import CountMethod, SampleType
from cytocar.sheet.tube import Specimen
from cytocar.statistics.intervals import ratio_estimate

HEAD = ("tubes, cells/µL", "scatter beyond the method's", "draws", "holds the truth", "median width", "disagree")
TUNED: Mapping[str, tuple[Sequence[float], Sequence[float]]] = {
    "2": ((1, 2), (1, 10, 100)),
    "3": ((1, 2, 1), (1, 10, 100)),
    "6": ((1, 2, 1, 4, 1, 2), (1, 10, 100)),
}
ONCE: Mapping[str, tuple[Sequence[float], Sequence[float]]] = {
    "2, undiluted": ((1, 1), (3, 30)),
    "3, undiluted": ((1, 1, 1), (3, 30)),
    "4": ((1, 1, 3, 3), (3, 30)),
}
SCATTERS = (0.0, 0.1, 0.2)
BEADS_CV, PIPETTING_CV = 0.036, 0.026
BEADS, EXAMINED_UL, T_CELLS_PER_UL = 8000, 20.0, 1000.0
NAMED = f"garwood + beads {100 * BEADS_CV:g} % + pipetting {100 * PIPETTING_CV:g} %"


def rows(draws: int, families: Mapping[str, tuple[Sequence[float], Sequence[float]]]) -> Iterator[tuple[str, ...]]:
    """Yield a line for each number of tubes, concentration and scatter."""
    for name, (dilutions, concentrations) in families.items():
        for per_ul in concentrations:
            for scatter in SCATTERS:
                random = np.random.default_rng((23, len(dilutions), round(per_ul), round(100 * scatter)))
                pooled = [pool([_tube(per_ul, one, scatter, random) for one in dilutions]) for _ in range(draws)]
                limits = np.array([(one.car_per_ul.low, one.car_per_ul.high) for one in pooled], dtype=np.float64)
                held = np.mean((limits[:, 0] <= per_ul) & (per_ul <= limits[:, 1]))
                width = np.median(limits[:, 1] - limits[:, 0]) / per_ul
                disagree = np.mean([one.agreement is not None and not one.agreement.holds for one in pooled])
                yield (
                    f"{name}; {per_ul:g}",
                    f"{100 * scatter:.0f} %",
                    str(draws),
                    f"{100 * held:.1f} %",
                    f"{100 * width:.0f} %",
                    f"{100 * disagree:.1f} %",
                )


def _tube(per_ul: float, dilution: float, scatter: float, random: np.random.Generator) -> CountedSample:
    error = math.exp(random.normal(0, math.hypot(BEADS_CV, PIPETTING_CV, scatter)))
    blood = EXAMINED_UL / dilution
    car, t_cells = (int(random.poisson(one * blood * error)) for one in (per_ul, T_CELLS_PER_UL))
    beads = int(random.poisson(BEADS))
    examined = blood * beads / BEADS
    bare = CountedSample(
        sample_id=f"{random.integers(10**9)}",
        subject_id="P",
        day=1.0,
        sample_type=SampleType.SAMPLE,
        specimen=Specimen.BLOOD,
        status=Status.OK,
        file_sha256="",
        bead_events=beads,
        t_cell_events=t_cells,
        car_events=car,
        car_result=CarResult.QUANTIFIED,
        t_cells_per_ul=t_cells / examined,
        count_method=CountMethod.BEADS,
        ci_method=NAMED,
    )
    return replace(bare, car_per_ul=ratio_estimate(car, beads).scaled(beads / examined).widened(bare.cv))
