"""``cytocar template import`` and ``export``: gates from and for other programs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cytocar.cli import screen
from cytocar.errors.tree import UsageError, counted

if TYPE_CHECKING:
    from cytocar.gates.decision import Decision


def import_gates(
    file: Annotated[
        Path, typer.Argument(metavar="GATES", help="Gating-ML 2.0, FlowJo workspace, FACSDiva experiment.")
    ],
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Template to write (.toml), with --files a folder. [stdout]")
    ] = None,
    sample: Annotated[
        str | None,
        typer.Option("--sample", metavar="NAME", help="Whose gates, of a workspace: name or sampleID. [the first]"),
    ] = None,
    files: Annotated[
        Path | None, typer.Option("--files", metavar="FOLDER", help="The study's FCS files: import all of its samples.")
    ] = None,
    role: Annotated[
        list[str] | None,
        typer.Option("--role", metavar='cd4="CD4+"', help="Which population counts as what. [guessed from names]"),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the template if it exists.")] = False,
) -> None:
    """Turn the gates of another program into a template.

    A document that cytocar exported gives the identical template back; what was edited since then is listed. With
    --files a whole FlowJo study is imported into a folder: template, sheet, overrides, FlowJo's counts.
    """
    from cytocar.template.load import import_document
    from cytocar.template.toml_text import to_toml

    if not file.is_file():
        raise UsageError(f"there is no file {file}", code="E103", hint="check the path")
    roles = _roles(role or [])
    if files is not None:
        if out is None or sample is not None:
            raise UsageError("--files needs -o DIR, and takes every sample", code="E111", hint="name a new folder")
        _import_study(file, files, out, roles)
        return
    imported = import_document(file, sample=sample)
    screen.show_losses(imported.losses)
    template = imported.template
    if roles:
        from cytocar.run.study.roles import named_roles, with_roles

        template = with_roles(template, named_roles(template, roles))
    text = to_toml(template, comments=[f"Imported from {file.name}"])
    _write(text.encode("utf-8"), out, ".toml", force=force)


def _roles(words: Sequence[str]) -> dict[str, str]:
    pairs = [word.partition("=") for word in words]
    for name, _, population in pairs:
        if not (name.strip() and population.strip()):
            raise UsageError(
                f"--role {name!r} is not ROLE=POPULATION", code="E111", hint='for example --role cd4="CD4+"'
            )
    return {name.strip(): population.strip().strip('"') for name, _, population in pairs}


def _import_study(file: Path, files: Path, out: Path, roles: dict[str, str]) -> None:
    """Import every sample of a workspace, say what became of each, and hold the counts against FlowJo's."""
    from cytocar.run.comparison.compare import compare
    from cytocar.run.comparison.counts import of_workspace
    from cytocar.run.study.count import count_sheet
    from cytocar.run.study.folder import SHEET, make_study, matrix_tally, write_study
    from cytocar.run.study.match import Match, read_headers
    from cytocar.sheet.inputs import collect
    from cytocar.template.load import document_name, read_study

    workspace = read_study(file)
    headers, unread = read_headers([row.file for row in collect([files]).samples])
    study = make_study(workspace, headers, name=document_name(file), roles=roles)
    written = write_study(study, out)
    for problem in unread:
        screen.say(f"note: cannot be read: {problem}")
    screen.show_losses(list(dict.fromkeys(loss for sample in workspace.gated for loss in sample.losses)))
    tally = study.tally()
    screen.say(
        f"{counted(sum(tally.values()), 'sample')}: "
        + ", ".join(f"{tally[match]} {match}" for match in Match if tally[match])
    )
    for name, matched in study.names.items():
        if matched.file is None:
            screen.say(f"  {name}: {matched.match}: {matched.why}")
    if study.n_moved:
        screen.say(
            f"gates stand elsewhere on {counted(study.n_moved, 'sample')}: overrides.json, reason "
            f"'moved in {workspace.program}'"
        )
    for verdict, number in matrix_tally(study).items():
        screen.say(f"matrix {verdict}: {counted(number, 'sample')}")
    for role, population in study.roles.items():
        screen.say(f"role {role}: {population}{' (guessed by its name)' if role in study.guessed else ''}")
    if not study.roles:
        screen.say('no roles: give them with --role cd4="CD4+"')
    screen.say("wrote " + ", ".join(path.name for path in written) + f" in {out}")
    if any(matched.file is not None for matched in study.names.values()):
        ours, failed = count_sheet(out / SHEET)
        for problem in failed:
            screen.say(f"  not counted: {problem}")
        screen.say(f"beside {workspace.program}'s counts: {compare(ours, of_workspace(workspace)).line()}")


def export_gates(
    name: Annotated[str, typer.Argument(metavar="NAME|PATH", help="Bundled name, or path of a template.")],
    sample: Annotated[str, typer.Option("--sample", metavar="FILE.fcs", help="The sample that it is applied to.")],
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Document to write (.xml). [stdout]")] = None,
    marker: Annotated[
        list[str] | None, typer.Option("--marker", metavar="CD3=FITC-A", help="Settle a marker's channel.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the document if it exists.")] = False,
) -> None:
    """Write a template, as applied to one sample, as Gating-ML 2.0 for other programs.

    Names are those of the sample's channels, data-driven gates stand where they lay on it.
    """
    from cytocar.cli.tube_options import settled_markers
    from cytocar.fcs.reader import open_fcs, split_data_set
    from cytocar.files.source import at_hand
    from cytocar.gates.walk import walk
    from cytocar.sample.applied_template import applied_to
    from cytocar.template.gatingml.round_trip import export_gatingml
    from cytocar.template.load import load_template

    template = load_template(name)
    markers = settled_markers(marker or [])
    place, number = split_data_set(sample)
    with at_hand(place) as file:
        events = open_fcs(file, data_set=number)
        populations = walk(events, template, markers=markers)
        template = populations.gated.template  # without what the file's markers do not allow
        applied = applied_to(events, template, populations=populations, markers=markers)
        document = export_gatingml(template, applied)
    for population, flags in _flags(populations.decisions).items():
        screen.say(f"note: gate {population} was placed with {', '.join(flags)}: `cytocar explain {flags[0]}`")
    _write(document, out, ".xml", force=force)


def _flags(decisions: Sequence[Decision]) -> dict[str, list[str]]:
    """What a person should know about each data-driven gate, such as that no control sample was at hand."""
    flags: dict[str, list[str]] = {}
    for decision in decisions:
        for flag in decision.flags:
            known = flags.setdefault(decision.population, [])
            if flag not in known:
                known.append(flag)
    return flags


def _write(data: bytes, out: Path | None, suffix: str, *, force: bool) -> None:
    if out is None:
        sys.stdout.write(data.decode("utf-8"))
        return
    if out.suffix.lower() != suffix:
        raise UsageError(f"{out} does not end in {suffix}", code="E111", hint=f"name it {out.stem}{suffix}")
    if out.exists() and not force:
        raise UsageError(f"{out} exists", code="E105", hint="choose another name, or replace it with --force")
    out.write_bytes(data)
    screen.say(f"wrote {out}")
