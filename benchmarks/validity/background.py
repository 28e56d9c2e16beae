"""The background shared over tubes: false positives, detection and coverage as runs and histories grow.

Counts are drawn from known truth with log-normal rates, which no part of the model assumes: half of the
variance is the subject's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
from msgspec import Struct

from benchmarks.validity.shapes import CarTube, Floats
from cytocar.counting.background import net_share
from cytocar.counting.blank_tubes import BlankTube, beyond_places
from cytocar.gates.decision import Background, BlankCount, ReferenceCount

HEAD = (
    "tube CV, T cells of the baseline",
    "other tubes",
    "tubes",
    "0 %: lower limit above 0",
    "0.1 %: detected",
    "0.1 %: coverage",
    "1 %: coverage",
    "1 %: net/true",
)
T_CELLS, RATE = 30_000, 1e-3


class Laboratory(Struct, frozen=True):
    """How rates vary: between tubes of different subjects, half of it the subject's own."""

    cv: float

    def factor(self, random: np.random.Generator, n: int | None = None) -> Floats:
        """Return factors of half the variance, with a mean of 1."""
        variance = np.log1p(self.cv**2) / 2
        return np.exp(random.normal(-variance / 2, np.sqrt(variance), n))


def rows(tubes: int) -> Iterator[tuple[str, ...]]:
    """Yield a line for each laboratory, baseline and number of other tubes."""
    for cv in (0.25, 0.5, 1.0):
        for own in (15_000, 500, 0):
            for others in (0, 3, 10, 50):
                if own or others:
                    trial = partial(_trial, Laboratory(cv), own, others)
                    yield f"{cv:g}, {own}", f"{others}", str(tubes), *_cells(trial, tubes)


def _cells(trial: partial[tuple[bool, bool, float]], tubes: int) -> Iterator[str]:
    blank, few, many = (
        np.array([trial(share, np.random.default_rng((15, number, round(1e4 * share)))) for number in range(tubes)])
        for share in (0.0, 0.001, 0.01)
    )
    yield f"{100 * blank[:, 0].mean():.1f} %"
    yield f"{100 * few[:, 0].mean():.0f} %"
    yield f"{100 * few[:, 1].mean():.1f} %"
    yield f"{100 * many[:, 1].mean():.1f} %"
    yield f"{np.median(many[:, 2]):.3f}"


def _trial(
    laboratory: Laboratory, own: int, others: int, share: float, random: np.random.Generator
) -> tuple[bool, bool, float]:
    """Return whether the lower limit is above 0, whether the interval holds the truth, and net over true."""
    factor = partial(laboratory.factor, random)
    subject = RATE * float(factor())
    parts = (ReferenceCount(True, own, (int(random.poisson(own * subject * factor())),)),) if own else ()
    rates = RATE * factor(others) * factor(others)
    told = tuple(BlankCount(int(random.poisson(15_000 * rate)), 15_000) for rate in rates)
    here = share + (1 - share) * subject * float(factor())
    events = sum(sum(part.events) for part in parts)
    background = Background(events, own or 1, (), between_cv=None, parts=parts, others=told)
    net = net_share(int(random.poisson(T_CELLS * here)), T_CELLS, background, assumed_percent=0.05, seed=1).net
    low, high, value = net.low or 0.0, net.high or 0.0, net.value or 0.0
    return low > 0, low <= 100 * share <= high, value / (100 * share) if share else 0.0


PLACES_HEAD = ("negatives", "place, spreads", "tubes", "expected count / counted", "its CV beyond Poisson")


def place_rows(tubes: int) -> Iterator[tuple[str, ...]]:
    """Yield how well a tube's kept places tell its count above a threshold that was not among them."""
    for negatives in ("normal", "two kinds", "long tail", "lopsided"):
        for place in (3.3, 5.5, 9.0, 17.0):
            expected, counted = [], []
            for number in range(tubes):
                random = np.random.default_rng((21, number))
                gain = float(np.exp(random.normal(0, 0.2)))
                values = np.sort(CarTube(negatives=negatives, gain=gain, sticky_percent=0.1).draw(random)[0])
                tube = BlankTube("B", "", "baseline", "", "", "", len(values), beyond_places(values))
                low, middle, high = np.quantile(values, [0.159, 0.5, 0.841])
                expected.append(tube.beyond(place) or 0.0)
                counted.append(len(values) - np.searchsorted(values, middle + place * (high - low) / 2))
            ratio = np.array(expected) / np.maximum(counted, 0.5)
            yield negatives, f"{place:g}", str(tubes), f"{np.median(ratio):.3f}", f"{ratio.std():.3f}"
