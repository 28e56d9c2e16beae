"""Peak and area of simulated courses: how often their intervals hold the course's own.

A course is known as a function; its samples scatter about it by a quarter or less, and each is counted with an interval
that carries its counting and the method's 4.5 %. One half of the families was looked at while the rules were set
(``TUNED``), the other once (``ONCE``): another shape, other days.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from msgspec import Struct

from cytocar.kinetics import noncompartmental
from cytocar.kinetics.expansion_models import TYPICAL_CELLS, SteinCourse
from cytocar.statistics.estimate import Estimate
from cytocar.statistics.intervals import poisson_interval

HEAD = (
    "course, scatter",
    "courses",
    "peak: median/true",
    "holds the truth",
    "area to day 28: median/true",
    "holds the truth",
    "area, values below the limit counted",
    "width of peak, of area",
)
Floats = np.ndarray
METHOD_CV = 0.045
EXAMINED_UL = 25.0
LIMIT_EVENTS = 13


class Family(Struct, frozen=True):
    """Days of the samples, the scatter about the course (SD of ln), and who draws a course (its own peak and curve)."""

    name: str
    days: tuple[float, ...]
    scatter: float
    draw: Callable[[np.random.Generator], Callable[[Floats], Floats]]


def stein(random: np.random.Generator) -> Callable[[Floats], Floats]:
    """A course of Stein's model whose parameters vary about the published ones."""
    vary = np.exp(random.normal(0, [0.8, 0.25, 0.6, 0.4, 0.5, 0.6]))
    typical = TYPICAL_CELLS
    course = SteinCourse(
        cmax=typical.cmax * vary[0],
        tmax=typical.tmax * vary[1],
        fold=typical.fold * vary[2],
        alpha=typical.alpha * vary[3],
        beta=typical.beta * vary[4],
        fb=min(typical.fb * vary[5], 0.5),
    )
    return course.at


def rounded(random: np.random.Generator) -> Callable[[Floats], Floats]:
    """A course without a corner: growth that slows down, then two phases."""
    height, middle = 80 * math.exp(random.normal(0, 0.8)), random.uniform(7, 13)
    rise, fall, slow = random.uniform(0.7, 1.4), random.uniform(0.1, 0.3), random.uniform(0.005, 0.03)
    share = random.uniform(0.01, 0.1)

    def at(days: Floats) -> Floats:
        since = np.asarray(days, dtype=np.float64) - middle
        grown = 1 / (1 + np.exp(-rise * (since + 2)))
        later = np.maximum(since, 0)
        fast = (1 - share) * np.exp(-fall * later * later / (later + 2))
        return np.asarray(height * grown * (fast + share * np.exp(-slow * later)))

    return at


TUNED = (
    Family("corner, 12 days", (1, 3, 5, 7, 9, 11, 14, 17, 21, 28, 42, 56), 0.25, stein),
    Family("corner, 8 days", (3, 7, 10, 14, 21, 28, 56, 84), 0.25, stein),
    Family("corner, 8 days, little scatter", (3, 7, 10, 14, 21, 28, 56, 84), 0.08, stein),
    Family("corner, weekly", (7, 14, 21, 28, 56), 0.2, stein),
)
ONCE = (
    Family("round, 11 days", (0, 2, 4, 7, 10, 12, 15, 20, 28, 35, 60), 0.25, rounded),
    Family("round, 7 days", (4, 8, 11, 15, 22, 29, 60), 0.25, rounded),
    Family("round, 7 days, little scatter", (4, 8, 11, 15, 22, 29, 60), 0.08, rounded),
    Family("round, weekly", (7, 14, 21, 28, 56), 0.2, rounded),
)


def rows(courses: int, families: Sequence[Family] = ONCE) -> Iterator[tuple[str, ...]]:
    """Yield a line for each family."""
    for family in families:
        many = np.array([_trial(family, np.random.default_rng((91, number))) for number in range(courses)])
        peak, held, width, area, area_held, area_width, with_limits = many.T
        yield (
            f"{family.name}, {100 * family.scatter:.0f} %",
            str(courses),
            f"{np.nanmedian(peak):.3f}",
            f"{100 * np.nanmean(held):.1f} %",
            f"{np.nanmedian(area):.3f}",
            f"{100 * np.nanmean(area_held):.1f} %",
            f"{100 * np.nanmean(with_limits):.1f} %",
            f"{100 * np.nanmedian(width):.0f} %, {100 * np.nanmedian(area_width):.0f} %",
        )


def _trial(family: Family, random: np.random.Generator) -> tuple[float, ...]:
    course = family.draw(random)
    fine = np.linspace(0, 28, 2801)
    curve = course(fine)
    peak, area = float(curve.max()), float(np.trapezoid(curve, fine))
    days = np.array(family.days)
    sampled = course(days) * np.exp(random.normal(0, math.hypot(family.scatter, METHOD_CV), len(days)))
    events = random.poisson(sampled * EXAMINED_UL)
    intervals = [_interval(int(one)) for one in events]
    quantified = events >= LIMIT_EVENTS
    found = noncompartmental(
        list(days),
        [one / EXAMINED_UL for one in events],
        results=["quantified" if one else "not_detected" for one in quantified],
        intervals=intervals,
        limits=[None if one else LIMIT_EVENTS / EXAMINED_UL for one in quantified],
    )
    if found.cmax_per_ul is None or found.auc_0_28 is None:
        return (math.nan,) * 7
    limits = [
        (found.cmax_per_ul_low, found.cmax_per_ul_high),
        (found.auc_0_28_low, found.auc_0_28_high),
        (found.auc_0_28_censored_low, found.auc_0_28_censored_high),
    ]
    held = [
        (low or 0.0) <= true <= (high or math.inf) for (low, high), true in zip(limits, (peak, area, area), strict=True)
    ]
    widths = [(high or math.inf) - (low or 0.0) for low, high in limits]
    return (
        found.cmax_per_ul / peak,
        held[0],
        widths[0] / peak,
        found.auc_0_28 / area,
        held[1],
        widths[1] / area,
        held[2],
    )


def _interval(events: int) -> Estimate:
    """Return cells/µL with counting and the method's error."""
    counted = Estimate(float(events), *poisson_interval(events)).scaled(1 / EXAMINED_UL)
    return counted.widened(METHOD_CV)
