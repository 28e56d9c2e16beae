"""``cytocar gate``: count cells in FCS files, folders or a sample sheet."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from cytocar.cli import gate_options, screen, tube_options
from cytocar.cli.gate_options import FailOn
from cytocar.cli.run_summary import (
    Format,
    exit_by_status,
    show_faults,
    show_notes,
    show_rows,
    show_what_to_look_at,
    tally,
)
from cytocar.run.shard import Shard

if TYPE_CHECKING:
    from cytocar.cli.watching import WatchCommand, Watched
    from cytocar.run.count import Work
    from cytocar.run.execute import FinishedSample
    from cytocar.run.plan import RunPlan
    from cytocar.sheet.inputs import Inputs


def command(
    inputs: gate_options.Inputs = None,
    template: gate_options.TemplateName = None,
    sheet: gate_options.Sheet = None,
    out: gate_options.Out = None,
    jobs: gate_options.Jobs = 0,
    dask: gate_options.Dask = None,
    shard: gate_options.ShardName = None,
    output: gate_options.Output = None,
    gated: gate_options.Gated = True,
    force: gate_options.Force = False,
    report: gate_options.Report = True,
    parquet: gate_options.Parquet = False,
    by: gate_options.By = None,
    fail_on: gate_options.WhenToFail = FailOn.NEVER,
    marker: tube_options.Marker = None,
    controls: gate_options.Controls = None,
    background: gate_options.Background = None,
    count_method: tube_options.CountMethod = None,
    beads_added: tube_options.BeadsAdded = None,
    sample_volume_ul: tube_options.SampleVolume = None,
    acquired_volume_ul: tube_options.AcquiredVolume = None,
    lymphocytes_per_ul: tube_options.Lymphocytes = None,
    wbc_per_ul: tube_options.Leukocytes = None,
    dilution_factor: tube_options.Dilution = None,
    subject: gate_options.Subject = None,
    day: gate_options.Day = None,
    watch: gate_options.Watch = False,
    every: gate_options.Every = 2.0,
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
    from cytocar.sheet.inputs import collect, given_for_all, with_controls
    from cytocar.statistics.special import load_special_functions
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
    controlled_by = [place_of(control) for control in controls or []]
    markers = tube_options.settled_markers(marker or [])
    history = read_history(background) if background else None
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
            controls=controlled_by,
            template=template,
            markers=markers,
            history=history,
            work=work,
            by=by,
            force=force,
            report=report,
        )
        _end_watch(watching.watch(settings), settings, output, gated=gated, fail_on=fail_on)
        return
    collected = with_controls(collect(inputs or [], sheet=named, given=given), controlled_by)
    _note_unnamed_inputs(collected)
    plan = make_plan(collected, template=template, markers=markers, history=history)
    for loaded in plan.templates.values():
        screen.show_losses(loaded.losses)
    if collected.unlisted:
        names = screen.few([file.name for file in collected.unlisted])
        screen.say(f"note: not in the sheet, though beside it: {names}")
    drawn = report and out is not None and shard is None
    done = _all_but_the_report(plan, out, work) if drawn and out is not None and not force else None
    if done is None:
        load_special_functions(documented=False)
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
    exit_by_status(done, review_fails=fail_on is FailOn.REVIEW)


def _note_unnamed_inputs(collected: Inputs) -> None:
    """Say which sheets lie beside the files and are not used, and which subfolders are counted as well."""
    from cytocar.sheet.inputs import by_subfolder

    for unused in collected.unused_sheets:
        screen.say(f"note: {unused} is not used: `-s {unused}` takes its beads, volumes, subjects and days")
    if collected.from_subfolders:
        counted_too = by_subfolder(collected.from_subfolders)
        screen.say(f"note: subfolders are counted too: {counted_too}; name files, or a sheet, to leave some out")


def _end_watch(
    ended: Watched,
    settings: WatchCommand,
    output: Format | None,
    *,
    gated: bool,
    fail_on: FailOn,
) -> None:
    """Say what a watched folder has come to, and end with the code that its files ask for."""
    from cytocar.cli.app import EXIT_SOME_FAILED
    from cytocar.run.parts import PARTS, Parts

    plan, done = ended.plan, ended.samples
    show_rows(Parts(settings.out / PARTS), plan.sample_ids, plan.own_columns, output, to_folder=True, gated=gated)
    show_notes(done)
    screen.say(f"{tally(done)}; tables in {settings.out}")
    show_what_to_look_at(done)
    show_faults(done)
    exit_by_status(done, review_fails=fail_on is FailOn.REVIEW)
    if ended.not_whole:
        raise typer.Exit(EXIT_SOME_FAILED)


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
    from cytocar.statistics.special import load_special_functions

    work = Work(jobs=jobs, command=tuple(sys.argv[1:]))
    load_special_functions(documented=False)
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
