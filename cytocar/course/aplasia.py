"""How long B cells stay below a threshold: the on-target effect of CD19 CAR-T cells, which tells that they work.

A duration lies between two visits on either side: the last day above and the first below, the last below and the first
above again. Both bounds are given.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct


class Aplasia(Struct, frozen=True):
    """The time of one subject below a threshold of B cells/µL, after infusion.

    ``shortest_days`` is from the first to the last visit below, ``longest_days`` from the visit before to the visit
    after; ``longest_days`` is ``None`` while B cells have not come back (``ongoing``) or where no visit came before.
    """

    subject_id: str
    threshold_per_ul: float
    first_day_below: float | None
    last_day_below: float | None
    recovered_day: float | None
    shortest_days: float | None
    longest_days: float | None
    ongoing: bool
    note: str


def aplasia(
    days: Sequence[float], b_cells_per_ul: Sequence[float], *, threshold_per_ul: float, subject_id: str = ""
) -> Aplasia:
    """Return the first stretch below the threshold that begins on or after day 0.

    Parameters
    ----------
    days, b_cells_per_ul : sequence of float
        Visits in any order, with B cells/µL.
    threshold_per_ul : float
        B cells below this are aplasia.

    Examples
    --------
    >>> course = aplasia([-5, 14, 90, 180], [80, 0, 0.1, 25], threshold_per_ul=10)
    >>> course.shortest_days, course.longest_days, course.recovered_day
    (76.0, 185.0, 180.0)
    """
    visits = sorted((float(day), float(value)) for day, value in zip(days, b_cells_per_ul, strict=True))
    below = [index for index, (day, value) in enumerate(visits) if day >= 0 and value < threshold_per_ul]
    if not below:
        note = "never below the threshold after infusion" if visits else "no B cells were counted"
        return Aplasia(subject_id, threshold_per_ul, None, None, None, None, None, ongoing=False, note=note)
    start = end = below[0]
    while end + 1 < len(visits) and visits[end + 1][1] < threshold_per_ul:
        end += 1
    first, last = visits[start][0], visits[end][0]
    before = visits[start - 1][0] if start > 0 and visits[start - 1][1] >= threshold_per_ul else None
    after = visits[end + 1][0] if end + 1 < len(visits) else None
    notes = []
    if after is None:
        notes.append("still below at the last visit: at least this long")
    if before is None:
        notes.append("no visit above the threshold before: the beginning is not known")
    return Aplasia(
        subject_id=subject_id,
        threshold_per_ul=threshold_per_ul,
        first_day_below=first,
        last_day_below=last,
        recovered_day=after,
        shortest_days=last - first,
        longest_days=after - before if after is not None and before is not None else None,
        ongoing=after is None,
        note="; ".join(notes),
    )
