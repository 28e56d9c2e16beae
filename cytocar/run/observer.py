"""Who looks on while many samples are worked on: hears of notes and progress, and decides nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

_Item = TypeVar("_Item")


class Observer:
    """Who looks on; this one does nothing."""

    def note(self, text: str) -> None:
        """Hear a sentence for people."""

    def start(self, total: int, done: int = 0) -> None:
        """Hear how many there are, and how many of them were finished before."""

    def step(self) -> None:
        """Hear that one more is finished."""

    def close(self) -> None:
        """Hear that no more follow, also where an error ends the work."""


NOBODY = Observer()


def observed(items: Iterable[_Item], total: int, observer: Observer) -> Iterator[_Item]:
    """Yield items, and let the observer hear of each when the work on it is done."""
    observer.start(total)
    try:
        for item in items:
            yield item
            observer.step()
    finally:
        observer.close()
