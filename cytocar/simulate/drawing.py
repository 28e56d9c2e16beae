"""From cells/µL to particles in a drawn volume: first how many of each, then what each of them is like."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec import Struct

from cytocar.simulate.cells import DEBRIS, CellKind
from cytocar.simulate.particles import (
    Particles,
    beads,
    cells,
    dead,
    joined,
    pairs,
    random_pairs,
    with_sticky,
)

_MAY_BE_STICKY = frozenset({"cd4_t_cells", "cd8_t_cells", "double_negative_t_cells"})
SPECIALS = ("sticky_t_cells", "dead_cells", "doublets", "debris", "beads", "bead_doublets", "carry_over")


class Mixture(Struct, frozen=True):
    """What to draw from, and what happens to it on the way.

    Parameters
    ----------
    kinds : sequence of (CellKind, float)
        Each kind with its expected number of viable single cells in the drawn volume.
    beads : int
        Beads in the whole tube: their number is known, it stands on the label.
    drawn_share : float
        Part of the tube that the cytometer draws.
    dead_share : float
        Dead cells as a share of all cells.
    doublet_share : float
        Events that are two cells, as a share of single cells. They come on top.
    bead_doublet_share : float
        Beads that stick to another one, as a share of beads.
    debris_share : float
        Debris events as a share of cells.
    sticky_share : float
        T cells without a CAR that hold the CAR reagent all the same.
    """

    kinds: Sequence[tuple[CellKind, float]]
    beads: int = 0
    drawn_share: float = 1.0
    dead_share: float = 0.0
    doublet_share: float = 0.0
    bead_doublet_share: float = 0.0
    debris_share: float = 0.0
    sticky_share: float = 0.0


class Numbers(Struct, frozen=True):
    """How many of each were drawn; ``living``, ``sticky`` and ``dead`` in the order of the mixture's kinds."""

    living: tuple[int, ...]
    sticky: tuple[int, ...]
    dead: tuple[int, ...]
    doublets: int
    debris: int
    beads: int
    bead_pairs: int


def draw_numbers(mixture: Mixture, rng: np.random.Generator) -> Numbers:
    """Return the numbers in the drawn volume: Poisson for cells, a binomial part of the known number of beads."""
    expected = [number for _, number in mixture.kinds]
    dead_per_cell = mixture.dead_share / (1 - mixture.dead_share)
    living = tuple(int(rng.poisson(number)) for number in expected)
    dying = tuple(int(rng.poisson(number * dead_per_cell)) for number in expected)
    all_cells = sum(living) + sum(dying)
    all_beads = int(rng.binomial(mixture.beads, mixture.drawn_share))
    return Numbers(
        living=living,
        sticky=tuple(
            int(rng.binomial(number, mixture.sticky_share if kind.name in _MAY_BE_STICKY else 0.0))
            for (kind, _), number in zip(mixture.kinds, living, strict=True)
        ),
        dead=dying,
        doublets=int(rng.poisson(all_cells * mixture.doublet_share)) if all_cells else 0,
        debris=int(rng.poisson(all_cells * mixture.debris_share)),
        beads=all_beads,
        bead_pairs=int(rng.binomial(all_beads // 2, mixture.bead_doublet_share)),
    )


def draw(mixture: Mixture, numbers: Numbers, rng: np.random.Generator) -> tuple[Particles, tuple[str, ...]]:
    """Return the particles of one tube, kind after kind, and the name of each origin number."""
    names = (*(kind.name for kind, _ in mixture.kinds), *SPECIALS)
    origin = {name: index for index, name in enumerate(names)}
    kinds = [kind for kind, _ in mixture.kinds]
    living = [
        with_sticky(cells(kind, n, origin[kind.name], rng), sticky, origin["sticky_t_cells"], rng)
        for kind, n, sticky in zip(kinds, numbers.living, numbers.sticky, strict=True)
    ]
    dying = [dead(cells(kind, n, origin["dead_cells"], rng), rng) for kind, n in zip(kinds, numbers.dead, strict=True)]
    blood = joined(living + dying)
    counted = beads(numbers.beads, origin["beads"], rng)
    glued = 2 * numbers.bead_pairs
    parts = [
        blood,
        random_pairs(blood, numbers.doublets, origin["doublets"], rng),
        cells(DEBRIS, numbers.debris, origin["debris"], rng),
        counted.take(np.arange(glued, len(counted))),
        pairs(counted.take(np.arange(0, glued, 2)), counted.take(np.arange(1, glued, 2)), origin["bead_doublets"], rng),
    ]
    return joined(parts), names
