"""One figure for each study of a validation and measurand, as its guideline draws it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cytocar.figures.style import (
    BLUE,
    GREY,
    GROUP_COLOURS,
    INK,
    ORANGE,
    PAGE_MM,
    PALE,
    VERMILION,
    figure_style,
    new_figure,
    plain_log_axis,
    save,
    two_labels,
)
from cytocar.tables.columns import COUNTS
from cytocar.validation.designs import BLANK, Kind
from cytocar.validation.evaluate.comparison import pairs_of
from cytocar.validation.evaluate.in_sequence import times_of
from cytocar.validation.evaluate.statistic import Statistic, groups
from cytocar.validation.study import Study

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HEIGHT_MM = 62.0
MOST_PANELS = 4
"""Levels of a precision study that are drawn beside each other."""
_HEADINGS = {column.name: column.heading or column.name for column in COUNTS}
Statistics = Mapping[tuple[str, str], Statistic]
"""Statistics of the study and measurand, by name and level."""


def draw_study(study: Study, measurand: str, statistics: Sequence[Statistic], path: Path) -> Path:
    """Write the figure of a study and measurand as SVG, PDF or PNG, as the path's suffix says."""
    by_name = {(one.name, one.level): one for one in statistics}
    levels = list(groups(study.used, lambda tube: tube.level))
    panels = {Kind.PRECISION: min(len(levels), MOST_PANELS), Kind.COMPARISON: 2, Kind.LINEARITY: 2}.get(study.kind, 1)
    with figure_style():
        figure = new_figure(PAGE_MM if panels > 1 else PAGE_MM * 0.7, HEIGHT_MM)
        axes = list(figure.subplots(1, panels, squeeze=False).flat)
        _DRAW[study.kind](axes, study, measurand, by_name)
        return save(figure, path)


def words_of(study: Study, measurand: str) -> str:
    """What a figure shows, for those who do not see it.

    Its numbers stand in the table beside it.
    """
    return f"{_SHOWS[study.kind]} of {_HEADINGS[measurand]}, {len(study.used)} tubes"


def _precision(panels: list[Axes], study: Study, measurand: str, statistics: Statistics) -> None:
    for axes, (level, tubes) in zip(panels, groups(study.used, lambda tube: tube.level).items(), strict=False):
        days = list(dict.fromkeys(tube.sample.val_day for tube in tubes))
        for tube in tubes:
            value = tube.number(measurand)
            if value is not None:
                colour = (
                    GROUP_COLOURS[(int(tube.sample.val_run or 1) - 1) % 6]
                    if (tube.sample.val_run or "").isdigit()
                    else BLUE
                )
                axes.plot(days.index(tube.sample.val_day) + 1, value, "o", color=colour)
        mean = statistics.get(("mean", level))
        if mean is not None and mean.estimate.value is not None:
            axes.axhline(mean.estimate.value, color=GREY, linewidth=0.8)
        axes.set_title(level, loc="left")
        axes.set_xlabel("day")
        axes.set_xticks(range(1, len(days) + 1, max(1, len(days) // 5)))
        axes.margins(y=0.25)
    panels[0].set_ylabel(_HEADINGS[measurand])


def _linearity(panels: list[Axes], study: Study, measurand: str, statistics: Statistics) -> None:
    line, apart = panels
    at = [(tube.sample.val_expected or 0.0, tube.number(measurand)) for tube in study.used]
    known = [(x, y) for x, y in at if y is not None]
    line.plot([x for x, _ in known], [y for _, y in known], "o", color=BLUE)
    slope, intercept = statistics["slope", ""].estimate.value, statistics["intercept", ""].estimate.value
    if slope is not None and intercept is not None:
        ends = (min(x for x, _ in known), max(x for x, _ in known))
        line.plot(ends, [intercept + slope * x for x in ends], color=INK, linewidth=0.8)
    line.set_xlabel("expected")
    line.set_ylabel(_HEADINGS[measurand])
    _intervals(apart, [(float(level), one) for (name, level), one in statistics.items() if name == "deviation"])
    apart.axhline(0, color=GREY, linewidth=0.8)
    apart.set_xlabel("expected")
    apart.set_ylabel("mean minus line, %")


def _intervals(axes: Axes, points: Sequence[tuple[float, Statistic]]) -> None:
    for x, one in points:
        estimate = one.estimate
        if estimate.value is None:
            continue
        axes.plot(x, estimate.value, "o", color=BLUE)
        if estimate.low is not None and estimate.high is not None:
            axes.plot([x, x], [estimate.low, estimate.high], color=BLUE)


def _detection(panels: list[Axes], study: Study, measurand: str, statistics: Statistics) -> None:
    (axes,) = panels
    levels = groups(study.used, lambda tube: tube.level)
    names = sorted(levels, key=lambda name: (name != BLANK, levels[name][0].sample.val_expected or 0.0))
    for place, name in enumerate(names):
        values = [value for tube in levels[name] if (value := tube.number(measurand)) is not None]
        spread = [place + 0.5 * (number / max(1, len(values) - 1) - 0.5) for number in range(len(values))]
        axes.plot(spread, values, "o", color=GREY if name == BLANK else BLUE, markersize=3)
    for name, text, colour in (("lob", "limit of blank", VERMILION), ("lod", "limit of detection", ORANGE)):
        value = statistics[name, ""].estimate.value
        if value is not None:
            axes.axhline(value, color=colour, linewidth=1)
            axes.annotate(text, (1.0, value), xycoords=("axes fraction", "data"), ha="right", va="bottom", color=INK)
    axes.set_xticks(range(len(names)), names)
    axes.set_ylabel(_HEADINGS[measurand])


def _comparison(panels: list[Axes], study: Study, measurand: str, statistics: Statistics) -> None:
    line, apart = panels
    pairs = pairs_of(study, measurand)
    x, y = [pair[1] for pair in pairs], [pair[2] for pair in pairs]
    ends = (min(x), max(x))
    line.plot(x, y, "o", color=BLUE, markersize=3)
    line.plot(ends, ends, color=PALE)
    slope = statistics["passing_bablok_slope", ""].estimate.value
    intercept = statistics["passing_bablok_intercept", ""].estimate.value
    if slope is not None and intercept is not None:
        line.plot(ends, [intercept + slope * at for at in ends], color=INK, linewidth=0.8)
    line.set_xlabel("comparative method")
    line.set_ylabel(_HEADINGS[measurand])
    positive = [(a, b) for a, b in zip(x, y, strict=True) if a + b > 0]
    apart.plot(
        [(a + b) / 2 for a, b in positive],
        [200 * (b - a) / (a + b) for a, b in positive],
        "o",
        color=BLUE,
        markersize=3,
    )
    for name in ("bias_percent", "agreement_low", "agreement_high"):
        one = statistics.get((name, ""))
        if one is not None and one.estimate.value is not None:
            apart.axhline(
                one.estimate.value, color=INK, linewidth=0.8, linestyle="-" if name == "bias_percent" else "--"
            )
    apart.set_xlabel("mean of both methods")
    apart.set_ylabel("difference, % of mean")


def _carry_over(panels: list[Axes], study: Study, measurand: str, _statistics: Statistics) -> None:
    (axes,) = panels
    for colour, tubes in zip(GROUP_COLOURS * 10, groups(study.used, lambda t: t.sample.val_run).values(), strict=False):
        order = sorted(tubes, key=lambda tube: (tube.level, tube.sample.val_rep or ""))
        values = [tube.number(measurand) for tube in order]
        if None not in values:
            axes.plot(range(len(order)), [value or 0.0 for value in values], "o-", color=colour, linewidth=0.6)
    axes.set_xticks(range(6), [f"{level} {rep}" for level in ("high", "low") for rep in (1, 2, 3)])
    if all((value or 0) > 0 for tube in study.used for value in [tube.number(measurand)]):
        plain_log_axis(axes)
        two_labels(axes)
    axes.set_ylabel(_HEADINGS[measurand])


def _stability(panels: list[Axes], study: Study, measurand: str, statistics: Statistics) -> None:
    (axes,) = panels
    for times in times_of(study, measurand).values():
        start = times.get(0.0)
        if start:
            middle = sum(start) / len(start)
            hours = sorted(times)
            axes.plot(hours, [100 * sum(times[at]) / len(times[at]) / middle for at in hours], color=PALE, linewidth=1)
    points = [(float(level.split()[0]), one) for (name, level), one in statistics.items() if name == "percent_of_start"]
    _intervals(axes, points)
    axes.axhline(100, color=GREY, linewidth=0.8)
    axes.set_xlabel("hours since the specimen was drawn")
    axes.set_ylabel("percent of the start")


def _operators(panels: list[Axes], study: Study, measurand: str, _statistics: Statistics) -> None:
    (axes,) = panels
    samples = list(groups(study.used, lambda tube: tube.level))
    for colour, (name, tubes) in zip(
        GROUP_COLOURS * 10, groups(study.used, lambda tube: tube.sample.val_operator).items(), strict=False
    ):
        known = [(samples.index(t.level) + 1, v) for t in tubes if (v := t.number(measurand)) is not None]
        axes.plot([x for x, _ in known], [y for _, y in known], "o", color=colour, markersize=3, label=name)
    axes.set_xlabel("sample")
    axes.set_ylabel(_HEADINGS[measurand])
    axes.legend(title="operator", loc="upper left")


_DRAW: Mapping[Kind, Callable[[list[Axes], Study, str, Statistics], None]] = {
    Kind.PRECISION: _precision,
    Kind.LINEARITY: _linearity,
    Kind.DETECTION: _detection,
    Kind.COMPARISON: _comparison,
    Kind.CARRY_OVER: _carry_over,
    Kind.STABILITY: _stability,
    Kind.OPERATORS: _operators,
}
_SHOWS = {
    Kind.PRECISION: "Each result by day, a panel for each level",
    Kind.LINEARITY: "Results against what was expected, with the line; and means minus the line",
    Kind.DETECTION: "Results of blanks and of low levels, with limits of blank and of detection",
    Kind.COMPARISON: "Results by both methods, and their differences",
    Kind.CARRY_OVER: "Results of three high and three low tubes in turn",
    Kind.STABILITY: "Level in percent of the start, with intervals",
    Kind.OPERATORS: "Results of each operator by sample",
}
