"""Simulated tubes of other panels: kinds of cells as a test describes them, seen by the simulator's cytometer.

The cytometer has eight colours. A test says what each is labelled in its file: ``CD2="CD19"`` puts CD19 in the detector
that is CD2 in the simulator's blood.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cytocar.fcs.events import EventTable
from cytocar.simulate.acquire import MARKERS
from cytocar.simulate.cells import CellKind, Signal, spread
from cytocar.simulate.drawing import Mixture, draw, draw_numbers
from cytocar.simulate.instrument import FLUORESCENCE, SPILLOVER, THRESHOLD_FSC, measure

DETECTOR_OF = {"CD3": "FITC-A", "CAR": "PE-A", "CD2": "PE-Cy7-A", "CD56": "APC-A", "CD8": "APC-H7-A"} | {
    "CD4": "V450-A",
    "CD45": "V500-A",
    "7-AAD": "PerCP-Cy5-5-A",
}
"""The detector of each colour of the simulator."""


Stain = Mapping[str, float | tuple[float, float]]
"""Per colour a median, or a median and a coefficient of variation (0.3 without)."""


def stain(**colours: float | tuple[float, float]) -> Stain:
    """Return what a kind of cell is stained with."""
    return colours


def cell(name: str, *stains: Stain, blast: bool = False, ssc: float | None = None) -> CellKind:
    """Return a kind of lymphocyte that is stained with all of these; large and granular as a blast."""
    signals: dict[str, Signal] = {
        dye: spread(*value) if isinstance(value, tuple) else spread(value, 0.3)
        for colours in stains
        for dye, value in colours.items()
    }
    fsc, usual_ssc = (115_000, 45_000) if blast else (97_000, 38_000)
    return CellKind(name, spread(fsc, 0.14), spread(ssc or usual_ssc, 0.16), signals)


@dataclass(frozen=True)
class StainedTube:
    """Events of a made tube and what each of them is."""

    columns: Mapping[str, npt.NDArray[np.float32]]
    markers: Mapping[str, str]
    origin: npt.NDArray[np.int8]
    kinds: tuple[str, ...]

    @property
    def events(self) -> EventTable:
        """The events as they would be read from a file."""
        return EventTable.from_columns(self.columns, markers=self.markers, keywords=self.keywords)

    @property
    def keywords(self) -> dict[str, str]:
        """The spillover matrix of the channels that the file has, and the unit of time."""
        there = [index for index, detector in enumerate(FLUORESCENCE) if detector in self.columns]
        numbers = (f"{value:g}" for value in SPILLOVER[np.ix_(there, there)].ravel())
        names = [FLUORESCENCE[index] for index in there]
        return {"$SPILLOVER": ",".join([str(len(names)), *names, *numbers]), "$TIMESTEP": "0.01"}

    def number(self, *kinds: str) -> int:
        """Return how many living single cells (or beads) of these kinds the tube holds."""
        return int(np.isin(self.origin, [self.kinds.index(kind) for kind in kinds]).sum())

    def without(self, *detectors: str) -> StainedTube:
        """Return the tube as an instrument saves it that has not these channels."""
        columns = {name: values for name, values in self.columns.items() if name not in detectors}
        markers = {name: marker for name, marker in self.markers.items() if name not in detectors}
        return StainedTube(columns, markers, self.origin, self.kinds)


def stained_tube(
    *kinds: tuple[CellKind, int], beads: int = 0, dead_share: float = 0.0, seed: int, **labels: str
) -> StainedTube:
    """Return a tube with so many cells of each kind, in random order.

    Parameters
    ----------
    beads : int
        Counting beads drawn with the cells.
    dead_share : float
        Dead cells of the same kinds, as a share of all cells.
    labels : str
        What a colour of the simulator is labelled in this panel: ``CD2="CD19"``.
    """
    rng = np.random.default_rng(seed)
    mixture = Mixture(
        kinds=[(kind, float(number)) for kind, number in kinds],
        beads=beads,
        dead_share=dead_share,
        doublet_share=0.02,
        bead_doublet_share=0.002,
        debris_share=0.1,
    )
    particles, names = draw(mixture, draw_numbers(mixture, rng), rng)
    particles = particles.take(rng.permutation(np.flatnonzero(particles.fsc > THRESHOLD_FSC)))
    columns = measure(particles, rng) | {"Time": np.arange(len(particles), dtype=np.float32)}
    markers = MARKERS | {DETECTOR_OF[colour]: label for colour, label in labels.items()}
    return StainedTube(columns, markers, particles.origin, names)
