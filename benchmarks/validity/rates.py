"""Half-life and doubling time of simulated courses: how often they are given, and their intervals hold the truth.

A course rises and falls exponentially, with a corner at its peak; its samples scatter about it. The days of ``TUNED``
were looked at while the rules were set, those of ``ONCE`` once. Courses that neither rise nor fall have neither time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from cytocar.kinetics import noncompartmental

HEAD = (
    "days, scatter",
    "courses",
    "half-life given",
    "holds the truth",
    "RMSE of ln",
    "doubling time given",
    "holds the truth",
    "RMSE of ln",
    "flat noise: half-life, doubling time",
)
TUNED: Mapping[str, tuple[float, ...]] = {
    "13 days to 90": (0, 2, 4, 7, 9, 11, 14, 18, 21, 28, 42, 60, 90),
    "9 days to 90": (1, 3, 7, 10, 14, 21, 28, 60, 90),
    "10 days to 35": (0, 7, 9, 11, 14, 17, 21, 24, 28, 35),
    "6 days to 60": (0, 4, 7, 14, 28, 60),
}
ONCE: Mapping[str, tuple[float, ...]] = {
    "11 days to 30": (1, 2, 3, 5, 7, 10, 12, 15, 20, 25, 30),
    "7 days to 45": (3, 6, 9, 13, 20, 29, 45),
    "9 days to 58": (0, 5, 8, 12, 16, 23, 30, 37, 58),
}
SCATTERS = (0.1, 0.25, 0.45)
HALF_LIVES, DOUBLINGS = (4.0, 10.0, 30.0), (0.75, 1.5)
PEAK_PER_UL, PEAK_DAY = 800.0, 9.2


def rows(courses: int, families: Mapping[str, Sequence[float]]) -> Iterator[tuple[str, ...]]:
    """Yield a line for each family and scatter."""
    for name, days in families.items():
        for scatter in SCATTERS:
            random = np.random.default_rng((17, len(days), round(100 * scatter)))
            known = [_known(np.array(days, dtype=np.float64), scatter, number, random) for number in range(courses)]
            halves, doubles = zip(*known, strict=True)
            flat = [_flat(days, scatter, random) for _ in range(courses)]
            noise = 100 * np.mean(flat, axis=0)
            yield (
                f"{name}, {100 * scatter:.0f} %",
                str(courses),
                *_cells(halves),
                *_cells(doubles),
                f"{noise[0]:.1f} %, {noise[1]:.1f} %",
            )


def _known(
    days: np.ndarray, scatter: float, number: int, random: np.random.Generator
) -> tuple[tuple[bool, bool, float], tuple[bool, bool, float]]:
    half, double = HALF_LIVES[number % len(HALF_LIVES)], DOUBLINGS[number % len(DOUBLINGS)]
    logs = np.where(days < PEAK_DAY, (days - PEAK_DAY) / double, (PEAK_DAY - days) / half) * math.log(2)
    course = noncompartmental(
        days.tolist(), (PEAK_PER_UL * np.exp(logs + random.normal(0, scatter, len(days)))).tolist()
    )
    return (
        _held(course.half_life_days, course.half_life_days_low, course.half_life_days_high, half),
        _held(course.doubling_time_days, course.doubling_time_days_low, course.doubling_time_days_high, double),
    )


def _held(value: float | None, low: float | None, high: float | None, true: float) -> tuple[bool, bool, float]:
    if value is None:
        return False, False, math.nan
    return True, (low or 0.0) <= true <= (high or math.inf), math.log(value / true)


def _flat(days: Sequence[float], scatter: float, random: np.random.Generator) -> tuple[bool, bool]:
    course = noncompartmental(list(days), (50 * np.exp(random.normal(0, scatter, len(days)))).tolist())
    return course.half_life_days is not None, course.doubling_time_days is not None


def _cells(known: Sequence[tuple[bool, bool, float]]) -> tuple[str, str, str]:
    given, held, error = np.array(known, dtype=np.float64).T
    if not given.any():
        return f"{0.0:.0f} %", "", ""
    of_given = 100 * held.sum() / given.sum()
    return f"{100 * given.mean():.0f} %", f"{of_given:.1f} %", f"{math.sqrt(float(np.nanmean(error**2))):.2f}"
