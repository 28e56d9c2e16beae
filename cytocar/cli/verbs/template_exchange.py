"""``cytocar template import`` and ``export``: gates from and for other programs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cytocar.cli import screen
from cytocar.errors.tree import UsageError

if TYPE_CHECKING:
    from cytocar.gates.decision import Decision


def import_gates(
    file: Annotated[Path, typer.Argument(metavar="GATES", help="Gating-ML 2.0 (.xml) or FlowJo workspace (.wsp).")],
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Template to write (.toml). [stdout]")] = None,
    sample: Annotated[
        str | None, typer.Option("--sample", metavar="NAME", help="Whose gates, of a workspace. [the first with gates]")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the template if it exists.")] = False,
) -> None:
    """Turn the gates of another program into a template.

    A document that cytocar exported gives the identical template back; what was edited since then is listed.
    """
    from cytocar.template.load import import_document
    from cytocar.template.toml_text import to_toml

    if not file.is_file():
        raise UsageError(f"there is no file {file}", code="E103", hint="check the path")
    imported = import_document(file, sample=sample)
    screen.show_losses(imported.losses)
    text = to_toml(imported.template, comments=[f"Imported from {file.name}"])
    _write(text.encode("utf-8"), out, ".toml", force=force)


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
    from cytocar.cli.verbs.gate import settled_markers
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
        applied = applied_to(events, template, populations=populations, markers=markers)
        document = export_gatingml(template, applied)
    for population, flags in _flags(populations.decisions).items():
        screen.say(f"note: gate {population} was placed with {', '.join(flags)}: `cytocar explain {flags[0]}`")
    _write(document, out, ".xml", force=force)


def _flags(decisions: Sequence[Decision]) -> dict[str, list[str]]:
    """Return what a person should know about each data-driven gate, such as that no control sample was at hand."""
    found: dict[str, list[str]] = {}
    for decision in decisions:
        for flag in decision.flags:
            known = found.setdefault(decision.population, [])
            if flag not in known:
                known.append(flag)
    return found


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
