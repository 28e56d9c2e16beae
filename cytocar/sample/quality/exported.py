"""Whether the file was exported from a gate, or stored by one, that cut T cells: what a histogram of scatter hides.

A gate in two dimensions has no edge along either, one on height over area none along a channel, and a threshold on a
colour leaves nothing below it: each shows where its own quantity ends in the T cells.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from cytocar.errors.findings import Finding, Severity
from cytocar.gates.adaptive.cluster import is_scatter
from cytocar.gates.engine.frame import Bools, Floats
from cytocar.gates.sampled_events import SampledEvents
from cytocar.regions.boxes import BoxGate
from cytocar.sample.quality.relative import logs
from cytocar.sample.quality.stored_edges import FEWEST_T_CELLS, FEWEST_VALUES, LEAST_PERCENT, STRETCH, shown
from cytocar.statistics.order import quantile, quantiles

Rows = npt.NDArray[np.intp]

CHECK = "exported"
FEWEST_PERCENT_BEYOND = 1.0
"""Of the events without beads: a file as it was acquired holds debris, dead cells and others without any stain, 5 % of
it and more; one that was exported from a gate next to nothing. What lacks a marker lies below a quarter of its gate."""
AROUND_THE_T_CELLS = (0.002, 0.998)
"""Quantiles of their scatter: beyond these lie single T cells that scatter as something else."""
FEWEST_OUTSIDE = 0.03
"""Of the events without beads outside of that box: a gate's corners hold 1 %, a file as acquired a tenth and more."""
SECTORS = 12
"""Of the plane of both scatters, about the T cells' middle: 40 of 500 cells in each, and a polygon's side is even."""
LAST = 0.99
"""Of a sector's T cells lie within its border: one of a hundred passed for another reason."""
LARGEST_SHELL_PERCENT = 5.0
"""Of the T cells before the border in the plane. Of a normal population 1.2 % lie in the last quarter spread within
99 % of it; where a gate cuts a tenth away it is 6 %."""
LEAST_OF_AN_EXPORT = 0.3
"""Of the events without beads: T cells are half of the lymphocytes and more, and of blood as acquired a fifth; where
they are fewer nothing else was left out."""
ENOUGH = 2000
"""T cells whose ends are looked at: 2 % of them are 40, known to a sixth."""


def export_findings(sampled: SampledEvents) -> Iterator[Finding]:
    """Yield whether the T cells end where a gate or a threshold ended, that the template does not know; one finding."""
    t_cells = sampled.template.report.t_cells
    if t_cells is None or np.count_nonzero(sampled.frame.mask(t_cells)) < FEWEST_T_CELLS:
        return
    beads = sampled.template.counting.beads
    cells = ~sampled.frame.mask(beads) if beads else np.ones(sampled.frame.n_events, dtype=np.bool_)
    ends = [*_by_height(sampled, t_cells)]
    if np.count_nonzero(sampled.by_colour(t_cells)) >= LEAST_OF_AN_EXPORT * np.count_nonzero(cells):
        ends += _without_a_marker(sampled, cells)
        ends += _by_threshold(sampled, t_cells, cells)
        ends += _by_both_scatters(sampled, t_cells, cells)
    for message, percent, limit in ends:
        yield Finding(CHECK, "W309", Severity.REVIEW, message, percent, limit)
        return
    yield Finding(CHECK, "", Severity.PASS, "the T cells end in no gate that the template does not know")


# ---------------------------------------------------------------- a colour that everything carries


def _without_a_marker(sampled: SampledEvents, cells: Bools) -> Iterator[tuple[str, float, float]]:
    """Yield a marker of part of the T cells that hardly an event of the file lacks."""
    report = sampled.template.report
    for population in filter(None, (report.cd4, report.cd8, report.car)):
        gate = sampled.gates[population]
        for marker, (low, _) in gate.sides().items() if isinstance(gate, BoxGate) and gate.units == "data" else ():
            if low is None or low <= 0 or is_scatter(marker):
                continue
            percent = _percent_below(sampled, marker, low / 4, cells)
            if percent <= FEWEST_PERCENT_BEYOND:
                message = f"{percent:.2g} % of the events lack {marker}: the file was exported from what carries it"
                yield f"{message}, and other T cells were left out", percent, FEWEST_PERCENT_BEYOND


def _by_threshold(sampled: SampledEvents, t_cells: str, cells: Bools) -> Iterator[tuple[str, float, float]]:
    """Yield a marker of all T cells that cuts them, and that hardly another event of the file lacks."""
    gated = sampled.frame.mask(t_cells)
    some = _some(gated)
    sides = [
        gate.sides() for gate in map(sampled.gates.__getitem__, sampled.path(t_cells)) if isinstance(gate, BoxGate)
    ]
    named = [
        marker for ends in sides for marker, (low, _) in ends.items() if low is not None and not is_scatter(marker)
    ]
    for marker in dict.fromkeys((*named, *(("CD45",) if sampled.knows("CD45") else ()))):
        percent, edge = _end(sampled.signal(marker)[some])
        if percent < LEAST_PERCENT:
            continue
        if _percent_below(sampled, marker, edge, cells & ~gated) <= FEWEST_PERCENT_BEYOND:
            message = f"{percent:.0f} % of the T cells crowd at {marker} and the file holds none below {shown(edge)}"
            yield f"{message}: more were not stored", percent, LEAST_PERCENT


def _end(values: Floats, *, upper: bool = False) -> tuple[float, float]:
    """Return how many percent of values lie within a quarter spread of their lower (or upper) end, and that end.

    The end leaves out one in a thousand; a normal population has 0.2 % there.

    Examples
    --------
    >>> smooth = np.random.default_rng(1).lognormal(0, 0.1, 4000)
    >>> [round(_end(some)[0]) for some in (smooth, smooth[smooth > 0.9])]
    [0, 5]
    """
    values = 1 / values if upper else values
    end, low, middle = map(float, quantiles(values, (0.001, 0.159, 0.5)))
    if end <= 0:
        return 0.0, end
    border = end * (middle / low) ** STRETCH
    return 100 * int(np.count_nonzero(values < border)) / len(values), 1 / end if upper else end


def _some(mask: Bools) -> Rows:
    """Return the rows of a population, evenly thinned to ``ENOUGH``."""
    rows = np.flatnonzero(mask)
    return rows[:: max(1, len(rows) // ENOUGH)]


def _percent_below(sampled: SampledEvents, marker: str, signal: float, cells: Bools) -> float:
    below = int(np.count_nonzero(cells & (sampled.signal(marker) < signal)))
    return 100 * (below / max(1, int(np.count_nonzero(cells))))


# ---------------------------------------------------------------- height over area


def _by_height(sampled: SampledEvents, t_cells: str) -> Iterator[tuple[str, float, float]]:
    """Yield an edge of height over area, of a gate of single cells that was narrower than they are."""
    pair = _height_and_area(sampled)
    if pair is None:
        return
    height, area = pair
    rows = _some(sampled.by_colour(t_cells) & ~sampled.at_the_end(height) & ~sampled.at_the_end(area))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = sampled.signal(height)[rows] / sampled.signal(area)[rows]
    ratio = ratio[(ratio > 0) & np.isfinite(ratio)]
    if len(ratio) < FEWEST_T_CELLS:
        return
    for upper in (False, True):
        percent, edge = _end(ratio, upper=upper)
        if percent >= LEAST_PERCENT and np.count_nonzero(np.diff(np.sort(ratio))) >= FEWEST_VALUES:
            beyond = f"{'above' if upper else 'below'} {edge:.2f}"
            message = f"{percent:.0f} % of the T cells crowd at {height}/{area} and the file holds none {beyond}"
            yield f"{message}: more were not stored", percent, LEAST_PERCENT


def _height_and_area(sampled: SampledEvents) -> tuple[str, str] | None:
    """Return height and area of one scatter that the template looks at, by their names; None without both."""
    known = {marker.upper(): marker for marker in sampled.channels}
    for name, marker in known.items():
        if name.endswith("-H") and is_scatter(marker) and f"{name[:-1]}A" in known:
            return marker, known[f"{name[:-1]}A"]
    return None


# ---------------------------------------------------------------- both scatters


def _by_both_scatters(sampled: SampledEvents, t_cells: str, cells: Bools) -> Iterator[tuple[str, float, float]]:
    """Yield that T cells crowd before a border all around them, where nothing else lies beyond it."""
    names = [marker for marker in sampled.channels if is_scatter(marker) and not marker.upper().endswith(("-H", "-W"))]
    if len(names) != 2:
        return
    rows = sampled.by_colour(t_cells)
    inside, sizes = np.ones_like(cells), []
    for name in names:
        sizes.append(logs(sampled, name, rows))
        first, last = quantiles(sizes[-1], AROUND_THE_T_CELLS)
        signal = sampled.signal(name)
        inside &= (signal > np.exp(first)) & (signal < np.exp(last))
        outside = int(np.count_nonzero(cells & ~inside)) / max(1, int(np.count_nonzero(cells)))
        if outside > FEWEST_OUTSIDE:
            return
    places = []
    for size in sizes:
        low, middle, high = quantiles(size, (0.159, 0.5, 0.841))
        places.append((size - middle) / max((high - low) / 2, 1e-6))
    percent = _shell_percent(*places)
    if percent >= LARGEST_SHELL_PERCENT:
        message = (
            f"{percent:.0f} % of the T cells crowd before a border around them in {' and '.join(names)}, and the file "
            "holds nothing beyond it: it was exported from a gate, and more were left out"
        )
        yield message, percent, LARGEST_SHELL_PERCENT


def _shell_percent(x: Floats, y: Floats) -> float:
    """Return how many percent of places lie within a quarter spread before the border of their sector."""
    radius, sector = np.hypot(x, y), ((np.arctan2(y, x) / (2 * np.pi) + 0.5) * SECTORS).astype(int) % SECTORS
    before = 0
    for one in range(SECTORS):
        own = radius[sector == one]
        if len(own):
            border = quantile(own, LAST)
            before += int(np.count_nonzero((own > border - STRETCH) & (own <= border)))
    return 100 * before / len(radius)
