"""The two figures of one patient: the first weeks with what was done, and the months with the blood counts.

Both stack panels on one time axis, CAR-T cells among them. A panel appears when its data are there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from cytocar.course.clinical import ClinicalRecord, ClinicalValue, Intervention
from cytocar.course.series import CoursePoint
from cytocar.figures.clinical_panels import (
    BIOMARKERS,
    GRADES,
    LANE_MM,
    biomarker_panel,
    drug_panel,
    grade_panel,
    lanes,
    temperature_panel,
    value_panel,
    write_doses,
    write_grades,
)
from cytocar.figures.course import DAYS_PER_MONTH, Days, car_t_panel, curve_legend, day_text, ratio_panel
from cytocar.figures.style import GREY, PAGE_MM, PALE, new_figure, settle

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ACUTE_DAYS: Days = (-7.0, 28.0)
"""The first weeks: from lymphodepletion to the first month's visit."""

LONG_TERM = ("haemoglobin", "platelets", "anc", "b_cells")
TRANSGENE = "transgene"
"""Copies/µg DNA: another unit than cells/µL, so a panel of its own."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel of a stack: its height, what draws it, and what writes into it once its width is known."""

    height_mm: float
    draw: Callable[[Axes], None]
    write: Callable[[Axes], None] | None = None


def acute_figure(
    points: Sequence[CoursePoint],
    record: ClinicalRecord,
    *,
    title: str = "",
    width_mm: float = PAGE_MM,
    shade: str | None = None,
    also: Sequence[str] = (),
) -> Figure:
    """Return the first weeks: temperature and pressures, biomarkers, CAR-T, ratio, grades, drugs, on one day axis.

    Parameters
    ----------
    shade : str, optional
        A drug whose days are shaded on the CAR-T panel, such as a switch that pauses the cells.
    also : sequence of str
        Further variables, a panel for each.
    """
    days = _acute_days(points, record)
    drugs = lanes(record.interventions, *days)
    shaded = [course for course in record.interventions if course.name == shade]
    within = _between(record, days)
    panels = [
        *_clinical_panels(within, also),
        Panel(42, partial(_car_t_with_shade, points=points, shaded=shaded, days=days)),
        *_strips(points, within, days),
    ]
    if drugs:
        panels.append(
            Panel(
                len(drugs) * LANE_MM + 1,
                partial(drug_panel, drugs=drugs),
                partial(write_doses, drugs=drugs),
            )
        )
    figure, stack = _stack(panels, days, width_mm)
    shown = [point for point in points if days[0] <= point.day <= days[1]]
    curve_legend(figure, shown, title=title, shaded=shade if shaded else None)
    step = 7 if width_mm < 0.75 * PAGE_MM else 2
    ticks = range(int(-(-days[0] // step)) * step, int(days[1]) + 1, step)
    stack[-1].set_xticks(list(ticks), [day_text(tick) for tick in ticks])
    stack[-1].set_xlabel("Days after infusion")
    settle(figure)
    for axes, panel in zip(stack, panels, strict=True):
        if panel.write is not None:
            panel.write(axes)
    return figure


def has_long_term(record: ClinicalRecord, points: Sequence[CoursePoint] = ()) -> bool:
    """Return whether there is anything besides CAR-T to draw over months."""
    after = [value for name in LONG_TERM for value in record.series(name) if value.day > ACUTE_DAYS[1]]
    return bool(after) or any(point.b_cells_per_ul is not None for point in points)


def long_term_figure(
    points: Sequence[CoursePoint], record: ClinicalRecord, *, title: str = "", width_mm: float = PAGE_MM
) -> Figure:
    """Return the months: haemoglobin, platelets, neutrophils, B cells and CAR-T over the time that the counts span."""
    series = {name: record.series(name) for name in (*LONG_TERM, TRANSGENE)}
    if not series["b_cells"]:
        series["b_cells"] = _b_cells(points)
    present = [values for values in series.values() if values]
    last = max((values[-1].day for values in present), default=max((point.day for point in points), default=1.0))
    first = min([0.0, *(values[0].day for values in present)])
    days = (max(first, -30.0) - 0.02 * last, 1.02 * last)
    panels = [
        Panel(22, partial(value_panel, values=values, log=values[0].variable in ("b_cells", TRANSGENE)))
        for values in present
    ]
    panels.append(Panel(38, partial(car_t_panel, points=points, within=days)))
    figure, stack = _stack(panels, days, width_mm)
    curve_legend(figure, [point for point in points if days[0] <= point.day <= days[1]], title=title)
    step = next(step for step in (1, 2, 3, 6, 12, 24, 60) if last / DAYS_PER_MONTH / step <= 12)
    marks = range(0, int(last / DAYS_PER_MONTH) + 1, step)
    stack[-1].set_xticks([mark * DAYS_PER_MONTH for mark in marks], [f"{mark}" for mark in marks])
    stack[-1].set_xlabel("Months after infusion")
    return figure


def _b_cells(points: Sequence[CoursePoint]) -> tuple[ClinicalValue, ...]:
    return tuple(
        ClinicalValue(point.subject_id, point.day, "b_cells", point.b_cells_per_ul, "/uL")
        for point in points
        if point.b_cells_per_ul is not None
    )


def _clinical_panels(record: ClinicalRecord, also: Sequence[str]) -> Iterator[Panel]:
    """Yield the panels above the curve."""
    if any(record.series(name) for name in ("temperature", "systolic", "diastolic")):
        yield Panel(24, partial(temperature_panel, record=record))
    if any(record.series(name) for name in BIOMARKERS):
        yield Panel(30, partial(biomarker_panel, record=record))
    for name in (*also, TRANSGENE):
        values = record.series(name)
        if values:
            yield Panel(22, partial(value_panel, values=values, log=name == TRANSGENE or _spans_decades(values)))


def _car_t_with_shade(axes: Axes, points: Sequence[CoursePoint], shaded: Sequence[Intervention], days: Days) -> None:
    _shade(axes, shaded, days)
    car_t_panel(axes, points, within=days)


def _strips(points: Sequence[CoursePoint], record: ClinicalRecord, days: Days) -> Iterator[Panel]:
    """Yield the low panels below the curve: the ratio, and the grades."""
    if any(point.car_cd4_cd8_ratio.value and point.quantified for point in points if point.day <= days[1]):
        yield Panel(15, partial(ratio_panel, points=points, within=days))
    grades = sum(bool(record.series(name)) for name in GRADES)
    if grades:
        yield Panel(LANE_MM * grades + 1, partial(grade_panel, record=record), partial(write_grades, record=record))


def _spans_decades(values: Sequence[ClinicalValue]) -> bool:
    """Return whether values are drawn on a log axis: all above 0, and the largest more than 50 times the smallest."""
    sizes = [value.value for value in values]
    return min(sizes) > 0 and max(sizes) > 50 * min(sizes)


def _acute_days(points: Sequence[CoursePoint], record: ClinicalRecord) -> Days:
    """Return the days that the figure spans: as far as there are data, within the first weeks."""
    days = [0.0, *(point.day for point in points), *(value.day for value in record.values)]
    days += [course.start_day for course in record.interventions]
    within = [day for day in days if ACUTE_DAYS[0] <= day <= ACUTE_DAYS[1]]
    last = max(*within, *(course.end_day for course in record.interventions if course.end_day is not None), 1.0)
    return min(within) - 0.8, min(last, ACUTE_DAYS[1]) + 0.8


def _between(record: ClinicalRecord, days: Days) -> ClinicalRecord:
    """Return the values of these days: an axis must not stretch for what lies beyond it."""
    values = tuple(value for value in record.values if days[0] <= value.day <= days[1])
    return ClinicalRecord(values, record.interventions)


def _stack(panels: Sequence[Panel], days: Days, width_mm: float) -> tuple[Figure, list[Axes]]:
    """Return a figure with its panels drawn, one above the other on one axis of days."""
    heights = [panel.height_mm for panel in panels]
    figure = new_figure(width_mm, sum(heights) + 4.5 * len(panels) + 18)
    stack = list(figure.subplots(len(panels), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0])
    for axes, panel in zip(stack, panels, strict=True):
        axes.set_xlim(*days)
        panel.draw(axes)
        axes.set_xlim(*days)
        axes.axvline(0, color=GREY, lw=0.7, ls=":", zorder=0)
    figure.align_ylabels([axes for axes in stack if axes.get_ylabel()])
    return figure, stack


def _shade(axes: Axes, courses: Sequence[Intervention], days: Days) -> None:
    """Shade the days of a drug behind the curve; the legend names it."""
    for course in courses:
        end = days[1] if course.end_day is None else course.end_day + 0.45
        axes.axvspan(course.start_day - 0.45, end, color=PALE, lw=0, zorder=0)
