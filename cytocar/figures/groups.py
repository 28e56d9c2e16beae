"""Groups of subjects as pictures: every subject a dot with the quartiles, and many variables as a volcano."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cytocar.counting.limits import three_digits
from cytocar.course.groups import Comparison, Measure
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
    two_labels,
    unit_text,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_PANELS = 12
"""Boxes on one page; with more variables those with the smallest p are drawn."""
FEWEST_FOR_VOLCANO = 6
_NAMED = 8
"""Names beside the dots of a volcano: more would overlap."""


def write_figures(
    found: Sequence[Comparison], measures: Sequence[Measure], groups: Mapping[str, str], folder: Path
) -> list[Path]:
    """Write the boxes of groups, and a volcano where there are many variables; return the files."""
    written = []
    with figure_style():
        if measures:
            written.append(save(box_figure(found, measures, groups), folder / "groups.svg"))
        if sum(one.p is not None for one in found) >= FEWEST_FOR_VOLCANO:
            written.append(save(volcano_figure(found), folder / "volcano.svg"))
    return written


def box_figure(found: Sequence[Comparison], measures: Sequence[Measure], groups: Mapping[str, str]) -> Figure:
    """Return a panel for each measure: each subject a dot, an open triangle below its limit, median and quartiles."""
    order = {one.measure: one.p for one in sorted(found, key=lambda one: (one.p is None, one.p or 0.0), reverse=True)}
    by_name = {measure.name: measure for measure in measures if measure.name in order}
    chosen = list(by_name.values())
    if len(chosen) > MOST_PANELS:
        chosen = sorted(chosen, key=lambda m: (order[m.name] is None, order[m.name] or 0.0))[:MOST_PANELS]
    columns = min(len(chosen), 4) or 1
    rows = -(-len(chosen) // columns) or 1
    figure = new_figure(min(PAGE_MM, 50.0 * columns + 6), 62.0 * rows)
    names = sorted(set(groups.values()))
    for axes in figure.subplots(rows, columns, squeeze=False).flat[len(chosen) :]:
        axes.remove()
    for axes, measure in zip(figure.axes, chosen, strict=True):
        _boxes(axes, measure, names, groups)
        tested = [one for one in found if one.measure == measure.name and one.p is not None]
        told = ", ".join(f"p = {three_digits(one.p or 0.0)}" for one in tested) if len(tested) == 1 else ""
        axes.set_title(f"{measure.name}\n{told}" if told else measure.name, loc="left")
    return figure


def _boxes(axes: Axes, measure: Measure, names: Sequence[str], groups: Mapping[str, str]) -> None:
    own = {name: [v for s, v in sorted(measure.values.items()) if groups.get(s) == name] for name in names}
    every = [value.number for values in own.values() for value in values]
    positive = [number for number in every if number > 0]
    log = bool(positive) and min(every) >= 0 and max(positive) > 20 * min(positive)
    floor = min(positive) / 2 if log else min(every, default=0.0)
    if log:
        plain_log_axis(axes)
    for place, name in enumerate(names):
        values = own[name]
        below = [value for value in values if value.bound == "<"]
        numbers = sorted(value.number for value in values if value.bound != "<" and (not log or value.number > 0))
        ranked = [-math.inf] * len(below) + numbers
        if ranked:
            from cytocar.course.cohort import quantile

            lower, median, upper = (quantile(ranked, share) for share in (0.25, 0.5, 0.75))
            if upper > -math.inf:
                bottom = lower if lower > -math.inf else floor
                axes.bar(place, upper - bottom, 0.5, bottom, color="none", edgecolor=INK, lw=0.8, zorder=2)
            if median > -math.inf:
                axes.plot([place - 0.25, place + 0.25], [median, median], color=INK, lw=1.6, zorder=3)
        axes.plot(_spread(place, len(numbers)), numbers, ls="", marker="o", ms=3, color=BLUE, alpha=0.8, zorder=4)
        limits = [value.number or floor for value in below]
        axes.plot(_spread(place, len(limits)), limits, ls="", marker="v", mfc="white", mec=BLUE, ms=4, zorder=4)
    axes.set_xticks(range(len(names)), [f"{name}\nn = {len(own[name])}" for name in names])
    axes.set_xlim(-0.6, len(names) - 0.4)
    axes.set_ylabel(unit_text(measure.unit))
    if log:
        two_labels(axes)


def _spread(place: int, n: int) -> list[float]:
    """Return places side by side within a box, the same each time."""
    return [place + ((index * 7) % 11 - 5) / 30 for index in range(n)]


def volcano_figure(found: Sequence[Comparison]) -> Figure:
    """Return effect against p for many variables; coloured where p adjusted by Benjamini and Hochberg is below .05."""
    figure = new_figure(PAGE_MM * 0.62, 85)
    axes = figure.subplots()
    drawn = [one for one in found if one.p is not None and one.effect is not None]
    folds = all(one.effect_kind == "fold" for one in drawn)
    places = []
    for one in drawn:
        size = one.effect.value if one.effect else 0.0
        x = math.log2(size) if folds and size > 0 else size
        places.append((x, -math.log10(max(one.p or 1.0, 1e-300)), one))
    for x, y, one in places:
        notable = (one.p_bh or 1.0) < 0.05
        axes.plot(x, y, marker="o", ls="", ms=3.6, color=VERMILION if notable else GREY, alpha=0.9)
    for x, y, one in sorted(places, key=lambda place: -place[1])[:_NAMED]:
        axes.annotate(one.measure, (x, y), xytext=(4, 1), textcoords="offset points", fontsize=FONT_PT)
    axes.axvline(0, color=GREY, lw=0.7, ls=":")
    pair = f"{drawn[0].first.name} over {drawn[0].second.name}" if drawn else ""
    axes.set_xlabel(f"log2 of the fold, {pair}" if folds else f"Shift, {pair}")
    axes.set_ylabel("−log10 p")
    axes.margins(x=0.2, y=0.1)
    return figure
