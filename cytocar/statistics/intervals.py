"""Exact intervals of counted events.

An event count is a draw: of cells from blood (Poisson), of positive cells among those looked at (binomial). Everything
here is exact or of known coverage, and nothing here knows of tubes, beads or templates (see ``counting``).

Unknown is ``None``: the share of an empty parent, the ratio to nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

from msgspec import Struct

from cytocar.statistics.estimate import LEVEL, UNKNOWN, Estimate, _z


def poisson_interval(x: int, level: float = LEVEL) -> tuple[float, float]:
    """Return the exact interval of a Poisson mean from one count (Garwood 1936, Biometrika 28:437).

    Notes
    -----
    ``chi2(.025; 2x) / 2`` to ``chi2(.975; 2x + 2) / 2``, computed as quantiles of the gamma distribution.

    Examples
    --------
    >>> [round(limit, 2) for limit in poisson_interval(22)]
    [13.79, 33.31]
    >>> poisson_interval(0)[0]
    0.0
    """
    from scipy.special import gammaincinv

    _require_counts(x, None)
    tail = (1 - level) / 2
    low = float(gammaincinv(x, tail)) if x else 0.0
    return low, float(gammaincinv(x + 1, 1 - tail))


def clopper_pearson(x: int, n: int, level: float = LEVEL) -> tuple[float, float]:
    """Return the exact interval of a share x/n, as fractions (Clopper and Pearson 1934, Biometrika 26:404).

    Of nothing nothing is known: n = 0 gives (0, 1).

    Examples
    --------
    >>> [round(100 * limit, 6) for limit in clopper_pearson(20, 20_000)]
    [0.061093, 0.1544]
    """
    from scipy.special import betaincinv

    _require_counts(x, n)
    tail = (1 - level) / 2
    low = float(betaincinv(x, n - x + 1, tail)) if x else 0.0
    high = float(betaincinv(x + 1, n - x, 1 - tail)) if x < n else 1.0
    return low, high


def wilson(x: int, n: int, level: float = LEVEL) -> tuple[float, float]:
    """Return the score interval of a share x/n, as fractions (Wilson 1927, JASA 22:209).

    Nearer to the nominal coverage than the exact interval, which is never below it: for display.

    Examples
    --------
    >>> [round(100 * limit, 6) for limit in wilson(20, 20_000)]
    [0.064747, 0.154419]
    """
    _require_counts(x, n)
    if n == 0:
        return 0.0, 1.0
    z = _z(level)
    share = x / n
    centre = share + z * z / (2 * n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    low = 0.0 if x == 0 else (centre - half) / scale
    high = 1.0 if x == n else (centre + half) / scale
    return low, high


IntervalMethod = Literal["wilson", "exact"]
_INTERVALS: dict[IntervalMethod, Callable[[int, int, float], tuple[float, float]]] = {
    "wilson": wilson,
    "exact": clopper_pearson,
}


class Share(Struct, frozen=True):
    """Some events of a parent population, as a percentage that knows its denominator.

    Examples
    --------
    >>> Share(events=20, of=20_000).percent
    0.1
    >>> Share(events=0, of=0).percent is None
    True
    """

    events: int
    of: int

    def __post_init__(self) -> None:
        _require_counts(self.events, self.of)

    @property
    def percent(self) -> float | None:
        """Percent of the parent, 0-100; ``None`` when the parent is empty."""
        return None if self.of == 0 else 100 * self.events / self.of

    def interval(self, method: IntervalMethod = "wilson", level: float = LEVEL) -> tuple[float, float] | None:
        """Return the limits of the percentage, 0-100; ``None`` when the parent is empty."""
        if self.of == 0:
            return None
        low, high = _INTERVALS[method](self.events, self.of, level)
        return 100 * low, 100 * high

    def estimate(self, method: IntervalMethod = "wilson", level: float = LEVEL) -> Estimate:
        """Return the percentage with its limits; all unknown when the parent is empty."""
        limits = self.interval(method, level)
        return UNKNOWN if limits is None else Estimate(self.percent, *limits)


def ratio_estimate(a: int, b: int, level: float = LEVEL) -> Estimate:
    """Return the ratio of two counts of one acquisition, such as CD4/CD8 or cells/beads, with its exact interval.

    Given ``a + b``, ``a`` is binomial: the Clopper-Pearson limits p of ``a/(a + b)`` become ``p/(1 - p)``.
    A ratio to nothing has no value and no upper limit.

    Examples
    --------
    >>> ratio = ratio_estimate(320, 680)
    >>> round(ratio.value, 4), round(ratio.low, 4), round(ratio.high, 4)
    (0.4706, 0.4107, 0.5382)
    >>> ratio_estimate(12, 0)
    Estimate(value=None, low=2.77..., high=None)
    """
    if a == 0 and b == 0:
        return UNKNOWN
    low, high = clopper_pearson(a, a + b, level)
    return Estimate(
        value=a / b if b else None,
        low=low / (1 - low),
        high=high / (1 - high) if b else None,
    )


def newcombe_difference(x1: int, n1: int, x2: int, n2: int, level: float = LEVEL) -> Estimate:
    """Return ``x1/n1 - x2/n2`` as a fraction, with Newcombe's hybrid score interval.

    Newcombe 1998, Statistics in Medicine 17:873, method 10. Unknown when either parent is empty.

    Examples
    --------
    >>> difference = newcombe_difference(56, 70, 48, 80)
    >>> round(difference.value, 4), round(difference.low, 4), round(difference.high, 4)
    (0.2, 0.0524, 0.3339)
    """
    _require_counts(x1, n1)
    _require_counts(x2, n2)
    if n1 == 0 or n2 == 0:
        return UNKNOWN
    first, second = x1 / n1, x2 / n2
    first_low, first_high = wilson(x1, n1, level)
    second_low, second_high = wilson(x2, n2, level)
    difference = first - second
    return Estimate(
        value=difference,
        low=difference - math.hypot(first - first_low, second_high - second),
        high=difference + math.hypot(first_high - first, second - second_low),
    )


def net_percent(sample: Share, background: Share, level: float = LEVEL) -> Estimate:
    """Return the sample's percentage above its background's, in percent of the parent.

    The interval is Newcombe's and may begin below 0; the value may not: less than the background is 0.

    Examples
    --------
    >>> net_percent(Share(5, 10_000), Share(20, 10_000)).value
    0.0
    """
    difference = newcombe_difference(sample.events, sample.of, background.events, background.of, level).scaled(100)
    if difference.value is None or difference.high is None:
        return UNKNOWN
    return Estimate(max(difference.value, 0.0), difference.low, max(difference.high, 0.0))


def _require_counts(x: int, n: int | None) -> None:
    if x < 0 or (n is not None and n < x):
        of = "" if n is None else f" of {n}"
        raise ValueError(f"not a count: {x}{of}")
