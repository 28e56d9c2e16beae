"""``cytocar plot``: a picture of two channels, or of one gate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cytocar.cli import screen


def command(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="FCS files; several become a grid.")],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FILE.png", help="Picture: .png, .svg or .pdf.")],
    x: Annotated[str | None, typer.Option("-x", help="Marker or detector of the horizontal axis.")] = None,
    y: Annotated[str | None, typer.Option("-y", help="Marker or detector of the vertical axis.")] = None,
    template: Annotated[str | None, typer.Option("-t", "--template", help="Bundled template, or a path.")] = None,
    population: Annotated[
        str | None, typer.Option("-g", "--population", help="Gate to draw; with -x and -y, whose events.")
    ] = None,
) -> None:
    """Draw two channels of FCS files on the data's own scale, or one gate of a template on each file."""
    from cytocar.figures.events import plot

    plot(files, x, y, template=template, population=population, out=out)
    screen.say(f"wrote {out}")
