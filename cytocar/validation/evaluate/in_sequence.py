"""What depends on the order of tubes and on time: carry-over from one tube to the next, stability of a specimen."""

from __future__ import annotations

from statistics import mean

from cytocar.statistics.estimate import UNKNOWN, Estimate
from cytocar.statistics.normal import fold_of_first, mean_fold, ratio_of_paired_means
from cytocar.validation.designs import HIGH, LOW
from cytocar.validation.evaluate.statistic import (
    Found,
    Settings,
    Statistic,
    groups,
    missing,
    require_cells,
    uneven,
    without_numbers,
)
from cytocar.validation.study import Study

Times = dict[float, list[float]]
"""Results of one specimen above 0, by hours."""


def carry_over(study: Study, measurand: str, _settings: Settings) -> Found:
    """Return the share of a high sample that is found in the first low one after it."""
    require_cells(study, "val_level", "val_run", "val_rep")
    above, below, lost = [], [], []
    sequences = groups(study.used, lambda tube: f"day {tube.sample.val_day or '?'} sequence {tube.sample.val_run}")
    for sequence, tubes in sequences.items():
        at = {(tube.level, tube.sample.val_rep): tube.number(measurand) for tube in tubes}
        first, last, high = at.get((LOW, "1")), at.get((LOW, "3")), at.get((HIGH, "3"))
        if first is None or last is None or high is None:
            lost.append(sequence)
        else:
            above.append(first - last)
            below.append(high - last)
    if not above:
        raise missing(
            study,
            f"no sequence has {measurand} of high 3, low 1 and low 3",
            hint=f"val_level is {HIGH} or {LOW}, val_rep 1 to 3 as acquired, val_run counts the sequences",
        )
    share = ratio_of_paired_means(above, below).scaled(100)
    notes = [f"{len(lost)} sequences lack a tube: {', '.join(lost[:3])}"] if lost else []
    if len(above) > 1 and share.low is None:
        share = UNKNOWN
        notes.append(f"{measurand} of high and low tubes does not differ clearly, so it tells no carry-over")
    if len(above) == 1:
        notes.append("a single sequence has no interval")
    return Found(
        (Statistic("carry_over", share, len(above), "means over sequences, Fieller's interval"),), tuple(notes)
    )


def stability(study: Study, measurand: str, settings: Settings) -> Found:
    """Return each time's level in percent of the start, and the hours up to which all stay within the limit.

    The interval of the hours ends, below, at the last time up to which whole intervals stay within the limit.
    """
    require_cells(study, "val_level", "val_hours")
    hours = sorted({tube.sample.val_hours for tube in study.used if tube.sample.val_hours is not None})
    if len(hours) < 2 or hours[0] != 0:
        raise missing(
            study,
            f"times are {', '.join(f'{one:g} h' for one in hours) or 'none'}",
            hint="stability is told against tubes with val_hours = 0, and needs a later time",
        )
    specimens = times_of(study, measurand)
    if not any(times.get(hours[0]) for times in specimens.values()):
        raise missing(study, f"no {measurand} above 0 at the start", hint="levels are told in percent of the start")
    levels, how = _levels(list(specimens.values()), hours)
    statistics = [Statistic("percent_of_start", one, n, how, f"{at:g} h") for at, (one, n) in levels.items()]
    limit = settings.stability_percent
    stable, surely = 0.0, 0.0
    for at, (one, _) in levels.items():
        if one.value is None or abs(one.value - 100) > limit:
            break
        stable = at
        if surely_within(one, limit) and surely == max((h for h in hours if h < at), default=0.0):
            surely = at
    note = f"within {limit:g} % of the start; lower bound: with whole intervals"
    statistics.append(Statistic("stable_hours", Estimate(stable, surely, stable), len(study.used), note))
    cells = {f"{name} at {at:g} h": len(times.get(at, ())) for name, times in specimens.items() for at in hours}
    return Found(tuple(statistics), (*without_numbers(study, measurand), *uneven(cells)))


def surely_within(percent: Estimate, limit: float) -> bool:
    """True if a whole interval lies within a limit around 100 %.

    >>> surely_within(Estimate(95, 90, 100), 20), surely_within(Estimate(85, 70, 99), 20)
    (True, False)
    """
    bounds = (percent.low, percent.high)
    return all(bound is not None and abs(bound - 100) <= limit for bound in bounds)


def times_of(study: Study, measurand: str) -> dict[str, Times]:
    """Return the results above 0 of each specimen, by hours."""
    times: dict[str, Times] = {}
    for tube in study.used:
        value, hours = tube.number(measurand), tube.sample.val_hours
        if value is not None and value > 0 and hours is not None:
            times.setdefault(tube.level, {}).setdefault(hours, []).append(value)
    return times


def _levels(specimens: list[Times], hours: list[float]) -> tuple[dict[float, tuple[Estimate, int]], str]:
    """Return level and number behind it of each later time: by specimen where there are several, else by tube."""
    later, start = hours[1:], hours[0]
    if len(specimens) == 1 and specimens[0].get(start):
        (times,) = specimens
        there = [at for at in later if times.get(at)]
        levels = fold_of_first([times[start], *(times[at] for at in there)])[1:]
        known = dict(zip(there, levels, strict=True))
        return {at: (known.get(at, UNKNOWN), len(times.get(at, ()))) for at in later}, "logarithms of replicates"
    folds: dict[float, tuple[Estimate, int]] = {}
    for at in later:
        ratios = [mean(times[at]) / mean(times[start]) for times in specimens if times.get(at) and times.get(start)]
        folds[at] = (mean_fold(ratios) if ratios else UNKNOWN, len(ratios))
    return folds, "geometric mean of the specimens' ratios"
