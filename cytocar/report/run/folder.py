"""The report of a run in its folder, on record in its trail."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path

from cytocar.files.places import Place
from cytocar.report.run.page import REPORT, DrawnReport, drawn_report
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
    gated: bool = True,
) -> Path:
    """Write the report of a finished run into its folder, note it in the trail, return it; see ``report_files``."""
    drawn = drawn_report(run, inputs=inputs, workers=workers, observer=observer, gated=gated)
    return write_drawn(run, drawn, author=author, clock=clock)


def write_drawn(run: Path, drawn: DrawnReport, *, author: Author, clock: Callable[[], datetime]) -> Path:
    """Write a report that is drawn already, note it in the trail, return it."""
    keep_report(run, drawn.files(), author=author, clock=clock)
    return run / REPORT


def keep_report(run: Path, files: Mapping[str, bytes], *, author: Author, clock: Callable[[], datetime]) -> None:
    """Write the files of a report into a run folder, with what the trail says about them."""
    amend(run, [report_built(files)], author=author, clock=clock, files=files)


def report_built(files: Iterable[str]) -> Act:
    """What the trail says about the files of a report."""
    return Act(Action.REPORT_BUILT, ", ".join(files))
