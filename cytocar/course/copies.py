"""Transgene copies beside CAR-T cells: copies/µg DNA brought to copies/µL of blood through the leukocytes.

A leukocyte holds 6.6 pg of DNA: copies/µL = copies/µg x leukocytes/µL x 6.6e-6 µg. Both methods are then per volume and
can be laid beside each other; how many copies a CAR-T cell holds is their ratio.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import median

from msgspec import Struct
from msgspec.structs import replace

from cytocar.counting.limits import CarResult
from cytocar.course.clinical import ClinicalRecord
from cytocar.course.series import Course, CoursePoint
from cytocar.statistics.censored_rank import Bounded, Tau, censored_tau, joined_tau
from cytocar.statistics.ranks import signed_rank

DNA_UG_PER_CELL = 6.6e-6
"""A diploid human cell (IJMS 2024;25:2673)."""
NEAREST_DAYS = 1.0
"""Leukocytes and cells are taken from the nearest day within one of the PCR's."""


class Copies(Struct, frozen=True):
    """One PCR of one day; ``verdict`` says how it goes with the cells that were counted.

    ``copies_bound`` is ``<`` or ``>`` where only that is known; ``car_limit_per_ul`` is the limit that the cells lie
    below, where they do.
    """

    subject_id: str
    day: float
    copies_per_ug: float
    wbc_per_ul: float | None
    copies_per_ul: float | None
    car_per_ul: float | None
    copies_per_car_cell: float | None
    verdict: str
    copies_bound: str = ""
    car_limit_per_ul: float | None = None


def copies_per_ul(copies_per_ug: float, wbc_per_ul: float) -> float:
    """Return copies per µL of blood.

    Examples
    --------
    >>> round(copies_per_ul(5000, 5000), 6)
    165.0
    """
    return copies_per_ug * wbc_per_ul * DNA_UG_PER_CELL


def copies_beside_cells(course: Course, record: ClinicalRecord) -> list[Copies]:
    """Return each transgene value of a subject beside the leukocytes and CAR-T cells of its day.

    Copies without cells, and cells without copies, are judged by the limit of the method that saw nothing: what the
    other found is brought to its unit by the median of the subject's copies per CAR-T cell, or by 1.
    """
    leukocytes = {value.day: value.value for value in record.series("wbc") if not value.bound}
    points = {point.day: point for point in course.points if point.has_car_gate}
    pairs = []
    for value in record.series("transgene"):
        wbc = leukocytes.get(_nearest(leukocytes, value.day))
        per_ul = copies_per_ul(value.value, wbc) if wbc else None
        point = points.get(_nearest(points, value.day))
        cells = point.car_per_ul.value if point and point.quantified else None
        one = Copies(
            subject_id=course.subject_id,
            day=value.day,
            copies_per_ug=value.value,
            wbc_per_ul=wbc,
            copies_per_ul=per_ul,
            car_per_ul=cells,
            copies_per_car_cell=per_ul / cells if per_ul and cells and not value.bound else None,
            verdict="",
            copies_bound=value.bound,
            car_limit_per_ul=_limit(point) if point else None,
        )
        pairs.append((one, point))
    ratios = [one.copies_per_car_cell for one, _ in pairs if one.copies_per_car_cell]
    per_cell = median(ratios) if ratios else 1.0
    return [replace(one, verdict=_verdict(one, point, per_cell)) for one, point in pairs]


def _nearest(days: Iterable[float], day: float) -> float:
    near = [one for one in days if abs(one - day) <= NEAREST_DAYS]
    return min(near, key=lambda one: abs(one - day), default=float("inf"))


def _limit(point: CoursePoint) -> float | None:
    """Return the limit that the cells of a draw lie below."""
    if point.car_result is CarResult.NOT_DETECTED:
        return point.car_lod_per_ul
    return point.car_lloq_per_ul if point.car_result is CarResult.BELOW_LLOQ else None


def _verdict(one: Copies, point: CoursePoint | None, per_cell: float) -> str:
    """How PCR and cells go together, judged by the limit of detection of that tube or of that PCR."""
    if point is None or point.car_result is CarResult.NOT_EVALUABLE:
        return "no cells counted"
    seen = point.car_result is not CarResult.NOT_DETECTED
    copies = one.copies_per_ug > 0 and one.copies_bound != "<"
    if seen == copies:
        return "both positive" if seen else "both negative"
    if seen:
        cells = one.car_per_ul if one.car_per_ul is not None else point.car_per_ul.value
        if one.copies_bound == "<" and one.copies_per_ul and cells and cells * per_cell < one.copies_per_ul:
            return "cells without copies: fewer than the limit of the PCR, no contradiction"
        return "cells without copies: look at the gate and at the PCR"
    if one.copies_per_ul is None or one.car_limit_per_ul is None:
        return "copies without cells; without leukocytes the limit cannot be compared"
    if one.copies_per_ul / per_cell < one.car_limit_per_ul:
        return "copies without cells: fewer than the tube's limit of detection, no contradiction"
    return "copies without cells, above the tube's limit of detection: antigen lost from view, or unexpressed copies"


# ---------------------------------------------------------------- do both rise and fall together?

FEWEST_PAIRS = 4
"""PCRs with cells of their day, from which a subject has a correlation: of three, one in three orders is perfect."""
FEWEST_SUBJECTS_FOR_P = 5
"""As in comparisons of groups: fewer subjects reach no p below .05."""


class CopiesCorrelation(Struct, frozen=True):
    """Kendall's tau of copies and cells of one subject, or within all of them (``subject_id`` is then empty).

    Draws of one subject follow each other and are not independent, so a subject's tau has no p value; over the
    subjects p is that of the signed-rank test of their taus.
    """

    subject_id: str
    of: str
    n_pairs: int
    n_below_limit: int
    tau: float | None
    p: float | None
    note: str


def copies_correlations(copies_of: Mapping[str, Sequence[Copies]]) -> Iterator[CopiesCorrelation]:
    """Yield the correlation of each subject that has enough pairs, and with several subjects the one within them all.

    Values below a limit count as such (``censored_tau``). Copies are per µL where each of them has leukocytes.
    """
    taus: list[tuple[Tau, int]] = []
    for subject, copies in copies_of.items():
        pairs = [one for one in copies if one.car_per_ul is not None or one.car_limit_per_ul is not None]
        if len(pairs) < FEWEST_PAIRS:
            continue
        per_volume = all(one.copies_per_ul is not None for one in pairs)
        xs: list[Bounded] = []
        for one in pairs:
            number = one.copies_per_ul if per_volume else one.copies_per_ug
            xs.append((number or 0.0, one.copies_bound))
        ys: list[Bounded] = [
            (one.car_per_ul, "") if one.car_per_ul is not None else (one.car_limit_per_ul or 0.0, "<") for one in pairs
        ]
        tau = censored_tau(xs, ys)
        below = sum("<" in (x[1], y[1]) for x, y in zip(xs, ys, strict=True))
        taus.append((tau, below))
        of = "copies/µL and CAR-T cells/µL" if per_volume else "copies/µg and CAR-T cells/µL"
        note = "" if tau.value is not None else "the limits leave no order"
        yield CopiesCorrelation(subject, of, len(pairs), below, tau.value, None, note)
    if len(taus) > 1:
        yield _within_all(taus)


def _within_all(taus: Sequence[tuple[Tau, int]]) -> CopiesCorrelation:
    values = [tau.value for tau, _ in taus if tau.value is not None]
    enough = len(values) >= FEWEST_SUBJECTS_FOR_P
    joined = joined_tau([tau for tau, _ in taus])
    return CopiesCorrelation(
        subject_id="",
        of="within subjects",
        n_pairs=joined.n,
        n_below_limit=sum(below for _, below in taus),
        tau=joined.value,
        p=signed_rank(values).p if enough else None,
        note=f"{len(values)} subjects" + ("" if enough else f": fewer than {FEWEST_SUBJECTS_FOR_P}, no p value"),
    )
