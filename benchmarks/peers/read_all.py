"""Read every channel of files into memory: python read_all.py cytocar|flowio|flowcal|fcsparser|bytes FILE...

``bytes`` reads the files block by block and does nothing with them: the floor for everybody.
"""

import json
import sys
import time
from pathlib import Path


def bytes_of(path):
    buffer = bytearray(2 << 20)
    with Path(path).open("rb", buffering=0) as handle:
        while handle.readinto(buffer):
            pass


def reader(name):
    """Return a function that reads a file, its library imported."""
    if name == "cytocar":
        import cytocar

        open_fcs = cytocar.open_fcs
        return lambda path: (events := open_fcs(path)).columns(events.channels)
    if name == "flowio":
        import flowio

        return lambda path: flowio.FlowData(path).as_array(preprocess=True)
    if name == "flowcal":
        import FlowCal

        return lambda path: FlowCal.transform.to_rfi(FlowCal.io.FCSData(path))
    if name == "fcsparser":
        import fcsparser

        return lambda path: fcsparser.parse(path)[1]
    return bytes_of


def main():
    read = reader(sys.argv[1])
    start = time.perf_counter()
    shapes = []
    for path in sys.argv[2:]:
        table = read(path)
        shapes.append(None if table is None else list(table.shape))
    seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "counts": shapes}))


if __name__ == "__main__":
    main()
