"""Tables of what was measured, as Markdown."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.measure import Measurement
from benchmarks.suite import CYTOCAR, FLOOR, FLOWKIT, Row

BARE_MB = 9.0  # what a bare interpreter takes


def machine() -> str:
    """Return date, processor, cores and versions in one line."""
    import numpy

    from cytocar import __version__

    processor = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        named = [
            line.split(":")[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ]
        processor = named[0] if named else processor
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {processor}, {os.cpu_count()} cores, {platform.system()}, "
        f"Python {platform.python_version()}, NumPy {numpy.__version__}, cytocar {__version__}"
    )


def gating_table(rows: Sequence[Row]) -> str:
    """Return times and memory of gating, and how many times longer others take."""
    ours = {row.task: row.measured for row in rows if row.program == CYTOCAR}
    theirs = {row.task: row.measured for row in rows if row.program == FLOWKIT}
    lines = []
    for row in rows:
        own, peer, mine = row.measured, theirs.get(row.task), ours[row.task].inside_s
        slower = "" if own.inside_s is None or mine is None else f"{own.inside_s / mine:.1f}"
        faster = "" if peer is None else f"{peer.process_s / own.process_s:.1f}"
        spent = "" if peer is None else f"{peer.processor_s / own.processor_s:.1f}"
        memory = f"{own.peak_mb - BARE_MB:.0f}"
        again, load = _ms(own.again_s), f"{own.load:.1f}"
        times = (_ms(own.inside_s), again, slower, _ms(own.process_s), faster, spent)
        lines.append((row.task, row.program, *times, memory, load))
    header = (
        "data",
        "program",
        "in process, ms",
        "the second time, ms",
        "the first: times cytocar's",
        "whole process, ms",
        "FlowKit's takes longer by",
        "and more processor time by",
        "memory, MB",
        "load",
    )
    return as_table(header, lines)


def reading_table(rows: Sequence[Row]) -> str:
    """Return times of reading, with ratios to reading the bytes alone."""
    floors = {row.task: row.measured.inside_s or 1.0 for row in rows if row.program == FLOOR}
    lines = []
    for row in rows:
        seconds = row.measured.inside_s or 0.0
        ratio = f"{seconds / floors[row.task]:.1f}"
        lines.append((row.task, row.program, _ms(seconds), ratio, f"{row.measured.peak_mb - BARE_MB:.0f}"))
    return as_table(("data", "program", "in process, ms", "times the bytes alone", "memory, MB"), lines)


def start_up_table(measured: Mapping[str, Measurement]) -> str:
    """Return start-up times and memory, what each adds to a bare interpreter, and processor times."""
    bare = next(iter(measured.values()))
    lines = [
        (
            f"`{name}`",
            _ms(one.process_s),
            _ms(one.process_s - bare.process_s),
            _ms(one.processor_s),
            f"{one.peak_mb - bare.peak_mb:.0f}",
            f"{one.load:.1f}",
        )
        for name, one in measured.items()
    ]
    header = ("command", "ms", "over a bare interpreter, ms", "processor time, ms", "memory over it, MB", "load")
    return as_table(header, lines)


def write_between_marks(path: Path, text: str, *, part: str = "measured") -> None:
    """Put text between the two marks of a part of a document.

    Raises
    ------
    ValueError
        If the document lacks the marks.
    """
    begin, end = f"<!-- {part}: begin -->", f"<!-- {part}: end -->"
    document = path.read_text(encoding="utf-8")
    if begin not in document or end not in document:
        raise ValueError(f"{path} lacks the lines {begin} and {end}")
    before, after = document.split(begin)[0], document.split(end)[1]
    path.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")


def _ms(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds * 1000:,.0f}" if seconds >= 0.1 else f"{seconds * 1000:.1f}"


def as_table(header: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    rows = [header, ["---"] * len(header), *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
