"""The ``reference`` gate: threshold and background of a rare positive population, from control samples.

Placing a threshold and estimating a rate are two problems. The threshold is the lowest one at which few of the events
above it are background; the references' rate above that same threshold is the background, to be subtracted
(``cytocar.counting.background``). References are brought to the sample's gain first (``alignment``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from msgspec.structs import asdict, replace

from cytocar.gates.adaptive.alignment import UNUSUAL_GAIN
from cytocar.gates.adaptive.density import Floats, Ordered
from cytocar.gates.adaptive.falling import negatives_beyond
from cytocar.gates.adaptive.mix import Bools, kinds_of
from cytocar.gates.adaptive.pool import FEWEST_REFERENCE_EVENTS, Pool, aligned, looked_at_from, positives_of
from cytocar.gates.adaptive.positives import LOW_STAIN_INDEX, Positives, Seen, overlap_doubt
from cytocar.gates.adaptive.unaided import densest_center, unaided
from cytocar.gates.decision import (
    FALLING,
    THRESHOLD_SD,
    Background,
    Decision,
    FitInput,
    Fitted,
    Flag,
    ReferenceCount,
    ReferenceEvents,
    Source,
    differs,
)
from cytocar.regions.boxes import RangeGate
from cytocar.sheet.rows import SampleType
from cytocar.template.gate_kinds import ReferenceGate

ENOUGH_REFERENCE_EVENTS = 100_000
"""A background of 0.1 % is then known to 10 %; further controls are not looked at."""
FEWEST_EVENTS = 100
"""Of the parent: with fewer the template's fallback is used, and the gate is flagged FEW_EVENTS."""
FEWEST_POSITIVES = 10
"""Above a threshold, for it to be placed by what lies there, or for that to be described: ten are known to a third."""
LARGEST_FALSE_SHARE = 0.10
"""Of the events above the threshold that may be background: higher lets dim positives in and more to subtract."""
LOWEST_QUANTILE = 0.97
"""Of the references: a threshold below it would let in 3 % of the negatives."""
DEFAULT_REACH, LARGEST_REACH = 1.4, 4.0
"""Thresholds in units of (99.9 % quantile - median) above the median of the aligned references."""
SMALLEST_STAIN_INDEX = 3.0
"""Positives closer to the negatives are not told apart, whatever the threshold: NOT_QUANTIFIABLE."""
FAR_SPREADS, LARGEST_FAR_SHARE = 6.0, 0.005
"""A reference with more than 0.5 % of its events 6 robust standard deviations above the median holds positives."""
FALLBACK_SPREADS = 3.5
"""A fallback nearer to the sample's negatives than this lets in more than 0.02 % of a normal: FALLBACK_TOO_LOW."""
ASKING_PART, SUPPOSED_TIMES = 0.25, 4.0
"""Of the events above a fallback, negatives that fall through it: from a quarter on, if they are also four times what
the template supposes (the lower limit does up to five), the tube asks: FALLBACK_TOO_LOW.
On real spike-ins kept back (0.1 and 1 %, thresholds among the negatives) the interval held the truth in 32 to 79 % of
the tubes, now in 88 to 98, and 6 to 28 % were wrong without asking, now 2 to 9."""
FEWEST_FOR_STAIN_INDEX = 50
"""Events above a fallback, for a low stain index to ask for a look: of fewer one in ten at an index of 6 would."""
LOOSELY_KNOWN, DOUBTED_STAIN_INDEX = (100, 1000), 4.5
"""From so many events up to fewer than so many, above a threshold that controls placed, an index below 4.5 asks for a
look: these tell an index of 4 to a fifth. With 200 and 500 CAR+ cells at a true 4, 73 to 95 % of the tubes ask on four
sets of shapes (49 to 72 % where only an index below 4 does), at a true 6 at most 3 % more. Borders of 4.75 and 5 would
ask in up to 8 and 16 % more there. On shapes not looked at before 68 to 71 % at 4 ask (a dim kind of cells under
the negatives is never told) and at most 2 % more at 6; of real positives made as dim 90 to 92 %, 13 to 14 % more."""
OFFSET_DOUBT = 0.04
"""Standard deviation that the sensitivity gets for each spread of offset: positives may have been moved otherwise."""
OFFSET_TAIL_DOUBT = 0.6
"""What each spread of offset adds to the background's coefficient of variation: what a neighbour leaves has a tail."""
SHIFTS = (-1.59, -0.97, -0.59, -0.28, 0.0, 0.28, 0.59, 0.97, 1.59)
"""Nine equally likely values of a standard normal: where the tail is steep, a small shift changes the rate by much."""
UNSEEN = Positives(events=0.0, median=1.0, log_sd=1.0, sensitivity=0.78, sensitivity_sd=0.20)
"""Positives of which fewer than ten are seen: a stain index of 6 to 12 leaves 0.82 to 0.95 of them above such a
threshold, 4 some 0.7, 3 some 0.55, and those that are not seen are the dim ones more often. From ten on they tell their
brightness themselves, weighed against this figure by precision (alone they are thought too bright where positives are
broad: net/true 0.90 at 0.1 % and an index of 6, 0.93 so). Of 20 cells the interval is then 1.3 times as wide as an
oracle's at an index of 12 and 1.6 to 1.7 times at 6 (1.4 to 1.6 and 2.3 with this figure for all), and holds the truth
as often."""


class _Choice(Struct, frozen=True):
    threshold: float
    clamped: bool
    positives: Positives
    stand_out: bool = True
    """False where background may be more than a tenth of what lies above any threshold."""


def fit(gate: ReferenceGate, given: FitInput) -> Fitted:
    """Return the gate as a range, with the background of the references above the same threshold.

    The references are the same parent of fully stained CAR-negative samples: own baseline first, healthy donors to fill
    up. An FMO places a threshold only; it has no sticky events, so it never gives a background.
    """
    values = Ordered.of(given.columns[gate.marker])
    chosen, flags = _choose(gate, given.references)
    if len(values) < FEWEST_EVENTS:
        flags.append(Flag.FEW_EVENTS)
    if not chosen or len(values) < FEWEST_EVENTS:
        return _fallback(given.population, gate, values, flags)
    pool, share = aligned(values, chosen, gate, kinds_of(given.columns[gate.marker], given.kinds))
    flags.extend(_doubts(pool))
    if len(pool.parts) < len(chosen) or not all(alignment.trusted for alignment in pool.alignments):
        flags.append(Flag.ALIGNMENT_REJECTED)
    if not pool.is_usable:
        return _fallback(given.population, gate, values, flags)
    choice = _threshold(values, pool, gate, share)
    if choice.clamped:
        flags.append(Flag.CLAMPED)
    if not choice.stand_out:
        flags.append(Flag.NO_RESOLVED_POSITIVES)
    return _described(given.population, gate, values, pool, choice, flags)


def background_above(
    threshold: float,
    values: Floats,
    gate: ReferenceGate,
    references: Sequence[ReferenceEvents],
    kinds: Sequence[Bools] = (),
) -> Background | None:
    """Return the references' background above a threshold that a person chose; None without references.

    ``values`` (n,) are the signals of the sample's events in the gate's parent, ``kinds`` which of them are CD4+ and
    which CD8+, as in ``fit``.
    """
    ordered = Ordered.of(values)
    chosen, flags = _choose(gate, references)
    if not chosen or Flag.FMO_ONLY in flags or len(ordered) < FEWEST_EVENTS:
        return None
    pool, _ = aligned(ordered, chosen, gate, kinds_of(values, kinds))
    if not pool.is_usable:
        return None
    return _background(pool, threshold, positives_of(ordered, pool, threshold))


def seen_above(
    threshold: float,
    values: Floats,
    gate: ReferenceGate,
    references: Sequence[ReferenceEvents],
    kinds: Sequence[Bools] = (),
) -> tuple[Seen, Background] | None:
    """What a tube shows of its positives about a threshold, in spreads of its references' negatives.

    In that unit, from the offset on, tubes of one subject can be compared whatever their gain. None where the
    references do not fit or give no background.
    """
    ordered = Ordered.of(values)
    chosen, flags = _choose(gate, references)
    if not chosen or Flag.FMO_ONLY in flags or len(ordered) < FEWEST_EVENTS:
        return None
    pool, _ = aligned(ordered, chosen, gate, kinds_of(values, kinds))
    if not pool.is_usable or threshold <= max(0.0, pool.offset):
        return None
    center, spread = pool.all.center_and_spread()
    start = looked_at_from(pool, threshold)
    seen = Seen(
        (ordered.from_on(start) - pool.offset) / spread,
        (pool.all.from_on(start) - pool.offset) / spread,
        events=len(ordered),
        reference_events=len(pool.all),
        threshold=(threshold - pool.offset) / spread,
        center=(center - pool.offset) / spread,
        shift_sd=pool.shift_sd(threshold) / spread,
    )
    return seen, _background(pool, threshold, positives_of(ordered, pool, threshold))


def _background(pool: Pool, threshold: float, positives: Positives) -> Background:
    center, spread = pool.all.center_and_spread()
    shifted = threshold + pool.shift_sd(threshold) * np.array(SHIFTS)
    return Background(
        events=pool.all.above(threshold),
        of_events=len(pool.all),
        control_ids=pool.ids,
        between_cv=None,
        sensitivity=positives.sensitivity,
        sensitivity_sd=math.hypot(
            positives.sensitivity_sd,
            OFFSET_DOUBT * pool.unusual_offset,
            overlap_doubt(_stain_index(positives, pool)) * (1 - positives.sensitivity),
        ),
        shifted_events=tuple(pool.all.above(place) for place in shifted),
        parts=tuple(
            ReferenceCount(
                own,
                len(part),
                tuple(part.above(place) for place in shifted),
                sample_id=name,
                place=alignment.on_reference(threshold),
                gain=alignment.gain,
                offset=alignment.offset / alignment.spread,
            )
            for own, part, name, alignment in zip(pool.own, pool.parts, pool.ids, pool.alignments, strict=True)
        ),
        place=(threshold - center) / spread,
        extra_cv=OFFSET_TAIL_DOUBT * pool.unusual_offset,
        kinds=pool.kinds_above(threshold),
        resolved=round(positives.events * positives.sensitivity) >= FEWEST_POSITIVES - 1,  # one may be background
    )


def _stain_index(positives: Positives, pool: Pool) -> float | None:
    if not positives.events:
        return None
    center, spread = pool.all.center_and_spread()
    return (positives.median + pool.offset - center) / (2 * spread)


def _choose(gate: ReferenceGate, references: Sequence[ReferenceEvents]) -> tuple[list[ReferenceEvents], list[Flag]]:
    """Return the references to use in the template's order of kinds, up to enough events, and what is wrong with them.

    FMOs are used only where there is nothing else; a control that says nothing about the marker is none.
    """
    telling = [one for one in references if gate.marker in one.values]
    usable = [one for kind in gate.controls for one in telling if one.kind == kind]
    stained = [one for one in usable if one.kind is not SampleType.FMO]
    chosen: list[ReferenceEvents] = []
    events = 0
    for one in stained or usable:
        if events >= ENOUGH_REFERENCE_EVENTS:
            break
        chosen.append(one)
        events += int(np.count_nonzero(np.isfinite(one.values[gate.marker])))
    if not chosen:
        return [], [Flag.NO_REFERENCE]
    if events < FEWEST_REFERENCE_EVENTS:
        return [], [Flag.FEW_REFERENCE_EVENTS]
    return chosen, [] if stained else [Flag.FMO_ONLY]


def _doubts(pool: Pool) -> list[Flag]:
    flags: list[Flag] = []
    if pool.unusual_offset:
        flags.append(Flag.OFFSET_SHIFT)
    if any(abs(np.log(alignment.gain)) > np.log(UNUSUAL_GAIN) for alignment in pool.alignments):
        flags.append(Flag.GAIN_SHIFT)
    if any(alignment.different for alignment in pool.alignments):
        flags.append(Flag.NEGATIVES_DIFFER)
    if pool.few_of_a_kind:
        flags.append(Flag.FEW_OF_A_KIND)
    center, spread = pool.all.center_and_spread()
    if pool.rate(center + FAR_SPREADS * spread) > LARGEST_FAR_SHARE:
        flags.append(Flag.HIGH_BACKGROUND)
    return flags


def _threshold(values: Ordered, pool: Pool, gate: ReferenceGate, share: float) -> _Choice:
    """Return the lowest threshold with at most 10 % of background above it, moved up to where errors balance.

    Errors balance where as many negatives lie above the threshold as positives below it: the gated count is then
    right, whatever the share. Without ten events that stand out, the threshold is 1.4 times as far above the
    references' median as their 99.9 % quantile.
    """
    low, high = pool.all.quantile(LOWEST_QUANTILE), pool.reach(LARGEST_REACH)
    candidates = np.linspace(max(low, 1e-3 * high), high, 400)
    above = len(values) - np.searchsorted(values.values, candidates)
    unlucky = candidates - pool.shift_sd(high)
    rates = (len(pool.all) - np.searchsorted(pool.all.values, unlucky) + 0.5) / (len(pool.all) + 1)
    false = rates * len(values) * (1 - share)
    good = np.flatnonzero((false <= LARGEST_FALSE_SHARE * above) & (above >= FEWEST_POSITIVES))
    if not len(good):
        threshold = pool.reach(DEFAULT_REACH)
        placed = float(np.clip(threshold, *gate.window))
        return _Choice(placed, placed != threshold, _hardly_seen(values, pool, placed), stand_out=False)
    start = int(good[0])
    first = float(candidates[start])
    positives = positives_of(values, pool, first)
    balanced = np.flatnonzero(false[start:] <= positives.missed(candidates[start:] - pool.offset))
    threshold = float(candidates[start + balanced[0]] if len(balanced) else candidates[-1])
    placed = float(np.clip(threshold, *gate.window))
    return _Choice(placed, placed != threshold, positives if placed == first else positives_of(values, pool, placed))


def _hardly_seen(values: Ordered, pool: Pool, threshold: float) -> Positives:
    """Return what lies above a threshold that nothing placed, if it is ten events more than the references explain."""
    if values.above(threshold) - len(values) * pool.rate(threshold) < FEWEST_POSITIVES:
        return UNSEEN
    positives = positives_of(values, pool, threshold)
    return _weighed(positives, UNSEEN) if positives.events else UNSEEN


def _weighed(seen: Positives, supposed: Positives) -> Positives:
    """Return positives with the mean of two sensitivities by their precision; where they differ, the doubt grows."""
    precisions = 1 / seen.sensitivity_sd**2, 1 / supposed.sensitivity_sd**2
    of_seen, total = precisions[0] / sum(precisions), sum(precisions)
    mean = of_seen * seen.sensitivity + (1 - of_seen) * supposed.sensitivity
    apart = math.sqrt(of_seen * (1 - of_seen)) * (seen.sensitivity - supposed.sensitivity)
    return replace(seen, sensitivity=mean, sensitivity_sd=math.hypot(1 / math.sqrt(total), apart))


def _described(
    population: str, gate: ReferenceGate, values: Ordered, pool: Pool, choice: _Choice, flags: list[Flag]
) -> Fitted:
    """Return the placed gate with its background, its sensitivity, and the comparison with the fallback."""
    threshold = choice.threshold
    positives = choice.positives
    center, spread = pool.all.center_and_spread()
    stain_index = _stain_index(positives, pool)
    if stain_index is not None and stain_index < SMALLEST_STAIN_INDEX:
        flags.append(Flag.NOT_QUANTIFIABLE)
    elif stain_index is not None and stain_index < _lowest_clear(values.above(threshold)):
        flags.append(Flag.LOW_STAIN_INDEX)
    net = _net_events(values.above(threshold), len(values), pool.rate(threshold)) / positives.sensitivity
    if differs(net, _net_events(values.above(gate.fallback), len(values), pool.rate(gate.fallback))):
        flags.append(Flag.DIFFERS_FROM_FIXED)
    background = None if Flag.FMO_ONLY in flags else _background(pool, threshold, positives)
    gain = float(np.exp(np.mean([np.log(alignment.gain) for alignment in pool.alignments])))
    measured = {
        "gain": gain,
        "sensitivity": positives.sensitivity,
        "stain_index": stain_index,
        THRESHOLD_SD: (threshold - center) / spread,
    }
    if (apart := pool.gains_apart) is not None:
        measured |= {"gain_cd4": apart[0], "gain_cd8": apart[1]}
    decision = _decision(population, gate, values, threshold, flags, Source.REFERENCE)
    others = tuple(
        Decision(population, gate.kind, name, value, Source.REFERENCE, events=len(values))
        for name, value in measured.items()
    )
    extras = {name: value for name, value in measured.items() if value is not None}
    return Fitted(RangeGate(marker=gate.marker, min=threshold), (decision, *others), background, extras)


def _lowest_clear(events: int) -> float:
    """Return the stain index below which so many events above the threshold ask for a look."""
    return DOUBTED_STAIN_INDEX if LOOSELY_KNOWN[0] <= events < LOOSELY_KNOWN[1] else LOW_STAIN_INDEX


def _fallback(population: str, gate: ReferenceGate, values: Ordered, flags: list[Flag]) -> Fitted:
    """Return the template's threshold; flagged where the sample's own negatives reach up to it.

    Seen from their dim side, where no positives are: the fallback should lie 3.5 standard deviations above their
    middle, beyond which 0.02 % of normally distributed negatives lie; and events that fall towards it should not go on
    falling beyond it. Nothing is placed or subtracted by that. What the events above it tell of the positives goes
    beside it, and how many of them may be negatives.
    """
    dim = Ordered(values.values[: len(values) - values.above(gate.fallback)])
    place, falling, seen = None, 0.0, None
    if len(dim) >= FEWEST_EVENTS:
        middle, center = dim.quantile(0.5), densest_center(values)
        place = (gate.fallback - middle) / max(middle - dim.quantile(0.159), 1e-9)
        falling = negatives_beyond(values.above, gate.fallback, center)
        seen = unaided(values, gate.fallback, center)
        if place < FALLBACK_SPREADS or _asks(falling, values, gate):
            flags = [*flags, Flag.FALLBACK_TOO_LOW]
    if seen and seen.stain_index < LOW_STAIN_INDEX and values.above(gate.fallback) >= FEWEST_FOR_STAIN_INDEX:
        flags = [*flags, Flag.LOW_STAIN_INDEX]
    measured = {THRESHOLD_SD: place, **({} if seen is None else asdict(seen))}
    if falling:
        measured[FALLING] = falling
    decision = _decision(population, gate, values, gate.fallback, flags, Source.FALLBACK)
    others = (
        Decision(population, gate.kind, name, value, Source.FALLBACK, events=len(values))
        for name, value in measured.items()
    )
    return Fitted(RangeGate(marker=gate.marker, min=gate.fallback), (decision, *others))


def _asks(falling: float, values: Ordered, gate: ReferenceGate) -> bool:
    """True if so many negatives may lie above the fallback that neither the count nor its interval can be trusted."""
    supposed = gate.background_percent / 100 * len(values)
    return falling > max(ASKING_PART * values.above(gate.fallback), SUPPOSED_TIMES * supposed)


def _decision(
    population: str, gate: ReferenceGate, values: Ordered, threshold: float, flags: list[Flag], source: Source
) -> Decision:
    return Decision(
        population=population,
        kind=gate.kind,
        parameter="threshold",
        value=threshold,
        source=source,
        window=gate.window,
        clamped=Flag.CLAMPED in flags,
        events=len(values),
        fallback=gate.fallback,
        flags=tuple(flags),
        kept=values.above(threshold),
        kept_by_fallback=values.above(gate.fallback),
    )


def _net_events(above: int, events: int, rate: float) -> float:
    return max(0.0, (above - events * rate) / (1 - rate))
