"""Files to measure on: a blood-like mixture on 14 channels, the same on every machine."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.gates import CHANNELS, SPILLOVER, STAINED
from cytocar.fcs.write import write_fcs

CHUNK = 500_000
# Share, FSC-A, SSC-A, then the medians of CD3, CAR, 7-AAD, CD2, CD56, CD8, CD4, CD45.
KINDS = (
    (0.20, 97_000, 38_000, 6000, 80, 300, 4000, 100, 200, 4000, 12000),
    (0.10, 97_000, 38_000, 6000, 80, 300, 4000, 100, 20000, 80, 12000),
    (0.02, 108_000, 42_000, 4500, 2500, 300, 4000, 100, 200, 4000, 12000),
    (0.03, 108_000, 42_000, 4500, 2500, 300, 4000, 100, 20000, 80, 12000),
    (0.08, 95_000, 36_000, 90, 80, 300, 3000, 4000, 900, 80, 12000),
    (0.07, 150_000, 85_000, 200, 200, 400, 300, 100, 200, 1100, 9000),
    (0.40, 160_000, 170_000, 350, 90, 400, 200, 100, 200, 200, 2500),
    (0.10, 25_000, 15_000, 200, 90, 20000, 200, 100, 200, 200, 1500),
)


def write_blood(path: Path, n_events: int, *, seed: int, storage: str = "float32", byte_order: str = "little") -> Path:
    """Write a file of a mixture of blood cells, dead cells and debris; return its path.

    With integer storage values are whole numbers from 0 on, as on older instruments.
    """
    rng = np.random.default_rng(seed)
    chunks = [_mixture(rng, min(CHUNK, n_events - start)) for start in range(0, n_events, CHUNK)]
    values = np.concatenate(chunks)
    if storage.startswith("uint"):
        values = np.clip(np.rint(values), 0, 262_143)
    values[:, -1] = np.arange(n_events) * (100_000 // max(n_events, 1) + 1) % 262_144
    names = [detector for detector, _ in CHANNELS]
    numbers = ",".join(f"{entry:g}" for entry in SPILLOVER.ravel())
    write_fcs(
        path,
        {name: values[:, index] for index, name in enumerate(names)},
        markers={detector: marker for detector, marker in CHANNELS if marker},
        keywords={"$SPILLOVER": f"{len(STAINED)},{','.join(STAINED)},{numbers}"},
        storage=storage,  # type: ignore[arg-type]  # checked by write_fcs
        byte_order=byte_order,  # type: ignore[arg-type]
    )
    return path


def _mixture(rng: np.random.Generator, n_events: int) -> np.ndarray:
    table = np.array(KINDS)
    kinds = rng.choice(len(table), n_events, p=table[:, 0] / table[:, 0].sum())
    values = np.empty((n_events, len(CHANNELS)), dtype=np.float32)
    area = table[kinds, 1] * rng.lognormal(0, 0.13, n_events)
    doublet = rng.random(n_events) < 0.03
    height = area * 0.85 * rng.normal(1, 0.03, n_events)
    values[:, 0] = np.where(doublet, 2 * area, area)
    values[:, 1] = height
    values[:, 2] = 65_536 * values[:, 0] / values[:, 1]
    values[:, 3] = table[kinds, 2] * rng.lognormal(0, 0.2, n_events)
    values[:, 4] = values[:, 3] * 0.85
    signals = table[kinds, 3:] * rng.lognormal(0, 0.3, (n_events, len(STAINED)))
    measured = signals @ SPILLOVER
    values[:, 5:13] = measured + rng.normal(0, 1, measured.shape) * np.sqrt(900 + 8 * measured)
    return np.clip(values, -200, 262_143)
