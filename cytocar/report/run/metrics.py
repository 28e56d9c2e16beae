"""The run at a glance: one strip for each number, every sample a mark on it, with the median and the outliers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from statistics import median

from msgspec import Struct

from cytocar.report.run.numbers import people
from cytocar.statistics.order import MAD_TO_SD
from cytocar.tables.columns import Value

FEWEST_SAMPLES = 8
"""Fewer values have no spread worth a picture."""

OUTLIER = 3.5
"""Robust z beyond which a value is named (Iglewicz and Hoaglin 1993, How to Detect and Handle Outliers, 3.3)."""


class Metric(Struct, frozen=True):
    """One number of counts.csv that is shown as a strip."""

    column: str
    title: str
    logarithmic: bool = True


METRICS = (
    Metric("car_per_ul", "CAR-T cells/µL"),
    Metric("t_cells_per_ul", "T cells/µL"),
    Metric("cd4_cd8_ratio", "CD4/CD8 of T cells"),
    Metric("viability_percent", "viable %", logarithmic=False),
    Metric("bead_events", "beads"),
    Metric("total_events", "events"),
)


class Mark(Struct, frozen=True):
    """One sample on a strip: ``place`` from 0 to 1."""

    number: int
    sample_id: str
    place: float
    text: str
    outlier: bool


class Strip(Struct, frozen=True):
    """One number over all samples of a run."""

    title: str
    low: str
    median: str
    high: str
    median_place: float
    marks: tuple[Mark, ...]

    @property
    def outliers(self) -> tuple[Mark, ...]:
        """The samples that lie apart from the others."""
        return tuple(mark for mark in self.marks if mark.outlier)


def strips(rows: Sequence[Mapping[str, Value]]) -> Iterator[Strip]:
    """Yield a strip for each number that enough samples have, over the rows of counts.csv."""
    for metric in METRICS:
        values = [
            (number, str(row["sample_id"]), float(value))
            for number, row in enumerate(rows)
            if isinstance(value := row[metric.column], int | float) and (value > 0 or not metric.logarithmic)
        ]
        if len(values) >= FEWEST_SAMPLES:
            yield _strip(metric, values)


def _strip(metric: Metric, values: Sequence[tuple[int, str, float]]) -> Strip:
    places = [math.log10(value) if metric.logarithmic else value for _, _, value in values]
    low, high, middle = min(places), max(places), median(places)
    spread = MAD_TO_SD * median(abs(place - middle) for place in places)
    width = (high - low) or 1.0

    def text(place: float) -> str:
        return people(10.0**place if metric.logarithmic else place)

    marks = tuple(
        Mark(number, sample_id, (place - low) / width, people(value), _lies_apart(place - middle, spread))
        for (number, sample_id, value), place in zip(values, places, strict=True)
    )
    return Strip(metric.title, text(low), text(middle), text(high), (middle - low) / width, marks)


def _lies_apart(distance: float, spread: float) -> bool:
    return spread > 0 and abs(distance) > OUTLIER * spread
