"""The share of a rare population net of its background, with the limits of what this sample could have shown.

A gate on a rare population always holds some negatives. How many is measured on reference samples (``Background``, from
the ``reference`` gate) and subtracted, with every source of uncertainty drawn together: counting in the sample and
in the references, the background's change from tube to tube, the positives below the threshold, and a systematic term.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cytocar.gates.decision import Background, Flag
from cytocar.statistics.estimate import UNKNOWN, Estimate
from cytocar.statistics.intervals import Share

Floats = npt.NDArray[np.float64]

DRAWS = 20_000
"""Behind an interval: its ends are known to 1 % of its width. More make every sample slower."""
SYSTEMATIC_CV = 0.02
"""What no count tells: gates upstream that keep positives and negatives unequally. It holds the interval's width up
where events are many; without it, intervals at 10-40 % covered the truth in 2-11 % of simulated tubes."""
ASSUMED_CV = 1.0
"""Without a reference the background is the template's figure, known to a factor of about two and a half."""
SMALLEST_CLAIM_WITHOUT_REFERENCE = 0.1
"""Percent of T cells: without a control no smaller share is called detected or quantified."""
SENSITIVITY_WITHOUT_REFERENCE = (0.88, 0.08)
"""Mean and standard deviation of the share of positives that a threshold which nothing placed may leave above it: what
stain indices of 6 and more leave above the shipped fallbacks. It raises the upper limit only."""
SMALLEST_SENSITIVITY = 0.3
"""What is thought to lie below the threshold is added up to this share above it; beyond, nothing was measured."""
QUANTIFIABLE_CV = 0.25
"""Largest coefficient of variation at the limit of quantification: what ICH M10 allows ligand-binding assays there."""
GRID = np.geomspace(1e-4, 50.0, 240)
"""Percentages at which detection and quantification are tried."""


@dataclass(frozen=True, slots=True)
class NetShare:
    """Raw and net percent of T cells, and this sample's limits.

    Parameters
    ----------
    raw : Estimate
        Events in the gate over T cells, percent, Wilson interval.
    net : Estimate
        Percent of T cells that are positive: background subtracted, positives below the threshold added.
    background_percent : float, optional
        Background rate in the gate, percent of T cells.
    lob_events : int
        Limit of blank: events in the gate that 95 % of tubes without positives do not exceed.
    lod_percent : float, optional
        Smallest true percentage that exceeds the limit of blank in 95 % of tubes.
    lloq_percent : float, optional
        Smallest true percentage that is measured with a coefficient of variation of 25 %.
    flags : tuple of str
        ``NO_REFERENCE`` where the background is an assumption.
    """

    raw: Estimate
    net: Estimate
    background_percent: float | None
    lob_events: int
    lod_percent: float | None
    lloq_percent: float | None
    flags: tuple[Flag, ...] = ()


def net_share(
    car_events: int,
    t_cell_events: int,
    background: Background | None,
    *,
    assumed_percent: float,
    seed: int,
    systematic_cv: float = SYSTEMATIC_CV,
) -> NetShare:
    """Return the share of CAR+ among T cells, raw and net of background, with LoB, LoD and LLOQ.

    Parameters
    ----------
    car_events, t_cell_events : int
        Events in the gate, and in its parent.
    background : Background, optional
        From the references; None: ``assumed_percent``, known to a factor of two or so for the lower limit, and none at
        all for the upper one; and no claim below 0.1 %.
    assumed_percent : float
        The template's ``background_percent`` of the gate.
    seed : int
        For the draws; the same seed gives the same interval.

    Notes
    -----
    With a the share of events in the gate, b the background's and s the share of positives above the threshold,
    ``a = p s + (1 - p) b``, so ``p = (a - b) / (s - b)``, with s no less than 0.3. a and b have Beta posteriors
    (Jeffreys prior), b is counted for each alignment that is possible and moves from tube to tube by a lognormal
    factor, s is normal, and the odds of p carry a lognormal systematic factor. The interval holds the middle 95 % of
    the draws; a net share below 0 is reported as 0.

    Examples
    --------
    >>> share = net_share(520, 50_000, Background(10, 100_000, ("B1",)), assumed_percent=0.05, seed=1)
    >>> round(share.net.value, 2), share.net.low < 1.03 < share.net.high
    (1.03, True)
    """
    if t_cell_events == 0:
        return NetShare(UNKNOWN, UNKNOWN, None, 0, None, None)
    random = np.random.default_rng(seed)
    rates = _background_rates(background, assumed_percent / 100, random)
    sensitivities = _sensitivities(background, random)
    observed = random.beta(car_events + 0.5, t_cell_events - car_events + 0.5, DRAWS)
    net_draws = _with_systematic((observed - rates) / (sensitivities - rates), systematic_cv, random)
    rate = assumed_percent / 100 if background is None else _rate(background)
    sensitivity = _sensitivity(background)
    point = float(np.clip((car_events / t_cell_events - rate) / (sensitivity - rate), 0, 1))
    low, high = (float(np.clip(limit, 0, 1)) for limit in np.quantile(net_draws, (0.025, 0.975)))
    if background is None:  # nobody has seen a background: there may be none, and positives below the threshold
        hidden = random.normal(*SENSITIVITY_WITHOUT_REFERENCE, DRAWS).clip(0.5, 1.0)
        high = float(np.clip(np.quantile(observed / hidden, 0.975), 0, 1))
    blank = int(np.quantile(random.poisson(t_cell_events * rates), 0.95, method="inverted_cdf"))
    lod, lloq = _limits(t_cell_events, blank, rates, sensitivities)
    if background is None:
        lod, lloq = (_at_least(limit, SMALLEST_CLAIM_WITHOUT_REFERENCE) for limit in (lod, lloq))
    return NetShare(
        raw=Share(car_events, t_cell_events).estimate(),
        net=Estimate(100 * point, 100 * min(low, point), 100 * max(high, point)),
        background_percent=100 * rate,
        lob_events=blank,
        lod_percent=lod,
        lloq_percent=lloq,
        flags=(Flag.NO_REFERENCE,) if background is None else (),
    )


def _background_rates(background: Background | None, assumed: float, random: np.random.Generator) -> Floats:
    """Return draws of the background rate in this tube."""
    if background is None:
        return assumed * _lognormal(ASSUMED_CV, random)
    events = random.choice(background.shifted_events or (background.events,), DRAWS)
    known = random.beta(events + 0.5, background.of_events - events + 0.5)
    return np.minimum(known * _lognormal(background.between_cv, random), 0.5)


def _rate(background: Background) -> float:
    """Return the background rate that is expected, over the alignments that are possible."""
    events = np.mean(background.shifted_events or (background.events,))
    return float((events + 0.5) / (background.of_events + 1))


def _sensitivity(background: Background | None) -> float:
    return 1.0 if background is None else max(background.sensitivity, SMALLEST_SENSITIVITY)


def _sensitivities(background: Background | None, random: np.random.Generator) -> Floats:
    """Return draws of the share of positives above the threshold, in the bounds that hold for the point too."""
    if background is None or background.sensitivity_sd == 0:
        return np.full(DRAWS, _sensitivity(background))
    return random.normal(background.sensitivity, background.sensitivity_sd, DRAWS).clip(SMALLEST_SENSITIVITY, 1.0)


def _with_systematic(shares: Floats, cv: float, random: np.random.Generator) -> Floats:
    """Return shares with odds times a lognormal factor; shares below 0 stay as they are."""
    bounded = shares.clip(0, 1 - 1e-9)
    odds = bounded / (1 - bounded) * _lognormal(cv, random)
    return np.where(shares > 0, odds / (1 + odds), shares)


def _lognormal(cv: float, random: np.random.Generator) -> Floats:
    """Return factors with median 1 and the given coefficient of variation."""
    return np.asarray(np.exp(random.normal(0, np.sqrt(np.log1p(cv * cv)), DRAWS)))


def _limits(t_cells: int, blank: int, rates: Floats, sensitivities: Floats) -> tuple[float | None, float | None]:
    """Return LoD and LLOQ in percent, None where even 50 % would not do."""
    from scipy.special import pdtrc

    rates, sensitivities = rates[:: DRAWS // 500], sensitivities[:: DRAWS // 500]
    shares = GRID[:, None] / 100
    expected = t_cells * (shares * sensitivities + (1 - shares) * rates)
    detected = pdtrc(blank, expected).mean(axis=1) >= 0.95
    counting = expected.mean(axis=1)
    background_sd = t_cells * rates.std()
    cv = np.sqrt(counting + background_sd**2) / (t_cells * shares[:, 0] * sensitivities.mean())
    lod, lloq = (float(GRID[np.argmax(good)]) if good.any() else None for good in (detected, cv <= QUANTIFIABLE_CV))
    return lod, lloq if lloq is None or lod is None else max(lloq, lod)


def _at_least(limit: float | None, smallest: float) -> float | None:
    return None if limit is None else max(limit, smallest)
