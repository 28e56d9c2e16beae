"""References brought to the sample: its gain and offset, its proportions of CD4+ and CD8+ T cells."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from cytocar.gates.adaptive.alignment import (
    COMPARED_SHARE,
    COMPARED_WITHOUT_POSITIVES,
    UNUSUAL_OFFSET,
    Alignment,
    align,
    left_by,
    mean_of,
)
from cytocar.gates.adaptive.density import Floats, Ordered
from cytocar.gates.adaptive.mix import Kinds, cannot_follow, remixed, shares_of
from cytocar.gates.adaptive.positives import Positives, describe
from cytocar.gates.decision import ReferenceEvents
from cytocar.sheet.rows import SampleType
from cytocar.template.gate_kinds import ReferenceGate

FEWEST_REFERENCE_EVENTS = 2000
"""With fewer, a background of 0.1 % rests on two events or fewer: controls are not used (FEW_REFERENCE_EVENTS)."""
LOWEST_LOOKED_AT = 0.80
"""Quantile of the references above which a sample's positives are described: lower takes in more of the negatives."""
ALIGNMENTS = 2
"""Rounds: the second uses the share of negatives that the first has found."""
REALIGNMENTS, REALIGNED_FROM = 1, 0.03
"""Rounds without the positives that are thought to lie among the negatives, where their share is larger than 3 %."""
SAME_MIX = 0.005
"""By less than half a percent in each kind a mix is the one before: the control need not be mixed again."""
FEWEST_APART = 2000
"""Of CD4+ and of CD8+ T cells, in sample and control: fewer do not tell a gain of their own."""
LARGEST_SHARE_APART = 0.3
"""Of a kind's cells that are thought positive: of 24 tubes with an index of 3 and two thirds of the CD8+ T cells CAR+,
7 had kinds aligned apart for want of dim positives that the model took for negatives."""
LEAST_EVIDENCE, EVIDENCE_SHARE = 12.0, 0.0005
"""By how much the logarithm of the likelihood has to rise, at least and for each event, if kinds are aligned apart: of
432 tubes whose kinds are alike one reached it, of those whose CD8+ T cells are 1.15 times as bright as the control's
two in three."""
MANY_POSITIVES = 0.12
"""Share up to which more of the negatives are compared once the positives among them are taken out: at 5 and 10 % and
indices of 3 to 6 the errors of the net share fall by 7 to 21 %, at 17 and 40 % and an index of 3 they rise by 7 to 15 %
(84 tubes each)."""


class Pool(Struct, frozen=True, eq=False):
    """References of one kind of use, aligned to the sample, each and pooled.

    ``few_of_a_kind`` is True where one could not follow the sample's CD4/CD8 ratio, and that may matter. ``kinds`` are
    the CD4+ and the CD8+ T cells of each reference as they were recorded, with what brings them to the sample.
    """

    all: Ordered
    parts: tuple[Ordered, ...]
    ids: tuple[str, ...]
    own: tuple[bool, ...]
    alignments: tuple[Alignment, ...]
    few_of_a_kind: bool = False
    kinds: tuple[tuple[tuple[Ordered, Alignment], ...], ...] = ()

    @classmethod
    def of(
        cls,
        parts: Sequence[Ordered],
        references: Sequence[ReferenceEvents],
        alignments: Sequence[Alignment],
        *,
        few_of_a_kind: bool = False,
        kinds: Sequence[tuple[tuple[Ordered, Alignment], ...]] = (),
    ) -> Pool:
        """Pool the references that could be aligned; all of them as they are where none could."""
        fitting = [index for index, one in enumerate(alignments) if one.trusted] or range(len(parts))
        used = tuple(parts[index] for index in fitting)
        pooled = used[0] if len(used) == 1 else Ordered(np.sort(np.concatenate([part.values for part in used])))
        return cls(
            all=pooled,
            parts=used,
            ids=tuple(references[index].sample_id for index in fitting),
            own=tuple(references[index].kind is SampleType.BASELINE for index in fitting),
            alignments=tuple(alignments[index] for index in fitting),
            few_of_a_kind=few_of_a_kind,
            kinds=tuple(kinds[index] for index in fitting) if kinds else (),
        )

    def kinds_above(self, threshold: float) -> tuple[tuple[int, int], ...]:
        """Return the CD4+ and CD8+ T cells above a threshold, and all; empty where a reference does not tell them."""
        if not self.kinds or not all(self.kinds):
            return ()
        return tuple(
            (sum(kind.above(one.on_reference(threshold)) for kind, one in each), sum(len(kind) for kind, _ in each))
            for each in zip(*self.kinds, strict=True)
        )

    @property
    def gains_apart(self) -> tuple[float, float] | None:
        """Return the gains of CD4+ and of CD8+ T cells, where a reference's kinds have gains of their own."""
        gains = [(cd4.gain, cd8.gain) for (_, cd4), (_, cd8) in self.kinds if cd4 is not cd8] if all(self.kinds) else []
        return (float(np.mean([one for one, _ in gains])), float(np.mean([one for _, one in gains]))) if gains else None

    @property
    def is_usable(self) -> bool:
        """Whether its references fit the sample and are enough."""
        return all(one.trusted for one in self.alignments) and len(self.all) >= FEWEST_REFERENCE_EVENTS

    def rate(self, threshold: float) -> float:
        """Return the share of the references at or above a threshold."""
        return (self.all.above(threshold) + 0.5) / (len(self.all) + 1)

    @property
    def offset(self) -> float:
        """What lies under every signal of the sample, positives included, beside the references' own level."""
        return float(np.mean([alignment.offset for alignment in self.alignments]))

    @property
    def unusual_offset(self) -> float:
        """The largest offset beyond what is usual, in spreads of the references' negatives; 0 for a usual one."""
        offsets = (abs(alignment.offset) / alignment.spread for alignment in self.alignments)
        return max((offset for offset in offsets if offset > UNUSUAL_OFFSET), default=0.0)

    def shift_sd(self, threshold: float) -> float:
        """How well the alignment is known at a threshold, data units."""
        return float(np.mean([alignment.sd_at(threshold) for alignment in self.alignments]))

    def reach(self, factor: float) -> float:
        """Return median + factor * (99.9 % quantile - median)."""
        median = self.all.quantile(0.5)
        return median + factor * (self.all.quantile(0.999) - median)


class _Control(Struct, frozen=True, eq=False):
    """A reference's signals: all, and of each kind of T cells, where the sample's are told apart too."""

    all: Ordered
    kinds: Kinds
    bead_gain: float | None

    @classmethod
    def of(cls, one: ReferenceEvents, marker: str, kinds: Kinds) -> _Control:
        """Return the signals of a reference; its kinds only where the sample has some."""
        own = tuple(Ordered.of(kind) for kind in one.kinds.get(marker, ())) if kinds else ()
        return cls(Ordered.of(one.values[marker]), own, one.bead_gains.get(marker))

    def mixed(self, shares: Sequence[float]) -> Ordered | None:
        """Return the signals in the sample's proportions of kinds; as they are where no kinds are told."""
        return remixed(self.kinds, shares) if self.kinds else self.all


class _Kind(Struct, frozen=True, eq=False):
    """CD4+ or CD8+ T cells of a sample and of a control: the share that is negative, positives that lie low."""

    sample: Ordered
    control: Ordered
    negative_share: float
    positives_below: Callable[[Floats], Floats] | None

    def left_by(self, common: Alignment) -> float:
        """Return what the alignment of all T cells leaves unexplained."""
        return left_by(
            common, self.sample, self.control, negative_share=self.negative_share, positives_below=self.positives_below
        )

    def aligned(self, bead_gain: float | None) -> Alignment:
        """Return the alignment of these cells."""
        return align(
            self.sample,
            self.control,
            negative_share=self.negative_share,
            bead_gain=bead_gain,
            positives_below=self.positives_below,
        )


class _Sample(Struct, frozen=True, eq=False):
    """A sample's signals, and what is thought of its positives: their share, of all and of each kind; how many lie low.

    ``mix`` are the kinds' shares of the negatives.
    """

    all: Ordered
    kinds: Kinds
    mix: tuple[float, ...]
    share: float = 0.0
    kind_shares: tuple[float, ...] = (0.0, 0.0)
    positives_below: Callable[[Floats], Floats] | None = None

    @classmethod
    def of(cls, values: Ordered, kinds: Kinds) -> _Sample:
        """Return a sample nothing of which is thought positive yet."""
        return cls(values, kinds, tuple(len(kind) / max(len(values), 1) for kind in kinds))

    def looked_at(self, pool: Pool) -> _Sample:
        """Return it with the positives that lie above the pool's negatives."""
        threshold = pool.reach(1.0)
        rate = pool.rate(threshold)
        share, *kind_shares = (
            float(np.clip((one.above(threshold) / max(len(one), 1) - rate) / (1 - rate), 0.0, 0.95))
            for one in (self.all, *self.kinds)
        )
        return replace(self, share=share, kind_shares=tuple(kind_shares), mix=shares_of(self.kinds, threshold, rate))

    def without_positives(self, pool: Pool) -> _Sample:
        """Return it with the positives that lie among the negatives, as the pool's threshold lets one think."""
        positives = positives_of(self.all, pool, pool.reach(1.0))
        return replace(self, positives_below=lambda places: positives.missed(places - pool.offset))

    def on(self, control: _Control, signal: Ordered, *, first: bool) -> Alignment:
        """Return the gain and offset that bring a control's signals to the sample's."""
        removed = self.positives_below is not None or (self.share < REALIGNED_FROM and not first)
        few = removed and self.share < MANY_POSITIVES
        return align(
            self.all,
            signal,
            negative_share=1 - self.share,
            compared_share=COMPARED_WITHOUT_POSITIVES if few else COMPARED_SHARE,
            bead_gain=control.bead_gain,
            positives_below=self.positives_below,
        )

    def apart(self, control: _Control, common: Alignment) -> tuple[Alignment, Alignment] | None:
        """Return the alignments of CD4+ and CD8+ T cells, where these explain the sample and a common one does not."""
        if not common.trusted or not control.kinds or max(self.kind_shares[:2]) > LARGEST_SHARE_APART:
            return None
        if min(len(one) for one in (*control.kinds[:2], *self.kinds[:2])) < FEWEST_APART:
            return None
        each = [
            _Kind(own, theirs, 1 - share, self._below(share * len(own)))
            for own, theirs, share in zip(self.kinds[:2], control.kinds[:2], self.kind_shares[:2], strict=True)
        ]
        needed = max(LEAST_EVIDENCE, EVIDENCE_SHARE * len(self.all))
        left = sum(one.left_by(common) for one in each)
        if left < needed:
            return None
        own, other = (one.aligned(control.bead_gain) for one in each)
        explained = left - own.left - other.left
        return (own, other) if own.trusted and other.trusted and explained > needed else None

    def _below(self, positives: float) -> Callable[[Floats], Floats] | None:
        """How many positives of a kind lie below places: the part of all positives that the kind has."""
        below, part = self.positives_below, positives / max(self.share * len(self.all), 1.0)
        return None if below is None else lambda places: part * below(places)


def aligned(
    values: Ordered, references: Sequence[ReferenceEvents], gate: ReferenceGate, kinds: Kinds = ()
) -> tuple[Pool, float]:
    """Return the pooled references at the sample's gain, and a first estimate of the share of positives.

    Alignment looks at negatives only, so it is repeated once their share is roughly known. ``kinds`` are the sample's
    signals by kind of T cells: the references get its proportions of them, unless they hold too few of a kind; at the
    end CD4+ and CD8+ T cells get gains and offsets of their own where one for both does not explain the sample.
    """
    sample = _Sample.of(values, kinds)
    controls = [_Control.of(one, gate.marker, kinds) for one in references]
    last = ALIGNMENTS + REALIGNMENTS - 1
    signals, few_of_a_kind, mix = *_in_proportion(controls, sample), sample.mix
    for turn in range(last + 1):
        if any(abs(now - before) > SAME_MIX for now, before in zip(sample.mix, mix, strict=True)):
            signals, few_of_a_kind, mix = *_in_proportion(controls, sample), sample.mix
        alignments = [
            sample.on(control, signal, first=not turn) for control, signal in zip(controls, signals, strict=True)
        ]
        parts = [one.of(signal) for one, signal in zip(alignments, signals, strict=True)]
        pool = Pool.of(parts, references, alignments, few_of_a_kind=few_of_a_kind)
        sample = sample.looked_at(pool)
        if turn >= ALIGNMENTS - 1:
            if sample.share < REALIGNED_FROM:
                break
            if turn < last:
                sample = sample.without_positives(pool)
    apart = [sample.apart(control, one) for control, one in zip(controls, alignments, strict=True)]
    for place, (control, own) in enumerate(zip(controls, apart, strict=True)):
        if own is not None and (moved := _moved(sample, control, own, alignments[place])) is not None:
            alignments[place], parts[place] = mean_of(own, sample.mix[:2]), moved
        else:
            apart[place] = None
    each = [
        tuple(zip(control.kinds[:2], own or (common, common), strict=bool(control.kinds)))
        for control, own, common in zip(controls, apart, alignments, strict=True)
    ]
    pool = Pool.of(parts, references, alignments, few_of_a_kind=few_of_a_kind, kinds=each)
    return pool, (sample.looked_at(pool) if any(apart) else sample).share


def _moved(sample: _Sample, control: _Control, own: tuple[Alignment, Alignment], common: Alignment) -> Ordered | None:
    """Return a control whose kinds each have an alignment of their own; None with too few of a kind."""
    return remixed(tuple(one.of(kind) for one, kind in zip((*own, common), control.kinds, strict=True)), sample.mix)


def _in_proportion(controls: Sequence[_Control], sample: _Sample) -> tuple[list[Ordered], bool]:
    """Return the references' signals in the sample's proportions of kinds, and whether one that should cannot be.

    All are taken as they are if too few events would be left.
    """
    mixed = [one.mixed(sample.mix) for one in controls]
    if sum(len(one) for one in mixed if one is not None) < FEWEST_REFERENCE_EVENTS:
        mixed = [None] * len(controls)
    unlike = any(
        signal is None and bool(one.kinds) and cannot_follow(sample.kinds, one.kinds, sample.mix)
        for one, signal in zip(controls, mixed, strict=True)
    )
    return [one.all if signal is None else signal for one, signal in zip(controls, mixed, strict=True)], unlike


def positives_of(values: Ordered, pool: Pool, threshold: float) -> Positives:
    """What the positives look like, from all that lies above the references' 80 % quantile."""
    if threshold <= max(0.0, pool.offset):
        return Positives(events=0.0, median=1.0, log_sd=1.0, sensitivity=1.0, sensitivity_sd=0.0)
    start = looked_at_from(pool, threshold)
    return describe(
        values.from_on(start) - pool.offset,
        pool.all.from_on(start) - pool.offset,
        events=len(values),
        reference_events=len(pool.all),
        threshold=threshold - pool.offset,
        shift_sd=pool.shift_sd(threshold),
    )


def looked_at_from(pool: Pool, threshold: float) -> float:
    """Return the place from which on a sample's positives are described."""
    return min(max(pool.all.quantile(LOWEST_LOOKED_AT), 0.2 * threshold), 0.8 * threshold)
