"""The file that a sample comes from, as bytes: there, readable, finished, and which bytes it holds."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cytocar.errors import ReadError

FileState = tuple[int, int]


@contextmanager
def _readable() -> Iterator[None]:
    """Turn what the system says about a file into what a sample says."""
    try:
        yield
    except FileNotFoundError:
        raise ReadError("the file does not exist", code="E010", hint="check the path in the sheet") from None
    except OSError as error:
        raise ReadError(
            f"the file cannot be read: {error.strerror}", code="E010", hint="check its rights, and that it is a file"
        ) from error


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    with _readable(), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_state(path: Path) -> FileState:
    """Return what shows that a file is written to: its size, and when it was last changed."""
    with _readable():
        found = path.stat()
    return found.st_size, found.st_mtime_ns


def require_unchanged(path: Path, before: FileState) -> None:
    """Raise E009 when the cytometer or a copy was still writing the file: no count of half a file."""
    if file_state(path) != before:
        raise ReadError(
            "the file changed while it was read",
            code="E009",
            hint="wait until the cytometer has saved it or the copy is done, then run again: other samples are kept",
        )
