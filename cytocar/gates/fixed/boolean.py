"""Boolean gates: events that are in all of, in any of, and in none of some populations (Gating-ML 2.0, 5.1.4)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from cytocar.template.model import BooleanGate

Bools = npt.NDArray[np.bool_]


def combine(gate: BooleanGate, within: Bools, mask_of: Callable[[str], Bools]) -> Bools:
    """Return which events of ``within`` satisfy a boolean gate.

    Parameters
    ----------
    within : ndarray of bool, shape (n,)
        The events that the gate may keep: its parent's.
    mask_of : callable
        Population to its events, shape (n,).

    Examples
    --------
    >>> masks = {"cd4": np.array([True, True, False]), "cd8": np.array([False, True, False])}
    >>> gate = BooleanGate(kind="boolean", all_of=("cd4",), none_of=("cd8",))
    >>> combine(gate, np.ones(3, dtype=bool), masks.__getitem__).tolist()
    [True, False, False]
    """
    inside = within.copy()
    for name in gate.all_of:
        inside &= mask_of(name)
    if gate.any_of:
        inside &= np.logical_or.reduce([mask_of(name) for name in gate.any_of])
    for name in gate.none_of:
        inside &= ~mask_of(name)
    return inside
