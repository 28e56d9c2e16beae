"""Whether a data-driven gate and its fixed fallback tell two different stories about the same events."""

from __future__ import annotations

import math

LARGEST_RELATIVE_DIFFERENCE = 0.30


def differs(kept: float, kept_by_fallback: float) -> bool:
    """Return whether two gates' events differ by more than 30 %, beyond what counting noise explains.

    The noise allowed for is 1.96 Poisson standard deviations of both counts.

    Examples
    --------
    >>> differs(1000, 1200), differs(1000, 2000), differs(4, 8)
    (False, True, False)
    """
    noise = 1.96 * math.sqrt(kept + kept_by_fallback)
    allowed = LARGEST_RELATIVE_DIFFERENCE * max(kept, kept_by_fallback)
    return abs(kept - kept_by_fallback) > allowed + noise
