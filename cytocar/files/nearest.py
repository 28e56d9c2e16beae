"""The file that a name nearly is: other case, no ending, another form of its accents, bytes that are no text."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from unicodedata import normalize

from cytocar.errors.near_names import near_names


def is_text(name: str) -> bool:
    """True if a file's name is UTF-8, so that tables and reports can hold it."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def printable(path: Path) -> Path:
    """Return a path as it can be printed; bytes that are no UTF-8 as ``\\xe4``."""
    return Path(os.fsencode(path).decode("utf-8", "backslashreplace"))


def same_name(path: Path) -> Path | None:
    """Return the file of this name in another form of Unicode, None where there is none.

    A Mac writes ``ü`` as ``u`` and two dots (NFD), other systems as one letter (NFC): to people it is one name.
    """
    wanted = normalize("NFC", path.name)
    hits = [name for name in _names_beside(path) if normalize("NFC", name) == wanted]
    return path.with_name(hits[0]) if len(hits) == 1 else None


def why_not_there(path: Path) -> str:
    """The nearest name of a file that does not exist, as `` (there is ref.fcs)``; empty where none is near.

    Examples
    --------
    >>> why_not_there(Path("/no/such/folder/ref.fcs"))
    ' (there is no folder /no/such/folder)'
    """
    try:
        has_folder = path.parent.is_dir()
        if leads_nowhere(path):
            return " (it is a link that leads nowhere)"
    except OSError:
        return ""  # a name that no system can hold
    if not has_folder:
        return f" (there is no folder {path.parent})"
    names = [name for name in _names_beside(path) if is_text(name)]
    wanted = path.name.casefold()
    alike = [name for name in names if wanted in (name.casefold(), Path(name).stem.casefold())]
    near = alike or near_names(path.name, (name for name in names if not _of_another(name, path.name)), alike=0.8)
    return f" (there is {', '.join(sorted(near)[:3])})" if near else ""


def _of_another(name: str, wanted: str) -> bool:
    """True if a name differs in its numbers: it is the file of another well, day or tube, and no misspelling.

    >>> _of_another("plate_P21_381.fcs", "plate_P01_361.fcs"), _of_another("day09.fcs", "dya9.fcs")
    (True, False)
    """
    own, other = ([int(digits) for digits in re.findall(r"[0-9]+", each)] for each in (wanted, name))
    return len(own) == len(other) and own != other


def leads_nowhere(path: Path) -> bool:
    """True if a path is a link to what is not there."""
    return path.is_symlink() and not path.exists()


def is_no_text(path: Path) -> bool:
    """True if a path that is not there is the printable form of one whose name is not UTF-8."""
    return any(not is_text(name) and printable(Path(name)).name == path.name for name in _names_beside(path))


def _names_beside(path: Path) -> Iterator[str]:
    try:
        yield from (entry.name for entry in path.parent.iterdir())
    except OSError:
        return
