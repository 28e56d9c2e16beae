"""Whether all T cells are among the T cells, and all CD4 T cells among these, and whether CAR+ cells are T cells.

CD3 that is taken in, masked by a drug or stained too weakly takes T cells out of the count; they keep CD4 or CD8, which
no other lymphocyte carries as brightly. Cells that bind every antibody carry CD3 and CAR reagent too, and mostly
neither or both of CD4 and CD8.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cytocar.errors.findings import Finding, Severity
from cytocar.gates.engine.frame import Bools
from cytocar.gates.sampled_events import SampledEvents, worked_out_once
from cytocar.sample.quality.cells import side_scatter
from cytocar.sample.quality.markers import FEWEST_T_CELLS, subset_marker
from cytocar.statistics.order import median, quantile, quantiles

CHECK = "t_cells_without_cd3"
LOW_SSC = 1.3
"""Of the T cells' median: lymphocytes; monocytes, with dim CD4, lie above."""
AS_BRIGHT = 0.5
"""Of the median of the T cells that carry the marker: monocytes and NK cells reach a third in CD4 and CD8."""
LARGEST_PERCENT = 6.0
"""Of the T cells: clean tubes and real files show up to 3 %."""
FEWEST_EVENTS = 25
"""A share of so many is known to a fifth."""


MIXED_CHECK = "car_of_no_subset"
LARGEST_MIXED_PERCENT, MIXED_TIMES = 10.0, 3.0
"""Of the CAR+ cells, and of the share among the other T cells: drawn tubes show 0 %, simulated products 6 %, as their
other T cells do; cells that bind all antibodies 12 to 60 %."""
FEWEST_MIXED, FEWEST_CAR = 8, 25
"""Events: 8 are by chance no less than 4, and a tenth of 25 is no share."""


def car_of_no_subset(sampled: SampledEvents) -> Iterator[Finding]:
    """Yield how many percent of the CAR+ cells carry neither or both of CD4 and CD8; nothing with too few.

    Monocytes and granulocytes whose Fc receptors were not blocked, dying and autofluorescent cells carry some of each
    reagent: those that reach CD3 are CAR+ as a whole, where few T cells are.
    """
    report = sampled.template.report
    if report.t_cells is None or report.car is None or report.cd4 is None or report.cd8 is None:
        return
    cd4, cd8, t_cells = (sampled.frame.mask(name) for name in (report.cd4, report.cd8, report.t_cells))
    car = sampled.frame.mask(report.car) & t_cells
    if (n := int(np.count_nonzero(car))) < FEWEST_CAR:
        return
    mixed = t_cells & (cd4 == cd8)
    among_car = int(np.count_nonzero(mixed & car))
    percent = 100 * among_car / n
    others = 100 * (int(np.count_nonzero(mixed)) - among_car) / max(1, int(np.count_nonzero(t_cells)) - n)
    limit = max(LARGEST_MIXED_PERCENT, MIXED_TIMES * others)
    message = (
        f"{percent:.1f} % of the CAR+ cells carry neither or both of CD4 and CD8, {others:.1f} % of the other T cells"
    )
    if percent < limit or among_car < FEWEST_MIXED:
        yield Finding(MIXED_CHECK, "", Severity.PASS, message, percent, limit)
        return
    message += ": what binds every reagent, monocytes say, is CAR+ too"
    yield Finding(MIXED_CHECK, "W327", Severity.REVIEW, message, percent, limit)


def without_cd3(sampled: SampledEvents) -> Iterator[Finding]:
    """Yield whether cells beside the T cells carry CD4 or CD8 as T cells do; nothing where the template has no CD3."""
    report = sampled.template.report
    side = side_scatter(sampled)
    if report.t_cells is None or side is None or "CD3" not in sampled.gates[report.t_cells].markers():
        return
    t_cells = sampled.frame.mask(report.t_cells)
    n = int(np.count_nonzero(t_cells))
    if n < FEWEST_T_CELLS:
        return
    beside = _beside(sampled, report.t_cells, t_cells)
    beside &= sampled.signal(side) < LOW_SSC * sampled.median(side, report.t_cells)
    like = beside & _as_bright_as_subsets(sampled, report.t_cells)
    percent = 100 * int(np.count_nonzero(like)) / n
    message = f"cells that carry CD4 or CD8 as T cells do, and no CD3, are {percent:.1f} % of the T cells"
    if percent < LARGEST_PERCENT or np.count_nonzero(like) < FEWEST_EVENTS:
        yield Finding(CHECK, "", Severity.PASS, message, percent, LARGEST_PERCENT)
        return
    yield Finding(CHECK, "W310", Severity.REVIEW, f"{message}: T cells are missing", percent, LARGEST_PERCENT)


@worked_out_once
def _as_bright_as_subsets(sampled: SampledEvents, name: str) -> Bools:
    """Return the events as bright in CD4, or in CD8, as the T cells of that subset."""
    t_cells = sampled.frame.mask(name)
    bright = np.zeros_like(t_cells)
    for role in filter(None, (sampled.template.report.cd4, sampled.template.report.cd8)):
        own = t_cells & sampled.frame.mask(role)
        if (marker := subset_marker(sampled, role)) is None or np.count_nonzero(own) < FEWEST_T_CELLS:
            continue
        bright |= sampled.signal(marker) > AS_BRIGHT * median(sampled.signal(marker, own))
    return bright


LEAST_OF_A_SUBSET = 0.5
"""Of the T cells: where fewer carry CD4 or CD8 as T cells do, these two do not tell what a T cell is."""


def of_a_subset(sampled: SampledEvents) -> Bools | None:
    """Return the events that carry CD4 or CD8 as T cells do, whatever else they are; None where that is not known.

    Granulocytes, monocytes and debris that reach the line of CD3 by their autofluorescence carry neither.
    """
    report = sampled.template.report
    if report.t_cells is None:
        return None
    t_cells = sampled.frame.mask(report.t_cells)
    like = _as_bright_as_subsets(sampled, report.t_cells)
    return like if np.count_nonzero(like & t_cells) >= LEAST_OF_A_SUBSET * np.count_nonzero(t_cells) else None


DIM_CHECK = "cd4_dim"
NEGATIVE_SPREADS = 3.0
"""Of CD8 T cells in CD4: one in 700 normals lies above, and few T cells are in neither subset."""
GATED = 0.005
"""Quantile of the CD4 signal of the CD4 T cells: where their gate begins, whatever its shape."""
LARGEST_DIM_PERCENT = 5.0
"""Of the CD4 T cells, whose share is wrong by as much: 14 gates of seven real tubes show up to 1.5 %, clean tubes
0.2 %, tubes with a seventh of the CD4 T cells stained a fifth as brightly 16 %. Many T cells have dim CD8 by nature."""


def dimly_stained(sampled: SampledEvents) -> Iterator[Finding]:
    """Yield how many T cells carry some CD4 and are in neither subset: no T cell of blood does by nature.

    Nothing where the template has no such roles, or few CD8 T cells to show where negatives end.
    """
    report = sampled.template.report
    marker = None if report.cd4 is None else subset_marker(sampled, report.cd4)
    if report.t_cells is None or report.cd4 is None or report.cd8 is None or marker is None:
        return
    cd4, cd8 = sampled.frame.mask(report.cd4), sampled.frame.mask(report.cd8)
    neither = sampled.frame.mask(report.t_cells) & ~cd4 & ~cd8
    n, signal = int(np.count_nonzero(cd4)), sampled.signal(marker)
    if min(n, int(np.count_nonzero(cd8))) < FEWEST_T_CELLS:
        return
    low, middle, high = quantiles(sampled.signal(marker, cd8), (0.159, 0.5, 0.841))
    top = middle + NEGATIVE_SPREADS * max(high - middle, middle - low)
    dim = int(np.count_nonzero(neither & (signal > top) & (signal < quantile(sampled.signal(marker, cd4), GATED))))
    percent = 100 * dim / n
    message = f"T cells with some CD4, below its gate and without CD8, are {percent:.1f} % of the CD4 T cells"
    if percent < LARGEST_DIM_PERCENT or dim < FEWEST_EVENTS:
        yield Finding(DIM_CHECK, "", Severity.PASS, message, percent, LARGEST_DIM_PERCENT)
        return
    yield Finding(
        DIM_CHECK, "W319", Severity.REVIEW, f"{message}: CD4 T cells are missing", percent, LARGEST_DIM_PERCENT
    )


def _beside(sampled: SampledEvents, population: str, inside: Bools) -> Bools:
    """Return the events of a population's parent that the gate left out."""
    declared = sampled.template.population(population)
    return np.asarray(sampled.frame.within(declared.parent, declared.exclude) & ~inside)
