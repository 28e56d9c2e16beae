"""A run on disk: finished samples in ``parts/``, then tables, audit trail and manifest, whole or not there at all.

A run that was interrupted goes on where it stopped, when template, inputs and options are the same; anything else in
the folder is a refusal. ``force`` sets the finished run aside as a revision and starts anew; nothing is overwritten.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import IO

from msgspec import Struct, field

from cytocar.errors.tree import UsageError, counted
from cytocar.run.lines import OwnColumns, SampleLines, WaitingLines, lines_of, rows_of, tables
from cytocar.run.parts import PARTS, Parts, from_json, part_name, unreadable_part
from cytocar.run.plan import RunPlan
from cytocar.run.trail.audit import AUDIT, Act, Action, Author
from cytocar.run.trail.journal import (
    MANIFEST,
    PENDING,
    PENDING_DRAFT,
    Journal,
    Manifest,
    journal,
    last_entry,
    read_manifest,
)
from cytocar.run.trail.lock import LOCK, not_writable
from cytocar.run.trail.revisions import REVISIONS, set_aside
from cytocar.sample.result import SampleOutcome
from cytocar.tables.columns import Row, csv_text
from cytocar.tables.datapackage import describe
from cytocar.tables.parquet import parquet_bytes

SIGNALS = ".signals-"
"""How the folder of controls' signals begins, which goes away with the command, unless that is killed."""
_NO_RUN_YET = (REVISIONS, LOCK, PENDING_DRAFT)
"""What may lie in a folder without a manifest: the rests of a command that was stopped before its run began."""


class RunFolder(Struct, frozen=True):
    """A run folder that this command alone may write."""

    journal: Journal

    @property
    def path(self) -> Path:
        """Where it lies."""
        return self.journal.folder

    @property
    def parts(self) -> Parts:
        """Its finished samples."""
        return Parts(self.path / PARTS)


# ---------------------------------------------------------------- starting


@contextmanager
def open_run(
    path: Path, manifest: Manifest, *, author: Author, clock: Callable[[], datetime], force: bool = False
) -> Iterator[RunFolder]:
    """Hold the folder for a run: new, or one that was interrupted and has the same plan.

    Raises
    ------
    UsageError
        E105 the folder holds something else, E106 a finished run, E107 an unfinished run with another plan,
        E108 the folder cannot be written, E113 another command is at work in it.
    """
    interrupted = (path / PENDING).is_dir()

    def check(old: Manifest) -> None:
        _check_same(path, old, manifest, interrupted=interrupted)

    with hold_run(path, check, author=author, clock=clock, force=force) as (run, old):
        first = {**manifest, "state": "running", "files": pinned_revisions(path)}
        run.journal.commit(first, _first_acts(manifest, old, force=force))
        run.parts.folder.mkdir(exist_ok=True)
        yield run


@contextmanager
def hold_run(
    path: Path,
    check: Callable[[Manifest], None],
    *,
    author: Author,
    clock: Callable[[], datetime],
    force: bool = False,
) -> Iterator[tuple[RunFolder, Manifest | None]]:
    """Hold the folder for a run, with the manifest of the one that is there, if ``check`` does not refuse it.

    Raises
    ------
    UsageError
        E105, E108, E113 as ``open_run``, and what ``check`` raises.
    """
    _refuse_foreign(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise not_writable(path, error) from error
    with journal(path, author, clock) as opened:
        old = read_manifest(path)
        if old is not None and not force:
            check(old)
        try:
            for signals in path.glob(f"{SIGNALS}*"):
                shutil.rmtree(signals)
            for draft in (path / PARTS).glob("*.tmp"):
                draft.unlink()
            if force:
                set_aside(path, last=MANIFEST, stay=frozenset({LOCK}))
        except OSError as error:
            raise not_writable(path, error) from error
        yield RunFolder(opened), old


def _first_acts(manifest: Manifest, old: Manifest | None, *, force: bool) -> list[Act]:
    """The first entries of the trail: the run, and each gate that the sheet's overrides move, with the reason."""
    start = _start(manifest, old, force=force)
    return [start, *(moved_acts(manifest) if start.action is Action.RUN_STARTED else ())]


def moved_acts(manifest: Manifest) -> Iterator[Act]:
    """What the trail says of each gate that the sheet's overrides put elsewhere, and why."""
    for sample, what in manifest.get("moved_gates", {}).items():
        for population in what.get("gates", {}):
            yield Act(Action.OVERRIDE, f"{sample} / {population}", why=what.get("reason", ""))


def _start(manifest: Manifest, old: Manifest | None, *, force: bool) -> Act:
    what = counted(len(manifest["samples"]), "sample")
    if old is None:
        return Act(Action.RUN_STARTED, what)
    if not force:
        return Act(Action.RUN_RESUMED, what)
    last = last_entry(old)
    return Act(
        Action.RUN_STARTED, what, before=f"set aside under {REVISIONS}: trail ending with {last and last.sha256}"
    )


def _is_left_over(name: str) -> bool:
    return name in _NO_RUN_YET or name.startswith(SIGNALS)


def _refuse_foreign(path: Path) -> None:
    if not path.exists() or (path / MANIFEST).is_file() or (path / PENDING).is_dir():
        return
    if not path.is_dir() or not all(_is_left_over(entry.name) for entry in path.iterdir()):
        raise UsageError(
            f"{path} exists and is not a run folder", code="E105", hint="name a new or an empty folder with -o"
        )


def _check_same(path: Path, old: Manifest, new: Manifest, *, interrupted: bool) -> None:
    same = all(old.get(key) == new.get(key) for key in ("plan_sha256", "shard"))
    if old.get("state") == "finished" and not (interrupted and same):
        raise UsageError(
            f"{path} holds a finished run",
            code="E106",
            hint="name a new folder with -o, or set the old results aside as a revision with --force",
        )
    if not same:
        raise UsageError(
            f"{path} holds an unfinished run with another template, other inputs or other options",
            code="E107",
            hint="repeat the command of that run to finish it, name a new folder, or start anew with --force",
        )


def pinned_revisions(path: Path) -> dict[str, str]:
    """Return the hashes that pin the runs that were set aside: their manifests and trails."""
    files = (file for name in (MANIFEST, AUDIT) for file in path.glob(f"{REVISIONS}/*/{name}"))
    return {file.relative_to(path).as_posix(): _sha256(file.read_bytes()) for file in files}


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


# ---------------------------------------------------------------- finishing


def table_files(outcomes: Iterable[SampleOutcome], own: OwnColumns) -> dict[str, bytes]:
    """Return the tables of a run as CSV files, by name."""
    texts = {name: BytesIO() for name in tables(own)}
    _write_tables((lines_of(outcome, b"", own).by_table for outcome in outcomes), own, texts)
    return {f"{name}.csv": text.getvalue() for name, text in texts.items()}


def _write_tables(samples: Iterable[Sequence[bytes]], own: OwnColumns, files: Mapping[str, IO[bytes]]) -> None:
    """Write the tables of a run into open files, sample by sample."""
    for name, columns in tables(own).items():
        files[name].write(csv_text(columns, ()).encode())
    for by_table in samples:
        for file, lines in zip(files.values(), by_table, strict=True):
            file.write(lines)


def parquet_files(outcomes: Iterable[SampleOutcome], own: OwnColumns) -> dict[str, bytes]:
    """Return the tables of a run as Parquet files, by name."""
    columns = tables(own)
    gathered: dict[str, list[Row]] = {name: [] for name in columns}
    for outcome in outcomes:
        for name, rows in rows_of(outcome).items():
            gathered[name].extend(rows)
    return {f"{name}.parquet": parquet_bytes(columns[name], rows) for name, rows in gathered.items()}


def package_file(own: OwnColumns) -> bytes:
    """Return ``datapackage.json``: what the tables' columns mean."""
    return (json.dumps(describe(tables(own)), indent=1, ensure_ascii=False) + "\n").encode()


def finish(
    run: RunFolder, manifest: Manifest, plan: RunPlan, *, parquet: bool = False, waiting: WaitingLines | None = None
) -> None:
    """Write the tables and their description, and close the run.

    The lines of samples that were counted just now are ``waiting``; those of the others are made from their parts. One
    sample follows the other: a run of any size takes the memory of one.
    """
    part_hashes: dict[str, str] = {}
    ending = _Ending()

    def samples() -> Iterator[Sequence[bytes]]:
        for sample_id in plan.sample_ids:
            lines = waiting.take(sample_id) if waiting is not None else None
            lines = lines or _lines_from_part(run.parts, sample_id, plan.own_columns)
            part_hashes[f"{PARTS}/{part_name(sample_id)}"] = lines.part_sha256
            ending.note(sample_id, lines)
            yield lines.by_table

    files: dict[str, bytes | Path] = {**_drafts(run, samples(), plan.own_columns)}
    files["datapackage.json"] = package_file(plan.own_columns)
    if parquet:
        files |= parquet_files(run.parts.every(plan.sample_ids), plan.own_columns)
    others = manifest.get("files", {})
    finished = {**manifest, "state": "finished", "files": {**others, **pinned_revisions(run.path), **part_hashes}}
    run.journal.commit(finished, list(ending.acts()), files)


def _lines_from_part(parts: Parts, sample_id: str, own: OwnColumns) -> SampleLines:
    content = parts.content(sample_id)
    outcome = None if content is None else from_json(content)
    if content is None or outcome is None:
        raise unreadable_part(sample_id)
    return lines_of(outcome, content, own)


def _drafts(run: RunFolder, samples: Iterable[Sequence[bytes]], own: OwnColumns) -> dict[str, Path]:
    """Write the tables beside the parts, where an interrupted run's rests are cleared away, and return them by name."""
    drafts = {name: run.parts.folder / f"{name}.csv.tmp" for name in tables(own)}
    try:
        with ExitStack() as opened:
            files = {name: opened.enter_context(path.open("wb")) for name, path in drafts.items()}
            _write_tables(samples, own, files)
    except OSError as error:
        for path in drafts.values():
            path.unlink(missing_ok=True)  # a full disk: give back what the half-written tables took
        raise not_writable(run.path, error) from error
    return {f"{name}.csv": path for name, path in drafts.items()}


class _Ending(Struct):
    """What the trail says at the end: each sample that failed and why, then how all of them did."""

    statuses: Counter[str] = field(default_factory=Counter)
    failed: list[Act] = field(default_factory=list)

    def note(self, sample_id: str, lines: SampleLines) -> None:
        self.statuses[lines.status] += 1
        if lines.error is not None:
            self.failed.append(Act(Action.SAMPLE_FAILED, sample_id, why=f"{lines.error.code}: {lines.error.message}"))

    def acts(self) -> Iterator[Act]:
        yield from self.failed
        statuses = ", ".join(f"{count} {status}" for status, count in sorted(self.statuses.items()))
        yield Act(Action.RUN_FINISHED, counted(self.statuses.total(), "sample"), after=statuses)
