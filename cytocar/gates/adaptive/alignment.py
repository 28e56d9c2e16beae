"""Bring a reference's signal to the gain of the sample before the two are compared.

A laser, a voltage or a reagent lot moves all signals of a day by a factor. An unaligned 99.9 % threshold of a control
then passes several times its 0.1 %. Only the lower part of both distributions is compared, where negatives are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from msgspec import Struct

from cytocar.gates.adaptive.density import Floats, Ordered
from cytocar.gates.adaptive.parent_events import thin

GAINS = np.exp(np.linspace(np.log(0.6), np.log(1.6), 61))
BEADS_SAY = np.exp(np.linspace(np.log(0.6), np.log(2.62), 92))
"""Gains beside the one that the counting beads show: where the detector is known, negatives twice as bright can be told
from it, and are followed; without beads a far gain is more often a tube of dim positives."""
BEADS_SD = 0.2
"""Of ln(gain of the negatives / gain of the beads): spillover noise does not scale with the detector (0.22 at a gain of
0.7). Thousands of events overrule it; hundreds do not."""
OFFSETS = np.linspace(-0.6, 0.6, 25)
"""In robust standard deviations of the reference's negatives."""
OFFSET_SD = 0.15
"""Spread expected of the offset; it weighs like an event count, so thousands of events overrule it."""
FAR_OFFSETS = np.linspace(-4, 4, 65)
"""Where to look if no small offset does: what a fifth too much or too little compensation of a bright signal leaves."""
LARGEST_UNEXPLAINED = 0.02
"""A far offset is believed only if it explains the sample: where positives are compared too, 0.1 and more is left."""
DIFFERENT, LEAST_DIFFERENT = 2.0, 0.001
"""Negatives are not the reference's, whatever the gain and offset, if what is left exceeds twice what counting leaves,
and 0.001 per event: undisturbed tubes left 0.5 to 1.15 times the noise, rare markers of two real donors 0.7 to 1.3
times; two kinds of T cells of which one is twice as bright left 5 to 10 times and 0.002 to 0.009."""
UNUSUAL_OFFSET = 0.6
"""Spreads of the negatives: beyond what is looked for first, the gate is flagged OFFSET_SHIFT, and its background is
known less well. With 1.0, 19 of 400 tubes with autofluorescence on top and without CAR-T cells were not looked at."""
COMPARED_SHARE = 0.80
"""Of the share thought negative: the rest is left out, so that positives do not pull at the fit."""
COMPARED_WITHOUT_POSITIVES = 0.9
"""The same where hardly any positives are left to pull: the gain then errs by 1.2 % instead of 1.6, and real spike-ins
of 0.1 % by 5 to 17 % instead of 10 to 21. With 0.95 it errs by 0.9 %, and the spike-ins by 7 to 20: a tail comes in."""
SMALLEST_SHARE_COMPARED = 0.5
"""Of the reference's events: with fewer below the sample's cut, a tail would fit whatever is asked."""
BINS = 24
"""Of equal counts below the cut: of 50,000 events some 1,600 in each, a counting noise of 2.5 %."""
ALIGNED_EVENTS = 50_000
"""Of sample and reference, evenly over the run: more take longer, fewer make the bins noisier."""
LOOK_UPS = 4096
"""Places at which the references' cumulative counts are worked out; between them they are taken as straight."""
UNUSUAL_GAIN = 1.3
"""Brighter or dimmer by more than 1.3, the gate is flagged GAIN_SHIFT; docs/validity.md tries 0.8 to 1.2. It moves
nothing."""


class Alignment(Struct, frozen=True):
    """``sample ~ gain * reference + offset``, with the variances and the covariance of both.

    ``trusted`` is False where the best gain is the search's edge; ``spread`` is that of the reference's negatives;
    ``different`` says that neither gain nor offset makes the reference's negatives the sample's; ``left`` is what they
    leave unexplained, as a difference of log likelihoods.
    """

    gain: float = 1.0
    offset: float = 0.0
    trusted: bool = True
    spread: float = 1.0
    gain_variance: float = 0.0
    offset_variance: float = 0.0
    covariance: float = 0.0
    different: bool = False
    left: float = 0.0

    def on_reference(self, value: float) -> float:
        """Return a value of the sample's scale on the reference's."""
        return (value - self.offset) / self.gain

    def of(self, reference: Ordered) -> Ordered:
        """Return a reference's signals on the sample's scale."""
        return Ordered(self.gain * reference.values + self.offset)

    def sd_at(self, value: float) -> float:
        """How well a value on the sample's scale is known to correspond to the reference's."""
        on_reference = self.on_reference(value)
        variance = self.gain_variance * on_reference**2 + 2 * self.covariance * on_reference + self.offset_variance
        return float(np.sqrt(max(variance, 0.0)))


def align(
    sample: Ordered,
    reference: Ordered,
    *,
    negative_share: float = 1.0,
    compared_share: float = COMPARED_SHARE,
    bead_gain: float | None = None,
    positives_below: Callable[[Floats], Floats] | None = None,
) -> Alignment:
    """Return the gain and offset that best map a reference's negatives onto the sample's.

    Parameters
    ----------
    sample, reference : Ordered
        The marker's signals in the same parent population, linear scale.
    negative_share : float
        Share of the sample that is thought negative.
    compared_share : float
        Of that share, from its dim end on: what is compared.
    bead_gain : float, optional
        The detector's gain as the counting beads show it: where to look for that of the negatives.
    positives_below : callable, optional
        How many of the sample's events below each place, shape (k,) to (k,), are thought positive: they are left out.

    Notes
    -----
    The sample's events below its cut fall into 24 bins of equal counts. For each gain and offset the reference gives
    the bins' probabilities, conditional on being below the cut; the likelihood is multinomial, and counts for less by
    as much as the reference's own counting noise adds. Gain and offset are its means over the whole grid: its highest
    point follows that noise. Of 200 tubes the mean's 95 % interval held the gain in 90 %, the highest point's in 85 %,
    and its error was a seventh larger. Offsets are small; only where none of them explains the sample, a far one is
    looked for: a spillover matrix that no longer fits leaves a part of a bright neighbour's signal in all T cells.
    """
    beside = GAINS if bead_gain is None else BEADS_SAY
    gains = (bead_gain or 1.0) * beside
    of_beads = 0.0 if bead_gain is None else -0.5 * (np.log(beside)[:, np.newaxis] / BEADS_SD) ** 2
    compared = _Compared.of(
        sample, reference, gains, compared_share=compared_share * negative_share, positives_below=positives_below
    )
    places, bare = OFFSETS, compared.likelihood(OFFSETS)
    likelihood = bare / compared.noise + of_beads - 0.5 * (OFFSETS / OFFSET_SD) ** 2
    row, column = _best(likelihood)
    if row in (0, len(gains) - 1) or column in (0, len(OFFSETS) - 1):
        far = compared.likelihood(FAR_OFFSETS)
        if compared.unexplained(far) < LARGEST_UNEXPLAINED:
            places = FAR_OFFSETS[_best(far)[1]] + OFFSETS
            bare = compared.likelihood(places)
            likelihood = bare / compared.noise + of_beads
            row, column = _best(likelihood)
    left = compared.unexplained(bare)
    if row in (0, len(gains) - 1) or (beside[row] > GAINS[-1] and left > LARGEST_UNEXPLAINED):
        return Alignment(trusted=False)
    weights = np.exp(likelihood - likelihood.max())
    weights /= weights.sum()
    every_gain, every_offset = np.meshgrid(gains, places * compared.spread, indexing="ij")
    gain, offset = float((weights * every_gain).sum()), float((weights * every_offset).sum())
    gain_error, offset_error = every_gain - gain, every_offset - offset
    return Alignment(
        gain=gain,
        offset=offset,
        spread=compared.spread,
        gain_variance=float((weights * gain_error**2).sum()),
        offset_variance=float((weights * offset_error**2).sum()),
        covariance=float((weights * gain_error * offset_error).sum()),
        different=left - compared.usual_unexplained
        > max((DIFFERENT - 1) * compared.usual_unexplained, LEAST_DIFFERENT),
        left=left * compared.information,
    )


def mean_of(alignments: Sequence[Alignment], shares: Sequence[float]) -> Alignment:
    """Return the mean of the alignments of some kinds of cells by their shares; their errors are taken as one."""
    weights = np.array(shares) / sum(shares)

    def mean(name: str) -> float:
        return float(weights @ np.array([getattr(one, name) for one in alignments]))

    return Alignment(
        gain=mean("gain"),
        offset=mean("offset"),
        trusted=all(one.trusted for one in alignments),
        spread=mean("spread"),
        gain_variance=mean("gain_variance"),
        offset_variance=mean("offset_variance"),
        covariance=mean("covariance"),
        different=any(one.different for one in alignments),
        left=sum(one.left for one in alignments),
    )


def left_by(
    alignment: Alignment,
    sample: Ordered,
    reference: Ordered,
    *,
    negative_share: float = 1.0,
    positives_below: Callable[[Floats], Floats] | None = None,
) -> float:
    """What another's gain and offset leave unexplained, as ``Alignment.left`` does; parameters as in ``align``."""
    gains = np.array([alignment.gain])
    compared = _Compared.of(
        sample, reference, gains, compared_share=COMPARED_SHARE * negative_share, positives_below=positives_below
    )
    likelihood = compared.likelihood(np.array([alignment.offset / compared.spread]))
    return compared.unexplained(likelihood) * compared.information


class _Compared(Struct, frozen=True, eq=False):
    """A sample's negatives in bins, and a reference's signals to explain them.

    ``noise`` is by how much the reference's own counting noise raises that of the sample that it is fitted to.
    """

    edges: Floats
    counts: Floats
    reference: Floats
    gains: Floats
    spread: float
    noise: float

    @classmethod
    def of(
        cls,
        sample: Ordered,
        reference: Ordered,
        gains: Floats,
        *,
        compared_share: float,
        positives_below: Callable[[Floats], Floats] | None,
    ) -> _Compared:
        looked_at, explaining = thin(sample.values, ALIGNED_EVENTS), thin(reference.values, ALIGNED_EVENTS)
        shares = np.linspace(0, compared_share, BINS + 1)[1:]
        edges = np.array([sample.quantile(share) for share in shares])
        counts = np.diff(np.searchsorted(looked_at, edges), prepend=0).astype(np.float64)
        if positives_below is not None:
            positives = np.diff(positives_below(edges), prepend=0) * (len(looked_at) / len(sample))
            counts = np.maximum(counts - positives, 0.0)
        return cls(
            edges=edges,
            counts=counts,
            reference=explaining,
            gains=gains,
            spread=max(reference.quantile(0.5) - reference.quantile(0.159), 1e-9),
            noise=1 + len(looked_at) / len(explaining),
        )

    @property
    def usual_unexplained(self) -> float:
        """What counting noise alone leaves unexplained, per event: half of chi-square with a degree for each bin."""
        return 0.5 * (len(self.counts) - 1) * self.noise / max(float(self.counts.sum()), 1.0)

    @property
    def information(self) -> float:
        """Events that are compared, less what the reference's own counting noise takes."""
        return float(self.counts.sum()) / self.noise

    def unexplained(self, likelihood: Floats) -> float:
        """What the best of some fits leaves, per event: Kullback-Leibler divergence of the counts from it."""
        filled = self.counts[self.counts > 0]
        if not filled.size:  # all negatives have one value, as where data end at 0: nothing to fit
            return float("inf")
        best_possible = float(filled @ np.log(filled / filled.sum()))
        return (best_possible - float(likelihood.max())) / float(filled.sum())

    def likelihood(self, offsets: Floats) -> Floats:
        """Return the log likelihood of every gain at every offset (in units of ``spread``), shape (gains, offsets)."""
        moved = (self.edges - (offsets * self.spread)[:, np.newaxis]) / self.gains[:, np.newaxis, np.newaxis]
        below = _counts_below(self.reference, moved)
        expected = np.diff(below, prepend=0, axis=-1) + 0.5
        likelihood = np.log(expected / expected.sum(axis=-1, keepdims=True)) @ self.counts
        # where hardly any of the reference is left to compare, its tail fits whatever is asked
        return np.where(below[..., -1] < SMALLEST_SHARE_COMPARED * len(self.reference), -np.inf, likelihood)


def _best(likelihood: Floats) -> tuple[int, int]:
    row, column = np.unravel_index(np.argmax(likelihood), likelihood.shape)
    return int(row), int(column)


def _counts_below(ordered: Floats, places: Floats) -> Floats:
    """How many of some signals in ascending order lie below each of many places."""
    low, high = float(places.min()), float(places.max())
    table = np.searchsorted(ordered, np.linspace(low, high, LOOK_UPS)).astype(np.float64)
    position = (places - low) * ((LOOK_UPS - 1) / max(high - low, 1e-300))
    before = np.minimum(position.astype(np.intp), LOOK_UPS - 2)
    return np.asarray(table[before] + (position - before) * np.diff(table)[before])
