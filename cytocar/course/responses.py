"""What CAR-T cells did before, during and after each intervention: rates of growth, measured and put into words.

An interval is a stretch of one drug: courses that follow each other from one day to the next, such as the steps of a
taper, are one. Before it are the samples from infusion, or from the drug's interval before, up to the first day; during
it those from the first to the last day; after it those up to the drug's next interval. No stretch is longer than the
window. A sample of the first day is the end of one stretch and the beginning of the next: drugs are given after the
morning's blood is drawn.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise

from msgspec import Struct
from msgspec.structs import replace

from cytocar.counting.limits import CarResult, three_digits
from cytocar.course.clinical import Intervention
from cytocar.course.series import Course, CoursePoint
from cytocar.statistics.log_linear import LogValue, Rate, bend_p, rate_per_day
from cytocar.tables.columns import day_text

WINDOW_DAYS = 28.0
"""Longest stretch before, during or after: expansion, contraction and the first month each fit into four weeks."""

_BELOW = frozenset({CarResult.BELOW_LLOQ, CarResult.NOT_DETECTED})


class Interval(Struct, frozen=True):
    """One stretch of a drug; ``end_day`` is ``None`` while it goes on."""

    name: str
    start_day: float
    end_day: float | None


class Phase(Struct, frozen=True):
    """Samples before, during or after an interval, and the rate between the first and the last of them.

    ``change_p`` is the p value of a change of slope where this phase begins; ``None`` for ``before``.
    """

    subject_id: str
    interval: Interval
    phase: str
    first_day: float | None
    last_day: float | None
    rate: Rate
    change_p: float | None

    @property
    def doubling_time_days(self) -> float | None:
        """Days in which the cells double, where they grow."""
        rate = self.rate.per_day
        return math.log(2) / rate if rate is not None and rate > 0 else None

    @property
    def half_life_days(self) -> float | None:
        """Days in which the cells halve, where they fall."""
        rate = self.rate.per_day
        return math.log(2) / -rate if rate is not None and rate < 0 else None

    @property
    def fold(self) -> float | None:
        """By what factor the cells change between the first and the last sample, by the rate."""
        if self.rate.per_day is None or self.first_day is None or self.last_day is None:
            return None
        return math.exp(self.rate.per_day * (self.last_day - self.first_day))


def intervals(courses: Sequence[Intervention]) -> list[Interval]:
    """Return the intervals of drugs and events, in order of days.

    Examples
    --------
    >>> steps = [Intervention("P1", "dasatinib", *days) for days in ((3, 5), (6, 6), (11, None))]
    >>> [(found.start_day, found.end_day) for found in intervals(steps)]
    [(3, 6), (11, None)]
    """
    intervals_so_far = []
    ordered = sorted(courses, key=lambda course: (course.name, course.start_day))
    for name, own in groupby(ordered, key=lambda course: course.name):
        joined: list[Interval] = []
        for course in own:
            last = joined[-1] if joined else None
            if last is not None and (last.end_day is None or course.start_day <= last.end_day + 1):
                ends = (last.end_day, course.end_day)
                joined[-1] = replace(
                    last, end_day=None if None in ends else max(end for end in ends if end is not None)
                )
            else:
                joined.append(Interval(name, course.start_day, course.end_day))
        intervals_so_far += joined
    return sorted(intervals_so_far, key=lambda interval: (interval.start_day, interval.name))


def phases(
    course: Course, courses: Sequence[Intervention], *, window_days: float = WINDOW_DAYS
) -> Iterator[tuple[Phase, Phase, Phase]]:
    """Yield the phases before, during and after each interval that does not end before infusion."""
    values = [value for point in course.points if point.day >= 0 and (value := _log_value(point)) is not None]
    own = [interval for interval in intervals(courses) if interval.end_day is None or interval.end_day >= 0]
    for _, same in groupby(sorted(own, key=lambda interval: interval.name), key=lambda interval: interval.name):
        bounded = [None, *same, None]
        for (earlier, interval), (_, later) in pairwise(pairwise(bounded)):
            if interval is not None:
                yield _around(course.subject_id, values, (earlier, interval, later), window_days)


def _around(
    subject_id: str,
    values: Sequence[LogValue],
    neighbours: tuple[Interval | None, Interval, Interval | None],
    window_days: float,
) -> tuple[Phase, Phase, Phase]:
    earlier, interval, later = neighbours
    start = interval.start_day
    end = math.inf if interval.end_day is None else interval.end_day
    since = -math.inf if earlier is None or earlier.end_day is None else earlier.end_day
    until = math.inf if later is None else later.start_day
    before = [v for v in values if since < v.day <= start and v.day >= start - window_days]
    during = [v for v in values if start <= v.day <= min(end, start + window_days)]
    after = [v for v in values if end < v.day <= min(until, end + window_days)]

    def phase(name: str, own: Sequence[LogValue], change_p: float | None) -> Phase:
        days = [value.day for value in own]
        first, last = min(days, default=None), max(days, default=None)
        return Phase(subject_id, interval, name, first, last, rate_per_day(own), change_p)

    distinct = {id(value): value for value in (*before, *during)}
    return (
        phase("before", before, None),
        phase("during", during, bend_p(list(distinct.values()), start)),
        phase("after", after, bend_p([*during, *after], end) if math.isfinite(end) else None),
    )


def _log_value(point: CoursePoint) -> LogValue | None:
    """Return a point as the line may use it: a value, a limit that it lies below, or nothing."""
    if point.quantified and point.car_per_ul.value:
        low, high = point.car_per_ul.low, point.car_per_ul.high
        sd = math.log(high / low) / (2 * 1.96) if low and high else None
        return LogValue(point.day, point.car_per_ul.value, sd=sd)
    if point.car_result in _BELOW:
        limit = point.car_lod_per_ul if point.car_result is CarResult.NOT_DETECTED else point.car_lloq_per_ul
        return LogValue(point.day, limit, below=True) if limit else None
    return None


def sentence(phases_of_interval: Sequence[Phase]) -> str:
    """Return in words what the cells did around one interval."""
    interval = phases_of_interval[0].interval
    start, end = interval.start_day, interval.end_day
    days = f"from day {day_text(start)} on" if end is None else _span(start, end)
    parts = "; ".join(f"{phase.phase}, {_told(phase)}" for phase in phases_of_interval)
    return f"{interval.name} ({days}): {parts}."


def _span(first: float, last: float | None) -> str:
    one = last is None or last == first
    return f"day {day_text(first)}" if one else f"days {day_text(first)} to {day_text(last or 0.0)}"


def _told(phase: Phase) -> str:
    if phase.first_day is None:
        return "no sample"
    rate = phase.rate.per_day
    if rate is None:
        if phase.rate.high is not None:
            return f"they fell below the limit, by {three_digits(-100 * math.expm1(phase.rate.high))} % a day at least"
        return f"too few samples for a rate ({phase.rate.n_values})"
    days = f"days {day_text(phase.first_day)} to {day_text(phase.last_day or 0.0)}"
    low, high = phase.rate.low, phase.rate.high
    interval = "" if low is None or high is None else f" [{low:.3g}, {high:.3g}]"
    numbers = f"{rate:+.3g} per day{interval}, {phase.rate.n_values} samples, {days}"
    open_sign = low is not None and high is not None and low <= 0 <= high
    fold = phase.fold or 1.0
    if open_sign and 0.5 < fold < 2:
        return f"CAR-T cells hardly changed, {three_digits(fold)}-fold ({numbers})"
    if rate > 0:
        sentence_part = f"CAR-T cells doubled in {three_digits(phase.doubling_time_days or 0.0)} days ({numbers}"
    else:
        sentence_part = f"CAR-T cells halved in {three_digits(phase.half_life_days or 0.0)} days ({numbers}"
    return sentence_part + ("; the interval holds 0)" if open_sign else ")")
