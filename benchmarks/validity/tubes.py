"""Whole tubes of stained blood in compensated signals: scatter, lineage, viability, beads, doublets, debris.

Cells are drawn with shapes, brightness and proportions of their own (compare ``cytocar.simulate``): sizes are gamma
distributed, stains have Student tails, doublets join any two events, blasts are a share of all T cells.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
from msgspec import Struct, field

from cytocar.fcs.events import EventTable

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

STAINS = {
    "CD3": "FITC-A",
    "CAR": "PE-A",
    "7-AAD": "PerCP-Cy5-5-A",
    "CD2": "PE-Cy7-A",
    "CD56": "APC-A",
    "CD8": "APC-H7-A",
    "CD4": "V450-A",
    "CD45": "V500-A",
}
DIM_SPREAD = 70.0
TOP = 262_143.0


SHAPES: Mapping[str, Callable[[Tube, np.random.Generator, int], Floats]] = {
    "student": lambda tube, random, n: random.standard_t(tube.tails, n),
    "normal": lambda tube, random, n: random.normal(size=n),
    "tail of dim": lambda tube, random, n: 0.8 * random.normal(size=n) - random.exponential(0.9, n) + 0.6,
    "two levels": lambda tube, random, n: np.where(random.random(n) < 0.3, -1.3, 0.5) + 0.6 * random.normal(size=n),
    "logistic": lambda tube, random, n: random.logistic(0, 0.55, n),
    "gamma": lambda tube, random, n: np.log(random.gamma(1.5, 1, n) / 1.18),
    "Weibull": lambda tube, random, n: 0.8 * np.log(random.weibull(1.0, n) / 0.693),
    "dim fifth": lambda tube, random, n: np.where(
        random.random(n) < 0.2, random.uniform(-2.4, 0.3, n), random.normal(0.3, 0.7, n)
    ),
}
"""What stains show, natural logarithm, in units of ``Tube.spread``."""

SPILL = 0.02
"""Of PE-Cy7 in the APC detector: all spillover there is, in a marker that no gate looks at. No file has none at all."""


def spillover() -> str:
    """Return the tubes' matrix as its keyword holds it."""
    detectors = list(STAINS.values())
    matrix = np.eye(len(detectors))
    matrix[detectors.index("PE-Cy7-A"), detectors.index("APC-A")] = SPILL
    return ",".join([str(len(detectors)), *detectors, *(f"{value:g}" for value in matrix.ravel())])


class Kind(Struct, frozen=True):
    """One kind of event: events drawn, median FSC and SSC with their CV, and medians of the stains it carries."""

    events: int
    fsc: float
    ssc: float
    stains: Mapping[str, float]
    scatter_cv: float = 0.13


class Tube(Struct, frozen=True):
    """What is in a tube and what drifts. Shares are of the T cells; ``missing`` names kinds that are absent.

    CAR+ cells are as bright as ``stain_index`` says, with a log10 SD of 0.35; ``sticky_share`` of the other T cells
    hold some of the reagent. ``stained`` are factors on the brightness of markers, ``spread`` the SD of the natural
    logarithm of what a stain shows, ``shape`` its distribution (``SHAPES``).
    """

    t_cells: int = 24_000
    blast_share: float = 0.05
    blast_size: float = 1.2
    dim_cd3_share: float = 0.0
    car_share: float = 0.0
    stain_index: float = 8.0
    sticky_share: float = 0.0002
    gain: float = 1.0
    scatter_gain: float = 1.0
    bead_shift: float = 1.0
    doublet_share: float = 0.03
    tails: float = 8.0
    missing: frozenset[str] = field(default_factory=frozenset)
    beads: int = 8000
    stained: Mapping[str, float] = field(default_factory=dict)
    spread: float = 0.22
    shape: str = "student"

    def kinds(self) -> dict[str, Kind]:
        """Return the kinds of events of the tube by name."""
        blasts = int(self.t_cells * self.blast_share)
        car = round(self.t_cells * self.car_share)
        resting = self.t_cells - blasts - car
        cd3, dim = 5200.0, 2600.0
        size, bright = self.blast_size, 2 * self.stain_index * DIM_SPREAD
        blast = {"CD45": 11_000, "CD3": cd3 * (0.55 if self.dim_cd3_share else 0.8), "CD2": 4500}
        rest = {"CD45": 12_500, "CD3": cd3, "CD2": 3500}
        dim_cd8 = int(0.45 * resting * self.dim_cd3_share)
        drawn = {
            "cd4": Kind(int(0.55 * resting), 95e3, 37e3, {**rest, "CD4": 3600}),
            "cd8": Kind(int(0.45 * resting) - dim_cd8, 95e3, 37e3, {**rest, "CD8": 17_000}),
            "cd8_dim_cd3": Kind(dim_cd8, 95e3, 37e3, {**rest, "CD3": dim, "CD8": 15_000}),
            "cd4_blasts": Kind(blasts // 2, 95e3 * size, 37e3 * (2 * size - 1), {**blast, "CD4": 3400}, 0.16),
            "cd8_blasts": Kind(
                blasts - blasts // 2, 95e3 * size, 37e3 * (2 * size - 1), {**blast, "CD8": 17_000}, 0.16
            ),
            "cd4_car": Kind(car // 3, 95e3 * size, 37e3 * (2 * size - 1), {**blast, "CD4": 3400, "CAR": bright}, 0.16),
            "cd8_car": Kind(
                car - car // 3, 95e3 * size, 37e3 * (2 * size - 1), {**blast, "CD8": 17_000, "CAR": bright}
            ),
            "nk": Kind(self.t_cells // 6, 99e3, 41e3, {"CD45": 13_000, "CD56": 3500, "CD2": 2000, "CD8": 500}),
            "b": Kind(self.t_cells // 8, 90e3, 35e3, {"CD45": 9500}),
            "monocytes": Kind(self.t_cells // 5, 152e3, 88e3, {"CD45": 8000, "CD4": 1000, "CAR": 180, "CD3": 120}),
            "granulocytes": Kind(2 * self.t_cells, 165e3, 175e3, {"CD45": 2300, "CD3": 300, "CAR": 140, "7-AAD": 150}),
            "dead": Kind(self.t_cells // 20, 70e3, 60e3, {"CD45": 7000, "CD3": 1500, "7-AAD": 16_000}, 0.25),
            "debris": Kind(self.t_cells // 3, 12e3, 9e3, {"CD45": 90}, 0.5),
        }
        return {name: kind for name, kind in drawn.items() if name not in self.missing and kind.events}


class Drawn(Struct, frozen=True, eq=False):
    """A tube's events and what each of them is."""

    events: EventTable
    origin: npt.NDArray[np.str_]

    def is_one_of(self, *kinds: str) -> Bools:
        """Return which events are of these kinds."""
        return np.isin(self.origin, kinds)


def draw(tube: Tube, random: np.random.Generator) -> Drawn:
    """Return the events of a tube, in random order, 10 µs apart."""
    return drawn(tube, tube.kinds(), random)


def drawn(tube: Tube, kinds: Mapping[str, Kind], random: np.random.Generator) -> Drawn:
    """Return the events of so many of each kind, and of the tube's beads."""
    parts = {name: _cells(kind, tube, random) for name, kind in kinds.items()}
    if "beads" not in tube.missing:
        parts["beads"] = _beads(tube.beads, tube, random)
    parts["doublets"] = _doublets(
        parts, int(tube.doublet_share * sum(len(part["FSC-A"]) for part in parts.values())), random
    )
    origin = np.concatenate([np.full(len(part["FSC-A"]), name) for name, part in parts.items()])
    columns = {name: np.concatenate([part[name] for part in parts.values()]) for name in next(iter(parts.values()))}
    order = random.permutation(len(origin))
    columns = {name: np.minimum(column[order], TOP).astype(np.float32) for name, column in columns.items()}
    columns["Time"] = np.arange(len(origin), dtype=np.float32)
    columns["APC-A"] = np.minimum(columns["APC-A"] + SPILL * columns["PE-Cy7-A"], TOP)
    keywords = {"$SPILLOVER": spillover()}
    markers = {detector: marker for marker, detector in STAINS.items()}
    return Drawn(EventTable.from_columns(columns, markers=markers, keywords=keywords), origin[order])


def _gamma(random: np.random.Generator, median: float, cv: float, n: int) -> Floats:
    shape = 1 / cv**2
    return median * random.gamma(shape, 1 / (shape - 1 / 3), n)


def _cells(kind: Kind, tube: Tube, random: np.random.Generator) -> dict[str, Floats]:
    n = kind.events
    fsc = tube.scatter_gain * _gamma(random, kind.fsc, kind.scatter_cv, n)
    ssc = tube.scatter_gain * _gamma(random, kind.ssc, 1.25 * kind.scatter_cv, n)
    columns = {"FSC-A": fsc, "FSC-H": 0.86 * fsc**0.985 * random.lognormal(0.17, 0.03, n), "SSC-A": ssc}
    for marker, detector in STAINS.items():
        signal = random.normal(60, DIM_SPREAD, n)
        if marker in kind.stains:
            spread = (
                0.8 * random.normal(size=n) if marker == "CAR" else tube.spread * SHAPES[tube.shape](tube, random, n)
            )
            signal += tube.stained.get(marker, 1.0) * kind.stains[marker] * np.exp(spread)
        if marker == "CAR" and "CD3" in kind.stains and marker not in kind.stains:
            sticky = random.random(n) < tube.sticky_share
            signal[sticky] += random.gamma(1.5, 700, int(sticky.sum()))
        columns[detector] = tube.gain * signal
    return columns


def _beads(n: int, tube: Tube, random: np.random.Generator) -> dict[str, Floats]:
    load = random.lognormal(0, 0.045, n)
    fsc = tube.scatter_gain * _gamma(random, 36e3, 0.06, n)
    columns = {"FSC-A": fsc, "FSC-H": 0.92 * fsc, "SSC-A": tube.scatter_gain * _gamma(random, 90e3, 0.07, n)}
    for detector in STAINS.values():
        columns[detector] = tube.bead_shift * 60_000 * load * random.lognormal(0, 0.02, n)
    return columns


def _doublets(parts: Mapping[str, dict[str, Floats]], n: int, random: np.random.Generator) -> dict[str, Floats]:
    """Return pairs of cells: areas and stains add, the height is that of the taller one and a little more."""
    cells = [part for name, part in parts.items() if name not in ("beads", "debris")]
    pool = {name: np.concatenate([part[name] for part in cells]) for name in cells[0]}
    first, second = random.integers(0, len(pool["FSC-A"]), (2, n))
    joined = {name: column[first] + column[second] for name, column in pool.items()}
    taller = np.maximum(pool["FSC-H"][first], pool["FSC-H"][second])
    return {**joined, "FSC-H": taller * random.lognormal(0.06, 0.04, n)}
