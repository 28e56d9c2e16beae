"""An estimate with its interval; absent where there is nothing to estimate from."""

from __future__ import annotations

import math
from collections.abc import Iterable
from statistics import NormalDist
from typing import Literal

from msgspec import Struct

LEVEL = 0.95
"""Confidence level of every two-sided interval in the output tables."""


class Estimate(Struct, frozen=True):
    """A number with its interval; each part is ``None`` where the data say nothing about it."""

    value: float | None
    low: float | None
    high: float | None

    def scaled(self, factor: float) -> Estimate:
        """Return the same estimate in another unit: all three numbers times a positive ``factor``.

        Examples
        --------
        >>> Estimate(2.0, 1.0, None).scaled(10)
        Estimate(value=20.0, low=10.0, high=None)
        """
        return Estimate(*(None if part is None else part * factor for part in (self.value, self.low, self.high)))

    def with_limits_of(self, other: Estimate) -> Estimate:
        """Return the estimate with limits that hold those of another one too, where both have limits.

        Examples
        --------
        >>> Estimate(10, 9, 11).with_limits_of(Estimate(10.5, 8, 10.9))
        Estimate(value=10, low=8, high=11)
        """
        if self.low is None or self.high is None or other.low is None or other.high is None:
            return self
        return Estimate(self.value, min(self.low, other.low), max(self.high, other.high))

    def widened(self, cv: float, level: float = LEVEL) -> Estimate:
        """Return the estimate with an interval that also carries a systematic error, added on the log scale.

        Parameters
        ----------
        cv : float
            Coefficient of variation of a lognormal factor of mean error (0.05 is 5 %): bead lot, pipette, analyser.

        Notes
        -----
        The distance of each limit from the value, in logarithms, and ``z * sqrt(ln(1 + cv^2))`` add in quadrature.
        A value of 0 has no logarithm: its upper limit takes the whole factor, its lower limit stays 0.

        Examples
        --------
        >>> Estimate(100.0, 100.0, 100.0).widened(0.05)
        Estimate(value=100.0, low=90.67..., high=110.2...)
        >>> Estimate(0.0, 0.0, 3.689).widened(0.0)
        Estimate(value=0.0, low=0.0, high=3.689)
        """
        if cv == 0:
            return self
        systematic = _z(level) * math.sqrt(math.log1p(cv * cv))
        return Estimate(self.value, self._moved(self.low, systematic, -1), self._moved(self.high, systematic, +1))

    def _moved(self, limit: float | None, systematic: float, direction: Literal[-1, 1]) -> float | None:
        if limit is None or limit == 0:
            return limit
        if not self.value:
            return limit * math.exp(direction * systematic)
        return self.value * math.exp(direction * math.hypot(math.log(limit / self.value), systematic))


def expanded(value: float, cvs: Iterable[float], *, coverage: float = 2.0) -> Estimate:
    """Return a value with its expanded uncertainty U = coverage x the components' root sum of squares (GUM).

    Examples
    --------
    >>> expanded(350.0, [0.0955])
    Estimate(value=350.0, low=283.15, high=416.85)
    """
    half = coverage * math.hypot(*cvs) * value
    return Estimate(value, round(value - half, 9), round(value + half, 9))


UNKNOWN = Estimate(None, None, None)
"""The estimate of what was not, or could not be, measured."""


def _z(level: float) -> float:
    return NormalDist().inv_cdf((1 + level) / 2)
