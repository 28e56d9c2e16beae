"""Many courses on one axis, with the median and the quartiles of each visit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING

from cytocar.course.clinical import ClinicalText
from cytocar.course.cohort import Visit, visits
from cytocar.course.series import Course
from cytocar.figures.course import PART_WIDTHS, Days, join_parts, marks_that_fit, quantified_runs, time_parts
from cytocar.figures.style import (
    BLUE,
    FONT_PT,
    GREY,
    GROUP_COLOURS,
    INK,
    PAGE_MM,
    PALE,
    new_figure,
    plain_log_axis,
)
from cytocar.kinetics.parameters import Kinetics

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def cohort_figure(
    courses: Sequence[Course], *, groups: Mapping[str, str] | None = None, title: str = "", width_mm: float = PAGE_MM
) -> Figure:
    """Return every subject's curve, the median with quartiles over it, and the peaks beside them.

    With ``groups`` (subject to group) each group has its colour, its median and its quartiles; subjects without a group
    stay grey.
    """
    named = dict(zip(sorted(set((groups or {}).values())), cycle(GROUP_COLOURS), strict=False))
    figure = new_figure(width_mm, 80)
    days = [point.day for course in courses for point in course.points if point.quantified]
    parts = time_parts(days, marks_that_fit=marks_that_fit(width_mm))
    *curves, peaks = figure.subplots(1, len(parts) + 1, sharey=True, width_ratios=[*PART_WIDTHS[: len(parts)], 1])
    for axes, part in zip(curves, parts, strict=True):
        plain_log_axis(axes)
        part.apply(axes)
        axes.set_ylabel("CAR-T cells/µL")
        for course in courses:
            _subject(axes, course, named.get((groups or {}).get(course.subject_id, ""), GREY))
        if any(course.subject_id not in (groups or {}) for course in courses):
            axes.plot([], [], color=GREY, lw=0.8, label="without a group" if named else "subjects")
        for name, colour in named.items():
            own = [course for course in courses if (groups or {}).get(course.subject_id) == name]
            axes.plot([], [], color=colour, lw=0.8, label=f"{name} (n = {len(own)})")
            _median(axes, list(visits(own)), part.limits, colour)
        if not named:
            _median(axes, list(visits(courses)), part.limits, BLUE)
            _median_legend(axes, BLUE)
        else:
            _median_legend(axes, INK)
        part.apply(axes)
    colours = {s: named[name] for s, name in (groups or {}).items()}
    _peaks(peaks, [course.kinetics() for course in courses], colours)
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


def split_figure(
    courses: Sequence[Course],
    split: Mapping[str, str],
    *,
    groups: Mapping[str, str] | None = None,
    width_mm: float = PAGE_MM,
) -> Figure:
    """Return a panel of curves for each group of ``split`` (subject to group), all on the same axes.

    Each has the median and the quartiles of its own subjects. Curves are coloured by ``groups``, grey without.
    """
    named = dict(zip(sorted(set((groups or {}).values())), cycle(GROUP_COLOURS), strict=False))
    rows = sorted(set(split.values()))
    days = [point.day for course in courses for point in course.points if point.quantified]
    parts = time_parts(days, marks_that_fit=marks_that_fit(width_mm))
    figure = new_figure(width_mm, 14 + 48 * len(rows))
    ratios = PART_WIDTHS[: len(parts)]
    grid = figure.subplots(len(rows), len(parts), sharex="col", sharey=True, squeeze=False, width_ratios=ratios)
    for row, name in zip(grid, rows, strict=True):
        own = [course for course in courses if split.get(course.subject_id) == name]
        at = list(visits(own))
        for axes, part in zip(row, parts, strict=True):
            plain_log_axis(axes)
            part.apply(axes)
            for course in own:
                _subject(axes, course, named.get((groups or {}).get(course.subject_id, ""), GREY))
            _median(axes, at, part.limits, INK)
            part.apply(axes)
            axes.set_xlabel("")
        row[0].set_ylabel("CAR-T cells/µL")
        row[0].set_title(f"{name} (n = {len(own)})", loc="left")
    for axes, part in zip(grid[-1], parts, strict=True):
        part.apply(axes)
    join_parts([list(row) for row in grid])
    _split_legend(figure, named)
    return figure


def _split_legend(figure: Figure, named: Mapping[str, str]) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    marks: list[tuple[Line2D | Patch, str]] = [
        (Line2D([], [], color=colour, lw=0.8), name) for name, colour in (named or {"subjects": GREY}).items()
    ]
    marks += [(Line2D([], [], color=INK, marker="o"), "median"), (Patch(color=INK, alpha=0.18, lw=0), "quartiles")]
    figure.legend([m for m, _ in marks], [t for _, t in marks], loc="outside upper left", ncols=4, borderaxespad=0.1)


def _subject(axes: Axes, course: Course, colour: str) -> None:
    for run in quantified_runs(course.points):
        axes.plot(
            [point.day for point in run],
            [point.car_per_ul.value or 0.0 for point in run],
            color=colour,
            alpha=0.6,
            lw=0.8,
            marker="o" if len(run) == 1 else "",
            ms=2,
        )


def _median(axes: Axes, at: Sequence[Visit], within: Days, colour: str) -> None:
    """Draw the median of the visits and the band of their quartiles, broken where they are below the limit."""
    for stretch in _stretches(at):
        days = [visit.day for visit in stretch]
        axes.plot(days, [visit.median or 0.0 for visit in stretch], color=colour, zorder=4)
        marked = [visit for visit in stretch if within[0] <= visit.day <= within[1]]
        axes.plot(
            [visit.day for visit in marked], [visit.median or 0.0 for visit in marked], "o", color=colour, zorder=4
        )
        # A lower quartile below the limit is drawn down to the axis: no more is known of it.
        floor = axes.get_ylim()[0]
        axes.fill_between(
            days,
            [visit.lower_quartile or floor for visit in stretch],
            [visit.upper_quartile or visit.median or floor for visit in stretch],
            color=colour,
            alpha=0.18,
            lw=0,
            zorder=2,
        )


def _median_legend(axes: Axes, colour: str) -> None:
    axes.plot([], [], color=colour, marker="o", label="median")
    axes.fill_between([], [], [], color=colour, alpha=0.18, lw=0, label="quartiles")


def _stretches(at: Sequence[Visit]) -> list[list[Visit]]:
    stretches: list[list[Visit]] = [[]]
    for visit in at:
        if visit.median is None:
            stretches.append([])
        else:
            stretches[-1].append(visit)
    return [stretch for stretch in stretches if stretch]


def _peaks(axes: Axes, kinetics: Sequence[Kinetics], colours: Mapping[str, str]) -> None:
    """Draw each subject's peak as a point, side by side in order of size, and their median as a line."""
    import statistics

    ordered = sorted((one.cmax_per_ul, one.subject_id) for one in kinetics if one.cmax_per_ul is not None)
    peaks = [peak for peak, _ in ordered]
    axes.set_xlabel("Peaks")
    axes.set_xticks([])
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", which="both", left=False)
    if peaks:
        places = [(index + 0.5) / len(peaks) for index in range(len(peaks))]
        for place, (peak, subject) in zip(places, ordered, strict=True):
            axes.plot(place, peak, ls="", marker="o", ms=3, color=colours.get(subject, INK))
        axes.axhline(statistics.median(peaks), color=INK if colours else BLUE)
        axes.set_xlim(-0.1, 1.1)


def swimmer_figure(
    courses: Sequence[Course],
    *,
    responses: Sequence[ClinicalText] = (),
    groups: Mapping[str, str] | None = None,
    width_mm: float = PAGE_MM,
) -> Figure:
    """Return a lane for each subject: how long it was followed, how long CAR-T cells were detected, and responses.

    Longest follow-up on top. A response is written at the day for which it was entered.
    """
    named = dict(zip(sorted(set((groups or {}).values())), cycle(GROUP_COLOURS), strict=False))
    ordered = sorted(courses, key=lambda course: (max((p.day for p in course.points), default=0.0), course.subject_id))
    figure = new_figure(width_mm, 18 + 6.0 * len(ordered))
    axes = figure.subplots()
    for row, course in enumerate(ordered):
        colour = named.get((groups or {}).get(course.subject_id, ""), BLUE)
        last = max((point.day for point in course.points), default=0.0)
        persistence = course.kinetics().persistence_days
        axes.barh(row, last, height=0.62, color=PALE, lw=0, zorder=1)
        if persistence:
            axes.barh(row, persistence, height=0.3, color=colour, lw=0, zorder=2)
        if persistence is not None and persistence >= last > 0:
            axes.plot(last, row, marker=">", color=colour, ms=5, clip_on=False, zorder=3)
        for word in responses:
            if word.subject_id == course.subject_id:
                axes.plot(word.day, row, marker="d", ms=3.4, color=INK, zorder=4)
                axes.annotate(word.text, (word.day, row), xytext=(3, 2), textcoords="offset points", zorder=5)
    axes.set_yticks(range(len(ordered)), [course.subject_id for course in ordered])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(-0.6, len(ordered) - 0.4)
    axes.set_xlim(left=0)
    axes.set_xlabel("Days after infusion")
    _swimmer_legend(figure, named, with_words=bool(responses))
    return figure


def _swimmer_legend(figure: Figure, named: Mapping[str, str], *, with_words: bool) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    marks: list[tuple[Line2D | Patch, str]] = [(Patch(color=PALE), "followed")]
    marks += [(Patch(color=colour), f"CAR-T cells detected, {name}") for name, colour in named.items()]
    if not named:
        marks.append((Patch(color=BLUE), "CAR-T cells detected"))
    marks.append((Line2D([], [], color=INK, marker=">", ls="", ms=4), "still detected"))
    if with_words:
        marks.append((Line2D([], [], color=INK, marker="d", ls="", ms=3.4), "response"))
    figure.legend([m for m, _ in marks], [t for _, t in marks], loc="outside upper left", ncols=4)
