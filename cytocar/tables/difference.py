"""Where a table differs from what it was: line, row and column, in words."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from difflib import SequenceMatcher

from msgspec import Struct

_SHOWN = 60
"""Characters of a line that a message shows."""


class Difference(Struct, frozen=True):
    """One line that differs: its number in the new table, from 1, and how."""

    line: int
    message: str
    cells: tuple[tuple[str, str, str], ...] = ()
    """Column, old and new text of the cells that differ; none where a line came, went or cannot be split."""


def differences(before: bytes, after: bytes) -> Iterator[Difference]:
    """Yield the lines in which a table, or another text, differs from what it was.

    Examples
    --------
    >>> [found] = differences(b"id,n\\nd0,3\\nd9,4\\n", b"id,n\\nd0,3\\nd9,5\\n")
    >>> found.line, found.message
    (3, "d9: n is '5', was '4'")
    """
    old, new = before.decode().split("\n"), after.decode("utf-8", "replace").split("\n")
    if old == new and before != after:
        yield Difference(1, "differs in its encoding")
    for kind, start, end, new_start, new_end in _blocks(old, new):
        if kind == "replace" and end - start == new_end - new_start:
            pairs = zip(old[start:end], new[new_start:new_end], strict=True)
            yield from (_cells(line, old[0], was, now) for line, (was, now) in enumerate(pairs, start=new_start + 1))
            continue
        yield from (Difference(new_start + 1, f"a line was removed: {was[:_SHOWN]}") for was in old[start:end])
        yield from (
            Difference(line, f"a line was added: {now[:_SHOWN]}")
            for line, now in enumerate(new[new_start:new_end], start=new_start + 1)
        )


def _blocks(old: list[str], new: list[str]) -> Iterator[tuple[str, int, int, int, int]]:
    """Yield the stretches that differ; tables of one length are compared line by line, which takes no time."""
    if len(old) == len(new):
        places = (place for place, pair in enumerate(zip(old, new, strict=True)) if pair[0] != pair[1])
        yield from (("replace", place, place + 1, place, place + 1) for place in places)
        return
    yield from (block for block in SequenceMatcher(None, old, new, autojunk=False).get_opcodes() if block[0] != "equal")


def _cells(line: int, header: str, was: str, now: str) -> Difference:
    """Return how the cells of a row differ."""
    try:
        names, old, new = (next(csv.reader([line]), []) for line in (header, was, now))
    except csv.Error:
        names, old, new = [], [], []
    if not names or not (len(names) == len(old) == len(new)):
        return Difference(line, f"is {now.strip()[:_SHOWN]!r}, was {was.strip()[:_SHOWN]!r}")
    cells = tuple(cell for cell in zip(names, old, new, strict=True) if cell[1] != cell[2])
    if not cells:
        return Difference(line, "differs in its quotes")
    return Difference(line, f"{old[0]}: {', '.join(f'{name} is {b!r}, was {a!r}' for name, a, b in cells)}", cells)
