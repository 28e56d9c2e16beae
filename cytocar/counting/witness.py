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
"""Rises of any size, equally likely on a logarithmic scale: from 1 in 30,000 cells, which no tube shows, to 5 %."""
MULTIPLES = np.exp(np.linspace(0, np.log(20), 30))
"""Rises in units of the usual rate, equally likely on a logarithmic scale: more of what sticks by nature."""
PART_OF_MULTIPLES = 0.7
"""Of all rises; the others may have any size."""
PRIOR_OF_RISE = 0.9
"""Beforehand. Both decide how often five times as many sticky cells, without a CAR-T cell, leave a lower limit above 0:
of tubes that do not ask 10 % with 0.8 and rises of any size alone, 3.1 % with 0.9 and half of them MULTIPLES, 2.2 %
with 0.7 of them; of tubes with 0.1 % CAR-T cells 83, 78 and 75 % have one, with 0.2 % 99 % (counts, 8000 witnesses).
At most 2.5 % is aimed at, and no rule could find more than 79 % then (``benchmarks/validity/witness_oracle.py``)."""
COUPLING_SD = 0.4
"""Of ln(rise on T cells / rise on CD3-negative lymphocytes): they share serum and stain, not their receptors."""
BROKEN = 0.05
"""Probability that the rise concerns the CD3-negative lymphocytes alone."""
FEWEST_WITNESSES = 1000
"""Of sample and control: fewer show no rise that matters to T cells."""
WITNESS_CV = 0.25
"""Between tubes, of the CD3-negative lymphocytes' own rate."""


CONVINCING = 0.97
"""Probability of a rise from which on it asks for a look: at most 1 % of undisturbed tubes reach it, and 59 % of those
with five times as many sticky cells (counts, 8000 witnesses); 0.95 is reached by 3 % and 72 %."""


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
    0.54
    >>> round(rise_of(Witnesses(60, 10_000, 8, 20_000)).probability, 4)
    1.0
    """
    from scipy.special import gammaln, xlogy

    if min(witnesses.of_events, witnesses.of_control_events) < FEWEST_WITNESSES:
        return None
    usual: BlankRates = known_rates(witnesses.control_events, witnesses.of_control_events, cv=WITNESS_CV)
    rises = np.concatenate([[0.0], RISES, float(usual.rates @ usual.weights) * MULTIPLES])
    expected = witnesses.of_events * np.add.outer(rises, usual.rates)
    n = witnesses.events
    likelihood = np.exp(xlogy(n, expected) - expected - gammaln(n + 1)) @ usual.weights
    parts = ((1 - PART_OF_MULTIPLES, len(RISES)), (PART_OF_MULTIPLES, len(MULTIPLES)))
    prior = np.concatenate([[1 - PRIOR_OF_RISE], *(np.full(n, PRIOR_OF_RISE * part / n) for part, n in parts)])
    weights = likelihood * prior
    return (
        Rise(rises, weights / weights.sum())
        if weights.sum() > 0
        else Rise(np.array([0.0, RISES[-1]]), np.array([0.0, 1.0]))
    )
