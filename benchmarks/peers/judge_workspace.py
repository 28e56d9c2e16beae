"""Run inside FlowKit's environment: print the counts of a workspace, or of Gating-ML on one file, as JSON."""

import json
import sys
import warnings

import flowkit

warnings.simplefilter("ignore")
document, files = sys.argv[1:3]
samples = flowkit.load_samples(files, filename_as_id=True)  # $FIL may hold another name
counts: dict[str, dict[str, int]] = {}
if document.endswith(".wsp"):
    workspace = flowkit.Workspace(document, fcs_samples=samples)
    workspace.analyze_samples(use_mp=False)
    for sample in workspace.get_sample_ids():
        report = workspace.get_gating_results(sample).report
        counts[sample] = dict(zip(report["gate_name"], map(int, report["count"]), strict=True))
else:
    session = flowkit.Session(flowkit.parse_gating_xml(document), samples)
    session.analyze_samples(use_mp=False)
    for sample in session.get_sample_ids():
        report = session.get_gating_results(sample).report
        counts[sample] = dict(zip(report["gate_name"], map(int, report["count"]), strict=True))
print(json.dumps(counts))
