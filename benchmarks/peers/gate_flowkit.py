"""FlowKit on the nine gates: python gate_flowkit.py GATES.json FILE...

One file: a gating strategy on a sample, intermediate results kept, which is FlowKit's faster way. Several files: a
session that uses every core, as its manual shows.
"""

import json
import sys
import time
from pathlib import Path

import flowkit as fk


def strategy(asked):
    made = fk.GatingStrategy()
    logicle = fk.transforms.LogicleTransform(param_t=262144, param_w=0.5, param_m=4.5, param_a=0)
    made.add_transform("logicle", logicle)
    paths = {"all": ("root",)}
    for gate in asked["gates"]:
        name, path = gate["name"], paths[gate["parent"]]
        paths[name] = (*path, name)
        if gate["axes"]:
            sides = [fk.Dimension(detector) for detector in gate["axes"]]
            made.add_gate(fk.gates.PolygonGate(name, sides, gate["vertices"]), gate_path=path)
        else:
            sides = [side(detector, edges, asked["scatter"]) for detector, edges in gate["bounds"].items()]
            made.add_gate(fk.gates.RectangleGate(name, sides), gate_path=path)
    return made


def side(detector, edges, scatter):
    low, high = edges
    if detector in scatter:
        return fk.Dimension(detector, range_min=low, range_max=high)
    return fk.Dimension(detector, "FCS", "logicle", range_min=low, range_max=high)


def counts(results):
    return {row["gate_name"]: int(row["count"]) for _, row in results.report.iterrows()}


def one_file(asked, path):
    return counts(strategy(asked).gate_sample(fk.Sample(path), cache_events=True))


def main():
    asked = json.loads(Path(sys.argv[1]).read_text())
    files = sys.argv[2:]
    again = None
    start = time.perf_counter()
    if len(files) == 1:
        found = [one_file(asked, files[0])]
    else:
        session = fk.Session(strategy(asked), fcs_samples=files)
        session.analyze_samples()
        found = [counts(session.get_gating_results(sample)) for sample in sorted(session.get_sample_ids())]
    seconds = time.perf_counter() - start
    if len(files) == 1:
        start = time.perf_counter()
        one_file(asked, files[0])
        again = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "again": again, "counts": found}))


if __name__ == "__main__":
    main()
