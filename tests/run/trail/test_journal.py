"""A change of a run folder: all of it or nothing, whatever stops it."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import signal
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cytocar.errors.tree import CytocarError, IntegrityError, UsageError
from cytocar.run.trail.audit import AUDIT, Act, Action, Author, read_trail
from cytocar.run.trail.journal import MANIFEST, PENDING, amend, body_sha256, journal, last_entry, read_manifest

NOON = datetime(2026, 3, 9, 12, tzinfo=UTC)
ME = Author("A. Muster", "muster")


def noon() -> datetime:
    return NOON


RUNNING: dict[str, Any] = {
    "state": "running",
    "samples": [],
    "templates": {},
    "versions": {},
    "sheet": None,
    "settings": {"template": None, "markers": {}},
}


def start(folder: Path) -> Path:
    """Make a finished run of two files."""
    folder.mkdir(exist_ok=True)
    with journal(folder, ME, noon) as opened:
        opened.commit(RUNNING, [Act(Action.RUN_STARTED, "run")])
        opened.commit(
            RUNNING | {"state": "finished"}, [Act(Action.RUN_FINISHED, "run")], {"a.csv": b"1\n", "parts/b": b"2\n"}
        )
    return folder


def change(folder: Path) -> None:
    """Replace one file, add another."""
    files = {"a.csv": b"one\n", "deep/er/c.html": b"<p>"}
    amend(folder, [Act(Action.REPORT_BUILT, "c"), Act(Action.SIGNED, "c")], author=ME, clock=noon, files=files)


def is_consistent(folder: Path) -> bool:
    """Return whether manifest, trail and files agree."""
    manifest, trail = read_manifest(folder), read_trail(folder)
    assert manifest is not None
    assert not trail.breaks
    assert trail.last == last_entry(manifest)
    assert trail.last is not None
    assert trail.last.manifest_sha256 == body_sha256(manifest)
    return all(
        hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest for name, digest in manifest["files"].items()
    )


def test_a_change_writes_files_trail_and_manifest(tmp_path: Path) -> None:
    run = start(tmp_path / "run")
    change(run)
    assert is_consistent(run)
    assert (run / "a.csv").read_bytes() == b"one\n"
    assert [entry.action for entry in read_trail(run).entries] == [
        "run started",
        "run finished",
        "report built",
        "signed",
    ]
    assert not (run / PENDING).exists()


def killed_at(step: int, action: Callable[[], None]) -> bool:
    """Carry out an action in a child process that gets ``kill -9`` at its n-th system call; return whether it died."""
    child = os.fork()
    if child == 0:
        _die_at(step)
        try:
            action()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def _die_at(step: int) -> None:
    """Let the n-th call that changes a disk be a kill instead; a write is torn in its middle first."""
    calls = 0

    def counted(name: str, owner: Any) -> None:
        original = getattr(owner, name)

        def call(*words: Any, **named: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == step:
                os.kill(os.getpid(), signal.SIGKILL)
            return original(*words, **named)

        setattr(owner, name, call)

    for name in ("replace", "rename", "mkdir", "unlink", "touch"):
        counted(name, Path)
    for name in ("fsync", "replace", "rmdir", "unlink"):
        counted(name, os)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kill -9 needs a system that forks")
def test_a_kill_at_any_step_leaves_nothing_or_all_that_is_needed(tmp_path: Path) -> None:
    template = start(tmp_path / "template")
    seen = set()
    for step in range(1, 200):
        run = tmp_path / f"run{step}"
        shutil.copytree(template, run)
        died = killed_at(step, partial(change, run))
        with journal(run, ME, noon):
            pass  # the next command settles the folder before anything else
        assert is_consistent(run), step
        seen.add((run / "a.csv").read_bytes())
        assert ((run / "a.csv").read_bytes() == b"one\n") == (len(read_trail(run).entries) == 4)
        if not died:
            break
    assert not died
    assert step > 15
    assert seen == {b"1\n", b"one\n"}


def test_a_line_torn_in_a_pending_change_is_completed(tmp_path: Path) -> None:
    run = start(tmp_path / "run")
    before = (run / AUDIT).read_bytes()
    shutil.copytree(run, tmp_path / "copy")
    change(tmp_path / "copy")
    added = (tmp_path / "copy" / AUDIT).read_bytes()[len(before) :]
    pending = run / PENDING
    (pending / "deep/er").mkdir(parents=True)
    (pending / "deep/er/c.html").write_bytes(b"<p>")
    (pending / "a.csv").write_bytes(b"one\n")
    (pending / f"{AUDIT}.at-{len(before)}").write_bytes(added)
    shutil.copy(tmp_path / "copy" / MANIFEST, pending / MANIFEST)
    (run / AUDIT).write_bytes(before + added[:100])
    with journal(run, ME, noon):
        assert is_consistent(run)
    assert len(read_trail(run).entries) == 4


@pytest.mark.parametrize("cut", [1, 2, 50, 200])
def test_a_torn_last_line_is_kept_aside_and_put_back_from_the_manifest(tmp_path: Path, cut: int) -> None:
    run = start(tmp_path / "run")
    whole = (run / AUDIT).read_bytes()
    (run / AUDIT).write_bytes(whole[:-cut])
    change(run)
    assert is_consistent(run)
    trail = read_trail(run)
    assert [entry.action for entry in trail.entries][1:3] == ["run finished", "torn line set aside"]
    assert whole[:-cut].endswith((run / "audit.torn-1").read_bytes())


def test_bytes_behind_the_last_line_are_kept_aside(tmp_path: Path) -> None:
    run = start(tmp_path / "run")
    with (run / AUDIT).open("ab") as file:
        file.write(b'{"action":"overr')
    change(run)
    assert is_consistent(run)
    assert (run / "audit.torn-1").read_bytes() == b'{"action":"overr'


def test_nothing_is_written_to_a_run_whose_trail_was_changed(tmp_path: Path) -> None:
    run = start(tmp_path / "run")
    lines = (run / AUDIT).read_bytes().splitlines(keepends=True)
    (run / AUDIT).write_bytes(lines[1] + lines[0])
    with pytest.raises(IntegrityError, match="not what was recorded"):
        change(run)
    assert (run / "a.csv").read_bytes() == b"1\n"


def test_two_commands_never_write_one_run(tmp_path: Path) -> None:
    run = start(tmp_path / "run")
    with journal(run, ME, noon), pytest.raises(UsageError, match="another cytocar command") as second:
        change(run)
    assert second.value.code == "E113"
    change(run)


def test_a_full_disk_leaves_the_run_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = start(tmp_path / "run")

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(CytocarError, match="No space left") as error:
            change(run)
    assert error.value.code == "E108"
    assert is_consistent(run)
    assert (run / "a.csv").read_bytes() == b"1\n"
    assert not list(run.glob(".pending*"))
    change(run)
    assert is_consistent(run)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_is_refused(tmp_path: Path) -> None:
    run = start(tmp_path / "run")
    (run / ".lock").unlink()
    run.chmod(0o555)
    try:
        with pytest.raises(UsageError, match="cannot be written"):
            change(run)
    finally:
        run.chmod(0o755)


def test_only_a_finished_run_is_amended(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not a run folder"):
        change(tmp_path)
    run = tmp_path / "run"
    run.mkdir()
    with journal(run, ME, noon) as opened:
        opened.commit(RUNNING, [Act(Action.RUN_STARTED, "run")])
    with pytest.raises(UsageError, match="not finished"):
        change(run)


def test_a_draft_is_moved_into_the_run_and_pinned(tmp_path: Path) -> None:
    run = start(tmp_path / "run")
    draft = run / "large.csv.tmp"
    draft.write_bytes(b"3\n")
    with journal(run, ME, noon) as opened:
        manifest = read_manifest(run)
        assert manifest is not None
        opened.commit(manifest, [Act(Action.REPORT_BUILT, "large")], {"large.csv": draft})
    assert not draft.exists()
    assert (run / "large.csv").read_bytes() == b"3\n"
    assert is_consistent(run)
