"""How many T cells, and how much blood, a limit of detection needs."""

from __future__ import annotations

import math
from collections.abc import Callable

from cytocar.counting.blank_rates import BlankRates

STEP = 1.01
"""Numbers of T cells are tried in steps of 1 %: finer than any volume is pipetted."""
MOST_T_CELLS = 20_000_000
"""More than a tube ever holds: a limit that needs them cannot be reached."""


def t_cells_needed(percent: float, blank: BlankRates, *, fewest_events: int, sensitivity: float = 1.0) -> int | None:
    """Return the T cells with which 95 % of tubes with so many percent CAR+ are detected; None if no number does.

    Parameters
    ----------
    percent : float
        True share of T cells.
    blank : BlankRates
        Background of the gate, as well as it is known.
    fewest_events : int
        Events that a claim needs whatever the background.
    sensitivity : float
        Share of the CAR+ cells that lie above the threshold.

    Examples
    --------
    >>> from cytocar.counting.blank_rates import assumed_rates
    >>> t_cells_needed(0.1, assumed_rates(0.0), fewest_events=13)
    19593
    """

    def reached(t_cells: int) -> bool:
        needed = blank.needed(t_cells, fewest_events)
        smallest = blank.smallest_detected(t_cells, needed, sensitivity=sensitivity)
        return smallest is not None and 100 * smallest <= percent

    return _first(reached, start=max(1, math.floor(100 / percent)))


def blood_ul(t_cells: int, *, t_cells_per_ul: float, acquired_share: float = 1.0) -> float:
    """Return the blood that holds so many T cells when a share of the tube is acquired, µL.

    Examples
    --------
    >>> round(blood_ul(32_790, t_cells_per_ul=25))
    1312
    """
    return t_cells / t_cells_per_ul / acquired_share


def _first(holds: Callable[[int], bool], *, start: int) -> int | None:
    """Return the first number, in steps of 1 %, for which a condition holds that mostly holds for larger ones too.

    A limit of blank jumps by whole events, so the condition may fail once more shortly above.
    """
    steps = math.ceil(math.log(MOST_T_CELLS / start) / math.log(STEP))
    low, high = -1, steps
    if not holds(math.ceil(start * STEP**steps)):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(math.ceil(start * STEP**middle)) else (middle, high)
    return math.ceil(start * STEP**high)
