"""Whether what is compared came through the laser together: beads with cells, CAR-T cells with T cells.

An uneven flow is no matter as long as it is uneven for both (``quality`` looks at the flow). Beads that settle, stop or
clump change every count per µL, and events of the tube before, carried over into the first seconds, add to it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from cytocar.errors.findings import Finding, Severity

if TYPE_CHECKING:
    from cytocar.gates.populations import Populations
    from cytocar.template.model import Template

Counts = npt.NDArray[np.int64]

LARGEST_MISPLACED_PERCENT, BEADS_CHANCE = 3.0, 1e-3
"""Of beads that came where the cells did not; and how rarely chance may say so."""
LARGEST_DWINDLED_PERCENT, DWINDLED_SDS = 8.0, 3.29
"""Of beads that are missing where they dwindle evenly to one end, which moves the count by as much; and standard
deviations of chance, the same one in a thousand."""
FIRST_PARTS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
"""Of the events of a run: carry-over dies away within the first of them, how soon nobody knows."""
FEWEST_TOO_MANY, LARGEST_TOO_MANY_PERCENT, FIRST_CHANCE = 3, 10.0, 1e-3
"""Cells, percent of the population, and chance: W293 needs all three, so that no few cells of a large count alarm."""
MOST_OF_THEM = 0.8
"""Of what is too many: the shortest first part that holds so much is named."""
FEWEST_BESIDE, LARGEST_BESIDE_PERCENT = 50, 10.0
"""Lymphocytes that are no T cells, and percent of them in the CAR gate: W294 needs both, and more than among T
cells."""
KUIPER_TERMS = np.arange(1, 101)


class BeadDrift(Struct, frozen=True):
    """How far two kinds of events came apart over a run.

    ``share`` of the first kind is misplaced: that many more (or fewer) of them than of the second came between the
    stretches ``begin`` and ``end``. ``chance`` is how often as many are where both came together.
    """

    share: float
    begin: int
    end: int
    surplus: bool
    chance: float


def misplaced(first: Counts, second: Counts) -> BeadDrift:
    """How far two kinds of events, counted by stretch of the run (stretches,), came apart.

    Notes
    -----
    Kuiper's statistic V of two samples (Kuiper 1960, Proc. Kon. Ned. Akad. Wet. A 63:38): the largest difference of
    their shares over all contiguous parts of the run. Its distribution is that of Stephens (1970, J. Royal Stat. Soc. B
    32:115), for an effective number ``n m / (n + m)``; ties within a stretch make it a little smaller.

    Examples
    --------
    >>> beads, cells = np.array([50, 50, 0, 0]), np.array([50, 50, 50, 50])
    >>> apart = misplaced(beads, cells)
    >>> apart.share, apart.begin, apart.end, apart.surplus, apart.chance < 1e-9
    (0.5, 0, 2, True, True)
    """
    ahead = np.r_[0.0, np.cumsum(first) / max(1, first.sum()) - np.cumsum(second) / max(1, second.sum())]
    lowest, highest = int(np.argmin(ahead)), int(np.argmax(ahead))
    share = float(ahead[highest] - ahead[lowest])
    root = math.sqrt(first.sum() * second.sum() / max(1, first.sum() + second.sum()))
    chance = _kuiper((root + 0.155 + 0.24 / root) * share) if root else 1.0
    return BeadDrift(share, min(lowest, highest), max(lowest, highest), lowest < highest, chance)


def _kuiper(distance: float) -> float:
    """Return the probability that Kuiper's statistic, scaled, is larger."""
    if distance < 0.4:
        return 1.0
    squares = (KUIPER_TERMS * distance) ** 2
    return float(min(1.0, max(0.0, 2 * np.sum((4 * squares - 1) * np.exp(-2 * squares)))))


def run_findings(populations: Populations, template: Template, *, by_beads: bool) -> tuple[Finding, ...]:
    """What a sample's populations say about its run; beads are looked at where the sample is counted by them."""
    report, over_time = template.report, populations.over_time
    car, t_cells = report.car, report.t_cells
    cells = next((name for name in (report.viable_of, report.viable, t_cells) if name in over_time), None)
    beads = template.counting.beads if by_beads else None
    findings: tuple[Finding, ...] = ()
    if beads is not None and beads in over_time and cells is not None:
        findings = bead_evenness(over_time[beads], over_time[cells])
    findings += start_findings(over_time, car=car, t_cells=t_cells, cells=cells)
    if car is None or t_cells is None or not populations[t_cells].events:
        return findings
    percent = 100 * populations[car].events / populations[t_cells].events
    return findings + car_beside_t_cells(*populations.car_beside_t_cells, car_percent=percent)


def bead_evenness(beads: Counts, cells: Counts) -> tuple[Finding, ...]:
    """Return the finding on counting beads over the run, beside the cells; none without beads or cells."""
    if not beads.any() or not cells.any():
        return ()
    apart = misplaced(beads, cells)
    percent = 100 * apart.share
    if percent <= LARGEST_MISPLACED_PERCENT or apart.chance > BEADS_CHANCE:
        if dwindling := _dwindling(beads, cells):
            return (dwindling,)
        message = "beads and cells came together"
        return (Finding("bead_evenness", "", Severity.PASS, message, percent, LARGEST_MISPLACED_PERCENT),)
    inside = np.zeros(len(beads), dtype=bool)
    inside[apart.begin : apart.end] = True
    where = f"{100 * apart.begin / len(beads):.0f} % and {100 * apart.end / len(beads):.0f} %"
    within, outside = (f"{100 * _ratio(beads[part], cells[part]):.3g}" for part in (inside, ~inside))
    message = (
        f"beads and cells did not come together: {within} beads per 100 cells between {where} of the run, {outside} "
        f"in the rest: {percent:.0f} % of the beads are out of place, and the count per µL is off by as much or more"
    )
    return (Finding("bead_evenness", "W292", Severity.REVIEW, message, percent, LARGEST_MISPLACED_PERCENT),)


def dwindled(first: Counts, second: Counts) -> tuple[float, float]:
    """How much of a kind of events is missing if it dwindles evenly to one end of the run, none at the other.

    Returns
    -------
    share, sds : float
        Of the whole, above 0 where those at the start are missing, below 0 at the end; and by how many standard
        deviations of chance.

    Notes
    -----
    Each event of the first kind has a place among the second: the share of these that came before it. Without a trend
    the mean place is 1/2, with variance (1/n + 1/m) / 12 (Mann and Whitney 1947, Ann. Math. Stat. 18:50). Where the
    first kind rises from 1 - 2 g to 1 it is 1/2 + g / (6 (1 - g)).

    Examples
    --------
    >>> share, sds = dwindled(np.linspace(76, 100, 100).astype(int), np.full(100, 500))
    >>> round(share, 2), sds > 4
    (0.12, True)
    """
    n, m = int(first.sum()), int(second.sum())
    place = (np.cumsum(second) - second / 2) / m
    away = float(first @ place) / n - 0.5
    missing = 6 * abs(away) / (1 + 6 * abs(away))
    return math.copysign(missing, away), abs(away) / math.sqrt((1 / n + 1 / m) / 12)


def _dwindling(beads: Counts, cells: Counts) -> Finding | None:
    """Return a finding where beads become fewer beside the cells all the time, or more: then some are missing."""
    share, sds = dwindled(beads, cells)
    percent = 100 * abs(share)
    if percent <= LARGEST_DWINDLED_PERCENT or sds <= DWINDLED_SDS:
        return None
    half = len(beads) // 2
    early, late = (f"{100 * _ratio(beads[part], cells[part]):.3g}" for part in (slice(half), slice(half, None)))
    message = (
        f"beads {'rise' if share > 0 else 'dwindle'} beside the cells over the whole run: {early} per 100 cells in its "
        f"first half, {late} in the second: about {percent:.0f} % of them seem to be missing, and the count per µL as "
        "much too high"
    )
    return Finding("bead_evenness", "W292", Severity.REVIEW, message, percent, LARGEST_DWINDLED_PERCENT)


def _ratio(beads: Counts, cells: Counts) -> float:
    return float(beads.sum() / max(1, cells.sum()))


# ---------------------------------------------------------------- the first part of a run


class CarryOver(Struct, frozen=True):
    """Events of a population that came in the first part of a run, more of them than the rest explains.

    ``part`` of the run's events came first; of its ``of_events`` events of the parent ``events`` are in the population.
    ``too_many`` is how many more than at the rate of the rest; ``chance`` how often chance alone gives as many.
    """

    part: float
    events: int
    of_events: int
    too_many: float
    chance: float


def crowded_start(inside: Counts, of: Counts) -> CarryOver | None:
    """Return the first part of a run in which a population is too frequent in its parent; None if it is in none.

    Too frequent: at least three events and a tenth of all too many, and less than once in a thousand runs by chance. Of
    several such parts the shortest that holds most of what is too many.

    Parameters
    ----------
    inside, of : (stretches,) int64
        Events of the population and of its parent, by stretch of the run.

    Notes
    -----
    Given the totals, the number that comes among the first events of the parent is hypergeometric (Fisher's exact test,
    one-sided). ``chance`` is Bonferroni's for the six parts that are tried.

    Examples
    --------
    >>> car, t_cells = np.r_[8, np.zeros(99, int)], np.full(100, 50)
    >>> crowd = crowded_start(car, t_cells)
    >>> crowd.part, crowd.events, crowd.too_many, crowd.chance < 1e-12
    (0.01, 8, 8.0, True)
    """
    tried = (_crowd(inside, of, stretches) for stretches in _first_stretches(len(of)))
    crowds = [crowd for crowd in tried if crowd is not None and crowd.chance <= FIRST_CHANCE]
    most = max((crowd.too_many for crowd in crowds), default=0.0)
    return next((crowd for crowd in crowds if crowd.too_many >= MOST_OF_THEM * most), None)


def _first_stretches(stretches: int) -> list[int]:
    return sorted({max(1, round(part * stretches)) for part in FIRST_PARTS if part * stretches >= 0.5})


def _crowd(inside: Counts, of: Counts, stretches: int) -> CarryOver | None:
    """Return the first stretches of a run, None where what is too many in them would not matter."""
    events, of_events = int(inside[:stretches].sum()), int(of[:stretches].sum())
    rest, of_rest = int(inside[stretches:].sum()), int(of[stretches:].sum())
    too_many = events - of_events * rest / max(1, of_rest)
    if not of_rest or events > of_events or rest > of_rest:  # nothing to compare with, or no part of its parent
        return None
    if too_many < max(FEWEST_TOO_MANY, LARGEST_TOO_MANY_PERCENT / 100 * (events + rest)):
        return None
    chance = min(1.0, len(FIRST_PARTS) * _at_least(events, of_events, events + rest, of_events + of_rest))
    return CarryOver(stretches / len(of), events, of_events, too_many, chance)


def _at_least(events: int, drawn: int, marked: int, total: int) -> float:
    """Return the probability of ``events`` or more marked ones among ``drawn`` of ``total``, hypergeometric."""
    from scipy.special import gammaln

    def log_choose(n: float, k: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        return np.asarray(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1))

    if events <= max(0, drawn + marked - total):
        return 1.0
    counts = np.arange(events, min(drawn, marked) + 1)
    if not counts.size:
        return 0.0
    logs = log_choose(marked, counts) + log_choose(total - marked, drawn - counts)
    return float(min(1.0, np.exp(logs - log_choose(total, np.array(drawn))).sum()))


def start_findings(
    over_time: Mapping[str, Counts], *, car: str | None, t_cells: str | None, cells: str | None
) -> tuple[Finding, ...]:
    """Return a finding for CAR-T cells among T cells, and T cells among cells, that crowd in the first part of a run.

    Parameters
    ----------
    over_time : mapping of str to (stretches,) int64
        Events of each population by stretch of the run.
    car, t_cells, cells : str, optional
        Populations with these roles; a pair of which one is missing is not looked at.
    """
    pairs = (
        ("car_start", "CAR+ events", car, "T cells", t_cells),
        ("t_cell_start", "T cells", t_cells, "cells", cells),
    )
    findings = []
    for check, what, inside, of_what, of in pairs:
        if inside is not None and of is not None and inside in over_time and of in over_time:
            findings += _start_finding(check, what, of_what, over_time[inside], over_time[of])
    return tuple(findings)


def _start_finding(check: str, what: str, of_what: str, inside: Counts, of: Counts) -> list[Finding]:
    crowd, total = crowded_start(inside, of), int(inside.sum())
    if crowd is None:
        return [Finding(check, "", Severity.PASS, f"{what} do not crowd at the start", None, LARGEST_TOO_MANY_PERCENT)]
    percent = 100 * crowd.too_many / total
    later = round(FIRST_PARTS[-1] * len(of))
    rest, of_rest = int(inside[later:].sum()), int(of[later:].sum())
    message = (
        f"{crowd.events} of {total} {what} came with the first {100 * crowd.part:.2g} % of the run's events, where the "
        f"rest explains {crowd.events - crowd.too_many:.2g}: cells of the tube before? After the first fifth "
        f"{rest} of {of_rest} {of_what} ({_percent(rest, of_rest)})"
    )
    return [Finding(check, "W293", Severity.REVIEW, message, percent, LARGEST_TOO_MANY_PERCENT)]


def _percent(events: int, of_events: int) -> str:
    return f"{100 * events / of_events:.3g} %" if of_events else "none"


# ---------------------------------------------------------------- the CAR signal beside the T cells


def car_beside_t_cells(events: int, of_events: int, *, car_percent: float) -> tuple[Finding, ...]:
    """Return a finding if lymphocytes that are no T cells pass the CAR gate, and more often than T cells do.

    Then the signal may not be the CAR's: CD56 in a channel that is named after the CAR stains NK cells.

    Examples
    --------
    >>> [finding.code for finding in car_beside_t_cells(400, 1000, car_percent=0.1)]
    ['W294']
    >>> car_beside_t_cells(4, 1000, car_percent=0.1)
    ()
    """
    if of_events < FEWEST_BESIDE:
        return ()
    percent = 100 * events / of_events
    if percent <= max(LARGEST_BESIDE_PERCENT, car_percent):
        return ()
    message = (
        f"{percent:.0f} % of the {of_events} lymphocytes that are no T cells pass the CAR gate, and "
        f"{car_percent:.3g} % of the T cells: is the channel the CAR's?"
    )
    return (Finding("car_beside_t_cells", "W294", Severity.REVIEW, message, percent, LARGEST_BESIDE_PERCENT),)
