"""Late flags, by the user's own thresholds."""

from __future__ import annotations

import numpy as np
import pytest

from cytocar import EventTable, gate, load_template
from cytocar.course.draws import CellCount
from cytocar.course.late import CD3_NEGATIVE, LateThresholds, late_flags
from cytocar.course.series import Course, CoursePoint
from cytocar.simulate import Blood, blood_tube
from cytocar.statistics.estimate import Estimate
from tests.courses import course_of


@pytest.mark.parametrize(
    ("counts", "fold", "days"),
    [
        (((9, 1000), (28, 10), (91, 2), (182, 8)), 3, [182]),
        (((9, 1000), (28, 10), (91, 2), (182, 8)), 5, []),  # the threshold is the user's
        (((3, 2), (9, 1000), (28, 100), (182, 90)), 3, []),  # the rise to the early peak is none
        (((9, 1000), (28, 2), (60, 20)), 3, []),  # not late
        (((9, 1000), (28, 10), (91, 2), (182, 3)), 1.2, []),  # the intervals meet
        (((9, 1000), (28, 10), (182, 0), (365, 9)), 3, [365]),  # at least 9 times what was not detected
        (((100, 5), (200, 50)), 3, [200]),
    ],
)
def test_a_late_rise_is_flagged_by_the_users_fold(
    counts: tuple[tuple[float, float], ...], fold: float, days: list[float]
) -> None:
    assert [flag.day for flag in late_flags(course_of(*counts), LateThresholds(re_expansion_fold=fold))] == days


def test_the_day_from_which_a_rise_is_late_is_the_users() -> None:
    found = late_flags(course_of((9, 1000), (28, 2), (60, 20)), LateThresholds(re_expansion_fold=3, from_day=45))
    (flag,) = found
    assert (flag.code, flag.lowest_day, flag.lowest_per_ul, flag.lowest_bound) == ("W323", 28, 2, "")
    assert flag.text == "20.0 CAR-T cells/µL on day 60, 10.0 times the 2.00 of day 28"


def test_a_rise_from_below_the_limit_is_at_least_so_large() -> None:
    (flag,) = late_flags(course_of((9, 1000), (182, 0), (365, 9)), LateThresholds(re_expansion_fold=3))
    assert flag.text == "9.00 CAR-T cells/µL on day 365, at least 9.00 times the <1.00 of day 182"


@pytest.mark.parametrize(
    ("day", "events", "least", "flagged"),
    [(120, 40, 5, True), (120, 40, 20, False), (120, 20, 1, False), (60, 40, 5, False)],
)
def test_car_cells_without_cd3_are_flagged_where_quantified_and_late(
    day: float, events: int, least: float, flagged: bool
) -> None:
    count = CellCount(events, Estimate(events / 4, events / 5, events / 3), 4.0)
    one = Course("P1", (CoursePoint("P1", day, "d", populations={CD3_NEGATIVE: count}),))
    found = list(late_flags(one, LateThresholds(cd3_negative_per_ul=least)))
    assert [flag.code for flag in found] == (["W324"] if flagged else [])


def test_nothing_is_flagged_unless_asked() -> None:
    assert list(late_flags(course_of((9, 1000), (91, 2), (182, 800)), LateThresholds())) == []


# ---------------------------------------------------------------- the template


def without_cd3(tube_events: EventTable, chosen: np.ndarray) -> EventTable:
    """Return the events with the CD3 stain of the chosen ones taken away, its spillover too."""
    parts = tube_events.keywords["$SPILLOVER"].split(",")
    n = int(parts[0])
    detectors, matrix = parts[1 : n + 1], np.array(parts[n + 1 :], dtype=float).reshape(n, n)
    raw = np.column_stack([tube_events.column(name) for name in detectors])
    signal = raw @ np.linalg.inv(matrix)
    signal[chosen, detectors.index("FITC-A")] = 60
    changed = dict(zip(detectors, (signal @ matrix).T, strict=True))
    columns = {c.detector: changed.get(c.detector, tube_events.column(c.detector)) for c in tube_events.channels}
    markers = {c.detector: c.marker for c in tube_events.channels if c.marker}
    return EventTable.from_columns(
        columns, markers=markers, keywords={"$SPILLOVER": tube_events.keywords["$SPILLOVER"]}
    )


@pytest.mark.parametrize("activation", [0.0, 1.0])
def test_car_t_cells_that_lost_cd3_are_counted_and_others_are_not(activation: float) -> None:
    tube = blood_tube(car_per_ul=50, blood=Blood(activation=activation), seed=4)
    car = np.flatnonzero(tube.is_kind("car_cd4_t_cells", "car_cd8_t_cells"))
    lost = np.zeros(len(tube.origin), dtype=bool)
    lost[car[: len(car) // 10]] = True
    template = load_template("cart-cd3-negative")
    as_drawn = gate(tube.events, template)[CD3_NEGATIVE]
    found = gate(without_cd3(tube.events, lost), template)[CD3_NEGATIVE]
    assert as_drawn.events <= 3
    assert (found.mask & lost).sum() > 0.85 * lost.sum()
    assert (found.mask & ~lost).sum() <= 3
