"""A run as a reviewer finds it: its samples, those that need a look first, and what people have said about them."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from msgspec import Struct, field

from cytocar.errors.findings import Severity
from cytocar.files.places import Place
from cytocar.report.run.explained import fix_of
from cytocar.report.run.pictures import Gallery, galleries
from cytocar.report.run.source import FinishedRun, open_finished_run
from cytocar.report.run.worklist import WORST_FIRST, worklist
from cytocar.run.finished.override import KEPT
from cytocar.run.finished.sign import sample_name
from cytocar.run.parts import PARTS, Parts, part_name
from cytocar.run.trail.audit import RUN, Action, Entry, Trail, read_trail
from cytocar.run.trail.journal import MANIFEST, Manifest, finished_manifest, last_entry
from cytocar.sample.result import SampleOutcome, SampleResult, Status

_NEED_A_LOOK = (Status.REVIEW, Status.NO_COUNT, Status.FAILED)


class ReviewState(Struct, frozen=True):
    """What people have said about one sample: who looked at it as it stands now, and who moved which of its gates."""

    looked_at: Entry | None = None
    moved: Mapping[str, Entry] = field(default_factory=dict)


class WorkItem(Struct, frozen=True):
    """One sample in the order in which a reviewer goes through the run."""

    number: int
    outcome: SampleOutcome
    needs_a_look: bool
    marks: ReviewState

    @property
    def sample_id(self) -> str:
        """Its name."""
        return self.outcome.sample.sample_id


class Cause(Struct, frozen=True):
    """Why samples ask for a look: the worst finding's code, and whether most of the run has it."""

    code: str
    severity: Severity
    of_the_run: bool = False

    @property
    def key(self) -> str:
        """Its name in an address."""
        return f"{self.code}-{self.severity}"


class Group(Struct, frozen=True):
    """Samples that ask for a look for one cause, in the order of the tables."""

    cause: Cause
    message: str
    fix: str
    items: tuple[WorkItem, ...]

    @property
    def waiting(self) -> tuple[WorkItem, ...]:
        """Those that nobody has looked at as they stand now."""
        return tuple(item for item in self.items if item.marks.looked_at is None)


class ReviewedRun(Struct, frozen=True, eq=False):
    """A finished run as last read, with what its pictures need and what its trail says."""

    run: FinishedRun
    gallery_of: Mapping[str, Gallery]
    version: str
    groups: tuple[Group, ...]
    others: tuple[WorkItem, ...]
    entries: tuple[Entry, ...]
    report_behind: bool
    head: str

    @property
    def items(self) -> tuple[WorkItem, ...]:
        """Every sample, in the order in which a reviewer goes through the run."""
        return (*(item for group in self.groups for item in group.items), *self.others)

    @property
    def unseen(self) -> tuple[str, ...]:
        """Samples that ask for a look and had none."""
        return tuple(item.sample_id for group in self.groups for item in group.waiting)

    @property
    def signed(self) -> tuple[Entry, ...]:
        """What people have said about the run as a whole."""
        return tuple(entry for entry in self.entries if (entry.action, entry.what) == (Action.SIGNED, RUN))

    def item(self, number: int) -> WorkItem | None:
        """Return a sample by its number in the tables."""
        return next((item for item in self.items if item.number == number), None)

    def result(self, number: int) -> SampleResult | None:
        """Return a counted sample by its number in the tables."""
        item = self.item(number)
        return item.outcome if item is not None and isinstance(item.outcome, SampleResult) else None

    def revision(self, number: int) -> str:
        """What tells one state of a sample from another: the hash of all that was counted; empty for none."""
        item = self.item(number)
        name = f"{PARTS}/{part_name(item.sample_id)}" if item is not None else ""
        return str(self.run.manifest["files"].get(name, ""))[:16]

    def after(self, number: int) -> WorkItem | None:
        """Return the next sample that needs a look and has had none, behind this one and then from the start."""
        order = [item.number for item in self.items]
        here = order.index(number) if number in order else -1
        waiting = [item for item in (*self.items[here + 1 :], *self.items[: max(here, 0)]) if _waits(item)]
        return waiting[0] if waiting else None


def _waits(item: WorkItem) -> bool:
    return item.needs_a_look and item.marks.looked_at is None


def reviewed_run(folder: Path, *, inputs: Place | None, before: ReviewedRun | None = None) -> ReviewedRun:
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
    trail = read_trail(folder)
    last = last_entry(manifest)
    return ReviewedRun(
        run,
        gallery_of,
        version,
        *_in_order(run, trail),
        trail.entries,
        _report_behind(trail),
        last.sha256 if last else "",
    )


def version_of(manifest: Manifest) -> str:
    """What tells one state of a run's samples from another; a new report or a signature is not in it."""
    decided = (f"{PARTS}/", f"{KEPT}/")  # a move that was taken back leaves two results before it
    content = json.dumps(
        {name: sha for name, sha in manifest["files"].items() if name.startswith(decided)}, sort_keys=True
    )
    return hashlib.sha256(content.encode()).hexdigest()


def _report_behind(trail: Trail) -> bool:
    """True if a gate was moved after the report was drawn."""
    drawn = max((entry.number for entry in trail.entries if entry.action == Action.REPORT_BUILT), default=0)
    moves = (Action.OVERRIDE, Action.OVERRIDE_UNDONE)
    return any(entry.number > drawn for entry in trail.entries if entry.action in moves)


# ---------------------------------------------------------------- the order of looking


def _in_order(run: FinishedRun, trail: Trail) -> tuple[tuple[Group, ...], tuple[WorkItem, ...]]:
    """Return the samples that ask for a look, grouped by cause, worst first; then the others, excluded ones last.

    Of equal weight, what one or a few samples have stands before what most of the run has, the commonest cause first.
    """
    marks = _marks(run.outcomes, trail.entries)
    items = [
        WorkItem(number, outcome, needs_a_look(outcome), marks[outcome.sample.sample_id])
        for number, outcome in enumerate(run.outcomes)
    ]
    of_the_run = {(note.code, note.severity) for note in worklist(run.outcomes, {}).notes}
    by_cause: dict[Cause, list[WorkItem]] = defaultdict(list)
    for item in items:
        if item.needs_a_look:
            by_cause[_cause(item.outcome, of_the_run)].append(item)
    groups = [_group(cause, members) for cause, members in by_cause.items()]
    groups.sort(key=lambda group: (_rank(group.cause.severity), group.cause.of_the_run, -len(group.items)))
    others = [item for item in items if not item.needs_a_look]
    return tuple(groups), tuple(sorted(others, key=lambda item: item.outcome.status is Status.EXCLUDED))


def _rank(severity: Severity) -> int:
    return WORST_FIRST.index(severity) if severity in WORST_FIRST else len(WORST_FIRST)


def _cause(outcome: SampleOutcome, of_the_run: Collection[tuple[str, Severity]]) -> Cause:
    """Why a sample asks for a look: first what it has alone, of that the worst, of that the first."""
    serious = [finding for finding in outcome.findings if finding.outcome in WORST_FIRST]
    if serious:
        first = min(
            serious, key=lambda finding: (_rank(finding.outcome), (finding.code, finding.outcome) in of_the_run)
        )
        return Cause(first.code, first.outcome, (first.code, first.outcome) in of_the_run)
    return Cause("", Severity.NOTE)


def _group(cause: Cause, items: Sequence[WorkItem]) -> Group:
    findings = [finding for item in items for finding in item.outcome.findings if finding.code == cause.code]
    message, fix = (findings[0].message, fix_of(findings[0])) if findings else ("", "")
    return Group(cause, message, fix, tuple(items))


def needs_a_look(outcome: SampleOutcome) -> bool:
    """True if the status of a sample asks for a person's eyes, as in the report: ``ok`` is a promise."""
    return outcome.status in _NEED_A_LOOK


def unseen_samples(folder: Path) -> tuple[str, ...]:
    """Return the samples of a finished run that ask for a look and had none."""
    if not (folder / MANIFEST).is_file():
        return ()  # whoever asked says so
    manifest = finished_manifest(folder)
    parts = Parts(folder / PARTS)
    outcomes = [outcome for row in manifest["samples"] if (outcome := parts.read(row["sample_id"])) is not None]
    marks = _marks(outcomes, read_trail(folder).entries)
    names = (outcome.sample.sample_id for outcome in outcomes if needs_a_look(outcome))
    return tuple(name for name in names if marks[name].looked_at is None)


def _marks(outcomes: Sequence[SampleOutcome], entries: Sequence[Entry]) -> Mapping[str, ReviewState]:
    """What the trail says about each sample; a look at a sample whose gate was moved since counts no more."""
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
    return {name: ReviewState(looked.get(name), gates) for name, gates in moved.items()}
