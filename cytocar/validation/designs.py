"""The designs that a validation may follow, and the sheet of each: which tubes, how much blood, how many T cells.

Sources: CLSI EP05-A3 (20 x 2 x 2), EP15-A3 (5 days of replicates), EP06 (linearity), EP17-A2 (detection), EP09-A3
(comparison); ISO 20391-2 (dilution fractions); ICSH and ICCS, Cytometry B 2013;84:279 to 323 (carry-over, stability,
operators in cell-based assays).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum

from msgspec import Struct

from cytocar.counting.blank_rates import BlankRates
from cytocar.counting.plan import blood_ul, t_cells_needed
from cytocar.counting.unseen_positives import planned_sensitivity
from cytocar.errors.tree import UsageError
from cytocar.sheet.laboratory import LABORATORY_COLUMNS
from cytocar.tables.columns import Column, Value, csv_text


class Kind(StrEnum):
    """What a study finds out; the first word of its name in the sheet."""

    PRECISION = "precision"
    LINEARITY = "linearity"
    DETECTION = "detection"
    COMPARISON = "comparison"
    CARRY_OVER = "carry-over"
    STABILITY = "stability"
    OPERATORS = "operators"


class Design(StrEnum):
    """The designs that can be planned."""

    PRECISION_20X2X2 = "precision-20x2x2"
    PRECISION_5X3 = "precision-5x3"
    LINEARITY = "linearity"
    DETECTION = "detection"
    COMPARISON = "comparison"
    CARRY_OVER = "carry-over"
    STABILITY = "stability"
    OPERATORS = "operators"


BLANK = "blank"
"""The level of tubes without CAR-T cells."""
HIGH, LOW = "high", "low"
"""The two levels of a carry-over study."""
FRACTIONS = (1.0, 0.75, 0.5, 0.25, 0.1, 0.05)
"""Six dilutions: EP06 asks for five at least, ISO 20391-2 for four."""
HOURS = (0.0, 24.0, 48.0, 72.0)
"""A sample that travels is counted within three days (ICSH and ICCS, part IV)."""


class Place(Struct, frozen=True):
    """The place of one tube in a design, by the ``val_*`` columns of the sheet."""

    level: str
    day: str = ""
    run: str = ""
    rep: str = ""
    operator: str = ""
    expected: float | None = None
    hours: float | None = None
    percent: float | None = None
    """CAR+ of T cells that is aimed at; None for a blank."""


Levels = Mapping[str, float]
"""Name of a level, and the share of CAR+ T cells that its tubes have, percent."""


class Layout(Struct, frozen=True):
    """How a design places its tubes: ``levels`` unless others are given, and the replicates of each cell."""

    does: str
    levels: Levels
    replicates: int
    tubes: Callable[[Levels, int], Iterator[Place]]


def _precision(days: int, runs: int) -> Callable[[Levels, int], Iterator[Place]]:
    def tubes(levels: Levels, replicates: int) -> Iterator[Place]:
        for day in range(1, days + 1):
            for run in range(1, runs + 1):
                for level, percent in levels.items():
                    for rep in range(1, replicates + 1):
                        yield Place(level, str(day), str(run), str(rep), percent=percent)

    return tubes


def _linearity(levels: Levels, replicates: int) -> Iterator[Place]:
    (_, undiluted), *_ = levels.items()
    for fraction in FRACTIONS:
        for rep in range(1, replicates + 1):
            yield Place(f"{fraction:g}", "1", "1", str(rep), expected=fraction, percent=undiluted * fraction)


def _detection(levels: Levels, replicates: int) -> Iterator[Place]:
    for day in range(1, 4):
        for rep in range(1, 2 * replicates + 1):
            yield Place(BLANK, str(day), "1", str(rep), expected=0.0)
        for level, percent in levels.items():
            for rep in range(1, replicates + 1):
                yield Place(level, str(day), "1", str(rep), expected=percent, percent=percent)


def _comparison(levels: Levels, replicates: int) -> Iterator[Place]:
    percents = list(levels.values())
    for number in range(replicates):
        for run in ("A", "B"):
            yield Place(f"sample {number + 1}", "1", run, "1", percent=percents[number % len(percents)])


def _carry_over(levels: Levels, replicates: int) -> Iterator[Place]:
    for sequence in range(1, replicates + 1):
        for level in (HIGH, LOW):
            for rep in range(1, 4):
                yield Place(level, "1", str(sequence), str(rep), percent=levels.get(level))


def _stability(levels: Levels, replicates: int) -> Iterator[Place]:
    for level, percent in levels.items():
        for hours in HOURS:
            for rep in range(1, replicates + 1):
                yield Place(level, str(1 + int(hours // 24)), "1", str(rep), hours=hours, percent=percent)


def _operators(levels: Levels, replicates: int) -> Iterator[Place]:
    percents = list(levels.values())
    for number in range(replicates):
        for operator in ("A", "B", "C"):
            percent = percents[number % len(percents)]
            yield Place(f"sample {number + 1}", "1", "1", "1", operator=operator, percent=percent)


_TWO: Levels = {LOW: 1.0, HIGH: 20.0}
_RANGE: Levels = {"low": 0.5, "middle": 5.0, "high": 40.0}
LAYOUTS: Mapping[Design, Layout] = {
    Design.PRECISION_20X2X2: Layout("20 days of two runs of two tubes a level (EP05)", _TWO, 2, _precision(20, 2)),
    Design.PRECISION_5X3: Layout("5 days of three tubes a level (EP15)", _TWO, 3, _precision(5, 1)),
    Design.LINEARITY: Layout("six dilutions of one sample (EP06, ISO 20391-2)", {HIGH: 20.0}, 4, _linearity),
    Design.DETECTION: Layout(
        "blanks and low samples on 3 days (EP17; 60 of each establish a limit, 20 verify one)",
        {"low 1": 0.05, "low 2": 0.1, "low 3": 0.2, "low 4": 0.5},
        5,
        _detection,
    ),
    Design.COMPARISON: Layout("40 samples by two methods, A and B (EP09)", _RANGE, 40, _comparison),
    Design.CARRY_OVER: Layout("three tubes high, then three low, in turn", {HIGH: 40.0, LOW: 1.0}, 5, _carry_over),
    Design.STABILITY: Layout(
        "specimens counted at 0, 24, 48 and 72 hours",
        {f"specimen {number}": percent for number, percent in enumerate((1, 2, 5, 10, 20, 40), start=1)},
        2,
        _stability,
    ),
    Design.OPERATORS: Layout("20 samples by each of three operators", _RANGE, 20, _operators),
}
"""Each design, its levels (CAR+ percent of T cells) and replicates unless others are asked for."""


class Need(Struct, frozen=True):
    """What one level needs: tubes, T cells in each, and blood in all (µL); None where no number of T cells will do."""

    level: str
    percent: float | None
    tubes: int
    t_cells: int | None
    blood_ul: float | None


class Plan(Struct, frozen=True):
    """A study laid out: the places of its tubes, and what each level needs."""

    design: Design
    study: str
    places: tuple[Place, ...]
    needs: tuple[Need, ...] = ()


class Goal(Struct, frozen=True):
    """What the numbers of T cells are planned for.

    ``cv_percent`` is the largest CV allowed between tubes; counting may take half of it, and then adds an eighth to a
    CV that is otherwise met. ``blank`` and ``fewest_events`` are the background that a detection study meets.
    """

    cv_percent: float
    t_cells_per_ul: float
    blank: BlankRates
    fewest_events: int = 13


def plan_study(
    design: Design, *, goal: Goal, levels: Levels | None = None, replicates: int | None = None, name: str = ""
) -> Plan:
    """Return the tubes of a design, and what they need.

    Parameters
    ----------
    levels : mapping, optional
        CAR+ percent of T cells, by name; without it those of the design.
    replicates : int, optional
        In place of the design's: tubes in a cell; samples of a comparison; sequences of a carry-over study.
    name : str
        Tells two studies of one design apart.

    Raises
    ------
    UsageError
        E260 if the levels are not such as the design has, or no file can bear the name.
    """
    if not re.fullmatch(r"[\w .+-]*", name, re.ASCII):
        raise UsageError(
            f"{name!r} cannot stand in the names of files",
            code="E260",
            hint="name the study with letters, digits, blanks, '.', '_', '+' and '-'",
        )
    layout = LAYOUTS[design]
    _check_levels(design, levels or layout.levels)
    places = tuple(layout.tubes(levels or layout.levels, replicates or layout.replicates))
    study = f"{design}/{name}" if name else design.value
    return Plan(design, study, places, tuple(_needs(design, places, goal)))


def _check_levels(design: Design, levels: Levels) -> None:
    """Refuse levels that the evaluation would not find again."""
    if design is Design.CARRY_OVER and set(levels) != {HIGH, LOW}:
        why = f"a carry-over study has the levels {HIGH} and {LOW}, not {', '.join(levels)}"
    elif design is Design.LINEARITY and len(levels) > 1:
        why = f"a linearity study dilutes one sample, not {len(levels)}: {', '.join(levels)}"
    elif design is Design.DETECTION and BLANK in levels:
        why = f"blanks have no CAR-T cells, so {BLANK} is no level of its own"
    else:
        return
    raise UsageError(why, code="E260", hint="leave --level out to see the levels of the design")


def _needs(design: Design, places: Sequence[Place], goal: Goal) -> Iterator[Need]:
    groups: dict[tuple[str, float | None], int] = {}
    for place in places:
        by_sample = design in (Design.COMPARISON, Design.OPERATORS)
        key = ("all samples" if by_sample else place.level, None if by_sample else place.percent)
        groups[key] = groups.get(key, 0) + 1
    lowest = min(place.percent for place in places if place.percent)
    for (level, percent), tubes in groups.items():
        aim = percent or lowest
        if design is Design.DETECTION:
            t_cells = t_cells_needed(
                aim, goal.blank, fewest_events=goal.fewest_events, sensitivity=planned_sensitivity()
            )
        else:
            t_cells = math.ceil((2 * 100 / goal.cv_percent) ** 2 * 100 / aim)
        blood = None if t_cells is None else tubes * blood_ul(t_cells, t_cells_per_ul=goal.t_cells_per_ul)
        yield Need(level, percent, tubes, t_cells, blood)


# ---------------------------------------------------------------- the sheet

SHEET = (
    *("file", "sample_id", "sample_type", "subject_id", "specimen", "count_method", "sample_volume_ul"),
    *("beads_added", "bead_lot", "template", "operator", "note"),
    *(name for name in LABORATORY_COLUMNS if name.startswith("val_")),
)


def sheet_text(*plans: Plan, template: str, given: Mapping[str, Value]) -> str:
    """Return the sheet to print and fill in: one row a tube; files are named as they should be saved.

    Parameters
    ----------
    given : mapping
        Cells that are the same in every row, such as ``sample_volume_ul``.
    """
    columns = [Column(name, "string", "", "") for name in SHEET]
    return csv_text(
        columns, ({**given, **cells_of(plan, place), "template": template} for plan in plans for place in plan.places)
    )


def cells_of(plan: Plan, place: Place) -> dict[str, Value]:
    """What the sheet says of one tube of a plan: its file, name and place."""
    parts = [place.level, f"d{place.day}", f"r{place.run}", place.operator, place.rep]
    if place.hours is not None:
        parts[2] = f"{place.hours:g}h"
    name = "-".join(part.replace(" ", "") for part in parts if part)
    by_sample = plan.design in (Design.COMPARISON, Design.OPERATORS, Design.STABILITY)
    return {
        "file": f"{plan.study.replace('/', '-').replace(' ', '-')}/{name}.fcs",
        "sample_id": f"{plan.study}-{name}".replace("/", "-").replace(" ", "-"),
        "sample_type": "sample",
        "subject_id": place.level if by_sample else None,
        "val_study": plan.study,
        "val_level": place.level,
        "val_day": place.day,
        "val_run": place.run,
        "val_rep": place.rep,
        "val_operator": place.operator or None,
        "val_expected": place.expected,
        "val_hours": place.hours,
    }
