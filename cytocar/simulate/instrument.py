"""The cytometer: dyes on particles become areas, heights and widths in detectors.

In this order: dyes mix into detectors (spillover), light and electronics add noise, the scale ends. Compensation later
undoes the first, never the second: that is why negatives of a bright neighbour spread.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cytocar.simulate.particles import Particles

FLUORESCENCE = ("FITC-A", "PE-A", "PerCP-Cy5-5-A", "PE-Cy7-A", "APC-A", "APC-H7-A", "V450-A", "V500-A")
SCATTER = ("FSC-A", "FSC-H", "FSC-W", "SSC-A", "SSC-H", "SSC-W")
TOP = 262_143.0
FLOOR = -200.0
THRESHOLD_FSC = 5000.0  # smaller pulses do not trigger the electronics

# Row: dye; column: detector, both in the order of FLUORESCENCE. Close to an eight-colour FACSCanto II.
SPILLOVER = np.array(
    [
        [1, 0.1625, 0.0183, 0.0011, 0.0055, 0, 0.02, 0.09],
        [0.0104, 1, 0.1544, 0.0095, 0.0022, 0, 0.0022, 0],
        [0, 0.010, 1, 0.3100, 0.0060, 0.0150, 0, 0],
        [0.0011, 0.0229, 0.0596, 1, 0.0066, 0.0876, 0.0045, 0],
        [0, 0, 0.0068, 0.0006, 1, 0.0336, 0.0013, 0],
        [0.0038, 0.0018, 0.0034, 0.0242, 0.0189, 1, 0, 0],
        [0, 0, 0, 0, 0.0031, 0, 1, 0.2814],
        [0.02, 0, 0, 0, 0.0045, 0, 0.1213, 1],
    ]
)
# Var = ELECTRONIC^2 + PHOTON * signal: electronic noise is constant, that of photo-electrons grows with the light.
ELECTRONIC = np.array([30, 30, 35, 30, 35, 45, 25, 30], dtype=np.float32)
PHOTON = np.array([5, 5, 10, 12, 10, 25, 5, 8], dtype=np.float32)


def measure(particles: Particles, rng: np.random.Generator) -> dict[str, NDArray[np.float32]]:
    """The signals of each detector, (n,) each, clipped to the scale: scatter first, then fluorescence."""
    columns: dict[str, NDArray[np.float32]] = {}
    for name, area, peak in (("FSC", particles.fsc, particles.fsc_peak), ("SSC", particles.ssc, particles.ssc_peak)):
        recorded = np.clip(area, 1, TOP)
        height = np.clip(peak * _jitter(len(area), 0.035, rng), 1, TOP)
        columns[f"{name}-A"], columns[f"{name}-H"] = recorded, height
        columns[f"{name}-W"] = np.minimum(np.float32(65_536) * recorded / height, np.float32(TOP))
    dyes = np.ascontiguousarray(particles.dyes.T)
    for index, detector in enumerate(FLUORESCENCE):
        signal = _light(dyes, SPILLOVER[:, index])
        deviation = np.sqrt(ELECTRONIC[index] ** 2 + PHOTON[index] * signal)
        seen = signal + deviation * rng.standard_normal(len(signal), dtype=np.float32)
        columns[detector] = np.clip(seen, FLOOR, TOP)
    return columns


def _light(dyes: NDArray[np.float32], shares: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the light of (8, n) dyes in one detector, (n,).

    Added dye by dye: a matrix product rounds differently with every number of threads, and a seed would not fix a file.
    """
    light = np.zeros(dyes.shape[1], dtype=np.float32)
    for dye in np.flatnonzero(shares):
        light += dyes[dye] * np.float32(shares[dye])
    return light


def _jitter(n: int, cv: float, rng: np.random.Generator) -> NDArray[np.float32]:
    return np.float32(1) + np.float32(cv) * rng.standard_normal(n, dtype=np.float32)


def spillover_keyword() -> str:
    """Return the matrix as ``$SPILLOVER`` (FCS 3.1, 3.2.20): size, detectors, then row by row."""
    numbers = (f"{value:g}" for value in SPILLOVER.ravel())
    return ",".join([str(len(FLUORESCENCE)), *FLUORESCENCE, *numbers])
