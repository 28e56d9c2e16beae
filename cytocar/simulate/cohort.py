"""The tubes of a whole cohort, its courses drawn from the model of Stein et al. 2019: for tests and teaching."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from cytocar.kinetics.expansion_models import SimulatedSubject, stein_cohort
from cytocar.simulate.acquire import SimulatedTube, blood_tube
from cytocar.simulate.cells import Blood

COHORT_DAYS = (3.0, 7.0, 10.0, 14.0, 21.0, 28.0, 60.0, 90.0)
"""Days on which blood is drawn unless told otherwise."""
_BASELINE_DAY = -6.0
_BLASTS_UNTIL_DAY = 14.0
_COLUMNS = (
    *("file", "sample_id", "sample_type", "subject_id", "day", "specimen", "count_method"),
    *("sample_volume_ul", "beads_added", "template"),
)


def simulate_cohort(
    folder: Path | str,
    *,
    n_subjects: int,
    days: Sequence[float] = COHORT_DAYS,
    seed: int = 1,
    on_tube: Callable[[Path], None] | None = None,
) -> Path:
    """Write the tubes of a cohort, a baseline before infusion among them, and a sample sheet; return the sheet.

    Parameters
    ----------
    folder : Path or str
        Made where missing.
    n_subjects : int
        Subjects, ``S001`` and so on.
    days : sequence of float
        Days after infusion on which blood is drawn of each.
    seed : int
        Of courses and tubes; the first subjects of a larger cohort are those of a smaller one.
    on_tube : callable, optional
        Called with each file written.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, str]] = []
    for number, subject in enumerate(stein_cohort(n_subjects, days, seed=seed)):
        for visit, (day, per_ul) in enumerate(_draws(subject)):
            tube = blood_tube(
                car_per_ul=per_ul,
                blood=Blood(activation=1.0 if 0 <= day <= _BLASTS_UNTIL_DAY else 0.0),
                seed=np.random.SeedSequence(seed, spawn_key=(number, visit)),
            )
            path = tube.write(folder / f"{subject.subject_id}-{_day_name(day)}.fcs")
            rows.append(_row(path, subject.subject_id, day, tube))
            if on_tube is not None:
                on_tube(path)
    sheet = folder / "sheet.csv"
    with sheet.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, _COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return sheet


def _draws(subject: SimulatedSubject) -> list[tuple[float, float]]:
    """Return (day, true CAR-T cells/µL) of each tube of one subject."""
    after = [(float(day), float(value)) for day, value in zip(subject.days, subject.cells_per_ul, strict=True)]
    return [(_BASELINE_DAY, 0.0), *after]


def _day_name(day: float) -> str:
    return "baseline" if day < 0 else f"day{day:03g}"


def _row(path: Path, subject_id: str, day: float, tube: SimulatedTube) -> dict[str, str]:
    return {
        "file": path.name,
        "sample_id": path.stem,
        "sample_type": "baseline" if day < 0 else "sample",
        "subject_id": subject_id,
        "day": f"{day:g}",
        "specimen": "blood",
        "count_method": "beads",
        "sample_volume_ul": f"{tube.drawn.sample_volume_ul:g}",
        "beads_added": f"{tube.drawn.beads_added:g}",
        "template": "cart-cd19fc",
    }
