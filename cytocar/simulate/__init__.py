"""FCS files with known truth: a stained tube of blood with beads, and what is really in it.

``cells`` says what blood is made of, ``preparation`` what becomes of it in the tube, ``drawing`` how many of each are
drawn, ``particles`` what each is like, ``instrument`` what the detectors see of it, ``artefacts`` spoils the recording
on request, ``acquire`` puts these in order and saves the result, ``appearance`` labels it as other laboratories do.
``batch`` writes many tubes at chosen concentrations, ``course`` those of a whole patient, ``cohort`` those of many.
"""

from __future__ import annotations

from cytocar.simulate.acquire import Drawn, SimulatedTube, Truth, blood_tube
from cytocar.simulate.appearance import Appearance
from cytocar.simulate.artefacts import Artefact
from cytocar.simulate.batch import simulate_tubes
from cytocar.simulate.cells import BRIGHT, DIM, HEALTHY, TYPICAL, Blood, Brightness, CarStain
from cytocar.simulate.cohort import simulate_cohort
from cytocar.simulate.course import sample_course, simulate_sheet
from cytocar.simulate.preparation import Preparation, volume_for

__all__ = [
    "BRIGHT",
    "DIM",
    "HEALTHY",
    "TYPICAL",
    "Appearance",
    "Artefact",
    "Blood",
    "Brightness",
    "CarStain",
    "Drawn",
    "Preparation",
    "SimulatedTube",
    "Truth",
    "blood_tube",
    "sample_course",
    "simulate_cohort",
    "simulate_sheet",
    "simulate_tubes",
    "volume_for",
]
