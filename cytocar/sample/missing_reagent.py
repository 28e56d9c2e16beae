"""Whether sample and control both hold the CAR reagent: granulocytes bind a little of it, in either as much.

A sample without the reagent shows "none", as one without CAR-T cells does; a control without it shows no background.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from cytocar.errors.findings import Finding, Severity
from cytocar.sample.control_signals import GRANULOCYTES
from cytocar.sample.quality.stain_levels import FEWEST_CELLS, MOST_POSITIVE_PERCENT, StainLevel
from cytocar.statistics.order import medians

if TYPE_CHECKING:
    import numpy as np

    from cytocar.sample.control_signals import References
    from cytocar.template.model import Template

CHECK = "car_reagent"
LARGEST_FACTOR = 2.0
"""Between the granulocytes of sample and control: those of two tubes with the reagent differ by a fifth, and without it
they keep a quarter to two fifths of their light."""


def missing_reagent(levels: Sequence[StainLevel], template: Template, references: References) -> Iterator[Finding]:
    """Yield whether the granulocytes carry as much of the CAR reagent as those of the controls.

    Nothing where there are no granulocytes, or no control that shows any.
    """
    level = next((one for one in levels if one.population == template.report.car), None)
    if level is None or level.granulocytes is None:
        return
    controls = [
        (level.granulocytes / light, _gain(level, one.sample_id, references, template.counting.beads))
        for one in references.get(GRANULOCYTES, ())
        if (light := _median(one.values.get(level.marker))) is not None
    ]
    if not controls:
        return
    # by the beads' gain or without it, whichever is nearer to the control: beads may be of another lot
    nearer = sorted(min(times, times / gain, key=lambda one: abs(math.log(max(one, 1e-3)))) for times, gain in controls)
    times = nearer[len(nearer) // 2]
    words = f"granulocytes carry {max(times, 0.0):.2f} times the {level.marker} signal of the control's"
    if times < 1 / LARGEST_FACTOR and level.positive_percent < MOST_POSITIVE_PERCENT:
        message = f"{words}, and no T cell is positive: was the reagent left out of this tube?"
    elif times > LARGEST_FACTOR:
        message = f"{words}: was the reagent left out of the control, whose background is subtracted?"
    else:
        yield Finding(CHECK, "", Severity.PASS, words, times, LARGEST_FACTOR)
        return
    yield Finding(CHECK, "W260", Severity.REVIEW, message, times, LARGEST_FACTOR)


def _gain(level: StainLevel, control: str, references: References, beads: str | None) -> float:
    """Return by how much brighter the sample's detector is than the control's; 1 where no beads tell."""
    own = next(
        (one.values.get(level.marker) for one in references.get(beads or "", ()) if one.sample_id == control), None
    )
    light = _median(own)
    return level.beads / light if light is not None and level.beads is not None else 1.0


def _median(values: np.ndarray | None) -> float | None:
    if values is None or len(values) < FEWEST_CELLS:
        return None
    light = float(medians(values))
    return light if light > 0 else None
