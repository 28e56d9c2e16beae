"""Many courses side by side: the median and the quartiles at each visit, and of the peaks.

A sample below the limit is smaller than any that is quantified, and nothing more is known of it: medians and quartiles
are taken of ranks, and are ``None`` where they fall on such a sample.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from msgspec import Struct

from cytocar.counting.limits import CarResult
from cytocar.course.series import Course, CoursePoint
from cytocar.kinetics.parameters import Kinetics

FEWEST_SUBJECTS = 3
"""Visits with fewer subjects have no median."""
_DAYS_PER_MONTH = 30.4375
"""365.25 / 12."""
_IN_DAYS_UNTIL = 45.0
"""Visits up to here are planned by days, later ones by months: it decides which draws share a visit."""


class Visit(Struct, frozen=True):
    """The subjects of one visit: how many, how many of them quantified, and the middle of them in cells/µL."""

    day: float
    n_subjects: int
    n_quantified: int
    median: float | None
    lower_quartile: float | None
    upper_quartile: float | None


class Spread(Struct, frozen=True):
    """Median, quartiles and range of one number of the kinetics over the subjects that have it."""

    name: str
    n_subjects: int
    median: float
    lower_quartile: float
    upper_quartile: float
    minimum: float
    maximum: float


def visits(courses: Sequence[Course]) -> Iterator[Visit]:
    """Yield the visits with enough subjects: days rounded to whole days, after six weeks to whole months."""
    by_visit: dict[float, dict[str, CoursePoint]] = {}
    for course in courses:
        for point in course.points:
            if point.car_result is not CarResult.NOT_EVALUABLE:
                by_visit.setdefault(_nominal_day(point.day), {})[course.subject_id] = point
    for day, points in sorted(by_visit.items()):
        if len(points) < FEWEST_SUBJECTS:
            continue
        values = sorted(
            (point.car_per_ul.value or -math.inf) if point.quantified else -math.inf for point in points.values()
        )
        lower, median, upper = (_known(quantile(values, share)) for share in (0.25, 0.5, 0.75))
        yield Visit(
            day=day,
            n_subjects=len(values),
            n_quantified=sum(value > -math.inf for value in values),
            median=median,
            lower_quartile=lower,
            upper_quartile=upper,
        )


def spreads(kinetics: Sequence[Kinetics]) -> Iterator[Spread]:
    """Yield the spread of peak, its day, exposure and persistence over the subjects."""
    for name in ("cmax_per_ul", "tmax_day", "auc_0_28", "auc_0_84", "persistence_days", "half_life_days"):
        values = sorted(value for one in kinetics if (value := getattr(one, name)) is not None)
        if values:
            lower, median, upper = (quantile(values, share) for share in (0.25, 0.5, 0.75))
            yield Spread(name, len(values), median, lower, upper, values[0], values[-1])


def quantile(ordered: Sequence[float], share: float) -> float:
    """Return a quantile of ordered numbers, interpolated as R's type 7; minus infinity stays what it is.

    Examples
    --------
    >>> quantile([1, 2, 4], 0.5), quantile([1, 2, 4, 8], 0.25), quantile([-math.inf, 2], 0.5)
    (2, 1.75, -inf)
    """
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    if place == below or ordered[below] == -math.inf:
        return ordered[below]
    return ordered[below] + (place - below) * (ordered[below + 1] - ordered[below])


def _nominal_day(day: float) -> float:
    if day <= _IN_DAYS_UNTIL:
        return float(round(day))
    return round(day / _DAYS_PER_MONTH) * _DAYS_PER_MONTH


def _known(value: float) -> float | None:
    return None if value == -math.inf else value
