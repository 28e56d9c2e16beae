"""FlowKit as the judge of what a run hands on: the same events in the workspace, and in each Gating-ML document.

FlowKit 1.3.2 lives in an environment of its own::

    python -m benchmarks.workspace_in_flowkit --python /path/to/flowkit/bin/python RUN...

Each run is exported (``wsp`` with either scale, ``gatingml``) and read by FlowKit with the run's own files. Populations
under a polygon or an ellipse on a logicle axis may differ where the scale is written as ``biex``: there FlowKit decides
by a table of 4096 steps. An ellipse becomes a polygon of 128 corners in FlowKit.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from cytocar.run.finished.export_gates import export_gates
from cytocar.run.finished.gate_forms import GatesAs
from cytocar.run.finished.recorded_plan import recorded_plan
from cytocar.run.trail.audit import Author
from cytocar.run.trail.journal import finished_manifest
from cytocar.template.flowjo.logicle_as import LogicleAs

FORMS = (
    (GatesAs.WSP, LogicleAs.LOGICLE),
    (GatesAs.WSP, LogicleAs.BIEX),
    (GatesAs.GATINGML, LogicleAs.LOGICLE),
)
JUDGE = Path(__file__).with_name("peers") / "judge_workspace.py"


def counted(run: Path) -> dict[tuple[str, str], int]:
    """Return the events of each sample's file and population."""
    files = {row.sample_id: row.file.name for row in recorded_plan(finished_manifest(run), run).samples}
    with (run / "populations.csv").open(encoding="utf-8") as table:
        return {(files[row["sample_id"]], row["population"]): int(row["events"]) for row in csv.DictReader(table)}


def judged(python: str, run: Path, form: GatesAs, scale: LogicleAs, folder: Path) -> dict[tuple[str, str], int]:
    """Return FlowKit's events of the same."""
    files, _ = export_gates(
        run,
        folder / form,
        form=form,
        author=Author("benchmark", ""),
        clock=lambda: datetime.now(UTC),
        logicle_as=scale,
    )
    plan = recorded_plan(finished_manifest(run), run)
    found: dict[tuple[str, str], int] = {}
    for document in files:
        inputs = [row.file for row in plan.samples if form is GatesAs.WSP or row.sample_id == document.stem]
        with tempfile.TemporaryDirectory() as own:
            for file in inputs:
                (Path(own) / file.name).symlink_to(str(file.resolve()))
            answer = subprocess.run([python, JUDGE, document, own], capture_output=True, text=True, check=True)
        for sample, populations in json.loads(answer.stdout.splitlines()[-1]).items():
            found |= {(sample, name): events for name, events in populations.items()}
    return found


def plain(name: str) -> str:
    """Return a population's name as an XML id has it, so that names and ids can be compared."""
    return re.sub(r"[^A-Za-z0-9]+", "_", name.replace("+", "pos")).strip("_")


def main() -> int:
    """Compare the named runs; 1 if a count differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", required=True)
    parser.add_argument("runs", nargs="+", type=Path)
    asked = parser.parse_args()
    differing = 0
    for run in asked.runs:
        expected = {(file, plain(name)): events for (file, name), events in counted(run).items()}
        for form, scale in FORMS:
            with tempfile.TemporaryDirectory() as folder:
                answers = judged(asked.python, run, form, scale, Path(folder))
            found = {(file, plain(name)): events for (file, name), events in answers.items()}
            wrong = {key: (events, found.get(key)) for key, events in expected.items() if found.get(key) != events}
            called = f"{form} with {scale}" if form is GatesAs.WSP else form
            print(f"{run} as {called}: {len(expected) - len(wrong)} of {len(expected)} populations equal")
            for (file, name), (ours, theirs) in wrong.items():
                print(f"  {file} {name}: {ours} here, {theirs} in FlowKit")
            differing += len(wrong)
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
