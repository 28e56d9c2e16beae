"""``cytocar sign``: say in the audit trail that a run was reviewed or approved."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cytocar.cli import screen
from cytocar.errors import IntegrityError, UsageError


class Meaning(StrEnum):
    """What a person says about a run."""

    REVIEWED = "reviewed"
    APPROVED = "approved"
    REJECTED = "rejected"


def command(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a finished run.")],
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="Who says so.")],
    meaning: Annotated[Meaning, typer.Option("--meaning", help="What is said.")],
    reason: Annotated[str, typer.Option("--reason", help="Why, or a note.")] = "",
) -> None:
    """Note in the audit trail that a person has reviewed, approved or rejected a run.

    A run that is not what was recorded cannot be signed. The name is what was typed: this supports a laboratory's
    records and is no electronic signature by itself.
    """
    from cytocar.audit import Act, Action, read_trail
    from cytocar.cli.who import author, now
    from cytocar.journal import amend
    from cytocar.verify import Verdict, verify

    if not by.strip():
        raise UsageError("a signature needs a name", code="E115", hint="give --by NAME")
    if any(check.verdict is Verdict.CHANGED for check in verify(run)):
        raise IntegrityError(
            f"{run} is not what was recorded, so it was not signed",
            code="E123",
            hint=f"`cytocar verify {run}` names each place",
        )
    amend(run, [Act(Action.SIGNED, "run", after=meaning, why=reason.strip())], author=author(by), clock=now)
    last = read_trail(run).last
    head = last.sha256 if last else ""
    sys.stdout.write(screen.printable(f"{meaning} by {by.strip()}; head of the trail: {head}") + "\n")
