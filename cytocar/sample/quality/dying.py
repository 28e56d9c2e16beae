"""Dead cells where no gate leaves them out: without a viability dye a template counts them as T cells.

Cells that die shrink and grow granular: they scatter less forwards and more to the side (Darzynkiewicz 1992, Cytometry
13:795). Of a few that is no proof, since living cells vary as much.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cytocar.errors.findings import Finding, Severity
from cytocar.gates.adaptive.cluster import is_scatter
from cytocar.gates.adaptive.density import density
from cytocar.gates.sampled_events import SampledEvents
from cytocar.sample.quality.cells import FEWEST_EVENTS, asks_whether_alive, side_scatter

CHECK = "dead_cells"
SMALLER = 0.25
"""Of ln: three quarters of the size of most T cells; where most are dying, the living are as much larger, and less
granular, which blasts are not."""
SMOOTHING = 0.05
"""Of ln: half of the spread of resting lymphocytes."""
LARGEST_PERCENT = 8.0
"""Of the T cells: fresh and thawed cells of seven real tubes show 1 to 6 %, as do simulated ones with 6 % dead."""


def dead_cells(sampled: SampledEvents) -> Iterator[Finding]:
    """Yield, where no gate on the way to the T cells asks whether they live, how many scatter as dying cells do."""
    t_cells, side = sampled.template.report.t_cells, side_scatter(sampled)
    if t_cells is None or asks_whether_alive(sampled, t_cells):
        return
    forward = next((marker for marker in sampled.at_the_end if _is_forward_area(marker)), None)
    mask = sampled.frame.mask(t_cells)
    if side is None or forward is None or np.count_nonzero(mask) < FEWEST_EVENTS:
        return
    size, grain = (np.log(np.maximum(sampled.signal(marker, mask), 1.0)) for marker in (forward, side))
    smooth = density(size, SMOOTHING)
    usual = float(smooth.centers[smooth.heights.argmax()])
    granular = grain > np.median(grain[np.abs(size - usual) < SMOOTHING])
    small, large = granular & (size < usual - SMALLER), ~granular & (size > usual + SMALLER)  # large: most are dying
    percent = 100 * float(max(np.mean(small), np.mean(large)))
    message = f"no gate leaves dead cells out, and {percent:.1f} % of the T cells differ in size and grain"
    if percent < LARGEST_PERCENT:
        yield Finding(CHECK, "W312", Severity.NOTE, message, percent, LARGEST_PERCENT)
        return
    yield Finding(CHECK, "W311", Severity.REVIEW, f"{message} as dying cells do", percent, LARGEST_PERCENT)


def _is_forward_area(marker: str) -> bool:
    return is_scatter(marker) and marker.upper().startswith("F") and not marker.upper().endswith(("-H", "-W"))
