"""Limits of blank and of detection of counts, and the events that a claim needs."""

from __future__ import annotations

import math

from cytocar.statistics.estimate import LEVEL


def limit_of_blank(background_events: float) -> int:
    """Return the largest count that background alone explains: smallest k with P(X <= k | background) >= 0.95.

    Currie 1968, Anal Chem 40:586, with exact Poisson probabilities in place of the normal approximation.

    Examples
    --------
    >>> [limit_of_blank(background) for background in (0, 1, 5, 13)]
    [0, 3, 9, 19]
    """
    from scipy.special import pdtr

    if not (math.isfinite(background_events) and background_events >= 0):
        raise ValueError(f"background_events must be 0 or more, got {background_events}")
    # The 95th percentile lies above the mean only from about 0.05 events on, and never below floor(mean) - 1.
    blank = max(math.floor(background_events) - 1, 0)
    while pdtr(blank, background_events) < LEVEL:
        blank += 1
    return blank


def limit_of_detection(background_events: float) -> float:
    """Return the mean count, background included, that exceeds the limit of blank in 95 % of samples.

    Notes
    -----
    The mean m with ``P(X > LoB | m) = 0.95``: the 95th percentile of a gamma distribution of shape ``LoB + 1``.

    Examples
    --------
    >>> [round(limit_of_detection(background), 2) for background in (0, 1, 5, 13)]
    [3.0, 7.75, 15.71, 27.88]
    """
    from scipy.special import gammaincinv

    return float(gammaincinv(limit_of_blank(background_events) + 1, LEVEL))


def events_needed(percent: float, events: int) -> int:
    """How many parent events must be acquired for a claim of ``percent`` that rests on ``events`` positives.

    Examples
    --------
    >>> [events_needed(0.1, events) for events in (13, 22, 50)]
    [13000, 22000, 50000]
    """
    if not (math.isfinite(percent) and 0 < percent <= 100):
        raise ValueError(f"percent must be above 0 and at most 100, got {percent}")
    # Rounded first: 0.07 % is no exact binary number, and one event too many would be asked for.
    return math.ceil(round(100 * events / percent, 6))


def claim_supported(parent_events: int, percent: float = 0.1, events: int = 13) -> bool:
    """True if enough parent events were acquired to claim ``percent`` of them on ``events`` positives.

    Examples
    --------
    >>> claim_supported(12_999), claim_supported(13_000), claim_supported(13_000, events=22)
    (False, True, False)
    """
    return parent_events >= events_needed(percent, events)
