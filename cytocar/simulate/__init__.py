"""FCS files with known truth: a stained tube of blood with beads, and what is really in it.

``cells`` says what blood is made of, ``drawing`` turns cells/µL into particles, ``instrument`` into what detectors see,
``artefacts`` spoils the recording on request, ``acquire`` puts these in order and saves the result, and ``course`` lays
out the tubes of a whole patient.
"""

from __future__ import annotations

from cytocar.simulate.acquire import Drawn, Preparation, SimulatedTube, Truth, blood_tube, volume_for
from cytocar.simulate.artefacts import Artefact
from cytocar.simulate.cells import BRIGHT, CAR_STAINS, DIM, HEALTHY, TYPICAL, Blood, CarStain

__all__ = [
    "BRIGHT",
    "CAR_STAINS",
    "DIM",
    "HEALTHY",
    "TYPICAL",
    "Artefact",
    "Blood",
    "CarStain",
    "Drawn",
    "Preparation",
    "SimulatedTube",
    "Truth",
    "blood_tube",
    "volume_for",
]
