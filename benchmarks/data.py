"""Files to measure on: a blood-like mixture on 14 channels, the same on every machine."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cytocar.fcs.write import ByteOrder, Storage, write_fcs

SCATTER = ("FSC-A", "FSC-H", "FSC-W", "SSC-A", "SSC-H")
STAINS = {
    "FITC-A": "CD3",
    "PE-A": "CAR",
    "PerCP-Cy5-5-A": "7-AAD",
    "PE-Cy7-A": "CD2",
    "APC-A": "CD56",
    "APC-H7-A": "CD8",
    "V450-A": "CD4",
    "V500-A": "CD45",
}
CHANNELS = (*SCATTER, *STAINS, "Time")
# Close to an eight-colour BD FACSCanto II; rows and columns in the order of STAINS.
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
# Share, median FSC-A and SSC-A, then of each stain.
KINDS = np.array(
    [
        (0.20, 97_000, 38_000, 6000, 80, 300, 4000, 100, 200, 4000, 12000),  # CD4 T
        (0.10, 97_000, 38_000, 6000, 80, 300, 4000, 100, 20000, 80, 12000),  # CD8 T
        (0.02, 108_000, 42_000, 4500, 2500, 300, 4000, 100, 200, 4000, 12000),  # CD4 CAR-T
        (0.03, 108_000, 42_000, 4500, 2500, 300, 4000, 100, 20000, 80, 12000),  # CD8 CAR-T
        (0.01, 97_000, 38_000, 6000, 80, 300, 4000, 100, 6000, 4000, 12000),  # CD4 CD8 T
        (0.07, 95_000, 36_000, 90, 80, 300, 3000, 4000, 900, 80, 12000),  # NK
        (0.07, 150_000, 85_000, 200, 200, 400, 300, 100, 200, 1100, 9000),  # monocytes
        (0.37, 160_000, 170_000, 350, 90, 400, 200, 100, 200, 200, 2500),  # granulocytes
        (0.05, 85_000, 36_000, 4000, 200, 20000, 2000, 100, 800, 800, 8000),  # dead lymphocytes
        (0.08, 25_000, 15_000, 200, 90, 20000, 200, 100, 200, 200, 1500),  # debris
    ]
)
DOUBLETS = 0.03
CHUNK = 250_000
TOP = 262_143


def write_blood(
    path: Path, n_events: int, *, seed: int, storage: Storage = "float32", byte_order: ByteOrder = "little"
) -> Path:
    """Write a file of blood cells, dead cells and debris, and return its path.

    Integer storage holds whole numbers from 0 on and a gain of 2 on FSC-A, as older instruments write them.
    """
    rng = np.random.default_rng(seed)
    values = np.empty((n_events, len(CHANNELS)), dtype=np.float32)
    for start in range(0, n_events, CHUNK):
        values[start : start + CHUNK] = _mixture(rng, min(CHUNK, n_events - start))
    values[:, -1] = np.linspace(0, TOP, n_events)
    gains = {}
    if storage.startswith("uint"):
        values = np.clip(np.rint(values), 0, TOP)
        values[:, 0] = np.rint(values[:, 0] / 2)
        gains = {"$P1G": "0.5"}
    numbers = ",".join(f"{entry:g}" for entry in SPILLOVER.ravel())
    write_fcs(
        path,
        dict(zip(CHANNELS, values.T, strict=True)),
        markers=STAINS,
        keywords={"$SPILLOVER": f"{len(STAINS)},{','.join(STAINS)},{numbers}", **gains},
        storage=storage,
        byte_order=byte_order,
    )
    return path


def _mixture(rng: np.random.Generator, n_events: int) -> np.ndarray:
    kinds = KINDS[rng.choice(len(KINDS), n_events, p=KINDS[:, 0] / KINDS[:, 0].sum())]
    values = np.empty((n_events, len(CHANNELS)), dtype=np.float32)
    area = kinds[:, 1] * rng.lognormal(0, 0.13, n_events)
    values[:, 0] = np.where(rng.random(n_events) < DOUBLETS, 2 * area, area)
    values[:, 1] = area * 0.85 * rng.normal(1, 0.03, n_events)
    values[:, 2] = 65_536 * values[:, 0] / values[:, 1]
    values[:, 3] = kinds[:, 2] * rng.lognormal(0, 0.2, n_events)
    values[:, 4] = values[:, 3] * 0.85
    measured = (kinds[:, 3:] * rng.lognormal(0, 0.3, (n_events, len(STAINS)))) @ SPILLOVER
    values[:, 5:13] = measured + rng.normal(0, 1, measured.shape) * np.sqrt(900 + 8 * measured)
    return np.clip(values, -200, TOP)
