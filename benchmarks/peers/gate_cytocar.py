"""cytocar on the nine gates: python gate_cytocar.py TEMPLATE.toml FILE...

One file after the other in one process; a single file twice, for the time when everything is loaded.
"""

import json
import sys
import time

import cytocar

open_fcs, gate, load_template = cytocar.open_fcs, cytocar.gate, cytocar.load_template


def counts(path, template):
    populations = gate(open_fcs(path), template)
    return {name: population.events for name, population in populations.items() if name != "all"}


def main():
    template = load_template(sys.argv[1])
    files = sys.argv[2:]
    start = time.perf_counter()
    found = [counts(path, template) for path in files]
    seconds = time.perf_counter() - start
    again = None
    if len(files) == 1:
        start = time.perf_counter()
        counts(files[0], template)
        again = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "again": again, "counts": found}))


if __name__ == "__main__":
    main()
