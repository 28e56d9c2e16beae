"""Products and quotients of estimates that rest on different counts, with intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence

from cytocar.statistics.estimate import UNKNOWN, Estimate


def product_of(parts: Sequence[Estimate]) -> Estimate:
    """Return the product of independent estimates.

    Notes
    -----
    The distances of the limits, in logarithms, add in quadrature (MOVER; Zou, Donner 2008, Stat Med 27:1693). A part
    that is 0 makes the product 0, with the product of the upper limits above it.

    Examples
    --------
    >>> product_of([Estimate(0.5, 0.4, 0.6), Estimate(2.0, 2.0, 2.0)])
    Estimate(value=1.0, low=0.8..., high=1.2)
    """
    value = 1.0
    for part in parts:
        if part.value is None:
            return UNKNOWN
        value *= part.value
    lows, highs = [part.low for part in parts], [part.high for part in parts]
    if value == 0:
        return Estimate(0.0, 0.0, None if None in highs else math.prod(high or 0.0 for high in highs))
    return Estimate(value, _limit(value, parts, lows, -1), _limit(value, parts, highs, 1))


def quotient_of(above: Estimate, below: Estimate) -> Estimate:
    """Return the quotient of independent estimates; unknown where the lower one may be 0.

    Examples
    --------
    >>> quotient_of(Estimate(0.18, 0.18, 0.18), Estimate(0.139, 0.139, 0.139)).value
    1.294...
    """
    if not below.value or not below.low:
        return UNKNOWN
    inverse = Estimate(1 / below.value, None if below.high is None else 1 / below.high, 1 / below.low)
    return product_of([above, inverse])


def _limit(value: float, parts: Sequence[Estimate], limits: Sequence[float | None], side: int) -> float | None:
    distance = 0.0
    for part, limit in zip(parts, limits, strict=True):
        if limit is None:
            return None
        if limit <= 0 or part.value is None:
            return 0.0
        distance = math.hypot(distance, math.log(limit / part.value))
    return value * math.exp(side * distance)
