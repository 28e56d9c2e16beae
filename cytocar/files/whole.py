"""Files that are written whole or not at all, and not refused at the end of the work."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from cytocar.errors.tree import UsageError


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file whole or not at all, also when the power goes: temporary name, fsync, rename."""
    data = content.encode() if isinstance(content, str) else content
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o666 & ~_UMASK)  # noqa: PTH101 -- mkstemp gave the owner alone the right to read
        os.replace(name, path)  # noqa: PTH105
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def require_writable(path: Path) -> None:
    """Refuse a file that could not be written, before the work whose result it is to hold.

    Its folder may be one that is still to be made.

    Raises
    ------
    UsageError
        E108 if it cannot be written.
    """
    folder = next(place for place in path.parents if place.exists())
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
        if path.exists():
            with path.open("ab"):
                pass
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror}",
            code="E108",
            hint="correct the rights or make room, or name another place",
        ) from error


def _current_umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


_UMASK = _current_umask()
