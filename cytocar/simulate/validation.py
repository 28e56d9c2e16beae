"""The tubes of a method validation, simulated: a sheet of small studies whose components of variation are known."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from msgspec import Struct

from cytocar.counting.blank_rates import assumed_rates
from cytocar.simulate.acquire import SimulatedTube, blood_tube
from cytocar.simulate.cells import Blood
from cytocar.simulate.preparation import Preparation
from cytocar.tables.columns import Value
from cytocar.validation.designs import HIGH, LOW, Design, Goal, Levels, Place, Plan, cells_of, plan_study, sheet_text

VOLUME_UL, BEADS = 50.0, 20_000.0
T_CELLS_PER_UL = 400.0
"""T cells in all; the CAR+ share of a level is of these."""


class Variation(Struct, frozen=True):
    """What really varies, as coefficients of variation: the pipette from tube to tube, staining from day to day,
    runs of one day, operators; and the share of CAR-T cells that a specimen loses in a day.
    """  # fmt: skip

    tube: float = 0.02
    day: float = 0.03
    run: float = 0.02
    operator: float = 0.01
    loss_per_day: float = 0.03
    carry_over: float = 0.001


SMALL: Mapping[Design, tuple[Levels, int]] = {
    Design.PRECISION_20X2X2: ({LOW: 5.0, HIGH: 30.0}, 2),
    Design.PRECISION_5X3: ({LOW: 5.0, HIGH: 30.0}, 3),
    Design.LINEARITY: ({HIGH: 40.0}, 3),
    Design.DETECTION: ({"low 1": 0.05, "low 2": 0.1, "low 3": 0.2}, 4),
    Design.COMPARISON: ({"low": 3.0, "middle": 10.0, "high": 40.0}, 12),
    Design.CARRY_OVER: ({HIGH: 40.0, LOW: 0.1}, 5),
    Design.STABILITY: ({f"specimen {n}": percent for n, percent in enumerate((5.0, 15.0, 40.0), start=1)}, 2),
    Design.OPERATORS: ({"low": 3.0, "middle": 10.0, "high": 40.0}, 9),
}
"""Levels and replicates of each design, small enough for a few seconds."""


def simulate_validation(
    folder: Path,
    *,
    designs: Sequence[Design] = tuple(Design),
    variation: Variation | None = None,
    template: str = "cart-cd19fc",
    drawn_share: float = 0.3,
    seed: int = 1,
    on_tube: Callable[[Path], None] | None = None,
) -> Path:
    """Write the tubes of these studies and their sheet; return the sheet.

    Parameters
    ----------
    folder : Path
        Made where missing.
    variation : Variation, optional
        What varies beside the numbers of cells, which are Poisson.
    drawn_share : float
        Part of each tube that is acquired; of tubes of a detection study nearly all.
    """
    goal = Goal(10.0, T_CELLS_PER_UL, assumed_rates(0.0))
    plans = [plan_study(one, goal=goal, levels=SMALL[one][0], replicates=SMALL[one][1]) for one in designs]
    for plan in plans:
        for number, place in enumerate(plan.places):
            tube = _tube(plan, place, variation or Variation(), drawn_share, (seed, number))
            path = folder / str(cells_of(plan, place)["file"])
            path.parent.mkdir(parents=True, exist_ok=True)
            tube.write(path)
            if on_tube is not None:
                on_tube(path)
    sheet = folder / "sheet.csv"
    given: dict[str, Value] = {"specimen": "blood", "count_method": "beads", "bead_lot": "simulated"}
    given |= {"sample_volume_ul": VOLUME_UL, "beads_added": BEADS}
    sheet.write_text(sheet_text(*plans, template=template, given=given), "utf-8")
    return sheet


def _tube(plan: Plan, place: Place, varies: Variation, drawn_share: float, seed: tuple[int, int]) -> SimulatedTube:
    """Return one tube: cells/µL of its level, moved by day, run and operator; a volume that misses what is pipetted."""
    key = (plan.study, str(seed[0]))
    by_day = 1 + varies.day * _standard(*key, "day", place.day)
    by_run = 1 + varies.run * _standard(*key, "run", place.day, place.run)
    by_operator = 1 + varies.operator * _standard(*key, "operator", place.operator)
    moved = by_operator if plan.design in (Design.OPERATORS, Design.COMPARISON) else by_day * by_run
    share = (place.percent or 0.0) / 100
    diluted = place.expected if plan.design is Design.LINEARITY and place.expected is not None else 1.0
    of_all = T_CELLS_PER_UL * diluted
    if plan.design is Design.LINEARITY:
        share = share / diluted  # the dilution thins all cells alike: the share stays
    if plan.design is Design.COMPARISON:
        of_all *= 1 + 0.3 * _standard(*key, "donor", place.level)
    car = of_all * share
    if plan.design is Design.STABILITY:
        moved = 1 - varies.loss_per_day * (place.hours or 0.0) / 24
    if plan.design is Design.CARRY_OVER and place.level == LOW and place.rep == "1":
        car += varies.carry_over * T_CELLS_PER_UL * 0.4
    rng = np.random.default_rng((zlib.crc32(plan.study.encode()), *seed))
    return blood_tube(
        car_per_ul=car * moved,
        blood=Blood(granulocytes=300.0 * diluted).with_t_cells(of_all * (1 - share) * moved),
        preparation=Preparation(
            sample_volume_ul=VOLUME_UL * (1 + varies.tube * float(rng.standard_normal())),
            beads_added=BEADS,
            drawn_share=0.9 if plan.design is Design.DETECTION else drawn_share,
        ),
        seed=np.random.SeedSequence((zlib.crc32(plan.study.encode()), *seed)),
    )


def _standard(*words: str) -> float:
    """Return a standard normal number that belongs to these words: every tube of a day has its day's."""
    return float(np.random.default_rng(zlib.crc32("|".join(words).encode())).standard_normal())
