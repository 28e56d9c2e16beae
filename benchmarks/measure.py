"""One program on one task in a process of its own: seconds from outside and inside, peak memory, what it counted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

MEBIBYTE = 2**20
# ru_maxrss counts kilobytes on Linux, bytes on macOS.
MAXRSS_BYTES = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True, slots=True)
class Measurement:
    """The best of several runs.

    Attributes
    ----------
    process_s : float
        Wall time of the whole process.
    inside_s : float, optional
        Wall time that the program reported for the work alone, without start-up and imports.
    import_s : float, optional
        Wall time of its imports.
    peak_mb : float
        Largest memory of the process, MiB, over that of a bare interpreter.
    counts : optional
        What it counted, one entry per file.
    """

    process_s: float
    inside_s: float | None
    import_s: float | None
    peak_mb: float
    counts: Any


def measure(command: Sequence[str], *, repeats: int, bare_mb: float = 0.0) -> Measurement:
    """Run a command several times and return the shortest times and the largest memory.

    The command may report ``{"seconds": ..., "import": ..., "counts": ...}`` as the last line of its standard output.

    Raises
    ------
    RuntimeError
        If it fails, with what it said.
    """
    runs = [_run(command) for _ in range(repeats)]
    reports = [report for _, _, report in runs if report is not None]
    return Measurement(
        process_s=min(seconds for seconds, _, _ in runs),
        inside_s=min((report["seconds"] for report in reports), default=None),
        import_s=min((report["import"] for report in reports), default=None),
        peak_mb=max(peak for _, peak, _ in runs) - bare_mb,
        counts=reports[0]["counts"] if reports else None,
    )


def _environment() -> dict[str, str]:
    """Return the environment for a program, in which it may keep compiled modules, as an installed one does."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def _run(command: Sequence[str]) -> tuple[float, float, dict[str, Any] | None]:
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=_environment())
    # Read before waiting, so that a talkative program cannot fill the pipe; wait4 gives the memory of this child alone.
    out, err = process.stdout.read(), process.stderr.read()  # type: ignore[union-attr]  # both are pipes
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command[:4])} ... failed ({process.returncode}):\n{err[-2000:]}")
    lines = out.strip().splitlines()
    report = json.loads(lines[-1]) if lines and lines[-1].startswith('{"seconds"') else None
    return seconds, usage.ru_maxrss * MAXRSS_BYTES / MEBIBYTE, report
