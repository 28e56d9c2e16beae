"""The boolean gate: populations joined by and, or and not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Self

import numpy as np

from cytocar.regions.gate import Bools, DrawnAxis, FixedGateBase, Floats, ScaleOf


class BooleanGate(FixedGateBase, frozen=True, kw_only=True, tag_field="kind", tag="boolean"):
    """Events that are in all of, in any of, and in none of the named populations (and in the parent)."""

    all_of: tuple[str, ...] = ()
    any_of: tuple[str, ...] = ()
    none_of: tuple[str, ...] = ()

    @property
    def depends_on_scale(self) -> bool:
        """Return False: its populations may, it does not."""
        return False

    def references(self) -> tuple[str, ...]:
        """Return every population named."""
        return (*self.all_of, *self.any_of, *self.none_of)

    def combine(self, within: Bools, mask_of: Callable[[str], Bools]) -> Bools:
        """Mask of the events of ``within`` that satisfy the gate.

        Parameters
        ----------
        within : ndarray of bool, shape (n,)
            The events that the gate may keep: its parent's.
        mask_of : callable
            Population to its events, shape (n,).

        Examples
        --------
        >>> masks = {"cd4": np.array([True, True, False]), "cd8": np.array([False, True, False])}
        >>> gate = BooleanGate(all_of=("cd4",), none_of=("cd8",))
        >>> gate.combine(np.ones(3, dtype=bool), masks.__getitem__).tolist()
        [True, False, False]
        """
        inside = within.copy()
        for name in self.all_of:
            inside &= mask_of(name)
        if self.any_of:
            inside &= np.logical_or.reduce([mask_of(name) for name in self.any_of])
        for name in self.none_of:
            inside &= ~mask_of(name)
        return inside

    def numbers(self, scale_of: ScaleOf) -> Iterator[tuple[str, float | None]]:
        """Yield the operands in words, in place of numbers."""
        yield self._joined("all of", "any of", "none of", "; "), None

    def with_numbers(
        self,
        replaced: Mapping[str, float],
        before: Mapping[str, float | None],
        scale_of: ScaleOf,
    ) -> BooleanGate:
        """Return the gate: it has no numbers."""
        return self

    def with_markers(self, name_of: Callable[[str], str]) -> Self:
        """Return the gate: it looks at populations."""
        return self

    def outline(self, x: DrawnAxis, y: DrawnAxis | None) -> Floats | None:
        """Return None: it has no line of its own."""
        return None

    def words(self) -> str:
        """The operands in words."""
        return self._joined("in all of", "in any of", "in none of", " and ")

    def _joined(self, every: str, some: str, no: str, between: str) -> str:
        parts = ((every, self.all_of), (some, self.any_of), (no, self.none_of))
        return between.join(f"{words} {', '.join(names)}" for words, names in parts if names)

    def faults(self) -> Iterator[str]:
        """Yield what does not go together."""
        if not self.references():
            yield "needs all_of, any_of or none_of"
