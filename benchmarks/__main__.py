"""Run the benchmarks: ``python -m benchmarks [--write docs/performance.md]``.

Generates the data once, makes the other programs' environments once (or takes them from ``--flowkit`` and
``--fcsparser``), measures every program in turn, and ends with exit code 1 if two programs count differently.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks import report, required, suite
from benchmarks.data import write_blood
from benchmarks.environments import FCSPARSER, FLOWKIT, environment
from benchmarks.measure import Measurement

SIZES = {"100k": 100_000, "1M": 1_000_000, "5M": 5_000_000}
WELL_EVENTS = 50_000


def main() -> int:
    """Measure, print the tables, return the exit code."""
    options = _options()
    options.folder.mkdir(parents=True, exist_ok=True)
    pythons = suite.Pythons(
        flowkit=None if options.alone else options.flowkit or environment(options.folder / "flowkit", FLOWKIT),
        fcsparser=None if options.alone else options.fcsparser or environment(options.folder / "fcsparser", FCSPARSER),
    )
    tubes = [_blood(options.folder / f"{name}.fcs", SIZES[name]) for name in options.sizes]
    wells = [
        _blood(options.folder / "plate" / f"{well:03}.fcs", WELL_EVENTS, seed=well)
        for well in range(max(options.wells, default=0))
    ]
    odd = [
        _blood(options.folder / "big-endian.fcs", 100_000, byte_order="big"),
        _blood(options.folder / "integers-with-gain.fcs", 100_000, storage="uint32"),
    ]
    gated: list[suite.Row] = []
    for path in (*odd, *tubes):
        gated += _told(suite.gate_one_file(path, pythons, options.folder, repeats=options.repeats))
    for count in filter(None, options.wells):
        gated += _told(suite.gate_plate(wells[:count], pythons, options.folder, repeats=options.repeats))
    read = [
        row
        for path in tubes[-2:]
        for row in _told(list(suite.read_one_file(path, pythons, options.folder, repeats=options.repeats)))
    ]
    small = _blood(options.folder / "100k.fcs", SIZES["100k"])
    text = _text(gated, read, suite.start_up(small, max(7, options.repeats)))
    print(text)
    if options.write is not None:
        report.write_between_marks(options.write, text)
    differences = suite.disagreements(gated)
    print(*differences or ["every program counts the same in every population"], sep="\n")
    return 1 if differences else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="cytocar beside other programs")
    parser.add_argument("--folder", type=Path, default=Path(".venv-benchmarks"), help="data and environments")
    parser.add_argument("--flowkit", type=Path, help="Python that has FlowKit and FlowCal")
    parser.add_argument("--fcsparser", type=Path, help="Python that has fcsparser")
    parser.add_argument("--alone", action="store_true", help="measure cytocar only")
    parser.add_argument("--sizes", nargs="*", choices=SIZES, default=list(SIZES), help="single tubes")
    parser.add_argument("--wells", nargs="*", type=int, default=[96], help="wells of each plate")
    parser.add_argument("--repeats", type=int, default=7, help="the median of so many runs counts")
    parser.add_argument("--write", type=Path, help="document whose measured part is replaced")
    return parser.parse_args()


def _blood(path: Path, n_events: int, *, seed: int = 1, **storage: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path if path.exists() else write_blood(path, n_events, seed=seed, **storage)  # type: ignore[arg-type]  # literals above


def _told(rows: list[suite.Row]) -> list[suite.Row]:
    for row in rows:
        inside = "" if row.measured.inside_s is None else f", {row.measured.inside_s:.3f} s in process"
        print(f"{row.task:22} {row.program:36} {row.measured.process_s:8.3f} s{inside}", file=sys.stderr)
    return rows


def _text(gated: list[suite.Row], read: list[suite.Row], start_up: dict[str, Measurement]) -> str:
    parts = [
        f"Measured {report.machine()}.",
        "## Nine gates",
        report.gating_table(gated),
        "## Reading every channel",
        report.reading_table(read) if read else "not measured",
        "## Start-up",
        report.start_up_table(start_up),
        "## What is asked for",
        required.table(gated, start_up),
    ]
    return "\n\n".join(parts)


if __name__ == "__main__":
    sys.exit(main())
