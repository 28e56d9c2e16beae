"""The reference gates of ISAC's Gating-ML 2.0 suite, event for event."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

import cytocar
from cytocar.gates.walk import walk
from cytocar.sample.applied_template import applied_to
from cytocar.template.gatingml.read import read_gatingml
from cytocar.template.gatingml.round_trip import export_gatingml

if TYPE_CHECKING:
    from pathlib import Path


def test_every_reference_gate_holds_the_very_events_of_the_truth_file(shared_data: Path) -> None:
    folder = shared_data / "gatingml"
    events = cytocar.open_fcs(folder / "data1.fcs")
    cases = json.loads((folder / "index.json").read_text("utf-8"))["cases"]
    wrong = []
    for case in cases:
        populations = walk(events, cytocar.load_template(folder / case["xml"]))
        truth = np.loadtxt(folder / case["truth"], dtype=np.int8).astype(bool)
        if not np.array_equal(populations[case["gate_id"]].mask, truth):
            wrong.append(case["gate_id"])
    assert len(cases) >= 34
    assert wrong == []


def test_every_reference_gate_survives_an_export_of_our_own(shared_data: Path) -> None:
    folder = shared_data / "gatingml"
    events = cytocar.open_fcs(folder / "data1.fcs")
    for case in json.loads((folder / "index.json").read_text("utf-8"))["cases"]:
        template = cytocar.load_template(folder / case["xml"])
        again = read_gatingml(export_gatingml(template, applied_to(events, template)), source="x.xml", name="x")
        before, after = walk(events, template), walk(events, again.template)
        assert np.array_equal(before[case["gate_id"]].mask, after[case["gate_id"]].mask), case["gate_id"]
