"""Kill a run again and again and repeat its command: ``python -m benchmarks.kills --times 200``.

Killed by SIGKILL at a random moment: the main process alone, one worker, or the whole group. After each kill the lock
must be free within a second and every process gone; the run that is finished at last must have the tables of one that
nothing disturbed, verify, and take a signature.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from cytocar.errors.tree import UsageError
from cytocar.run.finished.checks import Verdict
from cytocar.run.finished.sign import sign
from cytocar.run.finished.verify import verify
from cytocar.run.trail.audit import Author, Meaning
from cytocar.run.trail.lock import only_writer
from cytocar.simulate import Preparation, blood_tube

SAMPLES = 6
HANGS_AFTER_S = 180
"""A command that was killed in part and is not through by then: undisturbed it takes some seconds."""


def start(sheet: Path, run: Path, *more: str) -> subprocess.Popen[bytes]:
    """Start the command in a group of its own."""
    words = ["gate", str(sheet), "-t", "cart-cd19fc-fixed", "-o", str(run), "-j", "2", "-q", *more]
    command = [sys.executable, "-m", "cytocar", *words]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True)


def group(leader: int) -> set[int]:
    """Return the living processes of a group besides its leader."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            state = (entry / "stat").read_text("utf-8").rpartition(") ")[2][:1]
            if b"resource_tracker" in (entry / "cmdline").read_bytes():
                continue  # Python's own bookkeeper, which ends by itself and is no worker
            if os.getpgid(int(entry.name)) == leader != int(entry.name) and state != "Z":
                found.add(int(entry.name))
        except OSError:
            continue
    return found


def seconds_until_free(run: Path) -> float:
    """Return how long the lock was still held."""
    began = time.monotonic()
    while run.is_dir():
        try:
            with only_writer(run):
                break
        except UsageError:
            time.sleep(0.01)
    return time.monotonic() - began


def tables(run: Path) -> dict[str, bytes]:
    """Return the tables of a run by name."""
    return {path.name: path.read_bytes() for path in run.glob("*.csv")}


def main() -> int:
    """Kill, repeat, count faults."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--times", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--longest", type=float, default=4.0, help="seconds until a kill, at most")
    parser.add_argument("--dask", action="store_true")
    given = parser.parse_args()
    rng = Random(given.seed)
    more = ("--dask", "local:2") if given.dask else ()
    killed: Counter[str] = Counter()
    faults: list[str] = []
    locked = outlived = 0.0
    runs = 0
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        lines = ["file,sample_id,beads_added,sample_volume_ul"]
        for number in range(SAMPLES):
            tube = blood_tube(car_per_ul=100, preparation=Preparation(drawn_share=0.05), seed=number)
            tube.write(folder / f"d{number}.fcs")
            lines.append(f"d{number}.fcs,d{number},20000,50")
        (folder / "sheet.csv").write_text("\n".join(lines) + "\n", "utf-8")
        start(folder / "sheet.csv", folder / "undisturbed").wait()
        expected = tables(folder / "undisturbed")
        while killed.total() < given.times:
            runs += 1
            run = folder / f"run{runs}"
            for attempt in range(8):
                process = start(folder / "sheet.csv", run, *(more if attempt < 7 else ()))
                if attempt < 7:
                    time.sleep(rng.uniform(0.2, given.longest))
                    how = rng.choice(["main", "worker", "group"])
                    workers = sorted(group(process.pid))
                    if process.poll() is None and (how != "worker" or workers):
                        killed[how] += 1
                        if how == "group":
                            os.killpg(process.pid, signal.SIGKILL)
                        else:
                            os.kill(process.pid if how == "main" else rng.choice(workers), signal.SIGKILL)
                try:
                    _, said = process.communicate(timeout=HANGS_AFTER_S)
                except subprocess.TimeoutExpired:
                    faults.append(f"run {runs}: hangs")
                    os.killpg(process.pid, signal.SIGKILL)
                    _, said = process.communicate()
                if b"Traceback" in said or b"E199" in said or process.returncode == 70:
                    faults.append(f"run {runs}: {said.decode()[-300:]}")
                locked = max(locked, seconds_until_free(run))
                began = time.monotonic()
                while group(process.pid) and time.monotonic() - began < 30:
                    time.sleep(0.02)
                outlived = max(outlived, time.monotonic() - began)
                if process.returncode in (0, 1):
                    break
            if tables(run) != expected:
                faults.append(f"run {runs}: other tables")
            if any(check.verdict is Verdict.CHANGED for check in verify(run)):
                faults.append(f"run {runs}: does not verify")
            else:
                sign(run, Meaning.REVIEWED, author=Author("k", "k"), clock=lambda: datetime.now(UTC))
    print(f"{killed.total()} kills ({dict(killed)}) in {runs} runs, seed {given.seed}: {len(faults)} faults")
    print(f"lock held at most {locked:.2f} s after a kill, processes left at most {outlived:.2f} s")
    print("\n".join(faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
