"""What was noticed about a sample without stopping it: repairs, warnings, checks that failed."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Severity(StrEnum):
    """What a finding does to its sample, mildest first; the worst one decides the sample's status."""

    PASS = "pass"  # noqa: S105 -- the outcome of a check, not a password
    NOTE = "note"
    REVIEW = "review"
    NO_COUNT = "no_count"
    FAIL = "fail"


class Finding(Struct, frozen=True):
    """One row of ``quality.csv``.

    Parameters
    ----------
    check : str
        What was looked at: ``read``, ``viability_percent``, ``beads``, ``time``, or a population's name.
    code : str
        ``W`` and three digits, a key of ``codes.toml``; empty for a check that passed.
    outcome : Severity
        What it does to the sample.
    message : str
        What was found, with the value, for people.
    value, limit : float, optional
        The number that was checked and what it was checked against, where there is one.
    hint : str
        What to do about it, where the code's own fix does not say enough.
    """

    check: str
    code: str
    outcome: Severity
    message: str
    value: float | None = None
    limit: float | None = None
    hint: str = ""
