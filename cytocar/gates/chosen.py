"""Evenly chosen events of a file: how many, and how they become one block."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cytocar.fcs.events import Block

EVENTS = 25_000
"""Looked at: a share of 1 % is known to a sixteenth of itself, and a million events cost no more than these."""


def step_of(n_events: int, limit: int = EVENTS) -> int:
    """Which so-manieth event to choose, so that ``limit`` to twice as many are.

    Examples
    --------
    >>> step_of(1_000_000), step_of(40_000)
    (40, 1)
    """
    return max(1, n_events // limit)


def joined(parts: Sequence[Block]) -> Block | None:
    """Return blocks of one file as one; None of none."""
    return Block(np.concatenate([part.raw for part in parts]), parts[0].codecs) if parts else None
