"""SciPy's special functions, loaded without what they do not need of NumPy."""

from __future__ import annotations

import sys
from importlib import import_module

import numpy as np

SCIPY_SPECIAL = "scipy.special"


def load_special_functions() -> None:
    """Load ``scipy.special``, unless it is loaded, while NumPy lists only what it has loaded itself.

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
        import_module(SCIPY_SPECIAL)
    finally:
        vars(np).update(every)
