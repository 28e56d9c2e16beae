"""A fixed gate with some of its numbers replaced, named as in ``gates.csv``: how a person moves one sample's gate.

Data-driven gates stand as the fixed gates that they became on the sample. Of these, ``threshold`` is the one bound of a
range, and ``center_MARKER`` moves a whole cluster along that marker, on its log scale.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from cytocar.errors.tree import UsageError
from cytocar.gates.decision import Decision
from cytocar.regions.gate import ScaleOf
from cytocar.regions.kinds import FixedGate

Numbers = Mapping[str, float]


def move_gate(gate: FixedGate, replaced: Numbers, *, decisions: Sequence[Decision], scale_of: ScaleOf) -> FixedGate:
    """Return the gate with new numbers.

    Parameters
    ----------
    gate : FixedGate
        As applied to the sample.
    replaced : mapping of str to float
        New numbers, compensated data units, by the names of the rows of ``gates.csv``.
    decisions : sequence of Decision
        The rows of this gate: where a cluster's center was.
    scale_of : callable
        Marker to the scale of its axis.

    Raises
    ------
    UsageError
        E115 if the gate has no such number, or cannot take it.

    Examples
    --------
    >>> from cytocar.regions.boxes import RangeGate
    >>> from cytocar.signals.scales import LinearScale
    >>> gate = RangeGate(marker="CD3", min=1200.0)
    >>> move_gate(gate, {"CD3 min": 1350.0}, decisions=(), scale_of=lambda marker: LinearScale()).min
    1350.0
    """
    unknown = [name for name in replaced if name not in movable(gate, decisions, scale_of)]
    if unknown:
        known = ", ".join(movable(gate, decisions, scale_of)) or "none"
        raise UsageError(
            f"this gate has no number {unknown[0]!r}", code="E115", hint=f"numbers that can be moved: {known}"
        )
    if endless := [name for name, value in replaced.items() if not math.isfinite(value)]:
        raise _unmoved(f"{endless[0]} must be a finite number")
    try:
        return gate.with_numbers(replaced, {row.parameter: row.value for row in decisions}, scale_of)
    except ValueError as error:
        raise _unmoved(str(error)) from error


def _unmoved(why: str) -> UsageError:
    return UsageError(
        f"the gate cannot be moved there: {why}", code="E115", hint="look at its other numbers in gates.csv"
    )


def movable(gate: FixedGate, decisions: Sequence[Decision], scale_of: ScaleOf) -> tuple[str, ...]:
    """Return the names of the numbers of a gate that can be replaced."""
    named = {name for name, value in gate.numbers(scale_of) if value is not None}
    listed = [row.parameter for row in decisions if row.value is not None]
    named |= gate.decided_names() & set(listed)
    return tuple(dict.fromkeys([name for name in listed if name in named] + sorted(named)))
