"""The table that ``cytocar gate`` shows on a terminal: what a technician looks for, at 80 columns."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Sequence

from cytocar.cli import screen
from cytocar.counting.limits import three_digits
from cytocar.sample.result import SampleOutcome, SampleResult

_STATUS_COLORS = {"ok": "32", "review": "33", "no_count": "33", "failed": "31", "excluded": "2"}


def number(value: float | None) -> str:
    """Return a number for people, a dash where there is none."""
    return "–" if value is None else three_digits(value)


def interval(low: float | None, high: float | None) -> str:
    """Return an interval for people."""
    return "" if low is None and high is None else f"{number(low)}–{number(high)}"


def grid(header: Sequence[str], lines: Iterable[Sequence[str]], *, right: Sequence[int] = ()) -> list[str]:
    """Return lines of aligned cells; columns in ``right`` are aligned to the right."""
    table = [list(header), *(list(line) for line in lines)]
    widths = [max(len(line[column]) for line in table) for column in range(len(header))]
    return [
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in table
    ]


def show(outcomes: Iterable[SampleOutcome]) -> None:
    """Write the table to stdout."""
    kept = list(outcomes)
    with_car = any(isinstance(outcome, SampleResult) and outcome.car for outcome in kept)
    header, lines = (_CAR_HEADER, map(_car_line, kept)) if with_car else (_T_HEADER, map(_t_line, kept))
    width = shutil.get_terminal_size((80, 24)).columns
    rendered = grid(header, lines, right=range(1, len(header) - 1))
    if max(map(len, rendered)) > width:
        rendered = grid(header[:-1], (line[:-1] for line in map(_car_line if with_car else _t_line, kept)))
    colored = screen.colored(sys.stdout)
    for index, line in enumerate(rendered):
        text = screen.printable(line)
        if colored and index == 0:
            text = f"\x1b[1m{text}\x1b[0m"
        elif colored:
            text = f"\x1b[{_STATUS_COLORS[kept[index - 1].status]}m{text}\x1b[0m"
        sys.stdout.write(text + "\n")


_CAR_HEADER = ("sample", "CAR-T/µL", "95 % interval", "% of T", "CD4/CD8", "T/µL", "result", "status")
_T_HEADER = ("sample", "T events", "% of lymph", "T/µL", "95 % interval", "CD4/CD8", "viable %", "status")


def _status(outcome: SampleOutcome) -> str:
    codes = outcome.row()["status_codes"]
    return f"{outcome.status} {codes}".rstrip()


def _car_line(outcome: SampleOutcome) -> tuple[str, ...]:
    name = screen.one_line(outcome.sample.sample_id)
    if not isinstance(outcome, SampleResult) or outcome.car is None:
        return (name, "–", "", "–", "–", "–", "", _status(outcome))
    car, t_cells = outcome.car, outcome.population(outcome.roles.t_cells)
    return (
        name,
        number(car.per_ul.value),
        interval(car.per_ul.low, car.per_ul.high),
        number(car.percent.value),
        number(outcome.car_cd4_cd8_ratio.value),
        number(t_cells.per_ul.value if t_cells else None),
        car.result.replace("_", " "),
        _status(outcome),
    )


def _t_line(outcome: SampleOutcome) -> tuple[str, ...]:
    name = screen.one_line(outcome.sample.sample_id)
    if not isinstance(outcome, SampleResult):
        return (name, "–", "–", "–", "", "–", "–", _status(outcome))
    t_cells, row = outcome.population(outcome.roles.t_cells), outcome.row()
    share, viability = row["t_cell_percent_of_lymphocytes"], row["viability_percent"]
    return (
        name,
        str(t_cells.events) if t_cells else "–",
        number(share if isinstance(share, float) else None),
        number(t_cells.per_ul.value if t_cells else None),
        interval(t_cells.per_ul.low, t_cells.per_ul.high) if t_cells else "",
        number(outcome.cd4_cd8_ratio.value),
        number(viability if isinstance(viability, float) else None),
        _status(outcome),
    )
