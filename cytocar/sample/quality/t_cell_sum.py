"""Whether the T cells are the CD4 and the CD8 T cells: what is neither, or both, may have lost or gained a marker.

A marker that part of the cells lost (another epitope, an antibody left out, a border in the positives) leaves no other
trace: the cells that still have it look as always.
"""

from __future__ import annotations

from collections.abc import Mapping

from cytocar.errors.findings import Finding, Severity
from cytocar.sample.quality.markers import FEWEST_T_CELLS
from cytocar.template.model import Template

LARGEST_PERCENT_OF_LYMPHOCYTES = 10.0
"""The CDC's limit for the sum of CD4 and CD8 T cells against all T cells, in percent of lymphocytes (MMWR
1997;46(RR-2): 5 as a rule, 10 at most, more with many gamma-delta T cells). Real tubes of four laboratories show 2 to
8."""
LARGEST_PERCENT_OF_T_CELLS = 15.0
"""Two thirds of the lymphocytes are T cells; where more are not, as in a gate on scatter alone, the sum would hide."""
LARGEST_PERCENT_OF_PRODUCT = 20.0
"""Of T cells in culture: many carry both markers, or neither, for a while."""


def t_cell_sum(events: Mapping[str, int], template: Template, *, product: bool) -> tuple[Finding, ...]:
    """True if CD4 and CD8 T cells add up to the T cells; nothing where the template does not say.

    Parameters
    ----------
    events : mapping of str to int
        Events of each population.
    product : bool
        Whether the cells are a product's.
    """
    report = template.report
    if report.t_cells is None or report.cd4 is None or report.cd8 is None:
        return ()
    t_cells = events[report.t_cells]
    if t_cells < FEWEST_T_CELLS:
        return ()
    apart = abs(t_cells - events[report.cd4] - events[report.cd8])
    lymphocytes = events[report.lymphocytes] if report.lymphocytes else 0
    most = LARGEST_PERCENT_OF_PRODUCT if product else LARGEST_PERCENT_OF_T_CELLS
    shares = [(100 * apart / t_cells, most, "T cells")]
    if lymphocytes >= t_cells and not product:
        shares.append((100 * apart / lymphocytes, LARGEST_PERCENT_OF_LYMPHOCYTES, "lymphocytes"))
    percent, limit, of = max(shares, key=lambda one: one[0] / one[1])
    message = f"CD4 and CD8 T cells together are all T cells but for {percent:.1f} % of the {of}"
    if percent <= limit:
        return (Finding("t_cell_sum", "", Severity.PASS, message, percent, limit),)
    return (Finding("t_cell_sum", "W307", Severity.REVIEW, message, percent, limit),)
