"""Folders into which a cytometer writes: which of their files are finished, by looking again and again.

No events of a file system are asked for, so that a share of another machine serves as well. A file is finished when its
size and time have not changed between two looks and it holds as many events as ``$TOT`` says. One that never gets there
(cut short, or without ``$TOT``) is handed on after a while as it is: reading it says what is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cytocar.errors.tree import ReadError
from cytocar.fcs.reader import list_data_sets
from cytocar.fcs.segments import whole_number
from cytocar.files.source import file_sha256
from cytocar.sheet.inputs import fcs_files

STALLED_S = 300.0
"""A file that lacks events and does not grow for so long was left behind. Instruments write a tube within seconds after
its acquisition; a copy over a network that hangs for five minutes has failed."""

State = tuple[int, int, int]
"""Size, time of the last change, and number in the file system: another file of the same name has another one."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look found: files that are finished, with their hashes, and files that are still being written."""

    finished: dict[Path, str] = field(default_factory=dict)
    growing: tuple[Path, ...] = ()


@dataclass(slots=True)
class _Known:
    state: State
    since: float
    sha256: str | None = None


class HotFolder:
    """Folders that are looked at again and again.

    Parameters
    ----------
    folders : sequence of Path
        Searched with their subfolders.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = tuple(folders)
        self._known: dict[Path, _Known] = {}

    def look(self, now: float) -> Seen:
        """Return what lies there at a time, in seconds of any clock that only goes forward.

        Raises
        ------
        OSError
            A folder cannot be listed, as when the network is away.
        """
        finished: dict[Path, str] = {}
        growing = []
        known: dict[Path, _Known] = {}
        for file in (Path(str(file)) for folder in self._folders for file in _listed(folder)):
            one = self._again(file, now)
            if one is None:
                continue
            known[file] = one
            if one.sha256 is None:
                growing.append(file)
            else:
                finished[file] = one.sha256
        self._known = known
        return Seen(finished, tuple(growing))

    def _again(self, file: Path, now: float) -> _Known | None:
        """Return what is known of a file after another look; ``None`` when it has gone meanwhile."""
        try:
            status = file.stat()
            state = status.st_size, status.st_mtime_ns, status.st_ino
            before = self._known.get(file)
            if before is None or before.state != state:
                return _Known(state, now)
            if before.sha256 is None and (now - before.since >= STALLED_S or holds_all_events(file)):
                before.sha256 = file_sha256(file)
        except FileNotFoundError:
            return None
        except (OSError, ReadError):
            return _Known(state, now)  # locked by the instrument's program: asked again
        return before


def _listed(folder: Path) -> list[Path]:
    with_entries = next(folder.iterdir(), None)  # raises where the folder is not there: rglob would find nothing
    return [Path(str(file)) for file in fcs_files(folder)] if with_entries is not None else []


def holds_all_events(file: Path) -> bool:
    """True if every data set of a file holds the events that its ``$TOT`` promises, at least one.

    A file whose instrument writes ``$TOT`` last says 0 until then.
    """
    try:
        tables = list_data_sets(file)
    except ReadError:
        return False
    return all(
        table.n_events > 0 and whole_number(table.keywords.get("$TOT", "")) == table.n_events for table in tables
    )
