"""Every clinical variable of one subject in small panels, by the hundred: sheets of five columns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from cytocar.course.clinical import ClinicalRecord
from cytocar.figures.clinical_panels import plot_values, variable_label
from cytocar.figures.style import FONT_PT, GREY, PAGE_MM, new_figure, plain_log_axis, text_width_pt, two_labels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS, ROWS = 4, 8
_DECADES = 50
"""The largest over the smallest value, from which a panel has a log axis."""


def grid_figures(record: ClinicalRecord, *, title: str = "") -> Iterator[Figure]:
    """Yield sheets on which each variable of a subject has a small panel; all share the axis of days."""
    names = record.variables
    days = [value.day for value in record.values]
    for start in range(0, len(names), COLUMNS * ROWS):
        own = names[start : start + COLUMNS * ROWS]
        rows = -(-len(own) // COLUMNS)
        figure = new_figure(PAGE_MM, 14 + 27 * rows)
        grid = figure.subplots(rows, COLUMNS, squeeze=False, sharex=True).flat
        for axes, name in zip(grid, own, strict=False):
            values = record.series(name)
            sizes = [value.value for value in values if value.value != 0]
            log = bool(sizes) and min(sizes) > 0 and max(sizes) > _DECADES * min(sizes)
            if log:
                plain_log_axis(axes)
            plot_values(axes, values, log=log)
            axes.margins(y=0.2)
            if log:
                two_labels(axes)
            axes.axvline(0, color=GREY, lw=0.6, ls=":")
            label = variable_label(name, values[0].unit)
            while text_width_pt(label) > 110 and len(label) > 4:
                label = label[:-2].rstrip() + "…"
            axes.set_title(label, fontsize=FONT_PT, loc="left", pad=2)
        for axes in list(grid):
            axes.set_visible(False)
        first, last = min(days), max(days)
        margin = 0.05 * (last - first) + 0.5
        figure.axes[0].set_xlim(first - margin, last + margin)
        figure.supxlabel("Days after infusion", fontsize=FONT_PT)
        if title:
            figure.suptitle(title, fontsize=FONT_PT + 1, fontweight="bold", ha="left", x=0.01)
        yield figure
