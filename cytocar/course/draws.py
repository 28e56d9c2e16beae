"""A draw is what one puncture gave: all tubes of one subject, day and specimen, whatever their templates.

A tube whose template has a CAR gate gives the CAR-T cells of the draw; any tube gives its populations. A population
that several tubes of the draw hold is pooled as CAR-T cells are: all its events over all blood examined.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct, field

from cytocar.counting.limits import CarResult
from cytocar.course.replicates import CountedSample
from cytocar.sample.result import Status
from cytocar.statistics.detection import limit_of_detection
from cytocar.statistics.estimate import UNKNOWN, Estimate
from cytocar.statistics.intervals import poisson_interval

LLOQ_EVENTS = 25
"""Events from which a population is quantified: a Poisson count of 25 has a coefficient of variation of 20 %."""

NOT_GATED = frozenset({Status.FAILED, Status.EXCLUDED})


class CellCount(Struct, frozen=True):
    """One population of a tube or of a draw: events, cells/µL with interval, blood examined."""

    events: int
    per_ul: Estimate = UNKNOWN
    examined_ul: float | None = None

    @property
    def lod_per_ul(self) -> float | None:
        """Cells/µL of which 95 % of such tubes hold at least one cell: 3.0 events over the blood examined."""
        return None if not self.examined_ul else limit_of_detection(0) / self.examined_ul

    @property
    def lloq_per_ul(self) -> float | None:
        """Cells/µL at ``LLOQ_EVENTS``."""
        return None if not self.examined_ul else LLOQ_EVENTS / self.examined_ul

    @property
    def result(self) -> CarResult:
        """What may be said of the population, in the words used for CAR-T cells."""
        if self.per_ul.value is None:
            return CarResult.NOT_EVALUABLE
        if self.events == 0:
            return CarResult.NOT_DETECTED
        return CarResult.QUANTIFIED if self.events >= LLOQ_EVENTS else CarResult.BELOW_LLOQ


class Tube(Struct, frozen=True):
    """One counted sample with all its populations, and what the sheet says of it besides."""

    counted: CountedSample
    populations: Mapping[str, CellCount] = field(default_factory=dict)
    carried: Mapping[str, str] = field(default_factory=dict)

    @property
    def has_car_gate(self) -> bool:
        """Whether this tube belongs to the CAR-T curve: it was counted for CAR, or failed before that was known."""
        return self.counted.has_numbers or self.counted.status in NOT_GATED


def pooled_populations(tubes: Sequence[Tube]) -> dict[str, CellCount]:
    """Return every population of a draw; a file that was counted with two templates gives each population once."""
    by_name: dict[str, dict[str, tuple[CellCount, float]]] = {}
    for tube in tubes:
        file = tube.counted.file_sha256 or tube.counted.sample_id
        for name, count in tube.populations.items():
            by_name.setdefault(name, {}).setdefault(file, (count, tube.counted.cv))
    return {name: _pooled(list(counts.values())) for name, counts in by_name.items()}


def _pooled(counts: Sequence[tuple[CellCount, float]]) -> CellCount:
    with_volume = [(count, cv) for count, cv in counts if count.examined_ul]
    if len(with_volume) < 2:
        return (with_volume or counts)[0][0]
    events = sum(count.events for count, _ in with_volume)
    examined_ul = sum(count.examined_ul or 0.0 for count, _ in with_volume)
    interval = Estimate(events, *poisson_interval(events)).scaled(1 / examined_ul)
    return CellCount(events, interval.widened(max(cv for _, cv in with_volume)), examined_ul)


def joined_texts(tubes: Sequence[Tube]) -> dict[str, str]:
    """What the sheet says of the tubes of a draw: different words of several tubes are joined by ``;``."""
    words: dict[str, dict[str, None]] = {}
    for tube in tubes:
        for column, text in tube.carried.items():
            words.setdefault(column, {}).update({text: None} if text else {})
    return {column: "; ".join(texts) for column, texts in words.items()}
