"""Files of a folder and its subfolders: none is left out without a word."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cytocar.errors.tree import UsageError
from cytocar.files.nearest import why_not_there
from cytocar.files.places import files_below
from cytocar.sheet.inputs import collect


def _below(folder: Path) -> list[str]:
    return sorted(Path(str(file)).relative_to(folder).as_posix() for file in files_below(folder, lambda _: True))


def _linked(link: Path, to: Path) -> None:
    try:
        link.symlink_to(to, target_is_directory=to.is_dir())
    except OSError:
        pytest.skip("this system lets nobody make links")


def test_linked_folders_are_searched_once_and_loops_end(tmp_path: Path) -> None:
    plates, share = tmp_path / "plates", tmp_path / "share"
    for folder in (plates / "p1", share / "deep"):
        folder.mkdir(parents=True)
        (folder / "a.fcs").touch()
    _linked(plates / "p1" / "up", plates)
    _linked(plates / "also-p1", plates / "p1")
    _linked(plates / "instrument", share)
    _linked(plates / "instrument-too", share)
    assert _below(plates) == ["instrument/deep/a.fcs", "p1/a.fcs"]


def test_a_link_that_leads_nowhere_is_a_sample_that_is_missing(tmp_path: Path) -> None:
    _linked(tmp_path / "gone.fcs", tmp_path / "nowhere.fcs")
    assert _below(tmp_path) == ["gone.fcs"]
    assert why_not_there(tmp_path / "gone.fcs") == " (it is a link that leads nowhere)"


def test_a_folder_that_cannot_be_listed_stops_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.fcs").touch()
    (tmp_path / "p2").mkdir()
    listing = os.scandir

    def refused(path: str) -> object:
        if str(path).endswith(("p2", "lost+found")):
            raise PermissionError(13, "Permission denied", str(path))
        return listing(path)

    monkeypatch.setattr(os, "scandir", refused)
    with pytest.raises(UsageError, match="p2 cannot be listed: Permission denied") as caught:
        collect([tmp_path])
    assert caught.value.code == "E103"
    (tmp_path / "p2").rmdir()
    (tmp_path / "lost+found").mkdir()
    assert _below(tmp_path) == ["a.fcs"]
