"""Progress for people: one live line on a terminal, a plain line every 10 % otherwise, nothing with ``--quiet``."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass

from cytocar.cli import screen
from cytocar.run.count import Observer

_EVERY_SECONDS = 0.1
_FEWEST_FOR_LINES = 20


@dataclass
class Progress(Observer):
    """Counts finished samples and says how fast it goes and how long it will take."""

    total: int = 0
    done: int = 0
    _start: float = 0.0
    _started_with: int = 0
    _last: float = 0.0
    _tenths: int = 0

    def note(self, text: str) -> None:
        """Write a sentence for people."""
        screen.say(text)

    def start(self, total: int, done: int) -> None:
        """Begin to count, with so many samples finished before."""
        self.total, self.done, self._started_with = total, done, done
        self._start, self._tenths = time.monotonic(), self._tenth()

    def step(self) -> None:
        """Count one more finished sample."""
        self.done += 1
        if screen.quiet() or self.total < 2:
            return
        if sys.stderr.isatty():
            now = time.monotonic()
            if now - self._last >= _EVERY_SECONDS or self.done == self.total:
                self._last = now
                sys.stderr.write(f"\r\x1b[K{self._line()}")
                sys.stderr.flush()
        elif self.total >= _FEWEST_FOR_LINES and self._tenth() > self._tenths:
            self._tenths = self._tenth()
            sys.stderr.write(self._line() + "\n")

    def close(self) -> None:
        """Clear the live line."""
        if sys.stderr.isatty() and not screen.quiet() and self.total >= 2:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def _tenth(self) -> int:
        return 10 * self.done // max(self.total, 1)

    def _line(self) -> str:
        seconds = time.monotonic() - self._start
        rate = (self.done - self._started_with) / seconds if seconds > 0 else 0.0
        left = f", {_duration((self.total - self.done) / rate)} left" if rate > 0 and self.done < self.total else ""
        return f"{self.done} of {self.total} samples, {rate:.3g}/s{left}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
