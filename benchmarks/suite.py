"""What is measured: every program on the same files and gates, in turn, and whether they count the same."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.gates import TEMPLATE, plain_gates
from benchmarks.measure import Measurement, joined, measure

PEERS = Path(__file__).with_name("peers")
FLOWKIT, FLOWUTILS, CYTOCAR = "FlowKit", "FlowIO + flowutils", "cytocar"
LIBRARIES = {"flowcal": "FlowCal"}
"""Readers whose module has another name than here."""
COMMAND, FLOOR = "`cytocar gate -o --no-report`", "the bytes alone"


@dataclass(frozen=True, slots=True)
class Pythons:
    """The interpreters that hold the programs; one that is None is left out."""

    flowkit: Path | None
    fcsparser: Path | None
    cytocar: Path = Path(sys.executable)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table: a program on a task."""

    task: str
    program: str
    measured: Measurement


def gate_one_file(path: Path, pythons: Pythons, folder: Path, *, repeats: int) -> list[Row]:
    """Measure the nine gates on one file, in process and as a whole command."""
    return [*_gate([path], path.stem, pythons, folder, repeats), *_commands([path], path.stem, folder, repeats, (1,))]


def gate_plate(paths: Sequence[Path], pythons: Pythons, folder: Path, *, repeats: int) -> list[Row]:
    """Measure the nine gates on many files: FlowKit's session on all cores, the others one file after the other."""
    task = f"{len(paths)} wells"
    return [*_gate(paths, task, pythons, folder, repeats), *_commands(paths, task, folder, repeats, (1, 2))]


def command_with(jobs: int) -> str:
    """Return how the tables call the whole command with so many processes."""
    return f"{COMMAND} with {jobs} process{'es' if jobs > 1 else ''}"


def read_one_file(path: Path, pythons: Pythons, folder: Path, *, repeats: int) -> Iterator[Row]:
    """Measure reading every channel of a file into memory, and reading its bytes alone."""
    readers = [
        (FLOOR, "bytes", pythons.cytocar),
        (CYTOCAR, "cytocar", pythons.cytocar),
        ("FlowIO", "flowio", pythons.flowkit),
        ("FlowCal", "flowcal", pythons.flowkit),
        ("fcsparser", "fcsparser", pythons.fcsparser),
    ]
    for program, name, python in readers:
        if python is not None and (program in {FLOOR, CYTOCAR} or _has(python, LIBRARIES.get(name, name))):
            yield Row(path.stem, program, measure(_script(python, "read_all", name, path), repeats=repeats))


LOADED = "import cytocar; cytocar.load_template({name!r})"
GATE = "cytocar gate FILE"


def start_up(tube: Path, repeats: int) -> dict[str, Measurement]:
    """Measure from start to end a bare interpreter, commands that do nothing, and one that counts 100,000 events."""
    commands: dict[str, list[str | Path]] = {
        "python -c pass": ["-c", "pass"],
        "import numpy": ["-c", "import numpy"],
        "import cytocar": ["-c", "import cytocar"],
        "cytocar --help": ["-m", "cytocar", "--help"],
        "cytocar gate --help": ["-m", "cytocar", "gate", "--help"],
        "load a template": ["-c", LOADED.format(name="cart-cd19fc")],
        GATE: ["-m", "cytocar", "gate", tube, "-t", TEMPLATE, "--count-method", "none", "--format", "csv"],
    }
    taken: dict[str, list[Measurement]] = {name: [] for name in commands}
    for _ in range(repeats):
        for name, arguments in commands.items():
            taken[name].append(measure([sys.executable, *arguments], repeats=1))
    return {name: joined(runs) for name, runs in taken.items()}


def disagreements(rows: Sequence[Row]) -> list[str]:
    """Return a line for each program whose counts differ from the first program's on the same task."""
    first: dict[str, Row] = {}
    said = []
    for row in rows:
        if row.measured.counts is None:
            continue
        reference = first.setdefault(row.task, row)
        if row.measured.counts != reference.measured.counts:
            said.append(f"{row.task}: {row.program} and {reference.program} count differently")
    return said


def _gate(paths: Sequence[Path], task: str, pythons: Pythons, folder: Path, repeats: int) -> Iterator[Row]:
    asked = folder / "gates.json"
    asked.write_text(json.dumps(plain_gates()), encoding="utf-8")
    programs = [
        (FLOWKIT, pythons.flowkit, "gate_flowkit", asked),
        (FLOWUTILS, pythons.flowkit, "gate_flowutils", asked),
        (CYTOCAR, pythons.cytocar, "gate_cytocar", TEMPLATE),
    ]
    for program, python, script, gates in programs:
        if python is not None:
            yield Row(task, program, measure(_script(python, script, gates, *paths), repeats=repeats))


def _commands(paths: Sequence[Path], task: str, folder: Path, repeats: int, jobs: Sequence[int]) -> list[Row]:
    """Measure the whole command with so many processes each, in turn, so that a slow moment befalls all of them."""
    run = folder / "run"
    taken: dict[int, list[Measurement]] = {count: [] for count in jobs}
    for _ in range(repeats):
        for count in jobs:
            shutil.rmtree(run, ignore_errors=True)
            arguments: list[str | Path] = [
                "-t",
                TEMPLATE,
                "-o",
                run,
                "-j",
                str(count),
                "--count-method",
                "none",
                "--no-report",
                "-q",
            ]
            taken[count].append(measure([sys.executable, "-m", "cytocar", "gate", *paths, *arguments], repeats=1))
    return [Row(task, command_with(count), joined(measured)) for count, measured in taken.items()]


def _has(python: Path, library: str) -> bool:
    return not subprocess.run([python, "-c", f"import {library}"], capture_output=True, check=False).returncode


def _script(python: Path, name: str, *arguments: str | Path) -> list[str | Path]:
    """Return the command that runs a script of ``peers``: as a module where cytocar must be found, else as a file."""
    how = ["-m", f"benchmarks.peers.{name}"] if python == Path(sys.executable) else [PEERS / f"{name}.py"]
    return [python, *how, *arguments]
