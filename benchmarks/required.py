"""What cytocar's speed has to be, as ratios to FlowKit in the same run, and what was measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from benchmarks.report import BARE_MB, as_table
from benchmarks.suite import CYTOCAR, FLOWKIT, Row, command_with

IN_PROCESS = {"1M": 25, "5M": 40, "96 wells": 25}
"""FlowKit's time from opening the file to all counts, over cytocar's: at least."""
WHOLE_COMMAND = {("1M", 1): 8, ("96 wells", 1): 8, ("96 wells", 2): 8, ("384 wells", 1): 12, ("384 wells", 2): 12}
"""FlowKit's whole process over ``cytocar gate -o`` with so many processes: at least."""
TWO_PROCESSES = {"384 wells": 1.6}
"""``cytocar gate -o`` with one process over the same with two: at least."""
LARGEST_MB = 80
LONGEST_START_MS = 100

Line = tuple[str, str, str]


def table(rows: Sequence[Row], seconds: Mapping[str, float]) -> str:
    """Return every figure that is asked for beside the measured one; what was not measured is left out.

    Parameters
    ----------
    rows : sequence of Row
        The nine gates.
    seconds : mapping of command to float
        From ``suite.start_up``, the bare interpreter first.
    """
    found = {(row.task, row.program): row.measured for row in rows}
    whole = {key: measured.process_s for key, measured in found.items()}
    inside = {key: measured.inside_s for key, measured in found.items() if measured.inside_s is not None}
    lines = chain(
        *(
            _ratio(f"{task}, in process", least, inside, (task, FLOWKIT), (task, CYTOCAR))
            for task, least in IN_PROCESS.items()
        ),
        *(
            _ratio(f"{task}, {command_with(jobs)}", least, whole, (task, FLOWKIT), (task, command_with(jobs)))
            for (task, jobs), least in WHOLE_COMMAND.items()
        ),
        *(
            _ratio(f"{task}, two processes over one", least, whole, (task, command_with(1)), (task, command_with(2)))
            for task, least in TWO_PROCESSES.items()
        ),
        _memory(rows),
        _start(seconds),
    )
    return as_table(("what", "asked for", "measured"), list(lines))


def _ratio(
    what: str, least: float, times: Mapping[tuple[str, str], float], slow: tuple[str, str], fast: tuple[str, str]
) -> Iterator[Line]:
    if slow in times and fast in times:
        digits = 2 if least < 10 and least != int(least) else 1
        yield what, f"{least:g} times or more", f"{times[slow] / times[fast]:.{digits}f}"


def _memory(rows: Sequence[Row]) -> Iterator[Line]:
    ours = [row.measured.peak_mb for row in rows if "cytocar" in row.program]
    if ours:
        yield "memory over a bare interpreter's", f"{LARGEST_MB} MB or less", f"{max(ours) - BARE_MB:.0f} MB"


def _start(seconds: Mapping[str, float]) -> Iterator[Line]:
    bare = next(iter(seconds.values()))
    for command in ("import cytocar", "cytocar --help"):
        if command in seconds:
            over = 1000 * (seconds[command] - bare)
            yield f"`{command}` over a bare interpreter", f"{LONGEST_START_MS} ms or less", f"{over:.0f} ms"
