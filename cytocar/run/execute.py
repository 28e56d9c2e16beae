"""Many samples on any executor: first what the controls hold, then every sample; results in the order of the sheet.

An executor is the standard ``concurrent.futures.Executor``: a process pool here, none at all for one job, a cluster's
elsewhere. Whatever runs the work, the same input gives the same results.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from cytocar.errors.boundary import REPORT_IT, bug_message
from cytocar.errors.findings import Finding, Severity
from cytocar.files.source import FileState, local_state
from cytocar.gates.decision import CONTROL_FLAGS, Flag
from cytocar.run.beside_counted import CountedTube
from cytocar.run.beside_others import compare_files
from cytocar.run.lines import OwnColumns, SampleLines, lines_of
from cytocar.run.parts import to_json
from cytocar.run.workers import Workers, load_what_any_sample_needs, packed, run_tasks, unpacked
from cytocar.sample.analysis import analyse
from cytocar.sample.blank_controls import tells_backgrounds
from cytocar.sample.choose_controls import choose_references
from cytocar.sample.control_signals import References, load_references, save_references, wants_references
from cytocar.sample.protocol import Protocol
from cytocar.sample.result import ErrorRecord, SampleFailure, SampleOutcome, SampleResult, Status, recorded_bytes
from cytocar.sheet.rows import SampleRow, SampleType

if TYPE_CHECKING:
    from cytocar.counting.blank_tubes import BlankTube


class Task(Struct, frozen=True, eq=False):
    """One sample with all that decides its result, as a worker gets it.

    ``references`` are the files in which its controls' signals lie; ``own`` the columns of this run, where
    lines of tables are wanted; ``beside`` says how its file differs from the others of the run; ``blanks`` are the
    run's tubes without CAR-T cells. Samples that share a protocol share it in a worker too: what is worked out once per
    template stays so.
    """

    sample: SampleRow
    protocol: Protocol
    references: tuple[Path, ...] = ()
    own: OwnColumns | None = None
    beside: tuple[Finding, ...] = ()
    blanks: tuple[BlankTube, ...] = ()

    def __reduce__(self) -> tuple[Callable[..., Task], tuple[object, ...]]:
        """How to make this task again in a worker."""
        return _unpacked_task, (self.sample, packed(self.protocol), self.references, self.own, self.beside, self.blanks)


def _unpacked_task(
    sample: SampleRow,
    protocol: bytes,
    references: tuple[Path, ...],
    own: OwnColumns | None,
    beside: tuple[Finding, ...],
    blanks: tuple[BlankTube, ...],
) -> Task:
    return Task(sample, unpacked(protocol), references, own, beside, blanks)


class FinishedSample(Struct, frozen=True):
    """A finished sample on its way from a worker: what the command says about it, all of it as JSON, and its lines.

    ``faults`` are why it has no count, or nothing at all, ``concerns`` why a person has to look at what it has;
    ``source`` names the bytes it came from and the template, so that a copy under another name is noticed;
    ``counted`` is what of it is held against the others'; ``lacks_control`` says what a patient's sample lacks of
    controls, for which the template's assumptions stand in. ``state`` is that of its file before it was hashed and
    counted, where this process did so: as long as the file has it, it holds these bytes.
    ``well`` is its plate and its well, unless it is excluded.
    """

    sample_id: str
    status: Status
    faults: tuple[Finding, ...]
    content: bytes
    source: str | None = None
    lines: SampleLines | None = None
    lacks_control: Flag | None = None
    concerns: tuple[Finding, ...] = ()
    counted: CountedTube | None = None
    state: FileState | None = None
    well: tuple[str | None, str] | None = None

    @classmethod
    def of(cls, outcome: SampleOutcome, own: OwnColumns | None = None) -> FinishedSample:
        """Return an outcome ready to travel; with its ``own`` columns, its lines of the tables too."""
        serious = (Severity.NO_COUNT, Severity.FAIL)
        faults = tuple(finding for finding in outcome.findings if finding.outcome in serious)
        bytes_of = recorded_bytes(outcome)
        source = None if bytes_of is None else f"{bytes_of} by {outcome.template.sha256}"
        content = to_json(outcome)
        lines = None if own is None else lines_of(outcome, content, own)
        lacking = [Flag(one.code) for one in outcome.findings if one.code in CONTROL_FLAGS]
        lacks = next(iter(lacking), None) if outcome.sample.sample_type is SampleType.SAMPLE else None
        concerns = tuple(finding for finding in outcome.findings if finding.outcome is Severity.REVIEW)
        counted, name = CountedTube.of(outcome), outcome.sample.sample_id
        place = outcome if isinstance(outcome, SampleResult) else outcome.sample
        well = (place.plate_id, place.well) if place.well and not outcome.sample.exclude else None
        return cls(name, outcome.status, faults, content, source, lines, lacks, concerns, counted, well=well)

    def without_content(self) -> FinishedSample:
        """Return the same without JSON and lines: what stays in memory when they are kept."""
        return replace(self, content=b"", lines=None)


def execute(
    samples: Sequence[SampleRow],
    protocols: Mapping[str, Protocol],
    *,
    workers: Workers | None = None,
    scratch: Path,
    finished: Collection[str] = (),
    own: OwnColumns | None = None,
    beside: Mapping[str, tuple[Finding, ...]] | None = None,
) -> Iterator[FinishedSample]:
    """Yield every sample's outcome as it is finished, in any order.

    Parameters
    ----------
    samples : sequence of SampleRow
        The samples of the run, controls among them.
    protocols : mapping of str to Protocol
        By sample_id.
    workers : Workers, optional
        Run the work; without them it runs here, one sample after the other.
    scratch : Path
        Folder for the signals of control samples.
    finished : collection of str
        Samples that need no work any more (their signals may still be wanted as controls).
    own : OwnColumns, optional
        Columns of this run; with them, samples bring their lines of the tables.
    beside : mapping, optional
        How each file differs from the others of the run, where that is known already.
    """
    left = [row for row in samples if row.sample_id not in finished]
    if left:
        load_what_any_sample_needs()
    references = _references(samples, left, protocols, workers=workers, scratch=scratch)
    if beside is None:
        beside = compare_files(samples, protocols, workers) if left else {}
    tasks = [
        Task(row, protocols[name], references.of(name), own, beside.get(name, ()), references.blanks)
        for row in left
        for name in [row.sample_id]
    ]
    yield from run_tasks(_analyse, tasks, workers, killed=_killed)


def _analyse(task: Task) -> FinishedSample:
    try:
        signals = load_references(task.references)
        state = local_state(task.sample.file)
        outcome = analyse(task.sample, task.protocol, signals, beside=task.beside, blanks=task.blanks)
        return replace(FinishedSample.of(outcome, task.own), state=state)
    except Exception as bug:  # noqa: BLE001 -- a mistake over one odd file must not cost the other samples of the plate
        fault = ErrorRecord("E199", bug_message(bug), REPORT_IT)
        return FinishedSample.of(SampleFailure(sample=task.sample, template=task.protocol.stamp, error=fault), task.own)


def _killed(task: Task) -> FinishedSample:
    fault = ErrorRecord(
        "E112",
        "the process that analysed it was killed, twice",
        "most often memory ran out: use fewer --jobs; if the file alone does it, please report it",
    )
    return FinishedSample.of(SampleFailure(sample=task.sample, template=task.protocol.stamp, error=fault), task.own)


# ---------------------------------------------------------------- controls


MOST_BLANKS = 50
"""Tubes without CAR-T cells that are read for what they say about the background, beside the controls of samples: the
variation between tubes is then known to 10 %."""


class _Controls(Struct, frozen=True, eq=False):
    """The files of each sample's controls' signals, best control first; the run's tubes without CAR-T cells."""

    chosen: Mapping[str, tuple[str, ...]]
    saved: Mapping[str, Path]
    blanks: tuple[BlankTube, ...] = ()

    def of(self, sample_id: str) -> tuple[Path, ...]:
        return tuple(self.saved[name] for name in self.chosen.get(sample_id, ()) if name in self.saved)


def _references(
    samples: Sequence[SampleRow],
    left: Sequence[SampleRow],
    protocols: Mapping[str, Protocol],
    *,
    workers: Workers | None,
    scratch: Path,
) -> _Controls:
    """What controls say to the samples that are left and have a ``reference`` gate.

    The tubes that tell the background are the same whichever samples are left, so that each is counted alike by every
    shard, and when a run goes on.
    """
    chosen = {
        row.sample_id: choose_references(row, samples)
        for row in left
        if not row.exclude and wants_references(protocols[row.sample_id].template)
    }
    telling = telling_tubes(samples, protocols)
    wanted = {name for names in chosen.values() for name in names}.union(telling if chosen else ())
    controls = [Task(row, protocols[row.sample_id], (scratch,)) for row in samples if row.sample_id in wanted]
    saved = {name: path for name, path in run_tasks(_save, controls, workers, killed=_nothing_saved) if path}
    blanks = (saved[name][1] for name in telling if name in saved)
    paths = {name: path for name, (path, _) in saved.items()}
    return _Controls(chosen, paths, tuple(tube for tube in blanks if tube is not None))


def telling_tubes(samples: Sequence[SampleRow], protocols: Mapping[str, Protocol]) -> list[str]:
    """The tubes whose background says something to every sample with a ``reference`` gate."""
    telling = (
        row.sample_id
        for row in samples
        if not row.exclude and tells_backgrounds(protocols[row.sample_id].template, row)
    )
    return list(islice(telling, MOST_BLANKS))


def control_signals(
    sample: SampleRow, samples: Sequence[SampleRow], protocols: Mapping[str, Protocol], *, scratch: Path
) -> References:
    """The signals of one sample's controls, as ``execute`` gives them to that sample's analysis."""
    own = choose_references(sample, samples)
    needed = [row for row in samples if row.sample_id in own]
    saved = _references(needed, [sample], protocols, workers=None, scratch=scratch)
    return load_references(saved.of(sample.sample_id))


def _save(task: Task) -> tuple[str, tuple[Path, BlankTube | None] | None]:
    try:
        return task.sample.sample_id, save_references(task.sample, task.protocol, task.references[0])
    except Exception:  # noqa: BLE001 -- the control's own analysis meets the same mistake and reports it
        return task.sample.sample_id, None


def _nothing_saved(task: Task) -> tuple[str, tuple[Path, BlankTube | None] | None]:
    return task.sample.sample_id, None


# ---------------------------------------------------------------- executors
