"""Cut small FCS files at every byte: each cut is refused with a code, or reads the very same events.

    python -m benchmarks.fuzz.truncation FOLDER... [--largest BYTES]

What lies behind the events (ANALYSIS, a checksum, a further data set) may be missing without harm; an event may not.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import warnings
from collections import Counter
from pathlib import Path

import numpy as np

from cytocar import open_fcs
from cytocar.errors.tree import CytocarError
from tests.fcs.files import floats, integers


def values(path: Path) -> np.ndarray:
    """Every channel's values, shape (channels, events)."""
    table = open_fcs(path)
    return table.columns(table.channels).T


def built(folder: Path) -> list[Path]:
    """Two files of a few events, for a machine without others."""
    floats([[1, 2], [3, 4], [5, 6]]).write(folder / "floats.fcs")
    integers([[1, 2], [3, 4], [5, 6]], "<u2").write(folder / "integers.fcs")
    return sorted(folder.glob("*.fcs"))


def outcome(content: bytes, whole: np.ndarray, scratch: Path) -> str:
    """The code of a refusal, ``same``, or what is wrong in words that begin with ``FAULT``."""
    scratch.write_bytes(content)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            read = values(scratch)
    except CytocarError as error:
        return f"FAULT {error}" if error.code == "E199" or not error.hint else error.code
    except Exception as error:  # noqa: BLE001 -- what this program looks for
        return f"FAULT {type(error).__name__}: {error}"
    return "same" if read.shape == whole.shape and np.array_equal(read, whole, equal_nan=True) else "FAULT other values"


def main() -> int:
    """Cut, and print what came of it; 1 if there was a fault."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--largest", type=int, default=8192)
    given = parser.parse_args()
    outcomes: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        files = built(Path(folder)) + sorted(
            file
            for place in given.folders
            for file in place.rglob("*")
            if file.suffix.lower() in (".fcs", ".lmd") and file.stat().st_size <= given.largest
        )
        used = 0
        for file in files:
            try:
                whole = values(file)
            except CytocarError:
                continue  # it is damaged as it is
            used += 1
            content = file.read_bytes()
            for length in range(len(content)):
                result = outcome(content[:length], whole, Path(folder) / "cut.tmp")
                outcomes[result] += 1
                if result.startswith("FAULT"):
                    print(f"{file.name} cut after {length} of {len(content)} bytes: {result}", flush=True)
    print(
        f"{used} files, {outcomes.total():,} cuts: " + ", ".join(f"{n:,} {what}" for what, n in outcomes.most_common())
    )
    return 1 if any(what.startswith("FAULT") for what in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
