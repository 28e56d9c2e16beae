"""What verifying a run folder finds: a verdict, a place and a message."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct


class Verdict(StrEnum):
    """What became of one thing that was looked at."""

    OK = "ok"
    NOTE = "note"
    UNFINISHED = "unfinished"
    CHANGED = "changed"


class Check(Struct, frozen=True):
    """One thing that was looked at: where, and what was found."""

    verdict: Verdict
    place: str
    message: str


MOST_NAMED = 10
"""Samples that a line names: as many as it holds; counts.csv has all."""


def first_of(sample_ids: Sequence[str]) -> str:
    """Return the first of some samples by name.

    >>> first_of([f"D{day}" for day in range(12)])
    'D0, D1, D2, D3, D4, D5, D6, D7, D8, D9 ...'
    """
    return ", ".join(sample_ids[:MOST_NAMED]) + (" ..." if len(sample_ids) > MOST_NAMED else "")


def ok(place: str, message: str) -> Check:
    """Return a check with the verdict ``ok``."""
    return Check(Verdict.OK, place, message)


def note(place: str, message: str) -> Check:
    """Return a check with the verdict ``note``."""
    return Check(Verdict.NOTE, place, message)


def unfinished(place: str, message: str) -> Check:
    """Return a check with the verdict ``unfinished``."""
    return Check(Verdict.UNFINISHED, place, message)


def changed(place: str, message: str) -> Check:
    """Return a check with the verdict ``changed``."""
    return Check(Verdict.CHANGED, place, message)
