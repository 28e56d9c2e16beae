"""Every gate but the CAR one, on whole tubes: F1 against the truth, blasts, doublets, beads, absent populations."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from msgspec.structs import replace

from benchmarks.validity.car import Measured, Row
from benchmarks.validity.tubes import Bools, Drawn, Floats, Tube, draw
from cytocar.counting.background import net_share
from cytocar.gates.decision import ReferenceEvents, Source
from cytocar.gates.populations import Populations
from cytocar.gates.walk import walk
from cytocar.sample.quality.acceptance import NOTED_FLAGS
from cytocar.sheet.rows import SampleType
from cytocar.template.load import load_template
from cytocar.template.model import Template

CD4, CD8 = ("cd4", "cd4_blasts", "cd4_car"), ("cd8", "cd8_dim_cd3", "cd8_blasts", "cd8_car")
CAR, BLASTS = ("cd4_car", "cd8_car"), ("cd4_blasts", "cd8_blasts", "cd4_car", "cd8_car")
T_CELLS = (*CD4, *CD8)
HEAD = (
    "tube",
    "lymphocytes F1",
    "T cells F1",
    "CD4 F1",
    "CD8 F1",
    "blasts kept",
    "doublets kept",
    "beads found",
    "flags",
)

CASES = {
    "clean": Tube(),
    "gain 0.8": Tube(gain=0.8),
    "gain 1.2": Tube(gain=1.2),
    "gain 0.8, scatter 1.2": Tube(gain=0.8, scatter_gain=1.2),
    "gain 1.2, scatter 0.8": Tube(gain=1.2, scatter_gain=0.8),
    "40 % blasts": Tube(blast_share=0.4),
    "40 % blasts, gain 0.8": Tube(blast_share=0.4, gain=0.8),
    "large blasts": Tube(blast_share=0.15, blast_size=1.4),
    "dim CD3 on a third": Tube(dim_cd3_share=0.33, blast_share=0.3),
    "heavy tails": Tube(tails=3.0),
    "beads moved by 1.5": Tube(bead_shift=1.5),
    "beads moved by 1 / 1.5": Tube(bead_shift=1 / 1.5),
    "8 % doublets": Tube(doublet_share=0.08),
    "few T cells": Tube(t_cells=1500),
    "no beads": Tube(missing=frozenset({"beads"})),
    "no dead cells": Tube(missing=frozenset({"dead"})),
    "no granulocytes": Tube(missing=frozenset({"granulocytes"})),
    "no monocytes, NK, B": Tube(missing=frozenset({"monocytes", "nk", "b"})),
    "no CD8 T cells": Tube(missing=frozenset(CD8)),
    "no T cells": Tube(missing=frozenset(T_CELLS)),
}


def rows(tubes: int) -> Iterator[tuple[str, ...]]:
    """Yield the line of each case: means over its tubes."""
    template = load_template("cart-cd19fc")
    for name, case in CASES.items():
        lines, flags = [], set[str]()
        for number in range(tubes):
            drawn = draw(replace(case), np.random.default_rng((77, number)))
            found = walk(drawn.events, template)
            lines.append(_measured(drawn, found))
            flags |= _flags(found)
        yield (name, *(_share(values) for values in zip(*lines, strict=True)), " ".join(sorted(flags)))


def car_rows(tubes: int) -> Iterator[Row]:
    """Yield lines like those of ``car``, for whole tubes: the CAR gate after all others, at three gains in turn.

    The baseline has other proportions, no blasts, and its own gain of 1.
    """
    template = load_template("cart-cd19fc")
    baseline = Tube(
        t_cells=60_000, blast_share=0.0, missing=frozenset({"beads", "monocytes", "granulocytes", "debris"})
    )
    for percent in (0.0, 0.1, 1.0, 10.0, 40.0):
        measured = []
        for number in range(tubes):
            random = np.random.default_rng((99, number))
            control = walk(draw(baseline, random).events, template).values("t_cells", "CAR")
            tube = Tube(t_cells=50_000, car_share=percent / 100, blast_share=0.2, gain=(0.8, 1.0, 1.2)[number % 3])
            measured.append(_car(draw(tube, random), control, template))
        yield Row(f"whole tubes, {percent:g} %", measured)


def _car(drawn: Drawn, control: Floats, template: Template) -> Measured:
    reference = ReferenceEvents("baseline", SampleType.BASELINE, "t_cells", {"CAR": control})
    found = walk(drawn.events, template, references={"t_cells": [reference]})
    true = 100 * np.count_nonzero(drawn.is_one_of(*CAR)) / np.count_nonzero(drawn.is_one_of(*T_CELLS))
    events, of_events = found["car_t"].events, found["t_cells"].events
    net = net_share(events, of_events, found.backgrounds.get("car_t"), assumed_percent=0.05, seed=1).net
    assert net.value is not None
    assert net.low is not None
    assert net.high is not None
    fell_back = "car_t" not in found.backgrounds
    flags = [flag for row in found.decisions if row.population == "car_t" for flag in row.flags]
    asks = any(flag not in NOTED_FLAGS for flag in flags)
    return Measured(float(true), 100 * events / of_events, net.value, net.low, net.high, fell_back, asks)


def _measured(drawn: Drawn, found: Populations) -> tuple[float | None, ...]:
    lymphocytes = drawn.is_one_of(*T_CELLS, "nk", "b")
    truth = {"lymphocytes": lymphocytes, "t_cells": drawn.is_one_of(*T_CELLS)}
    truth |= {"cd4": drawn.is_one_of(*CD4), "cd8": drawn.is_one_of(*CD8)}
    return (
        *(_f1(found[name].mask, true) for name, true in truth.items()),
        _kept(found["t_cells"].mask, drawn.is_one_of(*BLASTS)),
        _kept(found["singlets"].mask, drawn.is_one_of("doublets")),
        _kept(found["beads"].mask, drawn.is_one_of("beads")),
    )


def _flags(found: Populations) -> set[str]:
    """Return the flags of data-driven gates, with their populations; fallbacks are marked."""
    flags = set()
    for decision in found.decisions:
        for flag in decision.flags:
            mark = " (fallback)" if decision.source is Source.FALLBACK else ""
            if flag != "NO_REFERENCE":
                flags.add(f"{decision.population}: {flag}{mark};")
    return flags


def _f1(found: Bools, true: Bools) -> float | None:
    """Return the harmonic mean of precision and recall, None for an absent population."""
    if not true.any():
        return None
    return float(2 * np.count_nonzero(found & true) / (np.count_nonzero(found) + np.count_nonzero(true)))


def _kept(found: Bools, of: Bools) -> float | None:
    return float(found[of].mean()) if of.any() else None


def _share(values: tuple[float | None, ...]) -> str:
    known = [value for value in values if value is not None]
    return f"{np.mean(known):.4f}" if known else "absent"
