"""Open one FCS file with one reader and take three columns; prints seconds, peak memory and the columns' sums as JSON.

Runs in the environment that has the reader: ``PYTHON reading.py READER FILE DETECTOR...``
"""

import json
import re
import sys
import time
from pathlib import Path


def cytocar(path: str, detectors: list[str]) -> list[float]:
    """Sum columns with cytocar."""
    from cytocar import open_fcs

    return open_fcs(path).columns(detectors).sum(axis=0).tolist()


def flowio(path: str, detectors: list[str]) -> list[float]:
    """Sum columns with FlowIO."""
    import flowio

    data = flowio.FlowData(path)
    values = data.as_array()
    return [float(values[:, data.pnn_labels.index(name)].sum()) for name in detectors]


def fcsparser(path: str, detectors: list[str]) -> list[float]:
    """Sum columns with fcsparser."""
    import fcsparser

    _, table = fcsparser.parse(path, channel_naming="$PnN")
    return [float(table[name].to_numpy(dtype=float).sum()) for name in detectors]


def flowcal(path: str, detectors: list[str]) -> list[float]:
    """Sum columns with FlowCal."""
    import FlowCal
    import numpy as np

    data = FlowCal.io.FCSData(path)
    return [float(np.asarray(data[:, name], dtype=float).sum()) for name in detectors]


def peak_bytes() -> int:
    """Return the most memory that this process has held (Linux)."""
    return int(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text("ascii"))[1]) * 1024


def main() -> None:
    """Time the reader that the command line names, imports and all."""
    reader, path, *detectors = sys.argv[1:]
    began = time.perf_counter()
    sums = {"cytocar": cytocar, "flowio": flowio, "fcsparser": fcsparser, "flowcal": flowcal}[reader](path, detectors)
    seconds = time.perf_counter() - began
    print(json.dumps({"seconds": seconds, "peak_bytes": peak_bytes(), "sums": sums}))


if __name__ == "__main__":
    main()
