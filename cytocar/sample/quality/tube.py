"""Physics of a counted tube: beads counted of those added, no more cells than blood holds, volumes that agree."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from cytocar.counting.basis import BeadBasis, CountBasis
from cytocar.errors.findings import Finding, Severity
from cytocar.errors.tree import CountingError
from cytocar.fcs import keywords
from cytocar.sheet.plausible import LIQUIDS_LIKE_BLOOD, MOST_T_CELLS_PER_UL

if TYPE_CHECKING:
    from cytocar.fcs.events import EventTable
    from cytocar.sheet.tube import Tube

VOLUMES_DIFFER = 0.1
"""Of the file's volume and the sheet's: rounding and dead volume stay below a tenth."""

ANALYSER_FACTOR, ANALYSER_STEP = 1.5, 100.0
"""Lymphocytes/µL by flow cytometry and by a haematology analyser differ by 10 to 30 %; an analyser that prints 0.1e9/L
steps by 100/µL, which is all there is after lymphodepletion."""


def believable(basis: CountBasis, tube: Tube, method: str, *, t_cells: int | None) -> Iterator[Finding]:
    """What about a count was checked against what can be.

    Raises
    ------
    CountingError
        E073 for more T cells than blood holds.
    """
    if isinstance(basis, BeadBasis):
        share = basis.bead_events / basis.beads_added
        message = f"{100 * share:.3g} % of the {basis.beads_added:,.6g} beads added were counted"
        yield Finding("tube", "", Severity.PASS, message, share, 1.0)
    elif method != "none":
        yield Finding("tube", "", Severity.PASS, "volumes, dilution and analyser's counts can be")
    per_ul = basis.concentration(t_cells).value if t_cells is not None else None
    if per_ul is None or tube.specimen not in LIQUIDS_LIKE_BLOOD:
        return
    if per_ul > MOST_T_CELLS_PER_UL:
        raise CountingError(
            f"{per_ul:,.0f} T cells/µL of {tube.specimen or 'blood'} cannot be: above {MOST_T_CELLS_PER_UL:,.0f}",
            code="E073",
            hint="check the units of beads and volumes and the bead gate; of a cell product say so: specimen = product",
        )
    yield Finding("t_cells_per_ul", "", Severity.PASS, f"{per_ul:,.4g} T cells/µL", per_ul, MOST_T_CELLS_PER_UL)


def volumes_agree(of_sheet: float | None, events: EventTable) -> Iterator[Finding]:
    """Yield whether the acquired volume of the sheet is the one that the instrument wrote, where both are known."""
    try:
        of_file = keywords.acquired_volume(events)
    except CountingError:
        return
    if of_sheet is None or of_file is None:
        return
    message = f"acquired volume {of_sheet:g} µL in the sheet, {of_file.ul:.4g} µL in the file ({of_file.rule})"
    differ = abs(of_sheet / of_file.ul - 1)
    outcome = Severity.REVIEW if differ > VOLUMES_DIFFER else Severity.PASS
    yield Finding("volume", "W249" if differ > VOLUMES_DIFFER else "", outcome, message, differ, VOLUMES_DIFFER)


def agrees_with_analyser(basis: CountBasis, tube: Tube, method: str, *, lymphocytes: int | None) -> Iterator[Finding]:
    """Yield whether the lymphocytes/µL are those of the analyser, where the sheet has them and they made no count.

    Cells that were lost and beads that were lost show here, and nowhere else in a single tube.
    """
    of_analyser = tube.lymphocytes_per_ul
    if of_analyser is None or lymphocytes is None or method not in ("beads", "volumetric"):
        return
    counted = basis.concentration(lymphocytes).value
    if counted is None:
        return
    message = f"{counted:,.4g} lymphocytes/µL, {of_analyser:,.4g} by the analyser"
    far = max(counted, of_analyser) > ANALYSER_FACTOR * min(counted, of_analyser)
    differ = far and abs(counted - of_analyser) > ANALYSER_STEP
    outcome, code = (Severity.REVIEW, "W259") if differ else (Severity.PASS, "")
    ratio = counted / of_analyser if of_analyser else None
    yield Finding("analyser", code, outcome, message, ratio, ANALYSER_FACTOR)
