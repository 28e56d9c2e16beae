"""``cytocar gate FOLDER --watch``: look, count what is finished, renew the page, until Ctrl-C."""

from __future__ import annotations

import signal
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from cytocar.cli import screen
from cytocar.errors.tree import CytocarError, UsageError, counted

if TYPE_CHECKING:
    from cytocar.counting.blank_tubes import History
    from cytocar.files.places import Place
    from cytocar.run.count import Work
    from cytocar.run.execute import FinishedSample
    from cytocar.run.folder import RunFolder
    from cytocar.run.hot_folder import HotFolder, Seen
    from cytocar.run.plan import RunPlan
    from cytocar.run.watch import Gathered, Grown
    from cytocar.sheet.rows import SampleRow

_WAKES_EVERY_S = 0.1
_PAGE_SHARE = 4
"""The page is drawn again after so many times as long as drawing took, at the earliest: counting goes first."""
_FEWEST_SECONDS_OF_PAGE = 5


class WatchCommand(Struct, frozen=True):
    """What the command line says of a folder that is watched."""

    folders: Sequence[Path]
    out: Path
    every: float
    sheet: Place | None
    given: SampleRow
    controls: Sequence[Place]
    template: str | None
    markers: Mapping[str, str]
    history: History | None
    work: Work
    by: str | None
    force: bool
    report: bool


def folders_to_watch(inputs: Sequence[str], out: Path | None, *, alone: bool) -> list[Path]:
    """Return the folders that ``--watch`` names.

    Raises
    ------
    UsageError
        E111 if something else is named, without a run folder, or together with ``--shard``.
    """
    folders = [Path(name) for name in inputs]
    others = [str(folder) for folder in folders if not folder.is_dir()]
    if not folders or others or out is None or not alone:
        why = f"{screen.few(others)} is no folder of this machine" if others else ""
        why = why or ("no folder is named" if not folders else "")
        why = why or ("-o is missing" if out is None else "--shard counts what is there already")
        raise UsageError(
            f"--watch: {why}", code="E111", hint="for example cytocar gate FOLDER --watch -o RUN -s SHEET.csv"
        )
    return folders


class Watched(Struct, frozen=True):
    """What a watched folder has come to: the last plan, its samples, and the files that were not whole at the end."""

    plan: RunPlan
    samples: list[FinishedSample]
    not_whole: tuple[Path, ...]


def watch(command: WatchCommand) -> Watched:
    """Count files as they are finished, until somebody ends it.

    Raises
    ------
    UsageError
        E102 if no sample came.
    """
    from cytocar.run.hot_folder import HotFolder
    from cytocar.run.trail.who import author, now
    from cytocar.run.watch import hold_watched
    from cytocar.sheet.rows import read_sheet
    from cytocar.template.load import read_template

    if command.template is not None:
        read_template(command.template)
    if command.sheet is not None:
        read_sheet(command.sheet)
    with (
        _ending() as ending,
        hold_watched(command.out, author=author(command.by), clock=now, force=command.force) as run,
    ):
        folders = ", ".join(map(str, command.folders))
        screen.say(f"watching {folders}: looking every {command.every:g} s; Ctrl-C ends")
        return _Watch(command, run, HotFolder(command.folders)).until(ending)


@contextmanager
def _ending() -> Iterator[list[int]]:
    """Yield a list that the first Ctrl-C, or polite kill, fills; the second stops the command at once."""
    before: dict[int, Any] = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    came: list[int] = []

    def end(number: int, frame: FrameType | None) -> None:
        came.append(number)
        stop = before[number]
        if len(came) > 1 and callable(stop):
            stop(number, frame)
        screen.say("ending: what is finished is counted first; Ctrl-C again stops at once")

    for number in before:
        signal.signal(number, end)
    try:
        yield came
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) is end:
                signal.signal(number, handler)


class _Watch(Struct):
    command: WatchCommand
    run: RunFolder
    folder: HotFolder
    plan: RunPlan | None = None
    samples: list[FinishedSample] = field(default_factory=list)
    _key: object = None
    _said: set[str] = field(default_factory=set)
    _drawn_until: float = 0.0
    _page_is_old: bool = False
    _without_row: bool = False

    def until(self, ending: Sequence[int]) -> Watched:
        """Go on until asked to end; then count what is finished by now, and draw the page that stays."""
        self._look()
        pause = min(self.command.every, 1.0)  # for the first time: what was there before is not kept waiting
        while not ending:
            _wait(pause, ending)
            pause = self.command.every
            seen = self._look()
            if seen is not None:
                self._count(seen)
                if self._page_is_old and time.monotonic() >= self._drawn_until and not ending:
                    self._draw(seen)
        self._look()
        _wait(min(self.command.every, 1.0), ())  # for a file that came last
        seen = self._look()
        if seen is not None:
            self._count(seen)
            for file in seen.growing:
                screen.say(f"not counted: {file} is not whole, or still being written")
        if self.plan is None:
            finished = counted(len(seen.finished) if seen else 0, "finished file")
            why = (
                f"none of {finished} has a row in {self.command.sheet}" if self._without_row else "no file was finished"
            )
            raise UsageError(f"{why} while it was watched", code="E102", hint="nothing was written")
        self._draw(None)
        return Watched(self.plan, self.samples, tuple(seen.growing) if seen else ())

    def _look(self) -> Seen | None:
        from cytocar.cli.progress import Progress

        try:
            return self.folder.look(time.monotonic(), Progress("files hashed"))
        except OSError as error:
            self._say_once(f"{error.filename} cannot be looked at ({error.strerror}); trying again")
            return None

    def _count(self, seen: Seen) -> None:
        """Count what is new; what stands in the way is said once, and the next look tries again."""
        try:
            key = (tuple(seen.finished.items()), self.command.sheet.read_bytes() if self.command.sheet else b"")
            if key != self._key:
                self._count_anew(seen)
                self._key = key
        except CytocarError as error:
            if error.code in ("E106", "E107", "E108"):
                raise
            if error.message not in self._said:
                screen.show_error(error)
            self._said.add(error.message)
        except OSError as error:
            if self.command.sheet is None or error.filename != str(self.command.sheet):
                raise
            self._say_once(f"the sheet {self.command.sheet} cannot be read ({error.strerror}); trying again")

    def _count_anew(self, seen: Seen) -> None:
        from cytocar.cli.progress import Progress
        from cytocar.run.folder import SIGNALS
        from cytocar.run.plan import make_plan
        from cytocar.run.trail.journal import read_manifest
        from cytocar.run.watch import gather, grow, require_same_settings, settings_sha256
        from cytocar.run.whereabouts import seen_from

        command = self.command
        before = read_manifest(command.out)
        gathered = gather(
            seen.finished,
            sheet=command.sheet,
            given=command.given,
            controls=command.controls,
            before=before,
            run=command.out,
        )
        self._say_what_waits(gathered)
        if not gathered.inputs.samples:
            return
        plan = make_plan(gathered.inputs, template=command.template, markers=command.markers, history=command.history)
        settings = settings_sha256(plan, command.given)
        require_same_settings(command.out, settings, before)
        manifest = command.work.manifest(plan) | seen_from(command.out, plan.sheet)
        with tempfile.TemporaryDirectory(prefix=SIGNALS, dir=command.out) as scratch:
            grown = grow(
                self.run,
                plan,
                manifest,
                gathered.hashes,
                work=command.work,
                settings=settings,
                scratch=Path(scratch),
                observer=Progress(),
            )
        self.plan = plan
        if grown is not None:
            self.samples, self._page_is_old = grown.samples, True
            self._say_counted(grown)

    def _say_counted(self, grown: Grown) -> None:
        from cytocar.sample.result import with_unit

        for name in grown.fresh:
            outcome = self.run.parts.read(name)
            if outcome is not None:
                row = outcome.row()
                number = f", CAR-T {with_unit(str(row['car_report']))}" if row.get("car_per_ul") is not None else ""
                codes = f" ({row['status_codes']})" if row.get("status_codes") else ""
                screen.say(f"{screen.one_line(name)}: {row['status']}{codes}{number}".replace("no_count", "no count"))

    def _say_what_waits(self, gathered: Gathered) -> None:
        for copy, first in gathered.copies.items():
            self._say_once(f"note: {copy} holds the same bytes as {first.name}: counted once")
        self._without_row = bool(gathered.without_row)
        for file in gathered.without_row:
            self._say_once(f"{file} waits for its row in {self.command.sheet}{self._row_elsewhere(file)}")

    def _row_elsewhere(self, file: Path) -> str:
        """Say which file a row names that bears this file's name and lies in another folder."""
        from cytocar.sheet.rows import read_sheet

        rows = read_sheet(self.command.sheet) if self.command.sheet else ()
        named = next((row.file for row in rows if row.file.name == file.name), None)
        return f", which names {named}" if named else ""

    def _say_once(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            screen.say(text)

    def _draw(self, seen: Seen | None) -> None:
        """Draw the page: one that renews itself while more may come (``seen``), else the one that stays."""
        if not self.command.report:
            return
        from cytocar.report.run.folder import report_built
        from cytocar.report.run.page import Live, report_files
        from cytocar.run.trail.journal import finished_manifest
        from cytocar.run.workers import process_pool

        began = time.monotonic()
        every = max(round(self.command.every), _FEWEST_SECONDS_OF_PAGE)
        names = tuple(file.name for file in seen.growing) if seen else ()
        live = Live(", ".join(map(str, self.command.folders)), every, names) if seen else None
        files = report_files(self.command.out, workers=process_pool(self.command.work.jobs), live=live)
        self.run.journal.commit(finished_manifest(self.command.out), [report_built(files)], files)
        took = time.monotonic() - began
        self._drawn_until, self._page_is_old = time.monotonic() + _PAGE_SHARE * took, False


def _wait(seconds: float, ending: Sequence[int]) -> None:
    """Wait so long, or until asked to end."""
    until = time.monotonic() + seconds
    while not ending and (left := until - time.monotonic()) > 0:
        time.sleep(min(left, _WAKES_EVERY_S))
