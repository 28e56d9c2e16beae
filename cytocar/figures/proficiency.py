"""z scores of proficiency samples in the order of surveys, a panel for each measurand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cytocar.figures.style import BLUE, GREY, INK, ORANGE, PAGE_MM, PALE, VERMILION, figure_style, new_figure, save
from cytocar.qc.eqa import CRITICAL, SATISFACTORY, Performance, Scored
from cytocar.tables.columns import COUNTS

PANEL_MM = 36.0
_HEADINGS = {column.name: column.heading or column.name for column in COUNTS}
_SIGNS = {
    Performance.SATISFACTORY: ("o", BLUE),
    Performance.ACTION: ("^", ORANGE),
    Performance.CRITICAL: ("X", VERMILION),
}
"""A sign beside the colour, for print in grey."""


def draw_scores(scores: Sequence[Scored], path: Path) -> Path | None:
    """Write the chart as SVG, PDF or PNG, as the path's suffix says; nothing where no result has a z."""
    by_measurand: dict[str, list[Scored]] = {}
    for one in scores:
        if one.z is not None:
            by_measurand.setdefault(one.result.measurand, []).append(one)
    if not by_measurand:
        return None
    with figure_style():
        figure = new_figure(PAGE_MM, PANEL_MM * len(by_measurand) + 6)
        panels = figure.subplots(len(by_measurand), 1, squeeze=False).flat
        for axes, (measurand, of_it) in zip(panels, by_measurand.items(), strict=True):
            for distance, color in ((0.0, INK), (SATISFACTORY, GREY), (CRITICAL, PALE)):
                for side in {distance, -distance}:
                    axes.axhline(side, color=color, linewidth=0.8)
            for place, one in enumerate(of_it):
                sign, color = _SIGNS[one.performance]
                axes.plot(place, one.z or 0.0, sign, color=color)
            axes.set_title(_HEADINGS[measurand], loc="left")
            axes.set_ylabel("z")
            axes.set_xticks(range(len(of_it)), [one.result.sample for one in of_it])
            reach = max(3.5, *(abs(one.z or 0.0) * 1.1 for one in of_it))
            axes.set_ylim(-reach, reach)
        return save(figure, path)
