"""Whether the negatives became brighter than the detector: the beads of sample and control tell the detector's gain."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from cytocar.errors.findings import Finding, Severity
from cytocar.gates.adaptive.gain_by_beads import gain_between
from cytocar.statistics.order import median
from cytocar.template.gate_kinds import ReferenceGate

if TYPE_CHECKING:
    from cytocar.gates.populations import Populations
    from cytocar.sample.control_signals import References
    from cytocar.template.model import Template

LARGEST_DISAGREEMENT = 0.3
"""Between the logarithms of both gains. Negatives are mostly spillover noise, which does not scale with the detector:
at a gain of 0.7 the negatives' own was 0.22 above it; bead lots lie 10 % apart. Negatives 1.5 times as bright give
0.4."""


def gain_findings(populations: Populations, template: Template, references: References) -> Iterator[Finding]:
    """Yield a finding for each gate whose controls were brought to another gain than the beads show."""
    beads = template.counting.beads
    controls = references.get(beads, ()) if beads else ()
    gains = {row.population: row.value for row in populations.decisions if row.parameter == "gain"}
    for population in template.populations:
        gain, gate = gains.get(population.name), population.gate
        if beads is None or not gain or not isinstance(gate, ReferenceGate):
            continue
        of_controls = (
            gain_of_beads(populations, template, gate.marker, one.values.get(gate.marker)) for one in controls
        )
        known = [one for one in of_controls if one is not None]
        if not known:
            continue
        of_beads = median(np.array(known))
        if abs(math.log(gain / of_beads)) > LARGEST_DISAGREEMENT:
            message = (
                f"the negatives' {gate.marker} signal is {gain:.2f} times the control's, the beads' "
                f"{of_beads:.2f} times: the cells changed, not the detector"
            )
            yield Finding("gain", "W322", Severity.REVIEW, message, value=gain / of_beads)


def gain_of_beads(
    populations: Populations, template: Template, marker: str, control: np.ndarray | None
) -> float | None:
    """Return the detector's gain, sample against control, from the beads' medians; None where these do not tell it.

    ``control`` (n,) are the control's beads' signals in ascending order.
    """
    beads = template.counting.beads
    if beads is None or control is None:
        return None
    return gain_between(populations.median(beads, marker), populations[beads].events, control)
