"""Groups and pairs as pictures: every subject a dot with the quartiles, pairs joined, many variables as a volcano."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cytocar.counting.limits import three_digits
from cytocar.course.groups import Comparison, Measure, Value
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
    settle,
    text_width_pt,
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
    comparisons: Sequence[Comparison],
    measures: Sequence[Measure],
    groups: Mapping[str, str],
    folder: Path,
    *,
    pairs: Sequence[tuple[Measure, Measure]] = (),
) -> list[Path]:
    """Write the boxes of groups or the lines of pairs, and a volcano where there are many variables; return the files.

    The same names are taken each time: an earlier file of a figure that is not drawn now is removed.
    """
    for name in ("groups", "pairs", "volcano"):
        (folder / f"{name}.svg").unlink(missing_ok=True)
    written = []
    with figure_style():
        if measures:
            written.append(save(box_figure(comparisons, measures, groups), folder / "groups.svg"))
        if pairs and comparisons:
            written.append(save(pair_figure(comparisons, pairs), folder / "pairs.svg"))
        if sum(one.p is not None for one in comparisons) >= FEWEST_FOR_VOLCANO:
            written.append(save(volcano_figure(comparisons), folder / "volcano.svg"))
    return written


def box_figure(comparisons: Sequence[Comparison], measures: Sequence[Measure], groups: Mapping[str, str]) -> Figure:
    """Return a panel for each measure: each subject a dot, an open triangle below its limit, median and quartiles."""
    chosen = _chosen(comparisons, [measure.name for measure in measures])
    by_name = {measure.name: measure for measure in measures}
    names = sorted(set(groups.values()))
    figure, panels = _panels(comparisons, chosen)
    for name, axes in zip(chosen, panels, strict=True):
        _boxes(axes, by_name[name], names, groups)
    return figure


def pair_figure(comparisons: Sequence[Comparison], pairs: Sequence[tuple[Measure, Measure]]) -> Figure:
    """Return a panel for each measure: each subject's two values joined by a line, and the medians of both."""
    by_name = {first.name: (first, second) for first, second in pairs}
    sides = {one.measure: (one.first.name, one.second.name) for one in comparisons}
    chosen = _chosen(comparisons, list(by_name))
    figure, panels = _panels(comparisons, chosen)
    for name, axes in zip(chosen, panels, strict=True):
        _pairs(axes, *by_name[name], sides[name])
    return figure


def _chosen(comparisons: Sequence[Comparison], names: Sequence[str]) -> list[str]:
    """Return the measures that are drawn, in their order; of too many those with the smallest p."""
    p_of: dict[str, float] = {}
    for one in comparisons:
        p_of[one.measure] = min(p_of.get(one.measure, math.inf), math.inf if one.p is None else one.p)
    compared = [name for name in names if name in p_of]
    return compared if len(compared) <= MOST_PANELS else sorted(compared, key=p_of.__getitem__)[:MOST_PANELS]


def _panels(comparisons: Sequence[Comparison], chosen: Sequence[str]) -> tuple[Figure, list[Axes]]:
    """Return a figure with a panel for each measure, its name and its p above it."""
    columns = min(len(chosen), 4) or 1
    rows = -(-len(chosen) // columns) or 1
    figure = new_figure(min(PAGE_MM, 50.0 * columns + 6), 62.0 * rows)
    grid = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axes in grid[len(chosen) :]:
        axes.remove()
    for axes, name in zip(grid, chosen, strict=False):
        tested = [one for one in comparisons if one.measure == name and one.p is not None]
        p_text = f"\np = {three_digits(tested[0].p or 0.0)}" if len(tested) == 1 else ""
        axes.set_title(f"{name}{p_text}", loc="left")
    return figure, grid[: len(chosen)]


def _pairs(axes: Axes, first: Measure, second: Measure, sides: tuple[str, str]) -> None:
    """Draw a line for each subject that has both values; where one is a limit the line is dashed."""
    both = sorted(first.values.keys() & second.values.keys())
    pairs = [(first.values[subject], second.values[subject]) for subject in both]
    log, floor = _value_axis(axes, [value for pair in pairs for value in pair])
    for pair in pairs:
        heights = [value.number if value.number > 0 or not log else floor for value in pair]
        bounded = any(value.bound for value in pair)
        axes.plot([0, 1], heights, color=GREY, lw=0.8, ls=(0, (3, 2)) if bounded else "-", zorder=2)
        for place, (value, height) in enumerate(zip(pair, heights, strict=True)):
            _dot(axes, place, height, value.bound)
    for place in (0, 1):
        middle = _quantiles([pair[place] for pair in pairs], log=log)[1]
        if math.isfinite(middle):
            axes.plot([place - 0.2, place + 0.2], [middle, middle], color=INK, lw=1.6, zorder=3)
    axes.set_xticks([0, 1], list(sides))
    axes.set_xlabel(f"n = {len(pairs)}")
    axes.set_xlim(-0.5, 1.5)
    axes.set_ylabel(unit_text(first.unit))
    if log:
        two_labels(axes)


def _value_axis(axes: Axes, values: Sequence[Value]) -> tuple[bool, float]:
    """Make the value axis logarithmic where the values span decades; return whether, and where a zero is drawn."""
    numbers = [value.number for value in values]
    positive = [number for number in numbers if number > 0]
    log = bool(positive) and min(numbers) >= 0 and max(positive) > 20 * min(positive)
    if log:
        plain_log_axis(axes)
    return log, min(positive) / 2 if log else min(numbers, default=0.0)


def _quantiles(values: Sequence[Value], *, log: bool) -> tuple[float, float, float]:
    """Return quartiles and median; minus infinity stands for what lies below a limit, infinity for what lies above."""
    from cytocar.course.cohort import quantile

    ranked = sorted(
        -math.inf if value.bound == "<" or (log and value.number <= 0)
        else math.inf if value.bound == ">"
        else value.number
        for value in values
    )  # fmt: skip
    lower, median, upper = (quantile(ranked, share) if ranked else math.nan for share in (0.25, 0.5, 0.75))
    return lower, median, upper


def _dot(axes: Axes, place: float, height: float, bound: str) -> None:
    """Draw one subject: a dot, or an open triangle that points where the value lies."""
    marker = {"<": "v", ">": "^"}.get(bound, "o")
    fill, size = (BLUE, 3) if not bound else ("white", 4)
    axes.plot(place, height, ls="", marker=marker, ms=size, mfc=fill, mec=BLUE, alpha=0.8, zorder=4)


def _boxes(axes: Axes, measure: Measure, names: Sequence[str], groups: Mapping[str, str]) -> None:
    own = {name: [v for s, v in sorted(measure.values.items()) if groups.get(s) == name] for name in names}
    log, floor = _value_axis(axes, [value for values in own.values() for value in values])
    for place, name in enumerate(names):
        lower, median, upper = _quantiles(own[name], log=log)
        if math.isfinite(upper):
            bottom = lower if lower > -math.inf else floor
            axes.bar(place, upper - bottom, 0.5, bottom, color="none", edgecolor=INK, lw=0.8, zorder=2)
        if math.isfinite(median):
            axes.plot([place - 0.25, place + 0.25], [median, median], color=INK, lw=1.6, zorder=3)
        ordered = sorted(own[name], key=lambda value: (value.bound, value.number))
        for x, value in zip(_spread(place, len(ordered)), ordered, strict=True):
            zero = log and value.number <= 0
            _dot(axes, x, floor if zero else value.number, value.bound or ("<" if zero else ""))
    axes.set_xticks(range(len(names)), [f"{name}\nn = {len(own[name])}" for name in names])
    axes.set_xlim(-0.6, len(names) - 0.4)
    axes.set_ylabel(unit_text(measure.unit))
    if log:
        two_labels(axes)


def _spread(place: int, n: int) -> list[float]:
    """Return places side by side within a box, the same each time."""
    return [place + ((index * 7) % 11 - 5) / 30 for index in range(n)]


def volcano_figure(comparisons: Sequence[Comparison]) -> Figure:
    """Return effect against p for many variables; coloured where p adjusted by Benjamini and Hochberg is below .05.

    Folds and differences have a panel each: a fold of 1 and a difference of 0 are no change.
    """
    from matplotlib.ticker import MaxNLocator

    drawn = [one for one in comparisons if one.p is not None and one.effect is not None]
    kinds = [kind for kind in ("fold", "difference") if any(one.effect_kind == kind for one in drawn)]
    figure = new_figure(PAGE_MM * (0.62 if len(kinds) < 2 else 1), 85)
    panels = list(figure.subplots(1, len(kinds) or 1, sharey=True, squeeze=False)[0])
    named = sorted(drawn, key=lambda one: one.p or 0.0)[:_NAMED]
    for axes, kind in zip(panels, kinds, strict=False):
        own = [one for one in drawn if one.effect_kind == kind]
        for one in own:
            notable = (one.p_bh or 1.0) < 0.05
            axes.plot(*_place(one), marker="o", ls="", ms=3.6, color=VERMILION if notable else GREY, alpha=0.9)
        axes.axvline(0, color=GREY, lw=0.7, ls=":")
        of = list(dict.fromkeys(_sides(one) for one in own))
        axes.set_xlabel(
            f"{'log2 of the fold' if kind == 'fold' else 'Difference'}" + (f", {of[0]}" if len(of) == 1 else "")
        )
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.margins(x=0.25, y=0.1)
    panels[0].set_ylabel("−log10 p")
    settle(figure)
    for axes, kind in zip(panels, kinds, strict=False):
        _write_names(axes, [one for one in named if one.effect_kind == kind], several=_several(drawn))
    return figure


def _several(drawn: Sequence[Comparison]) -> bool:
    return len({(one.first.name, one.second.name) for one in drawn}) > 1


def _sides(one: Comparison) -> str:
    """What the effect is of: the first group against the second, in pairs the later against the earlier."""
    sides = (one.first.name, one.second.name)
    later, earlier = sides[::-1] if one.p_method.startswith("signed rank") else sides
    return f"{later} {'over' if one.effect_kind == 'fold' else 'less'} {earlier}"


def _place(one: Comparison) -> tuple[float, float]:
    """Where a comparison stands in the volcano."""
    size = one.effect.value if one.effect else 0.0
    x = math.log2(size) if one.effect_kind == "fold" and size > 0 else size
    return x, -math.log10(max(one.p or 1.0, 1e-300))


_AROUND = tuple((side, down) for down in (0.0, 9.0, -9.0, 18.0, -18.0, 27.0) for side in (1, -1))
"""Where a name may stand: right or left of its dot, up or down by lines of text (points)."""


def _write_names(axes: Axes, comparisons: Sequence[Comparison], *, several: bool) -> None:
    """Write names, with their groups where there are several pairs of these, beside their dots.

    Only where they meet no other name and stay inside; needs the final layout.
    """
    per_point = axes.figure.dpi / 72
    room = axes.get_window_extent()
    taken: list[tuple[float, float, float, float]] = []
    dots = [tuple(axes.transData.transform(_place(one))) for one in comparisons]
    for one, (dot_x, dot_y) in zip(comparisons, dots, strict=True):
        text = f"{one.measure} ({_sides(one)})" if several else one.measure
        width, height = text_width_pt(text) * per_point, FONT_PT * per_point
        for side, down in _AROUND:
            left = dot_x + 4 * per_point if side > 0 else dot_x - 4 * per_point - width
            low = dot_y - height / 2 - down * per_point
            box = (left, low, left + width, low + height)
            others = [*taken, *((x - 2, y - 2, x + 2, y + 2) for x, y in dots if (x, y) != (dot_x, dot_y))]
            inside = room.x0 <= box[0] and box[2] <= room.x1 and room.y0 <= box[1] and box[3] <= room.y1 + height
            if inside and not any(_meet(box, other) for other in others):
                taken.append(box)
                axes.annotate(
                    text,
                    _place(one),
                    xytext=(4 * side, -down),
                    textcoords="offset points",
                    ha="left" if side > 0 else "right",
                    va="center_baseline",
                )
                break


def _meet(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
