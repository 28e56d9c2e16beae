"""Where the cells that lack a marker lie in its detector: lower where its reagent was left out.

Every antibody binds a little to cells that lack its antigen, to granulocytes and monocytes through their Fc receptors
most. A tube without the reagent shows autofluorescence and other dyes' light alone. What that is nobody knows from one
tube; the others of its run tell (``run.reagents``).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from msgspec import Struct

from cytocar.gates.adaptive.parent_events import thin
from cytocar.gates.engine.frame import ALL, Bools
from cytocar.gates.sampled_events import SampledEvents
from cytocar.regions.boxes import RangeGate
from cytocar.sample.quality.cells import living, side_scatter
from cytocar.sample.quality.unstained import GRANULOCYTE_SSC
from cytocar.statistics.order import medians, quantiles

FEWEST_CELLS = 200
"""A level of so many is known to a tenth of their spread."""
MOST_POSITIVE_PERCENT = 0.1
"""Of the parent: what passes a gate by chance. A tube with more of them had its reagent."""
LOW_SHARE = 0.3
"""Of the cells below the gate: where it lies a fifth of dim positives among them moves by a sixth of their spread."""
MOST_CELLS = 4000
"""More do not tell a level better than tubes differ."""


class StainLevel(Struct, frozen=True):
    """Where cells without a marker lie, in data units, and how many carry it.

    Attributes
    ----------
    population, marker : str
        Whose gate asks for the marker, and which.
    positive_percent : float
        Of its parent.
    negatives, spread : float
        Of the parent's cells below the gate: where three tenths of them end, and their robust standard deviation.
    granulocytes : float, optional
        Median of the living granulocytes; None where there are few.
    beads : float, optional
        Median of the counting beads; None where there are none.
    """

    population: str
    marker: str
    positive_percent: float
    negatives: float
    spread: float
    granulocytes: float | None = None
    beads: float | None = None


def stain_levels(sampled: SampledEvents) -> Iterator[StainLevel]:
    """Yield a level for each marker that a gate beside or below the T cells asks for, once."""
    report, beads = sampled.template.report, sampled.template.counting.beads
    on_the_way = set(sampled.path(report.t_cells)) if report.t_cells is not None else set()
    bead_mask = None if beads is None else sampled.frame.mask(beads)
    granulocytes = _granulocytes(sampled, bead_mask)
    known: set[str] = set()
    for name, gate in sampled.gates.items():
        if name in on_the_way or not isinstance(gate, RangeGate) or gate.min is None or gate.units != "data":
            continue
        declared = sampled.template.population(name)
        of, inside = sampled.frame.within(declared.parent, declared.exclude), sampled.frame.mask(name)
        below = thin(np.flatnonzero(of & ~inside), MOST_CELLS)
        if gate.marker in known or len(below) < FEWEST_CELLS:
            continue
        known.add(gate.marker)
        low, level, high = quantiles(sampled.signal(gate.marker)[below], (0.159, LOW_SHARE, 0.841))
        yield StainLevel(
            population=name,
            marker=gate.marker,
            positive_percent=100 * int(np.count_nonzero(inside)) / max(1, int(np.count_nonzero(of))),
            negatives=float(level),
            spread=max(float(high - low) / 2, 1e-6),
            granulocytes=_median(sampled, gate.marker, granulocytes),
            beads=_median(sampled, gate.marker, bead_mask),
        )


def _granulocytes(sampled: SampledEvents, beads: Bools | None) -> Bools | None:
    """Return the living cells whose side scatter is three times that of the T cells, or of the lymphocytes."""
    lymphocytes, side = sampled.lymphoid, side_scatter(sampled)
    if side is None or lymphocytes is None:
        return None
    if np.count_nonzero(sampled.frame.mask(lymphocytes)) < FEWEST_CELLS:
        return None
    alive = living(sampled)
    alive = sampled.frame.mask(ALL) if alive is None else alive
    large = sampled.signal(side) > GRANULOCYTE_SSC * sampled.median(side, lymphocytes)
    return np.asarray(alive & large if beads is None else alive & large & ~beads)


def _median(sampled: SampledEvents, marker: str, cells: Bools | None) -> float | None:
    rows = thin(np.flatnonzero(cells), MOST_CELLS) if cells is not None else ()
    return float(medians(sampled.signal(marker)[rows])) if len(rows) >= FEWEST_CELLS else None
