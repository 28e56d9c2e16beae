"""The statistics of a validation: their names, what they mean, and one of them with its interval."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

from msgspec import Struct

from cytocar.errors.tree import UsageError
from cytocar.statistics.estimate import Estimate
from cytocar.validation.designs import Kind
from cytocar.validation.study import Study, Tube

NAMES: Mapping[Kind, Mapping[str, tuple[str, str]]] = {
    Kind.PRECISION: {
        "mean": ("mean", ""),
        "cv_within_run": ("CV within a run (repeatability)", "%"),
        "cv_between_run": ("CV between runs", "%"),
        "cv_between_day": ("CV between days", "%"),
        "cv_total": ("total CV (within the laboratory)", "%"),
    },
    Kind.LINEARITY: {
        "slope": ("slope of the line", ""),
        "intercept": ("intercept of the line", ""),
        "deviation": ("mean of a level minus the line", "%"),
        "nonlinearity": ("largest distance of the best polynomial from the line", "%"),
        "order": ("order of the best polynomial", ""),
        "proportionality_r2": ("proportionality: R2 of the line through the origin", ""),
        "proportionality_sse": ("proportionality: scaled sum of squared errors", ""),
        "proportionality_deviation": ("mean of a level minus the line through the origin", "%"),
        "cv_replicates": ("CV of replicates", "%"),
    },
    Kind.DETECTION: {
        "lob": ("limit of blank", ""),
        "lod": ("limit of detection", ""),
        "lloq": ("limit of quantitation: lowest level that meets CV and bias", ""),
        "lob_events": ("limit of blank by events", "events"),
        "lod_events": ("limit of detection by events", "events"),
        "lod_percent_by_events": ("limit of detection by events, of T cells", "%"),
        "cv": ("CV of a level", "%"),
        "bias": ("mean of a level minus what was expected", "%"),
        "detected": ("tubes of a level above the limit of blank", "%"),
    },
    Kind.COMPARISON: {
        "passing_bablok_slope": ("slope (Passing-Bablok)", ""),
        "passing_bablok_intercept": ("intercept (Passing-Bablok)", ""),
        "deming_slope": ("slope (Deming)", ""),
        "deming_intercept": ("intercept (Deming)", ""),
        "bias": ("mean difference (Bland-Altman)", ""),
        "bias_percent": ("mean difference, of the mean of both", "%"),
        "agreement_low": ("lower limit of agreement", "%"),
        "agreement_high": ("upper limit of agreement", "%"),
    },
    Kind.CARRY_OVER: {"carry_over": ("carry-over, 100 (L1 - L3) / (H3 - L3)", "%")},
    Kind.STABILITY: {
        "percent_of_start": ("level in percent of the start", "%"),
        "stable_hours": ("hours up to which every level stays within the limit", "h"),
    },
    Kind.OPERATORS: {
        "icc": ("ICC(2,1), absolute agreement", ""),
        "cv_between_operators": ("CV between operators", "%"),
    },
}
"""The statistics of each kind of study: what a reader calls them, and their unit; empty is the measurand's own."""


class Statistic(Struct, frozen=True):
    """A number about a measurand, of one level or of the whole study (``level`` empty)."""

    name: str
    estimate: Estimate
    n: int
    method: str
    level: str = ""
    df: float | None = None


class Settings(Struct, frozen=True):
    """Limits that a statistic itself needs, from the file of criteria."""

    lloq_cv_percent: float = 20.0
    lloq_bias_percent: float = 20.0
    stability_percent: float = 20.0


class Found(Struct, frozen=True):
    """What a study says about a measurand, and what a reader has to know of it."""

    statistics: tuple[Statistic, ...]
    notes: tuple[str, ...] = ()


Key = TypeVar("Key")


def groups(tubes: Sequence[Tube], key: Callable[[Tube], Key]) -> dict[Key, list[Tube]]:
    """Return tubes by a key, in order of appearance."""
    tubes_of: dict[Key, list[Tube]] = {}
    for tube in tubes:
        tubes_of.setdefault(key(tube), []).append(tube)
    return tubes_of


def numbers(tubes: Sequence[Tube], measurand: str) -> list[float]:
    """Return the numbers that these tubes have."""
    return [value for tube in tubes if (value := tube.number(measurand)) is not None]


def missing(study: Study, what: str, *, hint: str) -> UsageError:
    """Return that a design lacks something without which nothing can be evaluated."""
    return UsageError(f"{study.name}: {what}", code="E254", hint=hint)


def require_cells(study: Study, *columns: str) -> None:
    """Refuse tubes that do not say where in the design they belong (E257)."""
    gaps = [
        f"{tube.sample.sample_id}: {column}"
        for tube in study.used
        for column in columns
        if getattr(tube.sample, column) in (None, "")
    ]
    if gaps:
        raise UsageError(
            f"{study.name}: cells are empty that place a tube in its design: {', '.join(gaps[:5])}"
            + (f" and {len(gaps) - 5} more" if len(gaps) > 5 else ""),
            code="E257",
            hint="fill them in the sheet and count again; `cytocar validate plan` writes them",
        )


def without_numbers(study: Study, measurand: str) -> Iterator[str]:
    """Yield a note of tubes that have no number of this measurand."""
    lost = [tube.sample.sample_id for tube in study.used if tube.number(measurand) is None]
    if lost:
        yield f"{len(lost)} of {len(study.used)} tubes have no {measurand}: {', '.join(lost[:4])}"


def uneven(cells: Mapping[str, int]) -> Iterator[str]:
    """Yield a note that cells of a design hold different numbers of tubes: it is evaluated as unbalanced."""
    sizes = list(cells.values())
    usual = max(set(sizes), key=lambda size: (sizes.count(size), size))
    odd = [f"{name}: {size}" for name, size in cells.items() if size != usual]
    if odd:
        more = f" and {len(odd) - 4} more" if len(odd) > 4 else ""
        yield f"unbalanced: most cells hold {usual} tubes, others not ({', '.join(odd[:4])}{more}); evaluated as it is"
