"""Panels of clinical values and drug courses on the day axis of a CAR-T curve; one function per panel.

Each draws what the record holds and nothing for what it does not: a missing day is a gap without a mark, a grade is
shown on the days for which it was entered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import TYPE_CHECKING

from cytocar.course.clinical import ClinicalRecord, ClinicalValue, Intervention
from cytocar.course.units import VARIABLES
from cytocar.figures.style import (
    BLUE,
    FONT_PT,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PALE,
    PURPLE,
    SKY,
    VERMILION,
    legend_columns,
    plain_log_axis,
    text_width_pt,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, slots=True)
class Mark:
    """How one variable is drawn: colour and shape both tell it apart."""

    colour: str
    marker: str
    line: str = "-"


MARKS = {
    "temperature": Mark(VERMILION, "o"),
    "systolic": Mark(GREY, "^", ":"),
    "diastolic": Mark(GREY, "v", ":"),
    "ferritin": Mark(ORANGE, "s"),
    "il6": Mark(PURPLE, "D", "--"),
    "crp": Mark(GREEN, "^", "-."),
    "haemoglobin": Mark(VERMILION, "o"),
    "platelets": Mark(ORANGE, "s"),
    "anc": Mark(GREEN, "^"),
    "b_cells": Mark(PURPLE, "D"),
}
_OTHER = Mark(SKY, "o")

GRADE_FILL = ("#FFFFFF", "#FDE3B8", "#F6B564", "#E07B2A", "#A63F14", "#5A1A07")
"""Fill of grades 0 to 5, darker with every grade in colour and in grey."""

BIOMARKERS = ("ferritin", "il6", "crp")
GRADES = ("crs_grade", "icans_grade")


def unit_text(unit: str) -> str:
    """Return a unit as print writes it.

    Examples
    --------
    >>> unit_text("ug/L"), unit_text("mg/m2"), unit_text("C")
    ('µg/L', 'mg/m²', '°C')
    """
    return "°C" if unit == "C" else unit.replace("ug", "µg").replace("uL", "µL").replace("m2", "m²")


def variable_label(variable: str, unit: str) -> str:
    """Return a variable with its unit as axes and legends print it.

    Examples
    --------
    >>> variable_label("il6", "ng/L"), variable_label("ifn_gamma", "pg/mL")
    ('IL-6 (ng/L)', 'ifn gamma (pg/mL)')
    """
    listed = VARIABLES.get(variable)
    name = listed.label if listed else variable.replace("_", " ")
    return f"{name} ({unit_text(unit)})"


def temperature_panel(axes: Axes, record: ClinicalRecord) -> None:
    """Draw temperature, and on the right axis systolic and diastolic pressure."""
    temperature = record.series("temperature")
    pressures = [values for name in ("systolic", "diastolic") if (values := record.series(name))]
    axes.set_ylabel("Temperature\n(°C)" if temperature else "")
    if temperature:
        _plot(axes, temperature)
        axes.margins(y=0.15)
        axes.axhline(38, color=GREY, lw=0.7, ls=(0, (4, 3)), zorder=1)  # fever, ASTCT grading (Lee 2019)
    else:
        axes.set_yticks([])
    if pressures:
        right = axes.twinx()
        right.spines["right"].set_visible(True)
        right.set_ylabel("Pressure\n(mmHg)")
        for values in pressures:
            _plot(right, values)
        right.margins(y=0.15)
    _legend(axes, [*([temperature] if temperature else []), *pressures], units=False)


def biomarker_panel(axes: Axes, record: ClinicalRecord) -> None:
    """Draw ferritin, IL-6 and CRP, each in its own unit, on one log axis; with IL-6, the days of tocilizumab.

    Tocilizumab blocks the receptor that clears IL-6: its level rises without more being made (Nishimoto et al. 2008,
    Blood 112:3959).
    """
    present = [values for name in BIOMARKERS if (values := record.series(name))]
    plain_log_axis(axes)
    axes.set_ylabel("Biomarkers")
    for values in present:
        _plot(axes, [value for value in values if value.value > 0])
    axes.margins(y=0.15)
    blocked = _receptor_blocked(record) if record.series("il6") else []
    if blocked:
        axes.plot(
            blocked, [0.97] * len(blocked), marker="v", ls="", color=INK, ms=4, transform=axes.get_xaxis_transform()
        )
    _legend(axes, present, further=[("tocilizumab (raises IL-6)", "v")] if blocked else [])


def _receptor_blocked(record: ClinicalRecord) -> list[float]:
    """Return the days on which tocilizumab was begun."""
    return [course.start_day for course in record.interventions if course.name.lower() == "tocilizumab"]


def value_panel(axes: Axes, values: Sequence[ClinicalValue], *, log: bool = False) -> None:
    """Draw one variable over time, from 0 up or on a log axis."""
    if log:
        plain_log_axis(axes)
        values = [value for value in values if value.value > 0]
    if values:
        _plot(axes, values)
        listed = variable_label(values[0].variable, values[0].unit)
        axes.set_ylabel(listed.replace(" (", "\n("))
    axes.margins(y=0.15)
    if not log:
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_formatter("{x:,.10g}")


def grade_panel(axes: Axes, record: ClinicalRecord) -> None:
    """Draw a strip for CRS and one for ICANS: a block for each grade on the days for which it was entered."""
    from matplotlib.patches import Rectangle

    present = [name for name in GRADES if record.series(name)]
    axes.set_ylim(len(present) - 0.5, -0.5)
    axes.set_yticks(range(len(present)), [VARIABLES[name].label for name in present])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    for row, name in enumerate(present):
        for start, end, grade in _stretches(record.series(name)):
            fill = GRADE_FILL[grade]
            axes.add_patch(
                Rectangle((start - 0.5, row - 0.42), end - start + 1, 0.84, facecolor=fill, edgecolor=INK, lw=0.6)
            )


def write_grades(axes: Axes, record: ClinicalRecord) -> None:
    """Write each grade into its block, where it fits; needs the final layout."""
    for row, name in enumerate(name for name in GRADES if record.series(name)):
        for start, end, grade in _stretches(record.series(name)):
            if (end - start + 1) * _points_per_day(axes) > text_width_pt(str(grade)) + 1:
                ink = "white" if grade >= 3 else INK
                axes.text((start + end) / 2, row, str(grade), ha="center", va="center_baseline", color=ink)


def _points_per_day(axes: Axes) -> float:
    first_day, last_day = axes.get_xlim()
    return float(axes.get_window_extent().width * 72 / axes.figure.dpi / (last_day - first_day))


def _stretches(grades: Sequence[ClinicalValue]) -> list[tuple[float, float, int]]:
    """Return (first day, last day, grade) of entries of one grade on days that follow each other."""
    stretches: list[tuple[float, float, int]] = []
    for value in grades:
        grade = int(value.value)
        if stretches and stretches[-1][2] == grade and value.day - stretches[-1][1] <= 1:
            stretches[-1] = (stretches[-1][0], value.day, grade)
        else:
            stretches.append((value.day, value.day, grade))
    return stretches


# ---------------------------------------------------------------- drug courses

LANE_MM = 4.3
"""Height of one drug's lane: a line of 8 pt text and air."""
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
    """Draw a lane for each drug: a bar for each course, as high as its dose among the drug's doses.

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
            height = 0.66 * _dose_share(course, courses)
            axes.barh(row + 0.33 - height / 2, end - start, left=start, height=height, color=BLUE, lw=0, zorder=2)
            if course.end_day is None:
                axes.plot(last_day, row, marker=">", color=BLUE, ms=5, clip_on=False, zorder=3)
    axes.set_xlim(first_day, last_day)


def write_doses(axes: Axes, drugs: Sequence[Sequence[Intervention]]) -> None:
    """Write each drug's doses in its lane, where there is room: after its bars, before them, between them, or in them.

    Needs the final layout: where text fits depends on how wide the panel came out.
    """
    first_day, last_day = axes.get_xlim()
    points_per_day = _points_per_day(axes)
    for row, courses in enumerate(drugs):
        text = dose_summary(courses)
        needed = (text_width_pt(text) + 6) / points_per_day
        bars = sorted(_bar(course, last_day) for course in courses)
        gap = _gap(bars, first_day, last_day, needed)
        if not text:
            continue
        if gap is not None:
            start, after = gap
            place = start + 3 / points_per_day if after else start - 3 / points_per_day
            axes.text(place, row, text, ha="left" if after else "right", va="center_baseline")
        elif len(bars) == 1 and min(bars[0][1], last_day) - max(bars[0][0], first_day) >= needed:
            middle = (min(bars[0][1], last_day) + max(bars[0][0], first_day)) / 2
            axes.text(middle, row, text, ha="center", va="center_baseline", color="white")


def dose_summary(courses: Sequence[Intervention]) -> str:
    """Return the doses of one drug in a few words.

    Examples
    --------
    >>> steps = [Intervention("P1", "dexamethasone", day, day, dose, "mg") for day, dose in ((3, 40), (5, 80), (9, 1))]
    >>> dose_summary(steps[:2]), dose_summary(steps)
    ('40, 80 mg', '1–80 mg')
    """
    texts = []
    for unit in dict.fromkeys(course.unit for course in courses if course.dose is not None):
        doses = list(
            dict.fromkeys(course.dose for course in courses if course.unit == unit and course.dose is not None)
        )
        numbers = ", ".join(f"{dose:g}" for dose in doses) if len(doses) < 3 else f"{min(doses):g}–{max(doses):g}"
        texts.append(f"{numbers} {unit_text(unit)}".strip())
    return "; ".join(texts)


def _bar(course: Intervention, last_day: float) -> tuple[float, float]:
    """Return where a course begins and ends on the axis: a day is as wide as a day, less a hair."""
    return course.start_day - 0.45, (last_day if course.end_day is None else course.end_day + 0.45)


def _dose_share(course: Intervention, courses: Sequence[Intervention]) -> float:
    """Return a height between 0.3 and 1: the dose over the drug's largest in the same unit."""
    largest = max((other.dose or 0.0 for other in courses if other.unit == course.unit), default=0.0)
    return max(0.3, (course.dose or 0.0) / largest) if course.dose is not None and largest > 0 else 1.0


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


# ---------------------------------------------------------------- shared by panels


def _plot(axes: Axes, values: Sequence[ClinicalValue]) -> None:
    if not values:
        return
    mark = MARKS.get(values[0].variable, _OTHER)
    axes.plot(
        [value.day for value in values],
        [value.value for value in values],
        color=mark.colour,
        marker=mark.marker,
        ls=mark.line,
        ms=3.6,
        lw=1.0,
    )


def _legend(
    axes: Axes,
    present: Sequence[Sequence[ClinicalValue]],
    *,
    units: bool = True,
    further: Sequence[tuple[str, str]] = (),
) -> None:
    """Explain the variables of a panel above it, and ``further`` marks as (text, shape)."""
    from matplotlib.lines import Line2D

    marks = [(MARKS.get(values[0].variable, _OTHER), values[0]) for values in present]
    lines = [Line2D([], [], color=mark.colour, marker=mark.marker, ls=mark.line, ms=3.6, lw=1.0) for mark, _ in marks]
    lines += [Line2D([], [], color=INK, marker=shape, ls="", ms=4) for _, shape in further]
    texts = [variable_label(v.variable, v.unit) if units else VARIABLES[v.variable].label for _, v in marks]
    texts += [text for text, _ in further]
    room_pt = 0.85 * axes.figure.bbox.width * 72 / axes.figure.dpi
    axes.legend(
        lines,
        texts,
        loc="lower right",  # in a narrow figure it may reach over the names on the left
        bbox_to_anchor=(1, 1.02),
        ncols=legend_columns(texts, room_pt, mark_pt=1.7 * FONT_PT, gap_pt=0.8 * FONT_PT),
        borderaxespad=0,
        borderpad=0.1,
        handlelength=1.3,
        handletextpad=0.4,
        columnspacing=0.8,
    )
