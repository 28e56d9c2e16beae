"""Tables on stdout: by rich on a terminal, plain lines in a pipe. What a technician looks for, at 80 columns.

Where a table of samples is too wide, its least important columns go; sample and status never do.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Sequence
from functools import partial
from itertools import zip_longest
from unicodedata import east_asian_width

from cytocar.cli import screen
from cytocar.counting.limits import three_digits
from cytocar.sample.result import SampleOutcome, SampleResult

_STATUS_STYLES = {"ok": "green", "review": "yellow", "no_count": "yellow", "failed": "red", "excluded": "dim"}
_CODES = "codes"
_LEAST_IMPORTANT_FIRST = (
    "T/µL", "LLOQ", "medians", "BH", "viable %", "CD4/CD8", _CODES, "% of T", "% of lymph", "CD8", "CD4",
    "95 % interval", "result", "T events", "day", "CAR-T/µL", "T cells/µL",
)  # fmt: skip
"""What goes where a table is too wide. ``codes``: the status keeps its word and first code, and counts the others."""
_NARROWEST_NAME = 7


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


def block(header: Sequence[str], cells: Sequence[str]) -> list[str]:
    """Return a line of a table as one line for each cell that holds something.

    Examples
    --------
    >>> block(("sample_id", "day", "status"), ("D9", "", "ok"))
    ['sample_id  D9', 'status     ok']
    """
    filled = [(name, cell) for name, cell in zip(header, cells, strict=True) if cell]
    return grid(filled[0], filled[1:]) if filled else []


def write_table(
    header: Sequence[str], lines: Iterable[Sequence[str]], *, right: Sequence[int] = (), styles: Sequence[str] = ()
) -> None:
    """Write a table to stdout; on a terminal with the style of each line, such as ``red``, beside its words.

    On a terminal that is too narrow for the headings alone each line becomes a block, one cell under the other.
    """
    rows = [[screen.printable(cell) for cell in line] for line in lines]
    if sys.stdout.isatty() and _width([list(header)]) > shutil.get_terminal_size((80, 24)).columns:
        sys.stdout.write("\n".join("".join(f"{line}\n" for line in block(header, row)) for row in rows))
        return
    terminal = screen.console(sys.stdout)
    if terminal is None:
        sys.stdout.writelines(line + "\n" for line in grid(header, rows, right=right))
        return
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for index, name in enumerate(header):
        table.add_column(Text(name), justify="right" if index in right else "left", overflow="fold")
    for row, style in zip_longest(rows, styles, fillvalue=""):
        table.add_row(*map(Text, row), style=str(style))
    terminal.print(table)


def show(outcomes: Iterable[SampleOutcome], *, gated: bool = True) -> None:
    """Write the table of samples to stdout: cells/µL as gated, or net where a tube has them."""
    counted = list(outcomes)
    with_car = any(isinstance(outcome, SampleResult) and outcome.car for outcome in counted)
    header, line_of = (_CAR_HEADER, partial(_car_line, gated=gated)) if with_car else (_T_HEADER, _t_line)
    write_samples(header, list(map(line_of, counted)), statuses=[outcome.status for outcome in counted])


def write_samples(header: Sequence[str], lines: Sequence[Sequence[str]], *, statuses: Sequence[str]) -> None:
    """Write a table whose first column names the sample and whose last holds its status, as wide as the terminal."""
    header, lines = _filled(header, lines)
    header, lines = fitted(header, lines, shutil.get_terminal_size((80, 24)).columns)
    styles = [_STATUS_STYLES.get(status, "") for status in statuses]
    write_table(header, lines, right=range(1, len(header) - 1), styles=styles)


def _filled(header: Sequence[str], lines: Sequence[Sequence[str]]) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
    """Return a table without the columns between the first and the last in which no sample has anything.

    Examples
    --------
    >>> _filled(("sample", "T/µL", "CD4/CD8", "status"), [("D9", "–", "1.7", "ok"), ("D14", "–", "–", "ok")])
    (['sample', 'CD4/CD8', 'status'], [['D9', '1.7', 'ok'], ['D14', '–', 'ok']])
    """
    last = len(header) - 1
    kept = [i for i in range(last + 1) if i in (0, last) or any(line[i] not in ("", "–") for line in lines)]
    return [header[i] for i in kept], [[line[i] for i in kept] for line in lines]


def fitted(
    header: Sequence[str], lines: Sequence[Sequence[str]], width: int
) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
    """Return a table without the columns for which there is no room; the first and the last always stay.

    Examples
    --------
    >>> fitted(("sample", "T/µL", "status"), [("D9", "1050", "review W281 W287")], 27)
    (['sample', 'status'], [['D9', 'review W281 W287']])
    >>> fitted(("sample", "T/µL", "status"), [("D9", "1050", "review W281 W287")], 22)
    (['sample', 'status'], [['D9', 'review W281 +1']])
    """
    table = [list(header), *map(list, lines)]
    for name in _LEAST_IMPORTANT_FIRST:
        if _width(table) <= width:
            break
        if name == _CODES:
            table = [table[0], *([*line[:-1], _first_code(line[-1])] for line in table[1:])]
        elif name in table[0]:
            column = table[0].index(name)
            table = [line[:column] + line[column + 1 :] for line in table]
    if (over := _width(table) - width) > 0:
        longest = max(max(_cells(line[0]) for line in table) - over, _NARROWEST_NAME)
        table = [[screen.one_line(line[0], longest=longest), *line[1:]] for line in table]
    return table[0], table[1:]


def _width(table: Sequence[Sequence[str]]) -> int:
    columns = list(zip(*table, strict=True))
    return sum(max(map(_cells, column)) for column in columns) + 2 * (len(columns) - 1)


def _cells(text: str) -> int:
    """How many cells of a terminal a text takes: two for a letter of Chinese or Japanese."""
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text)


def _first_code(status: str) -> str:
    word, *codes = status.split()
    return " ".join([word, *codes[:1], *([f"+{len(codes) - 1}"] if len(codes) > 1 else [])])


_CAR_HEADER = ("sample", "CAR-T/µL", "95 % interval", "% of T", "CD4/CD8", "T/µL", "result", "status")
_T_HEADER = (
    "sample", "T events", "CD4", "CD8", "% of lymph", "T cells/µL", "95 % interval", "CD4/CD8", "viable %", "status"
)  # fmt: skip


def _status(outcome: SampleOutcome) -> str:
    codes = outcome.row()["status_codes"]
    return f"{outcome.status} {codes}".rstrip()


def _car_line(outcome: SampleOutcome, *, gated: bool) -> tuple[str, ...]:
    name = screen.one_line(outcome.sample.sample_id)
    if not isinstance(outcome, SampleResult) or outcome.car is None:
        return (name, "–", "", "–", "–", "–", "", _status(outcome))
    car, t_cells = outcome.car, outcome.population(outcome.roles.t_cells)
    headline = car.concentration(gated=gated)
    return (
        name,
        number(headline.value),
        interval(headline.low, headline.high),
        number(car.percent.value),
        number(outcome.car_cd4_cd8_ratio.value),
        number(t_cells.per_ul.value if t_cells else None),
        car.result.replace("_", " "),
        _status(outcome),
    )


def _t_line(outcome: SampleOutcome) -> tuple[str, ...]:
    name = screen.one_line(outcome.sample.sample_id)
    if not isinstance(outcome, SampleResult):
        return (name, "–", "–", "–", "–", "–", "", "–", "–", _status(outcome))
    t_cells, row = outcome.population(outcome.roles.t_cells), outcome.row()
    share, viability = row["t_cell_percent_of_lymphocytes"], row["viability_percent"]
    return (
        name,
        *("–" if row[column] is None else str(row[column]) for column in ("t_cell_events", "cd4_events", "cd8_events")),
        number(share if isinstance(share, float) else None),
        number(t_cells.per_ul.value if t_cells else None),
        interval(t_cells.per_ul.low, t_cells.per_ul.high) if t_cells else "",
        number(outcome.cd4_cd8_ratio.value),
        number(viability if isinstance(viability, float) else None),
        _status(outcome),
    )
