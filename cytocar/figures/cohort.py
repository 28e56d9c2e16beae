"""Many courses on one axis, with the median and the quartiles of each visit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cytocar.course.cohort import Visit, visits
from cytocar.course.series import Course
from cytocar.figures.course import PART_WIDTHS, Days, join_parts, marks_that_fit, quantified_runs, time_parts
from cytocar.figures.style import BLUE, FONT_PT, GREY, INK, PAGE_MM, new_figure, plain_log_axis
from cytocar.kinetics.parameters import Kinetics

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def cohort_figure(courses: Sequence[Course], *, title: str = "", width_mm: float = PAGE_MM) -> Figure:
    """Return every subject's curve in grey, the median with quartiles over it, and the peaks beside them."""
    figure = new_figure(width_mm, 80)
    days = [point.day for course in courses for point in course.points if point.quantified]
    parts = time_parts(days, marks_that_fit=marks_that_fit(width_mm))
    *curves, peaks = figure.subplots(1, len(parts) + 1, sharey=True, width_ratios=[*PART_WIDTHS[: len(parts)], 1])
    for axes, part in zip(curves, parts, strict=True):
        plain_log_axis(axes)
        part.apply(axes)
        axes.set_ylabel("CAR-T cells/µL")
        for course in courses:
            _subject(axes, course)
        _median(axes, list(visits(courses)), part.limits)
        part.apply(axes)
    _peaks(peaks, [course.kinetics() for course in courses])
    join_parts([curves])
    figure.legend(
        *curves[0].get_legend_handles_labels(),
        loc="outside upper left",
        ncols=2 if width_mm < 0.75 * PAGE_MM else 4,
        title=title or None,
        alignment="left",
        borderaxespad=0.1,
    ).get_title().set(fontweight="bold", fontsize=FONT_PT + 1)
    return figure


def _subject(axes: Axes, course: Course) -> None:
    for run in quantified_runs(course.points):
        axes.plot(
            [point.day for point in run],
            [point.car_per_ul.value or 0.0 for point in run],
            color=GREY,
            alpha=0.6,
            lw=0.8,
            marker="o" if len(run) == 1 else "",
            ms=2,
        )


def _median(axes: Axes, at: Sequence[Visit], within: Days) -> None:
    """Draw the median of the visits and the band of their quartiles, broken where they are below the limit."""
    axes.plot([], [], color=GREY, lw=0.8, label="subjects")
    for stretch in _stretches(at):
        days = [visit.day for visit in stretch]
        axes.plot(days, [visit.median or 0.0 for visit in stretch], color=BLUE, zorder=4)
        marked = [visit for visit in stretch if within[0] <= visit.day <= within[1]]
        axes.plot([visit.day for visit in marked], [visit.median or 0.0 for visit in marked], "o", color=BLUE, zorder=4)
        # A lower quartile below the limit is drawn down to the axis: no more is known of it.
        floor = axes.get_ylim()[0]
        axes.fill_between(
            days,
            [visit.lower_quartile or floor for visit in stretch],
            [visit.upper_quartile or visit.median or floor for visit in stretch],
            color=BLUE,
            alpha=0.18,
            lw=0,
            zorder=2,
        )
    if at:
        axes.plot([], [], color=BLUE, marker="o", label="median")
        axes.fill_between([], [], [], color=BLUE, alpha=0.18, lw=0, label="quartiles")


def _stretches(at: Sequence[Visit]) -> list[list[Visit]]:
    stretches: list[list[Visit]] = [[]]
    for visit in at:
        if visit.median is None:
            stretches.append([])
        else:
            stretches[-1].append(visit)
    return [stretch for stretch in stretches if stretch]


def _peaks(axes: Axes, kinetics: Sequence[Kinetics]) -> None:
    """Draw each subject's peak as a point, side by side in order of size, and their median as a line."""
    import statistics

    peaks = sorted(one.cmax_per_ul for one in kinetics if one.cmax_per_ul is not None)
    axes.set_xlabel("Peaks")
    axes.set_xticks([])
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", which="both", left=False)
    if peaks:
        places = [(index + 0.5) / len(peaks) for index in range(len(peaks))]
        axes.plot(places, peaks, ls="", marker="o", ms=3, color=INK)
        axes.axhline(statistics.median(peaks), color=BLUE)
        axes.set_xlim(-0.1, 1.1)
