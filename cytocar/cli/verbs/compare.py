"""``cytocar compare``: a run's counts beside those of another program, another run or a table."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from cytocar.cli import screen
from cytocar.errors.tree import UsageError

CSV, PAGE = "comparison.csv", "comparison.html"


def command(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The run folder.")],
    other: Annotated[
        Path, typer.Argument(metavar="OTHER", help="FlowJo workspace, FACSDiva XML, another run, or a table.")
    ],
    tolerance: Annotated[
        float, typer.Option("--tolerance", metavar="PERCENT", min=0, help="Largest difference, % of the other's count.")
    ] = 1.0,
    out: Annotated[Path | None, typer.Option("-o", "--out", metavar="DIR", help="Write CSV and HTML there.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an older comparison in DIR.")] = False,
) -> None:
    """Put each population's count beside FlowJo's, another run's or a table's: difference, verdict, likely cause.

    Without -o: CSV on stdout. Exit code 1 if a population is beyond the tolerance or missing.
    """
    from cytocar.files.whole import write_atomically
    from cytocar.run.comparison.compare import compare
    from cytocar.run.comparison.counts import of_run, read_counts

    comparison = compare(of_run(run), read_counts(other), tolerance_percent=tolerance)
    if not comparison.rows:
        raise UsageError(
            f"no sample of {other} is in {run}",
            code="E155",
            hint="samples are found by their name, or by the name of their file",
        )
    if out is None:
        sys.stdout.write(comparison.csv())
    else:
        from cytocar.report.comparison.page import comparison_page

        places = (out / CSV, out / PAGE)
        if not force and any(place.exists() for place in places):
            raise UsageError(f"{out} holds a comparison", code="E105", hint="name another folder, or use --force")
        out.mkdir(parents=True, exist_ok=True)
        for place, text in zip(places, (comparison.csv(), comparison_page(comparison)), strict=True):
            write_atomically(place, text)
        screen.say(f"wrote {places[0]} and {places[1].name}")
    for name in comparison.only_there:
        screen.say(f"note: {name} of {comparison.other_title} is not in the run")
    for loss in comparison.left_out:
        screen.say(f"note: {loss}")
    screen.say(f"{'agrees' if comparison.agrees else 'does not agree'} at {tolerance:g} %: {comparison.line()}")
    if not comparison.agrees:
        raise typer.Exit(1)
