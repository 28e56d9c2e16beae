"""SciPy's special functions, loaded without what they do not need of NumPy."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from importlib import import_module

import numpy as np

SCIPY_SPECIAL = "scipy.special"
_WHERE_SCIPY_REWRITES = "scipy._lib._array_api"


class _Unread:
    """What SciPy takes for the documentation of a function: none."""

    def __init__(self, function: object) -> None:
        self.parts: dict[str, list[str]] = {}

    def __getitem__(self, part: str) -> list[str]:
        return self.parts.setdefault(part, [])

    def __str__(self) -> str:
        return "\n"


def load_special_functions(*, documented: bool = True) -> None:
    """Load ``scipy.special``, unless it is loaded, while NumPy lists only what it has loaded itself.

    Parameters
    ----------
    documented : bool
        Whether somebody may read the functions' help in this process: no user of a command does. SciPy takes it apart
        to add a table to it, which is half of the time.

    Notes
    -----
    SciPy copies all that NumPy lists, which loads NumPy's reader of Fortran, masked arrays,
    random numbers and tests: 90 of 140 ms, and 17 of 26 MB, of which a count needs nothing. They are loaded as ever
    when somebody asks for them. ``from scipy.special import ...`` works without this too, and takes longer.
    """
    if SCIPY_SPECIAL in sys.modules:
        return
    loaded = [name for name in np.__all__ if name in vars(np)]
    every: dict[str, object] = {name: vars(np)[name] for name in ("__all__", "__dir__") if name in vars(np)}
    vars(np).update(__all__=loaded, __dir__=lambda: loaded)
    try:
        with nullcontext() if documented else _without_documentation():
            import_module(SCIPY_SPECIAL)
    finally:
        vars(np).update(every)


@contextmanager
def _without_documentation() -> Iterator[None]:
    """Let SciPy find no documentation to take apart, where this version of it does so."""
    try:
        tables = vars(import_module(_WHERE_SCIPY_REWRITES))
    except ImportError:
        tables = {}
    reader = tables.get("FunctionDoc")
    if reader is None:  # another version of SciPy
        yield
        return
    tables["FunctionDoc"] = _Unread
    try:
        yield
    finally:
        tables["FunctionDoc"] = reader
