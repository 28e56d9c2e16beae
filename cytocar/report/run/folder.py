"""The report of a run in its folder, on record in its trail."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path

from cytocar.report.run.page import REPORT, DrawnReport
from cytocar.run.trail.audit import Act, Action, Author
from cytocar.run.trail.journal import amend


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
