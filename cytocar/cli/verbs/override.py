"""``cytocar override``: move one gate of one sample of a run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from cytocar.cli import screen
from cytocar.errors.tree import UsageError


def command(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a finished run.")],
    sample: Annotated[str, typer.Argument(metavar="SAMPLE", help="The sample's sample_id.")],
    gate: Annotated[str, typer.Argument(metavar="GATE", help="The gate, by the population that it defines.")],
    value: Annotated[
        list[str] | None,
        typer.Option(metavar="[NAME=]NUMBER", help="New value of a number, named as in gates.csv; may be repeated."),
    ] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Put the gate back to where the template puts it.")] = False,
    reason: Annotated[str, typer.Option(help="Why, for the audit trail. [needed]")] = "",
    by: Annotated[str, typer.Option(metavar="NAME", help="Who moves it, for the audit trail. [needed]")] = "",
    inputs: Annotated[
        str | None, typer.Option("--inputs", metavar="DIR", help="Where the FCS files lie. [as in the run]")
    ] = None,
) -> None:
    """Move one gate of one sample, count the sample again, keep the original beside it; the row is flagged.

    The tables and the report are written anew.

    Example: cytocar override RUN d9 t_cells --value 1350 --reason "CD3 dim" --by "A. Muster"
    """
    from cytocar.cli.verbs.report import build_report
    from cytocar.files.places import place_of
    from cytocar.report.run.page import REPORT
    from cytocar.run.finished.override import Target
    from cytocar.run.finished.override import override as move
    from cytocar.run.finished.override import undo as put_back
    from cytocar.run.trail.audit import last_signature, read_trail
    from cytocar.run.trail.journal import journal, require_run
    from cytocar.run.trail.who import author, now

    if not by.strip() or not reason.strip():
        raise UsageError("an override needs a name and a reason", code="E115", hint="give both --by and --reason")
    if undo == bool(value):
        raise UsageError("give either --value or --undo", code="E115", hint="for example --value 1350")
    target = Target(sample, gate)
    place = place_of(inputs) if inputs else None
    with journal(require_run(run), author(by), now) as opened:
        if undo:
            change = put_back(opened, target, reason=reason, inputs=place)
        else:
            change = move(opened, target, _numbers(value or []), reason=reason, inputs=place)
    sys.stdout.write(screen.printable(f"{target}: {change.numbers_before} -> {change.numbers_after}") + "\n")
    before, after = change.before.row(), change.after.row()
    for column in ("car_report", "car_per_ul", "car_percent_of_t_cells", "t_cells_per_ul", "cd4_cd8_ratio", "status"):
        if before[column] != after[column]:
            sys.stdout.write(f"{column}: {_shown(before[column])} -> {_shown(after[column])}\n")
    if (run / REPORT).is_file():
        build_report(run, inputs=place, by=by)
    back = "" if undo else "; take it back with --undo"
    screen.say(f"noted in {run / 'audit.jsonl'}{back}")
    signature = last_signature(read_trail(run))
    if signature is not None and signature.is_stale:
        screen.say(f"note: {signature}")


def _numbers(values: list[str]) -> dict[str, float]:
    from cytocar.sheet.spelling import number

    numbers = {}
    for word in values:
        name, _, text = word.rpartition("=")
        try:
            numbers[name.strip()] = number(text.strip(), False)
        except ValueError as error:
            raise UsageError(str(error), code="E115", hint="for example --value 1350") from None
    return numbers


def _shown(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
