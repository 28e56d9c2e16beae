"""``cytocar qc``: watch controls and instrument over runs."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cytocar.cli import screen
from cytocar.cli.unverified import Unverified
from cytocar.errors.tree import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cytocar.qc.levey_jennings import Chart
    from cytocar.qc.measures import Measured


class FailOn(StrEnum):
    """Which verdict makes the command exit with 3."""

    NEVER = "never"
    OUT = "out"


def command(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run folders, in the order of time.")],
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Write levey_jennings.csv, .svg and .png here.")
    ] = None,
    baseline: Annotated[
        int, typer.Option(min=3, help="Mean and SD come from the first so many runs (all, if there are fewer).")
    ] = 20,
    targets: Annotated[Path | None, typer.Option(help="Your own means and SDs, CSV: measure,control,mean,sd")] = None,
    inputs: Annotated[
        str | None, typer.Option("--inputs", metavar="DIR", help="Where the FCS files lie, for detector voltages.")
    ] = None,
    history: Annotated[
        Path | None,
        typer.Option("--history", metavar="FILE", help="Add the runs' CAR-negative tubes to this table."),
    ] = None,
    fail_on: Annotated[
        FailOn, typer.Option("--fail-on", help="Exit 3 when a point of the last run is out.")
    ] = FailOn.NEVER,
    unverified: Unverified = False,
) -> None:
    """Chart control samples, bead recovery, baseline CAR %, median fluorescence and detector voltages over runs.

    Levey-Jennings charts with Westgard rules 1-2s, 1-3s, 2-2s, R-4s, 4-1s, 10-x. Without -o: what is not ok on a
    terminal, CSV in a pipe. --history keeps what baselines and healthy donors show in the CAR gate, for
    `cytocar gate --background`; a tube that stands there already is not added again.
    """
    from cytocar.files.places import place_of
    from cytocar.qc.levey_jennings import LEVEY_JENNINGS, charts, read_targets
    from cytocar.qc.measures import measure_all
    from cytocar.tables.columns import csv_text, write_atomically

    own = read_targets(targets) if targets else {}
    measured = measure_all(runs, inputs=place_of(inputs) if inputs else None)
    for run in measured:
        for note in run.notes:
            screen.say(f"note: {note}")
    if history is not None:
        _keep(history, measured)
    drawn = charts(measured, baseline=baseline, targets=own)
    table = csv_text(LEVEY_JENNINGS, (row for chart in drawn for row in chart.rows()))
    if out is not None:
        from cytocar.figures.levey_jennings import draw_levey_jennings

        if out.exists() and any(out.iterdir()):
            raise UsageError(f"{out} exists and is not empty", code="E105", hint="name a new folder with -o")
        out.mkdir(parents=True, exist_ok=True)
        write_atomically(out / "levey_jennings.csv", table)
        for kind in ("svg", "png"):
            draw_levey_jennings(drawn, out / f"levey_jennings.{kind}")
    if sys.stdout.isatty() or out is not None:
        _show(drawn, len(measured))
    else:
        sys.stdout.write(table)
    last = measured[-1].run
    if fail_on is FailOn.OUT and any(
        point.verdict == "out" and point.run == last for chart in drawn for point in chart.points[-1:]
    ):
        raise typer.Exit(3)


def _keep(history: Path, measured: Sequence[Measured]) -> None:
    """Add the tubes without CAR-T cells of some runs to a history."""
    from cytocar.counting.blank_tubes import HISTORY, all_tubes, joined
    from cytocar.tables.columns import csv_text, write_atomically

    before = all_tubes(history) if history.exists() else ()
    tubes = joined(before, (tube for run in measured for tube in run.blanks))
    write_atomically(history, csv_text(HISTORY, (tube.row() for tube in tubes)))
    screen.say(f"{history}: {len(tubes)} CAR-negative tubes, {len(tubes) - len(before)} of them new")


def _show(drawn: tuple[Chart, ...], runs: int) -> None:
    """Write the points that are not ok, and how many are."""
    from cytocar.qc.levey_jennings import Verdict

    fine = 0
    for chart in drawn:
        for point in chart.points:
            if point.verdict in (Verdict.OK, Verdict.NO_LIMITS):
                fine += 1
                continue
            distance = "" if point.z is None else f" ({point.z:+.1f} SD)"
            what = f"{point.verdict:<8} {point.run}: {chart.quantity}: {point.value:.6g}{distance}"
            sys.stdout.write(screen.printable(f"{what}: {' '.join(point.rules)}") + "\n")
    sys.stdout.write(f"{runs} runs, {len(drawn)} quantities, {fine} points without a fault\n")
