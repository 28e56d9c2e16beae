"""A run is set aside as a whole or not at all, wherever the move is interrupted."""

from __future__ import annotations

from pathlib import Path

import pytest

from cytocar.run.trail.revisions import REVISIONS, is_interrupted, set_aside, settle_interrupted_move

FILES = ("audit.jsonl", "counts.csv", "manifest.json", "parts/d0.json")


def run_folder(folder: Path) -> Path:
    for name in FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name, "utf-8")
    (folder / ".lock").touch()
    return folder


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_everything_but_the_lock_goes_into_the_next_revision(tmp_path: Path) -> None:
    run = run_folder(tmp_path)
    set_aside(run, last="manifest.json", stay=frozenset({".lock"}))
    assert files(run) == {".lock", *(f"revisions/1/{name}" for name in FILES)}
    set_aside(run, last="manifest.json", stay=frozenset({".lock"}))
    assert sorted(path.name for path in (run / REVISIONS).iterdir()) == ["1"], "nothing to set aside, no revision"
    run_folder(run)
    set_aside(run, last="manifest.json", stay=frozenset({".lock"}))
    assert sorted(path.name for path in (run / REVISIONS).iterdir()) == ["1", "2"]


@pytest.mark.parametrize("moved", range(6))
def test_a_move_that_is_interrupted_is_undone_until_the_manifest_has_gone_and_ended_after(
    moved: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_folder(tmp_path)
    rename, renames = Path.rename, 0

    def interrupted(path: Path, target: Path) -> Path:
        nonlocal renames
        renames += 1
        if renames > moved:
            raise KeyboardInterrupt
        return rename(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", interrupted)
        if moved < 5:
            with pytest.raises(KeyboardInterrupt):
                set_aside(run, last="manifest.json", stay=frozenset({".lock"}))
        else:
            set_aside(run, last="manifest.json", stay=frozenset({".lock"}))
    assert is_interrupted(run, last="manifest.json") == (0 < moved < 4)
    settle_interrupted_move(run, last="manifest.json")
    assert not is_interrupted(run, last="manifest.json")
    prefix = "" if moved < 4 else "revisions/1/"
    assert files(run) == {".lock", *(f"{prefix}{name}" for name in FILES)}
