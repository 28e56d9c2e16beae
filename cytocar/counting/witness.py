"""Cells that cannot carry the CAR as a witness: what the tube's CD3-negative lymphocytes say about the T cells'.

Sticky cells, immune complexes and Fc binding raise the CAR signal of all lymphocytes, a CAR only that of T cells. So a
rise of the CD3-negative lymphocytes' rate above the threshold, over the control's, is a doubt about the T cells. It
stays a doubt: NK cells may bind alone, and then a rise that is taken off hides CAR-T cells (a true 1 % read 0.1 to
0.3 %). So it makes a second number beside the first and never changes that, nor what counts as detected; what rise the
witnesses leave possible is in the lower limit.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from cytocar.counting.blank_rates import BlankRates, known_rates

Floats = npt.NDArray[np.float64]

RISES = np.exp(np.linspace(np.log(3e-5), np.log(0.05), 60))
"""Rises that are tried, equally likely on a logarithmic scale: from 1 in 30,000 cells, which no tube shows, to 5 %."""
PRIOR_OF_RISE = 0.8
"""Beforehand. Of 300 tubes with five times as many sticky cells and no CAR-T cell, 72 % had a lower limit above 0
without witnesses, 14 % with 0.5, 9 % with 0.8, 6 % with 0.95; of tubes with 0.1 % CAR-T cells 98, 86, 78 and 72 %
(8000 witnesses), with 0.2 % 99 % and more."""
COUPLING_SD = 0.4
"""Of ln(rise on T cells / rise on CD3-negative lymphocytes): they share serum and stain, not their receptors."""
BROKEN = 0.05
"""Probability that the rise concerns the CD3-negative lymphocytes alone."""
FEWEST_WITNESSES = 1000
"""Of sample and control: fewer show no rise that matters to T cells."""
WITNESS_CV = 0.25
"""Between tubes, of the CD3-negative lymphocytes' own rate."""


CONVINCING = 0.9
"""Probability of a rise from which on it asks for a look: at most 1 % of undisturbed tubes with 0.05 to 1 % CAR-T cells
do, and 32 % of tubes with five times as many sticky cells; with 0.8 it is 5 % and 43 %."""


class Witnesses(Struct, frozen=True):
    """CD3-negative lymphocytes of a sample and of its controls: in the CAR gate, at the same place, and all."""

    events: int
    of_events: int
    control_events: int
    of_control_events: int


class Rise(Struct, frozen=True, eq=False):
    """How much the rate above the threshold has risen; the first of ``rises`` is none. ``weights`` add up to 1."""

    rises: Floats
    weights: Floats

    @property
    def probability(self) -> float:
        """That there is a rise."""
        return float(1 - self.weights[0])

    def draws(self, random: np.random.Generator, n: int) -> Floats:
        """Return random rises of the T cells' rate."""
        drawn = random.choice(self.rises, n, p=self.weights) * np.exp(random.normal(0, COUPLING_SD, n))
        return np.where(random.random(n) < BROKEN, 0.0, drawn)


def rise_of(witnesses: Witnesses) -> Rise | None:
    """How much the witnesses' rate has risen over the control's; None with too few of them.

    Notes
    -----
    Counts are Poisson; the rate without a rise is the control's, which varies by a quarter from tube to tube.

    Examples
    --------
    >>> round(rise_of(Witnesses(4, 10_000, 8, 20_000)).probability, 2)
    0.57
    >>> round(rise_of(Witnesses(60, 10_000, 8, 20_000)).probability, 4)
    1.0
    """
    from scipy.special import gammaln, xlogy

    if min(witnesses.of_events, witnesses.of_control_events) < FEWEST_WITNESSES:
        return None
    usual: BlankRates = known_rates(witnesses.control_events, witnesses.of_control_events, cv=WITNESS_CV)
    rises = np.concatenate([[0.0], RISES])
    expected = witnesses.of_events * np.add.outer(rises, usual.rates)
    n = witnesses.events
    likelihood = np.exp(xlogy(n, expected) - expected - gammaln(n + 1)) @ usual.weights
    prior = np.concatenate([[1 - PRIOR_OF_RISE], np.full(len(RISES), PRIOR_OF_RISE / len(RISES))])
    weights = likelihood * prior
    return Rise(rises, weights / weights.sum()) if weights.sum() > 0 else Rise(rises[[0, -1]], np.array([0.0, 1.0]))
