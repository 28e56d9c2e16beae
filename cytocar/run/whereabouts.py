"""Where the files of a run lie, seen from its folder: so that both can move together, and be opened from anywhere.

A manifest keeps a path as the command got it. Beside that it keeps, relative to the run folder, where relative paths
started (the folder of the command) and where the sheet lay.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cytocar.files.places import Address, Place, beside, is_file, place_of
from cytocar.run.trail.journal import Manifest

SEEN_FROM_RUN = "seen_from_run"
_COMMAND, _SHEET = "command", "sheet"


def seen_from(out: Path, sheet: Place | None) -> dict[str, Any]:
    """The starting points of a manifest's paths."""
    starts = {_COMMAND: Path.cwd()} | ({_SHEET: sheet.parent} if isinstance(sheet, Path) else {})
    return {SEEN_FROM_RUN: {name: _relative(start, out) for name, start in starts.items()}}


def moved_to(out: Path, manifest: Manifest, old: Path) -> dict[str, Any]:
    """Return the same for a run in another folder than ``old``."""
    return {SEEN_FROM_RUN: {name: _relative(old / start, out) for name, start in _starts(manifest).items()}}


def _relative(start: Path, out: Path) -> str:
    try:
        return Path(os.path.relpath(start.resolve(), out.resolve())).as_posix()
    except ValueError:  # another drive
        return start.resolve().as_posix()


def _starts(manifest: Manifest) -> dict[str, str]:
    starts = manifest.get(SEEN_FROM_RUN)
    return {name: start for name, start in starts.items() if isinstance(start, str)} if isinstance(starts, dict) else {}


def whereabouts(file: Place, as_given: str, manifest: Manifest, run: Path) -> Place:
    """Where a file of a run lies now: the first place that holds one, else where it was.

    Parameters
    ----------
    file : Place
        As the manifest keeps it.
    as_given : str
        As the sheet names it.
    run : Path
        The run folder, wherever it is now.
    """
    if isinstance(file, Address):
        return file
    places = list(_places(file, as_given, _starts(manifest), run))
    return next((place for place in places if is_file(place)), places[0])


def _places(file: Path, as_given: str, starts: dict[str, str], run: Path) -> Iterator[Path]:
    if file.is_absolute():
        yield file
    elif _COMMAND in starts:
        yield Path(os.path.normpath(run / starts[_COMMAND] / file))
    else:  # a run of an older version: relative to wherever that command was given
        yield file
    if _SHEET in starts and not Path(as_given).is_absolute():
        place = beside(Path(os.path.normpath(run / starts[_SHEET])), as_given)
        if isinstance(place, Path):
            yield place


def sheet_now(manifest: Manifest, run: Path) -> Place:
    """Where the sheet of a run lies now."""
    sheet = manifest["sheet"]
    return whereabouts(place_of(sheet["path"]), sheet["file"], manifest, run)
