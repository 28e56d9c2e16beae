"""Compare a run folder with what was recorded about it, and say in words what was changed and where.

Nothing is written. The order is the order of trust: the trail proves itself, its last entry proves the manifest, the
manifest proves every other file; what the run was made from (FCS files, sheet, templates, versions) comes last.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from cytocar.errors.tree import IntegrityError
from cytocar.files.places import Place, whole_bytes
from cytocar.run.finished.checks import Check, changed, note, ok, unfinished
from cytocar.run.finished.origins import origins
from cytocar.run.finished.recorded_plan import recorded_plan
from cytocar.run.folder import package_file, table_files
from cytocar.run.observer import NOBODY, Observer
from cytocar.run.parts import PARTS, Parts, part_name
from cytocar.run.trail.audit import AUDIT, CHANGES_RESULTS, Action, Entry, Trail, last_signature, read_trail
from cytocar.run.trail.journal import (
    MANIFEST,
    PENDING,
    PENDING_DRAFT,
    Manifest,
    body_sha256,
    last_entry,
    manifest_text,
    read_manifest,
    require_run,
)
from cytocar.run.trail.lock import LOCK
from cytocar.run.trail.recorded import plain_again, saved_by_spreadsheet
from cytocar.run.trail.revisions import REVISIONS, is_interrupted
from cytocar.tables.difference import differences
from cytocar.version import __version__


def verify(
    run: Path, *, inputs: Place | None = None, head: str | None = None, observer: Observer = NOBODY
) -> tuple[Check, ...]:
    """Return everything that was looked at in a run folder.

    Parameters
    ----------
    run : Path
        The run folder.
    inputs : Path, optional
        Where the FCS files and the sheet lie now; without it, where the run found them, and a file that is not there
        any more is a note.
    head : str, optional
        The hash of an entry of the trail as somebody wrote it down, from a printed report: the trail must hold it.

    observer : Observer
        Hears of each sample whose file was read once more.

    Raises
    ------
    UsageError
        E114 if the folder holds no run.
    """
    checks = list(folder_checks(require_run(run), head=head))
    manifest = _as_recorded(run)
    if manifest is not None:
        checks += origins(run, manifest, inputs, observer)
    return tuple(checks)


def _as_recorded(run: Path) -> Manifest | None:
    """Return the manifest if it is what its last entry says: only then can it tell what the run was made from."""
    try:
        manifest = read_manifest(run)
    except IntegrityError:
        return None
    named = last_entry(manifest) if manifest is not None else None
    return manifest if manifest and named and named.manifest_sha256 == body_sha256(manifest) else None


def folder_checks(run: Path, *, head: str | None = None) -> Iterator[Check]:
    """Yield the checks of a run folder: trail, manifest, files, and the runs set aside in it."""
    if is_interrupted(run, last=MANIFEST):
        yield changed(
            REVISIONS, "setting the run aside was interrupted; the next command that writes to the run undoes it"
        )
        return
    trail = read_trail(run)
    yield from _trail(trail, head)
    if (run / PENDING).exists():
        yield changed(PENDING, "a change was interrupted; the next command that writes to the run settles it")
    if (run / PENDING_DRAFT).exists():
        yield note(PENDING_DRAFT, "a killed command left the draft of a change; nothing of it counts")
    try:
        manifest = read_manifest(run)
    except IntegrityError as error:
        yield changed(MANIFEST, error.message)
        return
    if manifest is None:
        yield changed(MANIFEST, "is missing")
        return
    yield from _manifest(run, manifest, trail)
    yield from _files(run, manifest)
    yield from _tables_and_parts(run, manifest)
    for revision in sorted(path for path in run.glob(f"{REVISIONS}/*") if path.is_dir()):
        place = revision.relative_to(run).as_posix()
        yield from (Check(check.verdict, f"{place}/{check.place}", check.message) for check in folder_checks(revision))


# ---------------------------------------------------------------- trail and manifest


def _trail(trail: Trail, head: str | None) -> Iterator[Check]:
    for broken in trail.breaks:
        yield changed(f"{AUDIT} line {broken.line}", broken.message)
    if trail.last is None:
        yield changed(AUDIT, "is missing or empty")
    elif not trail.breaks:
        yield ok(AUDIT, f"{len(trail.entries)} entries, the chain is whole; head {trail.last.sha256}")
    for entry in trail.entries:
        if entry.action not in list(Action):
            yield changed(
                AUDIT, f"entry {entry.number} says what no command says: {entry.action} {entry.after}".strip()
            )
        if entry.clock_set_back:
            yield note(AUDIT, f"the clock was set back before entry {entry.number}; the order is the chain's")
    number = {entry.action: entry.number for entry in trail.entries}
    drawn = number.get(Action.REPORT_BUILT)
    if drawn is not None and drawn < max(number.get(action, 0) for action in CHANGES_RESULTS):
        yield note(AUDIT, f"the report was drawn (entry {drawn}) before results were last changed: draw it again")
    signature = last_signature(trail)
    if signature is not None:
        yield (note if signature.is_stale else ok)("signature", str(signature))
    if head is not None and head not in {entry.sha256 for entry in trail.entries}:
        yield changed(AUDIT, f"no entry has the hash {head}: the end was cut off, or this is another run")


def _manifest(run: Path, manifest: Manifest, trail: Trail) -> Iterator[Check]:
    try:
        text = (run / MANIFEST).read_bytes().decode()
    except UnicodeDecodeError:
        text = ""
    if text != manifest_text(manifest):
        yield changed(f"{MANIFEST} line {_first_difference(text, manifest_text(manifest))}", "was edited")
    named = last_entry(manifest)
    if named is None:
        yield changed(MANIFEST, "does not hold the last entry of the trail")
    elif named.sha256 != named.content_sha256():
        yield changed(MANIFEST, f"its copy of entry {named.number} of the trail was changed")
    elif trail.last != named:
        yield from _ends_differ(trail, named)
    recorded = named.manifest_sha256 if named else trail.last and trail.last.manifest_sha256
    if recorded != body_sha256(manifest):
        yield changed(
            MANIFEST, f"is not what entry {named.number if named else len(trail.entries)} of the trail recorded"
        )
    elif named is not None and trail.last == named:
        yield ok(MANIFEST, f"is what entry {named.number} of the trail recorded")
    if manifest.get("state") == "finished":
        return
    if _is_set_aside(run):
        yield note(MANIFEST, "this run was set aside before it was finished")
    else:
        yield unfinished(MANIFEST, "the run is not finished: repeat its `cytocar gate` command")


def _is_set_aside(run: Path) -> bool:
    """True if a folder is that of a run that ``--force`` has set aside."""
    return run.resolve().parent.name == REVISIONS and (run.resolve().parents[1] / MANIFEST).is_file()


def _ends_differ(trail: Trail, named: Entry) -> Iterator[Check]:
    entry = f"entry {named.number} ({named.action}, {named.utc}, {named.operator})"
    if trail.last is None or trail.last.number < named.number:
        yield changed(AUDIT, f"{entry} is missing at the end; the manifest still names it")
    elif named in trail.entries:
        yield changed(AUDIT, f"lines were added at the end, after {entry}, which the manifest names as the last")
    else:
        yield changed(AUDIT, f"does not hold {entry}, which the manifest names as the last")


def _first_difference(actual: str, expected: str) -> int:
    """Return the first line, from 1, in which two texts differ."""
    pairs = zip(actual.split("\n"), expected.split("\n"), strict=False)
    return next((line for line, (a, b) in enumerate(pairs, start=1) if a != b), actual.count("\n") + 1)


# ---------------------------------------------------------------- files of the run


def _files(run: Path, manifest: Manifest) -> Iterator[Check]:
    recorded: Mapping[str, str] = manifest.get("files", {})
    if not isinstance(recorded, dict):
        yield changed(MANIFEST, "does not hold the hashes of the run's files")
        return
    same = 0
    for name, digest in recorded.items():
        # a run that was set aside has left the runs before it where they were: beside it
        aside = _is_set_aside(run) and name.startswith(f"{REVISIONS}/")
        try:
            content = whole_bytes(run.parent.parent / name if aside else run / name)
        except OSError as error:
            yield changed(
                name, "is missing" if isinstance(error, FileNotFoundError) else f"cannot be read: {error.strerror}"
            )
            continue
        if hashlib.sha256(content).hexdigest() == digest:
            same += 1
        else:
            yield from _what_changed(run, manifest, name, content)
    yield ok("files", f"{same} of {len(recorded)} files of the run are as they were written")
    known = {*recorded, MANIFEST, AUDIT, LOCK}
    if manifest.get("state") != "finished":  # what it had counted so far; its hashes would have come at the end
        known |= {path.relative_to(run).as_posix() for path in (run / PARTS).glob("*.json")}
    for path in sorted(run.rglob("*")):
        name = path.relative_to(run).as_posix()
        if path.is_file() and name not in known and not name.startswith((f"{REVISIONS}/", PENDING)):
            yield note(name, "is not part of the run")


def _what_changed(run: Path, manifest: Manifest, name: str, content: bytes) -> Iterator[Check]:
    """Where a file differs from what was written: line and column of a table, else the file."""
    expected = _written_again(run, manifest, name)
    if expected is None or expected == content:
        sample = _sample_of_part(manifest, name)
        yield changed(name, f"the kept result of sample {sample} was changed" if sample else "was changed")
        return
    if saved_by_spreadsheet(name, content):
        yield changed(name, "was saved again by a spreadsheet")
        content = plain_again(content)
    for difference in differences(expected, content):
        yield changed(f"{name} line {difference.line}", difference.message)


def _sample_of_part(manifest: Manifest, name: str) -> str | None:
    """Return the sample whose result a part is."""
    rows = (row.get("sample_id") for row in manifest.get("samples", []) if isinstance(row, dict))
    return next((row for row in rows if isinstance(row, str) and name == f"{PARTS}/{part_name(row)}"), None)


def _tables_and_parts(run: Path, manifest: Manifest) -> Iterator[Check]:
    """Where a table, though it is what was recorded, says something else than the samples that were kept.

    Another version of cytocar may have had other columns: its tables are compared with their hashes alone.
    """
    if manifest.get("cytocar_version") != __version__ or manifest.get("state") != "finished":
        return
    try:
        plan = recorded_plan(manifest)
    except IntegrityError:
        return
    again = table_files(Parts(run / PARTS).in_order(plan.sample_ids), plan.own_columns)
    for name, expected in again.items():
        try:
            content = whole_bytes(run / name)
        except OSError:
            continue
        if hashlib.sha256(content).hexdigest() != manifest.get("files", {}).get(name):
            continue  # changed since, and said so
        for difference in differences(expected, content):
            yield changed(f"{name} line {difference.line}", f"is not what the kept samples give: {difference.message}")


def _written_again(run: Path, manifest: Manifest, name: str) -> bytes | None:
    """Return a table as the kept samples give it, if they are as they were kept; None for any other file."""
    if not name.endswith(".csv") and name != "datapackage.json":
        return None
    try:
        plan = recorded_plan(manifest)
    except IntegrityError:
        return None
    if name == "datapackage.json":
        return package_file(plan.own_columns)
    again = table_files(Parts(run / PARTS).in_order(plan.sample_ids), plan.own_columns).get(name)
    return again if again and hashlib.sha256(again).hexdigest() == manifest["files"][name] else None
