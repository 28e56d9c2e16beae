"""The report of a run in its folder, on record in its trail."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path

from cytocar.files.places import Place
from cytocar.report.run.page import REPORT, report_files
from cytocar.run.observer import NOBODY, Observer
from cytocar.run.trail.audit import Act, Action, Author
from cytocar.run.trail.journal import amend
from cytocar.run.workers import Workers


def write_report(
    run: Path,
    *,
    author: Author,
    clock: Callable[[], datetime],
    inputs: Place | None = None,
    workers: Workers | None = None,
    observer: Observer = NOBODY,
) -> Path:
    """Write the report of a finished run into its folder, note it in the trail, return it; see ``report_files``."""
    files = report_files(run, inputs=inputs, workers=workers, observer=observer)
    keep_report(run, files, author=author, clock=clock)
    return run / REPORT


def keep_report(run: Path, files: Mapping[str, bytes], *, author: Author, clock: Callable[[], datetime]) -> None:
    """Write the files of a report into a run folder, with what the trail says about them."""
    amend(run, [report_built(files)], author=author, clock=clock, files=files)


def report_built(files: Iterable[str]) -> Act:
    """Return what the trail says about the files of a report."""
    return Act(Action.REPORT_BUILT, ", ".join(files))
