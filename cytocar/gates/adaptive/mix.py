"""A control's T cells in the sample's proportions of CD4+ and CD8+ ones.

CD4+ and CD8+ T cells are not equally bright where the CAR is absent (autofluorescence, Fc receptors, spillover), so a
control of another CD4/CD8 ratio has negatives of another shape. Kinds are weighed as they are among the sample's
negatives; gain and offset stay those of all: a gain for each kind had errors a fifth larger where kinds are alike, and
none smaller where they differ.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from cytocar.gates.adaptive.density import Floats, Ordered

FEWEST_OF_A_KIND = 500
"""Of a control's CD4+ or CD8+ T cells: the upper 2 % of a kind, where thresholds lie, are then ten cells."""
SMALL_SHARE = 0.05
"""A kind with no more of the sample's negatives does not decide their shape, and goes with the others."""
OTHER_MIX = 0.1
"""From a tenth more or fewer CD4+ T cells on the mix is another, and a control that cannot follow it says so."""
UNLIKE_CENTER, UNLIKE_SPREAD = 0.5, 1.3
"""Kinds differ if their negatives' medians lie half a spread apart, or one spreads 1.3 times as far: with a quarter of
a spread and 1.25 times the mix moved the net share by 4 %, with a whole one and 1.8 times by a quarter."""

Bools = npt.NDArray[np.bool_]
Kinds = tuple[Ordered, ...]
"""Signals of CD4+ T cells, of CD8+ T cells, and of those that are neither; empty where they are not told apart."""


def kinds_of(values: Floats, kinds: Sequence[Bools]) -> Kinds:
    """Return the signals (n,) of CD4+ and of CD8+ T cells, masks of shape (n,), and of events that are neither."""
    if not kinds:
        return ()
    cd4, cd8 = kinds
    return tuple(Ordered.of(np.sort(values[mask])) for mask in (cd4 & ~cd8, cd8, ~(cd4 | cd8)))


def shares_of(kinds: Kinds, threshold: float, rate: float) -> tuple[float, ...]:
    """Return each kind's share of the negatives; beyond the negatives' rate, events above a threshold are positives."""
    if not kinds:
        return ()
    above = np.array([one.above(threshold) for one in kinds], dtype=np.float64)
    events = np.array([len(one) for one in kinds], dtype=np.float64)
    negatives = np.clip((events - above) / (1 - rate), 0.0, events)
    return tuple(float(share) for share in negatives / max(float(negatives.sum()), 1.0))


def remixed(control: Kinds, shares: Sequence[float]) -> Ordered | None:
    """Return a control's signals with each kind in its share of the sample's negatives; None with too few of a kind.

    Each kind is thinned, or repeated, evenly over its signals in order, so that its quantiles stay. The result has as
    many events as tell a rate equally well: ``1 / sum(share^2 / n)``, by the variance of a stratified sample. Cells
    that are neither CD4+ nor CD8+ get twice their share of the control at most.

    Examples
    --------
    >>> few, many = Ordered(np.zeros(2000)), Ordered(np.ones(6000))
    >>> mixed = remixed((few, many, Ordered(np.empty(0))), (0.5, 0.5, 0.0))
    >>> len(mixed), mixed.above(1.0)
    (6000, 3000)
    """
    counts = [len(one) for one in control]
    weighed = [share if count >= FEWEST_OF_A_KIND else 0.0 for share, count in zip(shares[:2], counts, strict=False)]
    if not sum(weighed) or any(
        share > SMALL_SHARE and not there for share, there in zip(shares, weighed, strict=False)
    ):
        return None
    weighed.append(min(shares[2], 2 * counts[2] / sum(counts)))
    weights = [share / sum(weighed) for share in weighed]
    size = 1 / sum(weight**2 / count for weight, count in zip(weights, counts, strict=True) if weight)
    drawn = [_drawn(one.values, round(weight * size)) for one, weight in zip(control, weights, strict=True) if weight]
    return Ordered(np.sort(np.concatenate(drawn), kind="stable"))


def _drawn(values: Floats, n: int) -> Floats:
    """Return n signals, evenly over those given."""
    return np.asarray(values[((np.arange(n) + 0.5) * (len(values) / n)).astype(np.intp)]) if n else values[:0]


def cannot_follow(sample: Kinds, control: Kinds, shares: Sequence[float]) -> bool:
    """True if a control of another mix could not be brought to the sample's, whose kinds are unlike each other."""
    counts = [len(one) for one in control]
    theirs = counts[0] / max(counts[0] + counts[1], 1)
    ours = shares[0] / max(shares[0] + shares[1], 1e-9)
    if abs(theirs - ours) < OTHER_MIX or min(len(one) for one in sample[:2]) < FEWEST_OF_A_KIND:
        return False
    (center, spread), (other_center, other_spread) = (_dim_side(one) for one in sample[:2])
    apart = abs(center - other_center) / min(spread, other_spread)
    return apart > UNLIKE_CENTER or max(spread, other_spread) > UNLIKE_SPREAD * min(spread, other_spread)


def _dim_side(signals: Ordered) -> tuple[float, float]:
    """Return the median and the distance from it to the 15.9 % quantile, where few positives are."""
    middle = signals.quantile(0.5)
    return middle, max(middle - signals.quantile(0.159), 1e-9)
