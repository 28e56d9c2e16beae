"""The counts of an imported study's samples, as ``cytocar gate`` would count them, to hold against FlowJo's at once."""

from __future__ import annotations

from pathlib import Path

from cytocar.errors.tree import SampleError
from cytocar.fcs.reader import open_fcs
from cytocar.gates.walk import walk
from cytocar.run.comparison.counts import TOTAL, Counts, SampleCounts
from cytocar.run.plan import make_plan
from cytocar.sheet.inputs import collect


def count_sheet(sheet: Path) -> tuple[Counts, tuple[str, ...]]:
    """Return the events of every population of the samples of a sheet, and in words which could not be counted."""
    plan = make_plan(collect([sheet]))
    samples: dict[str, SampleCounts] = {}
    failed: list[str] = []
    for row in plan.samples:
        protocol = plan.protocols[row.sample_id]
        try:
            events = open_fcs(row.file, data_set=row.data_set)
            populations = walk(events, protocol.template, markers=protocol.markers)
        except SampleError as error:
            failed.append(f"{row.sample_id}: {error.message} [{error.code}]")
            continue
        counted: dict[str, int | None] = {name: population.events for name, population in populations.items()}
        samples[row.sample_id] = SampleCounts(
            {**counted, TOTAL: events.n_events}, frozenset({row.file.name}), protocol.template
        )
    return Counts(sheet.name, samples), tuple(failed)
