"""One line over several files: what each shows, what all show together, the fallback and the window that follow.

The fallback is the valley of the events pooled over the files, or the median of the files' own; the window is as wide
as the files differ, and never narrower than a factor of 2: a file that was left out has its valley there in 92 of 100
cases with three files, in 95 with five.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import StrEnum

import numpy as np
import numpy.typing as npt
from msgspec import Struct
from msgspec.structs import replace

from cytocar.fit.evidence import SEPARATION, StainScale, Valley, end_of_linear, find_evidence
from cytocar.gates.adaptive.parent_events import thin

Floats = npt.NDArray[np.float64]

POOLED_EVENTS = 2000
"""Events of each file that are pooled, so that no large file speaks for all."""
ENOUGH_FILES = 3
NARROWEST_FACTOR, FACTOR_OF_ONE_FILE = 2.0, 2.5
SPREADS = 3.0
SHALLOW_POOLED, CLEAR_SINGLE = 0.5, 0.8
"""A pooled valley this shallow, where single files are that clear, is blurred by files that differ."""
MOVED = 0.2
"""Decades between files (standard deviation) beyond which something moved: a detector, a voltage, a reagent."""
SMALL_TUBE = 300


class Status(StrEnum):
    """What a gate rests on."""

    EVIDENCE = "evidence"
    PROVISIONAL = "provisional"
    POOLED = "pooled"
    NONE = "none"


class Line(Struct, frozen=True):
    """A line on one marker.

    Parameters
    ----------
    at : float
        The template's fallback, in data units.
    window : (low, high)
        What the gate may choose from.
    status : Status
        What it rests on.
    own : tuple of Valley or None
        What each file shows by itself.
    pooled : Valley, optional
        What all show together.
    spread : float
        Standard deviation of the files' own lines, decades.
    """

    marker: str
    at: float
    window: tuple[float, float]
    status: Status
    own: tuple[Valley | None, ...]
    pooled: Valley | None = None
    spread: float = 0.0

    @property
    def files(self) -> int:
        """Return the number of files that show the line by themselves."""
        return sum(valley is not None for valley in self.own)

    @property
    def strength(self) -> float:
        """Return the clarity of the line, for the order in which markers are used."""
        strengths = [valley.strength for valley in (*self.own, self.pooled) if valley is not None]
        return float(np.median(strengths)) if strengths else 0.0

    @property
    def moved(self) -> bool:
        """Whether the files differ by more than a day's drift."""
        return self.spread > MOVED

    def of(self, tube: int) -> float:
        """Where the line of one file is: its own valley, else the fallback."""
        valley = self.own[tube]
        return valley.at if valley is not None and self.window[0] <= valley.at <= self.window[1] else self.at

    def in_words(self) -> tuple[str, ...]:
        """Return the evidence, a line each."""
        shown = [valley for valley in self.own if valley is not None]
        sentences = [f"{self.status}: a valley in {len(shown)} of {len(self.own)} files"]
        if len(shown) > 1:
            sentences[0] += f", {min(v.at for v in shown):.4g} to {max(v.at for v in shown):.4g}"
            sentences[0] += f" (sd {self.spread:.2f} decades)"
        if len(shown) == 1 and len(self.own) == 1:
            sentences.append(shown[0].in_words())
        elif shown:
            low = {name: min(getattr(v, name) for v in shown) for name in ("prominence", "separation")}
            sentences.append(
                f"prominence {low['prominence']:.2f} and more, {low['separation']:.1f} decades apart and more"
            )
        if self.pooled is not None and len(self.own) > 1:
            sentences.append(f"pooled: {self.pooled.at:.4g}, {self.pooled.in_words()}")
        return tuple(sentences)


def draw_line(
    marker: str,
    values: Sequence[Floats],
    scale: StainScale,
    *,
    separation: float = SEPARATION,
    topmost: bool = False,
) -> Line | None:
    """Return the line that some files support, None if they support none.

    Parameters
    ----------
    values : sequence of (n,) float64
        Each file's signals in the parent population.
    separation, topmost
        As of ``find_evidence``.
    """
    own = tuple(find_evidence(signals, scale, separation=separation, topmost=topmost) for signals in values)
    pooled = None
    if len(values) > 1:
        together = np.concatenate([thin(signals, POOLED_EVENTS) for signals in values])
        pooled = find_evidence(together, scale, separation=separation, topmost=topmost)
    own = tuple(
        None if valley and _overruled(valley, pooled, len(signals)) else valley
        for valley, signals in zip(own, values, strict=True)
    )
    shown = [valley for valley in own if valley is not None]
    if not shown and pooled is None:
        return None
    clear = [valley for valley in shown if valley.prominence >= CLEAR_SINGLE]
    if pooled is not None and pooled.prominence < SHALLOW_POOLED and clear:
        pooled = None
    at = pooled.at if pooled is not None else float(np.median([valley.at for valley in shown]))
    return _with_window(Line(marker, at, (at, at), _status(shown, len(values)), own, pooled), scale)


def _overruled(valley: Valley, pooled: Valley | None, events: int) -> bool:
    """Whether a small file's valley is left to what all show: weak ones at small numbers are chance."""
    return pooled is not None and events < SMALL_TUBE and valley.t < pooled.t and not 0.5 < valley.at / pooled.at < 2


def _status(shown: Sequence[Valley], files: int) -> Status:
    if not shown:
        return Status.POOLED
    enough = len(shown) >= ENOUGH_FILES and 2 * len(shown) >= files
    return Status.EVIDENCE if enough else Status.PROVISIONAL


def _with_window(line: Line, scale: StainScale) -> Line:
    shown = [valley.at for valley in line.own if valley is not None]
    unit = end_of_linear(scale) / 2
    places = np.arcsinh(np.array(shown) / unit)
    sd = float(places.std(ddof=1)) if len(shown) > 1 else 0.0
    least = FACTOR_OF_ONE_FILE if len(shown) < 2 else NARROWEST_FACTOR
    reach = max(math.log(least), SPREADS * sd)
    middle = math.asinh(line.at / unit)
    low = min([middle - reach, *places.tolist()])
    high = max([middle + reach, *places.tolist()])
    window = (rounded(unit * math.sinh(low)), rounded(unit * math.sinh(high)))
    return replace(line, at=min(max(rounded(line.at), window[0]), window[1]), window=window, spread=sd / math.log(10))


def rounded(value: float) -> float:
    """Return a number with three digits: no line is known better.

    Examples
    --------
    >>> rounded(1234.5), rounded(-0.01234)
    (1230.0, -0.0123)
    """
    return float(f"{value:.3g}")
