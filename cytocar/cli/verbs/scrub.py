"""``cytocar scrub``: copies of FCS files without what may identify a person."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cytocar.cli import screen
from cytocar.errors.tree import CytocarError, UsageError
from cytocar.fcs.scrub.dates import Dates

if TYPE_CHECKING:
    from cytocar.fcs.scrub.file import ScrubRule
    from cytocar.files.places import Place


def command(
    inputs: Annotated[list[str], typer.Argument(metavar="IN...", help="FCS files or folders.")],
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="New folder for the copies, or one copy's name.")
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Only list what scrubbing would remove.")] = False,
    dates: Annotated[
        Dates, typer.Option(help="Cut dates to the year, shift them per subject, or keep them.")
    ] = Dates.YEAR,
    keep: Annotated[
        list[str] | None, typer.Option("--keep", metavar="KEY", help="Keep this keyword as it is; may be repeated.")
    ] = None,
    hide: Annotated[
        list[str] | None,
        typer.Option("--hide", metavar="WORD", help="Overwrite this word in channel labels; may be repeated."),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", hidden=True, help="The only way now: accepted for older scripts.")
    ] = False,
    sheet: Annotated[
        str | None, typer.Option("-s", "--sheet", metavar="PATH", help="Sample sheet that names each file's subject.")
    ] = None,
    linkage: Annotated[Path | None, typer.Option(help="Map from copies to files. [OUT.linkage.csv]")] = None,
    keep_names: Annotated[bool, typer.Option("--keep-names", help="Keep the files' names.")] = False,
) -> None:
    """Copy FCS files with the keywords alone that reading and gating need; events stay identical to the bit.

    Copies are numbered; the linkage map, which only you can read, says which file each one was.
    """
    from cytocar.fcs.scrub.batch import scrub_files
    from cytocar.fcs.scrub.file import ScrubRule
    from cytocar.sheet.inputs import collect

    files = list(dict.fromkeys(row.file for row in collect(inputs).samples))
    rule = ScrubRule(
        dates=dates,
        keep=frozenset(key.strip().upper() for key in keep or ()),
        hide=frozenset(part.lower() for word in hide or () for part in word.split()),
    )
    if check:
        _check(files, rule)
        return
    if out is None:
        raise UsageError("no folder for the copies", code="E152", hint="name one: -o OUT, or use --check to look only")
    outcome = scrub_files(
        files,
        out,
        rule=rule,
        linkage=linkage or out.with_name(f"{out.name}.linkage.csv"),
        subjects=_subjects(sheet),
        keep_names=keep_names,
    )
    for done in outcome.scrubbed:
        sys.stdout.write(
            screen.printable(f"{done.copy}  {done.events:,} events, {len(done.removed)} keywords removed\n")
        )
    unfamiliar = dict.fromkeys(word for done in outcome.scrubbed for word in done.unfamiliar)
    if unfamiliar:
        screen.say(
            f"channel labels hold words that name no marker we know: {', '.join(unfamiliar)}; if one names a person, "
            "scrub again with --hide WORD"
        )
    for refused in outcome.refused:
        screen.show_error(refused.error, where=str(refused.file))
    if outcome.refused:
        raise typer.Exit(1)


def _subjects(sheet: str | None) -> dict[Place, str]:
    from cytocar.files.places import place_of
    from cytocar.sheet.rows import read_sheet

    if sheet is None:
        return {}
    return {row.file.resolve(): row.subject_id for row in read_sheet(place_of(sheet)) if row.subject_id}


def _check(files: list[Place], rule: ScrubRule) -> None:
    from cytocar.fcs.scrub.batch import still_identifying

    remaining = still_identifying(files, rule)
    for file, what in remaining.items():
        if isinstance(what, CytocarError):
            screen.show_error(what, where=str(file))
        else:
            sys.stdout.write(screen.printable(f"{file}: {', '.join(what)}\n"))
    screen.say(f"{len(remaining)} of {len(files)} files hold what scrubbing removes")
    if remaining:
        raise typer.Exit(1)
