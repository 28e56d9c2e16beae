"""CD4/CD8 of the CAR-T cells net of background: what each kind's own negatives put into the gate is taken off."""

from __future__ import annotations

import numpy as np
from msgspec import Struct

from cytocar.counting.background import DRAWS
from cytocar.counting.blank_rates import learned_rates, lognormal_sd
from cytocar.gates.decision import Background
from cytocar.statistics.estimate import LEVEL, UNKNOWN, Estimate

FEWEST_CONTROL_EVENTS = 500
"""T cells of a kind in the controls: fewer do not tell how many of its negatives lie in the gate."""


class KindCount(Struct, frozen=True):
    """CD4+ or CD8+ T cells of a sample: in the CAR gate, and all."""

    events: int
    of_events: int


def net_ratio(cd4: KindCount, cd8: KindCount, background: Background | None, *, seed: int) -> Estimate:
    """Return CD4/CD8 of the CAR+ T cells without the negatives that lie in the gate; unknown without controls by kind.

    Both kinds are taken to be as bright, so that the share below the threshold is no part of the ratio. The interval
    carries counting in sample and controls and the background's change from tube to tube, which both kinds share. A
    ratio to nothing has no value and no upper limit.

    Examples
    --------
    >>> told = Background(30, 60_000, ("B",), kinds=((6, 36_000), (24, 22_000)))
    >>> ratio = net_ratio(KindCount(120, 15_000), KindCount(60, 14_000), told, seed=1)
    >>> round(ratio.value, 2), ratio.low < 2.6 < ratio.high
    (2.64, True)
    """
    if background is None or len(background.kinds) != 2:
        return UNKNOWN
    if min(of_events for _, of_events in background.kinds) < FEWEST_CONTROL_EVENTS:
        return UNKNOWN
    random = np.random.default_rng(seed)
    cv = background.between_cv if background.between_cv is not None else learned_rates(background).cv
    moved = np.exp(random.normal(0, lognormal_sd(cv), DRAWS))
    points, draws = [], []
    for count, (events, of_events) in zip((cd4, cd8), background.kinds, strict=True):
        rate = (events + 0.5) / (of_events + 1)
        points.append(max(count.events - (count.of_events - count.events) * rate, 0.0))
        rates = random.beta(events + 0.5, of_events - events + 0.5, DRAWS) * moved
        drawn = random.gamma(count.events + 0.5, size=DRAWS) - (count.of_events - count.events) * rates
        draws.append(np.maximum(drawn, 0.0))
    if not any(points):
        return UNKNOWN
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.nan_to_num(draws[0] / draws[1], posinf=np.inf)
    low, high = (float(np.quantile(ratios, place, method="nearest")) for place in ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    if not points[1]:
        return Estimate(None, low, None)
    value = points[0] / points[1]
    return Estimate(value, min(low, value), max(high, value) if np.isfinite(high) else None)
