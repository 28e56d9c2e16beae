"""One program on one task in a process of its own: seconds from outside and inside, memory, and what it counted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

LAUNCH = Path(__file__).with_name("launch.py")
MEBIBYTE = 2**20


@dataclass(frozen=True, slots=True)
class Measurement:
    """The medians of several runs.

    Attributes
    ----------
    process_s : float
        Wall time of the whole process.
    processor_s : float
        Processor time of the whole process and its helpers, which other work on the machine changes least.
    inside_s : float, optional
        Wall time that the program reported for the work alone, without start-up and imports: the first in its process.
    again_s : float, optional
        The same for the second time in that process.
    peak_mb : float
        Largest memory of the process, MiB.
    counts : optional
        What it counted, one entry per file.
    """

    process_s: float
    processor_s: float
    inside_s: float | None
    again_s: float | None
    peak_mb: float
    counts: Any
    load: float
    """What else the machine had to do when it began: processes that waited, on average over a minute."""


def measure(command: Sequence[str | Path], *, repeats: int, allowed: Sequence[int] = (0,)) -> Measurement:
    """Run a command several times and return the median times and the largest memory.

    The command may report ``{"seconds": ..., "again": ..., "counts": ...}`` as the last line of its standard output.

    Raises
    ------
    RuntimeError
        If it ends with a code that is not allowed, with what it said.
    """
    return joined([_run([str(part) for part in command], allowed) for _ in range(repeats)])


def joined(runs: Sequence[Measurement]) -> Measurement:
    """Return several runs of one command as one: medians, the largest memory, the first load."""
    return Measurement(
        process_s=median(run.process_s for run in runs),
        processor_s=median(run.processor_s for run in runs),
        inside_s=_median(run.inside_s for run in runs),
        again_s=_median(run.again_s for run in runs),
        peak_mb=max(run.peak_mb for run in runs),
        counts=runs[0].counts,
        load=runs[0].load,
    )


def _median(seconds: Iterable[float | None]) -> float | None:
    known = [one for one in seconds if one is not None]
    return median(known) if known else None


def _run(command: Sequence[str], allowed: Sequence[int]) -> Measurement:
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        launched = [sys.executable, "-S", "-E", str(LAUNCH), str(report), *command]
        done = subprocess.run(launched, capture_output=True, text=True, env=_environment(), check=True)
        taken = json.loads(report.read_text(encoding="utf-8"))
    if taken["returncode"] not in allowed:
        raise RuntimeError(f"{' '.join(command[:4])} ... failed ({taken['returncode']}):\n{done.stderr[-2000:]}")
    last = done.stdout.strip().rpartition("\n")[2]
    said = json.loads(last) if last.startswith('{"seconds"') else {}
    return Measurement(
        process_s=taken["seconds"],
        processor_s=taken["processor_s"],
        inside_s=said.get("seconds"),
        again_s=said.get("again"),
        peak_mb=taken["peak_bytes"] / MEBIBYTE,
        counts=said.get("counts"),
        load=load,
    )


def _environment() -> dict[str, str]:
    """Return the environment for a program, in which it may keep compiled modules, as an installed one does."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
