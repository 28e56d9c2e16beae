"""Progress for people: a live bar on a terminal, else a line every 10 % of a long run; nothing with ``--quiet``."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from cytocar.cli import screen
from cytocar.run.observer import Observer

if TYPE_CHECKING:
    from rich.progress import Progress as LiveBar

_EVERY_SECONDS = 0.1
_FEWEST_FOR_LINES = 20
_LINE_SECONDS = 2.0
"""A shorter run is over before a line about it is read."""


class Progress(Observer):
    """Counts what is finished and says how fast it goes and how long it will take.

    Parameters
    ----------
    noun : str
        What is counted.
    """

    def __init__(self, noun: str = "samples") -> None:
        self._noun = noun
        self._total = self._done = self._before = self._tenths = 0
        self._start = self._shown = 0.0
        self._bar: LiveBar | None = None

    def note(self, text: str) -> None:
        """Write a sentence for people."""
        screen.say(text)

    def start(self, total: int, done: int = 0) -> None:
        """Begin to count, with so much finished before."""
        self._total, self._done, self._before = total, done, done
        self._start, self._tenths = time.monotonic(), self._tenth()
        self._shown = self._start
        if not screen.quiet() and not screen.dumb() and total - done >= 2:
            self._bar = _live_bar(total, self._line(), done=done)

    def step(self) -> None:
        """Count one more."""
        self._done += 1
        if self._bar is not None:
            now = time.monotonic()
            if now - self._shown >= _EVERY_SECONDS or self._done == self._total:
                self._shown = now
                self._bar.update(self._bar.task_ids[0], completed=self._done, description=self._line(), refresh=True)
        elif not screen.quiet() and self._total >= _FEWEST_FOR_LINES and self._tenth() > self._tenths:
            self._tenths = self._tenth()
            if time.monotonic() - self._shown >= _LINE_SECONDS:
                self._shown = time.monotonic()
                sys.stderr.write(self._line() + "\n")

    def close(self) -> None:
        """Clear the bar."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _tenth(self) -> int:
        return 10 * self._done // max(self._total, 1)

    def _line(self) -> str:
        seconds = time.monotonic() - self._start
        rate = (self._done - self._before) / seconds if seconds > 0 else 0.0
        speed = f", {rate:.3g}/s" if self._done > self._before else ""
        left = self._total - self._done
        eta = f", {_duration(left / rate)} left" if rate > 0 and left else ""
        return f"{self._done} of {self._total} {self._noun}{speed}{eta}"


def _live_bar(total: int, line: str, *, done: int) -> LiveBar | None:
    """Return a bar at work on the terminal behind stderr; ``None`` where there is none.

    It has no thread of its own: workers are forked only from a process that has one thread.
    """
    terminal = screen.console(sys.stderr)
    if terminal is None:
        return None
    from rich.progress import BarColumn, Progress, TextColumn

    columns = BarColumn(bar_width=20), TextColumn("{task.description}", markup=False)
    bar = Progress(
        *columns,
        console=terminal,
        auto_refresh=False,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )
    bar.add_task(line, total=total, completed=done)
    bar.start()
    return bar


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
