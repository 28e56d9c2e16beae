"""What the text of one cell spells: numbers, choices, moments, yes or no.

Each reader takes the text, and whether a comma in a number is a decimal one, and raises ``ValueError`` in words.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

from cytocar.errors.near_names import did_you_mean
from cytocar.tables.delimited import two_readings

_Enum = TypeVar("_Enum", bound=StrEnum)
Parser = Callable[[str, bool], Any]

_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")


def text(value: str, _comma: bool) -> str:
    """Return the text as it is."""
    return value


def number(value: str, decimal_comma: bool) -> float:
    """Return the number that a cell spells.

    A comma is a decimal one beside ``;`` only, and there 20.000 and 20,000 may each be twenty or twenty thousand.
    """
    readings = two_readings(value) if decimal_comma or "," in value else None
    if readings:
        raise ValueError(f"{value!r} may be {' or '.join(readings)}: write one of these")
    plain = value.replace(",", ".") if value.count(",") == 1 else value
    if not decimal_comma and _DECIMAL_COMMA.fullmatch(value):
        raise ValueError(f"{value!r} is written with a decimal comma: write {plain}")
    try:
        spelt = float(plain if decimal_comma else value)
    except ValueError:
        raise ValueError(f"{value!r} is not a number") from None
    if not math.isfinite(spelt):
        raise ValueError(f"{value!r} is not a finite number")
    return spelt


def positive(value: str, decimal_comma: bool) -> float:
    """Return a number above 0."""
    spelt = number(value, decimal_comma)
    if spelt <= 0:
        raise ValueError(f"{value!r} must be above 0")
    return spelt


def not_negative(value: str, decimal_comma: bool) -> float:
    """Return a number that is 0 or more."""
    spelt = number(value, decimal_comma)
    if spelt < 0:
        raise ValueError(f"{value!r} must not be below 0")
    return spelt


def choice(kind: type[_Enum]) -> Parser:
    """Return the reader of one word of a vocabulary; case, blanks and hyphens make no difference."""

    def parse(value: str, _comma: bool) -> _Enum:
        word = value.lower().replace(" ", "_").replace("-", "_")
        try:
            return kind(word)
        except ValueError:
            raise ValueError(f"{value!r} is none of {', '.join(kind)}{did_you_mean(word, kind)}") from None

    return parse


def flag(value: str, _comma: bool) -> bool:
    """Return what yes or no means."""
    word = value.lower()
    if word in {"yes", "true", "1", "x"}:
        return True
    if word in {"no", "false", "0"}:
        return False
    raise ValueError(f"{value!r} is neither yes nor no")


def moment(value: str, _comma: bool) -> str:
    """Return a date or time in ISO 8601, in which it is written, or with dots, day first.

    Dots are read in one way everywhere; 03/04/2026 is another day on either side of the Atlantic.

    >>> moment("2026-03-09T14:30", False), moment("9.3.2026", False), moment("09.03.2026 14:30", False)
    ('2026-03-09T14:30', '2026-03-09', '2026-03-09T14:30')
    """
    dotted = re.fullmatch(r"(\d{1,2})\.(\d{1,2})\.(\d{4})(?:[ T](\d{2}:\d{2}(?::\d{2})?))?", value)
    if dotted:
        day, month, year, time = dotted.groups()
        value = f"{year}-{int(month):02}-{int(day):02}" + (f"T{time}" if time else "")
    try:
        datetime.fromisoformat(value)
    except ValueError:
        raise ValueError(f"{value!r} is no ISO 8601 date or time (2026-03-09 or 2026-03-09T14:30)") from None
    return value
