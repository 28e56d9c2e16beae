"""Damage the input of every parser for some minutes: ``python -m benchmarks.fuzz --minutes 2 [FCS FOLDER]``.

A trial is named by its seed and number; ``--first N --trials 1`` repeats it. Faults: an exception without a code, more
than 10 seconds of CPU, more memory than the limit. The damaged input of each fault is kept in ``--keep``.
"""

from __future__ import annotations

import argparse
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter, defaultdict
from contextlib import suppress
from pathlib import Path
from random import Random
from types import FrameType

from benchmarks.fuzz.targets import Target, targets
from cytocar.errors.tree import CytocarError

SECONDS = 10
MEMORY = 2 << 30
"""Beyond what the process takes at its start."""


class TooSlow(BaseException):
    """A trial took longer than the limit."""


def _ring(_number: int, _frame: FrameType | None) -> None:
    raise TooSlow


def trial(target: Target, content: bytes) -> tuple[str, str]:
    """Return what came of reading damaged content, and the fault in full; nothing where there is none."""
    target.path.write_bytes(content)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)  # of this process, whatever else the machine does
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", RuntimeWarning)
            target.read(target.path)
    except CytocarError as error:
        if error.code == "E199" or not error.hint:
            return "fault", f"{error.code} {error.message}"
        return error.code, "takes memory" * isinstance(error.__cause__, MemoryError)
    except TooSlow:
        return "fault", f"took more than {SECONDS} s"
    except Exception:  # noqa: BLE001 -- what this program looks for
        return "fault", traceback.format_exc(limit=-3)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        target.restore()
    return "read", ""


def main() -> int:
    """Run trials until the time is over, print a table, return 1 if there was a fault."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--trials", type=int, help="so many, whatever time they take")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", help="the parser of this name alone")
    parser.add_argument("--keep", type=Path, default=Path("fuzz_failures"))
    given = parser.parse_args()
    signal.signal(signal.SIGPROF, _ring)
    outcomes: dict[str, Counter[str]] = defaultdict(Counter)
    faults: Counter[str] = Counter()
    slowest: dict[str, float] = defaultdict(float)
    number = given.first
    with tempfile.TemporaryDirectory() as scratch:
        by_name: dict[str, list[Target]] = defaultdict(list)
        for target in targets(Path(scratch), given.folders):
            if given.only in (None, target.name):
                by_name[target.name].append(target)
        names = list(by_name)
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY, resource.RLIM_INFINITY))
        end = time.monotonic() + 60 * given.minutes
        while number < given.first + given.trials if given.trials else time.monotonic() < end:
            rng = Random(f"{given.seed} {number}")
            name = names[number % len(names)]
            target = rng.choice(by_name[name])
            content = target.damaged(rng)
            began = time.process_time()
            outcome, fault = trial(target, content)
            slowest[name] = max(slowest[name], time.process_time() - began)
            outcomes[name][outcome] += 1
            if fault:
                what = fault.strip().splitlines()[-1][:160]
                if not faults[f"{name}: {what}"]:
                    given.keep.mkdir(exist_ok=True)
                    (given.keep / f"{number}-{target.path.name}").write_bytes(content)
                    print(f"trial {number} ({name}): {fault}", flush=True)
                faults[f"{name}: {what}"] += 1
            number += 1
    for name, counted in outcomes.items():
        refused = counted.total() - counted["read"] - counted["fault"]
        print(
            f"| {name} | {counted.total():,} | {counted['read']:,} | {refused:,} | {counted['fault']} | {slowest[name]:.2f} |"
        )
    total = sum(counted.total() for counted in outcomes.values())
    print(
        f"{total:,} trials from {given.first:,}, seed {given.seed}: {sum(faults.values())} faults of {len(faults)} kinds"
    )
    for what, times in faults.most_common():
        print(f"  {times} x {what}")
    return 1 if faults else 0


if __name__ == "__main__":
    with suppress(BrokenPipeError):
        sys.exit(main())
