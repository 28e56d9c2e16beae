"""``cytocar template lock``, ``accept`` and ``diff``: who answers for which version, and what changed since."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from cytocar.cli import screen

_NAME = Annotated[str, typer.Argument(metavar="NAME|PATH", help="Bundled name, or path of a template.")]


def lock(
    name: _NAME,
    by: Annotated[str, typer.Option("--by", help="Who answers for it.")],
    reason: Annotated[str, typer.Option("--reason", help="Why, for instance the validation report.")],
    validation: Annotated[
        Path | None,
        typer.Option("--validation", metavar="DIR", help="Folder of `validate evaluate` that the lock rests on."),
    ] = None,
) -> None:
    """Lock a template: from now on a change of anything that it says stops with exit code 4.

    With --validation the evaluation must be of this very template, and every criterion met; its hash is in the lock.
    """
    from cytocar.template.load import read_template
    from cytocar.template.lock import lock_path, write_lock

    loaded = read_template(name, check_lock=False)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    rests_on = ""
    if validation is not None:
        from cytocar.template.canonical import template_sha256
        from cytocar.validation.proof import proof_of

        rests_on = proof_of(validation, template_sha256(loaded.template))
    written = write_lock(loaded.template, loaded.path, by=by, at=now, reason=reason, validation=rests_on)
    sys.stdout.write(f"{lock_path(loaded.path).name}: {written.template} {written.version}, sha256 {written.sha256}\n")
    if written.validation:
        sys.stdout.write(f"rests on {written.validation}\n")
    if loaded.template.open_doubts:
        codes = " ".join(dict.fromkeys(doubt.code for doubt in loaded.template.open_doubts))
        screen.say(f"its fit left doubts that nobody has accepted, so every sample is for review: {codes}")


def accept(
    file: Annotated[Path, typer.Argument(metavar="TEMPLATE.toml", help="A template that `template fit` made.")],
    codes: Annotated[list[str], typer.Argument(metavar="CODE...", help="Doubts to accept, for instance W338.")],
    by: Annotated[str, typer.Option("--by", help="Who has looked, and accepts them.")],
    reason: Annotated[str, typer.Option("--reason", help="Why the counts are right all the same.")],
) -> None:
    """Accept doubts that the fit of a template left: they turn from a reason for review into a note with a name.

    A locked template gets a higher version by it, and waits for `template lock`.
    """
    from cytocar.template.accept import accept_doubts

    after = accept_doubts(file, codes, by=by, reason=reason)
    still_open = " ".join(dict.fromkeys(doubt.code for doubt in after.open_doubts))
    sys.stdout.write(f"{file.name} {after.version}: accepted {' '.join(codes)}; open: {still_open or 'none'}\n")


def diff(
    before: Annotated[str, typer.Argument(metavar="BEFORE", help="Name or path of the earlier template.")],
    after: Annotated[str, typer.Argument(metavar="AFTER", help="Name or path of the later one.")],
) -> None:
    """Say in words what changed between two templates, and whether the version moved as far as it should.

    Patch: text, aliases. Minor: a new population, marker or role. Major: any number that can move a count.
    """
    from cytocar.template.diff import compare
    from cytocar.template.load import read_template

    old, new = (read_template(name, check_lock=False).template for name in (before, after))
    difference = compare(old, new)
    for change in difference.changes:
        sys.stdout.write(f"{change.step!s:<6} {screen.printable(change.text)}\n")
    sys.stdout.write(f"{difference.verdict()}\n")
