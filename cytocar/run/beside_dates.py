"""Whether a file can be the tube that its row describes, by the clock: nothing is acquired before it is drawn.

Rows that were exchanged in time, or files that were, leave a tube that looks as any other: its count is that of another
day. The date of the acquisition, which the cytometer writes, contradicts them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta

from cytocar.errors.findings import Finding, Severity
from cytocar.sheet.rows import SampleRow, SampleType

DATES_CHECK = "dates"

ZONES_DAYS = 1
"""Clocks of two places, and a date without a time of day, may lie a day apart."""

FEWEST_AGREEING = 3
"""Days of acquisition that put a subject's infusion on one day; two may do so by chance, where they were exchanged."""


def date_findings(rows: Sequence[SampleRow], acquired: Mapping[str, date]) -> Iterator[tuple[str, Finding]]:
    """Yield samples that were acquired before they were drawn, and baselines that were drawn after the infusion.

    Parameters
    ----------
    rows : sequence of SampleRow
        Of the run.
    acquired : mapping of str to date
        When each file was acquired, by sample_id; files whose date nothing reads for certain are left out, and so is
        the first of January, the date of files without names (``cytocar scrub``).

    Notes
    -----
    A tube is drawn on ``collected_at``; else on its ``day`` from ``infused_at``, or from the day on which three tubes
    of its subject, most of all, put the infusion: where blood is stained fresh, each was acquired on its day. What was
    frozen or fixed is acquired later, and never earlier. Where most dated tubes of a run, or of a subject, contradict
    their dates, the cytometer's clock is wrong or the dates were shifted, by subject as ``cytocar scrub`` does: then
    none is told.
    """
    for row in rows:
        if row.sample_type is SampleType.BASELINE and row.day is not None and row.day > 0:
            message = f"a baseline of day {row.day:g}: it was drawn after the infusion, and may hold CAR-T cells"
            yield row.sample_id, Finding(DATES_CHECK, "W263", Severity.REVIEW, message)
    known = {name: day for name, day in acquired.items() if (day.month, day.day) != (1, 1)}
    drawn = {row.sample_id: day for row in rows if row.sample_id in known and (day := _drawn(row, rows, known))}
    early = {name: (day - known[name]).days for name, day in drawn.items() if (day - known[name]).days > ZONES_DAYS}
    if 2 * len(early) > len(drawn):
        return
    subject_of = {row.sample_id: row.subject_id for row in rows}
    dated, contradicted = (Counter(subject_of[name] for name in names) for names in (drawn, early))
    for name, days in early.items():
        if dated[subject_of[name]] > 1 and 2 * contradicted[subject_of[name]] > dated[subject_of[name]]:
            continue
        message = f"acquired {days} days before the sheet has it drawn: the file, or the row's day, is another tube's"
        yield name, Finding(DATES_CHECK, "W264", Severity.REVIEW, message, float(days), float(ZONES_DAYS))


def _drawn(row: SampleRow, rows: Sequence[SampleRow], acquired: Mapping[str, date]) -> date | None:
    """Return the day on which a tube was drawn, as far as the sheet, or the subject's other tubes, say it."""
    if row.collected_at:
        return datetime.fromisoformat(row.collected_at).date()
    if row.day is None:
        return None
    infused = datetime.fromisoformat(row.infused_at).date() if row.infused_at else _infused(row, rows, acquired)
    return infused and infused + timedelta(days=round(row.day))


def _infused(row: SampleRow, rows: Sequence[SampleRow], acquired: Mapping[str, date]) -> date | None:
    """Return the day of the infusion on which most tubes of a subject agree, each as if acquired when drawn.

    Tubes that were acquired on one day do not follow their days: they were kept.
    """
    infusions = [
        (acquired[one.sample_id] - timedelta(days=round(one.day)), acquired[one.sample_id])
        for one in rows
        if one.day is not None and one.sample_id in acquired and row.subject_id and one.subject_id == row.subject_id
    ]
    if not infusions:
        return None
    middle = sorted(infused for infused, _ in infusions)[len(infusions) // 2]
    agreeing = [on for infused, on in infusions if abs((infused - middle).days) <= ZONES_DAYS]
    return middle if len(set(agreeing)) >= FEWEST_AGREEING and 2 * len(agreeing) > len(infusions) else None
