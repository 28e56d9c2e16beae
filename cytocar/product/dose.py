"""The dose of an infusion product and what goes with it, each with its interval.

Two ways lead to the dose. Single platform: mL of the bag x 1000 x viable CAR+ cells/µL of the tube. Dual platform:
nucleated cells of a cell counter x viability x T cells of viable x CAR+ of T cells.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from cytocar.sample.result import PopulationCount, SampleResult
from cytocar.sheet.spelling import number
from cytocar.statistics.estimate import UNKNOWN, Estimate
from cytocar.statistics.intervals import Share
from cytocar.statistics.products import product_of, quotient_of

UL_PER_ML = 1000.0


class Figure(Struct, frozen=True):
    """A number of a product: what a reader calls it, its unit, and how it is made."""

    title: str
    unit: str
    method: str


FIGURES: Mapping[str, Figure] = {
    "viability_percent": Figure("viable cells", "%", "viable of all single cells"),
    "cd3_percent": Figure("T cells (CD3+)", "%", "of viable cells"),
    "car_percent": Figure("CAR+ cells", "%", "of viable T cells, as gated"),
    "car_percent_net": Figure("CAR+ cells, net of background", "%", "of viable T cells"),
    "cd4_cd8_ratio": Figure("CD4/CD8 of T cells", "", "of viable T cells"),
    "residual_cd19_percent": Figure("residual CD19+ cells", "%", "of viable cells"),
    "dose_car": Figure("CAR+ viable T cells, single platform", "cells", "bag mL x 1000 x CAR+ cells/µL"),
    "dose_car_dual": Figure(
        "CAR+ viable T cells, dual platform", "cells", "bag mL x nucleated cells/mL x viability x CD3 x CAR"
    ),
    "dose_car_per_kg": Figure("CAR+ viable T cells per kg, single platform", "cells/kg", "dose / weight"),
    "dose_car_dual_per_kg": Figure("CAR+ viable T cells per kg, dual platform", "cells/kg", "dose / weight"),
    "dose_dual_over_single": Figure(
        "dual over single platform", "", "dose by the cell counter / dose by beads; 1 where they agree"
    ),
    "dose_percent_of_planned": Figure("dose in percent of the planned one", "%", "against x_planned_dose of the sheet"),
    "vcn_per_cell": Figure("vector copies per cell", "copies", "as entered"),
    "vcn_per_car_cell": Figure("vector copies per CAR+ cell", "copies", "copies per cell / share of CAR+ cells"),
    "recovery_viable_percent": Figure("viable cells after thawing", "%", "of the bag before freezing"),
    "recovery_car_percent": Figure("CAR+ viable T cells after thawing", "%", "of the bag before freezing"),
}
"""Every number of a product, in the order in which a certificate shows them."""

PLANNED = "x_planned_dose"
"""Column of the sheet that holds the planned dose, CAR+ viable T cells."""


def figures_of(
    result: SampleResult, *, b_cells: str | None, analyser_cv: float = 0.0, before: Mapping[str, Estimate] | None = None
) -> dict[str, Estimate]:
    """Return the numbers of a product by their names in ``FIGURES``, those alone that its tube and sheet give.

    Parameters
    ----------
    result : SampleResult
        The product's tube.
    b_cells : str, optional
        Population of residual CD19+ cells.
    analyser_cv : float
        Coefficient of variation of the cell counter (0.05 is 5 %), which widens the dual-platform dose.
    before : mapping, optional
        What ``figures_of`` gave of the same product before freezing.
    """
    sample = result.sample
    viable = result.population(result.roles.viable)
    t_cells, residual = result.population(result.roles.t_cells), result.population(b_cells)
    figures: dict[str, Estimate] = {
        "viability_percent": viable.percent_of_parent if viable else UNKNOWN,
        "cd3_percent": _share(t_cells, viable),
        "car_percent": result.car.percent if result.car else UNKNOWN,
        "car_percent_net": result.car.net_percent if result.car else UNKNOWN,
        "cd4_cd8_ratio": result.cd4_cd8_ratio,
        "residual_cd19_percent": _share(residual, viable),
    }
    shares = [figures[name].scaled(0.01) for name in ("viability_percent", "cd3_percent", "car_percent")]
    if sample.bag_volume_ml is not None:
        if result.car:
            figures["dose_car"] = result.car.per_ul.scaled(sample.bag_volume_ml * UL_PER_ML)
        if sample.tnc_per_ml is not None:
            cells = sample.tnc_per_ml * sample.bag_volume_ml
            figures["dose_car_dual"] = product_of(shares).scaled(cells).widened(analyser_cv)
    for dose in ("dose_car", "dose_car_dual"):
        if dose in figures and sample.weight_kg is not None:
            figures[f"{dose}_per_kg"] = figures[dose].scaled(1 / sample.weight_kg)
    if both := [figures[dose] for dose in ("dose_car_dual", "dose_car") if dose in figures][1:]:
        figures["dose_dual_over_single"] = quotient_of(figures["dose_car_dual"], *both)
    best = _known(figures, "dose_car", "dose_car_dual")
    planned, _ = entered(sample.extra, PLANNED)
    if best is not None and planned is not None and planned > 0:
        figures["dose_percent_of_planned"] = best.scaled(100 / planned)
    if sample.vcn_per_cell is not None:
        exact = Estimate(sample.vcn_per_cell, sample.vcn_per_cell, sample.vcn_per_cell)
        figures["vcn_per_cell"] = Estimate(sample.vcn_per_cell, None, None)
        figures["vcn_per_car_cell"] = quotient_of(exact, product_of(shares[1:]))
    figures |= _recovery(result, viable, figures, before or {})
    order = {name: place for place, name in enumerate((*FIGURES, VIABLE_TOTAL))}
    known = {name: estimate for name, estimate in figures.items() if estimate.value is not None}
    return dict(sorted(known.items(), key=lambda item: order[item[0]]))


VIABLE_TOTAL = "viable_cells"
"""Viable cells of the bag by the tube's beads: kept for the recovery, not shown."""


def _recovery(
    result: SampleResult,
    viable: PopulationCount | None,
    figures: Mapping[str, Estimate],
    before: Mapping[str, Estimate],
) -> dict[str, Estimate]:
    bag = result.sample.bag_volume_ml
    total: dict[str, Estimate] = {}
    if viable is not None and bag is not None:
        total[VIABLE_TOTAL] = viable.per_ul.scaled(bag * UL_PER_ML)
    both = {**figures, **total}
    recovered = {
        name: quotient_of(both[of], before[of]).scaled(100)
        for name, of in (("recovery_viable_percent", VIABLE_TOTAL), ("recovery_car_percent", "dose_car"))
        if of in both and of in before
    }
    return {**total, **recovered}


def _share(part: PopulationCount | None, whole: PopulationCount | None) -> Estimate:
    if part is None or whole is None:
        return UNKNOWN
    return Share(min(part.events, whole.events), whole.events).estimate()


def _known(figures: Mapping[str, Estimate], *names: str) -> Estimate | None:
    return next((figures[name] for name in names if name in figures and figures[name].value is not None), None)


def entered(extra: Mapping[str, str], column: str) -> tuple[float | None, str]:
    """Return the number of a column of the laboratory's own, or None and why there is none.

    Whether its sheet has decimal commas is not known any more, so a mark before three digits leaves two readings.

    >>> entered({"x_dose": "2,1e9"}, "x_dose"), entered({"x_dose": "nan"}, "x_dose")
    ((2100000000.0, ''), (None, "'nan' is not a finite number"))
    """
    if not extra.get(column):
        return None, f"the sheet has {'nothing in the' if column in extra else 'no'} column {column}"
    try:
        return number(extra[column], decimal_comma=True), ""
    except ValueError as why:
        return None, str(why)
