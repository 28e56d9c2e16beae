"""CD3-negative lymphocytes of a sample and of its controls, at one place: what ``counting.witness`` compares."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from cytocar.counting.witness import Rise, Witnesses, rise_of
from cytocar.sample.bead_gain import gain_of_beads
from cytocar.sample.control_signals import WITNESSES
from cytocar.template.gate_kinds import ReferenceGate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cytocar.gates.decision import Background, ReferenceCount
    from cytocar.gates.populations import Populations
    from cytocar.sample.control_signals import References
    from cytocar.template.model import Template

LARGEST_LOG_GAIN, LARGEST_OFFSET = 0.15, 0.3
"""Beyond 15 % of gain that the beads do not show, or 0.3 spreads of offset, cells with negatives of their own are not
compared: what an alignment of T cells leaves in their tail would look like a rise of stickiness."""


def rise_on_witnesses(
    populations: Populations, template: Template, backgrounds: Mapping[str, Background], references: References
) -> Rise | None:
    """Return by how much more the CD3-negative lymphocytes lie in the CAR gate than the controls'."""
    role = template.report.car
    gate = template.population(role).gate if role else None
    background = backgrounds.get(role) if role else None
    if background is None or not isinstance(gate, ReferenceGate):
        return None
    parts = {part.sample_id: part for part in background.parts}
    counts = list(_counts(populations, template, gate.marker, parts, references))
    above, of_events = (sum(several) for several in zip(*counts, strict=True)) if counts else (0, 0)
    return rise_of(Witnesses(*populations.car_beside_t_cells, above, of_events))


def comparable(part: ReferenceCount, of_beads: float | None) -> bool:
    """True if other cells than T cells can be compared with a control's: they follow the detector's gain."""
    return abs(math.log(part.gain / (of_beads or 1.0))) <= LARGEST_LOG_GAIN and abs(part.offset) <= LARGEST_OFFSET


def _counts(
    populations: Populations,
    template: Template,
    marker: str,
    parts: Mapping[str, ReferenceCount],
    references: References,
) -> Iterator[tuple[int, int]]:
    """Yield the witnesses above the threshold, and all, of each control that can be compared."""
    beads = {one.sample_id: one.values.get(marker) for one in references.get(template.counting.beads or "", ())}
    for one in references.get(WITNESSES, ()):
        part = parts.get(one.sample_id)
        if part is None or marker not in one.values:
            continue
        if comparable(part, gain_of_beads(populations, template, marker, beads.get(one.sample_id))):
            signals = one.values[marker]
            yield len(signals) - int(np.searchsorted(signals, part.place)), len(signals)
