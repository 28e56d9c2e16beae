"""SciPy's functions behind exact intervals, without the rest of ``scipy.special``.

``import scipy.special`` also prepares for other array libraries and loads ``numpy.f2py`` and ``numpy.testing`` on the
way: a tenth of a second, a fifth of what counting one file takes. The functions themselves lie in one compiled module,
which is loaded here alone. They are the very functions that ``scipy.special`` hands out.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import scipy

__all__ = ["betaincinv", "gammaincinv", "ndtr", "pdtr", "pdtrc"]

_PACKAGE = "scipy.special"


def _functions() -> ModuleType:
    """Return a module that holds the functions: the compiled one if it can be had alone, else the whole package.

    A compiled module runs the ``__init__`` of its package first, unless the package is there already. So an empty one
    stands in while it is loaded. Another thread could meet it, hence never beside one.
    """
    if _PACKAGE in sys.modules or threading.active_count() > 1:
        return import_module(_PACKAGE)
    stand_in = ModuleType(_PACKAGE)
    stand_in.__path__ = [str(Path(folder) / "special") for folder in scipy.__path__]
    sys.modules[_PACKAGE] = stand_in
    try:
        compiled: ModuleType | None = import_module(f"{_PACKAGE}._ufuncs")
    except (ImportError, AttributeError):  # a SciPy that lays its files out otherwise
        compiled = None
    finally:
        del sys.modules[_PACKAGE]
    return compiled if compiled and all(hasattr(compiled, name) for name in __all__) else import_module(_PACKAGE)


_found = _functions()
betaincinv: Callable[..., Any] = _found.betaincinv
gammaincinv: Callable[..., Any] = _found.gammaincinv
ndtr: Callable[..., Any] = _found.ndtr
pdtr: Callable[..., Any] = _found.pdtr
pdtrc: Callable[..., Any] = _found.pdtrc
