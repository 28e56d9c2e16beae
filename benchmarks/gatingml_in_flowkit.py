"""FlowKit as the judge of our Gating-ML: every exported file must be valid and hold the same events.

FlowKit lives in an environment of its own (its requirements and ours exclude each other)::

    python -m benchmarks.gatingml_in_flowkit --python /path/to/flowkit/bin/python [--trees 200] [FILE.fcs TEMPLATE ...]

Random gate trees on a written FCS file, then the named files with the named templates, are exported, checked against
the ISAC schema that FlowKit ships, read by FlowKit, and counted on the same file.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings

import cytocar
from cytocar.errors.tree import TemplateError
from cytocar.fcs.events import EventTable
from cytocar.fcs.write import write_fcs
from cytocar.gates.walk import walk
from cytocar.sample.applied_template import applied_to
from cytocar.template.gatingml.merge import Origin
from cytocar.template.gatingml.read import read_gatingml
from cytocar.template.gatingml.round_trip import export_gatingml
from cytocar.template.model import Template
from tests.template.gatingml.documents import SCALES, SPILLOVER, templates

JUDGE = Path(__file__).with_name("peers") / "judge_gatingml.py"
COMPENSATED = ("FSC-A", "CD3", "CAR")
UNBOUNDED = tuple(scale for scale in SCALES if scale.bound_min is None)
"""What FlowKit 1.3 can judge. It has one matrix for all dimensions of a gate, takes ratios of uncompensated values and
moves them behind the other dimensions, and knows no bounds of transformations (boundMin, boundMax)."""


@dataclass(frozen=True, slots=True)
class Case:
    """One exported file, the data, and the events of each gate by its id."""

    xml: Path
    fcs: Path
    counts: dict[str, int]


def export(template: Template, events: EventTable, xml: Path) -> Case | None:
    """Write a template as applied to a file; none where Gating-ML has no words for it."""
    populations = walk(events, template)
    try:
        data = export_gatingml(template, applied_to(events, template, populations=populations))
    except TemplateError as error:
        if error.code == "E143":
            return None
        raise
    xml.write_bytes(data)
    note = read_gatingml(data, source=xml.name, name="x").note
    origin = Origin.from_json(note.text or "") if note is not None else None
    assert origin is not None
    assert isinstance(events.path, Path)
    return Case(xml, events.path, {key: populations[name].events for key, name in origin.names.items()})


def random_trees(folder: Path, count: int) -> list[Case]:
    """Return random gate trees on one written file."""
    generator = np.random.default_rng(11)
    columns = {name: generator.normal(200, 300, 3000) for name in ("FSC-A", "FITC-A", "PE-A", "APC-A")}
    fcs = folder / "random.fcs"
    write_fcs(fcs, columns, markers={"FITC-A": "CD3 FITC"}, keywords={"$SPILLOVER": SPILLOVER})
    events = cytocar.open_fcs(fcs)
    cases: list[Case] = []

    @seed(20)
    @settings(max_examples=count, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(template=templates(COMPENSATED, UNBOUNDED))
    def collect(template: Template) -> None:
        case = export(template, events, folder / f"tree{len(cases)}.xml")
        if case is not None:
            cases.append(case)

    collect()
    return cases


def main() -> int:
    """Run the comparison; return the number of files that FlowKit judges otherwise."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--python", required=True, help="the Python of an environment with FlowKit 1.3")
    parser.add_argument("--trees", type=int, default=200)
    parser.add_argument("pairs", nargs="*", help="FILE.fcs TEMPLATE ...")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cases = random_trees(folder, options.trees)
        for number, (fcs, template) in enumerate(zip(options.pairs[::2], options.pairs[1::2], strict=True)):
            found = export(cytocar.load_template(template), cytocar.open_fcs(fcs), folder / f"named{number}.xml")
            cases += [found] if found is not None else []
        listed = folder / "cases.json"
        listed.write_text(
            json.dumps([{"xml": str(case.xml), "fcs": str(case.fcs), "counts": case.counts} for case in cases])
        )
        judged = subprocess.run([options.python, str(JUDGE), str(listed)], capture_output=True, text=True, check=False)
    sys.stderr.write(judged.stderr[-2000:])
    print(judged.stdout)
    return judged.returncode


if __name__ == "__main__":
    sys.exit(main())
