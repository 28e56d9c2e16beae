"""Folders into which a cytometer writes: which of their files are finished, by looking again and again.

No events of a file system are asked for, so that a share of another machine serves as well. A file is finished when its
size and time have not changed between two looks and it holds as many events as ``$TOT`` says. One that never gets there
(cut short, or without ``$TOT``) is handed on after a while as it is: reading it says what is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct, field

from cytocar.errors.tree import ReadError
from cytocar.fcs.reader import list_data_sets
from cytocar.fcs.segments import whole_number
from cytocar.files.source import file_sha256
from cytocar.run.observer import NOBODY, Observer, observed
from cytocar.sheet.inputs import fcs_files

STALLED_S = 300.0
"""A file that lacks events and does not grow for so long was left behind. Instruments write a tube within seconds after
its acquisition; a copy over a network that hangs for five minutes has failed."""

State = tuple[int, int, int]
"""Size, time of the last change, and number in the file system: another file of the same name has another one."""


class Seen(Struct, frozen=True):
    """What a look found: files that are finished, with their hashes, and files that are still being written."""

    finished: dict[Path, str] = field(default_factory=dict)
    growing: tuple[Path, ...] = ()


UNREADABLE: State = (-1, -1, -1)


class _Known(Struct):
    state: State
    since: float
    is_whole: bool = False
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

    def look(self, now: float, observer: Observer = NOBODY) -> Seen:
        """What lies there at a time, in seconds of any clock that only goes forward.

        The observer hears of each file whose hash is taken: those that were finished since the last look.

        Raises
        ------
        OSError
            A folder cannot be listed, as when the network is away.
        """
        known: dict[Path, _Known] = {}
        for file in (Path(str(file)) for folder in self._folders for file in _listed(folder)):
            one = self._again(file, now)
            if one is not None:
                known[file] = one
        self._known = known
        whole = [file for file, one in known.items() if one.sha256 is None and one.is_whole]
        for file in observed(whole, len(whole), observer):
            known[file].sha256 = _hash(file, known[file].state)
        finished = {file: one.sha256 for file, one in known.items() if one.sha256 is not None}
        return Seen(finished, tuple(file for file in known if file not in finished))

    def _again(self, file: Path, now: float) -> _Known | None:
        """What is known of a file after another look; ``None`` when it has gone meanwhile."""
        try:
            state = _state(file)
            before = self._known.get(file)
            if before is None or before.state != state:
                return _Known(state, now)
            before.is_whole = now - before.since >= STALLED_S or holds_all_events(file)
        except FileNotFoundError:
            return None
        except OSError:
            return _Known(UNREADABLE, now)  # locked by the instrument's program: asked again
        return before


def _state(file: Path) -> State:
    status = file.stat()
    return status.st_size, status.st_mtime_ns, status.st_ino


def _hash(file: Path, state: State) -> str | None:
    """Return the hash of a file; None where it cannot be read, or is another one by now: it is asked again."""
    try:
        sha256 = file_sha256(file)
        return sha256 if _state(file) == state else None
    except (OSError, ReadError):
        return None


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
