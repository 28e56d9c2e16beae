"""``cytocar gate``: count cells in FCS files, folders or a sample sheet."""

from __future__ import annotations

import os
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cytocar.cli import screen
from cytocar.errors import UsageError

if TYPE_CHECKING:
    from cytocar.plan import RunPlan
    from cytocar.run import Done
    from cytocar.run_folder import Parts, RunFolder


class Format(StrEnum):
    """How results are written to stdout."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    NDJSON = "ndjson"


class FailOn(StrEnum):
    """Which status makes the command exit with 3."""

    NEVER = "never"
    REVIEW = "review"


_TUBE = "Tube (files without a sheet)"


def command(
    inputs: Annotated[
        list[str] | None, typer.Argument(metavar="INPUT...", help="FCS files, folders, or a sample sheet (.csv).")
    ] = None,
    template: Annotated[
        str | None, typer.Option("-t", "--template", help="Bundled name or path (.toml). [cart-cd19fc]")
    ] = None,
    sheet: Annotated[Path | None, typer.Option("-s", "--sheet", help="Sample sheet; INPUT then restricts it.")] = None,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Write a run folder.")] = None,
    jobs: Annotated[int, typer.Option("-j", "--jobs", min=0, help="Processes; 0: all cores.")] = 0,
    output: Annotated[Format | None, typer.Option("--format", help="On stdout. [table; csv in a pipe]")] = None,
    force: Annotated[bool, typer.Option("--force", help="Set a finished run in RUN aside, run anew.")] = False,
    parquet: Annotated[bool, typer.Option("--parquet", help="Tables as Parquet too (needs pyarrow).")] = False,
    by: Annotated[str | None, typer.Option("--by", help="Who runs it, for the audit trail. [your login]")] = None,
    fail_on: Annotated[FailOn, typer.Option("--fail-on", help="Exit 3 when a sample needs review.")] = FailOn.NEVER,
    marker: Annotated[
        list[str] | None, typer.Option("--marker", metavar="CD3=FITC-A", help="Settle a marker's channel.")
    ] = None,
    controls: Annotated[
        list[Path] | None, typer.Option("--controls", metavar="FILE", help="CAR-negative control of these files.")
    ] = None,
    count_method: Annotated[
        str | None, typer.Option("--count-method", help="beads, volumetric, dual_platform or none.")
    ] = None,
    beads_added: Annotated[float | None, typer.Option(help="Beads in each tube.")] = None,
    sample_volume_ul: Annotated[float | None, typer.Option(help="Specimen in each tube, µL.")] = None,
    acquired_volume_ul: Annotated[float | None, typer.Option(help="Volume that the instrument drew, µL.")] = None,
    lymphocytes_per_ul: Annotated[float | None, typer.Option(help="Analyser's lymphocytes per µL.")] = None,
    wbc_per_ul: Annotated[float | None, typer.Option(help="Analyser's leukocytes per µL.")] = None,
    dilution_factor: Annotated[float | None, typer.Option(help="Dilution before pipetting.")] = None,
    subject: Annotated[str | None, typer.Option(help="Subject of these files.")] = None,
    day: Annotated[float | None, typer.Option(help="Day from infusion.")] = None,
) -> None:
    """Count cells: CAR-T cells/µL, CD4/CD8 ratios, intervals and limits, one row per sample.

    Without -o: a table on a terminal, CSV in a pipe. With -o RUN: a run folder with all tables.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # matrices are 8 x 8: threads cost more than they bring
    from cytocar.inputs import collect, given_for_all, with_controls
    from cytocar.parquet import require_pyarrow
    from cytocar.plan import make_plan

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
    collected = with_controls(collect(inputs or [], sheet=sheet, given=given), controls or [])
    plan = make_plan(collected, template=template, markers=settled_markers(marker or []))
    if collected.unlisted:
        names = ", ".join(file.name for file in collected.unlisted[:3])
        screen.say(f"note: {len(collected.unlisted)} FCS files beside the sheet are not in it: {names}, ...")
    with kept_in(plan, out, force=force, by=by) as (parts, scratch, run):
        done = count(plan, jobs=jobs, parts=parts, scratch=scratch, run=run, parquet=parquet)
        _show(parts, plan, output, to_folder=run is not None)
    if out is not None:
        screen.say(f"{_tally(done)}; tables in {out}")
    _report_problems(done)
    _exit(done, fail_on)


def settled_markers(settled: list[str]) -> dict[str, str]:
    pairs = [word.partition("=") for word in settled]
    wrong = [f"{name}{mark}{channel}" for name, mark, channel in pairs if not (name and channel)]
    if wrong:
        raise UsageError(
            f"--marker {wrong[0]!r} is not MARKER=CHANNEL", code="E111", hint="for example --marker CD3=FITC-A"
        )
    return {name.strip(): channel.strip() for name, _, channel in pairs}


@contextmanager
def kept_in(
    plan: RunPlan, out: Path | None, *, force: bool = False, by: str | None = None
) -> Iterator[tuple[Parts, Path, RunFolder | None]]:
    """Yield where finished samples are kept: in the run folder, else in a folder that goes away."""
    from cytocar.cli.who import author, now
    from cytocar.run_folder import Parts, open_run

    with tempfile.TemporaryDirectory(prefix="cytocar-") as temporary:
        scratch = Path(temporary)
        if out is None:
            yield Parts(scratch), scratch, None
        else:
            with open_run(out, plan.manifest(sys.argv[1:]), author=author(by), clock=now, force=force) as run:
                yield run.parts, scratch, run


def count(
    plan: RunPlan, *, jobs: int, parts: Parts, scratch: Path, run: RunFolder | None, parquet: bool = False
) -> list[Done]:
    """Count every sample that is not finished yet, with progress; finish the run folder if there is one."""
    from cytocar.cli.progress import Progress
    from cytocar.results import SampleResult
    from cytocar.run import Done, execute, process_pool
    from cytocar.run_folder import finish

    kept = [outcome for outcome in parts.in_order(plan.sample_ids) if isinstance(outcome, SampleResult)]
    if kept:
        screen.say(f"{len(kept)} of {len(plan.samples)} samples were finished before; going on")
    finished = {outcome.sample.sample_id: Done.of(outcome) for outcome in kept}
    progress = Progress(total=len(plan.samples), done=len(finished))
    workers = process_pool(min(jobs or os.cpu_count() or 1, len(plan.samples)))
    for done in execute(plan.samples, plan.protocols, workers=workers, scratch=scratch, finished=finished):
        parts.keep(done.sample_id, done.content)
        finished[done.sample_id] = done
        progress.step()
    progress.close()
    if run is not None:
        finish(run, plan.manifest(sys.argv[1:]), plan, parquet=parquet)
    return [finished[sample_id] for sample_id in plan.sample_ids]


def count_to_folder(plan: RunPlan, out: Path, *, jobs: int, force: bool = False) -> list[Done]:
    """Count every sample into a run folder, and say which had faults."""
    with kept_in(plan, out, force=force) as (parts, scratch, run):
        done = count(plan, jobs=jobs, parts=parts, scratch=scratch, run=run)
    _report_problems(done)
    return done


# ---------------------------------------------------------------- what people and pipes see


def _show(parts: Parts, plan: RunPlan, output: Format | None, *, to_folder: bool) -> None:
    """Write the results to stdout; a run folder has them already, so a pipe gets them only on request."""
    from cytocar.tables import COUNTS, csv_text, json_row

    terminal = sys.stdout.isatty()
    chosen = output or (Format.TABLE if terminal or to_folder else Format.CSV)
    if to_folder and output is None and not terminal:
        return
    outcomes = parts.in_order(plan.sample_ids)
    if chosen is Format.TABLE:
        from cytocar.cli.result_table import show

        show(outcomes)
        return
    rows = (outcome.row() for outcome in outcomes)
    if chosen is Format.CSV:
        sys.stdout.write(csv_text(COUNTS, rows))
    elif chosen is Format.NDJSON:
        sys.stdout.writelines(json_row(COUNTS, row) + "\n" for row in rows)
    else:
        sys.stdout.write("[\n" + ",\n".join(json_row(COUNTS, row) for row in rows) + "\n]\n")
    sys.stdout.flush()


def _report_problems(done: list[Done]) -> None:
    """Write each fault once, with the samples that it befell."""
    befallen: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for sample in done:
        for fault in sample.faults:
            befallen[fault.code, fault.message, fault.hint].append(sample.sample_id)
    for (code, message, hint), names in befallen.items():
        level = "error" if code.startswith("E") else "warning"
        where = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
        screen.show_problem(level, code, message, where=where, hint=hint)


def _tally(done: list[Done]) -> str:
    from collections import Counter

    times = Counter(sample.status.value for sample in done)
    return f"{len(done)} samples: " + ", ".join(
        f"{count} {status.replace('_', ' ')}" for status, count in times.items()
    )


def _exit(done: list[Done], fail_on: FailOn) -> None:
    from cytocar.cli.app import EXIT_FAIL_ON, EXIT_SOME_FAILED
    from cytocar.results import Status

    statuses = {sample.status for sample in done}
    counted = [sample for sample in done if not any(fault.code.startswith("E") for fault in sample.faults)]
    if fail_on is FailOn.REVIEW and statuses - {Status.OK, Status.EXCLUDED}:
        raise typer.Exit(EXIT_FAIL_ON)
    if len(counted) < len(done):
        raise typer.Exit(EXIT_SOME_FAILED)
