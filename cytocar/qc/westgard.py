"""Westgard's rules: which points of a control's sequence tell that something changed.

Source: Westgard, Barry, Hunt, Groth, A multi-rule Shewhart chart for quality control in clinical chemistry,
Clin Chem 1981;27:493-501. ``1-2s`` is the warning; each of the others rejects.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

WARNING = "1-2s"


def _beyond(z: Sequence[float], points: int, limit: float) -> bool:
    """True if the last points all lie beyond the limit on one side of the mean."""
    last = z[-points:]
    return len(last) == points and (all(one > limit for one in last) or all(one < -limit for one in last))


RULES: Mapping[str, Callable[[Sequence[float]], bool]] = {
    "1-2s": lambda z: abs(z[-1]) > 2,
    "1-3s": lambda z: abs(z[-1]) > 3,
    "2-2s": lambda z: _beyond(z, 2, 2),
    "R-4s": lambda z: len(z) > 1 and min(z[-2:]) < -2 and max(z[-2:]) > 2,
    "4-1s": lambda z: _beyond(z, 4, 1),
    "10-x": lambda z: _beyond(z, 10, 0),
}
"""Each rule looks at a sequence of z up to a point, and says whether that point breaks it."""


def broken_rules(z: Sequence[float]) -> tuple[tuple[str, ...], ...]:
    """Return, for each point, the rules that it breaks together with the points before it.

    Parameters
    ----------
    z : sequence of float
        Distance of each point from the mean, in standard deviations, in the order of the runs.

    Examples
    --------
    >>> broken_rules([0.5, 2.3, 2.1])
    ((), ('1-2s',), ('1-2s', '2-2s'))
    """
    return tuple(
        tuple(name for name, breaks in RULES.items() if breaks(z[: place + 1][-10:])) for place in range(len(z))
    )
