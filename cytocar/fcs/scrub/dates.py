"""Dates of a TEXT segment rewritten in as many characters: cut to the year, or shifted by whole days."""

from __future__ import annotations

import re
from datetime import date, timedelta
from enum import StrEnum


class Dates(StrEnum):
    """What scrubbing does to dates."""

    KEEP = "keep"
    YEAR = "year"
    SHIFT = "shift"


MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")

_TIME = r"((?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:?\d{2})?)?)"
"""What may follow a date: a time of day (ISO 8601), and nothing else."""

_DAY_FIRST = re.compile(r"(\d{1,2})([-/ .])([A-Za-z]{3})\2(\d{4}|\d{2})" + _TIME)
_YEAR_FIRST = re.compile(r"(\d{4})([-/ .]?)(\d{2}|[A-Za-z]{3})\2(\d{2})" + _TIME)


def rewrite_date(text: str, *, dates: Dates, shift_days: int = 0) -> str | None:
    """Return a date in the same spelling and length, or None where no rule reads it for certain.

    What follows the date (the time in ``$BEGINDATETIME``) is kept.

    Examples
    --------
    >>> rewrite_date("02-SEP-2009", dates=Dates.YEAR), rewrite_date("2013-Jul-19", dates=Dates.YEAR)
    ('01-JAN-2009', '2013-Jan-01')
    >>> rewrite_date("31-Dec-13", dates=Dates.SHIFT, shift_days=3), rewrite_date("03/04/2021", dates=Dates.YEAR)
    ('03-Jan-14', None)
    >>> rewrite_date("2024-05-01T09:00:00Z", dates=Dates.SHIFT, shift_days=-1)
    '2024-04-30T09:00:00Z'
    """
    inner = text.strip()
    if match := _DAY_FIRST.fullmatch(inner):
        day, mark, month, year, rest = match.groups()
    elif match := _YEAR_FIRST.fullmatch(inner):
        year, mark, month, day, rest = match.groups()
    else:
        return None
    if dates is Dates.KEEP:
        return text
    moved = _moved(year, month, day, shift_days if dates is Dates.SHIFT else None)
    if moved is None:
        return None
    new_year = f"{moved.year:04d}"[-len(year) :]
    new_month = f"{moved.month:02d}" if month.isdecimal() else _like(MONTHS[moved.month - 1], month)
    new_day = str(moved.day).zfill(len(day))
    parts = (new_day, new_month, new_year) if match.re is _DAY_FIRST else (new_year, new_month, new_day)
    written = text.replace(inner, mark.join(parts) + rest)
    return written if len(written) == len(text) else None


def _moved(year: str, month: str, day: str, shift_days: int | None) -> date | None:
    number = int(month) if month.isdecimal() else _month(month)
    full_year = int(year) + (0 if len(year) == 4 else 1900 if int(year) >= 70 else 2000)
    if number is None:
        return None
    try:
        read = date(full_year, number, int(day))
        return date(full_year, 1, 1) if shift_days is None else read + timedelta(days=shift_days)
    except (ValueError, OverflowError):
        return None


def _month(name: str) -> int | None:
    return MONTHS.index(name.upper()) + 1 if name.upper() in MONTHS else None


def _like(name: str, model: str) -> str:
    """Return a month's name in the case of another."""
    return name if model.isupper() else name.lower() if model.islower() else name.capitalize()
