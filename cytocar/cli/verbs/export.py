"""``cytocar export``: hand the tables of a run on."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer


def command(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a finished run.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="New folder for the tables.")],
    parquet: Annotated[bool, typer.Option("--parquet", help="Tables as Parquet too (needs pyarrow).")] = False,
    by: Annotated[
        str | None, typer.Option("--by", metavar="NAME", help="Who hands them on, for the audit trail. [your login]")
    ] = None,
) -> None:
    """Copy the tables of a run and their description to a new folder, and note in the audit trail what went where.

    A table that is not what was recorded is not handed on.
    """
    from cytocar.run.finished.export import export_tables
    from cytocar.run.trail.who import author, now
    from cytocar.tables.parquet import require_pyarrow

    if parquet:
        require_pyarrow()
    for file in export_tables(run, out, author=author(by), clock=now, parquet=parquet):
        sys.stdout.write(f"{file}\n")
