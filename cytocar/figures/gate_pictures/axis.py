"""The axes of gate pictures: a marker on its template's scale, with limits and ticks that all samples share."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from msgspec import Struct
from msgspec.structs import replace

from cytocar.signals.scales import AnyScale, LinearScale, LogScale

Floats = npt.NDArray[np.float64]

CELLS = 128
SIZE = 256
"""Width and height of a picture in its own units; two to a cell."""
CLOSEST_LABELS = 0.11
"""Labels of ticks that are closer than this share of the axis overlap; the tick stays, the label goes."""

BELOW_ZERO = 0.22
"""How far below zero an axis with negative values starts, on its scale: compensated signals scatter around zero."""

_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


class Tick(Struct, frozen=True):
    """A mark on an axis at ``place`` (0 to 1); minor ticks have no label."""

    place: float
    label: str = ""
    minor: bool = False


class PictureAxis(Struct, frozen=True):
    """One axis of gate pictures.

    Parameters
    ----------
    marker : str
        As the template names it.
    scale : AnyScale
        The template's scale; the axis runs from ``low`` to ``high`` on it.
    ticks : tuple of Tick
        In order of place.
    """

    marker: str
    scale: AnyScale
    low: float
    high: float
    ticks: tuple[Tick, ...]

    @classmethod
    def of(cls, marker: str, scale: AnyScale, *, top: float) -> PictureAxis:
        """Return the whole axis of a scale; ``top``, the range of the channel, ends a linear scale that names none.

        Examples
        --------
        >>> axis = PictureAxis.of("FSC-A", LinearScale(), top=262144)
        >>> [tick.label for tick in axis.ticks if tick.label]
        ['0', '50k', '100k', '150k', '200k', '250k']
        """
        end = getattr(scale, "T", None) or top
        high = float(scale.unbounded(end))
        low = _lowest_place(scale, end)
        drawn = cls(marker, scale, low, high, ())
        return cls(marker, scale, low, high, tuple(sorted(drawn._ticks(end), key=lambda tick: tick.place)))

    def between(self, low: float, high: float) -> PictureAxis:
        """Return the part of the axis between two places of its scale, with ticks of its own.

        Examples
        --------
        >>> axis = PictureAxis.of("FSC-A", LinearScale(T=262144), top=262144).between(0.0, 0.25)
        >>> [tick.label for tick in axis.ticks if tick.label]
        ['0', '20k', '40k', '60k']
        """
        drawn = replace(self, low=low, high=high, ticks=())
        end = float(self.scale.inverse(high))
        ticks = drawn._ticks(end) if end > 0 else ()
        return replace(drawn, ticks=tuple(sorted(ticks, key=lambda tick: tick.place)))

    def place(self, values: npt.ArrayLike) -> Floats:
        """Where data values stand, 0 to 1 from end to end; what is beyond, or has no place, is moved to an end.

        Right to 1e-7 of the axis: for pictures, never for a gate's decision.
        """
        on_scale = self.scale.approximate(np.asarray(values, dtype=np.float64))
        with np.errstate(invalid="ignore"):
            places = np.asarray(on_scale - self.low)
            places /= self.high - self.low
            np.clip(places, 0.0, 1.0, out=places)
        places[np.isnan(places)] = 0.0
        return places

    def place_on_scale(self, values: npt.ArrayLike) -> Floats:
        """Where values that are given on the scale stand; they may lie beyond the ends."""
        return np.asarray((np.asarray(values, dtype=np.float64) - self.low) / (self.high - self.low))

    def place_exactly(self, values: npt.ArrayLike) -> Floats:
        """Where data values, such as corners of a gate, stand; they may lie beyond the ends."""
        return self.place_on_scale(self.scale.unbounded(values))

    def _ticks(self, end: float) -> Iterator[Tick]:
        values = _linear_ticks(end) if isinstance(self.scale, LinearScale) else _decade_ticks(self.scale, end)
        labelled: list[float] = []
        # Where two labels do not fit, zero keeps its own, and then the larger value.
        ordered = sorted(values, key=lambda pair: (pair[0] != 0, -abs(pair[0])))
        places = self.place_exactly([value for value, _ in ordered]).tolist()
        for place, (_, label) in zip(places, ordered, strict=True):
            if not 0 <= place <= 1:
                continue
            shown = bool(label) and all(abs(place - other) >= CLOSEST_LABELS for other in labelled)
            if shown:
                labelled.append(place)
            yield Tick(round(place, 4), label if shown else "", minor=not label)


def _lowest_place(scale: AnyScale, end: float) -> float:
    """Where an axis starts, on the scale: a little below zero, so that the negative events are seen too."""
    if isinstance(scale, LinearScale):
        return float(scale.unbounded(-0.02 * end))
    if isinstance(scale, LogScale):
        return 0.0
    return min(0.0, float(scale.unbounded(0.0)) - BELOW_ZERO)


def _linear_ticks(end: float) -> Iterator[tuple[float, str]]:
    rough = end / 5
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * factor for factor in (1, 2, 2.5, 5, 10) if size * factor >= 0.9 * rough)
    for number in range(int(end / step) + 1):
        yield number * step, _thousands(number * step)


def _thousands(value: float) -> str:
    for size, sign in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{sign}"
    return f"{value:g}"


def _decade_ticks(scale: AnyScale, end: float) -> Iterator[tuple[float, str]]:
    """Yield powers of ten with their names, and 2 to 9 times these without, as far as the scale parts them."""
    top = math.ceil(math.log10(end))
    lowest = math.floor(math.log10(end) - scale.M) if isinstance(scale, LogScale) else 2
    signs = (1,) if isinstance(scale, LogScale) else (-1, 1)
    decades = [
        (sign * times * 10.0**power, _power(sign, power) if times == 1 else "")
        for sign in signs
        for power in range(lowest, top + 1)
        for times in range(1, 10)
    ]
    yield from decades if isinstance(scale, LogScale) else [*decades, (0.0, "0")]


def _power(sign: int, power: int) -> str:
    return f"{'−' if sign < 0 else ''}10{str(power).translate(_SUPERSCRIPTS).replace('-', '⁻')}"
