"""Models of a whole course: exponential expansion, then a decline in two phases.

``SteinCourse`` is the model that describes published CAR-T courses (Stein et al. 2019, CPT Pharmacometrics Syst
Pharmacol 8:285, doi 10.1002/psp4.12388); ``stein_cohort`` draws subjects from it, for tests and teaching.
``fit_decline`` fits the two phases to a measured course, and says when the samples do not carry it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from msgspec import Struct
from msgspec.structs import replace

Floats = npt.NDArray[np.float64]

FEWEST_FOR_DECLINE = 6
"""Samples from the peak on that a fit of four parameters needs, with two to spare for its residuals."""


class SteinCourse(Struct, frozen=True):
    """One subject's course: ``fold``-fold rise to ``cmax`` on ``tmax``, then two exponentials.

    Parameters
    ----------
    cmax : float
        Peak, in the unit of the course: copies/µg in the paper, cells/µL as well.
    tmax : float
        Day of the peak.
    fold : float
        Peak over the concentration on day 0.
    alpha, beta : float
        Rates of the first and of the second phase of the decline, per day.
    fb : float
        Share of the peak that the second phase starts with.

    Notes
    -----
    ``R0 exp(rho t)`` with ``R0 = cmax / fold`` and ``rho = ln(fold) / tmax`` up to ``tmax``; then
    ``(1 - fb) cmax exp(-alpha (t - tmax)) + fb cmax exp(-beta (t - tmax))``.

    Examples
    --------
    >>> [round(float(value)) for value in TYPICAL.at([9.3, 28, 84])]
    [24000, 1374, 149]
    """

    cmax: float
    tmax: float
    fold: float
    alpha: float
    beta: float
    fb: float

    @property
    def rho(self) -> float:
        """Rate of the rise, per day."""
        return math.log(self.fold) / self.tmax

    def at(self, days: Sequence[float] | Floats) -> Floats:
        """Return the concentration on each day, shape (n_days,); 0 before infusion."""
        day = np.asarray(days, dtype=np.float64)
        since = np.maximum(day - self.tmax, 0.0)
        rise = self.cmax * np.exp(self.rho * (np.minimum(day, self.tmax) - self.tmax))
        fall = self.cmax * ((1 - self.fb) * np.exp(-self.alpha * since) + self.fb * np.exp(-self.beta * since))
        return np.where(day < 0, 0.0, np.where(day < self.tmax, rise, fall))

    def area(self, end: float) -> float:
        """Return the exact area under the course from day 0 to ``end``, for ``end`` after the peak.

        Examples
        --------
        >>> round(TYPICAL.area(28), 2)
        171774.29
        """
        if end < self.tmax:
            raise ValueError(f"the closed form holds from the peak on, day {self.tmax:g}")
        since = end - self.tmax
        rise = self.cmax * (1 - 1 / self.fold) / self.rho
        first = self.cmax * (1 - self.fb) * -math.expm1(-self.alpha * since) / self.alpha
        second = self.cmax * self.fb * -math.expm1(-self.beta * since) / self.beta
        return rise + first + second


TYPICAL = SteinCourse(cmax=24_000, tmax=9.3, fold=3_900, alpha=0.16, beta=0.0032, fb=0.0079)
"""The typical patient of Stein et al. 2019, in transgene copies/µg DNA."""

TYPICAL_CELLS = replace(TYPICAL, cmax=119.0)
"""The same course in cells/µL, with the median peak of 48 patients (119 CAR+ cells/µL)."""

_LOG_VARIANCE = SteinCourse(cmax=0.65, tmax=0.38, fold=2.4, alpha=0.91, beta=0.86, fb=0.8)
"""Between-subject variances of the logarithms (Stein et al. 2019)."""


class SimulatedSubject(Struct, frozen=True, eq=False):
    """A subject of a simulated cohort: its course and its concentrations on the sampling days, shape (n_days,)."""

    subject_id: str
    course: SteinCourse
    days: Floats
    cells_per_ul: Floats


def stein_cohort(
    n_subjects: int, days: Sequence[float], *, seed: int, typical: SteinCourse = TYPICAL_CELLS
) -> tuple[SimulatedSubject, ...]:
    """Return simulated subjects whose parameters vary about the typical ones as published.

    Every parameter is lognormal and independent of the others; the same seed gives the same cohort, and the first
    subjects of a larger cohort are those of a smaller one.

    Examples
    --------
    >>> subject = stein_cohort(3, [0, 7, 14, 28], seed=1)[0]
    >>> subject.subject_id, subject.cells_per_ul.shape
    ('S001', (4,))
    """
    sampled = np.asarray(days, dtype=np.float64)
    names = SteinCourse.__struct_fields__
    spread = np.sqrt([getattr(_LOG_VARIANCE, name) for name in names])
    cohort = []
    for number, stream in enumerate(np.random.SeedSequence(seed).spawn(n_subjects), start=1):
        factors = np.exp(spread * np.random.default_rng(stream).standard_normal(len(names)))
        drawn = {name: getattr(typical, name) * float(factor) for name, factor in zip(names, factors, strict=True)}
        # A share of the peak cannot exceed it, and a peak that does not rise above day 0 is none.
        course = SteinCourse(**{**drawn, "fb": min(drawn["fb"], 1.0), "fold": max(drawn["fold"], 1.01)})
        cohort.append(SimulatedSubject(f"S{number:03d}", course, sampled, course.at(sampled)))
    return tuple(cohort)


class Decline(Struct, frozen=True):
    """Two exponentials fitted from the peak on; numbers are ``None`` where the samples do not carry the fit.

    ``first`` and ``second`` are the phases' concentrations on the day of the peak. ``residual_sd_log`` is the scatter
    of the samples about the fit (0.1 is about 10 %). ``caution`` says why there is no fit, or why not to trust it.
    """

    n_points: int
    first_per_ul: float | None = None
    first_half_life_days: float | None = None
    second_per_ul: float | None = None
    second_half_life_days: float | None = None
    residual_sd_log: float | None = None
    caution: str = ""


def fit_decline(days: Sequence[float], cells_per_ul: Sequence[float]) -> Decline:
    """Return two exponentials fitted to the quantified samples of one course, from the peak on.

    Parameters
    ----------
    days, cells_per_ul : sequence of float
        The quantified samples, in order of days; concentrations above 0.

    Notes
    -----
    Least squares on logarithms, which weighs each sample by its relative error, from a grid of starting rates. One and
    two exponentials are compared by AICc (Hurvich and Tsai 1989, Biometrika 76:297).

    Examples
    --------
    >>> days = [9.3, 12, 15, 20, 28, 60, 120, 240]
    >>> fit = fit_decline(days, TYPICAL.at(days))
    >>> round(fit.first_half_life_days, 1), round(fit.second_half_life_days)
    (4.3, 217)
    """
    day = np.asarray(days, dtype=np.float64)
    value = np.asarray(cells_per_ul, dtype=np.float64)
    if day.shape != value.shape or not np.all(value > 0) or not np.all(np.isfinite(day)):
        raise ValueError("days and cells_per_ul must be as many, and every concentration above 0")
    peak = int(np.argmax(value)) if value.size else 0
    since, logs = day[peak:] - (day[peak] if value.size else 0.0), np.log(value[peak:])
    if since.size < FEWEST_FOR_DECLINE:
        return Decline(
            n_points=int(since.size),
            caution=f"{since.size} quantified samples from the peak on, {FEWEST_FOR_DECLINE} are needed",
        )
    rates, sizes, rss = _two_exponentials(since, logs)
    caution = _decline_caution(since, logs, rates, rss)
    return Decline(
        n_points=int(since.size),
        first_per_ul=sizes[0],
        first_half_life_days=math.log(2) / rates[0],
        second_per_ul=sizes[1],
        second_half_life_days=math.log(2) / rates[1],
        residual_sd_log=math.sqrt(rss / (since.size - 4)),
        caution=caution,
    )


def _two_exponentials(since: Floats, logs: Floats) -> tuple[tuple[float, float], tuple[float, float], float]:
    """Return rates (faster first), sizes at the peak, and the residual sum of squares on the log scale."""
    from scipy.optimize import least_squares

    def residuals(log_parameters: Floats) -> Floats:
        size_1, rate_1, size_2, rate_2 = log_parameters
        curve = np.logaddexp(size_1 - np.exp(rate_1) * since, size_2 - np.exp(rate_2) * since)
        return np.asarray(curve - logs, dtype=np.float64)

    span = float(since[-1])
    # Rates from one that is over before the second sample to one that does not move within the whole course.
    low, high = math.log(0.01 / span), math.log(20.0 / float(since[1]))
    best = None
    for share in (0.02, 0.2):
        for fast, slow in ((0.15, 0.3), (0.3, 0.6), (0.1, 0.8)):
            start = [
                logs[0] + math.log1p(-share),
                high + fast * (low - high),
                logs[0] + math.log(share),
                high + slow * (low - high),
            ]
            bounds = ([-np.inf, low, -np.inf, low], [np.inf, high, np.inf, high])
            fit = least_squares(residuals, start, bounds=bounds, xtol=1e-12, ftol=1e-12, gtol=1e-12)
            if best is None or fit.cost < best.cost:
                best = fit
    assert best is not None
    size_1, rate_1, size_2, rate_2 = (float(number) for number in np.exp(best.x))
    phases = sorted([(rate_1, size_1), (rate_2, size_2)], reverse=True)
    return (phases[0][0], phases[1][0]), (phases[0][1], phases[1][1]), float(2 * best.cost)


def _decline_caution(since: Floats, logs: Floats, rates: tuple[float, float], rss: float) -> str:
    slope, intercept = np.polyfit(since, logs, 1)
    straight = float(np.sum((logs - intercept - slope * since) ** 2))
    one, two = _aicc(straight, since.size, 2), _aicc(rss, since.size, 4)
    if one is None or two is None:
        return "too few samples to tell two exponentials from one"
    if one <= two:
        return "one exponential describes these samples as well as two"
    if math.log(2) / rates[1] > float(since[-1]):
        return "the second half-life is longer than the time observed: an extrapolation"
    return ""


def _aicc(rss: float, n: int, parameters: int) -> float | None:
    """Return Akaike's criterion with its small-sample term; ``None`` where n is too small for the term."""
    k = parameters + 1  # the residual variance is fitted too
    if n - k - 1 <= 0:
        return None
    return n * math.log(max(rss, 1e-300) / n) + 2 * k + 2 * k * (k + 1) / (n - k - 1)
