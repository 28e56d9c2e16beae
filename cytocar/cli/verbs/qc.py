"""``cytocar qc``: watch controls and instrument over runs."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cytocar.cli import screen
from cytocar.cli.app import CONTEXT, WholeSentences
from cytocar.cli.unverified import Unverified
from cytocar.errors.tree import UsageError, counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cytocar.qc.eqa import Scored
    from cytocar.qc.levey_jennings import Chart
    from cytocar.qc.measures import Measured


class _ChartsUnlessNamed(WholeSentences):
    """The verbs of quality control; what names none of them are run folders to chart, as before there were several."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in (*self.commands, "-h", "--help"):
            args = ["charts", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_ChartsUnlessNamed,
    help="Chart controls over runs (cytocar qc RUN...), and score proficiency samples (cytocar qc eqa RUN...).",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings=CONTEXT,
    no_args_is_help=True,
)


class FailOn(StrEnum):
    """Which verdict makes the command exit with 3."""

    NEVER = "never"
    OUT = "out"


class FailOnEqa(StrEnum):
    """Which performance of a proficiency sample makes the command exit with 3."""

    NEVER = "never"
    ACTION = "action"
    CRITICAL = "critical"


@app.command("charts")
def charts(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run folders, in the order of time.")],
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Write levey_jennings.csv, .svg, .png and qc.html here.")
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
    from cytocar.files.whole import write_atomically
    from cytocar.qc.levey_jennings import LEVEY_JENNINGS, read_targets, without_chart
    from cytocar.qc.levey_jennings import charts as charts_of
    from cytocar.qc.measures import measure_all
    from cytocar.tables.columns import csv_text

    own = read_targets(targets) if targets else {}
    measured = measure_all(runs, inputs=place_of(inputs) if inputs else None)
    for run in measured:
        for note in run.notes:
            screen.say(f"note: {note}")
    if history is not None:
        _keep(history, measured)
    drawn = charts_of(measured, baseline=baseline, targets=own)
    for why in without_chart(own, drawn):
        screen.say(f"warning: {targets}: {why}")
    table = csv_text(LEVEY_JENNINGS, (row for chart in drawn for row in chart.rows()))
    if out is not None:
        from cytocar.figures.levey_jennings import draw_levey_jennings

        if out.exists() and any(out.iterdir()):
            raise UsageError(f"{out} exists and is not empty", code="E105", hint="name a new folder with -o")
        out.mkdir(parents=True, exist_ok=True)
        from cytocar.report.qc.charts import qc_page

        write_atomically(out / "levey_jennings.csv", table)
        write_atomically(out / "qc.html", qc_page(drawn, measured))
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
    from cytocar.files.whole import write_atomically
    from cytocar.tables.columns import csv_text

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
    sys.stdout.write(f"{counted(runs, 'run')}, {len(drawn)} quantities, {fine} points without a fault\n")


@app.command("eqa")
def eqa(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run folders, in the order of the surveys.")],
    peers: Annotated[
        Path | None,
        typer.Option("--peers", metavar="CSV", help="The scheme's results: sample,measurand,value; or mean,sd."),
    ] = None,
    out: Annotated[Path | None, typer.Option("-o", "--out", metavar="DIR", help="Write tables and eqa.html.")] = None,
    fail_on: Annotated[
        FailOnEqa, typer.Option("--fail-on", help="Exit 3 when a result of the last run asks for this, or more.")
    ] = FailOnEqa.NEVER,
    unverified: Unverified = False,
) -> None:
    """Score proficiency samples (`sample_type` eqa): z against the peers' robust mean, action and critical results.

    Algorithm A of ISO 13528; trend over surveys; groups by reagent and instrument. Without -o: CSV on stdout.
    """
    from cytocar.files.whole import write_atomically
    from cytocar.qc.eqa import EQA, EQA_GROUPS, group_rows, read_peers, results_of, scored
    from cytocar.tables.columns import csv_text

    table = read_peers(peers) if peers else None
    results = results_of(runs)
    scores = scored(results, table)
    text = csv_text(EQA, (one.row() for one in scores))
    if table is not None:
        known = {*table.results, *table.assigned}
        for sample in sorted({one.sample for one in results} - {name for name, _ in known}):
            screen.say(f"note: {peers} has nothing of the sample {sample}")
    if out is None:
        sys.stdout.write(text)
    else:
        from cytocar.report.qc.eqa import eqa_page

        if out.exists() and any(out.iterdir()):
            raise UsageError(f"{out} exists and is not empty", code="E105", hint="name a new folder with -o")
        out.mkdir(parents=True, exist_ok=True)
        groups = list(group_rows(results, table)) if table else []
        write_atomically(out / "eqa.csv", text)
        write_atomically(out / "eqa_groups.csv", csv_text(EQA_GROUPS, groups))
        write_atomically(out / "eqa.html", eqa_page(scores, groups))
        _show_scores(scores)
        screen.say(f"wrote eqa.csv, eqa_groups.csv, eqa.html in {out}")
    bad = {"critical"} if fail_on is FailOnEqa.CRITICAL else {"critical", "action"}
    last = runs[-1].resolve().name
    if fail_on is not FailOnEqa.NEVER and any(one.performance in bad and one.result.run == last for one in scores):
        raise typer.Exit(3)


_COLOURS = {"action": "yellow", "critical": "red"}


def _show_scores(scores: Sequence[Scored]) -> None:
    from cytocar.cli.result_table import number, write_table

    lines = [
        (
            one.result.sample,
            one.result.measurand,
            number(one.result.estimate.value),
            number(one.assigned.mean.value) if one.assigned else "–",
            "–" if one.z is None else f"{one.z:+.2f}",
            one.performance.replace("_", " "),
        )
        for one in scores
    ]
    header = ("sample", "measurand", "found", "peers", "z", "performance")
    write_table(header, lines, right=(2, 3, 4), styles=[_COLOURS.get(one.performance, "") for one in scores])


@app.command("lots")
def lots(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run folders, in the order of time.")],
    by: Annotated[
        str, typer.Option("--by", metavar="COLUMN", help="Column of the lot: bead_lot, x_lot_CD3.")
    ] = "bead_lot",
    limit: Annotated[float, typer.Option("--limit", min=0.1, max=90, help="Largest difference, percent.")] = 10.0,
    old: Annotated[
        str | None, typer.Option("--old", metavar="LOT", help="The lot before, if there are several.")
    ] = None,
    new: Annotated[
        str | None, typer.Option("--new", metavar="LOT", help="The lot after, if there are several.")
    ] = None,
    out: Annotated[Path | None, typer.Option("-o", "--out", metavar="CSV", help="Write the table here.")] = None,
    unverified: Unverified = False,
) -> None:
    """Bridge two lots: specimens measured with both, the new one in percent of the old, with interval and verdict.

    Specimens have the same `subject_id` and `day`. Without -o: a table on a terminal, CSV in a pipe. Exit code 1 if a
    number does not stay within the limit, or the limit lies inside its interval.
    """
    from cytocar.files.whole import write_atomically
    from cytocar.qc.bridging import BRIDGING, bridges
    from cytocar.tables.columns import csv_text

    bridged = bridges(runs, by=by, limit=limit, old=old, new=new)
    text = csv_text(BRIDGING, (one.row() for one in bridged))
    if out is not None:
        if out.exists():
            raise UsageError(f"{out} exists", code="E105", hint="choose another name, or move it away first")
        write_atomically(out, text)
    if out is None and not sys.stdout.isatty():
        sys.stdout.write(text)
    else:
        from cytocar.cli.result_table import interval, number, write_table

        lines = [
            (
                one.measurand,
                str(len(one.specimens)),
                f"{number(one.percent.value)} %",
                interval(one.percent.low, one.percent.high),
                one.verdict,
            )
            for one in bridged
        ]
        header = (f"lot {bridged[0].new} of {bridged[0].old}", "specimens", "percent", "95 % interval", "verdict")
        write_table(header, lines, right=(1, 2), styles=["" if one.verdict == "pass" else "red" for one in bridged])
    if any(one.verdict != "pass" for one in bridged):
        raise typer.Exit(1)
