"""A part of a run for one of several machines.

Every shard plans the whole run, so that controls are found wherever they are counted, and counts its own samples;
``merge`` makes one run of them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct

from cytocar.errors.tree import UsageError


class Shard(Struct, frozen=True):
    """Part ``number`` (from 1) of ``of`` parts."""

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Return the shard that ``2/8`` means.

        >>> Shard.parse("2/8")
        Shard(number=2, of=8)
        """
        match = re.fullmatch(r"(\d{1,5})/(\d{1,5})", text.strip())
        if match is None or not 1 <= int(match[1]) <= int(match[2]):
            raise UsageError(
                f"--shard {text!r} is not I/N", code="E111", hint="for example --shard 1/4, up to --shard 4/4"
            )
        return cls(int(match[1]), int(match[2]))

    def of_samples(self, sample_ids: Sequence[str]) -> tuple[str, ...]:
        """Return the samples of this shard: every N-th, so that plates are spread evenly.

        >>> Shard(2, 2).of_samples(["A01", "A02", "A03", "A04"])
        ('A02', 'A04')
        """
        return tuple(sample_ids[self.number - 1 :: self.of])

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"
