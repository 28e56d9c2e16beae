"""Change a run folder as a whole or not at all: its files, its audit trail and its manifest together.

A change is first written out under ``.pending.tmp``, then made valid by one rename to ``.pending``, then carried out
file by file, the manifest last. Whatever stops it (a full disk, a kill, a power cut), the folder holds either nothing
of it, or all that is needed to carry it out: the next command that writes to the folder does so before anything else.

What pins what: the manifest holds the hash of every other file; the last entry of the trail holds the hash of the
manifest without that entry; the manifest holds the last entry.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from msgspec import Struct, convert
from msgspec.structs import asdict

from cytocar.errors.boundary import boundary
from cytocar.errors.tree import IntegrityError, UsageError
from cytocar.files.json_object import json_object
from cytocar.files.places import whole_bytes
from cytocar.files.whole import write_atomically
from cytocar.run.trail.audit import (
    AUDIT,
    Act,
    Action,
    Author,
    Entry,
    Trail,
    parse_entry,
    parse_trail,
    read_trail,
    trail,
)
from cytocar.run.trail.lock import not_writable, only_writer
from cytocar.run.trail.revisions import settle_interrupted_move

MANIFEST = "manifest.json"
PENDING, PENDING_DRAFT = ".pending", ".pending.tmp"
_LINES = re.compile(rf"{re.escape(AUDIT)}\.at-(\d+)")
"""Name of the lines that a change appends to the trail: it says behind which byte."""

Manifest = Mapping[str, Any]


def manifest_text(manifest: Manifest) -> str:
    """Return a manifest as it is written."""
    return json.dumps(manifest, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def body(manifest: Manifest) -> dict[str, Any]:
    """Return a manifest without the last entry of the trail, which holds the hash of the rest."""
    return {key: value for key, value in manifest.items() if key != "audit"}


def body_sha256(manifest: Manifest) -> str:
    """Return the hash of a manifest's body."""
    return hashlib.sha256(manifest_text(body(manifest)).encode()).hexdigest()


def last_entry(manifest: Manifest) -> Entry | None:
    """Return the entry of the trail that a manifest names as the last one."""
    entry = manifest.get("audit")
    if not isinstance(entry, dict):
        return None
    return parse_entry(json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode())


def read_manifest(folder: Path) -> Manifest | None:
    """Return the manifest of a run folder; None where there is none.

    Raises
    ------
    IntegrityError
        E125 if there is one that cannot be read.
    """
    path = folder / MANIFEST
    with boundary(
        lambda why: IntegrityError(
            f"{path} cannot be read: {why}", code="E125", hint="restore the run folder from a backup"
        )
    ):
        try:
            read = json_object(whole_bytes(path))
        except (FileNotFoundError, NotADirectoryError):
            return None
        convert(read, _Finished if read.get("state") == "finished" else _Begun)
        return read


def other_manifest(what: str) -> IntegrityError:
    """Return the error for a manifest that can be read, and does not say what cytocar wrote there."""
    return IntegrityError(
        f"the manifest {what}",
        code="E125",
        hint="`cytocar verify` says what was changed; restore the run folder from a backup",
    )


class _Name(Struct):
    sample_id: str


class _Digest(Struct):
    sha256: str


class _Settings(Struct):
    template: str | None
    markers: dict[str, str]


class _Sheet(Struct):
    file: str
    sha256: str


class _Begun(Struct):
    """Of what every command that opens a run looks into; it may hold more."""

    samples: list[_Name]
    templates: dict[str, _Digest]
    settings: _Settings
    versions: dict[str, str]
    sheet: _Sheet | None
    files: dict[str, str] = {}


class _Finished(_Begun, kw_only=True):
    files: dict[str, str]


# ---------------------------------------------------------------- changing a run


class Journal(Struct, frozen=True):
    """A run folder that this command alone may write, who the command acts for, and its clock."""

    folder: Path
    author: Author
    clock: Callable[[], datetime]

    def commit(self, manifest: Manifest, acts: Sequence[Act], files: Mapping[str, bytes | Path] | None = None) -> None:
        """Carry out one change.

        Parameters
        ----------
        manifest : mapping
            As it will stand; ``files`` holds the hashes of the files that are there already.
        acts : sequence of Act
            What the trail says about the change, at least one.
        files : mapping of str to bytes or Path, optional
            Files of the change, by their path in the folder: their content, or a draft in the folder, which is moved.
            Their hashes are added to the manifest.
        """
        files = files or {}
        hashes = {name: _sha256(content) for name, content in files.items()}
        new = body(manifest) | {"files": {**manifest.get("files", {}), **hashes}}
        trail_now = read_trail(self.folder)
        entries = trail(acts, self.author, after=trail_now.last, now=self.clock(), manifest_sha256=body_sha256(new))
        lines = b"".join(entry.line for entry in entries)
        size = sum(len(entry.line) for entry in trail_now.entries)
        whole = new | {"audit": asdict(entries[-1])}
        try:
            self._prepare({**files, f"{AUDIT}.at-{size}": lines, MANIFEST: manifest_text(whole).encode()})
            carry_out(self.folder)
        except OSError as error:
            raise not_writable(self.folder, error) from error

    def _prepare(self, files: Mapping[str, bytes | Path]) -> None:
        draft = self.folder / PENDING_DRAFT
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        try:
            for name, content in files.items():
                (draft / name).parent.mkdir(parents=True, exist_ok=True)
                if isinstance(content, Path):
                    content.replace(draft / name)
                with (draft / name).open("ab") as file:
                    if isinstance(content, bytes):
                        file.write(content)
                        file.flush()
                    os.fsync(file.fileno())
            sync_folder(draft)
            draft.rename(self.folder / PENDING)
        except OSError:
            shutil.rmtree(draft, ignore_errors=True)  # a full disk: give back what the half-written change took
            raise
        sync_folder(self.folder)


def _sha256(content: bytes | Path) -> str:
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    with content.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def journal(folder: Path, author: Author, clock: Callable[[], datetime]) -> Iterator[Journal]:
    """Hold a run folder for writing; what an interrupted command left is carried out or set aside first.

    Raises
    ------
    UsageError
        E108 the folder cannot be written, E113 another command holds it.
    IntegrityError
        E122 its trail is not what was recorded.
    """
    with only_writer(folder):
        opened = Journal(folder, author, clock)
        try:
            _settle(opened)
        except OSError as error:
            raise not_writable(folder, error) from error
        yield opened


def amend(
    folder: Path,
    acts: Sequence[Act],
    *,
    author: Author,
    clock: Callable[[], datetime],
    files: Mapping[str, bytes] | None = None,
) -> None:
    """Add files to a finished run (a report, an export) or a signature, with what the trail says about it.

    Raises
    ------
    UsageError
        E114 if the folder holds no finished run.
    """
    with journal(require_run(folder), author, clock) as opened:
        opened.commit(finished_manifest(folder), acts, files)


def require_run(folder: Path) -> Path:
    """Return a folder that holds a run, finished or not.

    Raises
    ------
    UsageError
        E114 if it holds none.
    """
    if not (folder / MANIFEST).is_file() and not (folder / PENDING).is_dir():
        raise UsageError(
            f"{folder} is not a run folder", code="E114", hint="name a folder that `cytocar gate -o` has written"
        )
    return folder


def finished_manifest(folder: Path) -> Manifest:
    """Return the manifest of a finished run.

    Raises
    ------
    UsageError
        E114 if the folder holds none.
    """
    manifest = read_manifest(require_run(folder))
    if manifest is None or manifest.get("state") != "finished":
        raise UsageError(f"the run in {folder} is not finished", code="E114", hint="repeat its `cytocar gate` command")
    return manifest


# ---------------------------------------------------------------- after an interruption


def carry_out(folder: Path) -> None:
    """Carry out the change under ``.pending``, from wherever it was interrupted; without one, do nothing."""
    pending = folder / PENDING
    if not pending.is_dir():
        return
    waiting = sorted(path for path in pending.rglob("*") if path.is_file())
    moved_to: dict[Path, None] = {}
    for path in waiting:
        name = path.relative_to(pending)
        if name.as_posix() != MANIFEST and not _LINES.fullmatch(name.as_posix()):
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)
            moved_to[target.parent] = None
    for parent in moved_to:  # all of them before trail and manifest name the files; their own order is of no account
        sync_folder(parent)
    for path in waiting:
        if place := _LINES.fullmatch(path.name):
            _append(folder, int(place[1]), path.read_bytes())
    if (pending / MANIFEST).is_file():
        (pending / MANIFEST).replace(folder / MANIFEST)
        sync_folder(folder)
    shutil.rmtree(pending)
    sync_folder(folder)


def _append(folder: Path, size: int, lines: bytes) -> None:
    """Write lines behind the first ``size`` bytes of the trail; what else stands there is set aside."""
    path = folder / AUDIT
    path.touch()
    with path.open("r+b") as file:
        file.seek(size)
        there = file.read()
        if there == lines:
            return
        if not lines.startswith(there):
            _set_aside(folder, there)
            file.truncate(size)
            there = b""
        file.seek(size + len(there))
        file.write(lines[len(there) :])
        file.flush()
        os.fsync(file.fileno())


def _settle(opened: Journal) -> None:
    """Bring a folder into the state that its manifest describes, or refuse.

    The manifest is written after the trail. So a trail that lacks (part of) the entry that the manifest names lost it
    after it had been written: the entry is put back from the manifest, the torn part is kept aside, the trail says so.
    """
    folder = opened.folder
    settle_interrupted_move(folder, last=MANIFEST)
    shutil.rmtree(folder / PENDING_DRAFT, ignore_errors=True)
    carry_out(folder)
    manifest = read_manifest(folder)
    if manifest is None:
        return
    trail_now, last = read_trail(folder), last_entry(manifest)
    if not trail_now.breaks and last is not None and trail_now.last == last:
        return
    whole = _restored(trail_now, last)
    if whole is None:
        raise IntegrityError(
            f"the audit trail in {folder} is not what was recorded",
            code="E122",
            hint=f"`cytocar verify {folder}` names each place; restore the folder from a backup",
        )
    name = _set_aside(folder, trail_now.torn) if trail_now.torn else ""
    write_atomically(folder / AUDIT, whole)
    act = Act(
        Action.TORN_LINE_SET_ASIDE,
        what=AUDIT,
        before=f"{len(trail_now.torn)} bytes without an end behind entry {len(trail_now.entries)}",
        after=f"kept in {name}" if name else "the missing entry was put back from the manifest",
    )
    torn_hash = {name: hashlib.sha256(trail_now.torn).hexdigest()} if name else {}
    opened.commit({**manifest, "files": {**manifest.get("files", {}), **torn_hash}}, [act])


def _restored(trail_now: Trail, last: Entry | None) -> bytes | None:
    """Return the trail with the last entry put back; None if more than (part of) that entry is lost or other."""
    if last is None:
        return None
    good = b"".join(entry.line for entry in trail_now.entries)
    if trail_now.last != last:
        if not last.line.startswith(trail_now.torn):
            return None
        good += last.line
    whole = parse_trail(good)
    return good if not whole.breaks and whole.last == last else None


def _set_aside(folder: Path, torn: bytes) -> str:
    number = 1
    while (folder / f"audit.torn-{number}").exists():
        number += 1
    write_atomically(folder / f"audit.torn-{number}", torn)
    return f"audit.torn-{number}"


def sync_folder(folder: Path) -> None:
    """Make renames in a folder survive a power cut, where the system can do that for folders."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # what some network drives answer
            raise
    finally:
        os.close(descriptor)
