"""One subject's course as a model: lag, growth, peak, decline in two phases, each with a profile interval.

Values below a limit count as what they are, somewhere below it (M3 of Beal 2001, J Pharmacokinet Pharmacodyn 28:481):
they are neither left out nor taken as 0. The model is that of Stein et al. 2019 with a lag before the growth.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from msgspec import Struct
from msgspec.structs import replace

from cytocar.counting.limits import CarResult
from cytocar.statistics.estimate import UNKNOWN, Estimate

Floats = npt.NDArray[np.float64]

FEWEST_QUANTIFIED = 8
"""Seven numbers are fitted; with one value more the scatter can be judged."""
SMALLEST_SD = 0.1
"""Scatter of a value about the course that is supposed at least, natural logarithm: what a draw and a tube leave."""
USUAL_SD = 0.3
"""Scatter that a first fit supposes."""
CORNER = 0.1
"""Days over which lag passes into growth, and growth into decline: a fit cannot find its way over sharp corners."""
PROFILE_STEPS, LARGEST_STEP_DOUBLINGS = 14, 7
"""A limit is looked for over this many steps, each up to twice as long as the one before."""


class CourseFit(Struct, frozen=True):
    """The fitted course; an estimate is unknown where the samples do not carry it, and open where one side is.

    ``scatter`` is the standard deviation of the quantified values about the course, natural logarithm; ``caution`` says
    why there is no fit, or what the samples leave open.
    """

    n_quantified: int
    n_censored: int
    cmax_per_ul: Estimate = UNKNOWN
    tmax_day: Estimate = UNKNOWN
    lag_days: Estimate = UNKNOWN
    doubling_time_days: Estimate = UNKNOWN
    first_half_life_days: Estimate = UNKNOWN
    second_half_life_days: Estimate = UNKNOWN
    second_share: Estimate = UNKNOWN
    auc_0_28: float | None = None
    scatter: float | None = None
    caution: str = ""


class _Samples(Struct, frozen=True, eq=False):
    """Days and logarithms of quantified values, and days with the bounds between which the others lie."""

    days: Floats
    logs: Floats
    censored_days: Floats
    floors: Floats
    ceilings: Floats

    def residuals(self, parameters: Floats, sd: float) -> Floats:
        """What a course leaves, in standard deviations; squares add to -2 log likelihood but for a constant."""
        from scipy.special import log_ndtr

        own = (self.logs - log_course(self.days, parameters)) / sd
        if not self.censored_days.size:
            return np.asarray(own)
        at = log_course(self.censored_days, parameters)
        above, below = (self.ceilings - at) / sd, (self.floors - at) / sd
        upper, lower = log_ndtr(above), log_ndtr(below)
        inside = upper + np.log(-np.expm1(np.minimum(lower - upper, -1e-12)))
        return np.concatenate([own, np.sqrt(np.maximum(-2 * inside, 0.0))])


NAMES = (
    "cmax_per_ul",
    "tmax_day",
    "lag_days",
    "doubling_time_days",
    "first_half_life_days",
    "second_half_life_days",
    "second_share",
)
AT_A_CORNER = frozenset(NAMES[:4])
"""Height and day of the peak, lag and doubling time: each is known only as well as the day of a corner beside it is. So
their intervals are those of two numbers at once; those of one held the truth in 86-90 % of simulated courses."""
LOWEST = np.log([1e-4, 1.0, 0.01, 0.1, 0.3, 15.0, 1e-5])
HIGHEST = np.log([1e6, 40.0, 15.0, 10.0, 60.0, 5000.0, 0.9])
"""Bounds of the logarithms: beyond them no published course lies."""


def log_course(days: Floats, parameters: Floats) -> Floats:
    """Return ln(cells/µL) of the model; ``parameters`` are the logarithms of ``NAMES``.

    Constant up to the lag, then doubling up to the peak, then two exponentials; the corners are rounded by 0.1 day.
    """
    cmax, (tmax, lag, doubling, first, second, share) = parameters[0], np.exp(parameters[1:])
    begin = min(lag, tmax - CORNER)
    grown = _after(days, begin) - _after(days, tmax)
    since = _after(days, tmax)
    fall = np.logaddexp(
        math.log1p(-share) - math.log(2) / first * since, math.log(share) - math.log(2) / second * since
    )
    return np.asarray(cmax - math.log(2) / doubling * (tmax - begin - grown) + fall)


def _after(days: Floats, begin: float) -> Floats:
    """How long after a day each of some days is, 0 before it, with a rounded corner."""
    return np.asarray(CORNER * np.logaddexp(0.0, (days - begin) / CORNER))


def fit_course(
    days: Sequence[float],
    cells_per_ul: Sequence[float | None],
    *,
    results: Sequence[CarResult | str],
    lods: Sequence[float | None],
    lloqs: Sequence[float | None],
) -> CourseFit:
    """Return lag, growth, peak and decline of one course, with profile intervals.

    Parameters
    ----------
    days : sequence of float
        Days from infusion on.
    cells_per_ul : sequence of float or None
        Concentrations; those of quantified samples count as numbers.
    results : sequence of CarResult
        ``not_detected`` lies below its limit of detection, ``below_lloq`` between both limits.
    lods, lloqs : sequence of float or None
        Limits of each sample, cells/µL; a censored sample without its limit is left out.

    Notes
    -----
    Maximum likelihood with lognormal scatter. An interval holds every value of a parameter with which the best course
    is worse by no more than ``F(0.95; 1, n - 7)`` times the scatter, or ``2 F(0.95; 2, n - 7)`` beside a corner: the
    profile likelihood, of which the limits need not be symmetric, and may be open.
    """
    samples = _samples(days, cells_per_ul, results, lods, lloqs)
    bare = CourseFit(len(samples.days), len(samples.censored_days))
    if len(samples.days) < FEWEST_QUANTIFIED:
        return replace(bare, caution=f"{len(samples.days)} quantified samples, {FEWEST_QUANTIFIED} are needed")
    best = min((_fitted(samples, start, USUAL_SD) for start in _starts(samples)), key=lambda one: one[0])[1]
    left = samples.logs - log_course(samples.days, best)
    freedom = len(samples.days) - len(NAMES)
    sd = max(math.sqrt(float(left @ left) / freedom), SMALLEST_SD)
    cost, best = _fitted(samples, best, sd)
    from scipy.special import fdtri

    allowed = {dimensions: dimensions * float(fdtri(dimensions, freedom, 0.95)) for dimensions in (1, 2)}
    estimates: dict[str, Any] = {}
    for index, name in enumerate(NAMES):
        worse = min(allowed[2 if name in AT_A_CORNER else 1], LARGEST_WORSENING)
        estimates[name] = Estimate(math.exp(best[index]), *_limits(samples, best, cost + worse, index, sd))
    grid = np.linspace(0.0, 28.0, 2801)
    area = float(np.trapezoid(np.exp(log_course(grid, best)), grid))
    unclear = [name for name, one in estimates.items() if one.low is None or one.high is None]
    caution = f"the samples leave open: {', '.join(unclear)}" if unclear else ""
    return replace(bare, **estimates, auc_0_28=area, scatter=sd, caution=caution)


LARGEST_WORSENING = 20.0
"""-2 log likelihood that a limit may cost at most: with one degree of freedom F alone (161) excludes nothing."""


def _samples(
    days: Sequence[float],
    values: Sequence[float | None],
    results: Sequence[CarResult | str],
    lods: Sequence[float | None],
    lloqs: Sequence[float | None],
) -> _Samples:
    own: list[tuple[float, float]] = []
    censored: list[tuple[float, float, float]] = []
    for day, value, result, lod, lloq in zip(days, values, map(CarResult, results), lods, lloqs, strict=True):
        if day < 0:
            continue
        if result is CarResult.QUANTIFIED and value:
            own.append((day, math.log(value)))
        elif result is CarResult.NOT_DETECTED and lod:
            censored.append((day, -math.inf, math.log(lod)))
        elif result is CarResult.BELOW_LLOQ and lloq:
            censored.append((day, -math.inf, math.log(lloq)))
    columns = np.array(sorted(own)).reshape(-1, 2).T
    bounds = np.array(sorted(censored)).reshape(-1, 3).T
    return _Samples(columns[0], columns[1], bounds[0], bounds[1], bounds[2])


def _starts(samples: _Samples) -> list[Floats]:
    """Return places from which a fit begins: the highest value as the peak, and the courses of usual shape."""
    peak = int(np.argmax(samples.logs))
    starts = []
    for tmax in {max(float(samples.days[peak]) + shift, 1.5) for shift in (-1.0, 0.0, 1.0)}:
        for first, second, share in ((4.0, 300.0, 0.01), (8.0, 100.0, 0.1)):
            starts.append(np.log([math.exp(samples.logs[peak]), tmax, 0.3 * tmax, 0.8, first, second, share]))
    return starts


def _fitted(samples: _Samples, start: Floats, sd: float, *, fixed: int | None = None) -> tuple[float, Floats]:
    """Return -2 log likelihood and parameters of the best course near a start, one parameter held where asked."""
    from scipy.optimize import least_squares

    free = np.array([index for index in range(len(NAMES)) if index != fixed])
    inside = np.clip(start, LOWEST + 1e-9, HIGHEST - 1e-9)

    def residuals(some: Floats) -> Floats:
        whole = start.copy()
        whole[free] = some
        return samples.residuals(whole, sd)

    fit = least_squares(residuals, inside[free], bounds=(LOWEST[free], HIGHEST[free]), max_nfev=200)
    whole = start.copy()
    whole[free] = fit.x
    return float(2 * fit.cost), whole


def _limits(samples: _Samples, best: Floats, worst: float, index: int, sd: float) -> tuple[float | None, float | None]:
    """Return the values of a parameter at which the best course becomes as bad as allowed; None where none does."""
    low, high = (_limit(samples, best, worst, index, sd=sd, direction=direction) for direction in (-1, 1))
    return low, high


def _limit(samples: _Samples, best: Floats, worst: float, index: int, *, sd: float, direction: int) -> float | None:
    def cost_at(place: float, near: Floats) -> tuple[float, Floats]:
        starts = near.copy(), best.copy()
        for start in starts:
            start[index] = place
        return min((_fitted(samples, start, sd, fixed=index) for start in starts), key=lambda one: one[0])

    edge = LOWEST[index] if direction < 0 else HIGHEST[index]
    step, place, course = 0.02, float(best[index]), best
    for number in range(PROFILE_STEPS):
        further = place + direction * step
        if (further - edge) * direction >= 0:
            return None
        cost, moved = cost_at(further, course)
        if cost > worst:
            return math.exp(_crossing(lambda at, near: cost_at(at, near)[0] > worst, course, place, further))
        place, course = further, moved
        step *= 2 if number < LARGEST_STEP_DOUBLINGS else 1
    return None


def _crossing(over: Callable[[float, Floats], bool], near: Floats, inside: float, outside: float) -> float:
    for _ in range(6):
        middle = (inside + outside) / 2
        inside, outside = (inside, middle) if over(middle, near) else (middle, outside)
    return (inside + outside) / 2
