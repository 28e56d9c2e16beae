"""A run that grows while files come: counted as they are finished, each once; at any time as one run over them all.

What a sample's numbers depend on (its bytes, its row, its protocol, its controls, the run's tubes without CAR-T cells)
is one hash, kept in the manifest. A sample whose hash is another one is counted again; every other keeps its part, and
only hears anew what the files beside it say of it. So the tables are the same bytes whatever order the files came in,
and wherever it was killed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from cytocar.errors.findings import Finding
from cytocar.errors.tree import UsageError, counted
from cytocar.files.places import Place
from cytocar.files.source import file_sha256
from cytocar.run.beside_others import CHECKS, compare_files
from cytocar.run.count import Work, count_rest, tell_of_others
from cytocar.run.execute import FinishedSample, telling_tubes
from cytocar.run.finished.recorded_plan import recorded_plan
from cytocar.run.folder import RunFolder, finish, hold_run, moved_acts, pinned_revisions
from cytocar.run.lines import WaitingLines
from cytocar.run.observer import NOBODY, Observer
from cytocar.run.parts import Parts, part_name, to_json
from cytocar.run.plan import RunPlan
from cytocar.run.records import plain
from cytocar.run.trail.audit import Act, Action, Author, read_trail
from cytocar.run.trail.journal import Manifest, read_manifest
from cytocar.sample.analysis import with_findings_beside
from cytocar.sample.choose_controls import choose_references
from cytocar.sample.control_signals import wants_references
from cytocar.sample.result import ErrorRecord, SampleFailure, SampleOutcome, SampleResult
from cytocar.sheet.inputs import Inputs, collect, natural, with_controls
from cytocar.sheet.rows import SampleRow, read_sheet
from cytocar.template.canonical import template_sha256

WATCHED = "watched"
"""Of a manifest: the files and the hash of each sample of a run that may grow."""


class Gathered(Struct, frozen=True):
    """The samples of finished files: ``hashes`` by sample, copies by the file that is counted, files without a row."""

    inputs: Inputs
    hashes: Mapping[str, str]
    copies: Mapping[Path, Path]
    without_row: tuple[Path, ...] = ()


# ---------------------------------------------------------------- from files to samples


def gather(
    files: Mapping[Path, str],
    *,
    sheet: Place | None,
    given: SampleRow,
    controls: Sequence[Place] = (),
    before: Manifest | None,
    run: Path,
) -> Gathered:
    """Return the samples of finished files, and files that wait for a row.

    Parameters
    ----------
    files : mapping of Path to str
        Finished files and their SHA-256.
    sheet : Path, optional
        Rows that describe them; files without a row wait. Without a sheet each file is a sample, and one that holds
        the bytes of another is its copy.
    given : SampleRow
        What holds for all files without a sheet.
    controls : sequence of Path
        CAR-negative controls of all samples.
    before : mapping, optional
        The manifest of the run so far: a sample whose file has gone from the folder since keeps its counts.
    run : Path
        The run folder.

    Raises
    ------
    CytocarError
        The sheet cannot be used.
    """
    old = recorded_plan(before, run).samples if before else ()
    known: Mapping[str, str] = before[WATCHED]["files"] if before else {}
    copies = {} if sheet else _copies(files, {row.file.resolve() for row in old})
    named = [file for file in files if file not in copies]
    rows = read_sheet(sheet) if sheet else None
    listed = None if rows is None else {row.file.resolve() for row in rows}
    without = () if listed is None else tuple(file for file in named if file.resolve() not in listed)
    described = [file for file in named if file not in without]
    samples = list(collect(described, sheet=sheet, given=given).samples) if described else []
    by_place: dict[Place, str] = {file.resolve(): sha256 for file, sha256 in files.items()}
    hashes = {row.sample_id: by_place[row.file.resolve()] for row in samples}
    order = _Order(None if rows is None else {row.sample_id: place for place, row in enumerate(rows)})
    present = set(hashes.values())  # of a file without a row the old name may be the one that has it
    placed = {*by_place, *(control.resolve() for control in controls)}
    for row in old:
        sha256 = known.get(row.sample_id, "")
        taken = row.sample_id in hashes or not sha256 or sha256 in present or row.file.resolve() in placed
        if not taken and order.holds(row):  # the file is gone, or written again
            samples.append(row)
            hashes[row.sample_id] = sha256
    if not samples:
        return Gathered(Inputs((), sheet=sheet), {}, copies, without)
    inputs = with_controls(Inputs(tuple(sorted(samples, key=order.of)), sheet=sheet), controls)
    hashes |= {row.sample_id: file_sha256(row.file) for row in inputs.samples if row.sample_id not in hashes}
    return Gathered(inputs, hashes, copies, without)


class _Order(Struct, frozen=True):
    """The order of a run's samples: that of the sheet, by sample_id, or of their names."""

    places: Mapping[str, int] | None

    def of(self, row: SampleRow) -> tuple[Any, ...]:
        """What a row is sorted by; several acquisitions of one file stand beside each other."""
        return natural(row.sample_id) if self.places is None else (self._place(row), row.data_set or 0)

    def holds(self, row: SampleRow) -> bool:
        """True if a row of before still belongs to the run."""
        return self.places is None or self._place(row) is not None

    def _place(self, row: SampleRow) -> int | None:
        assert self.places is not None
        return self.places.get(row.sample_id, self.places.get(row.sample_id.removesuffix(f"#{row.data_set}")))


def _copies(files: Mapping[Path, str], counted: set[Place]) -> dict[Path, Path]:
    """Return files that hold the bytes of another, by that other: the one that was counted before, else the first."""
    first: dict[str, Path] = {}
    for file in sorted(files, key=lambda file: (file.resolve() not in counted, natural(str(file)))):
        first.setdefault(files[file], file)
    return {file: first[sha256] for file, sha256 in files.items() if first[sha256] != file}


# ---------------------------------------------------------------- what decides a sample's numbers


def settings_sha256(plan: RunPlan, given: SampleRow) -> str:
    """Return the hash of what must stay the same while a run grows: the default template, markers, the options."""
    loaded = plan.templates.get(plan.default_template)
    content = [
        loaded.sha256 if loaded else plan.default_template,
        dict(plan.markers),
        plain((given,)),
    ]
    return _sha256(content)


def input_hashes(plan: RunPlan, hashes: Mapping[str, str]) -> dict[str, str]:
    """Return the hash of all that decides each sample's numbers, by sample_id.

    Parameters
    ----------
    hashes : mapping of str to str
        The SHA-256 of each sample's file.
    """
    templates: dict[int, str] = {}

    def decided_by(row: SampleRow) -> list[object]:
        protocol = plan.protocols[row.sample_id]
        used = templates.setdefault(id(protocol.template), template_sha256(protocol.template))
        refused = protocol.refused and protocol.refused.message
        decided = [dict(plan.markers), plan.history.sha256, refused]
        return [hashes[row.sample_id], row.data_set, used, protocol.stamp.sha256, *decided]

    as_control = {row.sample_id: _sha256([row.sample_type, *decided_by(row)]) for row in plan.samples}
    telling = telling_tubes(plan.samples, plan.protocols)
    hash_of = {}
    for row in plan.samples:
        wanted = not row.exclude and wants_references(plan.protocols[row.sample_id].template)
        controls = [*choose_references(row, plan.samples), *telling] if wanted else ()
        content = plain((row,))
        hash_of[row.sample_id] = _sha256([content, decided_by(row), [[name, as_control[name]] for name in controls]])
    return hash_of


def _sha256(content: list[object]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


# ---------------------------------------------------------------- a run that grows


@contextmanager
def hold_watched(
    path: Path, *, author: Author, clock: Callable[[], datetime], force: bool = False
) -> Iterator[RunFolder]:
    """Hold the folder of a run that grows: a new one, or one that was watched before.

    Raises
    ------
    UsageError
        E106 if the run there was not watched, or somebody has signed it or moved gates in it; and as ``open_run``.
    """

    def check(old: Manifest) -> None:
        signed = any(entry.action == Action.SIGNED for entry in read_trail(path).entries)
        if WATCHED not in old or signed or old.get("overrides"):
            why = "that was signed, or in which gates were moved" if WATCHED in old else "that was not watched"
            raise UsageError(
                f"{path} holds a run {why}",
                code="E106",
                hint="name a new folder with -o, or set the old results aside as a revision with --force",
            )

    with hold_run(path, check, author=author, clock=clock, force=force) as (run, _):
        yield run


def require_same_settings(run: Path, settings: str, before: Manifest | None) -> None:
    """Refuse to go on with another template or other options than a run began with (E107)."""
    if before is not None and before[WATCHED]["settings"] != settings:
        raise UsageError(
            f"{run} holds a watched run with another template or other options",
            code="E107",
            hint="repeat the command of that run, name a new folder, or start anew with --force",
        )


class Grown(Struct, frozen=True):
    """All samples of the run, in the order of the tables, and the names of those that were counted now."""

    samples: list[FinishedSample]
    fresh: tuple[str, ...]


def grow(
    run: RunFolder,
    plan: RunPlan,
    manifest: Manifest,
    hashes: Mapping[str, str],
    *,
    work: Work,
    settings: str,
    scratch: Path,
    observer: Observer = NOBODY,
) -> Grown | None:
    """Count what is new or another since the last time, and finish the run; ``None`` where nothing is.

    Parameters
    ----------
    manifest : mapping
        Of this plan.
    hashes : mapping of str to str
        The SHA-256 of each sample's file.
    """
    old = read_manifest(run.path) or {}
    watched_before = old.get(WATCHED, {"inputs": {}})
    inputs = input_hashes(plan, hashes)
    same = [
        name
        for name in plan.sample_ids
        if watched_before["inputs"].get(name) == inputs[name] and _is_settled(run.parts, name)
    ]
    fresh = [name for name in plan.sample_ids if name not in same]
    beside = compare_files(plan.samples, plan.protocols)
    compared = _sha256([repr(sorted(beside.items()))])
    stands = old.get("state") == "finished" and old.get("plan_sha256") == manifest["plan_sha256"]
    if stands and not fresh and watched_before["compared"] == compared:
        return None
    pages = {name: digest for name, digest in old.get("files", {}).items() if name.endswith(".html")}
    watched = {"settings": settings, "files": dict(hashes), "inputs": inputs, "compared": compared}
    whole = {**manifest, WATCHED: watched, "files": pages}
    _begin(run, whole, old, same=same, fresh=fresh)
    _tell_anew(run, same, beside)
    finished = {outcome.sample.sample_id: _without_content(outcome) for outcome in run.parts.in_order(same)}
    with WaitingLines(scratch) as waiting:
        finished |= count_rest(
            plan,
            work,
            run.parts,
            waiting,
            scratch=scratch,
            settled=same,
            own=plan.own_columns,
            progress=(len(fresh), 0),
            beside=beside,
            observer=observer,
        )
        finished |= tell_of_others(run.parts, finished, waiting, plan.own_columns)
        finish(run, whole, plan, parquet=work.parquet, waiting=waiting)
    return Grown([finished[name] for name in plan.sample_ids], tuple(fresh))


def _without_content(outcome: SampleOutcome) -> FinishedSample:
    return FinishedSample.of(outcome).without_content()


def _is_settled(parts: Parts, sample_id: str) -> bool:
    """True if a sample's part is there, and is no failure that reading its file once more may mend."""
    outcome = parts.read(sample_id)
    return outcome is not None and not (isinstance(outcome, SampleFailure) and may_pass(outcome.error))


def may_pass(error: ErrorRecord | None) -> bool:
    """True if a failure is one of the moment: the file was busy or away, the process was killed."""
    return error is not None and error.code in ("E009", "E010", "E112", "E191")


def _begin(run: RunFolder, manifest: Manifest, old: Manifest, *, same: Sequence[str], fresh: Sequence[str]) -> None:
    """Note what is counted now, and take away parts that are no longer what the manifest will say of them.

    The manifest does not name the hash of a sample while a part of other bytes or another row may lie there.
    """
    was: Mapping[str, str] = old.get(WATCHED, {}).get("files", {})
    again = [name for name in fresh if name in was]
    gone = [name for name in was if name not in manifest[WATCHED]["files"]]
    whys = [f"{word} {', '.join(names)}" for word, names in (("counted again:", again), ("no longer:", gone)) if names]
    act = Act(Action.RUN_RESUMED if old else Action.RUN_STARTED, counted(len(fresh), "sample"), why="; ".join(whys))
    running = {**manifest, "state": "running", "files": {**manifest["files"], **pinned_revisions(run.path)}}
    if again or gone:
        unchanged = {name: value for name, value in manifest[WATCHED]["inputs"].items() if name in same}
        run.journal.commit({**running, WATCHED: {**manifest[WATCHED], "inputs": unchanged}}, [act])
        for name in (*again, *gone):
            (run.parts.folder / part_name(name)).unlink(missing_ok=True)
        act = replace(act, why="parts of other bytes or other rows were taken away")
    moved = [] if manifest.get("moved_gates") == old.get("moved_gates") else moved_acts(manifest)
    run.journal.commit(running, [act, *moved])
    run.parts.folder.mkdir(exist_ok=True)


def _tell_anew(run: RunFolder, names: Sequence[str], beside: Mapping[str, tuple[Finding, ...]]) -> None:
    """Keep parts anew whose files the others show in another light."""
    for outcome in run.parts.in_order(names):
        if isinstance(outcome, SampleResult):
            name = outcome.sample.sample_id
            own = tuple(finding for finding in outcome.findings if finding.check not in CHECKS)
            anew = with_findings_beside(replace(outcome, findings=own), beside.get(name, ()))
            if anew.findings != outcome.findings:
                run.parts.keep(name, to_json(anew))
