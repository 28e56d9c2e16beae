"""The CAR-T curve of one subject: log axis, intervals, limit, open triangles below it.

The line joins quantified samples and is broken where a sample between them is below the limit: what was not quantified
is not drawn as if it were. Everything on the days after infusion; a course of months is split into days and months.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import cycle, groupby
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from cytocar.counting.limits import CarResult, three_digits
from cytocar.course.clinical import Intervention
from cytocar.course.series import CoursePoint
from cytocar.figures.style import (
    BLUE,
    FONT_PT,
    GREY,
    INK,
    PAGE_MM,
    PALE,
    VERMILION,
    figure_style,
    legend_columns,
    new_figure,
    plain_log_axis,
    save,
)
from cytocar.tables.columns import day_text as plain_day

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DAYS_PER_MONTH = 30.4375
EARLY_UNTIL_DAY = 31.0
"""A course longer than twice this is drawn in two parts: days up to here, months after."""

PART_WIDTHS = (3, 2)
"""Widths of the days and of the months."""
Days = tuple[float, float]
EVER: Days = (-math.inf, math.inf)

_CENSORED = frozenset({CarResult.BELOW_LLOQ, CarResult.NOT_DETECTED})


def draw_course(points: Sequence[CoursePoint], path: Path, *, title: str = "", width_mm: float = PAGE_MM) -> Path:
    """Write the CAR-T curve of one subject as SVG, PDF or PNG, as the path's suffix says."""
    with figure_style():
        return save(course_figure(points, title=title, width_mm=width_mm), path)


def course_figure(
    points: Sequence[CoursePoint],
    *,
    title: str = "",
    width_mm: float = PAGE_MM,
    shaded: Sequence[Intervention] = (),
) -> Figure:
    """Return the CAR-T curve and the CD4/CD8 ratio within CAR-T, one above the other; days of drugs ``shaded``."""
    with_ratio = any(point.car_cd4_cd8_ratio.value is not None for point in points)
    figure = new_figure(width_mm, 95 if with_ratio else 70)
    parts = time_parts([point.day for point in points], marks_that_fit=marks_that_fit(width_mm))
    grid = figure.subplots(
        2 if with_ratio else 1,
        len(parts),
        sharey="row",
        sharex="col",
        squeeze=False,
        width_ratios=PART_WIDTHS[: len(parts)],
        height_ratios=[3, 1] if with_ratio else [1],
    )
    for column, part in enumerate(parts):
        shade(grid[0][column], shaded, part.limits)
        car_t_panel(grid[0][column], points, within=part.limits)
        if with_ratio:
            ratio_panel(grid[1][column], points, within=part.limits)
        part.apply(grid[-1][column])
    join_parts([list(row) for row in grid])
    curve_legend(figure, points, title=title, shaded=[course.name for course in shaded])
    return figure


class TimePart(Struct, frozen=True):
    """A stretch of the time axis with its own width: limits in days, ticks in its unit."""

    limits: Days
    ticks: tuple[float, ...]
    labels: tuple[str, ...]
    unit: str

    def apply(self, axes: Axes) -> None:
        """Give an axis these limits, ticks and label."""
        axes.set_xlim(*self.limits)
        axes.set_xticks(self.ticks, self.labels)
        axes.set_xlabel(f"{self.unit} after infusion")


def time_parts(days: Sequence[float], *, marks_that_fit: int) -> tuple[TimePart, ...]:
    """Return the time axis of samples on these days: one part in days, or days and then months."""
    first, last = min(0.0, *days) if days else 0.0, max(0.0, *days) if days else 0.0
    if last <= 2 * EARLY_UNTIL_DAY:
        step = 7 if last > 10 else 1
        margin = max(0.03 * (last - first), 0.5)
        return (_days_part((first - margin, last + margin), step),)
    early = _days_part((first - 1, EARLY_UNTIL_DAY), 7)
    months = last / DAYS_PER_MONTH
    step = next((step for step in (1, 2, 3, 6, 12) if months / step <= marks_that_fit), 24)
    marks = [mark for mark in range(step, int(months + 0.5) + 1, step) if mark * DAYS_PER_MONTH > EARLY_UNTIL_DAY]
    late = TimePart(
        (EARLY_UNTIL_DAY, last + 0.05 * (last - EARLY_UNTIL_DAY)),
        tuple(mark * DAYS_PER_MONTH for mark in marks),
        tuple(f"{mark}" for mark in marks),
        "Months",
    )
    return (late,) if min(days) > EARLY_UNTIL_DAY else (early, late)


def _days_part(limits: Days, step: int) -> TimePart:
    ticks = range(math.ceil(limits[0] / step) * step, math.floor(limits[1]) + 1, step)
    return TimePart(limits, tuple(map(float, ticks)), tuple(map(day_text, ticks)), "Days")


def join_parts(rows: Sequence[Sequence[Axes]]) -> None:
    """Let the parts of a split time axis read as one: a dashed seam in place of the second value axis."""
    for row in rows:
        for axes in row[1:]:
            axes.set_ylabel("")
            axes.spines["left"].set(color=GREY, linestyle=(0, (2, 2)))
            axes.tick_params(axis="y", which="both", left=False)


# ---------------------------------------------------------------- panels


SHADES = (PALE, "#D6E8F5", "#FBE3C4", "#DDF0E6")
"""Backgrounds of drugs, in the order in which they are named; pale, so that every mark stays visible."""


def shade(axes: Axes, courses: Sequence[Intervention], days: Days) -> None:
    """Shade the days of drugs behind a curve, each drug in its own colour; the legend names them."""
    names = list(dict.fromkeys(course.name for course in courses))
    for course in courses:
        end = days[1] if course.end_day is None else course.end_day + 0.45
        colour = SHADES[names.index(course.name) % len(SHADES)]
        axes.axvspan(course.start_day - 0.45, end, color=colour, lw=0, zorder=0)


def car_t_panel(
    axes: Axes, points: Sequence[CoursePoint], *, within: Days = EVER, label: str = "CAR-T cells/µL"
) -> None:
    """Draw CAR-T cells/µL: quantified samples with intervals, limits, and what lies below them.

    Lines cross the edges of the days ``within``; marks stay inside. Draws without a CAR stain are not drawn.
    """
    points = [point for point in points if point.has_car_gate]
    plain_log_axis(axes)
    axes.set_ylabel(label)
    for run in quantified_runs(points):
        axes.plot([point.day for point in run], [_value(point) for point in run], color=BLUE, zorder=3)
    marked = [point for point in points if within[0] <= point.day <= within[1]]
    quantified = [point for point in marked if point.quantified]
    if quantified:
        values = [_value(point) for point in quantified]
        axes.errorbar(
            [point.day for point in quantified],
            values,
            yerr=[
                [
                    value - _positive(point.car_per_ul.low, value)
                    for point, value in zip(quantified, values, strict=True)
                ],
                [
                    _positive(point.car_per_ul.high, value) - value
                    for point, value in zip(quantified, values, strict=True)
                ],
            ],
            fmt="o",
            color=BLUE,
            capsize=2,
            elinewidth=0.9,
            zorder=4,
        )
    _name_peak(axes, points, within)
    _limit_marks(axes, marked)
    for point in marked:
        limit = _limit_of(point)
        if point.car_result in _CENSORED and limit is not None:
            axes.plot(point.day, limit, marker="v", mfc="white", mec=BLUE, mew=1.1, ms=5.5, zorder=5)
        elif not point.quantified:
            axes.plot(
                point.day, 0.03, marker="x", color=GREY, ms=4.5, transform=axes.get_xaxis_transform(), clip_on=False
            )
    _room_around(axes, points)


def ratio_panel(axes: Axes, points: Sequence[CoursePoint], *, within: Days = EVER) -> None:
    """Draw the CD4/CD8 ratio within CAR-T cells of the samples in which they are quantified."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    axes.set_yscale("log")
    axes.set_ylabel("CD4/CD8\nof CAR-T")
    drawn = [point for point in points if point.quantified and point.car_cd4_cd8_ratio.value]
    reach = [1.0]
    for point in drawn:
        ratio = point.car_cd4_cd8_ratio
        value = ratio.value or 1.0
        low, high = _positive(ratio.low, value), _positive(ratio.high, value)
        reach += [value, max(low, value / 4), min(high, value * 4)]
        if within[0] <= point.day <= within[1]:
            axes.plot([point.day, point.day], [low, high], color=VERMILION, linewidth=0.9)
            axes.plot(point.day, value, marker="D", color=VERMILION, ms=3.8)
    axes.axhline(1, color=GREY, linewidth=0.7, linestyle=(0, (4, 3)), zorder=1)
    axes.set_ylim(min(0.28, min(reach) / 1.2), max(3.2, max(reach) * 1.2))
    axes.yaxis.set_major_locator(FixedLocator([0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100]))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def curve_legend(figure: Figure, points: Sequence[CoursePoint], *, title: str = "", shaded: Sequence[str] = ()) -> None:
    """Explain above the panels every mark that they hold, and none that they do not; ``shaded`` names drugs."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    points = [point for point in points if point.has_car_gate]
    marks: list[tuple[Line2D | Patch, str]] = []
    if any(point.quantified for point in points):
        marks.append((Line2D([], [], color=BLUE, marker="o"), "quantified, 95 % interval"))
    if any(point.car_result in _CENSORED for point in points):
        marks.append((Line2D([], [], color=BLUE, marker="v", mfc="white", ls=""), "below the limit (drawn at it)"))
    if any(point.car_lloq_per_ul is not None for point in points):
        marks.append((Line2D([], [], color=GREY, marker="_", ms=6, ls=""), "limit of quantification of the sample"))
    if any(not point.quantified and point.car_result not in _CENSORED for point in points):
        marks.append((Line2D([], [], color=GREY, marker="x", ls=""), "no cells/µL"))
    for name, colour in zip(dict.fromkeys(shaded), cycle(SHADES), strict=False):
        marks.append((Patch(color=colour), name))
    if marks or title:
        legend = figure.legend(
            [mark for mark, _ in marks],
            [text for _, text in marks],
            loc="outside upper left",
            ncols=legend_columns(
                [text for _, text in marks],
                figure.get_figwidth() * 72 - 4,
                mark_pt=2.4 * FONT_PT,
                gap_pt=1.2 * FONT_PT,
            ),
            frameon=False,
            borderaxespad=0.1,
            handlelength=1.6,
            handletextpad=0.8,
            columnspacing=1.2,
            title=title or None,
            alignment="left",
        )
        legend.get_title().set(fontweight="bold", fontsize=FONT_PT + 1)


# ---------------------------------------------------------------- what is drawn of a point


def marks_that_fit(width_mm: float) -> int:
    """How many ticks of months find room."""
    return 5 if width_mm < PAGE_MM * 0.75 else 9


def day_text(day: float) -> str:
    """Return a day as an axis prints it, with a minus sign and not a hyphen."""
    return plain_day(day).replace("-", "\u2212")


def quantified_runs(points: Sequence[CoursePoint]) -> Iterator[list[CoursePoint]]:
    """Yield the stretches that a line may join: quantified samples with no sample below the limit between them.

    A sample without any result interrupts nothing: nothing is known there.
    """
    known = [point for point in points if point.quantified or point.car_result in _CENSORED]
    for quantified, stretch in groupby(sorted(known, key=lambda point: point.day), key=lambda point: point.quantified):
        if quantified:
            yield list(stretch)


def _value(point: CoursePoint) -> float:
    return point.car_per_ul.value or 0.0


def _positive(limit: float | None, otherwise: float) -> float:
    return limit if limit else otherwise


def _limit_of(point: CoursePoint) -> float | None:
    """Where a sample below the limit is drawn: at the limit that it did not reach."""
    return point.car_lod_per_ul if point.car_result is CarResult.NOT_DETECTED else point.car_lloq_per_ul


def _limit_marks(axes: Axes, points: Sequence[CoursePoint]) -> None:
    """Draw the limit of each sample as a dash at its day: between two samples there is none."""
    limits = [(point.day, point.car_lloq_per_ul) for point in points if point.car_lloq_per_ul]
    if limits:
        days, values = zip(*limits, strict=True)
        axes.plot(days, values, color=GREY, marker="_", ms=6, ls="", zorder=2)


def _name_peak(axes: Axes, points: Sequence[CoursePoint], within: Days) -> None:
    peak = max((point for point in points if point.quantified), key=_value, default=None)
    if peak is None or not within[0] <= peak.day <= within[1]:
        return
    first, last = axes.get_xlim() if within == EVER else within
    near_the_end = peak.day > first + 0.75 * (last - first)
    axes.annotate(
        f"{float(three_digits(_value(peak))):,g} on day {day_text(peak.day)}",
        (peak.day, _positive(peak.car_per_ul.high, _value(peak))),
        xytext=(-5 if near_the_end else 5, 3),
        ha="right" if near_the_end else "left",
        textcoords="offset points",
        color=INK,
    )


def _room_around(axes: Axes, points: Sequence[CoursePoint]) -> None:
    """Set limits around everything that is drawn, two decades apart at least."""
    drawn = [limit for point in points if (limit := point.car_lloq_per_ul)]
    drawn += [limit for point in points if point.car_result in _CENSORED and (limit := _limit_of(point))]
    for point in points:
        if point.quantified:
            value = _value(point)
            drawn += [value, _positive(point.car_per_ul.low, value), _positive(point.car_per_ul.high, value)]
    if not drawn:
        axes.set_ylim(0.1, 1000)
        return
    low, high = min(drawn) / 2, max(drawn) * 4
    axes.set_ylim(low, max(high, 100 * low))
