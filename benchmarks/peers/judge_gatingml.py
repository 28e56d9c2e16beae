"""Runs inside FlowKit's environment: is each document valid, and does FlowKit count the same events?"""

import json
import sys
import warnings
from pathlib import Path

import flowkit
from lxml import etree


def judge(case: dict, schema: etree.XMLSchema, samples: dict) -> list[str]:
    """Return what is wrong with one case."""
    document = etree.parse(case["xml"])
    said = [] if schema.validate(document) else [f"not valid: {schema.error_log.last_error}"]
    strategy = flowkit.parse_gating_xml(case["xml"])
    sample = samples.setdefault(case["fcs"], flowkit.Sample(case["fcs"], ignore_offset_error=True))
    results = strategy.gate_sample(sample)
    for gate, expected in case["counts"].items():
        found = int(results.get_gate_membership(gate).sum())
        if found != expected:
            said.append(f"{gate}: {found} events, not {expected}")
    return said


def main() -> int:
    """Judge every case of a list; return whether any differs."""
    warnings.simplefilter("ignore")
    schema = etree.XMLSchema(etree.parse(Path(flowkit.__file__).parent / "_resources" / "Gating-ML.v2.0.xsd"))
    cases = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    samples: dict = {}
    different = 0
    for case in cases:
        try:
            said = judge(case, schema, samples)
        except Exception as error:  # noqa: BLE001 -- FlowKit's own failure is a finding here
            said = [f"FlowKit {flowkit.__version__} fails: {type(error).__name__}: {error}"]
        if said:
            different += 1
            print(Path(case["xml"]).name, *said, sep="\n  ")
    gates = sum(len(case["counts"]) for case in cases)
    print(f"{len(cases)} documents, {gates} gates: {different} documents differ")
    return int(different > 0)


if __name__ == "__main__":
    sys.exit(main())
