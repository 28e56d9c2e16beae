"""``cytocar gate``: count cells in FCS files, folders or a sample sheet."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cytocar.cli import screen, tube_options
from cytocar.cli.run_summary import Format, show_faults, show_notes, show_rows, show_what_to_look_at, tally
from cytocar.run.shard import Shard

if TYPE_CHECKING:
    from cytocar.cli.watching import WatchCommand
    from cytocar.run.count import Work
    from cytocar.run.execute import FinishedSample
    from cytocar.run.plan import RunPlan


class FailOn(StrEnum):
    """Which status makes the command exit with 3."""

    NEVER = "never"
    REVIEW = "review"


_GATES, _RESULTS, _MANY = "Gates", "Results", "Many files"


def command(
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="INPUT...",
            help="FCS files, folders with their subfolders, or a sample sheet (.csv): paths or addresses.",
        ),
    ] = None,
    template: Annotated[
        str | None, typer.Option("-t", "--template", help="Bundled name or path (.toml). [cart-cd19fc]")
    ] = None,
    sheet: Annotated[
        str | None, typer.Option("-s", "--sheet", metavar="PATH", help="Sample sheet; INPUT then restricts it.")
    ] = None,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Write a run folder.")] = None,
    jobs: Annotated[
        int, typer.Option("-j", "--jobs", min=0, help="Processes; 0: all cores.", rich_help_panel=_MANY)
    ] = 0,
    dask: Annotated[
        str | None,
        typer.Option("--dask", metavar="ADDRESS", help="Dask: tcp://HOST:PORT or local:N.", rich_help_panel=_MANY),
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(
            "--shard", metavar="I/N", help="Count the I-th of N parts; then `cytocar merge`.", rich_help_panel=_MANY
        ),
    ] = None,
    output: Annotated[
        Format | None, typer.Option("--format", help="On stdout. [table; csv in a pipe]", rich_help_panel=_RESULTS)
    ] = None,
    gated: Annotated[
        bool,
        typer.Option(
            "--gated/--net", help="The table shows counts as gated, or net of background.", rich_help_panel=_RESULTS
        ),
    ] = True,
    force: Annotated[bool, typer.Option("--force", help="Set a finished run in RUN aside, run anew.")] = False,
    report: Annotated[
        bool, typer.Option("--report/--no-report", help="Draw every gate: RUN/report.html.", rich_help_panel=_RESULTS)
    ] = True,
    parquet: Annotated[
        bool, typer.Option("--parquet", help="Tables as Parquet too (needs pyarrow).", rich_help_panel=_RESULTS)
    ] = False,
    by: Annotated[
        str | None,
        typer.Option(
            "--by", metavar="NAME", help="Who runs it, for the audit trail. [your login]", rich_help_panel=_RESULTS
        ),
    ] = None,
    fail_on: Annotated[
        FailOn, typer.Option("--fail-on", help="Exit 3 when a sample needs review.", rich_help_panel=_RESULTS)
    ] = FailOn.NEVER,
    marker: tube_options.Marker = None,
    controls: Annotated[
        list[str] | None,
        typer.Option("--controls", metavar="FILE", help="CAR-negative control of these files.", rich_help_panel=_GATES),
    ] = None,
    background: Annotated[
        Path | None,
        typer.Option(
            "--background",
            metavar="HISTORY",
            help="Earlier CAR-negative tubes: `qc --history` keeps them.",
            rich_help_panel=_GATES,
        ),
    ] = None,
    count_method: tube_options.CountMethod = None,
    beads_added: tube_options.BeadsAdded = None,
    sample_volume_ul: tube_options.SampleVolume = None,
    acquired_volume_ul: tube_options.AcquiredVolume = None,
    lymphocytes_per_ul: tube_options.Lymphocytes = None,
    wbc_per_ul: tube_options.Leukocytes = None,
    dilution_factor: tube_options.Dilution = None,
    subject: Annotated[
        str | None, typer.Option(help="Subject of these files.", rich_help_panel=tube_options.TUBES)
    ] = None,
    day: Annotated[float | None, typer.Option(help="Day from infusion.", rich_help_panel=tube_options.TUBES)] = None,
    watch: Annotated[
        bool,
        typer.Option(
            "--watch",
            help="Wait in the folders for files, count each when it is whole; Ctrl-C ends.",
            rich_help_panel=_MANY,
        ),
    ] = False,
    every: Annotated[
        float,
        typer.Option("--every", metavar="SECONDS", min=0.1, help="With --watch: look so often.", rich_help_panel=_MANY),
    ] = 2.0,
) -> None:
    """Count cells: CAR-T cells/µL, CD4/CD8 ratios, intervals and limits, one row per sample.

    Without -o: a table on a terminal, CSV in a pipe. With -o RUN: a run folder with all tables and report.html.
    Beads, volumes, counts, subject and day hold for every file; in a sheet they fill the empty cells.
    """
    from cytocar.cli.progress import Progress
    from cytocar.counting.blank_tubes import read_history
    from cytocar.files.places import place_of
    from cytocar.run.count import Work, count, open_store
    from cytocar.run.plan import make_plan
    from cytocar.sheet.inputs import by_subfolder, collect, given_for_all, with_controls
    from cytocar.tables.parquet import require_pyarrow

    if parquet:
        require_pyarrow()
    given = given_for_all(
        count_method=count_method,
        beads_added=beads_added,
        sample_volume_ul=sample_volume_ul,
        acquired_volume_ul=acquired_volume_ul,
        lymphocytes_per_ul=lymphocytes_per_ul,
        wbc_per_ul=wbc_per_ul,
        dilution_factor=dilution_factor,
        subject_id=subject,
        day=day,
    )
    named = place_of(sheet) if sheet is not None else None
    work = Work(
        jobs=jobs,
        dask=dask,
        shard=Shard.parse(shard) if shard else None,
        parquet=parquet,
        command=tuple(sys.argv[1:]),
    )
    if watch:
        from cytocar.cli import watching

        folders = watching.folders_to_watch(inputs or [], out, alone=shard is None)
        settings = watching.WatchCommand(
            folders=folders,
            out=out or Path(),
            every=every,
            sheet=named,
            given=given,
            controls=[place_of(control) for control in controls or []],
            template=template,
            markers=tube_options.settled_markers(marker or []),
            history=read_history(background) if background else None,
            work=work,
            by=by,
            force=force,
            report=report,
        )
        _end_watch(watching.watch(settings), settings, output, gated=gated, fail_on=fail_on)
        return
    collected = collect(inputs or [], sheet=named, given=given)
    collected = with_controls(collected, [place_of(control) for control in controls or []])
    for unused in collected.unused_sheets:
        screen.say(f"note: {unused} is not used: `-s {unused}` takes its beads, volumes, subjects and days")
    if collected.from_subfolders:
        screen.say(
            f"note: subfolders are counted too: {by_subfolder(collected.from_subfolders)}; name files, or a sheet, to "
            "leave some out"
        )
    plan = make_plan(
        collected,
        template=template,
        markers=tube_options.settled_markers(marker or []),
        history=read_history(background) if background else None,
    )
    for loaded in plan.templates.values():
        screen.show_losses(loaded.losses)
    if collected.unlisted:
        names = screen.few([file.name for file in collected.unlisted])
        screen.say(f"note: not in the sheet, though beside it: {names}")
    drawn = report and out is not None and shard is None
    done = _all_but_the_report(plan, out, work) if drawn and out is not None and not force else None
    if done is None:
        with open_store(plan, out, work, force=force, by=by) as store:
            done = count(plan, work, store, observer=Progress())
            show_rows(
                store.parts, work.sample_ids(plan), plan.own_columns, output, to_folder=out is not None, gated=gated
            )
    show_notes(done)
    if out is not None:
        page = draw_report(out, done, jobs=jobs, by=by) if drawn else None
        screen.say(f"{tally(done)}; tables in {out}" + (f", every gate in {page}" if page else ""))
    show_what_to_look_at(done)
    show_faults(done)
    _exit(done, fail_on)


def _end_watch(
    ended: tuple[RunPlan, list[FinishedSample]],
    settings: WatchCommand,
    output: Format | None,
    *,
    gated: bool,
    fail_on: FailOn,
) -> None:
    """Say what a watched folder has come to."""
    from cytocar.run.parts import PARTS, Parts

    plan, done = ended
    show_rows(Parts(settings.out / PARTS), plan.sample_ids, plan.own_columns, output, to_folder=True, gated=gated)
    show_notes(done)
    screen.say(f"{tally(done)}; tables in {settings.out}")
    show_what_to_look_at(done)
    show_faults(done)
    _exit(done, fail_on)


def _all_but_the_report(plan: RunPlan, out: Path, work: Work) -> list[FinishedSample] | None:
    """Return the samples of a run that this same command had finished but for its report; None for any other."""
    from cytocar.report.run.page import REPORT
    from cytocar.run.count import counted_before

    done = counted_before(plan, out, work, without=REPORT)
    if done is not None:
        screen.say("all samples were counted before; going on with the report")
    return done


def count_to_folder(plan: RunPlan, out: Path, *, jobs: int, force: bool = False) -> list[FinishedSample]:
    """Count every sample into a run folder, draw its gates, and say which had faults."""
    from cytocar.cli.progress import Progress
    from cytocar.run.count import Work, count, open_store

    work = Work(jobs=jobs, command=tuple(sys.argv[1:]))
    with open_store(plan, out, work, force=force) as store:
        done = count(plan, work, store, observer=Progress())
    draw_report(out, done, jobs=jobs)
    show_faults(done)
    return done


def draw_report(run: Path, counted: Sequence[FinishedSample] = (), *, jobs: int = 0, by: str | None = None) -> Path:
    """Draw every gate of a finished run into its folder, and return the page; ``counted`` are samples just counted."""
    from cytocar.cli.verbs.report import build_report

    screen.say("drawing the gates ...")
    return build_report(run, jobs=jobs, by=by, states={sample.sample_id: sample.state for sample in counted})


def _exit(done: list[FinishedSample], fail_on: FailOn) -> None:
    from cytocar.cli.app import EXIT_BUG, EXIT_FAIL_ON, EXIT_SOME_FAILED
    from cytocar.sample.result import Status

    statuses = {sample.status for sample in done}
    if any(fault.code == "E199" for sample in done for fault in sample.faults):
        raise typer.Exit(EXIT_BUG)
    counted = [
        sample
        for sample in done
        if sample.status != Status.NO_COUNT and not any(fault.code.startswith("E") for fault in sample.faults)
    ]
    if fail_on is FailOn.REVIEW and statuses - {Status.OK, Status.EXCLUDED}:
        raise typer.Exit(EXIT_FAIL_ON)
    if len(counted) < len(done):
        raise typer.Exit(EXIT_SOME_FAILED)
