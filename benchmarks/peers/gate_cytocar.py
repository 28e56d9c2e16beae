"""cytocar on the nine gates: python gate_cytocar.py TEMPLATE.toml FILE..., one file after the other in one process."""

import json
import sys
import time

import cytocar

open_fcs, gate, load_template = cytocar.open_fcs, cytocar.gate, cytocar.load_template


def main():
    template = load_template(sys.argv[1])
    start = time.perf_counter()
    found = []
    for path in sys.argv[2:]:
        populations = gate(open_fcs(path), template)
        found.append({name: population.events for name, population in populations.items() if name != "all"})
    seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "counts": found}))


if __name__ == "__main__":
    main()
