"""What the checks of a tube cost: ``python -m benchmarks.checks [--blood-ul 480]``, a minute on a quiet core.

Processor time, the best of some rounds, of the tube with all that it is asked; each check's own share is that of its
function, with all that this calls.
"""

from __future__ import annotations

import argparse
import functools
import os
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as `cytocar gate` does; NumPy reads it when it is loaded

TEMPLATES = ("cart-cd19fc-fixed", "cart-cd19fc")
ROOM = "cytocar.sample.quality"
AIM_EACH, AIM_TOGETHER = 5.0, 15.0
"""Percent of a million-event tube."""
SHOWN = 8


class Spent:
    """Seconds of processor time in the functions of a room, by name; inner calls are their caller's too."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.together = 0.0
        self._depth = 0

    def watch(self, holder: ModuleType | type, name: str) -> None:
        """Measure a function from now on, called by this name."""
        function: Callable[..., Any] = getattr(holder, name)

        @functools.wraps(function)
        def watched(*arguments: Any, **named: Any) -> Any:
            start, self._depth = time.process_time(), self._depth + 1
            try:
                answer = function(*arguments, **named)
                return tuple(answer) if hasattr(answer, "__next__") else answer  # a generator works when it is asked
            finally:
                seconds, self._depth = time.process_time() - start, self._depth - 1
                self.seconds[name] += seconds
                self.together += 0.0 if self._depth else seconds

        setattr(holder, name, watched)


def main() -> int:
    """Simulate a tube, count it by each template, print what the checks take; exit code 1 beyond the aim."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blood-ul", type=float, default=480.0, help="blood in the tube: 480 µL are a million events")
    parser.add_argument("--rounds", type=int, default=25)
    options = parser.parse_args()
    worst = 0.0
    for name in TEMPLATES:
        with tempfile.TemporaryDirectory(prefix="tube-") as folder:
            whole, spent = measured(Path(folder), name, blood_ul=options.blood_ul, rounds=options.rounds)
        percent = {check: 100 * seconds / whole for check, seconds in spent.seconds.items()}
        together = 100 * spent.together / whole
        print(f"{name}: {1000 * whole:.0f} ms, of these {1000 * spent.together:.0f} for the checks, {together:.0f} %")
        for check in sorted(percent, key=lambda one: -percent[one])[:SHOWN]:
            print(f"  {check:24} {percent[check]:.1f} %")
        alone = max(share for check, share in percent.items() if check != "evidence")  # which calls the others
        worst = max(worst, together / AIM_TOGETHER, alone / AIM_EACH)
    return int(worst > 1)


def measured(folder: Path, template: str, *, blood_ul: float, rounds: int) -> tuple[float, Spent]:
    """Return the seconds of the round that took the least, and what its checks took of them."""
    import cytocar
    from cytocar.sample import analysis
    from cytocar.sample.quality import flow, populations
    from cytocar.simulate.preparation import Preparation

    path = folder / "tube.fcs"
    preparation = Preparation(sample_volume_ul=blood_ul, beads_added=60_000)
    cytocar.simulate.blood_tube(car_per_ul=20, preparation=preparation, seed=1).write(path)
    loaded = cytocar.load_template(template)
    spent = Spent()
    originals: list[tuple[Any, str, Any]] = [
        (holder, name, getattr(holder, name)) for holder, name in _checks(analysis, populations)
    ]
    for holder, name, _ in originals:
        spent.watch(holder, name)
    for name in ("add", "quality"):
        originals.append((flow.FlowEvents, name, getattr(flow.FlowEvents, name)))
        spent.watch(flow.FlowEvents, name)
    best = (float("inf"), spent)
    for _ in range(rounds):
        spent.seconds, spent.together = defaultdict(float), 0.0
        start = time.process_time()
        cytocar.quantify(cytocar.open_fcs(path), loaded, beads_added=60_000, sample_volume_ul=blood_ul)
        taken = time.process_time() - start
        if taken < best[0]:
            kept = Spent()
            kept.seconds, kept.together = spent.seconds, spent.together
            best = (taken, kept)
    for holder, name, function in originals:
        setattr(holder, name, function)
    return best


def _checks(*modules: ModuleType) -> list[tuple[ModuleType, str]]:
    """Return the functions of the room that these modules call, by the names that they have there."""
    return [
        (module, name)
        for module in modules
        for name, value in vars(module).items()
        if getattr(value, "__module__", "").startswith(ROOM) and callable(value) and not isinstance(value, type)
    ]


if __name__ == "__main__":
    sys.exit(main())
