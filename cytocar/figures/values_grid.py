"""Every clinical variable of one subject in small panels, by the hundred: sheets of four columns."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from cytocar.course.clinical import ClinicalRecord, ClinicalValue
from cytocar.figures.clinical_panels import plot_values, variable_label
from cytocar.figures.style import FONT_PT, GREY, PAGE_MM, new_figure, plain_log_axis, text_width_pt, two_labels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS, ROWS = 4, 8
_DECADES = 50
"""The largest over the smallest value, from which a panel has a log axis."""
PANEL_MM, HEAD_MM, FOOT_MM, LABEL_MM = 27.0, 8.0, 10.0, 13.0
"""A panel with its name, the title's line, the axis of days, and the tick labels left of a panel."""
_NAME_PT = 105.0
"""Longest name of a panel: the next begins there."""
_ALWAYS_FIT = 12
"""Letters that fit whatever they are: an M of 8 pt is 7 pt wide, and with its air no more than 9."""


def grid_figures(record: ClinicalRecord, *, title: str = "") -> Iterator[Figure]:
    """Yield sheets on which each variable of a subject has a small panel; all share the axis of days.

    Panels have fixed places: to measure hundreds of them takes longer than to draw them.
    """
    from matplotlib.ticker import MaxNLocator

    names = record.variables
    days = [value.day for value in record.values]
    for start in range(0, len(names), COLUMNS * ROWS):
        own = names[start : start + COLUMNS * ROWS]
        rows = -(-len(own) // COLUMNS)
        height_mm = HEAD_MM + PANEL_MM * rows + FOOT_MM
        figure = new_figure(PAGE_MM, height_mm)
        figure.set_layout_engine(None)
        grid = _places(figure, rows, height_mm)
        margin = 0.05 * (max(days) - min(days)) + 0.5
        for place, (name, axes) in enumerate(zip(own, grid, strict=False)):
            _panel(axes, record.series(name))
            axes.set_xlim(min(days) - margin, max(days) + margin)
            axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
            axes.tick_params(axis="x", labelbottom=place + COLUMNS >= len(own))
        figure.text(0.5, 1.5 / height_mm, "Days after infusion", ha="center", fontsize=FONT_PT)
        if title:
            top = 1 - 1.5 / height_mm
            figure.text(0.01, top, title, ha="left", va="top", fontsize=FONT_PT + 1, fontweight="bold")
        yield figure


def _places(figure: Figure, rows: int, height_mm: float) -> Iterator[Axes]:
    """Yield the axes of a sheet, row by row."""
    width_mm = PAGE_MM / COLUMNS
    for place in range(rows * COLUMNS):
        row, column = divmod(place, COLUMNS)
        bottom_mm = height_mm - HEAD_MM - PANEL_MM * (row + 1) + 2
        yield figure.add_axes(
            (
                (column * width_mm + LABEL_MM) / PAGE_MM,
                bottom_mm / height_mm,
                (width_mm - LABEL_MM - 3) / PAGE_MM,
                (PANEL_MM - 9) / height_mm,
            )
        )


def _panel(axes: Axes, values: Sequence[ClinicalValue]) -> None:
    from matplotlib.ticker import FuncFormatter

    sizes = [value.value for value in values if value.value != 0]
    log = bool(sizes) and min(sizes) > 0 and max(sizes) > _DECADES * min(sizes)
    if log:
        plain_log_axis(axes)
    plot_values(axes, values, log=log)
    axes.margins(y=0.2)
    if log:
        two_labels(axes)
    else:
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _short_number(value)))
    axes.axvline(0, color=GREY, lw=0.6, ls=":")
    # No title: matplotlib looks for the place of each anew, through all ticks.
    label = _fitting(variable_label(values[0]))
    axes.annotate(label, (0, 1), xytext=(0, 2), xycoords="axes fraction", textcoords="offset points", va="bottom")


def _short_number(value: float) -> str:
    """Return a tick's number as its place allows.

    Examples
    --------
    >>> _short_number(0.25), _short_number(12000), _short_number(1234567)
    ('0.25', '12,000', '1.23e6')
    """
    text = f"{value:,.6g}"
    return text if len(text) <= _MOST_LETTERS else re.sub(r"e([+-])0*", r"e\1", f"{value:.3g}").replace("e+", "e")


_MOST_LETTERS = 6
"""Of a tick label: as many as ``LABEL_MM`` holds."""


def _fitting(label: str) -> str:
    """Return a label, cut where it would run into the next panel; a text is not measured for every letter cut off.

    Examples
    --------
    >>> _fitting("IL-6 (ng/L)"), _fitting("Soluble interleukin-2 receptor alpha (ng/L)")
    ('IL-6 (ng/L)', 'Soluble interleukin-2 rec…')
    """
    if len(label) <= _ALWAYS_FIT or text_width_pt(label) <= _NAME_PT:
        return label
    letters = range(_ALWAYS_FIT - 1, len(label) - 1)
    fit = bisect_right(letters, _NAME_PT, key=lambda count: text_width_pt(_cut(label, count)))
    return _cut(label, letters[max(fit - 1, 0)])


def _cut(label: str, letters: int) -> str:
    return label[:letters].rstrip() + "…"
