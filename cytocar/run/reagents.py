"""A reagent that was left out of one tube of a run: no cell carries its marker, and all are darker than elsewhere.

The tube alone shows "none", as a tube without such cells does. But each reagent binds a little to all cells, to
granulocytes most: where the run's other tubes have that background and this one has not, the reagent was not in it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from statistics import median

from msgspec import Struct

from cytocar.errors.findings import Finding, Severity
from cytocar.run.yields import MOST_OTHERS
from cytocar.sample.quality.stain_levels import MOST_POSITIVE_PERCENT, StainLevel
from cytocar.statistics.order import MAD_TO_SD

REAGENTS_CHECK = "run_reagents"
FEWEST_OTHERS = 4
"""Other tubes: of four the middle stands whatever one of them does."""
SPREADS = 5.0
"""Robust standard deviations of the others below their middle."""
LEAST_DROP = 0.15
"""Of the negatives, in their own spreads: tubes of one staining differ by a twentieth."""
USUAL_DROP = 0.03
"""Standard deviation between tubes made alike, in the negatives' spreads, at the least."""
LEAST_FACTOR, USUAL_CV = 1.5, 0.08
"""Of the granulocytes' light: what tubes differ by, at the least, and what is looked for; those of a tube without the
reagent keep their autofluorescence, half to a quarter of it."""
AS_BRIGHT = 1.1
"""Granulocytes that carry nine tenths of the others' light contradict."""
SAME_GAIN = 1.25
"""Of the beads: dimmer ones show a detector, or a lot, that is another."""


class TubeStains(Struct, frozen=True):
    """The levels of one tube, and what it is compared among: template and instrument."""

    sample_id: str
    kind: tuple[str, ...]
    levels: tuple[StainLevel, ...]


def reagent_findings(tubes: Sequence[TubeStains]) -> Iterator[tuple[str, Finding]]:
    """Yield for each tube whether the reagents whose marker no cell carries are in it, beside the other tubes."""
    kinds: dict[tuple[str, ...], list[TubeStains]] = defaultdict(list)
    for tube in tubes:
        kinds[tube.kind].append(tube)
    for group in kinds.values():
        beside = [(tube, _by_marker(tube)) for tube in group[:: -(-len(group) // MOST_OTHERS)]]
        for tube in group:
            finding = _of_tube(tube, [levels for other, levels in beside if other is not tube])
            if finding is not None:
                yield tube.sample_id, finding


def _by_marker(tube: TubeStains) -> Mapping[str, StainLevel]:
    return {level.marker: level for level in tube.levels}


def _of_tube(tube: TubeStains, others: Sequence[Mapping[str, StainLevel]]) -> Finding | None:
    passed: Finding | None = None
    for level in tube.levels:
        beside = [levels[level.marker] for levels in others if level.marker in levels]
        if level.positive_percent >= MOST_POSITIVE_PERCENT or len(beside) < FEWEST_OTHERS:
            continue
        drop = _of_negatives(level, beside)
        light = _of_granulocytes(level, beside)
        by_light = light is not None and light.is_low and drop.value > -LEAST_DROP
        by_negatives = drop.is_low and (light is None or light.value > math.log(AS_BRIGHT))
        below = round(drop.value, 2) + 0.0  # no -0.00
        words = f"no cell carries {level.marker}, and cells without it lie {below:.2f} spreads below those"
        if light is not None:
            words += f", granulocytes at {math.exp(-light.value):.2f} of those"
        words += f" of {len(beside)} other tubes"
        if (by_light or by_negatives) and not _is_gain(level, beside):
            message = f"{words}: was its reagent left out?"
            return Finding(REAGENTS_CHECK, "W260", Severity.REVIEW, message, drop.value, drop.limit)
        passed = passed or Finding(REAGENTS_CHECK, "", Severity.PASS, words, drop.value, drop.limit)
    return passed


class _Drop(Struct, frozen=True):
    """How far a tube lies below the others, and beyond what that is odd."""

    value: float
    limit: float

    @property
    def is_low(self) -> bool:
        return self.value > self.limit


def _of_negatives(level: StainLevel, others: Sequence[StainLevel]) -> _Drop:
    """Return by how many of the others' spreads the negatives lie below them."""
    spread = median(other.spread for other in others)
    places = [other.negatives / spread for other in others]
    middle = median(places)
    sd = max(USUAL_DROP, MAD_TO_SD * median(abs(place - middle) for place in places))
    return _Drop(middle - level.negatives / spread, max(LEAST_DROP, SPREADS * sd))


def _of_granulocytes(level: StainLevel, others: Sequence[StainLevel]) -> _Drop | None:
    """Return ln of how many times the others' granulocytes are brighter; None where too few tubes have any."""
    lights = [other.granulocytes for other in others if other.granulocytes is not None and other.granulocytes > 0]
    if level.granulocytes is None or len(lights) < FEWEST_OTHERS:
        return None
    middle = median(lights)
    sd = max(USUAL_CV, MAD_TO_SD * median(abs(math.log(light / middle)) for light in lights))
    # at or below zero there is no light at all
    dimmer = math.log(middle / max(level.granulocytes, 0.01 * middle))
    return _Drop(dimmer, max(math.log(LEAST_FACTOR), SPREADS * sd))


def _is_gain(level: StainLevel, others: Sequence[StainLevel]) -> bool:
    """True if the beads are dimmer too: then it is the detector."""
    known = [other.beads for other in others if other.beads is not None and other.beads > 0]
    if level.beads is None or len(known) < FEWEST_OTHERS:
        return False
    return level.beads * SAME_GAIN < median(known)
