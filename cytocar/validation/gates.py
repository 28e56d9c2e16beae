"""Gates against a person's: the same files counted twice, and how far each population holds the same events.

F1 = 2 x events in both / (events of one + events of the other), as in FlowCAP (Aghaeepour et al. 2013, Nat Methods
10:228): 1 where both hold the same events, 0 where none is shared.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

import numpy as np
from msgspec import Struct

from cytocar.errors.tree import UsageError
from cytocar.fcs.reader import open_fcs
from cytocar.files.places import Place
from cytocar.gates.populations import MasksOnDemand
from cytocar.run.finished.recorded_plan import located, recorded_plan, require_files
from cytocar.run.parts import PARTS, Parts, require_parts
from cytocar.run.plan import RunPlan
from cytocar.run.trail.journal import finished_manifest
from cytocar.sample.analysis import gate_again
from cytocar.sample.result import SampleResult
from cytocar.tables.columns import Row, parse_columns

GATE_AGREEMENT = parse_columns("""
sample_id     str -      | tube, as the run names it
population    str -      | population that both have
events        int events | events of the run
person_events int events | events of the person's run
shared        int events | events in both
f1            num -      | 2 x shared / (events + person_events); empty where both are empty
file_sha256   str -      | hash of the file's bytes
""")


class GateAgreement(Struct, frozen=True):
    """One population of one file, by the run's gates and by a person's."""

    sample_id: str
    population: str
    events: int
    person_events: int
    shared: int
    file_sha256: str

    @property
    def f1(self) -> float | None:
        """Harmonic mean of precision and recall; None where both are empty."""
        both = self.events + self.person_events
        return 2 * self.shared / both if both else None

    def row(self) -> Row:
        """Return its line of the table."""
        return {name: getattr(self, name) for name in (column.name for column in GATE_AGREEMENT)}


class Summary(Struct, frozen=True):
    """A population over all files: median and lowest F1, and files with events."""

    population: str
    n: int
    median_f1: float
    lowest_f1: float


def gates_against(run: Path, person: Path, *, inputs: Place | None = None) -> tuple[GateAgreement, ...]:
    """How far the gates of a run and a person's hold the same events, in files that both counted.

    Parameters
    ----------
    run, person : Path
        Finished runs of the same files: by the template, and with gates that a person placed (moved by ``review`` or
        ``override``, or imported from FlowJo).
    inputs : Path or Address, optional
        Where the FCS files lie now.

    Raises
    ------
    UsageError
        E267 if the runs share no file, or no population; E103 if a file is not at hand.
    """
    plan, results = _read(run)
    other_plan, others = _read(person)
    by_file = {(one.file_sha256, one.sample.data_set): one for one in others}
    pairs = [
        (one, by_file[key])
        for one in results
        if one.file_sha256 and (key := (one.file_sha256, one.sample.data_set)) in by_file
    ]
    shared = plan.only([one.sample.sample_id for one, _ in pairs]).samples
    places = {row.sample_id: row for row in located(shared, inputs)}
    require_files(places.values())
    agreements = tuple(
        agreement
        for one, other in pairs
        for agreement in _agreements(places[one.sample.sample_id].file, (one, plan), (other, other_plan))
    )
    if not agreements:
        raise UsageError(
            f"{run} and {person} share {len(pairs)} files, and no population of them",
            code="E267",
            hint="both count the same files (by their hashes), with populations of the same names",
        )
    return agreements


def _read(run: Path) -> tuple[RunPlan, list[SampleResult]]:
    manifest = finished_manifest(run)
    plan = recorded_plan(manifest, run)
    require_parts(run, manifest, plan.sample_ids)
    outcomes = Parts(run / PARTS).every(plan.sample_ids)
    return plan, [outcome for outcome in outcomes if isinstance(outcome, SampleResult)]


def _agreements(
    file: Place, one: tuple[SampleResult, RunPlan], other: tuple[SampleResult, RunPlan]
) -> Iterator[GateAgreement]:
    events = open_fcs(file, data_set=one[0].sample.data_set)
    ours, theirs = (
        MasksOnDemand(gate_again(events, plan.protocols[result.sample.sample_id], result))
        for result, plan in (one, other)
    )
    theirs_have = {population.name for population in other[0].populations}
    for population in one[0].populations:
        if population.name not in theirs_have:
            continue
        mine, person = ours.mask(population.name), theirs.mask(population.name)
        yield GateAgreement(
            one[0].sample.sample_id,
            population.name,
            int(np.count_nonzero(mine)),
            int(np.count_nonzero(person)),
            int(np.count_nonzero(mine & person)),
            one[0].file_sha256 or "",
        )


def summaries(agreements: Sequence[GateAgreement]) -> tuple[Summary, ...]:
    """Return each population over the files in which it has events."""
    by_population: dict[str, list[float]] = {}
    for one in agreements:
        if one.f1 is not None:
            by_population.setdefault(one.population, []).append(one.f1)
    return tuple(Summary(name, len(values), median(values), min(values)) for name, values in by_population.items())
