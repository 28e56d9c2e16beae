"""``cytocar sign``: say in the audit trail that a run was reviewed or approved."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from cytocar.cli import screen
from cytocar.errors.tree import UsageError
from cytocar.run.trail.audit import Meaning


def command(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a finished run.")],
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="Who says so.")],
    meaning: Annotated[Meaning, typer.Option("--meaning", help="What is said.")],
    reason: Annotated[str, typer.Option("--reason", help="Why, or a note.")] = "",
) -> None:
    """Note in the audit trail that a person has reviewed, approved or rejected a run.

    A run that is not what was recorded cannot be signed. To approve one in which samples that ask for a look had none
    (`cytocar review`), say why: it is kept in the trail. The name is what was typed: this supports a laboratory's
    records and is no electronic signature by itself.
    """
    from cytocar.review.worklist import unseen_samples
    from cytocar.run.finished.sign import sign
    from cytocar.run.trail.who import author, now

    if not by.strip():
        raise UsageError("a signature needs a name", code="E115", hint="give --by NAME")
    unseen = unseen_samples(run) if meaning is Meaning.APPROVED else ()
    last = sign(run, meaning, author=author(by), clock=now, reason=reason, unseen=unseen)
    head = last.sha256 if last else ""
    sys.stdout.write(screen.printable(f"{meaning} by {by.strip()}; head of the trail: {head}") + "\n")
