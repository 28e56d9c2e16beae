"""What gates that adapt cost beside fixed ones, on one tube: ``python -m benchmarks.adaptive [--blood-ul 480]``.

The aim: at most three times for a million events, counts only, a control included. The tube and its baseline are
simulated; templates take turns in one process, so that a busy machine slows all of them; the best time of each counts.
"""

from __future__ import annotations

import argparse
import functools
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as `cytocar gate` does; NumPy reads it when it is loaded

AIM = 3.0
FIXED, ADAPTIVE = "cart-cd19fc-fixed", "cart-cd19fc"


def main() -> int:
    """Simulate, gate in turns, print a table; exit code 1 beyond the aim."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blood-ul", type=float, default=480.0, help="blood in the tube: 480 µL are a million events")
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tube-") as folder:
        events, seconds = measured(Path(folder), blood_ul=options.blood_ul, rounds=options.rounds)
    print(f"{events:,} events\n\n| what | ms | times fixed |\n| --- | --- | --- |")
    for name, best in seconds.items():
        fixed = seconds[name.split(",")[0] + ", fixed gates"]
        print(f"| {name} | {1000 * best:.0f} | {best / fixed:.2f} |")
    worst = seconds["counts only, gates that adapt, a control"] / seconds["counts only, fixed gates"]
    return int(worst > AIM)


def measured(folder: Path, *, blood_ul: float, rounds: int) -> tuple[int, dict[str, float]]:
    """Return the events of a tube that is simulated into a folder, and the best seconds of everything in turn."""
    events, runs = _runs(folder, blood_ul)
    return events, _best(runs, rounds)


def _runs(folder: Path, blood_ul: float) -> tuple[int, dict[str, Callable[[], object]]]:
    """Return the events of the tube, and what is to be timed."""
    import cytocar
    from cytocar.sample.control_signals import references_from
    from cytocar.simulate import blood_tube
    from cytocar.simulate.preparation import Preparation

    preparation = Preparation(sample_volume_ul=blood_ul, beads_added=60_000)
    tube, baseline = folder / "tube.fcs", folder / "baseline.fcs"
    blood_tube(car_per_ul=20, preparation=preparation, seed=1).write(tube)
    blood_tube(car_per_ul=0, preparation=preparation, seed=2).write(baseline)
    fixed, adaptive = (cytocar.load_template(name) for name in (FIXED, ADAPTIVE))
    references = references_from([cytocar.open_fcs(baseline)], adaptive)
    quantify = functools.partial(cytocar.quantify, beads_added=60_000, sample_volume_ul=blood_ul)

    def opened() -> cytocar.EventTable:
        return cytocar.open_fcs(tube)

    return opened().n_events, {
        "counts only, fixed gates": lambda: cytocar.gate(opened(), fixed),
        "counts only, gates that adapt": lambda: cytocar.gate(opened(), adaptive),
        "counts only, gates that adapt, a control": lambda: cytocar.gate(opened(), adaptive, references=references),
        "quantify, fixed gates": lambda: quantify(opened(), fixed),
        "quantify, gates that adapt, a control": lambda: quantify(opened(), adaptive, references=references),
    }


def _best(runs: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    best = dict.fromkeys(runs, float("inf"))
    for _ in range(rounds + 1):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            best[name] = min(best[name], time.perf_counter() - start)
    return best


if __name__ == "__main__":
    sys.exit(main())
