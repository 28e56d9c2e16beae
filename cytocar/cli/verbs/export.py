"""``cytocar export``: hand the tables of a run on."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from cytocar.cli import screen
from cytocar.cli.unverified import Unverified
from cytocar.run.finished.gate_forms import GatesAs
from cytocar.template.flowjo.logicle_as import LogicleAs


def command(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a finished run.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="New folder for the tables.")],
    form: Annotated[
        GatesAs | None,
        typer.Option("--as", help="Gates of every sample: wsp (FlowJo), gatingml, cytobank. [the tables]"),
    ] = None,
    logicle_as: Annotated[
        LogicleAs,
        typer.Option("--scale", help="With --as wsp: logicle scales as such, or as the biex of an older FlowJo 10."),
    ] = LogicleAs.LOGICLE,
    inputs: Annotated[
        str | None, typer.Option("--inputs", metavar="DIR", help="With --as: where the FCS files lie. [as in the run]")
    ] = None,
    parquet: Annotated[bool, typer.Option("--parquet", help="Tables as Parquet too (needs pyarrow).")] = False,
    by: Annotated[
        str | None, typer.Option("--by", metavar="NAME", help="Who hands them on, for the audit trail. [your login]")
    ] = None,
    unverified: Unverified = False,
) -> None:
    """Copy the tables of a run and their description to a new folder, and note in the audit trail what went where.

    A table that is not what was recorded is not handed on. With --as the gates of every sample for other programs, as
    they were applied: placed by the data, or moved by hand.
    """
    from cytocar.run.finished.export import export_tables
    from cytocar.run.trail.who import author, now
    from cytocar.tables.parquet import require_pyarrow

    if form is not None:
        from cytocar.files.places import place_of
        from cytocar.run.finished.export_gates import export_gates

        files, losses = export_gates(
            run,
            out,
            form=form,
            author=author(by),
            clock=now,
            inputs=place_of(inputs) if inputs else None,
            logicle_as=logicle_as,
        )
        screen.show_losses(losses)
        for file in files:
            sys.stdout.write(f"{file}\n")
        return
    if parquet:
        require_pyarrow()
    for file in export_tables(run, out, author=author(by), clock=now, parquet=parquet):
        sys.stdout.write(f"{file}\n")
