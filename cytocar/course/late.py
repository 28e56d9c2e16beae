"""Late flags: CAR-T cells that grow again long after infusion, and CAR+ cells without CD3.

Secondary T-cell lymphomas that carry the CAR have been seen to lose CD3 and keep CD2 (Micklethwaite et al. 2021,
doi 10.1182/blood.2021010858, figure 3). A flag asks for a look; it is no diagnosis, and its thresholds are the
laboratory's own.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from cytocar.counting.limits import CarResult, three_digits
from cytocar.course.series import Course, CoursePoint
from cytocar.tables.columns import day_text

LATE_FROM_DAY = 90.0
"""Contraction is over by then, where no other day is given: CAR-T cells that rise later need a reason."""
CD3_NEGATIVE = "car_cd3_negative"
"""Population of the template `cart-cd3-negative`."""
RE_EXPANSION = "re-expansion"
CODES = {RE_EXPANSION: "W323", CD3_NEGATIVE: "W324"}


class LateThresholds(Struct, frozen=True):
    """What is flagged after ``from_day``; ``None`` flags nothing.

    ``re_expansion_fold`` is how many times the lowest count before a count must be, ``cd3_negative_per_ul`` the CAR+
    cells/µL without CD3 from which on they are flagged.
    """

    re_expansion_fold: float | None = None
    cd3_negative_per_ul: float | None = None
    from_day: float = LATE_FROM_DAY

    @property
    def is_set(self) -> bool:
        """Whether anything is flagged."""
        return self.re_expansion_fold is not None or self.cd3_negative_per_ul is not None


class LateFlag(Struct, frozen=True):
    """One flagged draw; for a re-expansion with the lowest count before it, ``<`` where that was below a limit."""

    subject_id: str
    day: float
    flag: str
    code: str
    per_ul: float
    per_ul_low: float | None
    per_ul_high: float | None
    lowest_day: float | None
    lowest_per_ul: float | None
    lowest_bound: str
    threshold: float
    text: str


def late_flags(course: Course, thresholds: LateThresholds) -> Iterator[LateFlag]:
    """Yield the flags of one subject, in order of days."""
    flags = [*_re_expansions(course, thresholds), *_without_cd3(course, thresholds)]
    yield from sorted(flags, key=lambda flag: (flag.day, flag.flag))


def _re_expansions(course: Course, thresholds: LateThresholds) -> Iterator[LateFlag]:
    """Yield each late count far above the lowest after the early peak, where their intervals lie apart.

    A count below its limit is as low as that limit: the fold is then the least that it can be.
    """
    fold = thresholds.re_expansion_fold
    if fold is None:
        return
    known = [
        highest for point in course.points if point.day >= 0 and (highest := _highest_it_can_be(point)) is not None
    ]
    early = [(point.car_per_ul.value or 0.0, -point.day) for point, _ in known if point.quantified]
    early = [one for one in early if -one[1] <= thresholds.from_day]
    peak_day = -max(early)[1] if early else 0.0
    for place, (point, _) in enumerate(known):
        earlier = [one for one in known[:place] if one[0].day >= peak_day]
        value = point.car_per_ul.value
        if point.day <= thresholds.from_day or not point.quantified or not value or not earlier:
            continue
        lowest, upper = min(earlier, key=lambda one: (_level(one[0], one[1]), one[0].day))
        level = _level(lowest, upper)
        if value < fold * level or (point.car_per_ul.low or value) <= upper:
            continue
        bound = "" if lowest.quantified else "<"
        more = "at least " if bound else ""
        yield LateFlag(
            subject_id=course.subject_id,
            day=point.day,
            flag=RE_EXPANSION,
            code=CODES[RE_EXPANSION],
            per_ul=value,
            per_ul_low=point.car_per_ul.low,
            per_ul_high=point.car_per_ul.high,
            lowest_day=lowest.day,
            lowest_per_ul=level,
            lowest_bound=bound,
            threshold=fold,
            text=f"{three_digits(value)} CAR-T cells/µL on day {day_text(point.day)}, "
            f"{more}{three_digits(value / level)} times the {bound}{three_digits(level)} of day {day_text(lowest.day)}",
        )


def _highest_it_can_be(point: CoursePoint) -> tuple[CoursePoint, float] | None:
    """Return a point with the upper end of its interval, or its limit; ``None`` where it says nothing."""
    if not point.has_car_gate:
        return None
    if point.quantified:
        return point, point.car_per_ul.high or point.car_per_ul.value or 0.0
    limit = point.car_lod_per_ul if point.car_result is CarResult.NOT_DETECTED else point.car_lloq_per_ul
    below = point.car_result in (CarResult.NOT_DETECTED, CarResult.BELOW_LLOQ)
    return (point, limit) if below and limit else None


def _level(point: CoursePoint, upper: float) -> float:
    return (point.car_per_ul.value or upper) if point.quantified else upper


def _without_cd3(course: Course, thresholds: LateThresholds) -> Iterator[LateFlag]:
    least = thresholds.cd3_negative_per_ul
    if least is None:
        return
    for point in course.points:
        count = point.populations.get(CD3_NEGATIVE)
        value = count.per_ul.value if count else None
        if count is None or value is None or point.day <= thresholds.from_day:
            continue
        if count.result is not CarResult.QUANTIFIED or value < least:
            continue
        yield LateFlag(
            subject_id=course.subject_id,
            day=point.day,
            flag=CD3_NEGATIVE,
            code=CODES[CD3_NEGATIVE],
            per_ul=value,
            per_ul_low=count.per_ul.low,
            per_ul_high=count.per_ul.high,
            lowest_day=None,
            lowest_per_ul=None,
            lowest_bound="",
            threshold=least,
            text=f"{three_digits(value)} CAR+ cells/µL with CD2 and without CD3 on day {day_text(point.day)}, "
            f"{count.events} events",
        )
