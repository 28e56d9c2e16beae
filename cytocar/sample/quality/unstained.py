"""Whether the antibodies reached all cells: events that scatter as leukocytes do and carry no CD45.

Blood that dried at the wall of the tube, above the stain, or was not mixed, gives leukocytes without any colour. They
are cells that the count lacks, and beads are counted all the same.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cytocar.errors.findings import Finding, Severity
from cytocar.gates.engine.frame import ALL, Bools
from cytocar.gates.sampled_events import SampledEvents
from cytocar.sample.quality.cells import forward_scatter, side_scatter
from cytocar.sample.quality.markers import FEWEST_T_CELLS
from cytocar.sample.quality.relative import in_medians
from cytocar.statistics.order import median

CHECK = "unstained_cells"
MARKER = "CD45"
NO_CD45 = 0.04
"""Of the T cells' median: granulocytes, the dimmest leukocytes, stain at a fifth, and autofluorescence ends below."""
DIM_CD45 = 0.3
"""Of the median of their own kind: CD45 of lymphocytes and of granulocytes varies by a quarter from cell to cell."""
LYMPHOCYTE_FSC, LYMPHOCYTE_SSC = (0.75, 1.5), (0.6, 1.5)
"""Of the T cells' medians: debris and red cells lie below, monocytes above."""
GRANULOCYTE_FSC, GRANULOCYTE_SSC = 1.0, 3.0
"""Above the T cells' medians: granulocytes alone, neither debris nor red cells."""
LARGEST_PERCENT = 5.0
"""Of the events that scatter so: a count lacks as many of a hundred cells."""
LARGEST_PERCENT_ALONE, SAME_SIZE, SAME_GRAIN = 10.0, 0.08, 0.15
"""Where no granulocytes bear it out; then their medians must be those of the lymphocytes, to these parts: red cells
not lysed, erythroblasts and clumps of platelets reach the place of lymphocytes, and lie otherwise in it."""
FEW_GRANULOCYTES = 0.2
"""For each lymphocyte: fewer are pairs and dying cells of a sample without granulocytes."""


def unstained_cells(sampled: SampledEvents) -> Iterator[Finding]:
    """Yield whether lymphocytes, and granulocytes if there are some, lack CD45; nothing where the panel has none.

    Cells that the stain did not reach are as many of either; red cells, debris and platelets are of one sort.
    """
    lymphoid, side, forward = sampled.lymphoid, side_scatter(sampled), forward_scatter(sampled)
    if lymphoid is None or side is None or forward is None or not sampled.knows(MARKER):
        return
    if np.count_nonzero(sampled.frame.mask(lymphoid)) < FEWEST_T_CELLS:
        return
    size, grain = (in_medians(sampled, axis, lymphoid) for axis in (forward, side))
    cd45 = sampled.signal(MARKER)
    usual = sampled.median(MARKER, lymphoid)
    unstained = cd45 < NO_CD45 * usual
    beads = sampled.template.counting.beads
    cells = sampled.frame.mask(ALL) if beads is None else ~sampled.frame.mask(beads)
    lymphocytes = cells & _between(size, LYMPHOCYTE_FSC) & _between(grain, LYMPHOCYTE_SSC)
    granulocytes = cells & (size > GRANULOCYTE_FSC) & (grain > GRANULOCYTE_SSC)
    percent, limit = _percent(unstained, lymphocytes), LARGEST_PERCENT_ALONE
    if np.count_nonzero(granulocytes) >= max(FEWEST_T_CELLS, FEW_GRANULOCYTES * np.count_nonzero(lymphocytes)):
        of_granulocytes = median(sampled.signal(MARKER, granulocytes))
        shares = ((usual, lymphocytes), (of_granulocytes, granulocytes))  # nothing is in both: they differ in grain
        percent = min(_percent(cd45 < DIM_CD45 * own, kind) for own, kind in shares)
        limit = LARGEST_PERCENT
    elif percent >= limit and not (
        _lie_alike(size, lymphocytes, unstained, SAME_SIZE) and _lie_alike(grain, lymphocytes, unstained, SAME_GRAIN)
    ):
        return
    message = f"{percent:.1f} % of what scatters as leukocytes do carries no {MARKER}, or a third of the usual at most"
    if percent < limit:
        yield Finding(CHECK, "", Severity.PASS, message, percent, limit)
        return
    message += ": the stain did not reach these cells, and counts lack them"
    yield Finding(CHECK, "W314", Severity.REVIEW, message, percent, limit)


def _lie_alike(values: np.ndarray, cells: Bools, unstained: Bools, within: float) -> bool:
    """True if the unstained ones of some cells have the median of the others, to a part of it."""
    bare, others = (median(values[cells & part]) for part in (unstained, ~unstained))
    return abs(bare / others - 1) <= within


def _between(values: np.ndarray, ends: tuple[float, float]) -> Bools:
    return np.asarray((values > ends[0]) & (values < ends[1]))


def _percent(unstained: Bools, cells: Bools) -> float:
    return 100 * int(np.count_nonzero(unstained & cells)) / max(1, int(np.count_nonzero(cells)))
