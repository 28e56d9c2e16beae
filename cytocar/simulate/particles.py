"""What flows through the laser: cells, dead cells, pairs and beads, each with its own brightness and size."""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from cytocar.simulate.cells import DYES, CellKind

_SCATTER_CORRELATION = 0.4  # a large cell is also a granular one
_CAR, _VIABILITY = DYES.index("CAR"), DYES.index("7-AAD")
_BEAD_BRIGHTNESS = 60_000.0
_BEAD_FSC, _BEAD_SSC = 38_000.0, 60_000.0


class Particles(Struct, frozen=True, eq=False):
    """One particle a row, before any detector sees it.

    ``dyes`` (n, 8); ``fsc``, ``ssc`` areas (n,); ``fsc_peak``, ``ssc_peak`` (n,) pulse heights; ``origin`` (n,) number
    of the kind. Heights are kept apart from areas because two cells in a row add their areas and not their heights.
    """

    dyes: NDArray[np.float32]
    fsc: NDArray[np.float32]
    ssc: NDArray[np.float32]
    fsc_peak: NDArray[np.float32]
    ssc_peak: NDArray[np.float32]
    origin: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.origin)

    def take(self, rows: NDArray[np.intp]) -> Particles:
        """Return the particles of some rows, in their order."""
        return Particles(
            self.dyes[rows], self.fsc[rows], self.ssc[rows], self.fsc_peak[rows], self.ssc_peak[rows], self.origin[rows]
        )


def joined(parts: list[Particles]) -> Particles:
    """Return all particles of several groups."""
    return Particles(
        np.concatenate([part.dyes for part in parts]),
        np.concatenate([part.fsc for part in parts]),
        np.concatenate([part.ssc for part in parts]),
        np.concatenate([part.fsc_peak for part in parts]),
        np.concatenate([part.ssc_peak for part in parts]),
        np.concatenate([part.origin for part in parts]),
    )


def cells(kind: CellKind, n: int, origin: int, rng: np.random.Generator) -> Particles:
    """Return ``n`` living single cells of a kind."""
    dyes = _normal(rng, n, len(DYES))
    signals = [kind.signal(dye) for dye in DYES]
    dyes *= np.array([signal.sigma for signal in signals], dtype=np.float32)
    np.exp(dyes, out=dyes)
    dyes *= np.array([signal.median for signal in signals], dtype=np.float32)
    shared, forward, side = _normal(rng, 3, n)
    weight, rest = np.sqrt([_SCATTER_CORRELATION, 1 - _SCATTER_CORRELATION]).astype(np.float32)
    fsc = _log_normal(kind.fsc.median, kind.fsc.sigma, weight * shared + rest * forward)
    ssc = _log_normal(kind.ssc.median, kind.ssc.sigma, weight * shared + rest * side)
    return _single(dyes, fsc, ssc, origin)


def with_sticky(living: Particles, n: int, origin: int, rng: np.random.Generator) -> Particles:
    """Give ``n`` of these cells a CAR signal that they have no CAR for: the floor under every rare count."""
    rows = rng.choice(len(living), size=n, replace=False, shuffle=False)
    living.dyes[rows, _CAR] = _log_normal(1000, 0.9, _normal(rng, n))
    living.origin[rows] = origin
    return living


def dead(living: Particles, rng: np.random.Generator) -> Particles:
    """Shrink cells, let 7-AAD in, take some antigen off, and let reagents stick."""
    n = len(living)
    dyes = living.dyes * np.float32(0.7)
    dyes[:, _VIABILITY] = _log_normal(20_000, 0.4, _normal(rng, n))
    dyes[:, _CAR] += _log_normal(250, 0.8, _normal(rng, n))
    fsc = living.fsc * _log_normal(0.55, 0.12, _normal(rng, n))
    ssc = living.ssc * _log_normal(1.15, 0.15, _normal(rng, n))
    return replace(_single(dyes, fsc, ssc, 0), origin=living.origin)


def pairs(first: Particles, second: Particles, origin: int, rng: np.random.Generator) -> Particles:
    """Return events that are two particles each: dyes and areas add, heights hardly do."""
    # The second particle enters the beam while the first is still leaving it.
    overlap = rng.uniform(0, 0.25, len(first)).astype(np.float32)

    def height(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.maximum(one, other) + overlap * np.minimum(one, other)

    return Particles(
        first.dyes + second.dyes,
        first.fsc + second.fsc,
        first.ssc + second.ssc,
        height(first.fsc_peak, second.fsc_peak),
        height(first.ssc_peak, second.ssc_peak),
        np.full(len(first), origin, dtype=np.int8),
    )


def random_pairs(particles: Particles, n: int, origin: int, rng: np.random.Generator) -> Particles:
    """Return ``n`` pairs of any two of the particles, which stay what they are themselves."""
    first, second = (particles.take(rng.integers(0, max(len(particles), 1), n)) for _ in range(2))
    return pairs(first, second, origin, rng)


def beads(n: int, origin: int, rng: np.random.Generator) -> Particles:
    """Return counting beads: every colour bright, and all colours together 5 % apart from bead to bead."""
    brightness = np.float32(0.045) * _normal(rng, n, 1) + np.float32(0.02) * _normal(rng, n, len(DYES))
    dyes = np.float32(_BEAD_BRIGHTNESS) * np.exp(brightness)
    fsc, ssc = _log_normal(_BEAD_FSC, 0.05, _normal(rng, n)), _log_normal(_BEAD_SSC, 0.05, _normal(rng, n))
    return _single(dyes, fsc, ssc, origin)


def _normal(rng: np.random.Generator, *shape: int) -> NDArray[np.float32]:
    return rng.standard_normal(shape, dtype=np.float32)


def _log_normal(median: float, sigma: float, normal: NDArray[np.float32]) -> NDArray[np.float32]:
    values: NDArray[np.float32] = np.exp(np.float32(sigma) * normal)
    values *= np.float32(median)
    return values


def _single(dyes: NDArray[np.float32], fsc: NDArray[np.float32], ssc: NDArray[np.float32], origin: int) -> Particles:
    return Particles(dyes, fsc, ssc, _pulse_height(fsc), _pulse_height(ssc), np.full(len(fsc), origin, dtype=np.int8))


def _pulse_height(area: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the height of a single particle's pulse: larger ones stay in the beam a little longer."""
    return np.asarray(0.88 * area * (area / np.float32(100_000)) ** np.float32(-0.06), dtype=np.float32)
