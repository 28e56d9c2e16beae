"""What a reviewer does with a run: look, try, save, take back, mark as looked at, sign.

One thing at a time is read or written. The run's lock is held while something is saved and not longer. The report is
drawn again behind the reviewer's back, once for all that was saved meanwhile.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from cytocar.errors.tree import CytocarError, IntegrityError, SampleError, UsageError
from cytocar.figures.gate_pictures.panels import Picture
from cytocar.files.places import Place
from cytocar.regions.kinds import FixedGate
from cytocar.report.run.folder import report_built
from cytocar.report.run.page import REPORT, report_files
from cytocar.report.run.pictures import PictureTask, SamplePictures, draw_sample
from cytocar.review.handles import changed, fields
from cytocar.review.open_sample import GateYield, KeptSignals, OpenSample, open_sample
from cytocar.review.worklist import ReviewedRun, reviewed_run, version_of
from cytocar.run.finished.override import Target, moved_gate, override, require_as_counted, undo
from cytocar.run.finished.recorded_plan import located
from cytocar.run.finished.sign import sign, sign_samples
from cytocar.run.parts import PARTS, Parts
from cytocar.run.trail.audit import Author, Meaning
from cytocar.run.trail.journal import MANIFEST, Journal, finished_manifest, journal, require_run
from cytocar.run.workers import Workers
from cytocar.sample.result import SampleResult

PICTURES_KEPT = 48


class SessionSettings(Struct, frozen=True):
    """The run folder, where its FCS files lie now, who acts under a name, the clock, and who draws the report."""

    folder: Path
    inputs: Place | None
    author: Callable[[str], Author]
    clock: Callable[[], datetime]
    workers: Workers | None = None


class GateEdit(Struct, frozen=True):
    """What somebody asks for about one gate of one sample: who, why, and the state of the sample that they saw."""

    number: int
    population: str
    by: str
    reason: str
    seen: str


class ReviewSession:
    """One review of one run.

    Attributes
    ----------
    operator : str
        Who saved last: offered again.
    report_problem : CytocarError, optional
        What keeps the report from being drawn again.
    """

    def __init__(self, settings: SessionSettings, *, operator: str = "") -> None:
        self.settings = settings
        self.operator = operator
        self.report_problem: CytocarError | None = None
        self._moved_a_gate = False
        self._at_work = threading.RLock()
        self._writing = threading.Lock()
        self._drawing = threading.Lock()
        self._open: ReviewedRun | None = None
        self._state: tuple[int, int, int] | None = None
        self._tube: tuple[tuple[int, str], OpenSample] | None = None
        self._pictures: dict[tuple[int, str], SamplePictures] = {}
        self._signals = KeptSignals()

    # ------------------------------------------------------------ looking

    def opened(self) -> ReviewedRun:
        """Return the run as it stands now: read again when another command has changed it."""
        with self._at_work:
            state = _state(self.settings.folder / MANIFEST)
            if self._open is None or state is None or state != self._state:
                self._open = reviewed_run(self.settings.folder, inputs=self.settings.inputs, before=self._open)
                self._state = state
            return self._open

    def pictures(self, opened: ReviewedRun, number: int) -> SamplePictures:
        """Return a sample's pictures, or why there are none."""
        result = opened.result(number)
        if result is None:
            return SamplePictures("")
        key = (number, opened.revision(number))
        with self._at_work:
            if key not in self._pictures:
                name = result.sample.sample_id
                gallery = opened.gallery_of[result.template.sha256]
                task = PictureTask(result, opened.run.plan.protocols[name], opened.run.files[name], gallery)
                drawn = draw_sample(task)
                if drawn.problem:
                    return drawn  # perhaps the file is back the next time
                self._pictures[key] = drawn
                while len(self._pictures) > PICTURES_KEPT:
                    del self._pictures[next(iter(self._pictures))]
            return self._pictures[key]

    def control(self, opened: ReviewedRun, result: SampleResult) -> tuple[str, Picture] | None:
        """Return the control that placed a sample's CAR gate, and its picture of that gate's parent."""
        numbers = {item.sample_id: item.number for item in opened.items}
        for name in result.control_ids[:1]:
            pictures = self.pictures(opened, numbers[name]).pictures if name in numbers else ()
            views = opened.gallery_of[result.template.sha256].views
            for view, picture in zip(views, pictures, strict=False):
                if view.car:
                    return name, replace(picture, gates=(), car_dots="")
        return None

    def fault(self, opened: ReviewedRun, number: int) -> CytocarError | None:
        """Why a sample's gates cannot be moved now: its file, or a control's, is missing or another one."""
        result = opened.result(number)
        if result is None:
            return None
        needed = {result.sample.sample_id, *result.control_ids}
        samples = [row for row in located(opened.run.plan.samples, self.settings.inputs) if row.sample_id in needed]
        try:
            require_as_counted(samples, Parts(opened.run.path / PARTS))
        except (UsageError, IntegrityError, SampleError) as error:
            return error
        return None

    # ------------------------------------------------------------ trying

    def kept_by(self, opened: ReviewedRun, number: int, population: str, gate: FixedGate) -> GateYield:
        """What a gate in place of a sample's own would keep."""
        with self._at_work:
            return self._tube_of(opened, number).kept_by(population, gate)

    def counted_with(self, opened: ReviewedRun, number: int, population: str, gate: FixedGate | None) -> SampleResult:
        """Return the sample as it would be counted with a gate moved, or (None) put back."""
        with self._at_work:
            return self._tube_of(opened, number).counted_with(population, gate)

    def moved(self, opened: ReviewedRun, number: int, population: str, typed: Mapping[str, str]) -> FixedGate:
        """Return a gate with the numbers that somebody has typed; as it is where none is another.

        Raises
        ------
        UsageError
            E115 if one is no number, or the gate cannot take it.
        """
        result = _counted(opened, number)
        protocol = opened.run.plan.protocols[result.sample.sample_id]
        numbers = changed(fields(result, population, protocol.template), typed)
        return moved_gate(result, protocol, population, numbers) if numbers else result.gates[population]

    def _tube_of(self, opened: ReviewedRun, number: int) -> OpenSample:
        key = (number, opened.revision(number))
        if self._tube is None or self._tube[0] != key or not self._tube[1].unchanged():
            if self._tube is not None:
                self._tube[1].close()
            self._tube = None
            result = _counted(opened, number)
            self._tube = (key, open_sample(opened.run, result, inputs=self.settings.inputs, signals=self._signals))
        return self._tube[1]

    # ------------------------------------------------------------ saving

    def save(self, edit: GateEdit, typed: Mapping[str, str]) -> None:
        """Move a gate as ``cytocar override`` does.

        Raises
        ------
        UsageError
            E113 another command is at work, E115 no name, no reason, no new number, or one that the gate cannot take,
            E180 the sample was changed since it was looked at; and as ``override``.
        IntegrityError
            As ``override``.
        """
        with self._ready(edit) as (opened, writer, target):
            template = opened.run.plan.protocols[target.sample_id].template
            numbers = changed(fields(_counted(opened, edit.number), edit.population, template), typed)
            if not numbers:
                raise UsageError(
                    "no number of the gate was changed", code="E115", hint="drag the gate or type a number first"
                )
            override(writer, target, numbers, reason=edit.reason, inputs=self.settings.inputs)

    def take_back(self, edit: GateEdit) -> None:
        """Put a gate back to where the template puts it, as ``cytocar override --undo`` does; raises as ``save``."""
        with self._ready(edit) as (_, writer, target):
            undo(writer, target, reason=edit.reason, inputs=self.settings.inputs)

    @contextmanager
    def _ready(self, edit: GateEdit) -> Iterator[tuple[ReviewedRun, Journal, Target]]:
        """Hold the run for writing, if there are a name and a reason, and the sample is still what was looked at."""
        if not edit.by.strip() or not edit.reason.strip():
            raise UsageError("an override needs a name and a reason", code="E115", hint="fill in both, then save again")
        with self._at_work, self._writer(edit.by) as writer:
            opened = self.opened()
            target = Target(_counted(opened, edit.number).sample.sample_id, edit.population)
            self._require_seen(opened, edit.number, edit.seen)
            yield opened, writer, target
            self._moved_a_gate = True

    def look(self, number: int, *, by: str, note: str, seen: str) -> None:
        """Note that somebody has looked at a sample; raises as ``save`` and ``sign_samples``."""
        if not by.strip():
            raise UsageError("a mark needs a name", code="E115", hint="fill in who has looked at the sample")
        with self._at_work, self._writer(by) as writer:
            opened = self.opened()
            item = opened.item(number)
            self._require_seen(opened, number, seen)
            if item is not None:
                sign_samples(writer, [item.sample_id], reason=note)

    def look_at_group(self, key: str, *, by: str, note: str, seen: str) -> None:
        """Note that somebody has looked at all samples of one cause that nobody has looked at; raises as ``look``."""
        if not by.strip():
            raise UsageError("a mark needs a name", code="E115", hint="fill in who has looked at the samples")
        with self._at_work, self._writer(by) as writer:
            opened = self.opened()
            if opened.version != seen:
                raise _changed_since("the run")
            waiting = [item for group in opened.groups if group.cause.key == key for item in group.waiting]
            if not waiting:
                raise UsageError("every sample of this cause is marked", code="E115", hint="nothing is left to mark")
            sign_samples(writer, [item.sample_id for item in waiting], reason=note)

    def make_ready(self, number: int) -> None:
        """Open a sample's file and its controls, so that the first moved gate is answered at once.

        What stands in the way is said when a gate is moved.
        """
        with suppress(CytocarError, OSError), self._at_work:
            opened = self.opened()
            if opened.result(number) is not None:
                self._tube_of(opened, number)

    def sign_run(self, meaning: Meaning, *, by: str, note: str, seen: str) -> None:
        """Sign the run as ``cytocar sign`` does; E180 if a sample was changed since its list was looked at."""
        if not by.strip():
            raise UsageError("a signature needs a name", code="E115", hint="fill in who signs")
        self.draw_report()
        with self._at_work:
            if self.opened().version != seen:
                raise _changed_since("the run")
            if self.report_problem is not None and self.opened().report_behind:
                raise self.report_problem
            with self._writing:
                author = self.settings.author(by)
                settings = self.settings
                sign(
                    settings.folder,
                    meaning,
                    author=author,
                    clock=settings.clock,
                    reason=note,
                    inputs=settings.inputs,
                    unseen=self.opened().unseen,
                )
            self.operator = by.strip()

    @contextmanager
    def _writer(self, by: str) -> Iterator[Journal]:
        folder = require_run(self.settings.folder)
        with self._writing, journal(folder, self.settings.author(by), self.settings.clock) as writer:
            yield writer
        self.operator = by.strip()

    def _require_seen(self, opened: ReviewedRun, number: int, seen: str) -> None:
        item = opened.item(number)
        if item is None or opened.revision(number) != seen:
            raise _changed_since(f"sample {item.sample_id}" if item else "the run")

    def finish(self) -> bool:
        """Wait for what is being saved, and return whether a gate was moved in this review."""
        with self._at_work:
            return self._moved_a_gate

    # ------------------------------------------------------------ the report

    def draw_report(self) -> None:
        """Draw the report again where there is one and a gate was moved since; what keeps it from that is kept to say.

        While it is drawn, gates can be moved; then it is drawn once more.
        """
        with self._drawing:
            try:
                while (self.settings.folder / REPORT).is_file() and (opened := self.opened()).report_behind:
                    self._draw_report_of(opened)
                    self.report_problem = None
            except CytocarError as error:
                self.report_problem = error
            except OSError as error:
                why = f"{error.strerror or error}: {error.filename or 'while reading or writing'}"
                self.report_problem = UsageError(why, code="E109", hint="check the path, rights and space left")
            except Exception as bug:  # noqa: BLE001 -- what a person has moved must not be lost to a mistake of ours
                self.report_problem = UsageError(
                    f"this is a bug in cytocar: {type(bug).__name__}: {bug}",
                    code="E199",
                    hint="please report it; what was saved is kept, `cytocar report` draws the report",
                )

    def _draw_report_of(self, opened: ReviewedRun) -> None:
        folder = self.settings.folder
        files = report_files(folder, inputs=self.settings.inputs, workers=self.settings.workers)
        with self._writing, journal(folder, self.settings.author(self.operator), self.settings.clock) as writer:
            manifest = finished_manifest(folder)
            if version_of(manifest) == opened.version:  # else it shows what is no more
                writer.commit(manifest, [report_built(files)], files)


def _state(manifest: Path) -> tuple[int, int, int] | None:
    """What shows that a manifest is another one: each is written as a new file."""
    try:
        status = manifest.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


def _counted(opened: ReviewedRun, number: int) -> SampleResult:
    result = opened.result(number)
    if result is None:
        raise UsageError("the sample was not counted", code="E115", hint="it has no gates to move")
    return result


def _changed_since(what: str) -> UsageError:
    return UsageError(
        f"{what} was changed by somebody else since this page was shown",
        code="E180",
        hint="the page shows it as it is now, and what you typed is kept: look again, then save",
    )
