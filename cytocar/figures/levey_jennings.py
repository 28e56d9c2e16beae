"""Levey-Jennings charts as one figure: a panel for each quantity, runs from left to right, lines at 1, 2 and 3 SD."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cytocar.figures.style import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    PAGE_MM,
    PALE,
    VERMILION,
    figure_style,
    new_figure,
    save,
)
from cytocar.qc.levey_jennings import Chart, Verdict
from cytocar.qc.westgard import WARNING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PANEL_MM = 34.0
COLUMNS = 2
NAMES, LETTERS = 5, 10
"""Runs named below a panel, and how much of each name there is room for."""
COLORS = {Verdict.OK: BLUE, Verdict.WARNING: ORANGE, Verdict.OUT: VERMILION, Verdict.NO_LIMITS: GREY}
SHAPES = {Verdict.OK: "o", Verdict.WARNING: "^", Verdict.OUT: "X", Verdict.NO_LIMITS: "o"}
"""A second sign beside the colour, for print in grey."""


def draw_levey_jennings(charts: Sequence[Chart], path: Path) -> Path:
    """Write the charts as SVG, PDF or PNG, as the path's suffix says."""
    rows = -(-len(charts) // COLUMNS)
    with figure_style():
        figure = new_figure(PAGE_MM, 8 + PANEL_MM * max(rows, 1))
        grid = figure.subplots(max(rows, 1), COLUMNS, squeeze=False)
        panels = [axes for row in grid for axes in row]
        for axes, chart in zip(panels, charts, strict=False):
            _panel(axes, chart)
        for axes in panels[len(charts) :]:
            axes.set_axis_off()
        return save(figure, path)


def _panel(axes: Axes, chart: Chart) -> None:
    axes.set_title(str(chart.quantity), loc="left")
    values = [point.value for point in chart.points]
    if chart.target is not None:
        for distance, width in ((0, 1.0), (1, 0.4), (2, 0.6), (3, 0.8)):
            for sign in (-1, 1):
                at = chart.target.mean + sign * distance * chart.target.sd
                axes.axhline(at, color=INK if distance == 0 else PALE if distance == 1 else GREY, linewidth=width)
    axes.plot(range(len(values)), values, color=GREY, linewidth=0.8, zorder=2)
    before: tuple[str, ...] = ()
    for place, point in enumerate(chart.points):
        axes.plot(place, point.value, SHAPES[point.verdict], color=COLORS[point.verdict], zorder=3)
        rejecting = tuple(rule for rule in point.rules if rule != WARNING)
        if point.verdict is Verdict.OUT and rejecting != before:
            axes.annotate(rejecting[-1], (place, point.value), xytext=(0, 5), textcoords="offset points", ha="center")
        before = rejecting
    step = -(-len(values) // NAMES)
    axes.set_xticks(range(0, len(values), step), [point.run[-LETTERS:] for point in chart.points[::step]])
    axes.margins(x=0.05, y=0.2)
