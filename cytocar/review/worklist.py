"""A run as a reviewer finds it: its samples, those that need a look first, and what people have said about them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cytocar.files.places import Place as FilePlace
from cytocar.report.run.pictures import Gallery, galleries
from cytocar.report.run.source import FinishedRun, open_finished_run
from cytocar.run.finished.override import KEPT
from cytocar.run.finished.sign import RUN, sample_name
from cytocar.run.folder import PARTS, part_name
from cytocar.run.trail.audit import Action, Entry, Trail, read_trail
from cytocar.run.trail.journal import Manifest, finished_manifest, last_entry
from cytocar.sample.choose_controls import CONTROL_TYPES
from cytocar.sample.result import Counted, SampleResult, Status

_NEED_A_LOOK = (Status.REVIEW, Status.NO_COUNT, Status.FAILED)


@dataclass(frozen=True, slots=True)
class Marks:
    """What people have said about one sample: who looked at it as it stands now, and who moved which of its gates."""

    looked_at: Entry | None = None
    moved: Mapping[str, Entry] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Place:
    """One sample in the order in which a reviewer goes through the run."""

    number: int
    outcome: Counted
    needs_a_look: bool
    marks: Marks

    @property
    def sample_id(self) -> str:
        """Its name."""
        return self.outcome.sample.sample_id


@dataclass(frozen=True, slots=True, eq=False)
class OpenRun:
    """A finished run as last read, with what its pictures need and what its trail says."""

    run: FinishedRun
    gallery_of: Mapping[str, Gallery]
    version: str
    places: tuple[Place, ...]
    entries: tuple[Entry, ...]
    report_behind: bool
    head: str

    @property
    def signed(self) -> tuple[Entry, ...]:
        """What people have said about the run as a whole."""
        return tuple(entry for entry in self.entries if (entry.action, entry.what) == (Action.SIGNED, RUN))

    def place(self, number: int) -> Place | None:
        """Return a sample by its number in the tables."""
        return next((place for place in self.places if place.number == number), None)

    def result(self, number: int) -> SampleResult | None:
        """Return a counted sample by its number in the tables."""
        place = self.place(number)
        return place.outcome if place is not None and isinstance(place.outcome, SampleResult) else None

    def revision(self, number: int) -> str:
        """Return what tells one state of a sample from another: the hash of all that was counted; empty for none."""
        place = self.place(number)
        name = f"{PARTS}/{part_name(place.sample_id)}" if place is not None else ""
        return str(self.run.manifest["files"].get(name, ""))[:16]

    def after(self, number: int) -> Place | None:
        """Return the next sample that needs a look and has had none, behind this one and then from the start."""
        order = [place.number for place in self.places]
        here = order.index(number) if number in order else -1
        waiting = [place for place in (*self.places[here + 1 :], *self.places[: max(here, 0)]) if _waits(place)]
        return waiting[0] if waiting else None


def _waits(place: Place) -> bool:
    return place.needs_a_look and place.marks.looked_at is None


def open_run(folder: Path, *, inputs: FilePlace | None, before: OpenRun | None = None) -> OpenRun:
    """Return a run; what was read of it ``before`` is used again if the samples are the same.

    Raises
    ------
    UsageError, IntegrityError
        As ``open_finished_run``.
    """
    manifest = finished_manifest(folder)
    version = version_of(manifest)
    if before is not None and before.version == version:
        run, gallery_of = before.run, before.gallery_of
    else:
        run = open_finished_run(folder, inputs=inputs)
        gallery_of = galleries(run)
    said = read_trail(folder)
    last = last_entry(manifest)
    return OpenRun(
        run,
        gallery_of,
        version,
        _in_order(run, said),
        said.entries,
        _report_behind(said),
        last.sha256 if last else "",
    )


def version_of(manifest: Manifest) -> str:
    """Return what tells one state of a run's samples from another; a new report or a signature is not in it."""
    decided = (f"{PARTS}/", f"{KEPT}/")  # a move that was taken back leaves two results before it
    said = json.dumps(
        {name: sha for name, sha in manifest["files"].items() if name.startswith(decided)}, sort_keys=True
    )
    return hashlib.sha256(said.encode()).hexdigest()


def _report_behind(said: Trail) -> bool:
    """Return whether a gate was moved after the report was drawn."""
    drawn = max((entry.number for entry in said.entries if entry.action == Action.REPORT_BUILT), default=0)
    moves = (Action.OVERRIDE, Action.OVERRIDE_UNDONE)
    return any(entry.number > drawn for entry in said.entries if entry.action in moves)


# ---------------------------------------------------------------- the order of looking


def _in_order(run: FinishedRun, said: Trail) -> tuple[Place, ...]:
    """Return the samples that need a look first, then the others, then those that the sheet excludes."""
    marks = _marks(run.outcomes, said.entries)
    places = [
        Place(number, outcome, needs_a_look(outcome), marks[outcome.sample.sample_id])
        for number, outcome in enumerate(run.outcomes)
    ]
    return tuple(sorted(places, key=_urgency))


def _urgency(place: Place) -> int:
    status = place.outcome.status
    return 0 if status in _NEED_A_LOOK else 1 if place.needs_a_look else 3 if status is Status.EXCLUDED else 2


def needs_a_look(outcome: Counted) -> bool:
    """Return whether something about a sample asks for a person's eyes: its status, or a flag of one of its gates.

    That a control has no control itself is as it should be.
    """
    if not isinstance(outcome, SampleResult):
        return outcome.status in _NEED_A_LOOK
    expected = {"NO_REFERENCE"} if outcome.sample.sample_type in CONTROL_TYPES else set()
    flags = {flag for row in outcome.decisions for flag in row.flags}
    return outcome.status in _NEED_A_LOOK or bool(flags - expected)


def _marks(outcomes: Sequence[Counted], entries: Sequence[Entry]) -> Mapping[str, Marks]:
    """Return what the trail says about each sample; a look at a sample whose gate was moved since counts no more."""
    looks = {sample_name(outcome.sample.sample_id): outcome.sample.sample_id for outcome in outcomes}
    gates = {
        f"{outcome.sample.sample_id} / {population}": (outcome.sample.sample_id, population)
        for outcome in outcomes
        if isinstance(outcome, SampleResult)
        for population in outcome.gates
    }
    looked: dict[str, Entry] = {}
    moved: dict[str, dict[str, Entry]] = {outcome.sample.sample_id: {} for outcome in outcomes}
    for entry in entries:
        if entry.action == Action.SIGNED and entry.what in looks:
            looked[looks[entry.what]] = entry
        elif entry.action in (Action.OVERRIDE, Action.OVERRIDE_UNDONE) and entry.what in gates:
            sample_id, population = gates[entry.what]
            looked.pop(sample_id, None)
            moved[sample_id].pop(population, None)
            if entry.action == Action.OVERRIDE:
                moved[sample_id][population] = entry
    return {name: Marks(looked.get(name), gates) for name, gates in moved.items()}
