"""Patients whose blood is not as the templates expect it, and the list of these and of the ``wet_lab``'s kinds."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from msgspec.structs import replace

from benchmarks.validity import wet_lab as lab
from benchmarks.validity.mishaps import AREA, HEIGHT, SIDE, Listed, Mishap, Stains
from benchmarks.validity.odd import Change, Odd
from benchmarks.validity.tubes import Floats
from benchmarks.validity.wet_lab import edited, extra, of_kind

T_CELLS = ("cd4", "cd8", "neither")


def _fewer(*kinds: str) -> Mishap:
    """Leave a share of some cells: a drug took the others."""

    def mishap(left: float, stains: Stains) -> Change:
        return lab.chosen(lambda tube, random: ~of_kind(tube, *kinds) | (random.random(len(tube.origin)) < left))

    return mishap


def _more_neither(times: float, stains: Stains) -> Change:
    """Add T cells that carry neither CD4 nor CD8, so many for each other T cell, with more CD3: a gamma-delta clone."""

    def change(tube: Odd, random: np.random.Generator) -> Odd:
        few = np.flatnonzero(of_kind(tube, "neither"))
        if not len(few):
            return tube
        rows = np.r_[np.arange(len(tube.origin)), random.choice(few, int(times * of_kind(tube, *T_CELLS).sum()))]
        columns = {name: column[rows] for name, column in tube.columns.items()}
        columns[stains["CD3"]][len(tube.origin) :] *= 1.8
        added = replace(tube, columns=columns, origin=tube.origin[rows])
        return added.take(random.permutation(len(rows)))

    return change


def _activated(share: float, stains: Stains) -> Change:
    """Let a share of the T cells be blasts with half of their CD3, as in haemophagocytosis."""

    def edit(tube: Odd, columns: dict[str, Floats], random: np.random.Generator) -> None:
        some = of_kind(tube, *T_CELLS) & (random.random(len(tube.origin)) < share)
        for name, factor in {AREA: 1.4, HEIGHT: 1.4, SIDE: 1.6, stains["CD3"]: 0.5}.items():
            if name in columns:
                columns[name][some] *= factor

    return edited(edit)


def _coated(factor: float, stains: Stains) -> Change:
    """Let a drug sit on CD3 of all T cells (ATG, teplizumab): the antibody binds to what is left."""

    def edit(tube: Odd, columns: dict[str, Floats], random: np.random.Generator) -> None:
        columns[stains["CD3"]][of_kind(tube, *T_CELLS)] *= factor

    return edited(edit)


def _neutralised(factor: float, stains: Stains) -> Change:
    """Let antibodies against the CAR catch the reagent: CAR-T cells are as much dimmer."""

    def edit(tube: Odd, columns: dict[str, Floats], random: np.random.Generator) -> None:
        columns[stains["CAR"]][tube.origin != "beads"] *= factor

    return edited(edit)


def _bound_to_t_cells(share: float, stains: Stains) -> Change:
    """Let the patient's own antibodies, on a share of the T cells, bind the reagent."""

    def edit(tube: Odd, columns: dict[str, Floats], random: np.random.Generator) -> None:
        some = of_kind(tube, *T_CELLS) & (random.random(len(tube.origin)) < share)
        columns[stains["CAR"]][some] += random.gamma(2.0, 900, np.count_nonzero(some))

    return edited(edit)


def _both(share: float, stains: Stains) -> Change:
    """Let a share of the CD8 T cells carry dim CD4 too."""

    def edit(tube: Odd, columns: dict[str, Floats], random: np.random.Generator) -> None:
        some = of_kind(tube, "cd8") & (random.random(len(tube.origin)) < share)
        columns[stains["CD4"]][some] += np.median(columns[stains["CD4"]][of_kind(tube, "cd4")]) * random.lognormal(
            -1.0, 0.4, np.count_nonzero(some)
        )

    return edited(edit)


_ALL = ("CD3", "CD4", "CD8")
KINDS: Mapping[str, Listed] = {
    "half of the mix": Listed(lab.half_the_mix, (0.5, 0.25, 0.12)),
    "CAR reagent twice": Listed(lab.twice("CAR"), (60.0, 200.0, 600.0), ("CAR",), none=True),
    "CD4 twice": Listed(lab.twice("CD4"), (60.0, 200.0, 600.0), _ALL),
    "three days old": Listed(lab.three_days_old, (0.2, 0.5, 1.0)),
    "platelets on cells": Listed(lab.platelets_on_cells, (0.15, 0.3, 0.6)),
    "no Fc block": Listed(lab.no_fc_block, (0.1, 0.3, 0.6), none=True),
    "fixed for days": Listed(lab.fixed_long, (2.0, 5.0, 12.0), none=True),
    "viability dye on the living": Listed(lab.dye_on_the_living, (300.0, 1000.0, 3000.0), ("7-AAD",)),
    "nucleated red cells": Listed(lab.extra("red", (62e3, 20e3), {}, of=lab.WHITE), (0.2, 0.6, 2.0)),
    "ghosts": Listed(lab.extra("debris", (22e3, 9e3), {}, of=lab.WHITE), (1.0, 3.0, 8.0)),
    "CD3 drifts": Listed(lab.ramp("CD3"), (0.75, 0.5, 0.25), ("CD3",)),
    "CD4 drifts": Listed(lab.ramp("CD4"), (0.75, 0.5, 0.25), ("CD4",)),
    "scatter drifts": Listed(lab.ramp("scatter"), (0.75, 0.5, 1.6)),
    "red laser dies": Listed(lab.laser_dies(lab.RED_LASER), (0.12, 0.3, 0.6)),
    "violet laser dies": Listed(lab.laser_dies(lab.VIOLET_LASER), (0.12, 0.3, 0.6)),
    "blue laser dies": Listed(lab.laser_dies(lab.BLUE_LASER), (0.12, 0.3, 0.6)),
    "red laser's delay": Listed(lab.delay_off(lab.RED_LASER), (0.6, 0.3, 0.1)),
    "violet laser's delay": Listed(lab.delay_off(lab.VIOLET_LASER), (0.6, 0.3, 0.1)),
    "CD8's filter lets CD3 in": Listed(lab.filter_of_another("CD8", "CD3"), (0.1, 0.3, 0.8), _ALL),
    "CD4's filter lets CD8 in": Listed(lab.filter_of_another("CD4", "CD8"), (0.1, 0.3, 0.8), _ALL),
    "an air bubble": Listed(lab.air_bubble, (0.06, 0.15, 0.3)),
    "the tube runs empty": Listed(lab.tube_empty, (0.1, 0.3, 0.6)),
    "noise on CD4": Listed(lab.noisy("CD4"), (200.0, 600.0, 2000.0), ("CD4",)),
    "noise on CD8": Listed(lab.noisy("CD8"), (200.0, 600.0, 2000.0), ("CD8",)),
    "an offset of CD4": Listed(lab.offset("CD4"), (-400.0, 400.0, 1500.0), ("CD4",)),
    "an offset of CD3": Listed(lab.offset("CD3"), (-400.0, 400.0, 1500.0), ("CD3",)),
    "coincident events": Listed(lab.coincident, (0.12, 0.25, 0.5)),
    "threshold on CD3": Listed(lab.above("CD3"), (0.12, 0.25, 0.5), ("CD3",)),
    "threshold on CD45": Listed(lab.above("CD45"), (0.12, 0.25, 0.5), ("CD45",)),
    "threshold on CD19": Listed(lab.only("CD19"), (500.0, 2000.0, 5000.0), ("CD19",)),
    "a scatter gate exported": Listed(lab.within_scatter, (0.12, 0.25, 0.5)),
    "single cells exported": Listed(lab.single_by_height, (0.12, 0.25, 0.5)),
    "CD4+ exported": Listed(lab.only("CD4"), (800.0,), _ALL),
    "CD8+ exported": Listed(lab.only("CD8"), (1500.0,), _ALL),
    "CAR+ exported": Listed(lab.only("CAR"), (400.0, 1000.0), ("CAR",)),
    "compensated again": Listed(lab.compensated_again, (0.3, 0.6, 1.0), none=True),
    "thinned by export": Listed(lab.thinned, (0.5, 0.1, 0.03)),
    "twice in the file": Listed(lab.twice_in_the_file, (0.3, 0.6, 1.0)),
    "values clipped": Listed(lab.clipped, (0.0, 60.0, 300.0)),
    "leukaemic blasts": Listed(
        extra("blasts", (115e3, 36e3), {"CD45": 2500, "CD19": 1500}, of=lab.WHITE), (0.2, 1.0, 4.0)
    ),
    "myeloid blasts": Listed(extra("blasts", (125e3, 50e3), {"CD45": 3500, "CD4": 250}, of=lab.WHITE), (0.2, 1.0, 4.0)),
    "T lymphoblasts": Listed(
        extra("blasts", (120e3, 40e3), {"CD45": 6000, "CD8": 900, "CD4": 900}, of=T_CELLS), (0.3, 1.0, 4.0)
    ),
    "lymphoma": Listed(
        extra("b", (105e3, 38e3), {"CD45": 11_000, "CD19": 2200, "CD20": 8000}, of=T_CELLS),
        (0.5, 2.0, 8.0),
        truth_after=True,
    ),
    "monocytosis": Listed(
        extra("monocytes", (150e3, 90e3), {"CD45": 7000, "CD4": 500, "CD3": 90}, of=T_CELLS), (1.0, 4.0, 12.0)
    ),
    "eosinophilia": Listed(
        extra("eosinophils", (130e3, 220e3), {"CD45": 3500, "CD3": 900, "CAR": 700, "CD4": 400}, of=lab.WHITE),
        (0.1, 0.4, 1.0),
        none=True,
    ),
    "gamma-delta clone": Listed(_more_neither, (0.1, 0.4, 1.0), ("CD3",), truth_after=True),
    "alemtuzumab": Listed(_fewer(*T_CELLS, "nk", "b"), (0.1, 0.03, 0.01), truth_after=True),
    "rituximab": Listed(_fewer("b"), (0.1, 0.03, 0.01), truth_after=True),
    "daratumumab": Listed(_fewer("nk", "b"), (0.1, 0.03, 0.01), truth_after=True),
    "haemophagocytosis": Listed(_activated, (0.3, 0.6, 0.9), ("CD3",)),
    "a drug on CD3": Listed(_coated, (0.5, 0.25, 0.1), ("CD3",)),
    "reagent neutralised": Listed(_neutralised, (0.5, 0.25, 0.1), ("CAR",)),
    "own antibodies on T cells": Listed(_bound_to_t_cells, (0.05, 0.2, 0.6), ("CAR",), none=True),
    "CD8 T cells with CD4": Listed(_both, (0.12, 0.3, 0.6), _ALL),
}
TRUTH_AFTER = frozenset(name for name, listed in KINDS.items() if listed.truth_after)
