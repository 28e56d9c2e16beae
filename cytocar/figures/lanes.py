"""Lanes of drugs and of events on the day axis of a curve: one lane each, doses to scale."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby, pairwise
from typing import TYPE_CHECKING

from cytocar.course.clinical import Intervention
from cytocar.figures.style import BLUE, INK, PALE, text_width_pt, unit_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LANE_MM = 4.3
"""Height of one drug's lane: a line of 8 pt text and air."""
_HAIR = 0.03
"""Least height of a bar among its lane's: a dose of 1 mg beside one of 80 mg must be seen."""
_BELOW_TEXT = 0.15
"""A bar up to this share of the largest dose ends below the text in its lane: 8 pt in the middle of 12."""
_ABOVE_LOW = 0.12
"""How far text over such bars is lifted, in lanes: its descenders would touch them."""
_LONGEST_NAME_SHARE = 0.27
"""Share of the figure's width that a drug's name may take."""


def lanes(interventions: Sequence[Intervention], first_day: float, last_day: float) -> list[list[Intervention]]:
    """Return the courses of each drug that touch these days, drugs in order of their first day."""
    touching = [
        course
        for course in interventions
        if course.start_day <= last_day and (course.end_day is None or course.end_day >= first_day)
    ]
    ordered = sorted(touching, key=lambda course: (course.name, course.start_day))
    by_drug = [list(courses) for _, courses in groupby(ordered, key=lambda course: course.name)]
    return sorted(by_drug, key=lambda courses: (courses[0].start_day, courses[0].name))


def drug_panel(axes: Axes, drugs: Sequence[Sequence[Intervention]]) -> None:
    """Draw a lane for each drug: a bar for each course, as high as its dose among the drug's doses; events in black.

    Doses are written by ``write_doses``, once the layout of the figure stands.
    """
    axes.set_ylim(len(drugs) - 0.5, -0.5)
    room_pt = _LONGEST_NAME_SHARE * axes.figure.bbox.width * 72 / axes.figure.dpi
    axes.set_yticks(range(len(drugs)), [_short(courses[0].name, room_pt) for courses in drugs])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    first_day, last_day = axes.get_xlim()
    for row, courses in enumerate(drugs):
        if row % 2 == 0:
            axes.axhspan(row - 0.5, row + 0.5, color=PALE, alpha=0.5, lw=0, zorder=0)
        for course in courses:
            start, end = _bar(course, last_day)
            colour = INK if course.is_event else BLUE
            height = 0.66 * _dose_share(course, courses)
            axes.barh(row + 0.33 - height / 2, end - start, left=start, height=height, color=colour, lw=0, zorder=2)
            if course.end_day is None:
                axes.plot(last_day, row, marker=">", color=colour, ms=5, clip_on=False, zorder=3)
    axes.set_xlim(first_day, last_day)


def write_doses(axes: Axes, drugs: Sequence[Sequence[Intervention]]) -> None:
    """Write each drug's doses in its lane, where there is room: after its bars, before them, between them, or in them.

    Where there is none, above bars that are too low to reach the text. Needs the final layout: where text fits depends
    on how wide the panel came out.
    """
    first_day, last_day = axes.get_xlim()
    per_day = points_per_day(axes)
    for row, courses in enumerate(drugs):
        every = sorted(_bar(course, last_day) for course in courses)
        high = sorted(_bar(course, last_day) for course in courses if _dose_share(course, courses) > _BELOW_TEXT)
        ways = [(bars, text) for bars in (every, high) for text in _shorter_and_shorter(dose_summary(courses))]
        for bars, text in ways:
            needed = (text_width_pt(text) + 6) / per_day
            gap = _gap(bars, first_day, last_day, needed)
            if gap is not None:
                start, after = gap
                place = start + 3 / per_day if after else start - 3 / per_day
                height = row if bars == every else row - _ABOVE_LOW
                axes.text(place, height, text, ha="left" if after else "right", va="center_baseline")
                break
            if len(bars) == 1 and min(bars[0][1], last_day) - max(bars[0][0], first_day) >= needed:
                middle = (min(bars[0][1], last_day) + max(bars[0][0], first_day)) / 2
                axes.text(middle, row, text, ha="center", va="center_baseline", color="white")
                break


def _shorter_and_shorter(text: str) -> list[str]:
    """Return a summary, then what is left of it where there is less room: what it adds up to, else the doses."""
    doses, _, total = text.partition(", ") if " in all" in text and ";" not in text else (text, "", "")
    if total.count(", "):
        doses, _, total = text.rpartition(", ")
    return [part for part in (text, total, doses) if part] if total else [text] if text else []


def dose_summary(courses: Sequence[Intervention]) -> str:
    """Return the doses of one drug in a few words.

    Examples
    --------
    >>> steps = [Intervention("P1", "dexamethasone", day, day, dose, "mg") for day, dose in ((3, 40), (5, 80), (9, 1))]
    >>> dose_summary(steps[:2]), dose_summary(steps)
    ('40, 80 mg, 120 mg in all', '1–80 mg, 121 mg in all')
    """
    texts = []
    for unit in dict.fromkeys(course.unit for course in courses if course.dose is not None):
        doses = list(
            dict.fromkeys(course.dose for course in courses if course.unit == unit and course.dose is not None)
        )
        numbers = ", ".join(f"{dose:g}" for dose in doses) if len(doses) < 3 else f"{min(doses):g}–{max(doses):g}"
        total = cumulative_dose([course for course in courses if course.unit == unit])
        of_unit = [course for course in courses if course.unit == unit]
        once = len(of_unit) == 1 and of_unit[0].start_day == of_unit[0].end_day
        in_all = "" if total is None or once else f", {total} in all"
        texts.append(f"{numbers} {unit_text(unit)}".strip() + in_all)
    return "; ".join(texts)


def cumulative_dose(courses: Sequence[Intervention]) -> str | None:
    """What courses in one unit add up to: doses per day times days, or single doses; ``None`` if not known.

    A dose over several days in a unit that is not per day may be daily or in all: nothing is added up then.

    Examples
    --------
    >>> dexamethasone = [Intervention("P1", "d", 3, 4, 40, "mg/day"), Intervention("P1", "d", 5, 8, 80, "mg/day")]
    >>> cumulative_dose(dexamethasone), cumulative_dose([Intervention("P1", "f", -4, -2, 25, "mg/m2")])
    ('400 mg', None)
    """
    total = 0.0
    for course in courses:
        per_day = course.unit.endswith(("/day", "/d"))
        if course.dose is None or course.end_day is None or (not per_day and course.end_day != course.start_day):
            return None
        total += course.dose * (course.end_day - course.start_day + 1 if per_day else 1)
    unit = courses[0].unit.removesuffix("/day").removesuffix("/d") if courses else ""
    return f"{total:g} {unit_text(unit)}".strip()


def _bar(course: Intervention, last_day: float) -> tuple[float, float]:
    """Where a course begins and ends on the axis: a day is as wide as a day, less a hair."""
    return course.start_day - 0.45, (last_day if course.end_day is None else course.end_day + 0.45)


def _dose_share(course: Intervention, courses: Sequence[Intervention]) -> float:
    """Return a height up to 1: the dose over the drug's largest in the same unit, and never less than a hair."""
    largest = max((other.dose or 0.0 for other in courses if other.unit == course.unit), default=0.0)
    return max(_HAIR, (course.dose or 0.0) / largest) if course.dose is not None and largest > 0 else 1.0


def _gap(
    bars: Sequence[tuple[float, float]], first_day: float, last_day: float, needed: float
) -> tuple[float, bool] | None:
    """Return the edge to write from, and whether after it: after the last bar, before the first, or between two."""
    if last_day - bars[-1][1] >= needed:
        return bars[-1][1], True
    if bars[0][0] - first_day >= needed:
        return bars[0][0], False
    return next(((end, True) for (_, end), (start, _) in pairwise(bars) if start - end >= needed), None)


def _short(name: str, room_pt: float) -> str:
    """Return a name, cut where it would take more than its room."""
    shown = name
    while text_width_pt(shown) > room_pt and len(name) > 1:
        name = name[:-1].rstrip()
        shown = f"{name}…"
    return shown


def points_per_day(axes: Axes) -> float:
    """How wide a day is, in points; needs the final layout."""
    first_day, last_day = axes.get_xlim()
    return float(axes.get_window_extent().width * 72 / axes.figure.dpi / (last_day - first_day))
