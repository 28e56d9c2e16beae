"""How long it takes, and how much memory, to open a 300 MB file and take three of its columns.

    python -m benchmarks.reading --peers PYTHON

PYTHON is the interpreter of an environment with FlowIO, fcsparser and FlowCal (which need ``numpy<2``). Each reader
runs in a process of its own, imports included, three times after one that fills the disk's cache; the best time counts.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.data import write_blood

EVENTS = 5_400_000
DETECTORS = ("FSC-A", "SSC-A", "FITC-A")
PEER = Path(__file__).with_name("peers") / "reading.py"


def measure(python: str, reader: str, path: Path) -> dict[str, float | list[float]] | str:
    """Return the best of three runs, or the last line of what went wrong."""
    runs = []
    for _ in range(4):
        command = [python, str(PEER), reader, str(path), *DETECTORS]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            return (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        run: dict[str, float | list[float]] = json.loads(done.stdout.splitlines()[-1])
        runs.append(run)
    return min(runs[1:], key=lambda run: run["seconds"])


def main() -> None:
    """Print one line for each reader."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", default=sys.executable, help="interpreter that has FlowIO, fcsparser and FlowCal")
    parser.add_argument("--events", type=int, default=EVENTS)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = write_blood(Path(folder) / "large.fcs", given.events, seed=1)
        print(f"{given.events:,} events, {path.stat().st_size / 1e6:.0f} MB, columns {', '.join(DETECTORS)}")
        reference = None
        for reader in ("cytocar", "flowio", "fcsparser", "flowcal"):
            found = measure(sys.executable if reader == "cytocar" else given.peers, reader, path)
            if isinstance(found, str):
                print(f"{reader:<10} {found}")
                continue
            sums = np.array(found["sums"])
            reference = sums if reference is None else reference
            same = "same sums" if np.allclose(sums, reference, rtol=1e-6) else "OTHER SUMS"
            print(f"{reader:<10} {found['seconds']:7.2f} s {float(str(found['peak_bytes'])) / 1e6:8.0f} MB  {same}")


if __name__ == "__main__":
    main()
