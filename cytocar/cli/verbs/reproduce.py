"""``cytocar reproduce``: do a run again and compare."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from cytocar.cli import screen
from cytocar.errors.tree import IntegrityError

_SHOWN = 10
"""Differences shown of each table."""


def command(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a finished run.")],
    inputs: Annotated[
        str | None, typer.Option("--inputs", metavar="DIR", help="Where the FCS files lie. [as in the run]")
    ] = None,
    jobs: Annotated[int, typer.Option("-j", "--jobs", min=0, help="Processes; 0: all cores.")] = 0,
) -> None:
    """Do a run again from its manifest (samples, templates, settings, overrides) and compare the tables byte for byte.

    Exit code 4 if a table differs, be it in the words of a message alone, which is told apart; each line and column is
    named. Nothing in RUN is changed.
    """
    from cytocar.cli.progress import Progress
    from cytocar.files.places import place_of
    from cytocar.run.finished.reproduce import reproduce
    from cytocar.run.trail.journal import finished_manifest
    from cytocar.version import __version__

    manifest = finished_manifest(run)
    if (made_by := manifest.get("cytocar_version")) != __version__:
        screen.say(f"note: the run was made by cytocar {made_by}, this is {__version__}: its column will differ")
    with tempfile.TemporaryDirectory(prefix="cytocar-") as scratch:
        tables = reproduce(
            run, Path(scratch), inputs=place_of(inputs) if inputs else None, jobs=jobs, observer=Progress()
        )
    for table in tables:
        verdict = "differs" if table.differences else "same"
        alone = ", in words alone" if table.differs_in_words_alone else ""
        sys.stdout.write(f"{verdict:<8} {table.name}: {table.lines} lines{alone}\n")
        for difference in table.differences[:_SHOWN]:
            sys.stdout.write(screen.printable(f"         line {difference.line}: {difference.message}") + "\n")
        if len(table.differences) > _SHOWN:
            sys.stdout.write(f"         and {len(table.differences) - _SHOWN} more\n")
    differing = [table.name for table in tables if table.differences]
    if differing and all(table.differs_in_words_alone for table in tables if table.differences):
        raise IntegrityError(
            f"every number of {run} was reproduced; words differ in {', '.join(differing)}",
            code="E127",
            hint=f"messages change with the version of cytocar; `cytocar verify {run}` says whether it is another",
        )
    if differing:
        raise IntegrityError(
            f"{run} was not reproduced: {', '.join(differing)} differ{'s' if len(differing) == 1 else ''}",
            code="E127",
            hint=f"`cytocar verify {run}` says whether tables, inputs or versions changed since",
        )
