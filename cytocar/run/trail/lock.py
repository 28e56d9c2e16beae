"""One command at a time may write a run folder: a lock that the operating system lifts when its holder dies."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from cytocar.errors.tree import UsageError

if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


LOCK = ".lock"
_held: set[IO[bytes]] = set()


def _let_go() -> None:
    """Close the locks that a forked process was born with: they are its parent's, and must end when that one does."""
    for file in _held:
        file.close()
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)

_NO_LOCKS_HERE = {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}
"""What a network drive without locks answers."""


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Hold a run folder for this command alone.

    Raises
    ------
    UsageError
        E113 if another command holds it, E108 if the folder cannot be written.
    """
    try:
        file = (folder / LOCK).open("ab")
    except OSError as error:
        raise not_writable(folder, error) from error
    with file:
        try:
            _lock(file.fileno())
        except (BlockingIOError, PermissionError):
            raise UsageError(
                f"another cytocar command is at work in {folder}",
                code="E113",
                hint="wait until it is done; nothing was changed",
            ) from None
        except OSError as error:
            if error.errno not in _NO_LOCKS_HERE:
                raise not_writable(folder, error) from error
            from logging import getLogger

            getLogger(__name__).warning("%s knows no locks: see to it that one command at a time works in it", folder)
        _held.add(file)
        try:
            yield
        finally:
            _held.discard(file)


def not_writable(folder: Path, error: OSError) -> UsageError:
    """Return the error for a run folder that cannot be written: rights, a full disk."""
    return UsageError(
        f"the folder {folder} cannot be written: {error.strerror}",
        code="E108",
        hint="correct the rights or make room, then repeat the command; what was finished is kept",
    )
