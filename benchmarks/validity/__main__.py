"""``python -m benchmarks.validity [--tubes N] [--only TABLES]``: print the tables of ``docs/validity.md``."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

from benchmarks.validity import (
    among,
    at_the_limit,
    background,
    car,
    cells,
    courses,
    disturbed,
    gates,
    instruments,
    joint,
    laboratory,
    limits,
    look_oracle,
    mishaps,
    mix,
    odd,
    originals,
    other_laboratories,
    panels,
    patients,
    runs,
    silent,
    spikes,
    strata,
    unaided_oracle,
    witness_oracle,
)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tubes", type=int, default=120, help="simulated tubes per line (120)")
    parts = (
        "car",
        "headline",
        "gates",
        "cells",
        "limits",
        "strata",
        "unaided",
        "looks",
        "witnesses",
        "background",
        "disturbed",
        "mix",
        "joint",
        "courses",
        "spikes",
        "odd",
        "runs",
    )
    others = ("silent", "clean", "panels", "mishaps", "patients", "among", "laboratories", "instruments")
    parser.add_argument("--only", choices=(*parts, *others))
    parser.add_argument(
        "--files", nargs="+", type=Path, help="laboratories: tubes of your own to copy, not those there"
    )
    wanted = parser.parse_args()
    if wanted.only in (None, "car"):
        table(car.HEAD, (row.cells() for row in car.rows(wanted.tubes)))
    if wanted.only in (None, "headline"):
        table(car.HEAD, (row.cells() for row in car.headline_rows(wanted.tubes)))
    if wanted.only in (None, "gates"):
        table(gates.HEAD, gates.rows(max(1, wanted.tubes // 24)))
        table(car.HEAD, (row.cells() for row in gates.car_rows(max(1, wanted.tubes // 3))))
    if wanted.only in (None, "spikes"):
        table(car.HEAD, (row.cells() for row in spikes.rows(wanted.tubes)))
        table(spikes.UNAIDED_HEAD, spikes.unaided_rows(wanted.tubes))
    if wanted.only in (None, "limits"):
        table(limits.DETECTION_HEAD, limits.detection_rows(16 * wanted.tubes))
        table(limits.CELLS_HEAD, limits.cells_rows(4 * wanted.tubes))
        table(at_the_limit.HEAD, at_the_limit.rows(4 * wanted.tubes))
    if wanted.only in (None, "strata"):
        table(strata.ZERO_HEAD, strata.zero_rows(12 * wanted.tubes))
        table(strata.HEAD, strata.rows(4 * wanted.tubes))
    if wanted.only in (None, "unaided"):
        table(unaided_oracle.HEAD, unaided_oracle.rows(wanted.tubes))
    if wanted.only in (None, "looks"):
        table(look_oracle.HEAD, look_oracle.rows(4 * wanted.tubes))
    if wanted.only in (None, "background"):
        table(background.PLACES_HEAD, background.place_rows(max(4, wanted.tubes // 4)))
        table(background.HEAD, background.rows(4 * wanted.tubes))
    if wanted.only in (None, "disturbed"):
        table(disturbed.HEAD, disturbed.rows(4 * wanted.tubes))
    if wanted.only in (None, "witnesses"):
        table(witness_oracle.HEAD, witness_oracle.rows())
    if wanted.only in (None, "mix"):
        table(mix.HEAD, mix.rows(2 * wanted.tubes))
    if wanted.only in (None, "cells"):
        table(cells.HEAD, cells.rows(4 * wanted.tubes, cells.TUNED | cells.HELD_OUT))
    if wanted.only in (None, "joint"):
        table(joint.HEAD, joint.rows(max(4, wanted.tubes)))
    if wanted.only in (None, "courses"):
        table(courses.HEAD, courses.rows(4 * wanted.tubes, courses.TUNED + courses.ONCE))
    if wanted.only in (None, "odd"):
        table(odd.HEAD, odd.rows())
    if wanted.only in (None, "silent"):
        table(silent.HEAD, silent.rows(max(1, wanted.tubes // 24), silent.TUNED | silent.HELD_OUT))
        table(silent.HEAD, silent.rows(max(1, wanted.tubes // 24), silent.UNSEEN))
        table(silent.HEAD, silent.rows(max(1, wanted.tubes // 48), laboratory.KINDS))
        table(silent.HEAD, silent.rows(max(1, wanted.tubes // 48), laboratory.UNKNOWABLE))
    if wanted.only in (None, "clean"):
        table(silent.HEAD, silent.clean_rows(max(1, wanted.tubes // 15)))
    if wanted.only in (None, "panels"):
        table(panels.HEAD, panels.rows(max(1, wanted.tubes // 48)))
        table(panels.HEAD, panels.clean_rows(max(1, wanted.tubes // 10)))
    if wanted.only in (None, "mishaps"):
        seeds = max(1, wanted.tubes // 48)
        table(silent.HEAD, silent.rows(seeds, mishaps.on_car_tubes()))
        given = {"faults": mishaps.on_panel, "truth_after": mishaps.TRUTH_AFTER, "drawn_here": True}
        table(panels.HEAD, panels.rows(seeds, **given))
    if wanted.only in (None, "patients"):
        seeds = max(1, wanted.tubes // 120)
        table(silent.HEAD, silent.rows(seeds, mishaps.on_car_tubes(patients.KINDS), series=22))
        faults = partial(mishaps.on_panel, mishaps=patients.KINDS)
        truth_after = patients.TRUTH_AFTER
        table(panels.HEAD, panels.rows(seeds, series=22, faults=faults, truth_after=truth_after, drawn_here=True))
    if wanted.only in (None, "among"):
        table(among.HEAD, among.rows(2 * wanted.tubes))
    if wanted.only in (None, "laboratories"):
        tubes = originals.all_originals(wanted.files, max(1, wanted.tubes // 60))
        for which in (other_laboratories.copies, other_laboratories.changed):
            table(other_laboratories.HEAD, other_laboratories.rows(other_laboratories.trial(tubes, which)))
    if wanted.only in (None, "instruments"):
        for once in (False, True):
            judged = instruments.half(once, seeds=max(1, wanted.tubes // 60))
            table(other_laboratories.HEAD, other_laboratories.rows(judged))
    if wanted.only in (None, "runs"):
        table(runs.STEPS_HEAD, runs.step_rows(max(2, wanted.tubes // 24)))
        table(runs.EVEN_HEAD, runs.bead_rows(4 * wanted.tubes))
        table(runs.START_HEAD, runs.start_rows(10 * wanted.tubes))
        table(runs.REAL_HEAD, runs.real_rows())


def table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> None:
    """Print a Markdown table, line by line as it is measured."""
    print("| " + " | ".join(head) + " |")
    print("|" + " --- |" * len(head))
    for line in lines:
        print("| " + " | ".join(line) + " |", flush=True)


if __name__ == "__main__":
    main()
