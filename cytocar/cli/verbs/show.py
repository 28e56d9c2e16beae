"""``cytocar show``: the columns of a table that somebody wants to see, by their names."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import Annotated

import typer

from cytocar.cli.result_table import write_table
from cytocar.errors.near_names import near_names
from cytocar.errors.tree import UsageError
from cytocar.tables.delimited import DelimitedTable, parse_delimited, read_delimited


def command(
    table: Annotated[str, typer.Argument(help="A table, a run folder (its counts.csv), or - for standard input.")],
    columns: Annotated[
        str | None, typer.Option("-c", "--columns", metavar="NAME,...", help="These columns, in this order.")
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option("--where", metavar="NAME=VALUE", help="Only lines with this value; repeat: all must hold."),
    ] = None,
) -> None:
    """Show columns of a table by name: aligned on a terminal, CSV in a pipe or a file."""
    read = _read(table)
    names = [_known(name, read) for name in (columns or ",".join(read.columns)).split(",")]
    wanted = [(_known(name, read), value.strip()) for name, _, value in (one.partition("=") for one in where or ())]
    lines = [
        [row.cells[name] for name in names]
        for row in read.rows
        if all(row.cells[name] == value for name, value in wanted)
    ]
    if sys.stdout.isatty():
        write_table(names, lines)
    else:
        csv.writer(sys.stdout, lineterminator="\n").writerows([names, *lines])


def _read(table: str) -> DelimitedTable:
    path = Path(table)
    try:
        if table == "-":
            return parse_delimited(sys.stdin.read())
        return read_delimited(path / "counts.csv" if path.is_dir() else path)
    except (OSError, ValueError, csv.Error) as error:
        raise UsageError(
            f"{table} is no table: {getattr(error, 'strerror', None) or error}",
            code="E185",
            hint="name a CSV file, such as RUN/populations.csv, or the folder of a run",
        ) from None


def _known(name: str, table: DelimitedTable) -> str:
    wanted = name.strip()
    if not table.columns:
        raise UsageError(
            "the table is empty", code="E185", hint="the command before the pipe may have failed: see above"
        )
    if wanted not in table.columns:
        near = near_names(wanted, table.columns, most=3)
        raise UsageError(
            f"the table has no column {wanted!r}",
            code="E185",
            hint=f"near it: {', '.join(near)}" if near else f"it has {', '.join(table.columns)}",
        )
    return wanted
