"""Panels of clinical values on the day axis of a CAR-T curve; one function per panel.

Each draws what the record holds and nothing for what it does not: a missing day is a gap without a mark.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from types import MappingProxyType
from typing import TYPE_CHECKING

from msgspec import Struct

from cytocar.course.clinical import ClinicalRecord, ClinicalValue
from cytocar.course.units import VARIABLES
from cytocar.figures.lanes import points_per_day
from cytocar.figures.style import (
    FONT_PT,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    legend_columns,
    plain_log_axis,
    text_width_pt,
    two_labels,
    unit_text,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Mark(Struct, frozen=True):
    """How one variable is drawn: colour and shape both tell it apart."""

    colour: str
    marker: str
    line: str = "-"


MARKS = {
    "temperature": Mark(VERMILION, "o"),
    "systolic": Mark(INK, "^", ":"),
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
GRADES = ("crs_grade", "icans_grade", "ice")
NORMAL = {"ferritin": (30.0, 300.0), "il6": (0.0, 7.0), "crp": (0.0, 10.0)}
"""Normal ranges in the variables' units, as a published case names them; laboratories differ."""
THRESHOLDS = {"anc": (500.0,), "platelets": (20.0, 50.0), "b_cells": (20.0,), "cd4": (200.0,)}
"""Lines across the panels: severe neutropenia; platelets of ICAHT grades; B-cell aplasia (FELIX); CD4 T cells below
which infections are prevented.
"""
Lines = Mapping[str, Sequence[float]]
"""Thresholds by the variable or population that they cross."""
ICE_GRADES = ((10, 0), (7, 1), (3, 2), (0, 3))
"""Lowest ICE score of each ICANS grade (ASTCT, Lee 2019); grade 4 is 0 and unarousable: the score does not tell it."""


def variable_label(value: ClinicalValue) -> str:
    """Return a variable with its unit as axes and legends print it: one that is not listed as it was entered.

    Examples
    --------
    >>> variable_label(ClinicalValue("P1", 0, "il6", 7, "ng/L", entered="IL6"))
    'IL-6 (ng/L)'
    >>> variable_label(ClinicalValue("P1", 0, "anti_dsdna", 8, "IU/mL", entered="anti-dsDNA"))
    'anti-dsDNA (IU/mL)'
    """
    listed = VARIABLES.get(value.variable)
    name = listed.label if listed else value.entered or value.variable.replace("_", " ")
    return f"{name} ({unit_text(value.unit)})"


def temperature_panel(axes: Axes, record: ClinicalRecord) -> None:
    """Draw temperature, and on the right axis systolic and diastolic pressure."""
    temperature = record.series("temperature")
    pressures = [values for name in ("systolic", "diastolic") if (values := record.series(name))]
    axes.set_ylabel("Temperature\n(°C)" if temperature else "")
    if temperature:
        plot_values(axes, temperature)
        axes.margins(y=0.15)
        axes.axhline(38, color=GREY, lw=0.7, ls=(0, (4, 3)), zorder=1)  # fever, ASTCT grading (Lee 2019)
    else:
        axes.set_yticks([])
    if pressures:
        right = axes.twinx()
        right.spines["right"].set_visible(True)
        right.set_ylabel("Pressure\n(mmHg)")
        for values in pressures:
            plot_values(right, values)
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
        plot_values(axes, values, log=True)
    axes.margins(y=0.15)
    two_labels(axes)
    low, high = axes.get_ylim()
    for values in present:
        below, above = NORMAL.get(values[0].variable, (0.0, 0.0))
        colour = MARKS[values[0].variable].colour
        axes.axhspan(max(below, low), min(max(above, low), high), color=colour, alpha=0.13, lw=0, zorder=0)
    axes.set_ylim(low, high)
    blocked = _receptor_blocked(record) if record.series("il6") else []
    if blocked:
        axes.plot(
            blocked, [0.97] * len(blocked), marker="v", ls="", color=INK, ms=4, transform=axes.get_xaxis_transform()
        )
    _legend(axes, present, further=[("tocilizumab (raises IL-6)", "v")] if blocked else [])


def _receptor_blocked(record: ClinicalRecord) -> list[float]:
    """Return the days on which tocilizumab was begun."""
    return [course.start_day for course in record.interventions if course.name.lower() == "tocilizumab"]


def value_panel(
    axes: Axes, values: Sequence[ClinicalValue], *, log: bool = False, lines: Lines = MappingProxyType({})
) -> None:
    """Draw one variable over time, from 0 up or on a log axis, with the thresholds that decide about it.

    On a log axis a zero or a value below its limit is an open triangle, and the line is broken there.
    """
    if log:
        plain_log_axis(axes)
    if values:
        plot_values(axes, values, log=log)
        listed = variable_label(values[0])
        axes.set_ylabel(listed.replace(" (", "\n("))
        threshold_lines(axes, values[0].variable, lines)
    axes.margins(y=0.15)
    if log:
        two_labels(axes)
    elif all(value.value >= 0 for value in values):
        axes.set_ylim(bottom=0)
    if not log:
        axes.yaxis.set_major_formatter("{x:,.10g}")


def threshold_lines(axes: Axes, variable: str, lines: Lines = MappingProxyType({})) -> None:
    """Draw the thresholds that decide about a variable, the user's own where given, and name them above the panel."""
    own = lines.get(variable, THRESHOLDS.get(variable, ()))
    for line in own:
        axes.axhline(line, color=GREY, lw=0.8, ls=(0, (4, 3)), zorder=1)
    if own:
        unit = unit_text(VARIABLES[variable].unit if variable in VARIABLES else "/uL")
        text = f"dashed: {' and '.join(f'{line:g}' for line in own)} {unit}"
        axes.set_title(text, loc="right", fontsize=FONT_PT, color=INK, pad=1.5)


def grade_panel(axes: Axes, record: ClinicalRecord) -> None:
    """Draw a strip for CRS, one for ICANS and one for the ICE score: a block on each day of an entry.

    Until the next entry the strip goes on in a paler shade: the grade was not entered anew, and none was taken back.
    """
    from matplotlib.patches import Rectangle

    present = [name for name in GRADES if record.series(name)]
    axes.set_ylim(len(present) - 0.5, -0.5)
    axes.set_yticks(range(len(present)), [VARIABLES[name].label for name in present])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    for row, name in enumerate(present):
        stretches = _stretches(record.series(name))
        for (start, end, grade), following in zip(stretches, (*stretches[1:], None), strict=True):
            fill = GRADE_FILL[_severity(name, grade)]
            if following is not None and following[0] > end + 1 and _severity(name, grade):
                axes.barh(row, following[0] - end - 1, 0.5, end + 0.5, color=fill, alpha=0.55, lw=0)
            axes.add_patch(
                Rectangle((start - 0.5, row - 0.42), end - start + 1, 0.84, facecolor=fill, edgecolor=INK, lw=0.6)
            )


def _severity(name: str, entered: int) -> int:
    """Return the grade behind an entry: itself, or that of an ICE score."""
    return next(grade for lowest, grade in ICE_GRADES if entered >= lowest) if name == "ice" else entered


def write_grades(axes: Axes, record: ClinicalRecord) -> None:
    """Write each grade into its block, where it fits; needs the final layout."""
    for row, name in enumerate(name for name in GRADES if record.series(name)):
        for start, end, grade in _stretches(record.series(name)):
            if (end - start + 1) * points_per_day(axes) > text_width_pt(str(grade)) + 1:
                ink = "white" if _severity(name, grade) >= 3 else INK
                axes.text((start + end) / 2, row, str(grade), ha="center", va="center_baseline", color=ink)


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


# ---------------------------------------------------------------- shared by panels


def plot_values(axes: Axes, values: Sequence[ClinicalValue], *, log: bool = False) -> None:
    """Draw a variable: a line through what was measured, open triangles where only a limit is known.

    On a log axis a 0 stands at the foot of the panel; the line goes through neither.
    """
    if not values:
        return
    mark = MARKS.get(values[0].variable, _OTHER)
    for known, stretch in groupby(values, key=lambda value: not value.bound and (not log or value.value > 0)):
        own = list(stretch)
        if known:
            days, numbers = [value.day for value in own], [value.value for value in own]
            axes.plot(days, numbers, color=mark.colour, marker=mark.marker, ls=mark.line, ms=3.6, lw=1.0)
            continue
        for value in own:
            at_foot = log and value.value <= 0
            axes.plot(
                value.day,
                0.06 if at_foot else value.value,
                marker="^" if value.bound == ">" else "v",
                mfc="white",
                mec=mark.colour,
                ms=4.6,
                ls="",
                clip_on=not at_foot,
                transform=axes.get_xaxis_transform() if at_foot else axes.transData,
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
    texts = [variable_label(v) if units else VARIABLES[v.variable].label for _, v in marks]
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
