"""Fill the page of controls over runs: what is out first, then every chart, drawn so that a point says what it is.

Charts are SVG in the page: a point has its words in a ``title``, which a browser shows under the pointer, without a
script. A dashed line stands where the instrument or a lot changes from one run to the next.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from msgspec import Struct

from cytocar.qc.levey_jennings import Chart, Point, Verdict
from cytocar.qc.measures import Measured, Quantity
from cytocar.report.validation.page import filled, number

FOLDER = Path(__file__).parent / "templates"
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 520.0, 150.0, 58.0, 8.0, 10.0, 24.0
"""Of a chart, in units of its drawing; the numbers of the axis stand to the left, runs below."""
FARTHEST = 4.5
"""Standard deviations that an axis shows; a point beyond lies on its edge, and says its value."""
NAMED_RUNS = 6
"""Names of runs that fit below a chart."""

Axis = Callable[[float], float]
"""From a place, or a value, to the drawing."""

TITLES: Mapping[str, str] = {
    "t_cells_per_ul": "T cells per µL",
    "car_per_ul": "CAR-T cells per µL",
    "car_percent_of_t_cells": "CAR+ in percent of T cells",
    "cd4_cd8_ratio": "CD4/CD8 of T cells",
    "viability_percent": "viable cells in percent",
    "bead_recovery_percent": "beads acquired, in percent of those added",
    "baseline_car_percent": "CAR+ in percent of T cells of CAR-negative tubes",
    "voltage": "detector voltage",
}
SECTIONS: Mapping[str, str] = {
    "controls": "Controls",
    "beads": "Beads and background",
    "fluorescence": "Median fluorescence",
    "settings": "Settings of the instrument",
}


class Dot(Struct, frozen=True):
    """A point of a chart: where it lies, what it says, and how it is drawn."""

    x: float
    y: float
    verdict: Verdict
    text: str
    rules: str


class Change(Struct, frozen=True):
    """A line between two runs of a chart, and what is another from there on."""

    x: float
    text: str


class Drawing(Struct, frozen=True):
    """One chart with all that its template needs."""

    title: str
    section: str
    chart: Chart
    dots: tuple[Dot, ...]
    lines: tuple[tuple[float, int, str], ...]
    changes: tuple[Change, ...]
    names: tuple[tuple[float, str], ...]
    last: Point


def title_of(quantity: Quantity) -> str:
    """Return a quantity in words.

    >>> title_of(Quantity("car_per_ul", "LOT7", "cells/µL")), title_of(Quantity("median_CD3", "t_cells"))
    ('CAR-T cells per µL: LOT7', 'median fluorescence of CD3: t cells')
    """
    words = TITLES.get(quantity.measure)
    if words is None:
        words = f"median fluorescence of {quantity.measure.removeprefix('median_')}"
        return f"{words}: {quantity.control.replace('_', ' ')}"
    return f"{words}: {quantity.control}" if quantity.control else words


def qc_page(charts: Sequence[Chart], measured: Sequence[Measured]) -> str:
    """Return the page as one self-contained HTML file; no clock and no script.

    Parameters
    ----------
    charts : sequence of Chart
        Each quantity over the runs.
    measured : sequence of Measured
        The runs in their order, for what they were made with.
    """
    drawings = [_drawing(chart, measured) for chart in charts if chart.points]
    last = measured[-1].run
    tally = {
        run.run: Counter(point.verdict for chart in charts for point in chart.points if point.run == run.run)
        for run in measured
    }
    asking = [one for one in drawings if one.last.run == last and one.last.verdict in (Verdict.OUT, Verdict.WARNING)]
    return filled(
        FOLDER,
        "qc.html",
        runs=measured,
        tally=tally,
        last=last,
        asking=sorted(asking, key=lambda one: one.last.verdict is Verdict.WARNING),
        sections=[(words, [one for one in drawings if one.section == name]) for name, words in SECTIONS.items()],
        changed=[(after.run, text) for before, after in pairwise(measured) if (text := _change(before, after))],
        size=(WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM),
    )


def _section(quantity: Quantity) -> str:
    if quantity.measure == "voltage":
        return "settings"
    if quantity.measure.startswith("median_"):
        return "fluorescence"
    return "controls" if quantity.control else "beads"


def _change(before: Measured, after: Measured) -> str:
    """What a run was made with that the run before was not."""
    names = dict.fromkeys((*before.marks, *after.marks))
    other = [
        f"{name}: {before.marks.get(name, 'not named')} → {after.marks.get(name, 'not named')}"
        for name in names
        if before.marks.get(name) != after.marks.get(name)
    ]
    return "; ".join(other)


def _drawing(chart: Chart, measured: Sequence[Measured]) -> Drawing:
    places = {run.run: number for number, run in enumerate(measured)}
    step = (WIDTH - LEFT - RIGHT) / max(1, len(measured))

    def x(place: float) -> float:
        return round(LEFT + (place + 0.5) * step, 1)

    values = [point.value for point in chart.points]
    middle, spread = (chart.target.mean, chart.target.sd) if chart.target else (sum(values) / len(values), 0.0)
    reach = FARTHEST * spread if spread else (max(abs(value - middle) for value in values) or abs(middle) or 1.0) * 1.2

    def y(value: float) -> float:
        share = min(1.0, max(-1.0, (value - middle) / reach))
        return round(TOP + (1 - share) / 2 * (HEIGHT - TOP - BOTTOM), 1)

    distances = (-3, -2, -1, 0, 1, 2, 3) if spread else (0,)
    lines = tuple((y(middle + sd * spread), abs(sd), number(middle + sd * spread)) for sd in distances)
    every = -(-len(measured) // NAMED_RUNS)
    changes = tuple(
        Change(round(x(number) - step / 2, 1), text)
        for number, (before, after) in enumerate(pairwise(measured), start=1)
        if (text := _change(before, after))
    )
    return Drawing(
        title=title_of(chart.quantity),
        section=_section(chart.quantity),
        chart=chart,
        dots=tuple(_dots(chart, measured, places, x, y)),
        lines=lines,
        changes=changes,
        names=tuple((x(number), run.run[-14:]) for number, run in enumerate(measured) if number % every == 0),
        last=chart.points[-1],
    )


def _dots(chart: Chart, measured: Sequence[Measured], places: Mapping[str, int], x: Axis, y: Axis) -> Iterator[Dot]:
    for point in chart.points:
        place = places[point.run]
        distance = "" if point.z is None else f", {point.z:+.2f} SD"
        rules = f", breaks {' '.join(point.rules)}" if point.rules else ""
        made = "".join(f"; {name} {what}" for name, what in measured[place].marks.items())
        text = f"{point.run}: {number(point.value)} {chart.quantity.unit}".rstrip() + distance + rules + made
        yield Dot(x(place), y(point.value), point.verdict, re.sub(r"\s+", " ", text), " ".join(point.rules))
