"""The share of a rare population net of its background, with the limits of what this sample could have shown.

A gate on a rare population always holds some negatives. How many is measured on reference samples (``Background``, from
the ``reference`` gate) and subtracted, with every source of uncertainty drawn together: counting in the sample and
in the references, the background's change from tube to tube, the positives below the threshold, and a systematic term.
What decides whether anything was detected is worked out by quadrature over the background (``blank_rates``).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from cytocar.counting.blank_rates import BlankRates, assumed_rates, lognormal_sd, measured_rates, probable_rate
from cytocar.counting.witness import Rise
from cytocar.gates.decision import Background, Flag
from cytocar.statistics.estimate import UNKNOWN, Estimate
from cytocar.statistics.intervals import Share
from cytocar.statistics.order import median, quantile

Floats = npt.NDArray[np.float64]

DRAWS = 20_000
"""Behind an interval: its ends are known to 1 % of its width. More make every sample slower."""
SYSTEMATIC_CV = 0.02
"""What no count tells: gates upstream that keep positives and negatives unequally. It holds the interval's width up
where events are many; without it, intervals at 10-40 % covered the truth in 2-11 % of simulated tubes."""
SMALLEST_CLAIM_WITHOUT_REFERENCE = 0.1
"""Percent of T cells: without a control no smaller share is called detected or quantified."""
SENSITIVITY_WITHOUT_REFERENCE = (0.88, 0.08)
"""Mean and standard deviation of the share of positives that a threshold which nothing placed may leave above it: what
stain indices of 6 and more leave above the shipped fallbacks. It raises the upper limit only, and holds where the
tube's own positives are too few to tell (``gates.adaptive.unaided``)."""
LARGEST_BACKGROUND_PART = 0.1
"""Of the events in the gate, that the upper limit takes for background without a control. Without this bound few events
lost more: the interval held the truth in 89 % of tubes at a stain index of 3 and 0.1 %, with it in 90 (400 tubes); from
1 % on both are as narrow."""
FALLING_TIMES = 2.5
"""Of the negatives that fall through a threshold: so many lie above it and look like positives just below it. The lower
limit of a tube without a control supposes any part, from none to all, of the positives below the threshold that the
tube tells of less these. Real positives that end at a threshold have none there, and 0.01 to 0.13 of those above it are
thought of; of others 0.2 to 1.3 times as many are there as is thought (19 of 20 real spike-ins), of simulated ones at a
stain index of 6 0.5 to 2.4 times. From a fifth of them on, and less these negatives once, 7 % of real spike-ins of 40 %
at a threshold where negatives end were missed, so 4 % are (136 tubes)."""
FALLING_PART = 0.1
"""Of the events in the gate: from so many negatives that fall through it on, the lower limit supposes them. Where any
did, it made intervals at a stain index of 6 a tenth wider and held the truth no more often."""
FALLING_SD = 0.5
"""Of the logarithm of the events that the fall of negatives tells beyond a threshold: of real spike-ins it told 0.4 to
2.5 times as many as there were (CD4 and CD8 on PBMC, nine of ten tubes)."""
SMALLEST_SENSITIVITY = 0.3
"""What is thought to lie below the threshold is added up to this share above it; beyond, nothing was measured."""
SMALLEST_MISSED, LARGEST_MISSED_CV = 0.01, 2.5
"""Share of positives below the threshold that is thought of at least: none at all cannot be known. And the largest
coefficient of variation of that share: a gamma distribution with a larger one lies at 0 nearly whole, so that the doubt
of an unusual offset did not reach the upper limit (coverage of 29 and 46 % behind a matrix that no longer fits)."""
QUANTIFIABLE_CV = 0.25
"""Largest coefficient of variation at the limit of quantification: what ICH M10 allows ligand-binding assays there."""


class NetShare(Struct, frozen=True):
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
    first_above : int
        Fewest events in the gate with which the lower limit of the net share is above 0.
    lod_percent : float, optional
        Smallest true percentage with which 95 % of tubes like this one are detected.
    lloq_percent : float, optional
        Smallest true percentage that is measured with a coefficient of variation of 25 %.
    flags : tuple of str
        ``NO_REFERENCE`` where the background is an assumption.
    low_draws, high_draws : (n,) ndarray, optional
        Fractions of T cells behind the lower and the upper limit of ``net``.
    witnessed : Estimate
        ``net`` if T cells bind as the tube's CD3-negative lymphocytes do (``witness``): never in place of ``net``, but
        its lower limit is that of ``net``.
    low_by_controls : float, optional
        The lower limit of ``net`` if these cells are not asked, percent.
    rise_probability : float, optional
        That these bind more than in the controls.
    limit_sensitivity : float
        Share of positives above the threshold that the limits suppose.
    """

    raw: Estimate
    net: Estimate
    background_percent: float | None
    lob_events: int
    first_above: int = 0
    lod_percent: float | None = None
    lloq_percent: float | None = None
    flags: tuple[Flag, ...] = ()
    low_draws: Floats | None = None
    high_draws: Floats | None = None
    witnessed: Estimate = UNKNOWN
    low_by_controls: float | None = None
    rise_probability: float | None = None
    limit_sensitivity: float = 1.0

    def times(self, total: float | None, total_draws: Floats | None) -> Estimate:
        """Return the share of a total, such as T cells/µL, whose uncertainty is independent of the share's.

        The interval holds the middle 95 % of the products of both draws; its lower limit is 0 where that of the share
        is.
        """
        if self.low_draws is None or self.high_draws is None or total is None or total_draws is None:
            return UNKNOWN
        point = (self.net.value or 0.0) / 100 * total
        low = quantile(self.low_draws * total_draws, 0.025) if self.net.low else 0.0
        high = quantile(self.high_draws * total_draws, 0.975)
        return Estimate(point, min(max(low, 0.0), point), max(high, point))


def net_share(
    car_events: int,
    t_cell_events: int,
    background: Background | None,
    *,
    assumed_percent: float,
    seed: int,
    systematic_cv: float = SYSTEMATIC_CV,
    fewest_events: int = 1,
    rise: Rise | None = None,
    unaided: tuple[float, float] | None = None,
    usual: float | None = None,
    falling: float = 0.0,
) -> NetShare:
    """Return the share of CAR+ among T cells, raw and net of background, with LoB, LoD and LLOQ.

    Parameters
    ----------
    car_events, t_cell_events : int
        Events in the gate, and in its parent.
    background : Background, optional
        From the references, and from more tubes. Without a reference (``of_events`` of 0, or None: ``assumed_percent``,
        known to a factor of two or so) it holds for the lower limit; the upper one supposes any part of it, none too,
        and no claim is made below 0.1 %.
    assumed_percent : float
        The template's ``background_percent`` of the gate.
    seed : int
        For the draws; the same seed gives the same interval.
    fewest_events : int
        Events that a claim needs whatever the background (the template's ``detection_events``); the limit of detection
        is that of a tube in which so many are needed.

    rise : Rise, optional
        Of the rate on cells that cannot carry the CAR, as far as these leave it possible: the lower limit supposes it
        of T cells too, the point and what counts as detected do not.
    unaided : tuple of float, optional
        Without a reference: the share of positives above the threshold, and its standard deviation, as the tube's own
        bright positives tell them. They correct the point, and raise the upper limit; the lower one supposes any part
        of what lies below the threshold.
    usual : float, optional
        The share of positives above the threshold that the limits suppose where the tube's own do not tell it.
    falling : float
        Without a reference: events above the threshold that may be negatives, as the fall below it tells
        (``gates.adaptive.falling``), to a factor of two and a half. Only the lower limit supposes them, from a tenth of
        the events in the gate on; and for any it supposes fewer positives below the threshold.

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
        return NetShare(UNKNOWN, UNKNOWN, None, 0)
    random = np.random.default_rng(seed)
    without = background is None or not background.of_events
    blank = assumed_rates(assumed_percent / 100) if background is None else measured_rates(background)
    rates = blank.draws(random, DRAWS)
    sensitivities = _sensitivities(background, random)
    if without and unaided:
        sensitivities = _with_some_below(unaided[0], falling / max(car_events, 1), random)
    observed = random.beta(car_events + 0.5, t_cell_events - car_events + 0.5, DRAWS)
    low_draws = _with_systematic((observed - rates) / (sensitivities - rates), systematic_cv, random)
    high_draws = low_draws
    if without and falling > FALLING_PART * car_events:
        fell = np.maximum(rates, falling / t_cell_events * random.lognormal(0, FALLING_SD, DRAWS))
        low_draws = np.minimum(low_draws, (observed - fell) / (sensitivities - fell))
    if without:  # no control has seen this day's background: it may be none, or any part of what is supposed
        kept = random.normal(*SENSITIVITY_WITHOUT_REFERENCE, DRAWS).clip(0.5, 1.0)
        kept = kept if unaided is None else _drawn(*unaided, random)
        part = np.minimum(rates * random.random(DRAWS), LARGEST_BACKGROUND_PART * observed)
        high_draws = (observed - part) / kept
    rate = assumed_percent / 100 if background is None else probable_rate(background)
    sensitivity = unaided[0] if without and unaided else _sensitivity(background)
    point = float(np.clip((car_events / t_cell_events - rate) / (sensitivity - rate), 0, 1))
    first_above = blank.first_above(t_cell_events)
    if without:
        first_above = max(first_above, math.ceil(SMALLEST_CLAIM_WITHOUT_REFERENCE / 100 * t_cell_events))
    low_by_controls = _low(low_draws, point) if car_events >= first_above else 0.0
    witnessed, low = UNKNOWN, low_by_controls
    if rise is not None:
        low_draws = _with_rise(rise, observed, rates, sensitivities, systematic_cv, random)
        low = min(low, _low(low_draws, point))
        middle = min(median(low_draws), point)
        high = max(quantile(low_draws, 0.975), middle)
        witnessed = Estimate(100 * middle, 100 * min(low, middle), 100 * high)
    high = min(max(quantile(high_draws, 0.975), 0.0), 1.0)
    lob = blank.limit_of_blank(t_cell_events)
    needed = max(fewest_events, lob + 1, first_above)
    known = unaided[0] if without and unaided else float(sensitivities.mean())
    resolved = bool(unaided) if without else background is not None and background.resolved
    supposed = known if resolved or usual is None else max(usual, SMALLEST_SENSITIVITY)
    lod, lloq = _limits(t_cell_events, needed, blank, supposed)
    if without:
        lod, lloq = (None if one is None else max(one, SMALLEST_CLAIM_WITHOUT_REFERENCE) for one in (lod, lloq))
    return NetShare(
        raw=Share(car_events, t_cell_events).estimate(),
        net=Estimate(100 * point, 100 * low, 100 * max(high, point)),
        background_percent=100 * rate,
        lob_events=lob,
        first_above=first_above,
        lod_percent=lod,
        lloq_percent=lloq,
        flags=(Flag.NO_REFERENCE,) if without else (),
        low_draws=low_draws,
        high_draws=high_draws,
        witnessed=witnessed,
        low_by_controls=100 * low_by_controls,
        rise_probability=None if rise is None else rise.probability,
        limit_sensitivity=supposed,
    )


def _low(draws: Floats, point: float) -> float:
    return min(max(quantile(draws, 0.025), 0.0), point)


def _with_rise(
    rise: Rise,
    observed: Floats,
    rates: Floats,
    sensitivities: Floats,
    systematic_cv: float,
    random: np.random.Generator,
) -> Floats:
    """Return draws of the share with the rise added to the background."""
    risen = (rates + rise.draws(random, len(rates))).clip(0, 0.5 * sensitivities)
    return _with_systematic((observed - risen) / (sensitivities - risen), systematic_cv, random).clip(0, 1)


def _sensitivity(background: Background | None) -> float:
    return 1.0 if background is None else max(background.sensitivity, SMALLEST_SENSITIVITY)


def _sensitivities(background: Background | None, random: np.random.Generator) -> Floats:
    """Return draws of the share of positives above the threshold, in the bounds that hold for the point too."""
    if background is None or background.sensitivity_sd == 0:
        return np.full(DRAWS, _sensitivity(background))
    return _drawn(background.sensitivity, background.sensitivity_sd, random)


def _with_some_below(sensitivity: float, falling: float, random: np.random.Generator) -> Floats:
    """Return draws of the share of positives above a threshold that the lower limit supposes without a control.

    ``falling`` is the part of the events above it that may be negatives.
    """
    below = max((1 - sensitivity) / sensitivity - FALLING_TIMES * falling, 0.0)
    return np.asarray(1 / (1 + below * random.random(DRAWS)))


def _drawn(sensitivity: float, sd: float, random: np.random.Generator) -> Floats:
    """Return draws of a share of positives above a threshold: what is missed is gamma distributed."""
    missed = max(1 - sensitivity, SMALLEST_MISSED, sd / LARGEST_MISSED_CV)
    drawn = random.gamma((missed / sd) ** 2, sd**2 / missed, DRAWS)
    return np.asarray((1 - drawn).clip(SMALLEST_SENSITIVITY, 1.0))


def _with_systematic(shares: Floats, cv: float, random: np.random.Generator) -> Floats:
    """Return shares with odds times a lognormal factor; shares below 0 stay as they are."""
    bounded = shares.clip(0, 1 - 1e-9)
    odds = bounded / (1 - bounded) * np.exp(random.normal(0, lognormal_sd(cv), DRAWS))
    return np.where(shares > 0, odds / (1 + odds), shares)


def _limits(t_cells: int, needed: int, blank: BlankRates, sensitivity: float) -> tuple[float | None, float | None]:
    """Return LoD and LLOQ in percent, None where even half of all T cells would not do."""
    lod = blank.smallest_detected(t_cells, needed, sensitivity=sensitivity)
    rate, spread = blank.quantile(0.5), blank.sd
    # CV^2 (n p s)^2 = n (p s + b) + (n sd)^2 is quadratic in the expected positives x = n p s
    squared = QUANTIFIABLE_CV**2
    fixed = t_cells * rate + (t_cells * spread) ** 2
    positives = (1 + np.sqrt(1 + 4 * squared * fixed)) / (2 * squared)
    lloq = float(positives / (t_cells * sensitivity))
    lloq_percent = 100 * lloq if lloq <= LARGEST_LIMIT else None
    if lod is None or lloq_percent is None:
        return None if lod is None else 100 * lod, lloq_percent
    return 100 * lod, max(lloq_percent, 100 * lod)


LARGEST_LIMIT = 0.5
"""A limit beyond half of all T cells is none."""
