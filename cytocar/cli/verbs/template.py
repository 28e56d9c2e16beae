"""``cytocar template``: list, show, start and check gating templates."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cytocar.cli import screen
from cytocar.cli.app import CONTEXT, WholeSentences
from cytocar.cli.verbs import template_edit, template_exchange, template_fit, template_lock
from cytocar.errors.boundary import one_of_many
from cytocar.errors.tree import CytocarError, UsageError, counted

if TYPE_CHECKING:
    from cytocar.template.model import Template

app = typer.Typer(
    cls=WholeSentences,
    help="List, show, fit, edit, check, compare, lock and exchange gating templates.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings=CONTEXT,
    no_args_is_help=True,
)
DEFAULT_SOURCE = "cart-cd19fc-fixed"
_NAME = Annotated[str, typer.Argument(metavar="NAME|PATH", help="Bundled name, or path of a .toml file.")]


@app.command("list")
def list_templates() -> None:
    """List the bundled templates."""
    from cytocar.cli.result_table import write_table
    from cytocar.template.load import bundled_templates, read_template

    loaded = [read_template(name) for name in bundled_templates()]
    lines = [(one.template.name, one.template.version, one.status, one.template.title) for one in loaded]
    write_table(("name", "version", "status", "title"), lines)


@app.command("show")
def show(
    name: _NAME,
    toml: Annotated[bool, typer.Option("--toml", help="The file itself, with its comments.")] = False,
    json: Annotated[bool, typer.Option("--json", help="The canonical form, as it is hashed.")] = False,
) -> None:
    """Show what a template measures: markers, the tree of populations with their gates, counting, limits."""
    from cytocar.template.canonical import canonical_json
    from cytocar.template.load import read_template

    loaded = read_template(name)
    if toml:
        sys.stdout.write(loaded.path.read_text("utf-8"))
    elif json:
        sys.stdout.write(canonical_json(loaded.template) + "\n")
    else:
        head = f"{loaded.template.name} {loaded.template.version} ({loaded.status}, sha256 {loaded.sha256[:12]})"
        sys.stdout.write("\n".join([head, loaded.template.title, "", *_described(loaded.template)]) + "\n")


def _described(template: Template) -> list[str]:
    lines = ["markers"]
    for marker, entry in template.panel.items():
        names = ", ".join((*entry.aliases, *entry.detectors)) or "its own name"
        lines.append(f"  {marker:<10} {names}")
    lines += ["", "populations", *_branch(template, "all", 1)]
    for doubt in template.doubts:
        state = f"accepted by {doubt.accepted_by}: {doubt.reason}" if doubt.accepted_by else "open"
        lines += ["", f"doubt {doubt.code} ({state})", f"  {doubt.message}"]
    lines += ["", f"counting: {template.counting.method}"]
    limits = template.limits
    lines.append(
        f"limits: detection {limits.detection_events} events or {limits.detection_percent:g} % of T cells, "
        f"quantification {limits.quantification_events} events"
    )
    return lines


def _branch(template: Template, parent: str, depth: int) -> list[str]:

    lines = []
    for population in template.populations:
        if population.parent == parent:
            without = f", without {', '.join(population.exclude)}" if population.exclude else ""
            lines.append(f"{'  ' * depth}{population.name}: {population.gate.words()}{without}")
            lines += _branch(template, population.name, depth + 1)
    return lines


@app.command("new")
def new(
    path: Annotated[Path, typer.Argument(metavar="FILE.toml", help="Where to write it.")],
    source: Annotated[str, typer.Option("--from", help="Template to start from.")] = DEFAULT_SOURCE,
) -> None:
    """Start a template of your own: a copy of a bundled one under a new name, comments and all."""
    import re

    from cytocar.template.load import read_template

    if path.suffix != ".toml":
        raise UsageError(f"{path} does not end in .toml", code="E111", hint=f"name it {path.stem or 'mine'}.toml")
    if path.exists():
        raise UsageError(f"{path} exists", code="E105", hint="choose another name, or move it away first")
    text = read_template(source).path.read_text("utf-8")
    text = re.sub(r'(?m)^name = ".*"', f'name = "{path.stem}"', text, count=1)
    text = re.sub(r'(?m)^version = "[^"]*"', 'version = "0.1.0"', text, count=1)
    path.write_text(text, "utf-8")
    screen.say(f"wrote {path}, a copy of {source}; edit it, then `cytocar template validate {path}`")
    if source == DEFAULT_SOURCE:
        screen.say("--from NAME copies another one; `cytocar template list` names them")


@app.command("validate")
def validate(
    name: _NAME,
    files: Annotated[list[str] | None, typer.Argument(metavar="FCS...", help="Try its panel on these.")] = None,
) -> None:
    """Check a template: every fault at once, with its place. With FCS files: whether its markers are found in them."""
    from cytocar.template.load import read_template

    loaded = read_template(name)
    screen.show_losses(loaded.losses)
    template = loaded.template
    populations, markers = len(template.populations), len(template.panel)
    count = f"{counted(populations, 'population')}, {counted(markers, 'marker')}"
    sys.stdout.write(f"{loaded.path.name}: valid; {count}; {loaded.status}; sha256 {loaded.sha256}\n")
    failed = False
    for file in files or []:
        try:
            with one_of_many():
                _try_panel(template, file)
        except CytocarError as error:
            failed = True
            screen.show_error(error, where=file)
    if failed:
        raise typer.Exit(1)


def _try_panel(template: Template, file: str) -> None:
    from cytocar.fcs.reader import open_fcs
    from cytocar.files.places import place_of
    from cytocar.signals.panel import resolve

    place = place_of(file)
    panel = resolve(template.panel, open_fcs(place).channels)
    channels = ", ".join(f"{marker} = {channel.detector}" for marker, channel in panel.items())
    sys.stdout.write(f"{place.name}: {channels}\n")


app.command("fit")(template_fit.fit)
app.command("edit")(template_edit.edit)
app.command("diff")(template_lock.diff)
app.command("accept")(template_lock.accept)
app.command("lock")(template_lock.lock)
app.command("import")(template_exchange.import_gates)
app.command("export")(template_exchange.export_gates)
