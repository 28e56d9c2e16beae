"""Where files lie: a path of this machine, or an address (``s3://bucket/day9.fcs``). Both are asked the same questions.

``Path("s3://bucket/x")`` would lose a slash, so what people write becomes a place here and nowhere else.
"""

from __future__ import annotations

import errno
import os
import reprlib
import stat
from abc import ABC
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cytocar.errors.tree import ReadError, UsageError
from cytocar.files.address import is_address, without_secrets
from cytocar.files.nearest import is_no_text, leads_nowhere, why_not_there
from cytocar.files.remote import Address

if TYPE_CHECKING:
    Place = Path | Address
else:

    class Place(ABC):  # noqa: B024 -- one type, which records that are read back can name
        """A file or folder, wherever it lies."""

    Place.register(Path)
    Place.register(Address)


def place_of(text: str | Path | Address) -> Path | Address:
    """Return the place that a text names.

    >>> place_of("runs/day9.fcs").name, place_of("s3://bucket/day9.fcs")
    ('day9.fcs', Address('s3://bucket/day9.fcs'))
    >>> place_of(9)
    Traceback (most recent call last):
    TypeError: a path or an address is needed, not 9
    """
    if isinstance(text, str):
        return Address(text) if is_address(text) else Path(text)
    if not isinstance(text, Path | Address):
        raise TypeError(f"a path or an address is needed, not {reprlib.repr(text)}")
    return text


def beside(folder: Path | Address, name: str) -> Path | Address:
    """Return the place that a name means in a folder; an address, or an absolute path, means itself.

    >>> str(beside(Path("runs"), "s3://bucket/day9.fcs")), str(beside(Address("s3://bucket/run1"), "day9.fcs"))
    ('s3://bucket/day9.fcs', 's3://bucket/run1/day9.fcs')
    """
    if is_address(name):
        return Address(name)
    return Path(name) if Path(name).is_absolute() else folder / name


def lies_in(place: Path | Address, folder: Path | Address) -> bool:
    """True if a place lies in a folder or below."""
    if isinstance(place, Address) or isinstance(folder, Address):
        return isinstance(place, Address) and isinstance(folder, Address) and place.is_relative_to(folder)
    return place.resolve().is_relative_to(folder.resolve())


def files_below(folder: Path | Address, wanted: Callable[[Path | Address], bool]) -> Iterator[Path | Address]:
    """Yield the wanted files of a folder and its subfolders, linked ones too, each folder once.

    A link that leads nowhere is yielded as the file that it stands for: a sample that is missing has to be heard of.

    Raises
    ------
    OSError
        A subfolder cannot be listed: its files would be left out without a word.
    """
    if isinstance(folder, Address):
        yield from filter(wanted, folder.files_below())
        return
    seen: set[str] = set()
    waiting = [folder]
    while waiting:  # folders that are links come after all others, which then keep their own names
        at = waiting.pop(0)
        for name, folders, files in os.walk(at, onerror=_cannot_be_listed):
            if os.path.realpath(name) in seen:
                folders.clear()
                continue
            seen.add(os.path.realpath(name))
            folders[:] = sorted(one for one in folders if one not in _OF_THE_SYSTEM)
            waiting += [Path(name, one) for one in folders if Path(name, one).is_symlink()]
            here = (Path(name, one) for one in files)
            yield from (file for file in here if wanted(file) and (file.is_file() or leads_nowhere(file)))


_OF_THE_SYSTEM = frozenset({"lost+found", "System Volume Information", "$RECYCLE.BIN"})
"""Folders that a file system keeps for itself at the top of a disk; nobody stores samples there, and few may look."""


def _cannot_be_listed(error: OSError) -> None:
    raise error


def require_packages(*places: Path | Address) -> None:
    """Refuse to begin where a protocol's package is missing.

    Raises
    ------
    UsageError
        E190 with what to install.
    """
    for place in {place.scheme: place for place in places if isinstance(place, Address)}.values():
        try:
            place.require_package()
        except ReadError as error:
            raise UsageError(error.message, code=error.code, hint=error.hint) from None


def is_there(place: Path | Address) -> bool:
    """True if a place holds something; no for a name that no system can hold: opening it says why."""
    try:
        return place.exists()
    except (OSError, ValueError):
        return False


def is_file(place: Path | Address) -> bool:
    """True if a place holds a file; as ``is_there``."""
    try:
        return place.is_file()
    except (OSError, ValueError):
        return False


def require_regular(place: Path | Address) -> None:
    """Refuse what is there and is no file: a pipe would be waited for, and a device read, without end.

    Raises
    ------
    OSError
        With what it is as its reason; nothing where there is nothing.
    """
    if isinstance(place, Address):
        return
    try:
        mode = os.stat(place).st_mode  # noqa: PTH116 -- Path.stat hides no more, and asks twice
    except FileNotFoundError:
        return
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, f"it is {_KINDS.get(stat.S_IFMT(mode), 'no file')}, not a file", str(place))


_KINDS = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a named pipe", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device",
          stat.S_IFSOCK: "a socket"}  # fmt: skip

MOST_BYTES = 500_000_000
"""Of a table or a document that is read whole: ``populations.csv`` of a hundred thousand samples is smaller."""


def whole_bytes(place: Path | Address) -> bytes:
    """Return the content of a table or document, which is a file and no larger than such files are.

    Raises
    ------
    OSError
        It is not there, is no file, is larger than ``MOST_BYTES``, or cannot be read.
    """
    require_regular(place)
    if isinstance(place, Path) and place.stat().st_size > MOST_BYTES:
        raise OSError(errno.EFBIG, f"it is larger than {MOST_BYTES // 1_000_000} MB", str(place))
    return place.read_bytes()


@contextmanager
def readable(place: Path | Address) -> Iterator[None]:
    """Turn what the system, or a protocol, says about a file into what a sample says."""
    try:
        yield
    except OSError as error:
        raise unreadable(place, error) from error


def unreadable(place: Path | Address, error: OSError) -> ReadError:
    """The error of a file that cannot be read: E010 on this machine, E191 at an address."""
    if error.errno == errno.ENOSPC:
        return ReadError(
            "there is no space left for the copy of the file that is counted",
            code="E191",
            hint="the environment variable TMPDIR names another folder for such copies",
        )
    if isinstance(place, Address):
        return ReadError(f"{place} cannot be read: {error.strerror}", code="E191", hint=_hint(error))
    if isinstance(error, FileNotFoundError):
        if is_no_text(place):
            return ReadError(
                f"the file's name {place.name!r} is not UTF-8",
                code="E068",
                hint="rename the file: it came from a system with another encoding of names",
            )
        return ReadError(f"the file does not exist{why_not_there(place)}", code="E010", hint="check its name and path")
    return ReadError(
        f"the file cannot be read: {error.strerror or error}",
        code="E010",
        hint="check its rights, and that it is a file",
    )


def _hint(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "check the address: bucket, folder and name, with capital and small letters"
    if isinstance(error, PermissionError):
        return "check the credentials of the process that counts (environment, profile, role), and its rights there"
    return "check network, endpoint and credentials, then give the same command again: other samples are kept"


__all__ = [
    "Address", "Place", "beside", "files_below", "is_address", "is_file", "is_there", "lies_in", "place_of", "readable",
    "require_packages", "require_regular", "unreadable", "whole_bytes", "without_secrets",
]  # fmt: skip
