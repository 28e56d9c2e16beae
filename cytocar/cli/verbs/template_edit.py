"""``cytocar template edit``: the editor, a local page on which a template is drawn."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from cytocar.cli import screen


def edit(
    template: Annotated[str, typer.Argument(metavar="TEMPLATE.toml", help="The template; a new name starts one.")],
    files: Annotated[
        list[str] | None, typer.Argument(metavar="FILE...", help="FCS files to draw and try it on.")
    ] = None,
    run: Annotated[
        Path | None,
        typer.Option(
            "--run", metavar="RUN", help="Take in the gates that were moved in a reviewed run, and its files."
        ),
    ] = None,
    marker: Annotated[
        list[str] | None, typer.Option("--marker", metavar="CD3=FITC-A", help="Say which detector carries a marker.")
    ] = None,
    port: Annotated[int, typer.Option(metavar="N", min=0, max=65535, help="Port to listen at; 0: any free one.")] = 0,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Print the address, open no browser.")] = False,
) -> None:
    """Draw a template on a local page: gates on pictures of your own files, counted in all of them as you drag.

    The page saves the file with its comments, shows what changed in words, proposes the version and locks it. It is for
    this computer and this address only. Ctrl-C, or "end the editor" on the page, ends it.

    Example: cytocar template edit mine.toml day7.fcs day14.fcs

    Gates that a review moved become the template: cytocar template edit mine.toml --run RUN
    """
    from cytocar.cli.tube_options import settled_markers
    from cytocar.cli.verbs.review import opened
    from cytocar.editor.from_run import reviewed_gates
    from cytocar.editor.opening import open_bench, open_reviewed
    from cytocar.editor.serve import serve
    from cytocar.files.places import place_of
    from cytocar.fit.names import alias_book
    from cytocar.run.trail.who import now

    places = [place_of(file) for file in files or []]
    markers = settled_markers(marker or [])
    if run is None:
        bench, file = open_bench(template, places, alias_book(), markers=markers)
    else:
        bench, file, words = open_reviewed(template, reviewed_gates(run), places, alias_book(), markers=markers)
        for line in words:
            screen.say(line)

    def announce(address: str) -> None:
        sys.stdout.write(address + "\n")
        sys.stdout.flush()
        screen.say(f"{opened('editor', address, no_browser)}; Ctrl-C ends it, what was saved is kept")

    serve(bench, file, port=port, clock=now, announce=announce)
