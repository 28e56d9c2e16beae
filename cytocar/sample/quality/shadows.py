"""Where data would have placed the borders that a template fixes: CD3, CD4, CD8, CAR beside the valley of their events.

A fixed border may lie in a gap and still on the wrong side of a population: the density at it (``borders``) does not
show that, the valley between the peaks does. The fixed gate counts all the same; only a person may move it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np
from msgspec import Struct

from cytocar.errors.findings import Finding, Severity
from cytocar.gates.adaptive.cluster import is_scatter
from cytocar.gates.adaptive.parent_events import finite_of, thin
from cytocar.gates.adaptive.valley import find_valley, full_scale
from cytocar.gates.engine.frame import Bools, Floats
from cytocar.gates.sampled_events import SampledEvents
from cytocar.regions.boxes import BoxGate
from cytocar.regions.kinds import FixedGate
from cytocar.statistics.order import median, quantiles

WINDOW = 5.0
"""Of the border, to either side: gains that differ by more leave no gate of the template in its place."""
PROMINENCE = 0.5
"""Of a valley that may contradict a person's border: twice as deep as one that places a gate."""
LARGEST_PERCENT = 10.0
"""Of the events kept: by as much may a number be off before it is an error (docs/validity.md)."""
CHANCE_SDS = 4.0
"""Counting error of the events between border and valley, beyond which their number is no chance."""
EVENTS_LOOKED_AT = 5000
"""For the valley: two peaks of a twentieth each are 250 events."""
FEWEST_EVENTS = 200
"""Of the parent: with fewer the valley itself is chance."""


class Shadow(Struct, frozen=True):
    """A fixed border and the valley beside it: events looked at that lie between, of those that the gate keeps."""

    population: str
    marker: str
    border: float
    valley: float
    between: int
    kept: int

    @property
    def percent(self) -> float:
        """Return the events between border and valley in percent of those kept, by the border or by the valley."""
        return 100 * self.between / max(1, self.kept)


def shadows(sampled: SampledEvents, populations: Collection[str]) -> Iterator[Shadow]:
    """Yield the valley beside each colour's border of the boxes that the template fixes, where there is a clear one.

    Parameters
    ----------
    populations : collection of str
        The populations to look at; gates that data or a person placed are passed over.
    """
    for name in populations:
        declared = sampled.template.population(name)
        gate = sampled.gates[name]
        if not isinstance(declared.gate, FixedGate) or gate != declared.gate or name == sampled.template.report.viable:
            continue
        parent = sampled.frame.within(declared.parent, declared.exclude)
        if not isinstance(gate, BoxGate) or gate.units != "data":
            yield from _beside_drawn(sampled, name, parent)
            continue
        for marker, ends in gate.sides().items():
            if is_scatter(marker):
                continue
            others = {axis: sides for axis, sides in gate.sides().items() if axis != marker}
            values = finite_of(sampled.signal(marker, parent & sampled.within(others)))
            for border, above in zip(ends, (True, False), strict=True):
                if border is not None and border > 0 and len(values) >= FEWEST_EVENTS:
                    shadow = _beside(sampled, name, marker, values, border, above=above)
                    if shadow is not None:
                        yield shadow


EDGE, MIDDLE = 0.005, (0.01, 0.99)
"""Quantiles of what a drawn gate keeps: where its border lies along an axis, and what it keeps along the others."""


def _beside_drawn(sampled: SampledEvents, name: str, parent: Bools) -> Iterator[Shadow]:
    """Yield the valleys beside a polygon, an ellipse or a box on scales, along each of its colours.

    Such a gate has no one border: the events between are those that it keeps on the far side of the valley, and those
    that it leaves out on the near one.
    """
    region = sampled.region(name)
    if region is None or all(map(is_scatter, region.markers)):
        return
    rows = np.flatnonzero(parent)
    signals = {marker: sampled.signal(marker)[rows] for marker in region.markers}
    kept = sampled.in_region(name)[rows]
    if np.count_nonzero(kept) < FEWEST_EVENTS:
        return
    for marker, signal in signals.items():
        if is_scatter(marker):
            continue
        beside = np.isfinite(signal)
        for other, values in signals.items():
            if other != marker:
                low, high = quantiles(values[kept], MIDDLE)
                beside &= (values >= low) & (values <= high)
        middle = median(signal[kept])
        for border, above in zip(quantiles(signal[kept], (EDGE, 1 - EDGE)).tolist(), (True, False), strict=True):
            side = beside & ((signal < middle) == above)
            if border <= 0 or np.count_nonzero(beside & ~kept & side) < FEWEST_EVENTS * LARGEST_PERCENT / 100:
                continue  # nothing lies beyond it
            valley = _valley(sampled, marker, signal[beside], float(border))
            if valley is not None:
                between = int(np.count_nonzero(side & (((signal >= valley) == above) != kept)))
                yield Shadow(name, marker, float(border), valley, between, int(np.count_nonzero(kept)))


def _valley(sampled: SampledEvents, marker: str, values: Floats, border: float) -> float | None:
    """Return the clear valley of values near a border."""
    valley = find_valley(
        thin(values, EVENTS_LOOKED_AT),
        window=(border / WINDOW, border * WINDOW),
        prominence=PROMINENCE,
        full_scale=full_scale(sampled.template.scale(marker), sampled.range(marker)),
        range_limit=sampled.range(marker),
    )
    return None if valley is None else valley.at


def _beside(
    sampled: SampledEvents, name: str, marker: str, values: Floats, border: float, *, above: bool
) -> Shadow | None:
    valley = _valley(sampled, marker, values, border)
    if valley is None:
        return None
    low, high = sorted((border, valley))
    between = int(np.count_nonzero((values >= low) & (values < high)))
    kept = max(int(np.count_nonzero((values >= place) == above)) for place in (border, valley))
    return Shadow(name, marker, border, valley, between, kept)


def shadow_findings(shadows: Collection[Shadow]) -> tuple[Finding, ...]:
    """Return a finding on the border whose valley contradicts it most, or that none does."""
    if not shadows:
        return ()
    contradicted = [
        one for one in shadows if one.percent > LARGEST_PERCENT and one.between > (CHANCE_SDS**2 + CHANCE_SDS)
    ]
    worst = max(contradicted or shadows, key=lambda one: one.percent)
    where = f"{worst.population} begins at {worst.marker} {worst.border:.5g}, the valley lies at {worst.valley:.5g}"
    message = f"{where}: {worst.percent:.1f} % of the events kept lie between"
    if not contradicted:
        return (Finding("shadows", "", Severity.PASS, message, worst.percent, LARGEST_PERCENT),)
    others = sorted({f"{one.population} along {one.marker}" for one in contradicted if one is not worst})
    more = f"; so do {', '.join(others)}" if others else ""
    return (Finding("shadows", "W306", Severity.REVIEW, message + more, worst.percent, LARGEST_PERCENT),)
