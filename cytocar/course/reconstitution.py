"""How deep each kind of cell falls and when it comes back: B cells, CD4 T cells, NK cells, from tubes or from values.

A visit at which no cell was seen is below its limit, and the nadir is then smaller than that limit, not 0.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from cytocar.counting.limits import CarResult
from cytocar.course.aplasia import Aplasia, aplasia
from cytocar.course.clinical import ClinicalRecord
from cytocar.course.series import Course

THRESHOLDS = {"b_cells": 20.0, "cd4": 200.0, "nk_cells": None}
"""Cells/µL: B-cell aplasia (FELIX), CD4 below which infections are prevented; of NK cells only what the user gives, for
laboratories put the lower end of the normal range anywhere from 70 to 160."""


class Reconstitution(Struct, frozen=True):
    """One kind of cells of one subject: nadir, depth, and how long they stayed below the threshold.

    ``nadir_bound`` is ``<`` where no cell was seen and ``nadir_per_ul`` is the limit. ``depth_percent`` is the nadir in
    percent of the last visit before infusion. ``below`` is ``None`` without a threshold.
    """

    cells: str
    n_visits: int
    nadir_day: float
    nadir_per_ul: float
    nadir_bound: str
    baseline_per_ul: float | None
    depth_percent: float | None
    below: Aplasia | None


def reconstitution(
    course: Course,
    record: ClinicalRecord,
    *,
    b_cell_threshold: float | None = None,
    nk_threshold: float | None = None,
) -> Iterator[Reconstitution]:
    """What is known of each kind of cells after infusion; tubes go before clinical values.

    Parameters
    ----------
    course : Course
        The subject's draws.
    record : ClinicalRecord
        The subject's clinical values: ``b_cells``, ``cd4``, ``nk_cells``, in cells/µL.
    b_cell_threshold : float, optional
        B cells below this are aplasia; 20/µL without it.
    nk_threshold : float, optional
        NK cells below this lack; without it there is only a nadir.
    """
    given = {"b_cells": b_cell_threshold, "nk_cells": nk_threshold}
    for cells, usual in THRESHOLDS.items():
        visits = sorted(_visits(course, record, cells))
        after = [visit for visit in visits if visit[0] >= 0]
        if not after:
            continue
        day, value, bound = min(after, key=lambda visit: (visit[1], visit[0]))
        before = [visit for visit in visits if visit[0] < 0 and not visit[2]]
        baseline = before[-1][1] if before else None
        own = given.get(cells)
        threshold = usual if own is None else own
        yield Reconstitution(
            cells=cells,
            n_visits=len(after),
            nadir_day=day,
            nadir_per_ul=value,
            nadir_bound=bound,
            baseline_per_ul=baseline,
            depth_percent=100 * value / baseline if baseline else None,
            below=None
            if threshold is None
            else aplasia(
                [visit[0] for visit in visits],
                [visit[1] for visit in visits],
                threshold_per_ul=threshold,
                subject_id=course.subject_id,
            ),
        )


def _visits(course: Course, record: ClinicalRecord, cells: str) -> Iterator[tuple[float, float, str]]:
    """Yield day, cells/µL and bound of each visit."""
    counted = [(point.day, point.populations[cells]) for point in course.points if cells in point.populations]
    known = [(day, count) for day, count in counted if count.per_ul.value is not None]
    for day, count in known:
        if count.result is CarResult.NOT_DETECTED and count.lod_per_ul:
            yield day, count.lod_per_ul, "<"
        else:
            yield day, count.per_ul.value or 0.0, ""
    if not known:
        for value in record.series(cells):
            yield value.day, value.value, value.bound
