"""From cells/µL to particles in a drawn volume: Poisson numbers, then each particle's own brightness and size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cytocar.simulate.cells import DEBRIS, DYES, CellKind
from cytocar.simulate.instrument import Particles, joined, single_pulse_height

_SCATTER_CORRELATION = 0.4  # a large cell is also a granular one
_BEAD_BRIGHTNESS = 60_000.0
_BEAD_FSC, _BEAD_SSC = 38_000.0, 60_000.0


@dataclass(frozen=True, slots=True)
class Mixture:
    """Expected numbers of particles in the drawn volume, and what happens to them on the way.

    Parameters
    ----------
    kinds : sequence of (CellKind, float)
        Each kind with its expected number of viable single cells.
    beads : float
        Expected number of beads.
    dead_share : float
        Dead cells as a share of all cells.
    doublet_share, bead_doublet_share : float
        Events that are two cells (two beads), as a share of the single ones. They come on top.
    debris_share : float
        Debris events as a share of cells.
    sticky_share : float
        T cells without a CAR that hold the CAR reagent all the same.
    """

    kinds: Sequence[tuple[CellKind, float]]
    beads: float = 0.0
    dead_share: float = 0.0
    doublet_share: float = 0.0
    bead_doublet_share: float = 0.0
    debris_share: float = 0.0
    sticky_share: float = 0.0


SPECIALS = ("sticky_t_cells", "dead_cells", "doublets", "debris", "beads", "bead_doublets", "carry_over")


def draw(mixture: Mixture, rng: np.random.Generator) -> tuple[Particles, tuple[str, ...]]:
    """Return the particles of one tube, kind after kind, and the name of each origin number."""
    names = (*(kind.name for kind, _ in mixture.kinds), *SPECIALS)
    number = {name: index for index, name in enumerate(names)}
    living = [_cells(kind, int(rng.poisson(expected)), number[kind.name], rng) for kind, expected in mixture.kinds]
    living = [_with_sticky(cells, names, mixture.sticky_share, rng) for cells in living]
    singles = joined(living)
    dead_per_cell = mixture.dead_share / (1 - mixture.dead_share)
    dead = joined(
        [
            _dead(_cells(kind, int(rng.poisson(expected * dead_per_cell)), number["dead_cells"], rng), rng)
            for kind, expected in mixture.kinds
        ]
    )
    cells = joined([singles, dead])
    debris = _cells(DEBRIS, int(rng.poisson(len(cells) * mixture.debris_share)), number["debris"], rng)
    parts = [cells, _pairs(cells, mixture.doublet_share, number["doublets"], rng), debris]
    parts += _beads(mixture, number, rng)
    return joined(parts), names


def _cells(kind: CellKind, n: int, origin: int, rng: np.random.Generator) -> Particles:
    dyes = rng.standard_normal((n, len(DYES)), dtype=np.float32)
    signals = [kind.signal(dye) for dye in DYES]
    dyes *= np.array([signal.sigma for signal in signals], dtype=np.float32)
    np.exp(dyes, out=dyes)
    dyes *= np.array([signal.median for signal in signals], dtype=np.float32)
    shared, fsc, ssc = rng.standard_normal((3, n), dtype=np.float32)
    weight, rest = np.sqrt([_SCATTER_CORRELATION, 1 - _SCATTER_CORRELATION]).astype(np.float32)
    forward = _log_normal(kind.fsc.median, kind.fsc.sigma, weight * shared + rest * fsc)
    side = _log_normal(kind.ssc.median, kind.ssc.sigma, weight * shared + rest * ssc)
    return _particles(dyes, forward, side, origin)


def _log_normal(median: float, sigma: float, normal: NDArray[np.float32]) -> NDArray[np.float32]:
    values: NDArray[np.float32] = np.exp(np.float32(sigma) * normal)
    values *= np.float32(median)
    return values


def _particles(dyes: NDArray[np.float32], fsc: NDArray[np.float32], ssc: NDArray[np.float32], origin: int) -> Particles:
    return Particles(
        dyes,
        fsc,
        ssc,
        single_pulse_height(fsc),
        single_pulse_height(ssc),
        np.full(len(fsc), origin, dtype=np.int8),
    )


def _with_sticky(cells: Particles, names: Sequence[str], share: float, rng: np.random.Generator) -> Particles:
    """Give a few T cells without a CAR a signal as if they had one: the floor under every rare count."""
    if not len(cells) or names[cells.origin[0]] not in {"cd4_t_cells", "cd8_t_cells", "double_negative_t_cells"}:
        return cells
    rows = np.flatnonzero(rng.random(len(cells)) < share)
    cells.dyes[rows, DYES.index("CAR")] = _log_normal(1000, 0.9, rng.standard_normal(len(rows), dtype=np.float32))
    cells.origin[rows] = names.index("sticky_t_cells")
    return cells


def _dead(cells: Particles, rng: np.random.Generator) -> Particles:
    """Shrink cells, let 7-AAD in, take some antigen off, and let reagents stick."""
    n = len(cells)
    dyes = cells.dyes * np.float32(0.7)
    dyes[:, DYES.index("7-AAD")] = _log_normal(20_000, 0.4, rng.standard_normal(n, dtype=np.float32))
    dyes[:, DYES.index("CAR")] += _log_normal(250, 0.8, rng.standard_normal(n, dtype=np.float32))
    fsc, ssc = cells.fsc * np.float32(0.55), cells.ssc * np.float32(1.15)
    return Particles(dyes, fsc, ssc, single_pulse_height(fsc), single_pulse_height(ssc), cells.origin)


def _pairs(cells: Particles, share: float, origin: int, rng: np.random.Generator) -> Particles:
    """Return events that are two cells: dyes and areas add, heights hardly do."""
    n = int(rng.poisson(len(cells) * share)) if len(cells) else 0
    first, second = (cells.take(rng.integers(0, max(len(cells), 1), n)) for _ in range(2))
    overlap = rng.uniform(0, 0.25, n).astype(np.float32)  # the second cell enters while the first is still leaving

    def height(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.maximum(one, other) + overlap * np.minimum(one, other)

    return Particles(
        first.dyes + second.dyes,
        first.fsc + second.fsc,
        first.ssc + second.ssc,
        height(first.fsc_peak, second.fsc_peak),
        height(first.ssc_peak, second.ssc_peak),
        np.full(n, origin, dtype=np.int8),
    )


def _beads(mixture: Mixture, number: dict[str, int], rng: np.random.Generator) -> list[Particles]:
    """Return single beads and pairs of beads. A pair holds two of the beads that were drawn."""
    total = int(rng.poisson(mixture.beads))
    pairs = int(rng.binomial(total // 2, mixture.bead_doublet_share)) if total else 0
    beads = _bead_particles(total, number["beads"], rng)
    loose = beads.take(np.arange(total - 2 * pairs))
    glued = _pairs(beads, 0.0, number["bead_doublets"], rng)
    if pairs:
        first, second = (beads.take(np.arange(total - 2 * pairs + offset, total, 2)) for offset in (0, 1))
        glued = Particles(
            first.dyes + second.dyes,
            first.fsc + second.fsc,
            first.ssc + second.ssc,
            np.maximum(first.fsc_peak, second.fsc_peak),
            np.maximum(first.ssc_peak, second.ssc_peak),
            np.full(pairs, number["bead_doublets"], dtype=np.int8),
        )
    return [loose, glued]


def _bead_particles(n: int, origin: int, rng: np.random.Generator) -> Particles:
    """Return beads: every colour bright, and all of them together 5 % apart from bead to bead."""
    dye_load = rng.standard_normal((n, 1), dtype=np.float32) * np.float32(0.045)
    each = rng.standard_normal((n, len(DYES)), dtype=np.float32) * np.float32(0.02)
    dyes = np.float32(_BEAD_BRIGHTNESS) * np.exp(dye_load + each)
    fsc = _log_normal(_BEAD_FSC, 0.05, rng.standard_normal(n, dtype=np.float32))
    ssc = _log_normal(_BEAD_SSC, 0.05, rng.standard_normal(n, dtype=np.float32))
    return _particles(dyes, fsc, ssc, origin)
