"""``cytocar verify``: is a run what was recorded?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from cytocar.cli import screen
from cytocar.errors.tree import IntegrityError, UsageError


def command(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The run folder.")],
    inputs: Annotated[
        str | None, typer.Option("--inputs", metavar="DIR", help="Where FCS files and sheet lie. [as in the run]")
    ] = None,
    head: Annotated[
        str | None, typer.Option("--head", metavar="HASH", help="Hash from a printed report; the trail must hold it.")
    ] = None,
) -> None:
    """Compare a run with what was recorded: audit trail, every file, inputs, templates, versions. Writes nothing.

    Exit code 4 if anything was changed; each place is named. Exit code 2 if nothing was, and the run is not finished.
    """
    from cytocar.cli.progress import Progress
    from cytocar.files.places import place_of
    from cytocar.run.finished.checks import Verdict
    from cytocar.run.finished.verify import verify

    place = place_of(inputs) if inputs else None
    if isinstance(place, Path) and not place.is_dir():
        raise UsageError(
            f"there is no folder {place}", code="E103", hint="--inputs DIR says where the FCS files lie now"
        )
    checks = verify(run, inputs=place, head=head, observer=Progress("samples' files"))
    width = max(8, *(len(check.verdict) for check in checks))
    for check in checks:
        sys.stdout.write(screen.printable(f"{check.verdict:<{width}} {check.place}: {check.message}") + "\n")
    changed = [check for check in checks if check.verdict is Verdict.CHANGED]
    if changed:
        raise IntegrityError(
            f"{run} is not what was recorded: {len(changed)} thing{'s' if len(changed) > 1 else ''} changed",
            code="E123",
            hint="the lines `changed` above name each; restore them from a backup, or count again",
        )
    if any(check.verdict is Verdict.UNFINISHED for check in checks):
        raise UsageError(
            f"the run in {run} is not finished; what it has written so far is as it was written",
            code="E114",
            hint="repeat its `cytocar gate` command",
        )
