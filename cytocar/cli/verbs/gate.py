"""``cytocar gate``: count cells in FCS files, folders or a sample sheet."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cytocar.cli import screen
from cytocar.errors.tree import UsageError
from cytocar.run.shard import Shard

if TYPE_CHECKING:
    from cytocar.run.execute import Done
    from cytocar.run.folder import Parts, RunFolder
    from cytocar.run.plan import RunPlan
    from cytocar.run.workers import Workers


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


_COPIES_SAID = 3


def command(
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="INPUT...", help="FCS files, folders, or a sample sheet (.csv): paths, or addresses (s3://...)."
        ),
    ] = None,
    template: Annotated[
        str | None, typer.Option("-t", "--template", help="Bundled name or path (.toml). [cart-cd19fc]")
    ] = None,
    sheet: Annotated[
        str | None, typer.Option("-s", "--sheet", metavar="PATH", help="Sample sheet; INPUT then restricts it.")
    ] = None,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Write a run folder.")] = None,
    jobs: Annotated[int, typer.Option("-j", "--jobs", min=0, help="Processes; 0: all cores.")] = 0,
    dask: Annotated[
        str | None, typer.Option("--dask", metavar="ADDRESS", help="Dask: tcp://HOST:PORT or local:N.")
    ] = None,
    shard: Annotated[
        str | None, typer.Option("--shard", metavar="I/N", help="Count the I-th of N parts; then `cytocar merge`.")
    ] = None,
    output: Annotated[Format | None, typer.Option("--format", help="On stdout. [table; csv in a pipe]")] = None,
    force: Annotated[bool, typer.Option("--force", help="Set a finished run in RUN aside, run anew.")] = False,
    report: Annotated[bool, typer.Option("--report/--no-report", help="Draw every gate: RUN/report.html.")] = True,
    parquet: Annotated[bool, typer.Option("--parquet", help="Tables as Parquet too (needs pyarrow).")] = False,
    by: Annotated[str | None, typer.Option("--by", help="Who runs it, for the audit trail. [your login]")] = None,
    fail_on: Annotated[FailOn, typer.Option("--fail-on", help="Exit 3 when a sample needs review.")] = FailOn.NEVER,
    marker: Annotated[
        list[str] | None, typer.Option("--marker", metavar="CD3=FITC-A", help="Settle a marker's channel.")
    ] = None,
    controls: Annotated[
        list[str] | None, typer.Option("--controls", metavar="FILE", help="CAR-negative control of these files.")
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

    Without -o: a table on a terminal, CSV in a pipe. With -o RUN: a run folder with all tables and report.html.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # matrices are 8 x 8: threads cost more than they bring
    from cytocar.files.places import place_of
    from cytocar.run.plan import make_plan
    from cytocar.sheet.inputs import collect, given_for_all, with_controls
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
    collected = collect(inputs or [], sheet=named, given=given)
    collected = with_controls(collected, [place_of(control) for control in controls or []])
    plan = make_plan(collected, template=template, markers=settled_markers(marker or []))
    for loaded in plan.templates.values():
        screen.show_losses(loaded.losses)
    if collected.unlisted:
        names = screen.few([file.name for file in collected.unlisted])
        screen.say(f"note: not in the sheet, though beside it: {names}")
    work = Work(jobs=jobs, dask=dask, shard=Shard.parse(shard) if shard else None, parquet=parquet)
    drawn = report and out is not None and shard is None
    done = _counted_before(plan, out, work) if drawn and out is not None and not force else None
    if done is None:
        with kept_in(plan, out, work, force=force, by=by) as kept:
            done = count(plan, work, kept)
            _show(kept.parts, work.sample_ids(plan), output, to_folder=kept.run is not None)
    _say_duplicates(done)
    _say_missing_controls(done)
    if out is not None:
        page = draw_report(out, jobs=jobs, by=by) if drawn else None
        screen.say(f"{_tally(done)}; tables in {out}" + (f", every gate in {page}" if page else ""))
    _report_problems(done)
    _exit(done, fail_on)


def settled_markers(settled: list[str]) -> dict[str, str]:
    """Return marker -> channel of ``--marker CD3=FITC-A``, given any number of times."""
    pairs = [word.partition("=") for word in settled]
    wrong = [f"{name}{mark}{channel}" for name, mark, channel in pairs if not (name and channel)]
    if wrong:
        raise UsageError(
            f"--marker {wrong[0]!r} is not MARKER=CHANNEL", code="E111", hint="for example --marker CD3=FITC-A"
        )
    return {name.strip(): channel.strip() for name, _, channel in pairs}


@dataclass(frozen=True, slots=True)
class Work:
    """Who counts, which part of the run, and what is written: nothing here can change a number."""

    jobs: int = 0
    dask: str | None = None
    shard: Shard | None = None
    parquet: bool = False

    def sample_ids(self, plan: RunPlan) -> tuple[str, ...]:
        """Return the samples to count, in the order of the tables."""
        return self.shard.of_samples(plan.sample_ids) if self.shard else plan.sample_ids

    def manifest(self, plan: RunPlan) -> dict[str, Any]:
        """Return the manifest; a shard's says which it is."""
        return plan.manifest(sys.argv[1:]) | ({"shard": str(self.shard)} if self.shard else {})

    @contextmanager
    def workers(self, n_samples: int) -> Iterator[Workers | None]:
        """Yield who does the work: a Dask cluster, a pool of processes, or nobody else."""
        from cytocar.run.workers import process_pool

        if self.dask:
            from cytocar.run.cluster import dask_workers

            with dask_workers(self.dask) as found:
                yield found
        else:
            yield process_pool(min(self.jobs or os.cpu_count() or 1, n_samples))


@dataclass(frozen=True, slots=True)
class Kept:
    """Where finished samples and controls' signals are kept: in the run folder, else in one that goes away.

    ``manifest`` is that of the run folder.
    """

    parts: Parts
    scratch: Path
    run: RunFolder | None = None
    manifest: Mapping[str, Any] = field(default_factory=dict)


@contextmanager
def kept_in(
    plan: RunPlan, out: Path | None, work: Work, *, force: bool = False, by: str | None = None
) -> Iterator[Kept]:
    """Hold the run folder, or a temporary one."""
    from cytocar.cli.who import author, now
    from cytocar.run.folder import Parts, open_run

    if out is None:
        with tempfile.TemporaryDirectory(prefix="cytocar-") as temporary:
            yield Kept(Parts(Path(temporary)), Path(temporary))
        return
    manifest = work.manifest(plan)
    with open_run(out, manifest, author=author(by), clock=now, force=force) as run:
        for left_over in out.glob(".signals-*"):
            shutil.rmtree(left_over)
        # beside the parts, so that workers on other machines find it too
        with tempfile.TemporaryDirectory(prefix=".signals-", dir=out) as temporary:
            yield Kept(run.parts, Path(temporary).resolve(), run, manifest)


def count(plan: RunPlan, work: Work, kept: Kept) -> list[Done]:
    """Count every sample that is not finished yet, with progress; finish the run folder if there is one."""
    from cytocar.cli.progress import Progress
    from cytocar.run.execute import Done, execute
    from cytocar.run.folder import WaitingLines, finish
    from cytocar.sample.result import SampleResult

    wanted = work.sample_ids(plan)
    before = (outcome for outcome in kept.parts.in_order(wanted) if isinstance(outcome, SampleResult))
    finished = {outcome.sample.sample_id: Done.of(outcome).without_content() for outcome in before}
    if finished:
        screen.say(f"{len(finished)} of {len(wanted)} samples were finished before; going on")
    progress = Progress(total=len(wanted), done=len(finished))
    others = set(plan.sample_ids) - set(wanted)
    medians = None if kept.run is None else plan.medians
    settled = {*finished, *others}
    with WaitingLines(kept.scratch) as waiting:
        with work.workers(len(wanted)) as workers:
            for done in execute(
                plan.samples, plan.protocols, workers=workers, scratch=kept.scratch, finished=settled, medians=medians
            ):
                kept.parts.keep(done.sample_id, done.content)
                if done.lines is not None:
                    waiting.add(done.sample_id, done.lines)
                finished[done.sample_id] = done.without_content()
                progress.step()
        progress.close()
        if kept.run is not None:
            finish(kept.run, kept.manifest, plan.only(wanted), parquet=work.parquet, waiting=waiting)
    return [finished[sample_id] for sample_id in wanted]


def _counted_before(plan: RunPlan, out: Path, work: Work) -> list[Done] | None:
    """Return the samples of a run that this same command had finished but for its report; None for any other."""
    from cytocar.run.execute import Done
    from cytocar.run.folder import PARTS, Parts
    from cytocar.run.trail.journal import read_manifest

    old = read_manifest(out)
    if old is None or old.get("state") != "finished":
        return None
    from cytocar.report.run.page import REPORT

    new = work.manifest(plan)
    if REPORT in old.get("files", {}):
        return None
    if any(old.get(key) != new.get(key) for key in ("plan_sha256", "shard", "command")):
        return None
    screen.say("all samples were counted before; going on with the report")
    return [Done.of(outcome).without_content() for outcome in Parts(out / PARTS).in_order(plan.sample_ids)]


def count_to_folder(plan: RunPlan, out: Path, *, jobs: int, force: bool = False) -> list[Done]:
    """Count every sample into a run folder, and say which had faults."""
    work = Work(jobs=jobs)
    with kept_in(plan, out, work, force=force) as kept:
        done = count(plan, work, kept)
    draw_report(out, jobs=jobs)
    _report_problems(done)
    return done


def draw_report(run: Path, *, jobs: int = 0, by: str | None = None) -> Path:
    """Draw every gate of a finished run into its folder, and return the page."""
    from cytocar.cli.verbs.report import build_report

    screen.say("drawing the gates ...")
    return build_report(run, jobs=jobs, by=by)


# ---------------------------------------------------------------- what people and pipes see


def _show(parts: Parts, sample_ids: Sequence[str], output: Format | None, *, to_folder: bool) -> None:
    """Write the results to stdout; a run folder has them already, so a pipe gets them only on request."""
    from cytocar.tables.columns import COUNTS, csv_text, json_row

    terminal = sys.stdout.isatty()
    chosen = output or (Format.TABLE if terminal or to_folder else Format.CSV)
    if to_folder and output is None and not terminal:
        return
    outcomes = parts.in_order(sample_ids)
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
        screen.show_problem(level, code, message, where=screen.few(names), hint=hint)


def _say_duplicates(done: list[Done]) -> None:
    """Say once which samples came from files with the same bytes."""
    names: dict[str, list[str]] = defaultdict(list)
    for sample in done:
        if sample.source:
            names[sample.source].append(sample.sample_id)
    copied = [same for same in names.values() if len(same) > 1]
    for same in copied[:_COPIES_SAID]:
        screen.say(f"note: {screen.few(same)} hold the same bytes: was one file copied under another name?")
    if len(copied) > _COPIES_SAID:
        screen.say(f"note: {len(copied) - _COPIES_SAID} more files occur under several names: see file_sha256")


def _say_missing_controls(done: list[Done]) -> None:
    """Say once which samples had no CAR-negative control: what is assumed for them is not silent."""
    if alone := [sample.sample_id for sample in done if sample.lacks_control]:
        screen.say(
            f"note: no CAR-negative control for {screen.few(alone)}: threshold and background of the CAR gate are what "
            "the template assumes (`cytocar explain NO_REFERENCE`)"
        )


def _tally(done: list[Done]) -> str:
    from collections import Counter

    times = Counter(sample.status.value for sample in done)
    return f"{screen.counted(len(done), 'sample')}: " + ", ".join(
        f"{count} {status.replace('_', ' ')}" for status, count in times.items()
    )


def _exit(done: list[Done], fail_on: FailOn) -> None:
    from cytocar.cli.app import EXIT_BUG, EXIT_FAIL_ON, EXIT_SOME_FAILED
    from cytocar.sample.result import Status

    statuses = {sample.status for sample in done}
    if any(fault.code == "E199" for sample in done for fault in sample.faults):
        raise typer.Exit(EXIT_BUG)
    counted = [sample for sample in done if not any(fault.code.startswith("E") for fault in sample.faults)]
    if fail_on is FailOn.REVIEW and statuses - {Status.OK, Status.EXCLUDED}:
        raise typer.Exit(EXIT_FAIL_ON)
    if len(counted) < len(done):
        raise typer.Exit(EXIT_SOME_FAILED)
