"""What cytocar's speed has to be, as ratios to FlowKit in the same run, and what was measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from benchmarks.measure import Measurement
from benchmarks.report import BARE_MB, as_table
from benchmarks.suite import CYTOCAR, FLOWKIT, GATE, Row, command_with

IN_PROCESS = {"1M": 30, "5M": 60, "96 wells": 60}
"""FlowKit's time from opening the file to all counts, over cytocar's, both the first in their process: at least."""
AGAIN = {"1M": 45}
"""The same for the second time."""
WHOLE_COMMAND = {("1M", 1): 14, ("5M", 1): 40, ("96 wells", 2): 20}
"""FlowKit's whole process over ``cytocar gate -o`` with so many processes: at least."""
LARGEST_MB = 62
LONGEST_MS = {"cytocar --help": 80, GATE: 250, "load a template": 60}
"""From start to end; of a template what is above ``import numpy``, which nothing that counts can do without."""

Line = tuple[str, str, str]


def table(rows: Sequence[Row], start_up: Mapping[str, Measurement]) -> str:
    """Return every figure that is asked for beside the measured one; what was not measured is left out.

    Parameters
    ----------
    rows : sequence of Row
        The nine gates.
    start_up : mapping of command to Measurement
        From ``suite.start_up``.
    """
    found = {(row.task, row.program): row.measured for row in rows}
    whole = {key: measured.process_s for key, measured in found.items()}
    inside = {key: measured.inside_s for key, measured in found.items() if measured.inside_s is not None}
    again = {key: measured.again_s for key, measured in found.items() if measured.again_s is not None}
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
            _ratio(f"{task}, in process, the second time", least, again, (task, FLOWKIT), (task, CYTOCAR))
            for task, least in AGAIN.items()
        ),
        _memory(rows),
        _start(start_up),
    )
    return as_table(("what", "asked for", "measured"), list(lines))


def _ratio(
    what: str, least: float, times: Mapping[tuple[str, str], float], slow: tuple[str, str], fast: tuple[str, str]
) -> Iterator[Line]:
    if slow in times and fast in times:
        yield what, f"{least:g} times or more", f"{times[slow] / times[fast]:.1f}"


def _memory(rows: Sequence[Row]) -> Iterator[Line]:
    ours = [row.measured.peak_mb for row in rows if "cytocar" in row.program]
    if ours:
        yield "memory over a bare interpreter's", f"{LARGEST_MB} MB or less", f"{max(ours) - BARE_MB:.0f} MB"


def _start(start_up: Mapping[str, Measurement]) -> Iterator[Line]:
    for command, most in LONGEST_MS.items():
        if command in start_up:
            floor = start_up["import numpy"].process_s if command == "load a template" else 0.0
            over = 1000 * (start_up[command].process_s - floor)
            yield f"`{command}`", f"{most} ms or less", f"{over:.0f} ms"
