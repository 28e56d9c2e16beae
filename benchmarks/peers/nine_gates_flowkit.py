"""FlowKit on the nine gates. Runs in the peers' environment: python nine_gates_flowkit.py GATES.json FILE..."""

import json
import sys
import time
from pathlib import Path

started = time.perf_counter()
import flowkit as fk  # noqa: E402

imported = time.perf_counter()
SCATTER = ("FSC-A", "FSC-H", "FSC-W", "SSC-A", "SSC-H", "Time")


def strategy(gates):
    made = fk.GatingStrategy()
    made.add_transform("logicle", fk.transforms.LogicleTransform(param_t=262144, param_w=0.5, param_m=4.5, param_a=0))
    paths = {"all": ("root",)}
    for gate in gates:
        path = paths[gate["parent"]]
        paths[gate["name"]] = (*path, gate["name"])
        if gate["axes"]:
            sides = [dimension(name) for name in gate["axes"]]
            made.add_gate(fk.gates.PolygonGate(gate["name"], sides, gate["vertices"]), gate_path=path)
        else:
            sides = [dimension(name, *edges) for name, edges in gate["bounds"].items()]
            made.add_gate(fk.gates.RectangleGate(gate["name"], sides), gate_path=path)
    return made


def dimension(name, low=None, high=None):
    if name in SCATTER:
        return fk.Dimension(name, range_min=low, range_max=high)
    return fk.Dimension(name, "FCS", "logicle", range_min=low, range_max=high)


def counts(results):
    report = results.report
    return {row.gate_name: int(row["count"]) for _, row in report.iterrows()}


def main():
    gates = json.loads(Path(sys.argv[1]).read_text())
    files = sys.argv[2:]
    begun = time.perf_counter()
    if len(files) == 1:
        made = strategy(gates)
        sample = fk.Sample(files[0])
        found = {files[0]: counts(made.gate_sample(sample))}
    else:
        session = fk.Session(strategy(gates), fcs_samples=files)
        session.analyze_samples(use_mp=True)
        paths = {sample.id: file for sample, file in ((session.get_sample(i), i) for i in session.get_sample_ids())}
        found = {paths[i]: counts(session.get_gating_results(i)) for i in session.get_sample_ids()}
    print(json.dumps({"seconds": time.perf_counter() - begun, "import": imported - started, "counts": found}))


if __name__ == "__main__":
    main()
