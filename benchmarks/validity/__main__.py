"""``python -m benchmarks.validity [--tubes N] [--only TABLES]``: print the tables of ``docs/validity.md``."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from benchmarks.validity import (
    among,
    at_the_limit,
    background,
    borders,
    car,
    cells,
    courses,
    disturbed,
    gates,
    instruments,
    joint,
    kept_back,
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
    rates,
    replicates,
    runs,
    silent,
    spikes,
    strata,
    unaided_oracle,
    witness_oracle,
)

Table = tuple[Sequence[str], Iterable[Sequence[str]]]
"""Head and lines, which are measured when they are asked for."""
Part = Callable[[int], Iterable[Table]]
"""What makes tables of so many simulated tubes a line."""


def _cells(rows: Iterable[car.Row]) -> Iterator[Sequence[str]]:
    return (row.cells() for row in rows)


def _mishaps(tubes: int) -> Iterator[Table]:
    seeds = max(1, tubes // 48)
    yield silent.HEAD, silent.rows(seeds, mishaps.on_car_tubes())
    after = mishaps.TRUTH_AFTER
    yield panels.HEAD, panels.rows(seeds, faults=mishaps.on_panel, truth_after=after, drawn_here=True)


def _patients(tubes: int) -> Iterator[Table]:
    seeds = max(1, tubes // 120)
    yield silent.HEAD, silent.rows(seeds, mishaps.on_car_tubes(patients.KINDS), series=22)
    faults, after = partial(mishaps.on_panel, mishaps=patients.KINDS), patients.TRUTH_AFTER
    yield panels.HEAD, panels.rows(seeds, series=22, faults=faults, truth_after=after, drawn_here=True)


def _laboratories(tubes: int, files: Sequence[Path] | None) -> Iterator[Table]:
    copied = originals.all_originals(files, max(1, tubes // 60))
    for which in (other_laboratories.copies, other_laboratories.changed):
        yield other_laboratories.HEAD, other_laboratories.rows(other_laboratories.trial(copied, which))


def _instruments(tubes: int) -> Iterator[Table]:
    for once in (False, True):
        judged = instruments.half(once, seeds=max(1, tubes // 60))
        yield other_laboratories.HEAD, other_laboratories.rows(judged)


PARTS: Mapping[str, Part] = {
    "car": lambda n: [(car.HEAD, _cells(car.rows(n)))],
    "headline": lambda n: [
        (car.HEAD, _cells(car.headline_rows(n))),
        (car.LIMITS_HEAD, car.headline_limits_rows(n)),
    ],
    "gates": lambda n: [
        (gates.HEAD, gates.rows(max(1, n // 24))),
        (car.HEAD, _cells(gates.car_rows(max(1, n // 3)))),
    ],
    "spikes": lambda n: [(car.HEAD, _cells(spikes.rows(n))), (spikes.UNAIDED_HEAD, spikes.unaided_rows(n))],
    "kept_back": lambda n: [(kept_back.HEAD, kept_back.rows(max(1, n // 15)))],
    "limits": lambda n: [
        (limits.DETECTION_HEAD, limits.detection_rows(16 * n)),
        (limits.CELLS_HEAD, limits.cells_rows(4 * n)),
        (at_the_limit.HEAD, at_the_limit.rows(4 * n)),
    ],
    "strata": lambda n: [(strata.ZERO_HEAD, strata.zero_rows(12 * n)), (strata.HEAD, strata.rows(4 * n))],
    "unaided": lambda n: [(unaided_oracle.HEAD, unaided_oracle.rows(n))],
    "looks": lambda n: [(look_oracle.HEAD, look_oracle.rows(4 * n))],
    "borders": lambda n: [(borders.HEAD, borders.rows(3 * n))],
    "background": lambda n: [
        (background.PLACES_HEAD, background.place_rows(max(4, n // 4))),
        (background.HEAD, background.rows(4 * n)),
    ],
    "disturbed": lambda n: [(disturbed.HEAD, disturbed.rows(4 * n))],
    "witnesses": lambda _: [(witness_oracle.HEAD, witness_oracle.rows())],
    "mix": lambda n: [(mix.HEAD, mix.rows(2 * n))],
    "cells": lambda n: [(cells.HEAD, cells.rows(4 * n, {**cells.TUNED, **cells.HELD_OUT}))],
    "joint": lambda n: [(joint.HEAD, joint.rows(max(4, n)))],
    "courses": lambda n: [(courses.HEAD, courses.rows(4 * n, courses.TUNED + courses.ONCE))],
    "rates": lambda n: [(rates.HEAD, rates.rows(4 * n, {**rates.TUNED, **rates.ONCE}))],
    "replicates": lambda n: [(replicates.HEAD, replicates.rows(4 * n, {**replicates.TUNED, **replicates.ONCE}))],
    "odd": lambda _: [(odd.HEAD, odd.rows())],
    "silent": lambda n: [
        (silent.HEAD, silent.rows(max(1, n // 24), {**silent.TUNED, **silent.HELD_OUT})),
        (silent.HEAD, silent.rows(max(1, n // 24), silent.UNSEEN)),
        (silent.HEAD, silent.rows(max(1, n // 48), laboratory.KINDS)),
        (silent.HEAD, silent.rows(max(1, n // 48), laboratory.UNKNOWABLE)),
    ],
    "clean": lambda n: [(silent.HEAD, silent.clean_rows(max(1, n // 15)))],
    "panels": lambda n: [
        (panels.HEAD, panels.rows(max(1, n // 48))),
        (panels.HEAD, panels.clean_rows(max(1, n // 10))),
    ],
    "mishaps": _mishaps,
    "patients": _patients,
    "among": lambda n: [(among.HEAD, among.rows(2 * n))],
    "instruments": _instruments,
    "runs": lambda n: [
        (runs.STEPS_HEAD, runs.step_rows(max(2, n // 24))),
        (runs.EVEN_HEAD, runs.bead_rows(4 * n)),
        (runs.START_HEAD, runs.start_rows(10 * n)),
        (runs.REAL_HEAD, runs.real_rows()),
    ],
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tubes", type=int, default=120, help="simulated tubes per line (120)")
    parser.add_argument("--only", choices=(*PARTS, "laboratories"))
    parser.add_argument(
        "--files", nargs="+", type=Path, help="laboratories: tubes of your own to copy, not those there"
    )
    wanted = parser.parse_args()
    parts: Mapping[str, Part] = {**PARTS, "laboratories": partial(_laboratories, files=wanted.files)}
    for name, tables in parts.items():
        if wanted.only in (None, name):
            for head, lines in tables(wanted.tubes):
                table(head, lines)


def table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> None:
    """Print a Markdown table, line by line as it is measured."""
    print("| " + " | ".join(head) + " |")
    print("|" + " --- |" * len(head))
    for line in lines:
        print("| " + " | ".join(line) + " |", flush=True)


if __name__ == "__main__":
    main()
