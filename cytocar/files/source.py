"""The file that a sample comes from, as bytes: there, readable, finished, and which bytes it holds."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from threading import Thread

from cytocar.errors.tree import ReadError
from cytocar.files.places import Address, Place, readable, require_regular
from cytocar.files.remote import LARGE_RANGE_BYTES, State

FileState = tuple[int, int] | State

LARGE = 16_000_000
"""Bytes from which on a file is hashed beside its counting; for fewer, as in the wells of a plate, no thread pays."""


@contextmanager
def at_hand(place: Place) -> Iterator[Path]:
    """Lend a sample's file as a path of this machine, and refuse one that is still being written.

    A path is lent as it is and looked at again afterwards. From an address the file is fetched once, whole, into a
    scratch folder (``TMPDIR``) under its own name; what becomes of the original after that makes no difference.

    Raises
    ------
    ReadError
        E009 it changed meanwhile, E010 or E191 it cannot be read, E190 its protocol's package is missing.
    """
    before = file_state(place)
    if not isinstance(place, Address):
        yield place
        require_unchanged(place, before)
        return
    with ExitStack() as stack:
        with readable(place):
            scratch = tempfile.TemporaryDirectory(prefix="cytocar-", ignore_cleanup_errors=True)
            copy = Path(stack.enter_context(scratch)) / place.name
            place.fetch(copy)
        require_unchanged(place, before)
        yield copy


def file_sha256(place: Place) -> str:
    """Return the SHA-256 of a file's bytes."""
    opened = place.open if isinstance(place, Path) else partial(place.open, buffering=LARGE_RANGE_BYTES)
    with readable(place), opened("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hashing(path: Path) -> Callable[[], str]:
    """Begin ``file_sha256``, and return what waits for it.

    Hashing leaves the interpreter to others, so that a large file costs no time of its own where there are two cores.
    """
    with readable(path):
        size = path.stat().st_size
    if size < LARGE:
        sha256 = file_sha256(path)
        return lambda: sha256
    from concurrent.futures import Future

    digest: Future[str] = Future()

    def hash_file() -> None:
        try:
            digest.set_result(file_sha256(path))
        except ReadError as error:
            digest.set_exception(error)

    beside = Thread(target=hash_file, daemon=True)  # so that a command that is interrupted does not wait for it
    beside.start()

    def result() -> str:
        beside.join()
        return digest.result()

    return result


def file_state(place: Place) -> FileState:
    """A mark that changes when the file is written to: its size and time, or the protocol's own."""
    with readable(place):
        if isinstance(place, Address):
            return place.state()
        require_regular(place)
        status = place.stat()
        return status.st_size, status.st_mtime_ns


def local_state(place: Place) -> FileState | None:
    """The mark of a file on this machine; None of one at an address, or of none that can be read."""
    try:
        return None if isinstance(place, Address) else file_state(place)
    except ReadError:
        return None


def require_unchanged(place: Place, before: FileState) -> None:
    """Raise E009 when the cytometer or a copy was still writing the file: no count of half a file."""
    if file_state(place) != before:
        raise ReadError(
            "the file changed while it was read",
            code="E009",
            hint="wait until the cytometer has saved it or the copy is done, then run again: other samples are kept",
        )
