"""Specimens drawn cell by cell: lysed whole blood, PBMC, infusion products, spleen; who each cell is stands beside it.

They share no code and no shapes with ``cytocar.simulate`` and the other tubes of this folder: cells have a size that
scatter and autofluorescence follow, antigens that are log-normal or beta-shaped, and detectors that count photons.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
from msgspec import Struct, field
from msgspec.structs import replace

from benchmarks.validity.originals import Bools, Floats, Original

TOP = 262_144.0
MARKERS = ("CD3", "CD4", "CD8", "CD45", "CD19", "CD56", "viability", "CD45RA", "CD27")


class Cells(Struct, frozen=True):
    """One kind: its share, size and granularity (of a resting lymphocyte's), and what it carries (photons)."""

    share: float
    size: float = 1.0
    grain: float = 1.0
    carries: Mapping[str, float] = field(default_factory=dict)
    spread: float = 0.13
    glow: float = 1.0


CD4 = {"CD3": 6000.0, "CD4": 5500.0, "CD45": 12_000.0}
CD8 = {"CD3": 5400.0, "CD8": 15_000.0, "CD45": 13_000.0}
DN = {"CD3": 9000.0, "CD45": 12_500.0}
NK = {"CD56": 3000.0, "CD45": 12_000.0}
B = {"CD19": 4500.0, "CD45": 9000.0}
MONOCYTE = {"CD4": 900.0, "CD45": 8000.0}
GRANULOCYTE = {"CD45": 2500.0}
DEAD = {"viability": 20_000.0, "CD45": 4000.0}

BLOOD = {
    "cd4": Cells(0.13, carries=CD4),
    "cd8": Cells(0.08, carries=CD8),
    "dn": Cells(0.01, carries=DN),
    "nk": Cells(0.025, 1.05, 1.1, NK),
    "nk cd8": Cells(0.01, 1.05, 1.1, {**NK, "CD8": 1800.0}),
    "b": Cells(0.03, 0.97, 0.95, B),
    "monocytes": Cells(0.06, 1.5, 2.3, MONOCYTE, 0.15, 2.5),
    "granulocytes": Cells(0.55, 1.6, 5.5, GRANULOCYTE, 0.14, 2.0),
    "eosinophils": Cells(0.02, 1.55, 7.5, GRANULOCYTE, 0.14, 9.0),
    "debris": Cells(0.085, 0.2, 0.35, {}, 0.5, 0.2),
}
PBMC = {
    "cd4": Cells(0.36, carries=CD4),
    "cd8": Cells(0.19, carries=CD8),
    "dn": Cells(0.03, carries=DN),
    "nk": Cells(0.06, 1.05, 1.1, NK),
    "nk cd8": Cells(0.03, 1.05, 1.1, {**NK, "CD8": 1800.0}),
    "b": Cells(0.08, 0.97, 0.95, B),
    "monocytes": Cells(0.11, 1.5, 2.3, MONOCYTE, 0.16, 2.5),
    "dead": Cells(0.04, 0.7, 1.6, {**DEAD, "CD3": 1500.0}, 0.3, 2.0),
    "debris": Cells(0.10, 0.25, 0.5, {}, 0.5, 0.3),
}
PRODUCT = {
    "cd4": Cells(0.32, 1.5, 1.7, CD4, 0.2, 2.0),
    "cd8": Cells(0.46, 1.5, 1.7, CD8, 0.2, 2.0),
    "dn": Cells(0.02, 1.5, 1.7, DN, 0.2, 2.0),
    "nk": Cells(0.02, 1.4, 1.6, NK, 0.2, 2.0),
    "dead": Cells(0.12, 0.9, 2.4, {**DEAD, "CD3": 2500.0}, 0.3, 3.0),
    "debris": Cells(0.06, 0.3, 0.7, {}, 0.5, 0.5),
}
SPLEEN = {
    "cd4": Cells(0.17, carries=CD4),
    "cd8": Cells(0.11, carries={**CD8, "CD8": 7000.0}),
    "dn": Cells(0.015, carries=DN),
    "b": Cells(0.52, 1.05, 1.0, B),
    "nk": Cells(0.03, 1.05, 1.1, NK),
    "myeloid": Cells(0.06, 1.3, 3.0, {"CD45": 7000.0, "CD4": 300.0}, 0.2, 3.0),
    "dead": Cells(0.045, 0.7, 1.6, {**DEAD, "CD3": 700.0}, 0.3, 2.0),
    "debris": Cells(0.05, 0.25, 0.5, {}, 0.5, 0.3),
}


def _scarce(kinds: Mapping[str, Cells], share: float) -> dict[str, Cells]:
    scarce = ("cd4", "cd8", "dn")
    return {
        name: replace(cells, share=cells.share * share) if name in scarce else cells for name, cells in kinds.items()
    }


def _inverted(kinds: Mapping[str, Cells]) -> dict[str, Cells]:
    exchanged = {"cd4": kinds["cd8"].share, "cd8": kinds["cd4"].share * 1.5}
    return {name: replace(cells, share=exchanged.get(name, cells.share)) for name, cells in kinds.items()}


SPECIMENS: Mapping[str, Mapping[str, Cells]] = {
    "lysed blood": BLOOD,
    "PBMC": PBMC,
    "product": PRODUCT,
    "spleen": SPLEEN,
    "lymphopenic blood": _scarce(BLOOD, 0.1),
    "PBMC, CD4:CD8 of 0.35": _inverted(PBMC),
}


def draw_specimen(
    name: str,
    events: int,
    seed: int,
    *,
    doublets: float = 0.04,
    gain: float = 1.0,
    unstained: Collection[str] = (),
    beads: float = 0.0,
    dim: float = 1.0,
    glow: float = 1.0,
) -> Original:
    """Return a specimen's tube: its signals compensated, on 18 bits.

    Parameters
    ----------
    events : int
        About as many.
    doublets : float
        Share of the events that are two cells at once: nobody that is counted.
    gain : float
        Factor on all detectors of colours: another voltage.
    unstained : collection of str
        Markers whose antibody was forgotten, or left out (FMO).
    beads : float
        Counting beads, as a share of the cells.
    dim : float
        Factor on CD3: down-modulated after activation, or another dye.
    glow : float
        Factor on the autofluorescence of all cells.
    """
    kinds = SPECIMENS[name]
    random = np.random.default_rng((29, seed, *name.encode()))
    whole = sum(cells.share for cells in kinds.values())
    stain = {"CD3": dim} | dict.fromkeys(unstained, 0.0)
    parts = {
        kind: _drawn(_stained(cells, stain, glow), round(events * cells.share / whole), random)
        for kind, cells in kinds.items()
    }
    if beads:
        parts["beads"] = _beads(round(beads * events), random)
    columns = {key: np.concatenate([part[key] for part in parts.values()]) for key in next(iter(parts.values()))}
    who = np.concatenate([np.full(len(part["FSC-A"]), kind) for kind, part in parts.items()])
    columns, who = _paired(columns, who, round(doublets * len(who) / 2), random)
    order = random.permutation(len(who))
    who = who[order]
    scatter, signals = {}, {}
    for key, values in columns.items():
        if key[:3] in ("FSC", "SSC"):
            scatter[key] = values[order]
        else:
            seen = random.poisson(np.maximum(values[order], 0) / 4) * 4.0  # photons, and electronic noise
            signals[key] = np.minimum(gain * (seen + random.normal(-0.3 * 45, 45, len(order))), TOP)
    counted: dict[str, Bools] = {"cd4": who == "cd4", "cd8": who == "cd8"}
    counted = {"t_cells": np.isin(who, ("cd4", "cd8", "dn")), **counted}
    return Original(name, scatter, signals, TOP, counted)


def _stained(cells: Cells, stain: Mapping[str, float], glow: float) -> Cells:
    carries = {marker: mean * stain.get(marker, 1.0) for marker, mean in cells.carries.items()}
    return replace(cells, carries=carries, glow=cells.glow * glow)


def _beads(number: int, random: np.random.Generator) -> dict[str, Floats]:
    bead = _drawn(Cells(1.0, 0.5, 4.0, {}, 0.04), number, random)
    load = random.lognormal(0, 0.05, number)
    return bead | {marker: 60_000 * load * random.lognormal(0, 0.03, number) for marker in MARKERS}


def _drawn(cells: Cells, number: int, random: np.random.Generator) -> dict[str, Floats]:
    size = cells.size * random.gamma(1 / cells.spread**2, cells.spread**2, number)
    grain = cells.grain * random.lognormal(0, 1.4 * cells.spread, number) * (size / cells.size) ** 0.7
    columns: dict[str, Floats] = {}
    for kind, values, unit in (("FSC", size**1.6, 52_000.0), ("SSC", grain, 16_000.0)):
        area = unit * values * random.lognormal(0, 0.02, number)
        height = 0.8 * area * random.lognormal(0, 0.025, number) / (1 + 0.05 * (size / cells.size - 1))
        columns |= {f"{kind}-A": area, f"{kind}-H": height, f"{kind}-W": 65_536 * area / np.maximum(height, 1)}
    for marker in MARKERS:
        glow = 90 * cells.glow * size**2 * random.lognormal(0, 0.25, number)
        columns[marker] = glow
        mean = cells.carries.get(marker, 0.0)
        if marker in ("CD45RA", "CD27"):
            columns[marker] = glow + 4000 * random.beta(0.6, 0.6, number) ** 2
        elif mean:
            shape = random.lognormal(0, 0.25, number)
            if marker == "CD8":  # from cell to cell it varies more, towards dim ones: as in every real file
                shape *= np.exp(0.3 - 0.35 * random.gamma(1.0, 1.0, number))
            columns[marker] = glow + mean * shape
    return columns


def _paired(
    columns: Mapping[str, Floats], who: np.ndarray, pairs: int, random: np.random.Generator
) -> tuple[dict[str, Floats], np.ndarray]:
    """Return events of which some are joined two by two: areas and colours add, heights are the taller's."""
    first, second = np.split(random.permutation(len(who))[: 2 * pairs], 2)
    joined = {key: values.copy() for key, values in columns.items()}
    for key, values in joined.items():
        if key.endswith("-H"):
            values[first] = 1.04 * np.maximum(values[first], values[second])
        elif not key.endswith("-W"):
            values[first] += values[second]
    for kind in ("FSC", "SSC"):
        joined[f"{kind}-W"][first] = 65_536 * joined[f"{kind}-A"][first] / joined[f"{kind}-H"][first]
    names = who.astype(object)
    names[first] = "doublet"
    left = np.ones(len(who), dtype=bool)
    left[second] = False
    return {key: values[left] for key, values in joined.items()}, names[left].astype(str)
