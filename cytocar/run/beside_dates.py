"""Whether a file can be the tube that its row describes, by the clock: nothing is acquired before it is drawn.

Rows that were exchanged in time, or files that were, leave a tube that looks as any other: its count is that of another
day. The date of the acquisition, which the cytometer writes, contradicts them.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta

from cytocar.errors.findings import Finding, Severity
from cytocar.sheet.rows import SampleRow, SampleType
from cytocar.tables.columns import day_text

DATES_CHECK = "dates"

ZONES_DAYS = 1
"""Clocks of two places, and a date without a time of day, may lie a day apart."""

VISIT_WINDOW = 0.2
"""Of the day: ``day`` may be the protocol's visit, to which patients come earlier or later. Trials of CAR-T cells allow
3 to 5 days about day 28, one to two weeks about month 3, a month about month 6; weekly visits do not overlap."""

FEWEST_AGREEING = 3
"""Days of acquisition that put a subject's infusion on one day; two may do so by chance, where they were exchanged."""


IRREGULAR_DAYS = 4
"""A courier and a weekend: where a subject's tubes lie apart by no more, they were stained now sooner, now later."""


def date_findings(
    rows: Sequence[SampleRow], acquired: Mapping[str, date], instruments: Mapping[str, str] | None = None
) -> Iterator[tuple[str, Finding]]:
    """Yield samples that were acquired before they were drawn, and baselines that were drawn after the infusion.

    Parameters
    ----------
    rows : sequence of SampleRow
        Of the run.
    acquired : mapping of str to date
        When each file was acquired, by sample_id; files whose date nothing reads for certain are left out, and so is
        the first of January, the date of files without names (``cytocar scrub``).
    instruments : mapping of str to str, optional
        The cytometer of each file, by sample_id: it has a clock of its own.

    Notes
    -----
    A tube is drawn on ``collected_at``; else on its ``day`` from ``infused_at``, or from the day on which three tubes
    of its subject, most of all, put the infusion: where blood is stained fresh, each was acquired on its day. What was
    frozen or fixed is acquired later, and never earlier. A ``day`` is a visit, with its window; one before the infusion
    is before it whenever it was, and is not looked at. Where most dated tubes of a run, a subject or a cytometer
    contradict their dates, its clock is wrong or the dates were shifted, by subject as ``cytocar scrub`` does: then
    none is told.
    """
    for row in rows:
        if row.sample_type is SampleType.BASELINE and row.day is not None and row.day > 0:
            message = (
                f"a baseline of day {day_text(row.day)}: it was drawn after the infusion, and may hold CAR-T cells"
            )
            yield row.sample_id, Finding(DATES_CHECK, "W263", Severity.REVIEW, message)
    known = {name: day for name, day in acquired.items() if (day.month, day.day) != (1, 1)}
    infused = _infusions(rows, known)
    drawn = {row.sample_id: day for row in rows if row.sample_id in known and (day := _drawn(row, infused))}
    window = {row.sample_id: _window(row) for row in rows}
    early = {name: (day - known[name]).days for name, day in drawn.items() if (day - known[name]).days > window[name]}
    if 2 * len(early) > len(drawn):
        return
    doubtful = set[str]()
    for group_of in ({row.sample_id: row.subject_id for row in rows}, instruments or {}):
        dated, contradicted = (Counter(group_of.get(name) for name in names) for names in (drawn, early))
        doubtful |= {one for one in early if 1 < dated[group_of.get(one)] < 2 * contradicted[group_of.get(one)]}
    for name, days in early.items():
        if name not in doubtful:
            message = (
                f"acquired {days} days before the sheet has it drawn: the file, or the row's day, is another tube's"
            )
            yield name, Finding(DATES_CHECK, "W264", Severity.REVIEW, message, float(days), window[name])


def _window(row: SampleRow) -> float:
    """Return by how many days a tube may be older than its row says."""
    if row.collected_at or row.day is None:
        return ZONES_DAYS
    return max(ZONES_DAYS, VISIT_WINDOW * row.day) if row.day >= 0 else math.inf


def _drawn(row: SampleRow, infused_on: Mapping[str | None, date]) -> date | None:
    """Return the day on which a tube was drawn, as far as the sheet, or the subject's other tubes, say it."""
    if row.collected_at:
        return datetime.fromisoformat(row.collected_at).date()
    if row.day is None:
        return None
    infused = datetime.fromisoformat(row.infused_at).date() if row.infused_at else infused_on.get(row.subject_id)
    return infused and infused + timedelta(days=round(row.day))


def _infusions(rows: Sequence[SampleRow], acquired: Mapping[str, date]) -> dict[str | None, date]:
    """Return, by subject, the day of the infusion on which most tubes agree, each as if acquired when drawn.

    Tubes that were acquired on one day do not follow their days: they were kept. Nor do those that waited for one to
    four days, some of them: the others are not early.
    """
    tubes_of: dict[str, list[tuple[date, date]]] = defaultdict(list)
    for row in rows:
        if row.day is not None and row.sample_id in acquired and row.subject_id:
            on = acquired[row.sample_id]
            tubes_of[row.subject_id].append((on - timedelta(days=round(row.day)), on))
    infusions: dict[str | None, date] = {}
    for subject, tubes in tubes_of.items():
        middle = sorted(infused for infused, _ in tubes)[len(tubes) // 2]
        agreeing = [on for infused, on in tubes if abs((infused - middle).days) <= ZONES_DAYS]
        apart = (abs((infused - middle).days) for infused, _ in tubes)
        if any(ZONES_DAYS < days <= IRREGULAR_DAYS for days in apart):
            continue
        if len(set(agreeing)) >= FEWEST_AGREEING and 2 * len(agreeing) > len(tubes):
            infusions[subject] = middle
    return infusions
