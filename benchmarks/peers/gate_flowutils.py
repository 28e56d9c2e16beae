"""The nine gates written by hand with FlowIO and flowutils: python gate_flowutils.py GATES.json FILE...

As a careful script would do it: each channel transformed once, each gate on all events.
"""

import json
import sys
import time
from pathlib import Path

import flowio
import numpy as np
from flowutils import compensate, gating, transforms


def signals(path, asked):
    data = flowio.FlowData(path)
    events = data.as_array(preprocess=True)
    spill, detectors = compensate.get_spill(data.text.get("spillover") or data.text["spill"])
    stained = [data.pnn_labels.index(detector) for detector in detectors]
    events = compensate.compensate(events, spill, stained)
    wanted = {detector for gate in asked["gates"] for detector in gate["bounds"]} - set(asked["scatter"])
    events = transforms.logicle(events, [data.pnn_labels.index(detector) for detector in wanted])
    return {detector: events[:, index] for index, detector in enumerate(data.pnn_labels)}


def counts(path, asked):
    columns = signals(path, asked)
    masks = {"all": True}
    for gate in asked["gates"]:
        if gate["axes"]:
            points = np.column_stack([columns[detector] for detector in gate["axes"]])
            inside = gating.points_in_polygon(np.array(gate["vertices"], dtype=float), points)
        else:
            inside = np.ones(len(columns["FSC-A"]), dtype=bool)
            for detector, (low, high) in gate["bounds"].items():
                if low is not None:
                    inside &= columns[detector] >= low
                if high is not None:
                    inside &= columns[detector] < high
        masks[gate["name"]] = inside & masks[gate["parent"]]
    return {gate["name"]: int(masks[gate["name"]].sum()) for gate in asked["gates"]}


def main():
    asked = json.loads(Path(sys.argv[1]).read_text())
    start = time.perf_counter()
    found = [counts(path, asked) for path in sys.argv[2:]]
    seconds = time.perf_counter() - start
    again = None
    if len(found) == 1:
        start = time.perf_counter()
        counts(sys.argv[2], asked)
        again = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "again": again, "counts": found}))


if __name__ == "__main__":
    main()
