"""The two figures of one patient: the first weeks with what was done, and the months with the blood counts.

Both stack panels on one time axis, CAR-T cells among them. A panel appears when its data are there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

from msgspec import Struct

from cytocar.course.clinical import ClinicalRecord, ClinicalValue, Intervention
from cytocar.course.run_tables import B_CELLS
from cytocar.course.series import CoursePoint
from cytocar.figures.clinical_panels import (
    BIOMARKERS,
    GRADES,
    Lines,
    biomarker_panel,
    grade_panel,
    temperature_panel,
    threshold_lines,
    value_panel,
    write_grades,
)
from cytocar.figures.course import DAYS_PER_MONTH, Days, car_t_panel, curve_legend, day_text, ratio_panel, shade
from cytocar.figures.lanes import LANE_MM, drug_panel, lanes, write_doses
from cytocar.figures.style import GREY, PAGE_MM, align_value_labels, new_figure, settle

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ACUTE_DAYS: Days = (-7.0, 28.0)
"""The first weeks: from lymphodepletion to the first month's visit."""
_MARGIN_DAYS = 0.8
"""Beyond the first and the last day, so that the blocks of their grades and doses stay whole."""

LONG_TERM = ("haemoglobin", "platelets", "anc", "b_cells")
TRANSGENE = "transgene"
"""Copies/µg DNA: another unit than cells/µL, so a panel of its own."""
NOT_IN_MONTHS = frozenset({"temperature", "systolic", "diastolic", "heart_rate", *GRADES})
"""Variables of the first days: over months only when asked for."""
MOST_PANELS = 12
"""Panels of variables over months: with more a page is too short; all values stand in covariates.csv."""
_ALWAYS_LOG = frozenset({B_CELLS, TRANSGENE})


class StackedPanel(Struct, frozen=True):
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
    shaded: Sequence[str] = (),
    also: Sequence[str] = (),
    populations: Sequence[str] = (),
    window: Days | None = None,
    lines: Lines = MappingProxyType({}),
) -> Figure:
    """Return the first weeks: temperature and pressures, biomarkers, CAR-T, ratio, grades, drugs, on one day axis.

    Parameters
    ----------
    shaded : sequence of str
        Drugs whose days are shaded on every curve of cells, such as a switch that pauses them.
    also : sequence of str
        Further variables, a panel for each.
    populations : sequence of str
        Populations of the tubes, a panel for each.
    window : pair of float, optional
        First and last day; without it the first four weeks, as far as there are data.
    lines : mapping, optional
        Thresholds in place of ``THRESHOLDS``, by variable or population.
    """
    first, last = window or _acute_days(points, record)
    days = (first - _MARGIN_DAYS, last + _MARGIN_DAYS)
    courses = [course for course in record.interventions if course.name in shaded]
    within = _between(record, days)
    panels = [
        *_clinical_panels(within, also, lines),
        StackedPanel(42, partial(_curve, points=points, shaded=courses, days=days)),
        *_population_panels(points, populations, courses, days, lines),
        *_strips(points, within, days),
        *_lane_panels(record, days),
    ]
    figure, stack = _stack(panels, days, width_mm)
    shown = [point for point in points if days[0] <= point.day <= days[1]]
    curve_legend(figure, shown, title=title, shaded=[course.name for course in courses])
    narrow = width_mm < 0.75 * PAGE_MM
    step = next(step for step in (1, 2, 7, 14, 28, 91, 182, 365) if (days[1] - days[0]) / step <= (7 if narrow else 18))
    ticks = range(int(-(-days[0] // step)) * step, int(days[1]) + 1, step)
    stack[-1].set_xticks(list(ticks), [day_text(tick) for tick in ticks])
    stack[-1].set_xlabel("Days after infusion")
    _write(figure, stack, panels)
    return figure


def has_long_term(record: ClinicalRecord, points: Sequence[CoursePoint] = ()) -> bool:
    """True if there is anything besides CAR-T to draw over months."""
    values = any(value.day > ACUTE_DAYS[1] for value in record.values)
    drugs = any(max(course.start_day, course.end_day or 0.0) > ACUTE_DAYS[1] for course in record.interventions)
    return values or drugs or any(point.b_cells_per_ul is not None for point in points)


def long_term_figure(
    points: Sequence[CoursePoint],
    record: ClinicalRecord,
    *,
    title: str = "",
    width_mm: float = PAGE_MM,
    shaded: Sequence[str] = (),
    also: Sequence[str] = (),
    populations: Sequence[str] = (),
    lines: Lines = MappingProxyType({}),
) -> Figure:
    """Return the months: blood counts, B cells, CAR-T and what goes on or begins after the first weeks.

    Biomarkers and other variables have a panel where they were measured after the first weeks; drugs and events have a
    lane where they reach beyond them.
    """
    counted = [name for name in populations if any(name in point.populations for point in points)]
    late = {value.variable for value in record.values if value.day > ACUTE_DAYS[1]}
    names = [name for name in (*LONG_TERM, TRANSGENE) if not (name == B_CELLS and B_CELLS in counted)]
    names += [name for name in dict.fromkeys((*also, *record.variables)) if name not in names and name in late]
    names = [name for name in names if name not in NOT_IN_MONTHS or name in also]
    series = {name: record.series(name) for name in names}
    present = [values for values in series.values() if values]
    last = max((values[-1].day for values in present), default=0.0) or max((p.day for p in points), default=1.0)
    last = max([last, *(point.day for point in points if any(name in point.populations for name in counted))])
    first = min([0.0, *(values[0].day for values in present)])
    days = (max(first, -30.0) - 0.02 * last, 1.02 * last)
    courses = [course for course in record.interventions if course.name in shaded]
    panels = [
        StackedPanel(
            22, partial(value_panel, values=v, log=v[0].variable in _ALWAYS_LOG or _spans_decades(v), lines=lines)
        )
        for v in present[:MOST_PANELS]
    ]
    panels.append(StackedPanel(38, partial(_curve, points=points, shaded=courses, days=days)))
    panels += _population_panels(points, counted, courses, days, lines)
    panels += _lane_panels(record, days, beyond=ACUTE_DAYS[1])
    figure, stack = _stack(panels, days, width_mm)
    shown = [point for point in points if days[0] <= point.day <= days[1]]
    curve_legend(figure, shown, title=title, shaded=[course.name for course in courses])
    step = next(step for step in (1, 2, 3, 6, 12, 24, 60) if last / DAYS_PER_MONTH / step <= 12)
    marks = range(0, int(last / DAYS_PER_MONTH) + 1, step)
    stack[-1].set_xticks([mark * DAYS_PER_MONTH for mark in marks], [f"{mark}" for mark in marks])
    stack[-1].set_xlabel("Months after infusion")
    _write(figure, stack, panels)
    return figure


def _write(figure: Figure, stack: Sequence[Axes], panels: Sequence[StackedPanel]) -> None:
    """Settle the layout, and write into the panels what depends on it."""
    settle(figure)
    for axes, panel in zip(stack, panels, strict=True):
        if panel.write is not None:
            panel.write(axes)


def _population_panels(
    points: Sequence[CoursePoint], populations: Sequence[str], shaded: Sequence[Intervention], days: Days, lines: Lines
) -> Iterator[StackedPanel]:
    """Yield a curve for each population, drawn as that of CAR-T cells: intervals, limits, open triangles."""
    for name in populations:
        own = [point.of_population(name) for point in points if name in point.populations]
        if any(days[0] <= point.day <= days[1] for point in own):
            yield StackedPanel(26, partial(_curve, points=own, shaded=shaded, days=days, population=name, lines=lines))


def _lane_panels(record: ClinicalRecord, days: Days, *, beyond: float | None = None) -> Iterator[StackedPanel]:
    """Yield the lanes of events, then those of drugs; only those that reach ``beyond`` a day, where one is given."""
    courses = [
        course
        for course in record.interventions
        if beyond is None or course.end_day is None or course.end_day > beyond or course.start_day > beyond
    ]
    for events in (True, False):
        own = lanes([course for course in courses if course.is_event is events], *days)
        if own:
            yield StackedPanel(len(own) * LANE_MM + 1, partial(drug_panel, drugs=own), partial(write_doses, drugs=own))


def _clinical_panels(record: ClinicalRecord, also: Sequence[str], lines: Lines) -> Iterator[StackedPanel]:
    """Yield the panels above the curve."""
    if any(record.series(name) for name in ("temperature", "systolic", "diastolic")):
        yield StackedPanel(24, partial(temperature_panel, record=record))
    if any(record.series(name) for name in BIOMARKERS):
        yield StackedPanel(30, partial(biomarker_panel, record=record))
    for name in (*also, TRANSGENE):
        values = record.series(name)
        if values:
            yield StackedPanel(
                22, partial(value_panel, values=values, log=name == TRANSGENE or _spans_decades(values), lines=lines)
            )


def _curve(
    axes: Axes,
    points: Sequence[CoursePoint],
    shaded: Sequence[Intervention],
    days: Days,
    population: str = "",
    lines: Lines = MappingProxyType({}),
) -> None:
    shade(axes, shaded, days)
    if population:
        car_t_panel(axes, points, within=days, label=f"{population_label(population)}\n(/µL)")
        threshold_lines(axes, population, lines)
    else:
        car_t_panel(axes, points, within=days)


def population_label(name: str) -> str:
    """Return a population's name as an axis prints it.

    Examples
    --------
    >>> population_label("nk_cells"), population_label("car_t"), population_label("lymphocytes")
    ('NK cells', 'CAR-T', 'Lymphocytes')
    """
    first, _, rest = name.partition("_")
    if (first, rest) == ("car", "t"):
        return "CAR-T"
    return " ".join((first.upper() if len(first) < 4 else first.capitalize(), *rest.split("_"))).strip()


def _strips(points: Sequence[CoursePoint], record: ClinicalRecord, days: Days) -> Iterator[StackedPanel]:
    """Yield the low panels below the curve: the ratio, and the grades."""
    if any(point.car_cd4_cd8_ratio.value and point.quantified for point in points if point.day <= days[1]):
        yield StackedPanel(15, partial(ratio_panel, points=points, within=days))
    grades = sum(bool(record.series(name)) for name in GRADES)
    if grades:
        yield StackedPanel(
            LANE_MM * grades + 1, partial(grade_panel, record=record), partial(write_grades, record=record)
        )


def _spans_decades(values: Sequence[ClinicalValue]) -> bool:
    """True if values are drawn on a log axis: none negative, the largest over 50 times the smallest but 0."""
    sizes = [value.value for value in values if value.value != 0]
    return bool(sizes) and min(sizes) > 0 and max(sizes) > 50 * min(sizes)


def _acute_days(points: Sequence[CoursePoint], record: ClinicalRecord) -> Days:
    """Return the days that the figure spans: as far as there are data, within the first weeks."""
    days = [0.0, *(point.day for point in points), *(value.day for value in record.values)]
    days += [course.start_day for course in record.interventions]
    within = [day for day in days if ACUTE_DAYS[0] <= day <= ACUTE_DAYS[1]]
    last = max(*within, *(course.end_day for course in record.interventions if course.end_day is not None), 1.0)
    return min(within), min(last, ACUTE_DAYS[1])


def _between(record: ClinicalRecord, days: Days) -> ClinicalRecord:
    """Return the values of these days: an axis must not stretch for what lies beyond it."""
    values = tuple(value for value in record.values if days[0] <= value.day <= days[1])
    return ClinicalRecord(values, record.interventions)


def _stack(panels: Sequence[StackedPanel], days: Days, width_mm: float) -> tuple[Figure, list[Axes]]:
    """Return a figure with its panels drawn, one above the other on one axis of days."""
    heights = [panel.height_mm for panel in panels]
    figure = new_figure(width_mm, sum(heights) + 4.5 * len(panels) + 18)
    stack = list(figure.subplots(len(panels), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0])
    for axes, panel in zip(stack, panels, strict=True):
        axes.set_xlim(*days)
        panel.draw(axes)
        axes.set_xlim(*days)
        axes.axvline(0, color=GREY, lw=0.7, ls=":", zorder=0)
    align_value_labels(figure, stack)
    return figure, stack
