"""The CAR-T curve of one subject: log axis, intervals, limit, open triangles below it.

The line joins quantified samples and is broken where a sample between them is below the limit: what was not quantified
is not drawn as if it were. Everything on the days after infusion; a course of months is split into days and months.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from cytocar.detection import CarResult, three_digits
from cytocar.figures.style import (
    BLUE,
    FONT_PT,
    GREY,
    INK,
    PAGE_MM,
    VERMILION,
    figure_style,
    new_figure,
    plain_log_axis,
    save,
)
from cytocar.series import CoursePoint

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DAYS_PER_MONTH = 30.4375
EARLY_UNTIL_DAY = 31.0
"""A course longer than twice this is drawn in two parts: days up to here, months after."""

LEGEND_ENTRY_MM = 44.0
"""Room for one entry of the legend."""

Days = tuple[float, float]
EVER: Days = (-math.inf, math.inf)

_CENSORED = frozenset({CarResult.BELOW_LLOQ, CarResult.NOT_DETECTED})


def draw_course(points: Sequence[CoursePoint], path: Path, *, title: str = "", width_mm: float = PAGE_MM) -> Path:
    """Write the CAR-T curve of one subject as SVG, PDF or PNG, as the path's suffix says."""
    with figure_style():
        return save(course_figure(points, title=title, width_mm=width_mm), path)


def course_figure(points: Sequence[CoursePoint], *, title: str = "", width_mm: float = PAGE_MM) -> Figure:
    """Return the CAR-T curve and the CD4/CD8 ratio within CAR-T, one above the other."""
    with_ratio = any(point.car_cd4_cd8_ratio.value is not None for point in points)
    figure = new_figure(width_mm, 95 if with_ratio else 70)
    early, late = _split(points, marks_that_fit=5 if width_mm < PAGE_MM * 0.75 else 9)
    columns = [part for part in (early, late) if part is not None]
    grid = figure.subplots(
        2 if with_ratio else 1,
        len(columns),
        sharey="row",
        sharex="col",
        squeeze=False,
        width_ratios=[3, 2][: len(columns)],
        height_ratios=[3, 1] if with_ratio else [1],
    )
    for column, (limits, ticks, labels, unit) in enumerate(columns):
        car_t_panel(grid[0][column], points, within=limits)
        if with_ratio:
            ratio_panel(grid[1][column], points, within=limits)
        grid[-1][column].set_xlim(*limits)
        grid[-1][column].set_xticks(ticks, labels)
        grid[-1][column].set_xlabel(f"{unit} after infusion")
    for row in grid:
        for axes in row[1:]:
            axes.set_ylabel("")
            axes.spines["left"].set(color=GREY, linestyle=(0, (2, 2)))
            axes.tick_params(axis="y", which="both", left=False)
    curve_legend(figure, points, title=title)
    return figure


_Part = tuple[tuple[float, float], list[float], list[str], str]


def _split(points: Sequence[CoursePoint], *, marks_that_fit: int) -> tuple[_Part | None, _Part | None]:
    """Return limits, ticks, tick labels and unit of the early and the late part of the time axis."""
    days = [point.day for point in points] or [0.0]
    first, last = min(*days, 0.0), max(days)
    if last <= 2 * EARLY_UNTIL_DAY:
        step = 7 if last > 10 else 1
        ticks = [float(day) for day in range(int(first // step) * step, int(last) + step + 1, step)]
        margin = max(0.03 * (last - first), 0.5)
        return ((first - margin, last + margin), ticks, [day_text(tick) for tick in ticks], "Days"), None
    weeks = [float(day) for day in range(int(first // 7) * 7, int(EARLY_UNTIL_DAY), 7)]
    early: _Part = ((first - 1, EARLY_UNTIL_DAY), weeks, [day_text(day) for day in weeks], "Days")
    months = last / DAYS_PER_MONTH
    step = next((step for step in (1, 2, 3, 6, 12) if months / step <= marks_that_fit), 24)
    marks = [float(month) for month in range(step, int(months + 0.5) + 1, step)]
    late: _Part = (
        (EARLY_UNTIL_DAY, last + 0.05 * (last - EARLY_UNTIL_DAY)),
        [month * DAYS_PER_MONTH for month in marks],
        [f"{month:g}" for month in marks],
        "Months",
    )
    return (None, late) if first > EARLY_UNTIL_DAY else (early, late)


# ---------------------------------------------------------------- panels


def car_t_panel(axes: Axes, points: Sequence[CoursePoint], *, within: Days = EVER) -> None:
    """Draw CAR-T cells/µL: quantified samples with intervals, limits, and what lies below them.

    Lines cross the edges of the days ``within``; marks stay inside.
    """
    plain_log_axis(axes)
    axes.set_ylabel("CAR-T cells/µL")
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
    _limit_line(axes, points)
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


def curve_legend(figure: Figure, points: Sequence[CoursePoint], *, title: str = "") -> None:
    """Explain above the panels every mark that it holds, and none that it does not."""
    from matplotlib.lines import Line2D

    marks: list[tuple[Line2D, str]] = []
    if any(point.quantified for point in points):
        marks.append((Line2D([], [], color=BLUE, marker="o"), "quantified, 95 % interval"))
    if any(point.car_result in _CENSORED for point in points):
        marks.append((Line2D([], [], color=BLUE, marker="v", mfc="white", ls=""), "below the limit (drawn at it)"))
    if any(point.car_lloq_per_ul is not None for point in points):
        marks.append((Line2D([], [], color=GREY, ls=(0, (4, 3)), lw=0.9), "limit of quantification"))
    if any(not point.quantified and point.car_result not in _CENSORED for point in points):
        marks.append((Line2D([], [], color=GREY, marker="x", ls=""), "no result"))
    if marks or title:
        legend = figure.legend(
            [mark for mark, _ in marks],
            [text for _, text in marks],
            loc="outside upper left",
            ncols=max(1, min(len(marks), int(figure.get_figwidth() * 25.4 // LEGEND_ENTRY_MM))),
            frameon=False,
            borderaxespad=0.1,
            handlelength=1.6,
            columnspacing=1.2,
            title=title or None,
            alignment="left",
        )
        legend.get_title().set(fontweight="bold", fontsize=FONT_PT + 1)


# ---------------------------------------------------------------- what is drawn of a point


def day_text(day: float) -> str:
    """Return a day as an axis prints it, with a minus sign and not a hyphen."""
    return f"{day:g}".replace("-", "\u2212")


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
    """Return where a sample below the limit is drawn: at the limit that it did not reach."""
    return point.car_lod_per_ul if point.car_result is CarResult.NOT_DETECTED else point.car_lloq_per_ul


def _limit_line(axes: Axes, points: Sequence[CoursePoint]) -> None:
    limits = sorted((point.day, point.car_lloq_per_ul) for point in points if point.car_lloq_per_ul)
    if len(limits) == 1:
        axes.axhline(limits[0][1], color=GREY, lw=0.9, ls=(0, (4, 3)), zorder=2)
    elif limits:
        axes.plot(
            [day for day, _ in limits], [limit for _, limit in limits], color=GREY, lw=0.9, ls=(0, (4, 3)), zorder=2
        )


def _name_peak(axes: Axes, points: Sequence[CoursePoint], within: Days) -> None:
    peak = max((point for point in points if point.quantified), key=_value, default=None)
    if peak is None or not within[0] <= peak.day <= within[1]:
        return
    axes.annotate(
        f"{float(three_digits(_value(peak))):,g} on day {peak.day:g}",
        (peak.day, _positive(peak.car_per_ul.high, _value(peak))),
        xytext=(5, 3),
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
