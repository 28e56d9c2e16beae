"""Plates: 96 or 384 wells with the number printed in each, in shades that do not carry anything alone."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from cytocar.counting.limits import CarResult
from cytocar.report.run.numbers import people
from cytocar.sample.result import SampleOutcome, Status
from cytocar.tables.columns import Value, cell

SHADES = 8
_WELL = re.compile(r"([A-P])(\d{1,2})")


class Measure(Struct, frozen=True):
    """One number that a plate can show."""

    key: str
    title: str
    column: str
    printed: str
    """The column that is printed; the shade follows ``column``."""
    logarithmic: bool = True


MEASURES = (
    Measure("car", "CAR-T cells/µL", "car_per_ul", "car_report"),
    Measure("ratio", "CD4/CD8", "cd4_cd8_ratio", "cd4_cd8_ratio"),
    Measure("viability", "Viability %", "viability_percent", "viability_percent", logarithmic=False),
    Measure("events", "Events", "total_events", "total_events"),
    Measure("beads", "Beads", "bead_events", "bead_events"),
    Measure("status", "Status", "status", "status"),
)


IN_A_WELL = {"not detected": "n.d.", "not evaluable": ""}
"""Words that no well of 384 has room for; an empty one shows the sign of its status."""


class Reading(Struct, frozen=True):
    """One measure of one well: the text in it, the full number, and its shade from 0 to 7."""

    key: str
    text: str
    full: str
    shade: int | None


class Well(Struct, frozen=True):
    """One well with its sample; ``others`` are further samples acquired from it, which the plate has no room for."""

    number: int
    sample_id: str
    status: Status
    readings: tuple[Reading, ...]
    below_limit: bool
    failed: bool
    others: tuple[str, ...] = ()


class Plate(Struct, frozen=True):
    """One plate; ``rows`` are pairs of a letter and the wells of columns 1, 2, ...; a well without sample is None."""

    plate_id: str
    columns: int
    rows: tuple[tuple[str, tuple[Well | None, ...]], ...]

    @property
    def shared(self) -> bool:
        """True if a well holds several samples."""
        return any(well is not None and well.others for _, wells in self.rows for well in wells)


NET = Measure("car", "CAR-T cells/µL, net", "car_per_ul_net", "car_report")
"""In place of the first one where net counts come first."""


def measures_of(*, gated: bool) -> tuple[Measure, ...]:
    """What a plate can be coloured by, with the count as gated first, or the net one."""
    return MEASURES if gated else (NET, *MEASURES[1:])


def plates(outcomes: Sequence[SampleOutcome], *, gated: bool = True) -> tuple[Plate, ...]:
    """Return the plates of a run, in the order of their first sample.

    Of several samples in one well the one is shown that a person must look at first, and of equals the last.
    """
    measures = measures_of(gated=gated)
    placed: dict[str, dict[tuple[int, int], list[tuple[int, SampleOutcome]]]] = {}
    for number, outcome in enumerate(outcomes):
        row = outcome.row()
        match = _WELL.fullmatch(str(row["well"] or "").strip().upper())
        if match:
            place = (ord(match[1]) - ord("A"), int(match[2]) - 1)
            plate = placed.setdefault(str(row["plate_id"] or ""), {})
            plate.setdefault(place, []).append((number, outcome))
    return tuple(_plate(plate_id, wells, measures, gated=gated) for plate_id, wells in placed.items())


def _plate(
    plate_id: str,
    placed: Mapping[tuple[int, int], Sequence[tuple[int, SampleOutcome]]],
    measures: Sequence[Measure],
    *,
    gated: bool,
) -> Plate:
    large = any(row > 7 or column > 11 for row, column in placed)
    rows, columns = (16, 24) if large else (8, 12)
    shown = {place: min(reversed(samples), key=_urgency) for place, samples in placed.items()}
    table = {place: (number, outcome, outcome.row(gated=gated)) for place, (number, outcome) in shown.items()}
    reaches = {measure.key: _reach(measure, [row for _, _, row in table.values()]) for measure in measures}
    wells = {
        place: _well(
            number,
            outcome,
            tuple(_readings(row, measures, reaches)),
            row,
            others=tuple(other.sample.sample_id for place_of, other in placed[place] if place_of != number),
        )
        for place, (number, outcome, row) in table.items()
    }
    return Plate(
        plate_id,
        columns,
        tuple(
            (chr(ord("A") + row), tuple(wells.get((row, column)) for column in range(columns))) for row in range(rows)
        ),
    )


_WORST_FIRST = (Status.FAILED, Status.NO_COUNT, Status.REVIEW, Status.OK, Status.EXCLUDED)


def _urgency(numbered: tuple[int, SampleOutcome]) -> int:
    return _WORST_FIRST.index(numbered[1].status)


Reach = tuple[float, float] | None


def _well(
    number: int,
    outcome: SampleOutcome,
    readings: tuple[Reading, ...],
    row: Mapping[str, Value],
    *,
    others: tuple[str, ...],
) -> Well:
    return Well(
        number=number,
        sample_id=outcome.sample.sample_id,
        status=outcome.status,
        readings=readings,
        below_limit=row["car_result"] in {CarResult.BELOW_LLOQ, CarResult.NOT_DETECTED},
        failed=outcome.status is Status.FAILED,
        others=others,
    )


def _readings(row: Mapping[str, Value], measures: Sequence[Measure], reaches: Mapping[str, Reach]) -> Iterator[Reading]:
    for measure in measures:
        shade = _shade(measure, row[measure.column], reaches)
        text = people(row[measure.printed])
        yield Reading(measure.key, IN_A_WELL.get(text, text), cell(row[measure.column]), shade)


def _reach(measure: Measure, rows: Sequence[Mapping[str, Value]]) -> Reach:
    """Return the smallest and the largest place of a measure's values on its plate."""
    places = [place for row in rows if (place := _place(measure, row[measure.column])) is not None]
    return (min(places), max(places)) if places else None


def _place(measure: Measure, value: Value) -> float | None:
    if not isinstance(value, int | float) or (measure.logarithmic and value <= 0):
        return None
    return math.log10(value) if measure.logarithmic else float(value)


def _shade(measure: Measure, value: Value, reaches: Mapping[str, Reach]) -> int | None:
    place, reach = _place(measure, value), reaches[measure.key]
    if place is None or reach is None:
        return None
    low, high = reach
    return min(int((place - low) / (high - low) * SHADES), SHADES - 1) if high > low else SHADES // 2
