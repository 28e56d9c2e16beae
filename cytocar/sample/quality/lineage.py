"""Whether all T cells are among the T cells: cells that carry CD4 or CD8 as T cells do, and no CD3.

CD3 that is taken in, masked by a drug or stained too weakly takes T cells out of the count; they keep CD4 or CD8, which
no other lymphocyte carries as brightly.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cytocar.errors.findings import Finding, Severity
from cytocar.gates.engine.frame import Bools
from cytocar.gates.sampled_events import SampledEvents
from cytocar.sample.quality.cells import side_scatter
from cytocar.sample.quality.markers import FEWEST_T_CELLS, subset_marker
from cytocar.statistics.order import median

CHECK = "t_cells_without_cd3"
LOW_SSC = 1.3
"""Of the T cells' median: lymphocytes; monocytes, with dim CD4, lie above."""
AS_BRIGHT = 0.5
"""Of the median of the T cells that carry the marker: monocytes and NK cells reach a third in CD4 and CD8."""
LARGEST_PERCENT = 6.0
"""Of the T cells: clean tubes and real files show up to 3 %."""
FEWEST_EVENTS = 25
"""A share of so many is known to a fifth."""


def without_cd3(sampled: SampledEvents) -> Iterator[Finding]:
    """Whether cells beside the T cells carry CD4 or CD8 as T cells do; nothing where the template has no CD3."""
    report = sampled.template.report
    side = side_scatter(sampled)
    if report.t_cells is None or side is None or "CD3" not in sampled.gates[report.t_cells].markers():
        return
    t_cells = sampled.frame.mask(report.t_cells)
    n = int(np.count_nonzero(t_cells))
    if n < FEWEST_T_CELLS:
        return
    beside = _beside(sampled, report.t_cells, t_cells)
    beside &= sampled.signal(side) < LOW_SSC * median(sampled.signal(side, t_cells))
    like = np.zeros_like(beside)
    for role in (report.cd4, report.cd8):
        marker = None if role is None else subset_marker(sampled, role)
        own = None if role is None else t_cells & sampled.frame.mask(role)
        if marker is None or own is None or np.count_nonzero(own) < FEWEST_T_CELLS:
            continue
        signal = sampled.signal(marker)
        like |= beside & (signal > AS_BRIGHT * median(signal[own]))
    percent = 100 * int(np.count_nonzero(like)) / n
    message = f"cells that carry CD4 or CD8 as T cells do, and no CD3, are {percent:.1f} % of the T cells"
    if percent < LARGEST_PERCENT or np.count_nonzero(like) < FEWEST_EVENTS:
        yield Finding(CHECK, "", Severity.PASS, message, percent, LARGEST_PERCENT)
        return
    yield Finding(CHECK, "W310", Severity.REVIEW, f"{message}: T cells are missing", percent, LARGEST_PERCENT)


def _beside(sampled: SampledEvents, population: str, inside: Bools) -> Bools:
    """Return the events of a population's parent that the gate left out."""
    declared = sampled.template.population(population)
    return np.asarray(sampled.frame.within(declared.parent, declared.exclude) & ~inside)
