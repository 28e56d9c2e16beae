"""``cytocar report``: the page of a run, built again from its folder."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from cytocar.cli import screen
from cytocar.cli.unverified import Unverified
from cytocar.errors.tree import UsageError, counted

if TYPE_CHECKING:
    from cytocar.files.places import Place
    from cytocar.files.source import FileState
    from cytocar.report.run.page import DrawnReport


def command(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The run folder.")],
    inputs: Annotated[
        str | None, typer.Option("--inputs", metavar="DIR", help="Where the FCS files lie. [as in the run]")
    ] = None,
    pdf: Annotated[bool, typer.Option("--pdf", help="Print it to report.pdf too, by an installed Chromium.")] = False,
    one_page: Annotated[
        bool, typer.Option("--one-page", help="One page for each subject instead, to sign: one-page.html and .pdf.")
    ] = False,
    jobs: Annotated[int, typer.Option("-j", "--jobs", min=0, help="Processes; 0: all cores.")] = 0,
    by: Annotated[
        str | None, typer.Option("--by", metavar="NAME", help="Who asks for it, for the audit trail. [your login]")
    ] = None,
    numbers_only: Annotated[
        bool, typer.Option("--numbers-only", help="Build it although no FCS file is at hand: without pictures.")
    ] = False,
    gated: Annotated[
        bool, typer.Option("--gated/--net", help="Print counts as gated, or net ones where a tube has them.")
    ] = True,
    unverified: Unverified = False,
) -> None:
    """Build report.html from a run folder: every gate of every sample on one page. No gate is decided again.

    FCS files are read once more for the pictures; a sample whose file has moved keeps its numbers.
    """
    from cytocar.files.places import place_of
    from cytocar.run.trail.who import author

    author(by)  # a blank name is refused before anything is drawn
    if one_page:
        for printed in print_one_page(run, by=by, gated=gated):
            sys.stdout.write(f"{printed}\n")
        return
    place = place_of(inputs) if inputs else None
    missing = _missing_files(run, place, numbers_only=numbers_only)
    drawn = _drawn(run, inputs=place, jobs=jobs, gated=gated)
    sys.stdout.write(f"{_written(run, drawn, by=by)}\n")
    if pdf:
        for printed in _printed(run, drawn.printable_files(), by=by):
            sys.stdout.write(f"{printed}\n")
    if missing is not None and not numbers_only:
        screen.show_error(missing)
        raise typer.Exit(1)


def _missing_files(run: Path, inputs: Place | None, *, numbers_only: bool) -> UsageError | None:
    """What is to be said of samples whose files are not at hand; raise it where no sample's file is.

    A file that the run could not read either gave no picture then, and is not missed now.
    """
    from cytocar.files.places import is_file
    from cytocar.run.finished.recorded_plan import located, recorded_plan
    from cytocar.run.parts import PARTS, Parts
    from cytocar.run.trail.journal import finished_manifest

    plan = recorded_plan(finished_manifest(run), run)
    read = {one.sample.sample_id for one in Parts(run / PARTS).in_order(plan.sample_ids) if one.file_sha256}
    rows = [row for row in located(plan.samples, inputs) if row.sample_id in read and not row.exclude]
    missing = [row for row in rows if not is_file(row.file)]
    if not missing:
        return None
    error = UsageError(
        f"the FCS files of {len(missing)} of {counted(len(rows), 'sample')} are not at hand, so there are no "
        f"pictures of them: {screen.few([str(row.file) for row in missing], most=2)}",
        code="E103",
        hint="--inputs DIR says where they lie now; --numbers-only builds the page without pictures",
    )
    if len(missing) == len(rows) and not numbers_only:
        raise error
    return error


def build_report(
    run: Path,
    *,
    inputs: Place | None = None,
    jobs: int = 0,
    by: str | None = None,
    states: Mapping[str, FileState | None] | None = None,
) -> Path:
    """Write a finished run's report into its folder, note it in the audit trail, and return the page.

    ``states`` are those of the files that the same command has just counted.
    """
    return _written(run, _drawn(run, inputs=inputs, jobs=jobs, gated=True, states=states), by=by)


def _drawn(
    run: Path,
    *,
    inputs: Place | None,
    jobs: int,
    gated: bool,
    states: Mapping[str, FileState | None] | None = None,
) -> DrawnReport:
    from cytocar.cli.progress import Progress
    from cytocar.report.run.page import drawn_report
    from cytocar.run.workers import process_pool

    observer = Progress("samples drawn")
    return drawn_report(run, inputs=inputs, workers=process_pool(jobs), observer=observer, gated=gated, states=states)


def _written(run: Path, drawn: DrawnReport, *, by: str | None) -> Path:
    from cytocar.report.run.folder import write_drawn
    from cytocar.run.trail.who import author, now

    return write_drawn(run, drawn, author=author(by), clock=now)


def print_one_page(run: Path, *, by: str | None = None, gated: bool = True) -> Sequence[Path]:
    """Print one page for each subject, or sample without one, into a run's folder: as HTML, and as PDF."""
    from cytocar.report.run.folder import keep_report
    from cytocar.report.run.one_page import one_page_files
    from cytocar.run.trail.who import author, now

    files = one_page_files(run, gated=gated)
    keep_report(run, files, author=author(by), clock=now)
    return [*(run / name for name in files), *_printed(run, files, by=by)]


def _printed(run: Path, pages: Mapping[str, bytes], *, by: str | None) -> Sequence[Path]:
    from cytocar.report.run.folder import keep_report
    from cytocar.report.run.printing import print_pdf
    from cytocar.run.trail.who import author, now

    screen.say("printing ...")
    printed = {}
    with TemporaryDirectory(prefix="cytocar-") as folder:
        for name, content in pages.items():
            page = Path(folder) / name
            page.write_bytes(content)
            printed[f"{page.stem}.pdf"] = print_pdf(page, page.with_suffix(".pdf")).read_bytes()
    keep_report(run, printed, author=author(by), clock=now)
    return [run / name for name in printed]
