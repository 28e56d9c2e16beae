"""Many tubes at chosen CAR-T concentrations, with a sample sheet: to see how well a count finds the truth again."""

from __future__ import annotations

import csv
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import numpy as np

from cytocar.simulate.acquire import SimulatedTube, blood_tube
from cytocar.simulate.appearance import Appearance
from cytocar.simulate.artefacts import Artefact
from cytocar.simulate.cells import BRIGHT, Blood, CarStain
from cytocar.simulate.preparation import Preparation

_COLUMNS = (
    *("file", "sample_id", "specimen", "count_method"),
    *("sample_volume_ul", "beads_added", "dilution_factor", "template"),
)


def simulate_tubes(
    folder: Path | str,
    *,
    car_per_ul: Sequence[float],
    tubes: int = 1,
    car_cd4_cd8: float = 1.0,
    blood: Blood | None = None,
    preparation: Preparation | None = None,
    stain: CarStain = BRIGHT,
    artefacts: Collection[Artefact] = (),
    appearance: Appearance | None = None,
    seed: int = 1,
    on_tube: Callable[[Path], None] | None = None,
) -> Path:
    """Write tubes at each CAR-T concentration, their truth and a sample sheet; return the sheet.

    Parameters
    ----------
    folder : Path or str
        Made where missing.
    car_per_ul : sequence of float
        True concentrations, cells/µL.
    tubes : int
        Tubes at each of them; every tube has a seed of its own.
    appearance : Appearance, optional
        How the files are labelled, where it is not as ``cart-cd19fc`` expects.
    on_tube : callable, optional
        Called with each file written.
    car_cd4_cd8, blood, preparation, stain, artefacts, seed
        As for ``blood_tube``.
    """
    appearance = appearance or Appearance()
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, str]] = []
    for level, concentration in enumerate(car_per_ul):
        for number in range(tubes):
            tube = blood_tube(
                car_per_ul=concentration,
                car_cd4_cd8=car_cd4_cd8,
                blood=blood,
                preparation=preparation,
                stain=stain,
                artefacts=artefacts,
                seed=np.random.SeedSequence(seed, spawn_key=(level, number)),
            )
            sample_id = f"car{concentration:g}-{number + 1:02d}"
            path = appearance.of(tube).write(folder / f"{sample_id}.fcs")
            rows.append({**_row(sample_id, path, tube), "template": appearance.template})
            if on_tube is not None:
                on_tube(path)
    sheet = folder / "sheet.csv"
    with sheet.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, _COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return sheet


def _row(sample_id: str, path: Path, tube: SimulatedTube) -> dict[str, str]:
    has_beads = tube.drawn.beads_added > 0
    return {
        "file": path.name,
        "sample_id": sample_id,
        "specimen": "blood",
        "count_method": "beads" if has_beads else "volumetric",
        "sample_volume_ul": f"{tube.drawn.sample_volume_ul:g}",
        "beads_added": f"{tube.drawn.beads_added:g}" if has_beads else "",
        # Without beads, the volume drawn counts: of blood that lyse solution diluted.
        "dilution_factor": "" if has_beads else f"{tube.drawn.final_volume_ul / tube.drawn.sample_volume_ul:g}",
    }
