"""T cells, CD4, CD8 and B cells per µL: how often their interval holds the truth, in tubes that err as templates say.

Beads and preparation err from tube to tube as the template's ``[counting.cv]`` says, cells and beads are Poisson, and
borders are harder to place from line to line. ``TUNED`` was looked at while the gates' part of the interval was made,
``HELD_OUT`` once, at the end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from benchmarks.validity.odd import CD4, CD8, T_CELLS
from benchmarks.validity.tubes import Drawn, Kind, Tube, drawn
from cytocar.counting.basis import BeadBasis
from cytocar.sample.analysis import quantify
from cytocar.statistics.estimate import Estimate
from cytocar.template.load import load_template
from cytocar.template.model import Compensation, Template

HEAD = ("tubes", "n", "population", "median/true", "holds the truth", "by counting and method alone", "median width")
BLOOD_UL, ACQUIRED = 50.0, 0.7
"""Specimen in the tube, and how much of the tube is acquired."""
POPULATIONS: Mapping[str, tuple[str, ...]] = {"t_cells": T_CELLS, "cd4": CD4, "cd8": CD8, "b_cells": ("b",)}
B_STAINS = {"CD45": 9500.0, "CD4": 6000.0, "CD8": 8000.0}
"""Of B cells, where the detectors of CD4 and CD8 show CD19 and CD20."""


class Case(Struct, frozen=True):
    """Tubes of one kind; gains are drawn from tube to tube with a coefficient of variation."""

    tube: Tube
    template: str = "cart-cd19fc"
    gain_cv: float = 0.1

    @property
    def kinds(self) -> Mapping[str, Kind]:
        """Return the kinds of events; in a tube of B cells no T cell shows what the colours of CD4 and CD8 show."""
        kinds = self.tube.kinds()
        if self.template != B_CELLS:
            return kinds
        stains = {
            name: {m: v for m, v in kind.stains.items() if m not in ("CD4", "CD8")} for name, kind in kinds.items()
        }
        return {name: replace(kind, stains=B_STAINS if name == "b" else stains[name]) for name, kind in kinds.items()}


B_CELLS = "bcell-aplasia"
USUAL = Tube(t_cells=6000, blast_share=0.1)
TUNED: Mapping[str, Case] = {
    "few T cells": Case(Tube(t_cells=300, blast_share=0.1)),
    "usual": Case(USUAL),
    "many T cells": Case(Tube(t_cells=20_000, blast_share=0.1)),
    "dim CD3": Case(replace(USUAL, stained={"CD3": 0.5}, dim_cd3_share=0.33, blast_share=0.3)),
    "broad stains": Case(replace(USUAL, spread=0.45)),
    "dim CD4 and CD8, broad": Case(replace(USUAL, spread=0.45, stained={"CD4": 0.4, "CD8": 0.3})),
    "fixed borders": Case(USUAL, template="cart-cd19fc-fixed"),
    "fixed borders, broad": Case(replace(USUAL, spread=0.45), template="cart-cd19fc-fixed"),
    "B cells": Case(USUAL, template=B_CELLS),
    "B cells, broad": Case(replace(USUAL, spread=0.45, stained={"CD4": 0.7, "CD8": 0.7}), template=B_CELLS),
}
HELD_OUT: dict[str, Case] = {
    f"{shape}, {words}": Case(replace(USUAL, shape=shape, spread=spread, stained=stained))
    for shape in ("Weibull", "dim fifth")
    for words, spread, stained in (("usual", 0.25, {}), ("broad and dim", 0.4, {"CD3": 0.5, "CD4": 0.5, "CD8": 0.4}))
}
HELD_OUT |= {
    f"B cells, {shape}": Case(replace(USUAL, shape=shape, spread=0.35, stained={"CD4": 0.7}), template=B_CELLS)
    for shape in ("Weibull", "dim fifth")
}


def draw(case: Case, template: Template, random: np.random.Generator) -> Drawn:
    """Return a tube whose beads, preparation and gain err, with Poisson numbers of every kind of event."""
    cv = template.counting.cv
    lot, pipette, gain = np.exp(random.normal(0, (cv.beads, cv.pipetting, case.gain_cv)))
    tube = replace(case.tube, gain=case.tube.gain * gain, beads=int(random.poisson(case.tube.beads * lot)))
    kinds = replace(case, tube=tube).kinds
    counted = {name: replace(kind, events=int(random.poisson(kind.events * pipette))) for name, kind in kinds.items()}
    return _named(drawn(tube, counted, random), case)


def _named(found: Drawn, case: Case) -> Drawn:
    """Return a tube of B cells with the names of its markers."""
    if case.template != B_CELLS:
        return found
    names = {"CD4": "CD19", "CD8": "CD20"}
    channels = tuple(replace(one, marker=names.get(one.marker or "", one.marker)) for one in found.events.channels)
    return replace(found, events=replace(found.events, channels=channels))


def rows(tubes: int, cases: Mapping[str, Case]) -> Iterator[tuple[str, ...]]:
    """Yield a line for each kind of tube and population."""
    for number, (name, case) in enumerate(cases.items()):
        template = load_template(case.template)
        template = replace(template, compensation=Compensation(source="file", missing="none"))
        kinds = case.kinds
        own = {one.name for one in template.populations} & POPULATIONS.keys()
        found: dict[str, list[tuple[float, Estimate, Estimate]]] = {name: [] for name in POPULATIONS if name in own}
        for one in range(tubes):
            tube = draw(case, template, np.random.default_rng((151, number, one)))
            result = quantify(tube.events, template, beads_added=case.tube.beads / ACQUIRED, sample_volume_ul=BLOOD_UL)
            for population, measured in found.items():
                of = POPULATIONS[population]
                true = sum(kind.events for kind_name, kind in kinds.items() if kind_name in of) / ACQUIRED / BLOOD_UL
                count = result.population(population)
                assert count is not None
                beads = result.population("beads")
                assert beads is not None
                cvs = {"beads": template.counting.cv.beads, "pipetting": template.counting.cv.pipetting}
                basis = BeadBasis(max(50, beads.events), case.tube.beads / ACQUIRED, BLOOD_UL, cvs=cvs)
                measured.append((true, count.per_ul, basis.concentration(count.events)))
        for population, many in found.items():
            yield (name, str(tubes), population, *_summary(many))


def _summary(many: list[tuple[float, Estimate, Estimate]]) -> tuple[str, ...]:
    true = many[0][0]
    value = np.array([whole.value or 0.0 for _, whole, _ in many])
    return (
        f"{np.median(value) / true:.3f}",
        *(
            f"{100 * np.mean([_holds(estimate, true) for estimate in one]):.1f} %"
            for one in ([whole for _, whole, _ in many], [bare for _, _, bare in many])
        ),
        f"{100 * np.median([((whole.high or 0) - (whole.low or 0)) / true for _, whole, _ in many]):.1f} %",
    )


def _holds(estimate: Estimate, true: float) -> bool:
    return (estimate.low or 0.0) <= true <= (estimate.high or 0.0)
