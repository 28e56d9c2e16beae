"""Whether the gate of the lymphocytes holds granulocytes: then a percent of lymphocytes is one of leukocytes.

B and NK cells are about as granular as T cells; what is several times so is none of them. Without CD45 a gate on
scatter may not part the two, and T cells, CD4 and CD8 are counted all the same.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cytocar.errors.findings import Finding, Severity
from cytocar.gates.sampled_events import SampledEvents
from cytocar.sample.quality.cells import side_scatter
from cytocar.sample.quality.relative import in_medians
from cytocar.statistics.order import median

CHECK, GRANULAR = "lymphocyte_grain", "W318"
FEWEST_CELLS = 100
"""Of either kind: a median is known to a tenth of the spread."""
LARGEST_RATIO = 2.5
"""Of median side scatter, cells beside the T cells to T cells: 1.0 to 1.7 in 20 gates of ten real tubes and in
simulated blood, 4.2 to 7.3 in five gates that hold granulocytes."""


def granular_lymphocytes(sampled: SampledEvents, *, counted_by: bool = False) -> Iterator[Finding]:
    """Yield how granular the lymphocytes beside the T cells are, as a multiple of the T cells.

    Parameters
    ----------
    counted_by : bool
        Whether an analyser's lymphocytes stand for these: cells/µL are then as wrong as the percents.
    """
    report, side = sampled.template.report, side_scatter(sampled)
    if report.lymphocytes is None or report.t_cells is None or side is None:
        return
    t_cells = sampled.frame.mask(report.t_cells)
    beside = sampled.frame.mask(report.lymphocytes) & ~t_cells
    if min(np.count_nonzero(t_cells), np.count_nonzero(beside)) < FEWEST_CELLS:
        return
    ratio = median(in_medians(sampled, side, report.t_cells).compress(beside))
    message = f"cells beside the T cells in {report.lymphocytes} have {ratio:.1f} times their side scatter"
    if ratio < LARGEST_RATIO:
        yield Finding(CHECK, "", Severity.PASS, message, ratio, LARGEST_RATIO)
        return
    message += ": the gate holds granulocytes or monocytes, and no percent of lymphocytes is given"
    if counted_by:
        message += "; the analyser's lymphocytes are fewer than these, so cells/µL are too low"
    severity = Severity.REVIEW if counted_by else Severity.NOTE
    yield Finding(CHECK, GRANULAR, severity, message, ratio, LARGEST_RATIO)
