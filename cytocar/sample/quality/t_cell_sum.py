"""Whether parts add up to the whole: T cells are CD4 and CD8 T cells, lymphocytes are T, B and NK cells.

A marker that part of the cells lost (another epitope, an antibody left out, a border in the positives) leaves no other
trace: the cells that still have it look as always.
"""

from __future__ import annotations

import re
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
LARGEST_PERCENT_UNNAMED = 10.0
"""Of the lymphocytes, neither T nor B nor NK cells: the CDC's limit for this sum too (MMWR 1997;46(RR-2): 5 as a rule,
10 at most). A real tube shows 3."""
NK_CELLS = re.compile(r"nk(_cells)?", re.IGNORECASE)
"""The population of NK cells, which has no role of its own in a report."""


def lymphocyte_sum(events: Mapping[str, int], template: Template) -> tuple[Finding, ...]:
    """Return whether T, B and NK cells add up to the lymphocytes; nothing where the template does not count all.

    A reagent that was left out, or cells that it did not reach, take one of them away. Lymphocytes that are gated by
    scatter alone, without CD45, hold other cells by nature, and are not asked.
    """
    report = template.report
    nk_cells = next((one.name for one in template.populations if NK_CELLS.fullmatch(one.name)), None)
    if report.lymphocytes is None or report.t_cells is None or report.b_cells is None or nk_cells is None:
        return ()
    if "CD45" not in template.population(report.lymphocytes).gate.markers():
        return ()
    whole = events[report.lymphocytes]
    if whole < FEWEST_T_CELLS or not {report.b_cells, nk_cells} <= events.keys():
        return ()
    percent = 100 * abs(whole - sum(events[name] for name in (report.t_cells, report.b_cells, nk_cells))) / whole
    message = f"T, B and NK cells together are all lymphocytes but for {percent:.1f} %"
    if percent <= LARGEST_PERCENT_UNNAMED:
        return (Finding("lymphocyte_sum", "", Severity.PASS, message, percent, LARGEST_PERCENT_UNNAMED),)
    return (Finding("lymphocyte_sum", "W317", Severity.REVIEW, message, percent, LARGEST_PERCENT_UNNAMED),)


def t_cell_sum(events: Mapping[str, int], template: Template, *, product: bool) -> tuple[Finding, ...]:
    """Return whether CD4 and CD8 T cells add up to the T cells; nothing where the template does not say.

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
