"""Cellular kinetics of one subject from its curve: peak, exposure, persistence, doubling time, half-life.

Noncompartmental, as for a drug (Gabrielsson and Weiner 2012, Methods Mol Biol 929:377), with the rules that a living
drug asks for. Cells/µL and transgene copies/µg are never mixed: one call, one unit.

A number that the data do not support is ``None``, and ``Kinetics.reasons`` says why. Models of the whole curve stand in
``expansion_models`` and ``course_fit``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from cytocar.counting.limits import CarResult
from cytocar.kinetics.between_samples import FAR_APART_DAYS, days_to_neighbours, peak_interval, peak_is_met
from cytocar.kinetics.censored import area_with_censored, half_life_with_censored
from cytocar.kinetics.curve import Point, area_under, curve_of, points_of
from cytocar.kinetics.exposure import AreaTo, area_to
from cytocar.kinetics.rates import Rate, doubling_time, half_life
from cytocar.statistics.estimate import UNKNOWN, Estimate
from cytocar.tables.columns import day_text

BLQ_RULE = "before first quantified: 0; between: left out; after last: AUC ends at Tlast"
"""What is done with values below the limit of quantification; written beside every result."""

STILL_DETECTED = "cells are still detected in the last sample: at least this long"

_IN_CELLS = frozenset({CarResult.QUANTIFIED, CarResult.BELOW_LLOQ})


class Kinetics(Struct, frozen=True):
    """One row of ``kinetics.csv``; days since infusion, cells/µL, cells/µL x days.

    ``tlast_day`` is the last quantified day, ``persistence_days`` the last day with cells detected, quantified or not.
    ``auc_0_last`` ends at ``tlast_day``; ``auc_0_end`` goes on to the last sample, with 0 for what is below the limit.
    ``reasons`` pairs the name of a column with why it is empty, or with what to keep in mind.
    """

    subject_id: str
    cmax_per_ul: float | None
    tmax_day: float | None
    auc_0_28: float | None
    auc_0_84: float | None
    clast_per_ul: float | None
    tlast_day: float | None
    persistence_days: float | None
    doubling_time_days: float | None
    half_life_days: float | None
    half_life_points: int | None
    half_life_adjusted_r2: float | None
    n_timepoints: int
    n_quantified: int
    blq_rule: str
    auc_0_last: float | None
    auc_0_end: float | None
    cmax_per_ul_low: float | None
    cmax_per_ul_high: float | None
    auc_0_28_low: float | None
    auc_0_28_high: float | None
    auc_0_84_low: float | None
    auc_0_84_high: float | None
    reasons: tuple[tuple[str, str], ...]
    doubling_time_days_low: float | None = None
    doubling_time_days_high: float | None = None
    doubling_time_points: int | None = None
    doubling_time_adjusted_r2: float | None = None
    half_life_days_low: float | None = None
    half_life_days_high: float | None = None
    n_censored: int = 0
    cmax_per_ul_at_most: float | None = None
    auc_0_28_censored: float | None = None
    auc_0_28_censored_low: float | None = None
    auc_0_28_censored_high: float | None = None
    auc_0_84_censored: float | None = None
    auc_0_84_censored_low: float | None = None
    auc_0_84_censored_high: float | None = None
    half_life_days_censored: float | None = None
    half_life_days_censored_low: float | None = None
    half_life_days_censored_high: float | None = None

    @classmethod
    def columns(cls) -> tuple[str, ...]:
        """Return the columns of ``kinetics.csv``, in order."""
        return cls.__struct_fields__

    @property
    def still_detected(self) -> bool:
        """Whether the last sample still holds cells, so that persistence is at least what it says."""
        return self.reason("persistence_days") == STILL_DETECTED

    def reason(self, column: str) -> str | None:
        """Why a column is empty, or what to keep in mind about it."""
        return dict(self.reasons).get(column)


def noncompartmental(
    days: Sequence[float],
    cells_per_ul: Sequence[float | None],
    *,
    results: Sequence[CarResult | str] | None = None,
    intervals: Sequence[Estimate] | None = None,
    limits: Sequence[float | None] | None = None,
    subject_id: str = "",
) -> Kinetics:
    """Return peak, exposure and decline of one curve, as in ``kinetics.csv``.

    Parameters
    ----------
    days : sequence of float
        Days since infusion, in any order, each once. Samples before day 0 are not part of the kinetics.
    cells_per_ul : sequence of float or None
        Concentrations; ``None`` or 0 where nothing could be quantified.
    results : sequence of CarResult, optional
        What may be said of each value; ``not_evaluable`` samples are left out. Without it, what is above 0 is
        quantified.
    intervals : sequence of Estimate, optional
        The interval of each value; gives the intervals of Cmax and the AUCs, which carry too how days scatter about
        the course and what it may have done between its samples (``between_samples``).
    limits : sequence of float or None, optional
        What a value that is not quantified lies below: the limit of detection, or of quantification. With them the
        ``censored`` columns count such values as what they are.

    Raises
    ------
    ValueError
        If the sequences differ in length, a number is negative or not finite, or a day comes twice.

    Notes
    -----
    AUC: linear where the curve rises, logarithmic where it falls, interpolated by the same rule at day 28 and 84, from
    0 at infusion where day 0 has no sample; no AUC beyond the last sample. Doubling time: log-linear regression over
    the first 3 or more quantified samples up to the peak, half-life over the last 3 or more after it, as many as give
    the best adjusted R2. Both are given with the interval of the slope, which carries the usual scatter of days, and
    not at all where that holds 0: the curve may be flat. Values below the limit of quantification: see ``blq_rule``.

    Examples
    --------
    >>> course = noncompartmental([0, 1, 2, 3, 4, 5, 8], [0, 2.5, 3, 2, 1.5, 1.2, 1.1])
    >>> course.cmax_per_ul, course.tmax_day, round(course.auc_0_last, 6)
    (3.0, 2.0, 12.996584)
    >>> course.reason("auc_0_28")
    'the last sample is of day 8'
    """
    points = points_of(days, cells_per_ul, results, intervals, limits)
    evaluable = [point for point in points if point.day >= 0 and point.result is not CarResult.NOT_EVALUABLE]
    quantified = [point for point in evaluable if point.quantified is not None]
    reasons: list[tuple[str, str]] = []
    early = sum(point.result in _IN_CELLS for point in points if point.day < 0)
    if early:
        reasons.append(("n_timepoints", f"cells detected in {early} sample(s) before infusion, which are left out"))
    peak = max(quantified, key=lambda point: point.quantified or 0.0, default=None)
    highest = peak_interval(quantified, peak) if peak else UNKNOWN
    if peak and not peak_is_met(evaluable, peak):
        highest = replace(highest, high=None)
    last = quantified[-1] if quantified else None
    areas = {end: area_to(evaluable, end) for end in (28.0, 84.0)}
    doubling, halving = doubling_time(quantified, peak), half_life(quantified, peak)
    censored = {end: area_with_censored(evaluable, end) for end in (28.0, 84.0)}
    halving_censored = half_life_with_censored(evaluable, peak, halving)
    reasons += _reasons(evaluable, peak, areas, doubling, halving)
    return Kinetics(
        subject_id=subject_id,
        cmax_per_ul=peak.value if peak else None,
        tmax_day=peak.day if peak else None,
        auc_0_28=areas[28.0].estimate.value,
        auc_0_84=areas[84.0].estimate.value,
        clast_per_ul=last.value if last else None,
        tlast_day=last.day if last else None,
        persistence_days=max((point.day for point in evaluable if point.result in _IN_CELLS), default=None),
        doubling_time_days=doubling.days,
        half_life_days=halving.days,
        half_life_points=halving.points,
        half_life_adjusted_r2=halving.adjusted_r2,
        n_timepoints=len(evaluable),
        n_quantified=len(quantified),
        blq_rule=BLQ_RULE,
        auc_0_last=area_under(curve_of(evaluable)) if last else None,
        auc_0_end=area_under(curve_of(evaluable, to_the_end=True)) if last else None,
        cmax_per_ul_low=highest.low,
        cmax_per_ul_high=highest.high,
        auc_0_28_low=areas[28.0].estimate.low,
        auc_0_28_high=areas[28.0].estimate.high,
        auc_0_84_low=areas[84.0].estimate.low,
        auc_0_84_high=areas[84.0].estimate.high,
        reasons=tuple(reasons),
        doubling_time_days_low=doubling.low,
        doubling_time_days_high=doubling.high,
        doubling_time_points=doubling.points,
        doubling_time_adjusted_r2=doubling.adjusted_r2,
        half_life_days_low=halving.low,
        half_life_days_high=halving.high,
        n_censored=sum(point.limit is not None for point in evaluable),
        cmax_per_ul_at_most=_at_most(evaluable, highest if peak else None),
        auc_0_28_censored=censored[28.0].value,
        auc_0_28_censored_low=censored[28.0].low,
        auc_0_28_censored_high=censored[28.0].high,
        auc_0_84_censored=censored[84.0].value,
        auc_0_84_censored_low=censored[84.0].low,
        auc_0_84_censored_high=censored[84.0].high,
        half_life_days_censored=halving_censored.value,
        half_life_days_censored_low=halving_censored.low,
        half_life_days_censored_high=halving_censored.high,
    )


def _at_most(evaluable: Sequence[Point], peak: Estimate | None) -> float | None:
    """What the peak is at most, values below a limit counted as such; None where a value has no limit."""
    above = [peak.high] if peak else []
    above += [point.limit for point in evaluable if point.quantified is None]
    known = [one for one in above if one is not None]
    return max(known) if known and len(known) == len(above) else None


def _apart(evaluable: Sequence[Point], peak: Point) -> str:
    return f"samples beside the peak lie {day_text(max(days_to_neighbours(evaluable, peak)))} days apart"


def _reasons(
    evaluable: Sequence[Point], peak: Point | None, areas: dict[float, AreaTo], doubling: Rate, half_life: Rate
) -> Iterator[tuple[str, str]]:
    if peak is None:
        text = "no sample is quantified" if evaluable else "no sample can be evaluated"
        yield from ((column, text) for column in ("cmax_per_ul", "tmax_day", "clast_per_ul", "tlast_day"))
    elif len(evaluable) == 1:
        yield "cmax_per_ul", "the only sample"
    elif peak is evaluable[-1]:
        yield "cmax_per_ul", "the peak is the last sample: the curve may rise further"
    elif not peak_is_met(evaluable, peak):
        yield "cmax_per_ul", f"{_apart(evaluable, peak)}: how high it was is not known"
    elif max(days_to_neighbours(evaluable, peak)) >= FAR_APART_DAYS:
        yield "cmax_per_ul", f"{_apart(evaluable, peak)}: it may be higher than its interval says"
    for end, area in areas.items():
        if area.reason:
            yield f"auc_0_{end:g}", area.reason
        elif peak and area.estimate.low is not None and area.estimate.high is None:
            yield f"auc_0_{end:g}", f"{_apart(evaluable, peak)}: how much more lies under it is not known"
    detected = [point for point in evaluable if point.result in _IN_CELLS]
    if not detected:
        yield "persistence_days", "cells were never detected" if evaluable else "no sample can be evaluated"
    elif detected[-1] is evaluable[-1]:
        yield "persistence_days", STILL_DETECTED
    if doubling.reason:
        yield "doubling_time_days", doubling.reason
    if half_life.reason:
        yield "half_life_days", half_life.reason
