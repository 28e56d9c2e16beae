"""``cytocar compensate``: the spillover matrix of single-stain controls."""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer
from msgspec.structs import replace

from cytocar.cli import screen
from cytocar.errors.tree import UsageError
from cytocar.signals.spillover_estimate import PASS_SLOPE, WARN_SLOPE, Method

if TYPE_CHECKING:
    from cytocar.files.places import Place
    from cytocar.signals.compensation import SpilloverMatrix
    from cytocar.signals.single_stains import Control, Measured


def command(
    controls: Annotated[str, typer.Argument(metavar="DIR", help="Folder of single stains, or a sample sheet (.csv).")],
    out: Annotated[Path | None, typer.Option("-o", "--out", metavar="CSV", help="Write the matrix to a file.")] = None,
    method: Annotated[
        Method, typer.Option(help="Medians of all events, or robust regression through cells.")
    ] = Method.MEDIANS,
    unstained: Annotated[
        str | None, typer.Option(metavar="PATH", help="The control without a stain. [found in DIR]")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier file.")] = False,
) -> None:
    """Estimate the spillover matrix from single-stain controls and one unstained control.

    Without a sheet each file's brightest detector is its stain. The CSV is what a sheet's or a template's
    `compensation` takes.
    """
    from cytocar.files.places import place_of
    from cytocar.signals.single_stains import measure

    if out is not None and out.exists() and not force:
        raise UsageError(f"{out} exists", code="E105", hint="choose another name, or replace it with --force")
    with ExitStack() as fetched:
        measured = measure(_controls(place_of(controls), place_of(unstained) if unstained else None, fetched), method)
    matrix = measured.estimated.matrix
    if out is None:
        _write(matrix, sys.stdout)
    else:
        with out.open("w", encoding="utf-8", newline="") as file:
            _write(matrix, file)
    _tell(measured)


def _controls(place: Place, unstained: Place | None, fetched: ExitStack) -> Sequence[Control]:
    """Return the controls; what lies at addresses is fetched once, since they are read several times."""
    from cytocar.files.places import require_packages
    from cytocar.files.source import at_hand
    from cytocar.sheet.rows import read_sheet
    from cytocar.signals.single_stains import controls_of_files, controls_of_rows, fcs_files, is_control

    require_packages(place, *([unstained] if unstained else []))
    if not place.exists():
        raise UsageError(f"there is no file or folder {place}", code="E103", hint="check the path")
    if not place.is_dir():
        rows = read_sheet(place)
        require_packages(*(row.file for row in rows))
        wanted = [row for row in rows if is_control(row)]
        return controls_of_rows([replace(row, file=fetched.enter_context(at_hand(row.file))) for row in wanted])
    files = {file: fetched.enter_context(at_hand(file)) for file in fcs_files(place)}
    if unstained is None:
        return controls_of_files(tuple(files.values()))
    if not unstained.is_file():
        raise UsageError(f"there is no file {unstained}", code="E103", hint="check the path of --unstained")
    blank = fetched.enter_context(at_hand(unstained))
    others = tuple(copy for file, copy in files.items() if file != unstained and not copy.samefile(blank))
    return controls_of_files((blank, *others), unstained=blank)


def _write(matrix: SpilloverMatrix, stream: TextIO) -> None:
    table = csv.writer(stream, lineterminator="\n")
    table.writerow(["", *matrix.detectors])
    table.writerows(
        [name, *map(repr, row)] for name, row in zip(matrix.fluorochromes, matrix.values.tolist(), strict=True)
    )


def _tell(measured: Measured) -> None:
    """Say what each file was taken for, and how flat compensation makes it."""
    blank, *stained = measured.controls
    screen.say(f"{blank.path.name}: unstained, {blank.events.n_events:,} events")
    for control, slope in zip(stained, measured.estimated.left, strict=True):
        verdict = "pass" if slope <= PASS_SLOPE else "fair" if slope <= WARN_SLOPE else "look at it"
        screen.say(
            f"{control.path.name}: {control.detector}, {control.events.n_events:,} events,"
            f" largest slope left {slope:.4f} ({verdict})"
        )
    steep = [str(c.detector) for c, slope in zip(stained, measured.estimated.left, strict=True) if slope > WARN_SLOPE]
    if steep:
        screen.show_problem(
            "warning",
            "W231",
            f"compensated with this matrix, the controls of {', '.join(steep)} still lean by more than {WARN_SLOPE:g}",
            hint="compare with --method regression, and look for a weak, mixed or wrong control",
        )
