"""The numbers of a tube that a count needs, declared once: the sheet fills them in, the count methods ask for them."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Specimen(StrEnum):
    """What was drawn."""

    BLOOD = "blood"
    MARROW = "marrow"
    CSF = "csf"
    APHERESIS = "apheresis"
    PRODUCT = "product"


class Tube(Struct, frozen=True, kw_only=True):
    """What the sample sheet (or the file, for the acquired volume) says about one tube; ``None`` where it says nothing.

    Volumes are in µL, counts of the analyser in cells/µL (1e9/L is 1000/µL). ``sample_volume_ul`` is what was pipetted
    into the tube, of blood that had been diluted ``dilution_factor`` times before.
    """

    sample_volume_ul: float | None = None
    beads_added: float | None = None
    beads_per_ul: float | None = None
    bead_volume_ul: float | None = None
    acquired_volume_ul: float | None = None
    dilution_factor: float | None = None
    lymphocytes_per_ul: float | None = None
    wbc_per_ul: float | None = None
    specimen: Specimen | None = None

    @property
    def beads_in_tube(self) -> float | None:
        """Beads added to the tube: from the lot's label, or concentration times volume of liquid beads."""
        return self.liquid_beads if self.beads_added is None else self.beads_added

    @property
    def liquid_beads(self) -> float | None:
        """Concentration times volume of liquid beads, where both are given."""
        if self.beads_per_ul is None or self.bead_volume_ul is None:
            return None
        return self.beads_per_ul * self.bead_volume_ul
