"""Robust mean and standard deviation of many laboratories' results, and a laboratory's z (ISO 13528:2022, annex C)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from msgspec import Struct

from cytocar.statistics.estimate import Estimate
from cytocar.statistics.normal import mean_interval

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

FEWEST = 3
"""Below this there is no standard deviation that a single value does not make."""
_STEPS = 200
"""The algorithm settles within some ten steps, of few and far values in a hundred and more; this ends it."""


class Robust(Struct, frozen=True):
    """Algorithm A's mean x* with its interval, and standard deviation s*, of ``n`` results.

    ``uncertainty`` is ISO 13528's for the mean as assigned value: 1.25 s* / sqrt(n) (7.7.3).
    """

    n: int
    mean: Estimate
    sd: float

    @property
    def uncertainty(self) -> float:
        """Standard uncertainty of the mean by ISO 13528."""
        return 1.25 * self.sd / math.sqrt(self.n)

    def z(self, value: float) -> float | None:
        """How many standard deviations a result lies from the mean; None where nothing scatters."""
        return None if self.sd == 0 or self.mean.value is None else (value - self.mean.value) / self.sd


def algorithm_a(values: ArrayLike) -> Robust:
    """Return the robust mean and standard deviation: values beyond 1.5 s* are drawn in until nothing moves.

    Notes
    -----
    The interval of the mean is Huber's (Robust Statistics, 1981, section 6.8): the scatter of the values drawn in over
    the share that was not, with Student's t. ISO's uncertainty, made for the median, would hold the truth in 98 of 100.

    Examples
    --------
    >>> found = algorithm_a([301, 298, 310, 305, 290, 340, 302, 299, 250, 303])
    >>> round(found.mean.value, 6), round(found.sd, 6), round(found.z(340), 3)
    (301.0, 9.718524, 4.013)
    """
    import numpy as np

    x = np.sort(np.asarray(values, float))
    if len(x) < FEWEST:
        raise ValueError(f"{len(x)} results: {FEWEST} at least")
    mean = float(np.median(x))
    if x[0] == x[-1]:  # the mean of equal numbers is rounded, and what is left would be a standard deviation
        return Robust(len(x), Estimate(mean, mean, mean), 0.0)
    sd = 1.483 * float(np.median(np.abs(x - mean)))
    if sd == 0:
        sd = float(x.std(ddof=1))  # more than half agree exactly: ISO 13528 C.3.1, note 2
    for _ in range(_STEPS):
        drawn_in = np.clip(x, mean - 1.5 * sd, mean + 1.5 * sd)
        new_mean, new_sd = float(drawn_in.mean()), 1.134 * float(drawn_in.std(ddof=1))
        settled = math.isclose(new_mean, mean, rel_tol=1e-12) and math.isclose(new_sd, sd, rel_tol=1e-12)
        mean, sd = new_mean, new_sd
        if settled:
            break
    drawn_in = np.clip(x, mean - 1.5 * sd, mean + 1.5 * sd)
    inside = max(int((drawn_in == x).sum()), 1)
    spread = float(drawn_in.std(ddof=1)) * len(x) / inside
    return Robust(len(x), Estimate(*mean_interval(mean, spread, len(x), df=max(inside - 1, 1))), sd)
